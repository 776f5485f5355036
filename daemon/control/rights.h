#pragma once
/* Who may do what: from the credentials of a connected peer to a role. */
#include "control/control.h"

#include <stdbool.h>

struct rights_rule {
	enum control_role role;
	bool is_group;
	uint32_t id; /* uid or gid */
};

struct rights {
	uid_t owner; /* always admin, as uid 0 is */
	size_t count;
	struct rights_rule *rule;
};

/* Resolves the names now (a later change of the user database is seen at the next reload). Returns 0 or -ENOMEM.
 * A name that doesn't exist makes no rule. */
int rights_init(struct rights *rights, const struct control_rights *names, uid_t owner);
void rights_done(struct rights *rights);

/* The highest role that any rule gives this peer. */
enum control_role rights_role(const struct rights *rights, const struct control_peer *peer);

/* SO_PEERCRED and SO_PEERGROUPS: who had the socket's other end when it was connected. Returns 0 or -errno.
 * A peer with more than CONTROL_GROUPS_MAX supplementary groups is judged without them. */
int rights_peer(int fd, struct control_peer *ret_peer);
