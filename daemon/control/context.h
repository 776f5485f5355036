#pragma once
/* Private to the control plane: what the methods work on, and their table. */
#include "control/control.h"
#include "control/method.h"
#include "control/server.h"
#include "control/socket.h"
#include "shard/shard.h"

struct control {
	struct control_options options; /* without path */
	struct control_socket socket;
	struct server *server;
	struct interface interface;
	char *description;
	struct instant started;
};

/* The control plane that a call is for; NULL when it has been closed meanwhile. */
static inline struct control *call_control(const struct call *call)
{
	return call_context(call);
}

/* methods.c: THE table of methods, and the interface in varlink's language (to be freed; NULL: no memory). */
const struct method *methods_table(size_t *ret_count);
char *methods_describe(void);

/* listing.c */
void method_connections(struct call *call);

/* questions.c: to the shards */
void method_status(struct call *call);
void method_show(struct call *call);
void method_counters(struct call *call);
void method_close(struct call *call);

/* change.c: to the shards */
void method_set(struct call *call);

/* tables.c: to the shards, which list a table each */
void method_neighbours(struct call *call);
void method_addresses(struct call *call);
void method_routers(struct call *call);
void method_paths(struct call *call);

/* plugins.c */
void method_plugins(struct call *call);
void method_plugin_files(struct call *call);
void method_plugin_load(struct call *call);
void method_plugin_unload(struct call *call);
void method_plugin_reload(struct call *call);
void method_plugin_tune(struct call *call);

/* answers.c: what main's thread knows by itself */
void method_services(struct call *call);
void method_config(struct call *call);
void method_impair(struct call *call);
void method_impair_add(struct call *call);
void method_impair_set(struct call *call);
void method_impair_remove(struct call *call);
void method_impair_clear(struct call *call);
void method_reload(struct call *call);
void method_stop(struct call *call);
