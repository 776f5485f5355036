#include "fake.h"

#include "plugin/registry.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- shards -------------------------------------------------------------------------------------------------- */

uint32_t shards_count(const struct shards *shards)
{
	(void)shards;
	return 1;
}

struct shard *shards_at(const struct shards *shards, uint32_t index)
{
	(void)index;
	return (struct shard *)shards;
}

struct instant shard_now(void)
{
	return (struct instant){ INT64_C(1000000000000) };
}

static void later(struct shards *shards, event_callback_fn run, void *argument)
{
	struct timeval delay = { 0, shards->delay_ms * 1000 };

	shards->pending++;
	if (event_base_once(shards->base, -1, EV_TIMEOUT, run, argument, &delay) < 0)
		abort();
}

static void run_job(evutil_socket_t fd, short what, void *argument)
{
	struct shard_job *job = argument;

	(void)fd;
	(void)what;
	((struct shards *)job->shard)->pending--;
	job->run(job, (struct stack *)job->shard);
	job->done(job);
}

void shard_post(struct shard *shard, struct shard_job *job)
{
	job->shard = shard;
	later((struct shards *)shard, run_job, job);
}

size_t stack_neighbours(const struct stack *stack, struct stack_neighbour_info *ret_infos, size_t count)
{
	const struct shards *shards = (const struct shards *)stack;

	for (size_t i = 0; i < shards->neighbours && i < count; i++)
		ret_infos[i] = (struct stack_neighbour_info){ .ip = ip_addr_v4(0xc0000201u + (uint32_t)i),
			                                      .mac = { { 2, 0, 0, 0, 0, (uint8_t)i } },
			                                      .resolved = i % 2 == 0,
			                                      .state = (uint8_t)i,
			                                      .updated = shard_now() };
	return shards->neighbours < count ? shards->neighbours : count;
}

const char *stack_neighbour_state_name(unsigned state)
{
	return state ? "reachable" : "incomplete";
}

size_t stack_addresses(const struct stack *stack, struct stack_address_info *ret_infos, size_t count)
{
	(void)stack;
	assert(count >= 2);
	ret_infos[0] = (struct stack_address_info){ .address = { ip_addr_v4(0xc0000202u), 120 },
		                                    .preferred_until = INSTANT_NEVER,
		                                    .valid_until = INSTANT_NEVER };
	ret_infos[1] = (struct stack_address_info){ .address = { { { 0xfe, 0x80 } }, 64 },
		                                    .state = 1,
		                                    .valid_until = INSTANT_NEVER };
	return 2;
}

const char *stack_address_state_name(unsigned state)
{
	return state ? "preferred" : "tentative";
}

const char *stack_address_origin_name(unsigned origin)
{
	return origin ? "?" : "configured";
}

size_t stack_routers(const struct stack *stack, struct stack_router_info *ret_infos, size_t count)
{
	(void)stack;
	assert(count >= 1);
	ret_infos[0] = (struct stack_router_info){
		.ip = { { 0xfe, 0x80 } }, .advertised = true, .preference = 1, .until = INSTANT_NEVER
	};
	return 1;
}

size_t stack_paths(const struct stack *stack, struct stack_path_info *ret_infos, size_t count)
{
	(void)stack;
	assert(count >= 1);
	ret_infos[0] = (struct stack_path_info){
		.destination = ip_addr_v4(0xc6336401u), .pmtu = 1400, .probes = 3, .fastopen_bytes = 8
	};
	return 1;
}

const char *stack_verdict_name(unsigned verdict)
{
#define VERDICT_NAME(name, meaning) #name,
	static const char *const names[] = { STACK_VERDICTS(VERDICT_NAME) };
#undef VERDICT_NAME

	return verdict < STACK_VERDICT_COUNT ? names[verdict] : "?";
}

struct stack_conn_info fake_connection(uint64_t id)
{
	struct stack_conn_info info = {
		.id = id,
		.state = id % 10 == 3 ? TCPS_TIME_WAIT : TCPS_ESTABLISHED,
		.compact = id % 10 == 3,
		.service = (uint16_t)(id % 2),
		.congestion = "cubic",
		.flow = { .local = ip_addr_v4(0xc0000202),
		          .local_port = 80,
		          .remote_port = (uint16_t)(1024 + id % 60000) },
		.srtt = DURATION_US(1500),
		.retrans_total = (uint32_t)(id % 7),
		.opened = { INT64_C(999000000000) },
	};

