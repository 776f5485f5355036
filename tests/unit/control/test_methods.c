/* The methods of org.tapstack.control over fakes: answers, rights, actions, listings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "talk.h"

#include "plugin/registry.h"

#include "control/context.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CALL(method) "{\"method\":\"org.tapstack.control." method "\"}"
#define CALL_WITH(method, parameters) "{\"method\":\"org.tapstack.control." method "\",\"parameters\":" parameters "}"
#define MORE(method, parameters)                                                                                     \
	"{\"method\":\"org.tapstack.control." method "\",\"parameters\":" parameters ",\"more\":true}"

/* Parameters that a method takes when the caller may call it. */
static const char *good_parameters(const char *method)
{
	static const char *const wanted[][2] = {
		{ "Show", "{\"id\":1}" },
		{ "Close", "{\"id\":1}" },
		{ "Set", "{\"id\":1,\"sample\":0}" },
		{ "ImpairAdd", "{\"options\":{}}" },
		{ "ImpairSet", "{\"name\":\"far\",\"options\":{}}" },
		{ "ImpairRemove", "{\"name\":\"far\"}" },
		{ "PluginLoad", "{\"plugin\":\"a\"}" },
		{ "PluginUnload", "{\"instance\":\"a\"}" },
		{ "PluginReload", "{\"instance\":\"a\"}" },
		{ "PluginTune", "{\"instance\":\"a\",\"params\":{}}" },
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (strcmp(method, wanted[i][0]) == 0)
			return wanted[i][1];
	return "{}";
}

static void every_method_as_every_role(void **state)
{
	static const struct {
		struct control_peer peer;
		enum control_role role;
	} callers[] = {
		{ { .uid = 7, .gid = 70 }, CONTROL_OBSERVE },
		{ { .uid = 71, .gid = 1 }, CONTROL_OPERATE },
		{ { .uid = 0, .gid = 0 }, CONTROL_ADMIN },
	};
	const struct method *methods;
	struct talk talk;
	size_t count;

	(void)state;
	talk_open(&talk);
	talk.shards.connections = 5;
	methods = methods_table(&count);
	for (size_t c = 0; c < 3; c++) {
		int fd;

		*talk_peer() = callers[c].peer;
		fd = talk_dial(&talk);
		for (size_t i = 0; i < count; i++) {
			bool may = callers[c].role >= methods[i].role;
			size_t actions = talk.shards.action_count;
			char text[256];

			snprintf(text, sizeof(text), "{\"method\":\"org.tapstack.control.%s\",\"parameters\":%s}",
			         methods[i].name, good_parameters(methods[i].name));
			talk_say(&talk, fd, text);
			if (strcmp(talk_hear_error(&talk, fd), may ? "" : "org.varlink.service.PermissionDenied") !=
			    0)
				fail_msg("%s as %s", methods[i].name, control_role_name(callers[c].role));
			assert_int_equal(talk.shards.action_count - actions, methods[i].changes ? 1 : 0);
		}
		close(fd);
	}
	assert_int_equal(talk.shards.reloads, 1);
	assert_int_equal(talk.shards.stops, 1);
	talk_close(&talk);
}

static void nobody_is_refused(void **state)
{
	struct talk talk;
	json_t *heard;
	int fd;

	(void)state;
	talk_open(&talk);
	*talk_peer() = (struct control_peer){ .uid = 7, .gid = 7 };
	fd = talk_dial(&talk);
	heard = talk_hear_json(&talk, fd);
	assert_string_equal(json_string_value(json_object_get(heard, "error")),
	                    "org.varlink.service.PermissionDenied");
	json_decref(heard);
	assert_null(talk_hear(&talk, fd));
	close(fd);
	talk_close(&talk);
}

/* Rights that are taken away are gone for those who are connected, too. */
static void rights_change(void **state)
{
	struct talk talk;
	struct control_rights none = { 0 };
	int fd;

	(void)state;
	talk_open(&talk);
	*talk_peer() = (struct control_peer){ .uid = 71, .gid = 1 };
	fd = talk_dial(&talk);
	talk_say(&talk, fd, CALL("Services"));
	assert_string_equal(talk_hear_error(&talk, fd), "");
	assert_int_equal(control_set_rights(talk.control, &none), 0);
	talk_expect(
	        &talk, fd, CALL("Services"),
	        "{'error':'org.varlink.service.PermissionDenied','parameters':{'needed':'observe','role':'nobody'}}");
	close(fd);
	talk_close(&talk);
}

static void impair(void **state)
{
	struct talk talk;
	int fd;

	(void)state;
	talk_open(&talk);
	fd = talk_dial(&talk);
	talk_expect(&talk, fd, CALL("Impair"), "{'parameters':{'rules':[{'name':'far'}]}}");
	talk_expect(&talk, fd, CALL_WITH("ImpairAdd", "{\"options\":{\"delay\":\"1ms\"},\"before\":\"x\"}"),
	            "{'parameters':{}}");
	assert_string_equal(talk.shards.impair, "0 - x {\"delay\":\"1ms\"}");
	talk_expect(&talk, fd, CALL_WITH("ImpairSet", "{\"name\":\"x\",\"options\":{\"loss\":\"1%\"}}"),
	            "{'parameters':{}}");
	assert_string_equal(talk.shards.impair, "1 x - {\"loss\":\"1%\"}");
	talk_expect(&talk, fd, CALL_WITH("ImpairRemove", "{\"name\":\"x\"}"), "{'parameters':{}}");
	assert_string_equal(talk.shards.impair, "2 x - -");
	talk_expect(&talk, fd, CALL("ImpairClear"), "{'parameters':{}}");
	assert_string_equal(talk.shards.impair, "3 - - -");
	talk.shards.reload_result = -EINVAL;
	talk_expect(&talk, fd, CALL("ImpairClear"),
	            "{'error':'org.tapstack.control.InvalidConfiguration','parameters':{'errors':['wrong words']}}");
	close(fd);
	assert_int_equal(talk.shards.action_count, 5);
	assert_string_equal(talk.shards.action[2], "0 ImpairRemove {\"name\":\"x\"} ok");
	assert_string_equal(talk.shards.action[4], "0 ImpairClear {} InvalidConfiguration");
	talk_close(&talk);
}

/* Which connection, what of it, to what: all checked before a shard is asked; and algorithms are held on the way. */
static void live_connections_are_changed(void **state)
{
	static const char *const wrong[] = {
		"{\"id\":1}",
		"{\"id\":0,\"sample\":1}",
		"{\"id\":1,\"congestion\":\"bbr9\"}",
		"{\"id\":1,\"shadow\":\"bbr9\"}",
		"{\"id\":1,\"sample\":-1}",
		"{\"id\":1,\"sample\":1e12}",
	};
	const struct stack_congestion *cubic = registry_congestion(NULL, "cubic");
	struct talk talk;
	int fd;

	(void)state;
	talk_open(&talk);
	talk.shards.connections = 5;
	fd = talk_dial(&talk);
	talk_expect(&talk, fd,
	            CALL_WITH("Set", "{\"id\":4,\"congestion\":\"cubic\",\"shadow\":\"cubic\",\"sample\":1.5}"),
	            "{'parameters':{}}");
	assert_ptr_equal(talk.shards.change.congestion, cubic);
	assert_ptr_equal(talk.shards.change.shadow, cubic);
	assert_true(talk.shards.change.set_shadow && talk.shards.change.set_samples);
	assert_int_equal(talk.shards.change.sample_every.ns, 1500000);
	assert_int_equal(*cubic->users, 0);
	talk_expect(&talk, fd, CALL_WITH("Set", "{\"id\":4,\"shadow\":\"none\"}"), "{'parameters':{}}");
	assert_null(talk.shards.change.congestion);
	assert_null(talk.shards.change.shadow);
	assert_true(talk.shards.change.set_shadow);
	assert_false(talk.shards.change.set_samples);
	talk_expect(&talk, fd, CALL_WITH("Set", "{\"id\":9,\"congestion\":\"cubic\"}"),
	            "{'error':'org.tapstack.control.NoSuchConnection','parameters':{'id':9}}");
	talk.shards.close_result = -EALREADY;
	talk_expect(&talk, fd, CALL_WITH("Set", "{\"id\":4,\"sample\":0}"),
	            "{'error':'org.tapstack.control.AlreadyClosing','parameters':{'id':4}}");
	talk.shards.close_result = -EINVAL;
	talk_say(&talk, fd, CALL_WITH("Set", "{\"id\":4,\"congestion\":\"cubic\"}"));
	assert_string_equal(talk_hear_error(&talk, fd), "org.tapstack.control.Failed");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char call[300];

		snprintf(call, sizeof(call), "{\"method\":\"org.tapstack.control.Set\",\"parameters\":%s}", wrong[i]);
		talk_say(&talk, fd, call);
		assert_string_equal(talk_hear_error(&talk, fd), "org.varlink.service.InvalidParameter");
	}
	assert_int_equal(*cubic->users, 0);
	close(fd);
	talk_close(&talk);
}

