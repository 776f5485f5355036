#include "main.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void complain(json_t *errors, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void complain(json_t *errors, const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	json_array_append_new(errors, json_string(text));
}

void services_free(struct running_services *services)
{
	free(services->item);
	*services = (struct running_services){ 0 };
}

static const struct running_service *find_by_name(const struct running_services *services, const char *name)
{
	for (size_t i = 0; i < services->count; i++) {
		if (strcmp(services->item[i].options.name, name) == 0)
			return &services->item[i];
	}
	return NULL;
}

static const struct running_service *find_by_tag(const struct running_services *services, uint16_t tag)
{
	for (size_t i = 0; i < services->count; i++) {
		if (services->item[i].options.id == tag)
			return &services->item[i];
	}
	return NULL;
}

/* ---- from the configuration ---------------------------------------------------------------------------------- */

/* Where services of kind `http` relay to. */
static int status_path(const struct config *config, char *text, size_t size)
{
	return config_runtime_path(config, "status.sock", text, size);
}

/* The tag of a service that runs already, or a new one. Tags are not used twice: the audit and connections that
 * outlive their service know them. 0 is nobody's. */
static int give_tag(struct daemon *daemon, const char *name, const struct service_type *type, uint16_t *ret_tag)
{
	const struct running_service *running = find_by_name(&daemon->services, name);
	uint32_t tag = daemon->name_count ? daemon->name_count : 1;
	const char **names;

	if (running && running->type == type) {
		*ret_tag = running->options.id;
		return 0;
	}
	if (tag > TAG_MAX)
		return -ENOSPC;
	names = realloc(daemon->names, (tag + 1) * sizeof(*names));
	if (!names)
		return -ENOMEM;
	daemon->names = names;
	names[0] = NULL;
	names[tag] = strdup(name);
	if (!names[tag])
		return -ENOMEM;
	daemon->name_count = tag + 1;
	daemon->render_names.service = names;
	daemon->render_names.service_count = daemon->name_count;
	*ret_tag = (uint16_t)tag;
	return 0;
}

static int find_target(const struct config *config, const struct config_service *service,
                       struct service_target *ret_target, char *error, size_t error_size)
{
	char path[256], text[300];

	if (service->kind == CONFIG_SERVICE_HTTP) {
		if (status_path(config, path, sizeof(path)) != 0) {
			snprintf(error, error_size, "runtime_directory is too long");
			return -EINVAL;
		}
		snprintf(text, sizeof(text), "unix:%s", path);
		return service_target_parse(text, ret_target, error, error_size);
	}
	if (!*service->target)
		return 0;
	return service_target_parse(service->target, ret_target, error, error_size);
}

static bool is_own_address(const struct config *config, const struct ip_addr *ip)
{
	for (size_t i = 0; i < config->stack.addresses.count; i++) {
		if (ip_addr_equal(&config->stack.addresses.item[i].ip, ip))
			return true;
	}
	return ip_addr_is_any(ip);
}

static int resolve(struct daemon *daemon, const struct config *config, const struct registry_change *change,
                   const struct config_service *service, struct running_service *ret_service, json_t *errors)
{
	const char *congestion = *service->congestion ? service->congestion : config->congestion.standard;
	const char *kind = config_service_kind_name(service->kind);
	struct running_service made = { .type = service_type_find(kind) };
	char error[256] = "", where[300];
	int result;

	snprintf(where, sizeof(where), "%s:%u:%u: service %s", service->place.file, service->place.line,
	         service->place.column, service->name);
	if (!made.type) {
		complain(errors, "%s: no such kind: %s", where, kind);
		return -EINVAL;
	}
	if (strlen(service->name) >= sizeof(made.options.name)) {
		complain(errors, "%s: the name is too long", where);
		return -EINVAL;
	}
	/* Of the addresses that the stack was started with. */
	if (!is_own_address(daemon->started, &service->address)) {
		complain(errors, "%s: the stack does not have this address", where);
		return -EINVAL;
	}
	made.listen.congestion = plugins_congestion(daemon, change, congestion);
	if (!made.listen.congestion) {
		complain(errors, "%s: there is no congestion algorithm called %s", where, congestion);
		return -EINVAL;
	}
	if (find_target(daemon->started, service, &made.options.target, error, sizeof(error)) != 0) {
		complain(errors, "%s: target: %s", where, error);
		return -EINVAL;
	}
	result = give_tag(daemon, service->name, made.type, &made.options.id);
	if (result != 0) {
		complain(errors, "%s: %s", where, strerror(-result));
		return result;
	}
	memcpy(made.options.name, service->name, strlen(service->name) + 1);
	made.options.connect_timeout = service->connect_timeout;
	made.options.idle_timeout = service->idle_timeout;
	made.options.proxy_protocol = service->proxy_protocol == CONFIG_PROXY_V2;
	made.listen.address = service->address;
	made.listen.port = (uint16_t)service->port;
	made.listen.service = made.options.id;
	made.listen.backlog = service->backlog;
	made.listen.nodelay = service->nodelay;
	made.tcp = service->tcp;
	*ret_service = made;
	return 0;
}