	info.flow.remote = ip_addr_v4(0xc0000200 + (uint32_t)(id % 250));
	return info;
}

/* ---- surveys ------------------------------------------------------------------------------------------------- */

struct survey {
	struct survey_options options;
	struct shards *shards;
	uint64_t next;
	size_t reported;
	bool paused, parked, cancelled;
};

static void end(struct survey *survey, bool truncated)
{
	survey->shards->survey = NULL;
	if (!survey->cancelled)
		survey->options.done(survey->options.user, truncated);
	if (survey->options.released)
		survey->options.released(survey->options.user);
	free(survey);
}

static void slice(evutil_socket_t fd, short what, void *argument)
{
	struct survey *survey = argument;
	const struct survey_options *options = &survey->options;
	struct stack_conn_info infos[100];
	size_t count = 0;

	(void)fd;
	(void)what;
	survey->shards->pending--;
	if (survey->cancelled) {
		end(survey, false);
		return;
	}
	survey->shards->slices++;
	while (survey->next <= survey->shards->connections && count < 100 &&
	       (!options->max || survey->reported + count < options->max)) {
		infos[count] = fake_connection(survey->next++);
		if (!options->match || options->match(options->context, &infos[count], shard_now()))
			count++;
	}
	survey->reported += count;
	if (count)
		options->chunk(options->user, infos, count);
	if (survey->cancelled || survey->next > survey->shards->connections ||
	    (options->max && survey->reported == options->max))
		end(survey, survey->next <= survey->shards->connections);
	else if (survey->paused)
		survey->parked = true;
	else
		later(survey->shards, slice, survey);
}

int survey_start(struct shards *shards, const struct survey_options *options, struct survey **ret_survey)
{
	struct survey *survey = calloc(1, sizeof(*survey));

	survey->options = *options;
	survey->shards = shards;
	survey->next = 1;
	shards->survey = survey;
	*ret_survey = survey;
	later(shards, slice, survey);
	return 0;
}

void survey_cancel(struct survey *survey)
{
	survey->shards->cancels++;
	survey->cancelled = true;
	if (survey->parked)
		end(survey, false);
}

void survey_pause(struct survey *survey)
{
	survey->shards->pauses++;
	survey->paused = true;
}

void survey_resume(struct survey *survey)
{
	survey->paused = false;
	if (survey->parked) {
		survey->parked = false;
		later(survey->shards, slice, survey);
	}
}

struct question {
	struct shards *shards;
	void (*totals)(void *user, const struct survey_totals *totals);
	void (*found)(void *user, const struct stack_conn_info *info);
	void (*closed)(void *user, int error);
	int (*act)(void *context, struct stack *stack, uint64_t id);
	void *context;
	uint64_t id;
	bool abort;
	void *user;
};

static void answer(evutil_socket_t fd, short what, void *argument)
{
	struct question *question = argument;
	struct shards *shards = question->shards;
	bool exists = question->id >= 1 && question->id <= shards->connections;

	(void)fd;
	(void)what;
	shards->pending--;
	if (question->totals) {
		struct survey_totals *totals = calloc(1, sizeof(*totals) + sizeof(totals->shard[0]));

		totals->count = 1;
		totals->counters.frames_in = 12;
		totals->counters.verdict[VERDICT_DROP_PAWS] = 3;
		totals->gauges.connections = (uint32_t)shards->connections;
		question->totals(question->user, totals);
		free(totals);
	} else if (question->found) {
		struct stack_conn_info info = fake_connection(question->id);

		question->found(question->user, exists ? &info : NULL);
	} else if (question->act) {
		/* The fake's stack is the fake itself. */
		question->closed(question->user,
		                 exists ? question->act(question->context, (struct stack *)shards, question->id)
		                        : -ENOENT);
	} else {
		if (exists) {
			shards->closed_id = question->id;
			shards->closed_abort = question->abort;
		}
		question->closed(question->user, exists ? shards->close_result : -ENOENT);
	}
	free(question);
}

static int ask(struct shards *shards, const struct question *question)
{
	struct question *copy = malloc(sizeof(*copy));

	*copy = *question;
	copy->shards = shards;
	later(shards, answer, copy);
	return 0;
}

int survey_totals_start(struct shards *shards, void (*done)(void *user, const struct survey_totals *totals),
                        void *user)
{
	return ask(shards, &(struct question){ .totals = done, .user = user });
}