static void actions(void **state)
{
	struct talk talk;
	int fd;

	(void)state;
	talk_open(&talk);
	talk.shards.connections = 5;
	fd = talk_dial(&talk);
	talk_expect(&talk, fd, CALL_WITH("Close", "{\"id\":4,\"abort\":true}"), "{'parameters':{}}");
	assert_int_equal(talk.shards.closed_id, 4);
	assert_true(talk.shards.closed_abort);
	talk_expect(&talk, fd, CALL_WITH("Close", "{\"id\":5}"), "{'parameters':{}}");
	assert_false(talk.shards.closed_abort);
	talk_expect(&talk, fd, CALL_WITH("Close", "{\"id\":6}"),
	            "{'error':'org.tapstack.control.NoSuchConnection','parameters':{'id':6}}");
	talk.shards.close_result = -EALREADY;
	talk_expect(&talk, fd, CALL_WITH("Close", "{\"id\":2}"),
	            "{'error':'org.tapstack.control.AlreadyClosing','parameters':{'id':2}}");
	talk.shards.close_result = -EAGAIN;
	talk_expect(&talk, fd, CALL_WITH("Close", "{\"id\":2}"),
	            "{'error':'org.tapstack.control.HandshakeIncomplete','parameters':{'id':2}}");
	talk.shards.close_result = 0;
	talk_expect(&talk, fd, CALL("Reload"), "{'parameters':{'changed':['tcp.msl'],'needs_restart':[]}}");
	talk.shards.reload_result = -EINVAL;
	talk_expect(&talk, fd, CALL("Reload"),
	            "{'error':'org.tapstack.control.InvalidConfiguration','parameters':{'errors':['f.yaml:1:1: "
	            "wrong']}}");
	/* The caller does not wait for the answer: it is done and recorded all the same. */
	talk_say(&talk, fd, CALL_WITH("Close", "{\"id\":3}"));
	close(fd);
	TALK_UNTIL(&talk, talk.shards.action_count == 8);
	/* What is refused is recorded without what was sent. */
	fd = talk_dial(&talk);
	talk_say(&talk, fd, CALL_WITH("Close", "{\"id\":\"x\"}"));
	assert_string_equal(talk_hear_error(&talk, fd), "org.varlink.service.InvalidParameter");
	close(fd);
	*talk_peer() = (struct control_peer){ .uid = 7, .gid = 70 };
	fd = talk_dial(&talk);
	talk_say(&talk, fd, CALL_WITH("Close", "{\"id\":3}"));
	assert_string_equal(talk_hear_error(&talk, fd), "org.varlink.service.PermissionDenied");
	close(fd);
	assert_int_equal(talk.shards.action_count, 10);
	assert_string_equal(talk.shards.action[0], "0 Close {\"id\":4,\"abort\":true} ok");
	assert_string_equal(talk.shards.action[1], "0 Close {\"id\":5} ok");
	assert_string_equal(talk.shards.action[2], "0 Close {\"id\":6} NoSuchConnection");
	assert_string_equal(talk.shards.action[3], "0 Close {\"id\":2} AlreadyClosing");
	assert_string_equal(talk.shards.action[4], "0 Close {\"id\":2} HandshakeIncomplete");
	assert_string_equal(talk.shards.action[5], "0 Reload {} ok");
	assert_string_equal(talk.shards.action[6], "0 Reload {} InvalidConfiguration");
	assert_string_equal(talk.shards.action[7], "0 Close {\"id\":3} ok");
	assert_string_equal(talk.shards.action[8], "0 Close - InvalidParameter");
	assert_string_equal(talk.shards.action[9], "7 Close - PermissionDenied");
	talk_close(&talk);
}