int services_resolve(struct daemon *daemon, const struct config *config, const struct registry_change *change,
                     struct running_services *ret_services, json_t *errors)
{
	struct running_services services = { calloc(config->services.count + 1, sizeof(*services.item)), 0 };
	int result = 0;

	if (!services.item)
		return -ENOMEM;
	if (config->services.count > daemon->started->limits.listeners) {
		complain(errors, "%zu services, but limits.listeners is %u", config->services.count,
		         daemon->started->limits.listeners);
		result = -EINVAL;
	}
	for (size_t i = 0; i < config->services.count; i++) {
		int one = resolve(daemon, config, change, &config->services.item[i], &services.item[services.count],
		                  errors);

		if (one == 0)
			services.count++;
		else
			result = one;
	}
	if (result != 0) {
		services_free(&services);
		return result;
	}
	*ret_services = services;
	return 0;
}

int services_open_status(struct daemon *daemon, const struct config *config, json_t *errors)
{
	const struct config_service *http = NULL;
	char path[256], error[256] = "";
	int result;

	for (size_t i = 0; i < config->services.count && !http; i++) {
		if (config->services.item[i].kind == CONFIG_SERVICE_HTTP)
			http = &config->services.item[i];
	}
	if (!http)
		return 0;
	if (daemon->status) {
		status_set_idle_timeout(daemon->status, http->idle_timeout);
		return 0;
	}
	result = status_path(daemon->started, path, sizeof(path));
	if (result == 0)
		result = status_open(&(struct status_options){ .path = path,
		                                               .idle_timeout = http->idle_timeout,
		                                               .shards = daemon->shards,
		                                               .names = &daemon->render_names },
		                     daemon->base, &daemon->status, error, sizeof(error));
	if (result != 0)
		complain(errors, "status page: %s", *error ? error : strerror(-result));
	return result;
}

/* ---- into the shards ----------------------------------------------------------------------------------------- */

/* From one set of services to another, in one shard: ports may move between services, so all that change let go of
 * theirs before any takes a new one. */
struct exchange {
	const struct running_services *before, *after;
	uint32_t done; /* shards that run `after` */
	int error;     /* of the first shard that could not */
	const struct running_service *failed;
};

/* Field by field: the struct has padding. The algorithm can be changed while it listens. */
static bool listens_alike(const struct stack_listen_options *a, const struct stack_listen_options *b)
{
	return ip_addr_equal(&a->address, &b->address) && a->port == b->port && a->backlog == b->backlog &&
	       a->nodelay == b->nodelay;
}

/* What listens in one set and not in the same way in the other. */
static bool differs(const struct running_service *service, const struct running_services *other_set)
{
	const struct running_service *other = find_by_tag(other_set, service->options.id);

	return !other || !listens_alike(&service->listen, &other->listen);
}

static void deafen_differing(struct shard *shard, const struct running_services *set,
                             const struct running_services *other_set)
{
	for (size_t i = 0; i < set->count; i++) {
		if (differs(&set->item[i], other_set))
			tenant_deafen(shard, set->item[i].options.id);
	}
}

static const struct running_service *listen_differing(struct shard *shard, const struct running_services *set,
                                                      const struct running_services *other_set, int *ret_error)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct running_service *service = &set->item[i];
		struct stack_listen_options listen = service->listen;

		if (!differs(service, other_set))
			continue;
		listen.tcp = &service->tcp;
		*ret_error = tenant_listen(shard, service->options.id, &listen);
		if (*ret_error != 0)
			return service;
	}
	return NULL;
}

static void remove_missing(struct shard *shard, const struct running_services *set,
                           const struct running_services *other_set)
{
	for (size_t i = 0; i < set->count; i++) {
		if (!find_by_tag(other_set, set->item[i].options.id))
			tenant_remove(shard, set->item[i].options.id);
	}
}

/* Back to `before`. What listens as before now did so a moment ago: it can't fail but for want of memory, which the
 * operator then reads about. */
static void undo(struct shard *shard, const struct exchange *exchange)
{
	const struct running_service *failed;
	int error;

	deafen_differing(shard, exchange->after, exchange->before);
	remove_missing(shard, exchange->after, exchange->before);
	failed = listen_differing(shard, exchange->before, exchange->after, &error);
	if (failed)
		log_write(LOG_ERR, "service %s listens no more in shard %u: %s", failed->options.name,
		          shard_index(shard), strerror(-error));
}