int survey_find_start(struct shards *shards, uint64_t id,
                      void (*done)(void *user, const struct stack_conn_info *info), void *user)
{
	return ask(shards, &(struct question){ .found = done, .id = id, .user = user });
}

int survey_close_start(struct shards *shards, uint64_t id, bool abort_it, void (*done)(void *user, int error),
                       void *user)
{
	return ask(shards, &(struct question){ .closed = done, .id = id, .abort = abort_it, .user = user });
}

int survey_act_start(struct shards *shards, uint64_t id, int (*act)(void *context, struct stack *stack, uint64_t id),
                     void *context, void (*done)(void *user, int error), void *user)
{
	return ask(shards,
	           &(struct question){ .closed = done, .act = act, .context = context, .id = id, .user = user });
}

int stack_admin_congestion(struct stack *stack, uint64_t id, const struct stack_congestion_change *change)
{
	struct shards *shards = (struct shards *)stack;

	(void)id;
	shards->change = *change;
	return shards->close_result;
}

/* ---- configuration and plugins ------------------------------------------------------------------------------- */

static const struct config_key keys[] = {
	{ .path = "link.mtu", .unit = "bytes", .initial = "1500", .help = "MTU" },
	{ .path = "tcp.msl", .unit = "", .initial = "30s", .help = "MSL", .live = true },
	{ .path = "tcp.ttl", .unit = "", .initial = "64", .help = "TTL", .live = true },
};

const struct config_key *config_keys(size_t *ret_count)
{
	*ret_count = sizeof(keys) / sizeof(keys[0]);
	return keys;
}

int config_get(const struct config *config, const struct config_key *key, char **ret_text)
{
	(void)config;
	*ret_text = strdup(key->initial);
	return 0;
}

const char *config_service_kind_name(uint32_t kind)
{
	return kind == CONFIG_SERVICE_ECHO ? "echo" : "relay";
}

static _Atomic uint32_t cubic_users;
static const struct stack_congestion cubic = { .name = "cubic", .id = 1, .users = &cubic_users };

const struct stack_congestion *registry_congestion(const struct registry *registry, const char *name)
{
	(void)registry;
	return strcmp(name, "cubic") == 0 ? &cubic : NULL;
}

void registry_hold(const struct stack_congestion *congestion)
{
	++*congestion->users;
}

void registry_release(const struct stack_congestion *congestion)
{
	--*congestion->users;
}

size_t registry_count(const struct registry *registry)
{
	(void)registry;
	return 2;
}

void registry_get_info(struct registry *registry, size_t index, struct registry_info *ret_info)
{
	static const struct tapstack_param_spec spec[] = { { .name = "beta", .type = TAPSTACK_PARAM_NUMBER } };
	static const struct tapstack_param_value value[] = { { .number = 0.7 } };

	(void)registry;
	*ret_info = (struct registry_info){ .name = index ? "jsonl" : "cubic",
		                            .plugin = index ? "jsonl" : "cubic",
		                            .path = "",
		                            .kind = index ? TAPSTACK_PLUGIN_LOGGING : TAPSTACK_PLUGIN_CONGESTION,
		                            .version = "1",
		                            .licence = "MIT",
		                            .description = "d",
		                            .spec = spec,
		                            .value = value,
		                            .param_count = index ? 0 : 1,
		                            .events = 9 };
}

const char *registry_state_name(unsigned state)
{
	return state == REGISTRY_ACTIVE ? "active" : "draining";
}

const char *registry_directory(const struct registry *registry)
{
	(void)registry;
	return "/plugins";
}

int registry_available(struct registry *registry, void (*found)(void *context, const struct registry_file *file),
                       void *context, char *error, size_t error_size)
{
	static const struct tapstack_param_spec spec[] = {
		{ "beta", "", "b", TAPSTACK_PARAM_NUMBER, 0, 0, 1, 0.5, NULL },
		{ "fast", "", "f", TAPSTACK_PARAM_SWITCH, 0, 0, 1, 1, NULL },
		{ "path", "", "p", TAPSTACK_PARAM_TEXT, 0, 0, 0, 0, NULL },
	};
	static const struct tapstack_output_spec output[] = { { "w", "bytes", "o" } };
	static const struct tapstack_plugin plugin = { TAPSTACK_PLUGIN_HEAD(TAPSTACK_PLUGIN_CONGESTION),
		                                       .name = "cubic",
		                                       .version = "1",
		                                       .licence = "MIT",
		                                       .description = "d",
		                                       .params = spec,
		                                       .param_count = 3,
		                                       .outputs = output,
		                                       .output_count = 1 };

	(void)registry;
	(void)error;
	(void)error_size;
	found(context, &(struct registry_file){ .name = "cubic", .plugin = &plugin });
	found(context, &(struct registry_file){ .name = "bad", .error = "wrong" });
	return 0;
}

