#include "main.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct config *current_config(void *context)
{
	const struct daemon *daemon = context;

	return daemon->config;
}

static const struct render_names *current_names(void *context)
{
	const struct daemon *daemon = context;

	return &daemon->render_names;
}

static json_t *audit_object(struct daemon *daemon)
{
	struct audit_status status;

	audit_status(daemon->audit, &status);
	return json_pack(
	        "{s:b, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:I, s:I, s:I}",
	        "healthy", status.healthy, "error", status.error, "database", status.database, "run",
	        (json_int_t)status.run_id, "transitions", (json_int_t)status.transitions, "connections",
	        (json_int_t)status.connections, "actions", (json_int_t)status.actions, "transactions",
	        (json_int_t)status.transactions, "samples", (json_int_t)status.samples, "samples_lost",
	        (json_int_t)status.samples_lost, "lost", (json_int_t)status.lost, "ring_records",
	        (json_int_t)status.ring_records, "waiting", (json_int_t)status.waiting, "waiting_most",
	        (json_int_t)status.waiting_most, "lag", (double)status.lag_ns / 1e6, "cpu",
	        (double)status.cpu_ns / 1e6, "failures", (json_int_t)status.failures, "recovered",
	        (json_int_t)status.recovered, "crash_closed", (json_int_t)status.crash_closed);
}

static json_t *link_object(struct daemon *daemon)
{
	struct link_offload offload = link_offload(daemon->link);
	struct link_counters sum = { 0 };
	const char *warning = link_warning(daemon->link);

	for (uint32_t i = 0; i < link_queues(daemon->link); i++) {
		struct link_counters one = link_counters(daemon->link, i);

		sum.frames_in += one.frames_in;
		sum.bytes_in += one.bytes_in;
		sum.frames_out += one.frames_out;
		sum.bytes_out += one.bytes_out;
		sum.deferred += one.deferred;
		sum.dropped_full += one.dropped_full;
		sum.dropped_down += one.dropped_down;
		sum.dropped_refused += one.dropped_refused;
		sum.dropped_long += one.dropped_long;
		sum.reattached += one.reattached;
	}
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:b, s:s?, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
	                 "backend", link_backend(daemon->link), "name", link_name(daemon->link), "queues",
	                 (json_int_t)link_queues(daemon->link), "mtu", (json_int_t)link_mtu(daemon->link), "gso_max",
	                 (json_int_t)offload.gso_bytes_max, "checksum_offload", offload.checksum, "warning", warning,
	                 "frames_in", (json_int_t)sum.frames_in, "bytes_in", (json_int_t)sum.bytes_in, "frames_out",
	                 (json_int_t)sum.frames_out, "bytes_out", (json_int_t)sum.bytes_out, "deferred",
	                 (json_int_t)sum.deferred, "dropped_full", (json_int_t)sum.dropped_full, "dropped_down",
	                 (json_int_t)sum.dropped_down, "dropped_refused", (json_int_t)sum.dropped_refused,
	                 "dropped_long", (json_int_t)sum.dropped_long, "reattached", (json_int_t)sum.reattached);
}

static void add_status(void *context, json_t *object)
{
	struct daemon *daemon = context;
	char mac[18];
	const struct mac_addr address = config_mac(daemon->started);

	json_object_set_new(object, "mac", json_string(render_mac(&address, mac)));
	json_object_set_new(object, "audit", audit_object(daemon));
	json_object_set_new(object, "link", link_object(daemon));
	json_object_set_new(object, "impair", impair_status(daemon));
}

static json_t *show_impair(void *context)
{
	return impair_show(context);
}

static int change_impair(void *context, const struct control_impair_change *change, json_t *errors)
{
	return impair_change(context, change, errors);
}

static int reload(void *context, json_t **ret_report)
{
	return daemon_reload(context, ret_report);
}

static int change_plugin(void *context, const struct control_plugin_request *request, json_t **ret_report)
{
	return plugins_control(context, request, ret_report);
}

static void stop(void *context)
{
	log_write(LOG_NOTICE, "stopping: asked to through the control socket");
	daemon_stop(context);
}

static void record_action(void *context, const struct control_action *action)
{
	struct daemon *daemon = context;
	int r;

	log_write(LOG_NOTICE, "uid %u, process %d: %s%s%s: %s", (unsigned)action->uid, (int)action->pid,
	          action->method, action->arguments ? " " : "", action->arguments ? action->arguments : "",
	          action->result);
	r = audit_action(daemon->audit, &(struct audit_action){ .uid = action->uid,
	                                                        .pid = action->pid,
	                                                        .method = action->method,
	                                                        .arguments = action->arguments,
	                                                        .result = action->result });
	/* Once, not for each, for as long as it lasts. */
	if (r < 0 && !daemon->actions_lost)
		log_write(LOG_ERR, "actions are not being recorded in the audit database: %s",
		          r == -ENOBUFS ? "too many wait for it to be written" : strerror(-r));
	daemon->actions_lost = r < 0;
}

struct control_hooks control_hooks_of(struct daemon *daemon)
{
	return (struct control_hooks){ .context = daemon,
		                       .config = current_config,
		                       .names = current_names,
		                       .status = add_status,
		                       .impair = show_impair,
		                       .impair_change = change_impair,
		                       .reload = reload,
		                       .plugin = change_plugin,
		                       .stop = stop,
		                       .action = record_action };
}
