#include "control/client.h"
#include "shard/render.h"
#include "tapstack/control.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- answers ------------------------------------------------------------------------------------------------- */

static int append(const char *bytes, size_t length, void *context)
{
	return evbuffer_add(context, bytes, length);
}

/* Writes one message; takes over `document`. A message that can't be built whole closes the client: nothing else
 * could follow it in order. */
static void client_send(struct client *client, json_t *document)
{
	struct evbuffer *output = bufferevent_get_output(client->bev);
	int error = -1;

	if (document) {
		/* One write at the end, not one for each piece of text. */
		struct evbuffer *message = evbuffer_new();

		if (message && json_dump_callback(document, append, message, RENDER_JSON) == 0 &&
		    evbuffer_add(message, "", 1) == 0)
			error = evbuffer_add_buffer(output, message);
		if (message)
			evbuffer_free(message);
		json_decref(document);
	}
	if (error)
		client->closing = true;
}

static json_t *error_document(const char *error, json_t *parameters)
{
	return json_pack("{s:s, s:o}", "error", error, "parameters", parameters ? parameters : json_object());
}

char *call_error_text(const char *error, json_t *parameters)
{
	json_t *document = error_document(error, parameters);
	char *text = document ? json_dumps(document, RENDER_JSON) : NULL;

	json_decref(document);
	return text;
}

void client_send_error(struct client *client, const char *error, json_t *parameters)
{
	client_send(client, error_document(error, parameters));
}

/* The last part of a full name: "PermissionDenied". */
static const char *short_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

/* Text as long as a record may have it: cut, but not within a character of UTF-8. */
static void cut(char *text)
{
	size_t length = CONTROL_ARGUMENTS_MAX;

	if (strnlen(text, length + 1) <= length)
		return;
	while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
		length--;
	text[length] = '\0';
}

/* What a refused caller has sent is not kept: it can be anything, and as long as a message. */
static void record(const struct call *call, const char *result)
{
	struct server *server = call->server;
	struct timespec now;
	char *arguments = NULL;

	if (server->closed || !server->options.action || !call->method || !call->method->changes)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	if (call->checked)
		arguments = json_dumps(call->message.parameters, JSON_COMPACT);
	if (arguments)
		cut(arguments);
	server->options.action(server->options.context,
	                       &(struct control_action){
	                               .realtime_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec,
	                               .uid = call->peer.uid,
	                               .pid = call->peer.pid,
	                               .method = call->method->name,
	                               .arguments = arguments,
	                               .result = result,
	                       });
	free(arguments);
}

static void end(struct call *call)
{
	struct server *server = call->server;

	if (call->client) {
		call->client->call = NULL;
		client_go_on(call->client);
	} else {
		server->abandoned--;
	}
	message_done(&call->message);
	free(call);
	server->calls--;
	server_unref(server);
}

void call_reply(struct call *call, json_t *parameters)
{
	record(call, "ok");
	if (call->client && !call->message.oneway)
		client_send(call->client, json_pack("{s:o}", "parameters", parameters ? parameters : json_object()));
	else
		json_decref(parameters);
	end(call);
}

bool call_reply_more(struct call *call, json_t *parameters)
{
	struct client *client = call->client;

	if (!client) {
		json_decref(parameters);
		return true;
	}
	client_send(client,
	            json_pack("{s:o, s:b}", "parameters", parameters ? parameters : json_object(), "continues", 1));
	return evbuffer_get_length(bufferevent_get_output(client->bev)) < SERVER_OUTPUT_HIGH;
}

void call_fail(struct call *call, const char *error, json_t *parameters)
{
	record(call, short_name(error));
	if (call->client && !call->message.oneway)
		client_send_error(call->client, error, parameters);
	else
		json_decref(parameters);
	end(call);
}

void call_fail_parameter(struct call *call, const char *parameter, const char *reason)
{
	call_fail(call, TAPSTACK_VARLINK_INTERFACE ".InvalidParameter",
	          json_pack("{s:s, s:s}", "parameter", parameter, "reason", reason));
}

void call_fail_memory(struct call *call)
{
	call_fail(call, TAPSTACK_CONTROL_INTERFACE ".Failed", json_pack("{s:s}", "reason", "out of memory"));
}

void call_abandon(struct call *call)
{
	call->client = NULL;
	call->server->abandoned++;
	if (call->abandoned)
		call->abandoned(call);
}

void *call_context(const struct call *call)
{
	return call->server->closed ? NULL : call->server->options.context;
}

const json_t *call_parameter(const struct call *call, const char *name)
{
	const json_t *value = json_object_get(call->message.parameters, name);

	return value && !json_is_null(value) ? value : NULL;
}

/* ---- org.varlink.service ------------------------------------------------------------------------------------- */