static void answers(void **state)
{
	struct talk talk;
	json_t *heard, *member;
	int fd;

	(void)state;
	talk_open(&talk);
	talk.shards.connections = 5;
	talk.shards.neighbours = 2;
	fd = talk_dial(&talk);
	talk_say(&talk, fd, CALL("Status"));
	heard = talk_hear_json(&talk, fd);
	member = json_object_get(heard, "parameters");
	assert_string_equal(json_string_value(json_object_get(member, "role")), "admin");
	assert_string_equal(json_string_value(json_object_get(json_object_get(member, "audit"), "database")),
	                    "/tmp/audit.db");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(member, "stack"), "connections")), 5);
	assert_int_equal(json_array_size(json_object_get(member, "shards")), 1);
	json_decref(heard);

	talk_say(&talk, fd, CALL_WITH("Show", "{\"id\":2}"));
	heard = talk_hear_json(&talk, fd);
	member = json_object_get(json_object_get(heard, "parameters"), "connection");
	assert_int_equal(json_integer_value(json_object_get(member, "id")), 2);
	assert_string_equal(json_string_value(json_object_get(member, "service")), "echo");
	json_decref(heard);
	talk_expect(&talk, fd, CALL_WITH("Show", "{\"id\":9}"),
	            "{'error':'org.tapstack.control.NoSuchConnection','parameters':{'id':9}}");
	talk_expect(&talk, fd, CALL_WITH("Show", "{\"id\":-1}"),
	            "{'error':'org.varlink.service.InvalidParameter','parameters':{'parameter':'id',"
	            "'reason':'must be at least 1'}}");

	talk_say(&talk, fd, CALL("Counters"));
	heard = talk_hear_json(&talk, fd);
	member = json_object_get(json_object_get(heard, "parameters"), "counters");
	assert_int_equal(json_integer_value(json_object_get(member, "frames_in")), 12);
	assert_int_equal(json_object_size(json_object_get(member, "verdicts")), 1);
	json_decref(heard);

	talk_expect(&talk, fd, CALL("Neighbours"),
	            "{'parameters':{'neighbours':["
	            "{'address':'192.0.2.1','mac':'02:00:00:00:00:00','state':'incomplete','age':0.0,'shard':0},"
	            "{'address':'192.0.2.2','mac':null,'state':'reachable','age':0.0,'shard':0}]}}");
	talk_expect(&talk, fd, CALL("Addresses"),
	            "{'parameters':{'addresses':["
	            "{'address':'192.0.2.2','prefix':24,'state':'tentative','origin':'configured','preferred':null,"
	            "'valid':null,'shard':0},"
	            "{'address':'fe80::','prefix':64,'state':'preferred','origin':'configured','preferred':0.0,"
	            "'valid':null,'shard':0}]}}");
	talk_expect(&talk, fd, CALL("Paths"),
	            "{'parameters':{'paths':[{'destination':'198.51.100.1','pmtu':1400,'origin':'router','probe_low':"
	            "null,"
	            "'probe_high':null,'probes':3,'probes_lost':0,'too_big':0,'black_holes':0,'age':0.0,"
	            "'fastopen_cookie':8,'fastopen_failures':0,'fastopen_blocked':0.0,'shard':0}]}}");
	talk_expect(&talk, fd, CALL("Routers"),
	            "{'parameters':{'routers':[{'address':'fe80::','origin':'advertised','preference':'high',"
	            "'failed':false,'valid':null,'shard':0}]}}");
	talk_say(&talk, fd, CALL("Services"));
	heard = talk_hear_json(&talk, fd);
	member = json_object_get(json_object_get(heard, "parameters"), "services");
	assert_int_equal(json_array_size(member), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(member, 0), "congestion")), "cubic");
	assert_string_equal(json_string_value(json_object_get(json_array_get(member, 1), "target")), "unix:/x");
	json_decref(heard);
	talk_say(&talk, fd, CALL("Plugins"));
	heard = talk_hear_json(&talk, fd);
	member = json_object_get(json_object_get(heard, "parameters"), "plugins");
	assert_int_equal(json_array_size(member), 2);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(member, 1), "events")), 9);
	assert_string_equal(json_string_value(json_object_get(json_array_get(member, 0), "state")), "active");
	json_decref(heard);
	talk_expect(&talk, fd, CALL("PluginFiles"),
	            "{'parameters':{'directory':'/plugins','files':[{'plugin':'cubic','kind':'congestion',"
	            "'version':'1','licence':'MIT','description':'d','params':["
	            "{'name':'beta','unit':'','help':'b','type':'number','default':0.5,'min':0.0,'max':1.0},"
	            "{'name':'fast','unit':'','help':'f','type':'switch','default':true},"
	            "{'name':'path','unit':'','help':'p','type':'text','default':null}],"
	            "'outputs':[{'name':'w','unit':'bytes','help':'o'}]},{'plugin':'bad','error':'wrong'}]}}");
	talk_expect(&talk, fd,
	            CALL_WITH("PluginLoad", "{\"plugin\":\"cubic\",\"params\":{\"a\":1.5,\"b\":\"x\",\"c\":true}}"),
	            "{'parameters':{'instance':'cubic','note':'load cubic a=1.5 b=x c=yes'}}");
	talk_expect(&talk, fd, CALL_WITH("PluginTune", "{\"instance\":\"c\",\"params\":{\"a\":7},\"move\":true}"),
	            "{'parameters':{'instance':'c','note':'tune - moving a=7'}}");
	talk_expect(&talk, fd, CALL_WITH("PluginReload", "{\"instance\":\"c\"}"),
	            "{'parameters':{'instance':'c','note':'reload -'}}");
	talk_expect(&talk, fd, CALL_WITH("PluginUnload", "{\"instance\":\"no\"}"),
	            "{'error':'org.tapstack.control.PluginRefused','parameters':{'errors':['never']}}");
	talk_expect(&talk, fd, CALL_WITH("PluginTune", "{\"instance\":\"c\",\"params\":{\"a\":[]}}"),
	            "{'error':'org.varlink.service.InvalidParameter','parameters':{'parameter':'params',"
	            "'reason':'its values must be texts, numbers, true or false'}}");
	talk_say(&talk, fd, CALL_WITH("Config", "{\"key\":\"tcp\"}"));
	heard = talk_hear_json(&talk, fd);
	assert_int_equal(json_array_size(json_object_get(json_object_get(heard, "parameters"), "config")), 2);
	json_decref(heard);
	talk_expect(&talk, fd, CALL_WITH("Config", "{\"key\":\"tc\"}"),
	            "{'error':'org.varlink.service.InvalidParameter','parameters':{'parameter':'key',"
	            "'reason':'there is no such key'}}");
	close(fd);
	talk_close(&talk);
}

