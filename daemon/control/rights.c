#include "control/rights.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const char *const role_names[CONTROL_ROLE_COUNT] = {
	[CONTROL_NOBODY] = "nobody",
	[CONTROL_OBSERVE] = "observe",
	[CONTROL_OPERATE] = "operate",
	[CONTROL_ADMIN] = "admin",
};

const char *control_role_name(unsigned role)
{
	return role < CONTROL_ROLE_COUNT ? role_names[role] : "?";
}

/* A decimal number below 2^32 - 1 (which means "no id"); false for anything else. */
static bool parse_id(const char *text, uint32_t *ret_id)
{
	char *end;
	unsigned long long value;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end || value >= UINT32_MAX)
		return false;
	*ret_id = (uint32_t)value;
	return true;
}

static bool resolve(const char *name, struct rights_rule *rule)
{
	static const char prefix[] = "group:";

	rule->is_group = strncmp(name, prefix, sizeof(prefix) - 1) == 0;
	if (rule->is_group) {
		const struct group *group = getgrnam(name + sizeof(prefix) - 1);

		if (!group)
			return parse_id(name + sizeof(prefix) - 1, &rule->id);
		rule->id = group->gr_gid;
	} else {
		const struct passwd *user = getpwnam(name);

		if (!user)
			return parse_id(name, &rule->id);
		rule->id = user->pw_uid;
	}
	return true;
}

int rights_init(struct rights *rights, const struct control_rights *names, uid_t owner)
{
	const struct config_text_list *lists[CONTROL_ROLE_COUNT] = {
		[CONTROL_OBSERVE] = &names->observe,
		[CONTROL_OPERATE] = &names->operate,
		[CONTROL_ADMIN] = &names->admin,
	};
	struct rights made = { .owner = owner };
	made.rule = calloc(names->observe.count + names->operate.count + names->admin.count + 1, sizeof(*made.rule));
	if (!made.rule)
		return -ENOMEM;

	for (unsigned role = CONTROL_OBSERVE; role < CONTROL_ROLE_COUNT; role++) {
		for (size_t i = 0; i < lists[role]->count; i++) {
			made.rule[made.count].role = (enum control_role)role;
			if (resolve(lists[role]->item[i], &made.rule[made.count]))
				made.count++;
		}
	}
	*rights = made;
	return 0;
}

void rights_done(struct rights *rights)
{
	free(rights->rule);
	*rights = (struct rights){ 0 };
}

static bool rule_fits(const struct rights_rule *rule, const struct control_peer *peer)
{
	if (!rule->is_group)
		return rule->id == peer->uid;
	if (rule->id == peer->gid)
		return true;
	for (size_t i = 0; i < peer->group_count; i++)
		if (rule->id == peer->groups[i])
			return true;
	return false;
}

enum control_role rights_role(const struct rights *rights, const struct control_peer *peer)
{
	enum control_role role = CONTROL_NOBODY;

	if (peer->uid == 0 || peer->uid == rights->owner)
		return CONTROL_ADMIN;
	for (size_t i = 0; i < rights->count; i++)
		if (rights->rule[i].role > role && rule_fits(&rights->rule[i], peer))
			role = rights->rule[i].role;
	return role;
}

int rights_peer(int fd, struct control_peer *ret_peer)
{
	struct control_peer peer = { 0 };
	struct ucred credentials;
	socklen_t length = sizeof(credentials);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
		return -errno;
	peer.uid = credentials.uid;
	peer.gid = credentials.gid;
	peer.pid = credentials.pid;

	length = sizeof(peer.groups);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer.groups, &length) == 0)
		peer.group_count = length / sizeof(peer.groups[0]);
	*ret_peer = peer;
	return 0;
}
