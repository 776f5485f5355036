/* Methods that change a live connection. */
#include "control/context.h"
#include "plugin/registry.h"
#include "shard/survey.h"
#include "tapstack/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ERROR(name) TAPSTACK_CONTROL_INTERFACE "." name
#define SAMPLE_MS_MAX 3600000.0

/* On its way to the shard that has the connection. */
struct change {
	struct call *call;
	struct stack_congestion_change stack; /* its algorithms are held */
};

static void hold(const struct stack_congestion *congestion)
{
	if (congestion)
		registry_hold(congestion);
}

static void release(const struct stack_congestion *congestion)
{
	if (congestion)
		registry_release(congestion);
}

static int change_it(void *context, struct stack *stack, uint64_t id)
{
	const struct change *change = context;

	return stack_admin_congestion(stack, id, &change->stack);
}

static void change_done(void *user, int error)
{
	struct change *change = user;
	struct call *call = change->call;
	json_int_t id = json_integer_value(call_parameter(call, "id"));

	release(change->stack.congestion);
	release(change->stack.shadow);
	free(change);
	switch (error) {
	case 0:
		call_reply(call, NULL);
		break;
	case -ENOENT:
		call_fail(call, ERROR("NoSuchConnection"), json_pack("{s:I}", "id", id));
		break;
	case -EALREADY:
		call_fail(call, ERROR("AlreadyClosing"), json_pack("{s:I}", "id", id));
		break;
	case -EAGAIN:
		call_fail(call, ERROR("HandshakeIncomplete"), json_pack("{s:I}", "id", id));
		break;
	default:
		call_fail(call, ERROR("Failed"),
		          json_pack("{s:s}", "reason",
		                    error == -EINVAL ? "the algorithm refused the connection, which goes on with reno"
		                                     : strerror(-error)));
	}
}

/* False, and the call has ended: no such algorithm. *ret stays NULL when the parameter is not given. */
static bool find_algorithm(struct call *call, const char *parameter, const struct stack_congestion **ret)
{
	const json_t *name = call_parameter(call, parameter);
	const struct registry *registry = call_control(call)->options.registry;

	if (!name)
		return true;
	*ret = registry_congestion(registry, json_string_value(name));
	if (*ret)
		return true;
	call_fail_parameter(call, parameter, "there is no algorithm of this name: see Plugins");
	return false;
}

static bool read_change(struct call *call, struct stack_congestion_change *change)
{
	const json_t *shadow = call_parameter(call, "shadow"), *sample = call_parameter(call, "sample");

	if (!find_algorithm(call, "congestion", &change->congestion))
		return false;
	change->set_shadow = shadow != NULL;
	if (shadow && strcmp(json_string_value(shadow), "none") != 0 &&
	    !find_algorithm(call, "shadow", &change->shadow))
		return false;
	if (sample) {
		double ms = json_number_value(sample);

		if (!(ms >= 0 && ms <= SAMPLE_MS_MAX)) {
			call_fail_parameter(call, "sample", "must be between 0 and 3600000 ms");
			return false;
		}
		change->set_samples = true;
		change->sample_every = (struct duration){ (int64_t)(ms * 1e6) };
	}
	if (change->congestion || shadow || sample)
		return true;
	call_fail_parameter(call, "congestion", "nothing is to be changed: give congestion, shadow or sample");
	return false;
}

void method_set(struct call *call)
{
	json_int_t id = json_integer_value(call_parameter(call, "id"));
	struct stack_congestion_change wanted = { 0 };
	struct change *change;

	if (id <= 0) {
		call_fail_parameter(call, "id", "must be at least 1");
		return;
	}
	if (!read_change(call, &wanted))
		return;
	change = malloc(sizeof(*change));
	if (!change) {
		call_fail_memory(call);
		return;
	}
	*change = (struct change){ call, wanted };
	hold(wanted.congestion);
	hold(wanted.shadow);
	if (survey_act_start(call_control(call)->options.shards, (uint64_t)id, change_it, change, change_done,
	                     change) < 0)
		change_done(change, -ENOMEM);
}
