#pragma once
/* The daemon's wiring: who exists, who is told about whom, and in which order things begin and end. Seen by the
 * daemon/main*.c files only. */
#include "audit/audit.h"
#include "config/config.h"
#include "control/control.h"
#include "link/link.h"
#include "log.h"
#include "main_options.h"
#include "plugin/registry.h"
#include "services/status_http.h"
#include "shard/render.h"
#include "shard/shard.h"
#include "shard/tenants.h"

#include <event2/event.h>
#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A service as it runs: what was made of its entry in the configuration. */
struct running_service {
	const struct service_type *type;
	struct service_options options;     /* .id is the tag */
	struct stack_listen_options listen; /* but its tunables: */
	struct stack_tcp_config tcp;
};

struct running_services {
	struct running_service *item;
	size_t count;
};

/* A rule of link.impair as it runs. */
struct running_rule {
	struct config_impair rule;
	char *text;    /* of it */
	uint64_t seed; /* also when it was drawn */
	struct impair_rule *made;
};

struct running_impair {
	bool by_control; /* changed through the control socket since the configuration was read */
	size_t count;
	struct running_rule item[CONFIG_IMPAIR_MAX];
};

#define TAG_MAX UINT16_MAX

struct daemon {
	const struct config_source *source;
	struct config *started; /* as at the start: what needs a restart is still as it says */
	struct config *config;  /* as read last: live keys are as it says */
	struct instant born;    /* when the process began */

	struct event_base *base;
	struct event *signal_term, *signal_int, *signal_hup, *notify_timer, *stop_timer, *reap_timer;
	struct registry *registry;
	struct link *link;
	struct audit *audit;
	struct shards *shards;
	struct status *status; /* NULL: no service of kind http so far */
	struct control *control;
	bool actions_lost; /* the last one could not be recorded, and that has been logged */
	struct {
		int64_t second;         /* of shard_now */
		unsigned count, silent; /* notices in it; of these not logged */
	} noticed;

	struct running_impair *impair; /* NULL: no rules so far */
	struct running_services services;
	const char **names; /* of services, by tag; a tag is never used twice */
	uint32_t name_count;
	struct render_names render_names; /* points at `names` */

	bool notify_pending; /* shards have been asked and have not answered */
	bool running;        /* shards have been started */
	bool stopping, hastened;
	struct instant stop_before; /* then what is left is aborted */
};

/* main_start.c: opens everything in order. Returns an exit code; what went wrong has been logged. */
int daemon_start(struct daemon *daemon);
/* Gives everything back that daemon_start has made, also half of it. */
void daemon_free(struct daemon *daemon);
/* Loads plugins and checks that the configuration fits them, and opens nothing: for --check. Returns an exit code. */
int daemon_check(struct daemon *daemon);

/* main_plugins.c. Errors are texts for the operator, appended to `errors` (a JSON array of strings). */

/* Loads what the configuration names, and opens nothing yet. 0; -EINVAL, see errors; -ENOMEM. */
int plugins_open(struct daemon *daemon, json_t *errors);
/* Opens the logging instances. 0; -EINVAL, see errors; -ENOMEM. */
int plugins_start_logging(struct daemon *daemon, const struct registry_run *run, json_t *errors);
/* The audit gets to know the outputs of what is loaded. 0 or -errno. */
int plugins_name_outputs(struct daemon *daemon);
/* The algorithm of this name, as it will be when `change` is committed, or, without one, as it is. NULL: none. */
const struct stack_congestion *plugins_congestion(const struct daemon *daemon, const struct registry_change *change,
                                                  const char *name);

/* What `config` says, loaded and made ready; nobody sees anything of it yet. The audit knows the new names.
 * congestion.default is there. 0; -EINVAL, see errors; -ENOMEM. Then plugins_commit or plugins_abort. */
int plugins_prepare(struct daemon *daemon, const struct config *config, struct registry_change **ret_change,
                    json_t *errors);
/* When services have what is new. What was replaced drains, or its connections are moved. `changed` gets a text for
 * each instance that is another now. */