/* Hears a listing to its end; returns how many, and whether it was complete. */
static size_t hear_listing(struct talk *talk, int fd, size_t *ret_messages, bool *ret_complete)
{
	size_t count = 0, messages = 0;
	bool continues;

	do {
		json_t *heard = talk_hear_json(talk, fd), *parameters = json_object_get(heard, "parameters");

		continues = json_is_true(json_object_get(heard, "continues"));
		if (!parameters)
			fail_msg("an error: %s", json_dumps(heard, 0));
		count += json_array_size(json_object_get(parameters, "connections"));
		*ret_complete = json_is_true(json_object_get(parameters, "complete"));
		messages++;
		json_decref(heard);
	} while (continues);
	*ret_messages = messages;
	return count;
}

static void listings(void **state)
{
	static const struct {
		const char *call;
		size_t count;
		bool streamed, complete;
	} cases[] = {
		{ MORE("Connections", "{}"), 20000, true, true },
		{ CALL("Connections"), 500, false, false },
		{ MORE("Connections", "{\"limit\":150}"), 150, true, false },
		{ CALL_WITH("Connections", "{\"limit\":10}"), 10, false, false },
		{ MORE("Connections",
		       "{\"filter\":[{\"field\":\"state\",\"operator\":\"=\",\"values\":[\"TIME-WAIT\"]}]}"),
		  2000, true, true },
		{ CALL_WITH("Connections",
		            "{\"filter\":[{\"field\":\"id\",\"operator\":\"<\",\"values\":[\"100\"]}]}"),
		  99, false, true },
		{ CALL_WITH("Connections", "{\"filter\":[{\"field\":\"id\",\"operator\":\"=\",\"values\":[\"0\"]}]}"),
		  0, false, true },
		{ MORE("Connections", "{\"filter\":null,\"fields\":[\"id\"]}"), 20000, true, true },
	};
	struct talk talk;
	int fd;

	(void)state;
	talk_open(&talk);
	talk.shards.connections = 20000;
	fd = talk_dial(&talk);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t messages;
		bool complete;

		talk_say(&talk, fd, cases[i].call);
		assert_int_equal(hear_listing(&talk, fd, &messages, &complete), cases[i].count);
		assert_int_equal(complete, cases[i].complete);
		if (cases[i].streamed)
			assert_true(messages > 1);
		else
			assert_int_equal(messages, 1);
	}
	talk_expect(&talk, fd,
	            CALL_WITH("Connections",
	                      "{\"fields\":[\"id\",\"state\"],\"filter\":[{\"field\":\"id\",\"operator\":"
	                      "\"=\",\"values\":[\"3\"]}]}"),
	            "{'parameters':{'connections':[{'id':3,'state':'TIME-WAIT'}],'complete':true}}");
	talk_expect(&talk, fd, CALL_WITH("Connections", "{\"fields\":[\"nothing\"]}"),
	            "{'error':'org.varlink.service.InvalidParameter','parameters':{'parameter':'fields',"
	            "'reason':'there is no field nothing'}}");
	talk_expect(&talk, fd, CALL_WITH("Connections", "{\"fields\":[\"id\",\"state\",\"id\"]}"),
	            "{'error':'org.varlink.service.InvalidParameter','parameters':{'parameter':'fields',"
	            "'reason':'field id is twice in it'}}");
	talk_expect(&talk, fd, CALL_WITH("Connections", "{\"limit\":0}"),
	            "{'error':'org.varlink.service.InvalidParameter','parameters':{'parameter':'limit',"
	            "'reason':'must be at least 1'}}");
	talk_say(&talk, fd, CALL_WITH("Connections", "{\"filter\":[{\"field\":\"x\"}]}"));
	assert_string_equal(talk_hear_error(&talk, fd), "org.varlink.service.InvalidParameter");
	close(fd);
	talk_close(&talk);
}

