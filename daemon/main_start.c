#include "main.h"

#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AUDIT_PATIENCE DURATION_S(5)   /* for writing out the audit at the end */
#define LOGGING_PATIENCE DURATION_S(2) /* for logging plugins at the end */

static void log_text(int priority, const char *text)
{
	log_write(priority, "%s", text);
}

static void log_report(void *context, int priority, const char *text)
{
	(void)context;
	log_text(priority, text);
}

static int fatal(int code, const char *what, const char *why)
{
	log_write(LOG_CRIT, "cannot start: %s: %s", what, why);
	return code;
}

static void log_errors(json_t *errors)
{
	json_t *error;
	size_t i;

	json_array_foreach(errors, i, error) log_write(LOG_ERR, "%s", json_string_value(error));
}

/* ---- plugins and services ------------------------------------------------------------------------------------ */

static int open_plugins(struct daemon *daemon)
{
	json_t *errors = json_array();
	int error = errors ? plugins_open(daemon, errors) : -ENOMEM;

	log_errors(errors);
	json_decref(errors);
	if (error == 0)
		return EXIT_OK;
	return fatal(error == -EINVAL ? EXIT_CONFIG : EXIT_RUNTIME, "plugins",
	             error == -EINVAL ? "see above" : strerror(-error));
}

/* What the configuration says about plugins and services, without touching anything else. */
static int prepare_services(struct daemon *daemon, struct running_services *ret_services)
{
	const char *standard = daemon->config->congestion.standard;
	json_t *errors = json_array();
	int error = -ENOMEM;

	if (errors)
		error = services_resolve(daemon, daemon->config, NULL, ret_services, errors);
	log_errors(errors);
	json_decref(errors);
	if (error == -EINVAL)
		return fatal(EXIT_CONFIG, "services", "see above");
	if (error != 0)
		return fatal(EXIT_RUNTIME, "services", strerror(-error));
	if (!registry_congestion(daemon->registry, standard)) {
		services_free(ret_services);
		log_write(LOG_ERR, "congestion.default: there is no congestion algorithm called %s", standard);
		return fatal(EXIT_CONFIG, "congestion.default", "see above");
	}
	return EXIT_OK;
}

int daemon_check(struct daemon *daemon)
{
	struct running_services services = { 0 };
	int code = open_plugins(daemon);

	if (code == EXIT_OK)
		code = prepare_services(daemon, &services);
	if (code == EXIT_OK)
		printf("%s: all is well with keys, values, services and plugins\n"
		       "(what only a start can find out was not checked: the interface, rights to files and\n"
		       "directories, sockets that are in use)\n",
		       daemon->source->path);
	services_free(&services);
	daemon_free(daemon);
	return code;
}

/* ---- in order ------------------------------------------------------------------------------------------------ */

/* A directory of the daemon's own, unless it is there: one level, the rest is for the administrator. */
static int make_directory(const char *key, const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return EXIT_OK;
	if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return EXIT_OK;
	log_write(LOG_ERR, "%s: %s: %s", key, path, strerror(errno == EEXIST ? ENOTDIR : errno));
	return fatal(EXIT_RUNTIME, key, "see above");
}

static int open_link(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	const struct config_prefix_list *list = &config->link.host_addresses;
	struct stack_address addresses[STACK_ADDRESSES_MAX];
	struct link_options options = {
		.backend = config->link.backend,
		.name = config->link.name,
		.queues = config->shard.count,
		.mtu_bytes = config->link.mtu,
		.offload = config->link.offload,
		.host_addresses = addresses,
	};
	char error[256];

	for (; options.host_address_count < list->count && options.host_address_count < STACK_ADDRESSES_MAX;
	     options.host_address_count++) {
		const struct config_prefix *prefix = &list->item[options.host_address_count];

		addresses[options.host_address_count] = (struct stack_address){ prefix->ip, prefix->bits };
	}
	if (link_open(&options, &daemon->link, error, sizeof(error)) != 0)
		return fatal(EXIT_RUNTIME, "link", error);
	if (link_warning(daemon->link))
		log_write(LOG_WARNING, "%s", link_warning(daemon->link));
	return EXIT_OK;
}