/* ---- hooks --------------------------------------------------------------------------------------------------- */

static const struct config *hook_config(void *context)
{
	static struct config_service services[] = {
		{ .name = "echo", .kind = CONFIG_SERVICE_ECHO, .port = 7, .congestion = "" },
		{ .name = "web",
		  .kind = CONFIG_SERVICE_RELAY,
		  .port = 80,
		  .congestion = "reno",
		  .target = "unix:/x" },
	};
	static const struct config config = { .congestion.standard = "cubic", .services = { services, 2 } };

	(void)context;
	return &config;
}

static const struct render_names *hook_names(void *context)
{
	static const char *const names[] = { "echo", "web" };
	static const struct render_names all = { .service = names, .service_count = 2 };

	(void)context;
	return &all;
}

static void hook_status(void *context, json_t *object)
{
	(void)context;
	json_object_set_new(object, "audit", json_pack("{s:s}", "database", "/tmp/audit.db"));
}

static int hook_reload(void *context, json_t **ret_report)
{
	struct shards *shards = context;

	shards->reloads++;
	*ret_report = shards->reload_result ? json_pack("{s:[s]}", "errors", "f.yaml:1:1: wrong")
	                                    : json_pack("{s:[s], s:[]}", "changed", "tcp.msl", "needs_restart");
	return shards->reload_result;
}

static json_t *hook_impair(void *context)
{
	(void)context;
	return json_pack("[{s:s}]", "name", "far");
}

static int hook_impair_change(void *context, const struct control_impair_change *change, json_t *errors)
{
	struct shards *shards = context;
	char *options = change->options ? json_dumps(change->options, JSON_COMPACT) : NULL;

	snprintf(shards->impair, sizeof(shards->impair), "%u %s %s %s", change->what,
	         change->name ? change->name : "-", change->before ? change->before : "-", options ? options : "-");
	free(options);
	if (shards->reload_result)
		json_array_append_new(errors, json_string("wrong words"));
	return shards->reload_result;
}

/* Says what it was asked to do; refuses an instance called "no". */
static int hook_plugin(void *context, const struct control_plugin_request *request, json_t **ret_report)
{
	static const char *const words[] = { "load", "unload", "reload", "tune" };
	json_t *errors = json_array();
	char text[200];
	size_t at;

	(void)context;
	at = (size_t)snprintf(text, sizeof(text), "%s %s%s", words[request->what],
	                      request->plugin ? request->plugin : "-", request->move ? " moving" : "");
	for (size_t i = 0; i < request->param_count; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, " %s=%s", request->param[i].name,
		                       request->param[i].value);
	*ret_report = json_pack("{s:s, s:s, s:o}", "instance", request->instance, "note", text, "errors", errors);
	if (strcmp(request->instance, "no") != 0)
		return 0;
	json_array_append_new(errors, json_string("never"));
	return -EINVAL;
}

static void hook_stop(void *context)
{
	struct shards *shards = context;

	shards->stops++;
	event_base_loopbreak(shards->base); /* as main does */
}

static void hook_action(void *context, const struct control_action *action)
{
	struct shards *shards = context;

	if (shards->action_count < FAKE_ACTIONS_MAX)
		snprintf(shards->action[shards->action_count++], sizeof(shards->action[0]), "%u %s %s %s",
		         (unsigned)action->uid, action->method, action->arguments ? action->arguments : "-",
		         action->result);
}

struct control_hooks fake_hooks(struct shards *shards)
{
	return (struct control_hooks){ .context = shards,
		                       .config = hook_config,
		                       .names = hook_names,
		                       .status = hook_status,
		                       .impair = hook_impair,
		                       .impair_change = hook_impair_change,
		                       .reload = hook_reload,
		                       .plugin = hook_plugin,
		                       .stop = hook_stop,
		                       .action = hook_action };
}