/* A listing waits for its reader, without end and without growing; and ends when the reader has gone. */
static void slow_reader(void **state)
{
	size_t messages;
	struct talk talk;
	unsigned slices;
	bool complete;
	int fd;

	(void)state;
	talk_open(&talk);
	talk.shards.connections = 100000;
	fd = talk_dial(&talk);
	talk_say(&talk, fd, MORE("Connections", "{}"));
	TALK_UNTIL(&talk, talk.shards.pauses > 0);
	slices = talk.shards.slices;
	talk_settle(&talk);
	assert_int_equal(talk.shards.slices, slices);
	assert_in_range(slices, 1, 20);
	assert_int_equal(hear_listing(&talk, fd, &messages, &complete), 100000);
	assert_null(talk.shards.survey);

	talk_say(&talk, fd, MORE("Connections", "{}"));
	TALK_UNTIL(&talk, talk.shards.pauses > 0 && talk.shards.survey);
	close(fd);
	TALK_UNTIL(&talk, !talk.shards.survey);
	assert_int_equal(talk.shards.cancels, 1);
	talk_close(&talk);
}

/* The control plane closes while questions are under way. */
static void closed_meanwhile(void **state)
{
	static const char *const calls[] = { CALL("Status"),
		                             CALL("Counters"),
		                             CALL_WITH("Show", "{\"id\":1}"),
		                             CALL_WITH("Close", "{\"id\":1}"),
		                             CALL("Neighbours"),
		                             CALL("Addresses"),
		                             CALL("Routers"),
		                             CALL("Paths"),
		                             MORE("Connections", "{}") };

	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct talk talk;
		int fd;

		talk_open(&talk);
		talk.shards.connections = 1000;
		talk.shards.delay_ms = 20;
		fd = talk_dial(&talk);
		talk_say(&talk, fd, calls[i]);
		TALK_UNTIL(&talk, talk.shards.pending == 1);
		control_close(talk.control);
		talk.control = NULL;
		TALK_UNTIL(&talk, talk.shards.pending == 0);
		assert_null(talk.shards.survey);
		assert_int_equal(talk.shards.action_count, 0);
		close(fd);
		talk_close(&talk);
	}
}

