/* What a caller sends over the control socket: any bytes as a message, and what it has for a filter. */
#include "control/filter.h"
#include "control/message.h"
#include "fuzz.h"

#include <errno.h>
#include <string.h>

static unsigned deepest(const json_t *value)
{
	unsigned below = 0, one;
	json_t *inner;
	const char *key;
	size_t i;

	if (!json_is_object(value) && !json_is_array(value))
		return 0;
	json_object_foreach((json_t *)value, key, inner)
	{
		one = deepest(inner);
		below = one > below ? one : below;
	}
	json_array_foreach(value, i, inner)
	{
		one = deepest(inner);
		below = one > below ? one : below;
	}
	return below + 1;
}

static void check_reason(const char *reason)
{
	json_t *text = json_string(reason); /* it must be able to go back as JSON */

	FUZZ_CHECK(*reason && text);
	json_decref(text);
}

static void check_filter(const json_t *conditions)
{
	static const char *const services[] = { "echo", NULL };
	const struct render_names names = { .service = services, .service_count = 2 };
	const struct instant now = { INT64_C(5000000000) };
	struct stack_conn_info info = { .state = TCPS_ESTABLISHED, .congestion = "reno", .opened = { 1 } };
	struct filter *filter;
	char reason[512] = "";
	int r = filter_new(conditions, &names, &filter, reason, sizeof(reason));

	if (r == -EINVAL)
		check_reason(reason);
	if (r < 0)
		return;
	filter_match(filter, &info, now);
	info.compact = true;
	info.service = UINT16_MAX;
	filter_match(filter, &info, now);
	info.state = TCPS_LISTEN;
	info.congestion = NULL;
	filter_match(filter, &info, now);
	filter_free(filter);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct message_call call;
	char reason[256] = "";
	int r = message_parse((const char *)data, size, &call, reason, sizeof(reason));
	const json_t *conditions;

	if (r < 0) {
		FUZZ_CHECK(r == -EBADMSG);
		check_reason(reason);
		return 0;
	}
	FUZZ_CHECK(call.method && json_is_object(call.parameters));
	FUZZ_CHECK(!(call.more && call.oneway));
	FUZZ_CHECK(deepest(call.document) <= MESSAGE_DEPTH_MAX);
	FUZZ_CHECK(deepest(json_object_get(call.document, "parameters")) <= message_depth((const char *)data, size));
	conditions = json_object_get(call.parameters, "filter");
	if (json_is_array(conditions))
		check_filter(conditions);
	message_done(&call);
	return 0;
}

size_t fuzz_example(struct test_random *random, uint8_t *out)
{
	static const char *const conditions[] = {
		"{\"field\":\"state\",\"operator\":\"=\",\"values\":[\"ESTABLISHED\",\"time-wait\"]}",
		"{\"field\":\"peer\",\"operator\":\"!=\",\"values\":[\"192.0.2.0/24\",\"2001:db8::/32\"]}",
		"{\"field\":\"rtt\",\"operator\":\">=\",\"values\":[\"1.5\"]}",
		"{\"field\":\"service\",\"operator\":\"=\",\"values\":[\"e[a-z]*\"]}",
		"{\"field\":\"port\",\"operator\":\"=\",\"values\":[\"80\",\"18446744073709551615\"]}",
		"{\"field\":\"opts\",\"operator\":\"=\",\"values\":[\"s?ck\"]}",
	};
	static const char *const tails[] = { "", ",\"more\":true", ",\"oneway\":true", ",\"upgrade\":false" };
	const char *separator = "";
	int length =
	        sprintf((char *)out, "{\"method\":\"org.tapstack.control.Connections\",\"parameters\":{\"filter\":[");

	for (uint32_t i = test_random_below(random, 4); i > 0; i--) {
		length += sprintf((char *)out + length, "%s%s", separator, conditions[test_random_below(random, 6)]);
		separator = ",";
	}
	length += sprintf((char *)out + length, "]}%s}", tails[test_random_below(random, 4)]);
	return (size_t)length;
}