static int open_audit(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	size_t count = registry_id_end(daemon->registry);
	const char **congestions = calloc(count + 1, sizeof(*congestions));
	char path[PATH_MAX], error[256] = "";
	int result;

	if (!congestions)
		return fatal(EXIT_RUNTIME, "audit", strerror(ENOMEM));
	for (size_t i = 0; i < count; i++)
		congestions[i] = registry_congestion_name(daemon->registry, (uint16_t)i);
	result = config_state_path(config, config->audit.database, path, sizeof(path));
	if (result == 0)
		result = audit_open(&(struct audit_options){ .database = path,
		                                             .state_directory = config->state_directory,
		                                             .version = PACKAGE_VERSION,
		                                             .shards = config->shard.count,
		                                             .ring_bytes = config->audit.ring_size,
		                                             .services = { daemon->names, daemon->name_count },
		                                             .congestions = { congestions, count },
		                                             .report = log_report },
		                    &daemon->audit, error, sizeof(error));
	free(congestions);
	if (result != 0)
		return fatal(EXIT_RUNTIME, "audit", *error ? error : strerror(-result));
	return EXIT_OK;
}

static int prepare_stack(void *context, uint32_t shard, struct stack_config *config)
{
	struct daemon *daemon = context;

	config->journal = audit_ring(daemon->audit, shard);
	return config->journal ? 0 : -ENOENT;
}

static bool speaks_ipv6(const struct stack_config *stack)
{
	bool ipv6 = stack->accept_ra;

	for (uint32_t i = 0; i < stack->address_count; i++)
		ipv6 |= !ip_addr_is_v4(&stack->address[i].ip);
	return ipv6;
}

static int open_shards(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	struct stack_config stack;
	int error;

	config_stack(config, &stack);
	randombytes_buf(stack.secret, sizeof(stack.secret));
	if (speaks_ipv6(&stack)) {
		error = secret_load(config, stack.stable_secret, sizeof(stack.stable_secret));
		if (error != 0)
			return fatal(EXIT_RUNTIME, "stack", strerror(-error));
	}
	stack.mtu_bytes = link_mtu(daemon->link);
	stack.first_connection_id = audit_first_connection_id(daemon->audit);
	stack.stopwatch = congestion_stopwatch;
	stack.congestion_default = registry_congestion(daemon->registry, config->congestion.standard);
	error = shards_new(&(struct shards_options){ .count = config->shard.count,
	                                             .stack = &stack,
	                                             .prepare = prepare_stack,
	                                             .samples = congestion_samples,
	                                             .notice = congestion_notice,
	                                             .context = daemon,
	                                             .link = daemon->link,
	                                             .main_base = daemon->base,
	                                             .spin_max = config->shard.spin_max,
	                                             .impair_bytes_max = config->limits.impair },
	                   &daemon->shards);
	sodium_memzero(stack.secret, sizeof(stack.secret));
	if (error != 0)
		return fatal(EXIT_RUNTIME, "stack", strerror(-error));
	error = impair_apply(daemon, config);
	return error == 0 ? EXIT_OK : fatal(EXIT_RUNTIME, "link.impair", strerror(-error));
}

static int open_services(struct daemon *daemon, struct running_services *services)
{
	struct congestion_rules rules = { 0 };
	json_t *errors = json_array();
	int error = errors ? services_open_status(daemon, daemon->config, errors) : -ENOMEM;

	if (error == 0)
		error = rules_resolve(daemon, daemon->config, NULL, services, &rules, errors);
	if (error == 0)
		error = services_apply(daemon, services, errors);
	if (error == 0)
		rules_apply(daemon, &rules);
	rules_free(&rules);
	log_errors(errors);
	json_decref(errors);
	return error == 0 ? EXIT_OK : fatal(EXIT_RUNTIME, "services", "see above");
}

static int open_control(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	struct control_options options = {
		.listen_fd = -1,
		.rights = { config->control.observe, config->control.operate, config->control.admin },
		.shards = daemon->shards,
		.registry = daemon->registry,
		.hooks = control_hooks_of(daemon),
	};
	char path[PATH_MAX], error[256] = "";

	if (config_runtime_path(config, config->control.socket, path, sizeof(path)) != 0)
		return fatal(EXIT_CONFIG, "control.socket", strerror(ENAMETOOLONG));
	options.path = path;
	if (control_open(&options, daemon->base, &daemon->control, error, sizeof(error)) != 0)
		return fatal(EXIT_RUNTIME, "control.socket", error);
	return EXIT_OK;
}