/* Whoever had the daemon stop still hears so. */
static void last_answer(void **state)
{
	struct talk talk;
	int fd;

	(void)state;
	talk_open(&talk);
	fd = talk_dial(&talk);
	talk_settle(&talk);
	assert_true(write(fd, CALL("Stop"), sizeof(CALL("Stop"))) > 0);
	while (!talk.shards.stops)
		event_base_loop(talk.base, EVLOOP_ONCE);
	control_close(talk.control);
	talk.control = NULL;
	assert_string_equal(talk_hear_error(&talk, fd), "");
	assert_string_equal(talk_hear_error(&talk, fd), "closed");
	close(fd);
	talk_close(&talk);
}

/* ---- the interface description ------------------------------------------------------------------------------- */

static bool is_name(const char *text, size_t length, bool field)
{
	if (!length || (field ? !islower((unsigned char)*text) : !isupper((unsigned char)*text)))
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)text[i]) &&
		    !(field && text[i] == '_' && i + 1 < length && text[i + 1] != '_'))
			return false;
	return true;
}

/* Reads "(name: type, ...)"; returns what follows it. */
static const char *read_struct(const char *text)
{
	static const char *const types[] = { "bool", "int", "float", "string", "object", "Condition", "Connection" };

	assert_int_equal(*text, '(');
	for (text++; *text != ')';) {
		size_t length = strcspn(text, ":"), i;

		assert_true(is_name(text, length, true));
		text += length;
		assert_memory_equal(text, ": ", 2);
		text += 2;
		text += *text == '?';
		text += strncmp(text, "[]", 2) == 0 ? 2 : strncmp(text, "[string]", 8) == 0 ? 8 : 0;
		length = strcspn(text, ",)");
		for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
			if (strlen(types[i]) == length && memcmp(types[i], text, length) == 0)
				break;
		if (i == sizeof(types) / sizeof(types[0]))
			fail_msg("unknown type: %.40s", text);
		text += length;
		if (*text == ',')
			text += 2;
	}
	return text + 1;
}