static void exchange_on_shard(void *context, struct shard *shard)
{
	struct exchange *exchange = context;
	const struct running_services *after = exchange->after;

	if (exchange->error != 0)
		return;
	for (size_t i = 0; i < after->count && exchange->error == 0; i++) {
		const struct running_service *service = &after->item[i];

		if (find_by_tag(exchange->before, service->options.id))
			continue;
		exchange->error = tenant_add(shard, service->type, &service->options);
		exchange->failed = service;
	}
	if (exchange->error == 0) {
		deafen_differing(shard, exchange->before, after);
		exchange->failed = listen_differing(shard, after, exchange->before, &exchange->error);
	}
	if (exchange->error != 0)
		undo(shard, exchange);
	else
		exchange->done++;
}

static void undo_on_shard(void *context, struct shard *shard)
{
	const struct exchange *exchange = context;

	if (shard_index(shard) < exchange->done)
		undo(shard, exchange);
}

/* For the connections that it accepts from now on. */
static void set_congestion(struct shard *shard, const struct running_service *service,
                           const struct stack_congestion *congestion)
{
	int error = tenant_set_congestion(shard, service->options.id, congestion);

	if (error != 0)
		log_write(LOG_ERR, "service %s keeps its old congestion algorithm in shard %u: %s",
		          service->options.name, shard_index(shard), strerror(-error));
}

static void commit_on_shard(void *context, struct shard *shard)
{
	const struct exchange *exchange = context;

	remove_missing(shard, exchange->before, exchange->after);
	for (size_t i = 0; i < exchange->after->count; i++) {
		const struct running_service *service = &exchange->after->item[i];
		int error = tenant_tune(shard, service->options.id, &service->tcp);

		tenant_configure(shard, &service->options);
		set_congestion(shard, service, service->listen.congestion);
		if (error != 0)
			log_write(LOG_ERR, "service %s keeps its old section tcp in shard %u: %s",
			          service->options.name, shard_index(shard), strerror(-error));
	}
}

static void tune_shard(void *context, struct shard *shard)
{
	int error = stack_set_default_tcp(shard_stack(shard), context);

	if (error != 0)
		log_write(LOG_ERR, "shard %u keeps its old section tcp: %s", shard_index(shard), strerror(-error));
}

struct congestion_switch {
	const struct running_services *services;
	const struct stack_congestion *from, *to;
};

static void switch_on_shard(void *context, struct shard *shard)
{
	const struct congestion_switch *change = context;

	for (size_t i = 0; i < change->services->count; i++) {
		const struct running_service *service = &change->services->item[i];

		if (service->listen.congestion == change->from)
			set_congestion(shard, service, change->to);
	}
}

void services_switch(struct daemon *daemon, const struct stack_congestion *from, const struct stack_congestion *to)
{
	struct congestion_switch change = { &daemon->services, from, to };

	shards_call(daemon->shards, switch_on_shard, &change);
	for (size_t i = 0; i < daemon->services.count; i++) {
		if (daemon->services.item[i].listen.congestion == from)
			daemon->services.item[i].listen.congestion = to;
	}
}

void services_tune(struct daemon *daemon, const struct config *config)
{
	struct stack_tcp_config tcp = config->tcp;

	shards_call(daemon->shards, tune_shard, &tcp);
}

int services_apply(struct daemon *daemon, struct running_services *services, json_t *errors)
{
	struct exchange exchange = { .before = &daemon->services, .after = services };
	char endpoint[RENDER_ENDPOINT_MAX];

	/* Before any connection can carry a new tag. At the start the audit has been opened with all of them. */
	for (size_t i = 0; daemon->running && i < services->count; i++) {
		uint16_t tag = services->item[i].options.id;

		if (!find_by_tag(&daemon->services, tag))
			audit_name_service(daemon->audit, tag, daemon->names[tag]);
	}
	registry_log_services(daemon->registry, daemon->names, daemon->name_count);
	shards_call(daemon->shards, exchange_on_shard, &exchange);
	if (exchange.error != 0) {
		const struct stack_listen_options *listen = &exchange.failed->listen;

		shards_call(daemon->shards, undo_on_shard, &exchange);
		complain(errors, "service %s cannot listen on %s: %s", exchange.failed->options.name,
		         render_endpoint(&listen->address, listen->port, endpoint), strerror(-exchange.error));
		return exchange.error;
	}
	shards_call(daemon->shards, commit_on_shard, &exchange);
	services_free(&daemon->services);
	daemon->services = *services;
	*services = (struct running_services){ 0 };
	return 0;
}