/* The recorder, and behind it the logging plugins. */
static int start_audit(struct daemon *daemon)
{
	struct audit_sink sink = { .name = "plugins", .records = registry_log_records, .context = daemon->registry };
	struct registry_run run = {
		.wall_offset_ns = audit_wall_offset_ns(daemon->audit),
		.id = audit_run_id(daemon->audit),
		.started_ns = audit_run_started_ns(daemon->audit),
		.daemon_version = PACKAGE_VERSION,
		.link_name = link_name(daemon->link),
		.mtu_bytes = link_mtu(daemon->link),
	};
	json_t *errors = json_array();
	int error = errors ? plugins_start_logging(daemon, &run, errors) : -ENOMEM;

	log_errors(errors);
	json_decref(errors);
	if (error == -EINVAL)
		return fatal(EXIT_CONFIG, "logging plugins", "see above");
	if (error == 0)
		error = plugins_name_outputs(daemon);
	if (error == 0)
		error = audit_add_sink(daemon->audit, &sink);
	if (error == 0)
		error = audit_start(daemon->audit);
	return error == 0 ? EXIT_OK : fatal(EXIT_RUNTIME, "audit", strerror(-error));
}

static int start_shards(struct daemon *daemon)
{
	int error = shards_start(daemon->shards);

	if (error == 0)
		error = notify_watch(daemon);
	if (error != 0)
		return fatal(EXIT_RUNTIME, "shards", strerror(-error));
	daemon->running = true;
	return EXIT_OK;
}

int daemon_start(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	struct running_services services = { 0 };
	int code = open_plugins(daemon);

	if (code == EXIT_OK)
		code = prepare_services(daemon, &services);
	if (code == EXIT_OK)
		code = make_directory("state_directory", config->state_directory, 0750);
	if (code == EXIT_OK)
		code = make_directory("runtime_directory", config->runtime_directory, 0755);
	if (code == EXIT_OK)
		code = open_link(daemon);
	if (code == EXIT_OK)
		code = open_audit(daemon);
	if (code == EXIT_OK)
		code = open_shards(daemon);
	if (code == EXIT_OK)
		code = open_services(daemon, &services);
	if (code == EXIT_OK)
		code = open_control(daemon);
	if (code == EXIT_OK)
		code = start_audit(daemon);
	if (code == EXIT_OK)
		code = start_shards(daemon);
	services_free(&services);
	if (code != EXIT_OK)
		return code;
	notify_ready(daemon);
	log_write(LOG_NOTICE, "tapstackd %s is ready on %s %s after %.1f ms", PACKAGE_VERSION,
	          link_backend(daemon->link), link_name(daemon->link),
	          (double)instant_sub(shard_now(), daemon->born).ns / 1e6);
	return EXIT_OK;
}

/* ---- and back ------------------------------------------------------------------------------------------------ */

static void free_event(struct event **event)
{
	if (*event)
		event_free(*event);
	*event = NULL;
}

void daemon_free(struct daemon *daemon)
{
	int error;

	free_event(&daemon->notify_timer);
	free_event(&daemon->stop_timer);
	free_event(&daemon->reap_timer);
	if (daemon->shards)
		shards_stop(daemon->shards);
	control_close(daemon->control);
	status_close(daemon->status);
	/* Answers that are still under way find their askers gone, or not; then the stacks go. */
	shards_free(daemon->shards);
	impair_free(daemon);
	daemon->shards = NULL;
	if (daemon->audit) {
		error = audit_stop(daemon->audit, AUDIT_PATIENCE);
		if (error != 0)
			log_write(LOG_ERR, "the audit could not be written out: %s; the next start does it",
			          strerror(-error));
	}
	if (daemon->registry)
		registry_log_stop(daemon->registry, LOGGING_PATIENCE);
	audit_free(daemon->audit);
	registry_free(daemon->registry);
	link_close(daemon->link);
	services_free(&daemon->services);
	for (uint32_t i = 0; i < daemon->name_count; i++)
		free((char *)daemon->names[i]);
	free(daemon->names);
	free_event(&daemon->signal_term);
	free_event(&daemon->signal_int);
	free_event(&daemon->signal_hup);
	if (daemon->base)
		event_base_free(daemon->base);
	libevent_global_shutdown();
}
