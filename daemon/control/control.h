#pragma once
/* The control plane: a varlink server (interface org.tapstack.control) on a Unix stream socket, in main's thread.
 *
 * One JSON object per message, ended by a NUL byte; replies come strictly in the order of the calls. What a caller
 * may do is decided here, from SO_PEERCRED and the lists of names in the configuration. Nothing a caller does can
 * hold up a shard: shards are asked through their mailboxes, in slices, and a slow reader is only served as fast as
 * it reads.
 *
 * The methods are one table (methods.c); the interface description is made from it. The process must ignore SIGPIPE.
 */
#include "config/config.h"

#include <event2/event.h>
#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct control;
struct registry;
struct registry_param;
struct render_names;
struct shards;

/* Each role may do all that the ones before it may. */
enum control_role {
	CONTROL_NOBODY,  /* may not even look */
	CONTROL_OBSERVE, /* look */
	CONTROL_OPERATE, /* and close connections */
	CONTROL_ADMIN,   /* and reload the configuration, stop the daemon */
	CONTROL_ROLE_COUNT
};

/* "nobody", "observe", "operate", "admin"; "?" out of range. */
const char *control_role_name(unsigned role);

/* Who has a role: user names, numeric uids, or "group:NAME". Names that don't exist grant nothing. uid 0 and the
 * daemon's own uid always have `admin`. */
struct control_rights {
	struct config_text_list observe, operate, admin;
};

#define CONTROL_GROUPS_MAX 256

/* Who has a connected socket's other end. */
struct control_peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
	size_t group_count;
	gid_t groups[CONTROL_GROUPS_MAX]; /* supplementary */
};

#define CONTROL_ARGUMENTS_MAX 1024

/* One call that was meant to change something, done or refused. */
struct control_action {
	int64_t realtime_ns;
	uid_t uid;
	pid_t pid;
	const char *method;    /* "Close" */
	const char *arguments; /* JSON object, as text, cut after CONTROL_ARGUMENTS_MAX bytes; NULL: not kept */
	const char *result;    /* "ok", or the name of the error: "PermissionDenied" */
};

enum control_impair_what { CONTROL_IMPAIR_ADD, CONTROL_IMPAIR_SET, CONTROL_IMPAIR_REMOVE, CONTROL_IMPAIR_CLEAR };

/* A change of the rules of link.impair. */
struct control_impair_change {
	enum control_impair_what what;
	const char *name;      /* SET, REMOVE: which rule; else NULL */
	const char *before;    /* ADD: the rule it goes before; NULL: at the end */
	const json_t *options; /* ADD, SET: an object of texts, in the words of the configuration; else NULL */
};

/* A change of plugins, through the control plane. */
enum control_plugin_what { CONTROL_PLUGIN_LOAD, CONTROL_PLUGIN_UNLOAD, CONTROL_PLUGIN_RELOAD, CONTROL_PLUGIN_TUNE };

struct control_plugin_request {
	enum control_plugin_what what;
	const char *plugin;   /* to load: its file, without directory and .so */
	const char *instance; /* which */
	const struct registry_param *param;
	size_t param_count;
	bool move; /* connections too, else they keep what they have */
};

/* What control needs of the others, filled in by main. All are called in main's thread; none may block for long. */
struct control_hooks {
	void *context;
	/* The configuration in force. */
	const struct config *(*config)(void *context);
	/* Names of the services by their tags. */
	const struct render_names *(*names)(void *context);
	/* Adds to the answer of Status what main knows: "audit": {"database": path, ...}, "link": {...}, ... */
	void (*status)(void *context, json_t *object);
	/* Reads the configuration again. Returns 0, or -errno with everything as before. *ret_report is a new
	 * reference to an object {"changed": [keys], "needs_restart": [keys], "errors": [texts]}, also on failure. */
	int (*reload)(void *context, json_t **ret_report);
	/* The rules of link.impair and what they have done: a new array of objects; NULL: no memory. */
	json_t *(*impair)(void *context);
	/* Returns 0; or -errno with nothing changed, and sentences in `errors`. */
	int (*impair_change)(void *context, const struct control_impair_change *change, json_t *errors);
	/* Changes plugins. Returns 0, or -errno with everything as before. *ret_report is a new reference to an
	 * object
	 * {"instance": name, "version": text, "generation": number, "note": text, "errors": [texts]}, also on
	 * failure; NULL: no memory. */
	int (*plugin)(void *context, const struct control_plugin_request *request, json_t **ret_report);
	/* Begins the daemon's orderly stop; returns at once. */
	void (*stop)(void *context);
	/* Records an action. */
	void (*action)(void *context, const struct control_action *action);
};

struct control_options {
	const char *path;             /* of the socket; unused when listen_fd >= 0 */
	int listen_fd;                /* a listening socket that somebody else opened (socket activation), or -1 */
	struct control_rights rights; /* copied */
	struct shards *shards;        /* lives as long as the control plane; so does the registry */
	struct registry *registry;
	struct control_hooks hooks;
	/* How a peer's credentials are found; NULL: SO_PEERCRED and SO_PEERGROUPS. Tests play other users with it. */
	int (*credentials)(int fd, struct control_peer *ret_peer);
};

/* Listens. The socket is created with the narrowest mode that lets everybody in who has a role: 0600 when the lists
 * name nobody else; 0660 with that group when they name one group and no user; else 0666 (the daemon refuses whoever
 * has no role). It has never been wider than that. A socket file that nobody answers on is replaced. Returns 0; or
 * -errno with a sentence for the operator in `error`: -EADDRINUSE somebody answers on the socket, -EEXIST something
 * else is in its place, -EACCES, ... */
int control_open(const struct control_options *options, struct event_base *base, struct control **ret_control,
                 char *error, size_t error_size);

/* The lists of names may have changed. Callers that are connected are judged anew at their next call. */
int control_set_rights(struct control *control, const struct control_rights *rights);

/* Stops listening, removes the socket file if this control plane made it, and lets the callers go: what is in their
 * output buffers is written as far as that goes at once. The event base must still be there. Questions that shards
 * have not answered yet keep a small rest alive until they do. NULL is allowed. */
void control_close(struct control *control);
