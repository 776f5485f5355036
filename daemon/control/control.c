#include "control/control.h"

#include "control/context.h"
#include "control/server.h"
#include "tapstack/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STALL_TIMEOUT_S = 30 };

static void record(void *context, const struct control_action *action)
{
	struct control *control = context;

	if (control->options.hooks.action)
		control->options.hooks.action(control->options.hooks.context, action);
}

static int open_socket(struct control *control, const struct rights *rights, char *error, size_t error_size)
{
	if (control->options.listen_fd >= 0)
		return control_socket_adopt(control->options.listen_fd, &control->socket, error, error_size);
	return control_socket_open(control->options.path, rights, &control->socket, error, error_size);
}

static int open_server(struct control *control, const struct rights *rights, struct event_base *base)
{
	struct server_options options = {
		.listen_fd = control->socket.fd,
		.interfaces = &control->interface,
		.interface_count = 1,
		.vendor = "tapstack",
		.product = "tapstackd",
		.version = PACKAGE_VERSION,
		.url = "https://varlink.org/",
		.rights = *rights,
		.stall_timeout = { .tv_sec = STALL_TIMEOUT_S },
		.credentials = control->options.credentials,
		.action = record,
		.context = control,
	};

	return server_new(&options, base, &control->server);
}

int control_open(const struct control_options *options, struct event_base *base, struct control **ret_control,
                 char *error, size_t error_size)
{
	struct control *control = calloc(1, sizeof(*control));
	struct rights rights;
	int r;

	snprintf(error, error_size, "out of memory");
	if (!control)
		return -ENOMEM;
	control->options = *options;
	control->options.path = NULL;
	control->started = shard_now();
	control->description = methods_describe();
	r = control->description ? rights_init(&rights, &options->rights, geteuid()) : -ENOMEM;
	if (r < 0)
		goto fail;
	control->interface =
	        (struct interface){ .name = TAPSTACK_CONTROL_INTERFACE, .description = control->description };
	control->interface.methods = methods_table(&control->interface.method_count);

	control->options.path = options->path;
	r = open_socket(control, &rights, error, error_size);
	control->options.path = NULL;
	if (r == 0) {
		r = open_server(control, &rights, base);
		if (r == 0) {
			*ret_control = control;
			return 0;
		}
		close(control->socket.fd);
		control_socket_remove(&control->socket);
	}
	rights_done(&rights);
fail:
	free(control->description);
	free(control);
	return r;
}

int control_set_rights(struct control *control, const struct control_rights *names)
{
	struct rights rights;
	int r = rights_init(&rights, names, geteuid());

	if (r < 0)
		return r;
	control_socket_set_access(&control->socket, &rights);
	server_set_rights(control->server, &rights);
	return 0;
}

void control_close(struct control *control)
{
	if (!control)
		return;
	control_socket_remove(&control->socket);
	server_free(control->server);
	free(control->description);
	free(control);
}