/* Varlink's grammar, as far as it is used: comments, and one definition a line. */
static void description(void **state)
{
	char *text = methods_describe(), *line, *save;
	size_t methods, described = 0, errors = 0, types = 0;

	(void)state;
	methods_table(&methods);
	assert_non_null(text);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const char *rest = strchr(line, ' ');
		size_t length;

		if (*line == '#')
			continue;
		assert_non_null(rest);
		rest++;
		if (strncmp(line, "interface ", 10) == 0) {
			assert_string_equal(rest, "org.tapstack.control");
			continue;
		}
		length = strcspn(rest, " (");
		assert_true(is_name(rest, length, false));
		rest += length;
		rest += *rest == ' ';
		rest = read_struct(rest);
		if (strncmp(line, "method ", 7) == 0) {
			assert_memory_equal(rest, " -> ", 4);
			rest = read_struct(rest + 4);
			described++;
		} else if (strncmp(line, "error ", 6) == 0) {
			errors++;
		} else {
			assert_memory_equal(line, "type ", 5);
			types++;
		}
		assert_string_equal(rest, "");
	}
	assert_int_equal(described, methods);
	assert_int_equal(types, 2);
	assert_int_equal(errors, 8);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_method_as_every_role),
		cmocka_unit_test(nobody_is_refused),
		cmocka_unit_test(rights_change),
		cmocka_unit_test(live_connections_are_changed),
		cmocka_unit_test(actions),
		cmocka_unit_test(impair),
		cmocka_unit_test(answers),
		cmocka_unit_test(listings),
		cmocka_unit_test(slow_reader),
		cmocka_unit_test(closed_meanwhile),
		cmocka_unit_test(last_answer),
		cmocka_unit_test(description),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