void plugins_commit(struct daemon *daemon, const struct config *config, struct registry_change *change,
                    json_t *changed);
void plugins_abort(struct daemon *daemon, struct registry_change *change);

/* As in struct control_hooks. */
int plugins_control(struct daemon *daemon, const struct control_plugin_request *request, json_t **ret_report);

/* main_services.c: from the configuration to services in every shard. Errors are texts for the operator, appended to
 * `errors` (a JSON array of strings). */

/* What `config` says, made ready: kinds, tags, targets resolved, congestion algorithms found (as they will be when
 * `change` is committed; NULL: as they are). Services that run under the same name and kind keep their tags. Returns
 * 0, -EINVAL, -ENOMEM. */
int services_resolve(struct daemon *daemon, const struct config *config, const struct registry_change *change,
                     struct running_services *ret_services, json_t *errors);
void services_free(struct running_services *services);
/* Makes every shard run `services` instead of daemon->services, in all shards or none. Takes over what `services`
 * holds when it succeeds. */
int services_apply(struct daemon *daemon, struct running_services *services, json_t *errors);
/* Services that have one congestion algorithm get another, for the connections that they accept from now on. */
void services_switch(struct daemon *daemon, const struct stack_congestion *from, const struct stack_congestion *to);
/* The section tcp becomes the shards' own. */
void services_tune(struct daemon *daemon, const struct config *config);
/* The status page that services of kind `http` relay to: opened when `config` has the first of them. */
int services_open_status(struct daemon *daemon, const struct config *config, json_t *errors);

/* main_impair.c: what is done to frames on purpose. */

/* Makes every shard follow link.impair of `config`, all or none. 0 or -ENOMEM. */
int impair_apply(struct daemon *daemon, const struct config *config);
void impair_free(struct daemon *daemon);
/* As struct control_hooks has them. */
json_t *impair_show(struct daemon *daemon);
int impair_change(struct daemon *daemon, const struct control_impair_change *change, json_t *errors);
/* Of Status. */
json_t *impair_status(const struct daemon *daemon);

/* main_rules.c: which connections get which congestion algorithm. */
struct congestion_rules {
	struct stack_congestion_rule *item;
	size_t count;
};
/* congestion.rules of `config`, with the tags of `services` and the algorithms as they will be when `change` is
 * committed (NULL: as they are). 0; -EINVAL, see errors; -ENOMEM. */
int rules_resolve(const struct daemon *daemon, const struct config *config, const struct registry_change *change,
                  const struct running_services *services, struct congestion_rules *ret_rules, json_t *errors);
void rules_free(struct congestion_rules *rules);
/* For the connections of every shard that begin from now on. */
void rules_apply(struct daemon *daemon, struct congestion_rules *rules);
/* Does one of them name this algorithm? */
bool rules_name(const struct config *config, const char *name);

/* main_congestion.c: what the stacks tell of congestion algorithms: see struct shards_options. And a clock for
 * stack_config.stopwatch. */
void congestion_samples(void *context, uint32_t shard, const struct stack_sample *samples, size_t count);
void congestion_notice(void *context, uint32_t shard, const struct stack_notice *notice);
int64_t congestion_stopwatch(void);

/* main_secret.c: reads the secret in the state directory, which is made when there is none. 0; or -errno, and says so
 * in the log. */
int secret_load(const struct config *config, uint8_t *ret_secret, size_t size);

/* main_reload.c: reads the configuration again. *ret_report as struct control_hooks has it. */
int daemon_reload(struct daemon *daemon, json_t **ret_report);

/* main_stop.c: begins an orderly stop, or hastens one. */
void daemon_stop(struct daemon *daemon);

/* main_notify.c: what systemd is told: ready, alive, status. Does nothing when nobody listens. */
void notify_ready(struct daemon *daemon);
void notify_reloading(void);
void notify_stopping(struct duration grace);
int notify_watch(struct daemon *daemon);

/* main_control.c: what the control plane asks of main. */
struct control_hooks control_hooks_of(struct daemon *daemon);