static const char service_description[] =
        "# What every varlink service can be asked\n"
        "interface org.varlink.service\n"
        "\n"
        "# Who this service is and which interfaces it has\n"
        "method GetInfo() -> (vendor: string, product: string, version: string, url: string, interfaces: []string)\n"
        "\n"
        "# The definition of an interface, in varlink's own language\n"
        "method GetInterfaceDescription(interface: string) -> (description: string)\n"
        "\n"
        "# The service has no such interface\n"
        "error InterfaceNotFound (interface: string)\n"
        "\n"
        "# The interface has no such method\n"
        "error MethodNotFound (method: string)\n"
        "\n"
        "# The interface describes the method, but the service can't do it\n"
        "error MethodNotImplemented (method: string)\n"
        "\n"
        "# A parameter is missing, unknown, or has a value that it can't have\n"
        "error InvalidParameter (parameter: string)\n"
        "\n"
        "# The caller may not do this\n"
        "error PermissionDenied ()\n"
        "\n"
        "# The method must be called with `more`\n"
        "error ExpectedMore ()\n";

static void get_info(struct call *call)
{
	const struct server_options *options = &call->server->options;
	json_t *interfaces = json_pack("[s]", TAPSTACK_VARLINK_INTERFACE);

	for (size_t i = 0; i < options->interface_count; i++)
		json_array_append_new(interfaces, json_string(options->interfaces[i].name));
	call_reply(call,
	           json_pack("{s:s, s:s, s:s, s:s, s:o}", "vendor", options->vendor, "product", options->product,
	                     "version", options->version, "url", options->url, "interfaces", interfaces));
}

static void get_interface_description(struct call *call);

static const struct parameter no_parameters[] = { { 0 } };
static const struct parameter description_in[] = { { "interface", PARAMETER_STRING, false, "full name" }, { 0 } };

static const struct method service_methods[] = {
	{ "GetInfo", CONTROL_OBSERVE, false, no_parameters, no_parameters, get_info, "" },
	{ "GetInterfaceDescription", CONTROL_OBSERVE, false, description_in, no_parameters, get_interface_description,
	  "" },
};

static const struct interface service_interface = {
	.name = TAPSTACK_VARLINK_INTERFACE,
	.description = service_description,
	.methods = service_methods,
	.method_count = sizeof(service_methods) / sizeof(service_methods[0]),
};

/* ---- dispatch ------------------------------------------------------------------------------------------------ */

static const struct interface *find_interface(const struct server *server, const char *name, size_t length)
{
	const struct server_options *options = &server->options;

	for (size_t i = 0; i <= options->interface_count; i++) {
		const struct interface *interface =
		        i < options->interface_count ? &options->interfaces[i] : &service_interface;

		if (strlen(interface->name) == length && memcmp(interface->name, name, length) == 0)
			return interface;
	}
	return NULL;
}

static void get_interface_description(struct call *call)
{
	const char *name = json_string_value(call_parameter(call, "interface"));
	const struct interface *interface = find_interface(call->server, name, strlen(name));

	if (interface)
		call_reply(call, json_pack("{s:s}", "description", interface->description));
	else
		call_fail(call, TAPSTACK_VARLINK_INTERFACE ".InterfaceNotFound",
		          json_pack("{s:s}", "interface", name));
}

static const struct method *find_method(const struct interface *interface, const char *name)
{
	for (size_t i = 0; i < interface->method_count; i++)
		if (strcmp(interface->methods[i].name, name) == 0)
			return &interface->methods[i];
	return NULL;
}

/* Finds the method; or ends the call with the error and returns NULL. */
static const struct method *look_up(struct call *call)
{
	const char *full = call->message.method;
	const char *dot = strrchr(full, '.');
	size_t length = dot ? (size_t)(dot - full) : strlen(full);
	const struct interface *interface = dot ? find_interface(call->server, full, length) : NULL;
	const struct method *method = interface ? find_method(interface, dot + 1) : NULL;

	if (method)
		return method;
	if (interface)
		call_fail(call, TAPSTACK_VARLINK_INTERFACE ".MethodNotFound", json_pack("{s:s}", "method", dot + 1));
	else
		call_fail(call, TAPSTACK_VARLINK_INTERFACE ".InterfaceNotFound",
		          json_pack("{s:s%}", "interface", full, length));
	return NULL;
}

static void run(struct call *call)
{
	const struct method *method = look_up(call);
	char reason[512];
	const char *wrong;

	if (!method)
		return;
	call->method = method;
	if (call->role < method->role) {
		call_fail(call, TAPSTACK_VARLINK_INTERFACE ".PermissionDenied",
		          json_pack("{s:s, s:s}", "needed", control_role_name(method->role), "role",
		                    control_role_name(call->role)));
		return;
	}
	wrong = parameters_check(method->in, call->message.parameters, reason, sizeof(reason));
	if (wrong) {
		call_fail_parameter(call, wrong, reason);
		return;
	}
	call->checked = true;
	method->run(call);
}

void call_dispatch(struct client *client, const char *text, size_t length)
{
	struct server *server = client->server;
	struct call *call = calloc(1, sizeof(*call));
	char reason[256];

	if (!call) {
		client->closing = true;
		return;
	}
	if (message_parse(text, length, &call->message, reason, sizeof(reason)) < 0) {
		client_send_error(client, TAPSTACK_CONTROL_INTERFACE ".InvalidMessage",
		                  json_pack("{s:s}", "reason", reason));
		client->closing = true;
		free(call);
		return;
	}
	call->server = server;
	call->client = client;
	call->peer = client->peer;
	call->role = rights_role(&server->options.rights, &client->peer);
	client->call = call;
	server->calls++;
	run(call);
}
