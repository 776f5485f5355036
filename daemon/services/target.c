#include "services/service.h"

#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static int complain(char *error, size_t error_size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int complain(char *error, size_t error_size, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error, error_size, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static int parse_unix(const char *path, struct service_target *ret_target, char *error, size_t error_size)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&ret_target->address;
	size_t length = strlen(path);

	if (path[0] != '/')
		return complain(error, error_size, "unix: wants an absolute path, not \"%s\"", path);
	if (length >= sizeof(un->sun_path))
		return complain(error, error_size, "the path of a unix socket has at most %zu bytes, this one %zu",
		                sizeof(un->sun_path) - 1, length);
	memset(ret_target, 0, sizeof(*ret_target));
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, length + 1);
	ret_target->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
	return 0;
}

static bool is_port(const char *text)
{
	char *end;
	unsigned long port;

	if (text[0] < '0' || text[0] > '9')
		return false;
	port = strtoul(text, &end, 10);
	return *end == '\0' && port >= 1 && port <= 65535;
}

static int parse_tcp(const char *text, struct service_target *ret_target, char *error, size_t error_size)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC,
		                        .ai_socktype = SOCK_STREAM,
		                        .ai_flags = AI_NUMERICSERV };
	const char *colon = strrchr(text, ':');
	struct addrinfo *found;
	char host[256];
	size_t length;
	int r;

	if (!colon || !is_port(colon + 1))
		return complain(error, error_size, "tcp: wants HOST:PORT with a port from 1 to 65535, not \"%s\"",
		                text);
	length = (size_t)(colon - text);
	if (length >= 2 && text[0] == '[' && colon[-1] == ']') {
		text++;
		length -= 2;
	} else if (memchr(text, ':', length)) {
		return complain(error, error_size, "an IPv6 address stands in brackets: tcp:[2001:db8::1]:80");
	}
	if (length == 0 || length >= sizeof(host))
		return complain(error, error_size, "tcp: wants a host before the port");
	memcpy(host, text, length);
	host[length] = '\0';
	r = getaddrinfo(host, colon + 1, &hints, &found);
	if (r != 0)
		return complain(error, error_size, "host \"%s\": %s", host,
		                r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
	memset(ret_target, 0, sizeof(*ret_target));
	memcpy(&ret_target->address, found->ai_addr, found->ai_addrlen);
	ret_target->length = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

int service_target_parse(const char *text, struct service_target *ret_target, char *error, size_t error_size)
{
	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(text + 5, ret_target, error, error_size);
	if (strncmp(text, "tcp:", 4) == 0)
		return parse_tcp(text + 4, ret_target, error, error_size);
	return complain(error, error_size, "a target is unix:/PATH or tcp:HOST:PORT, not \"%s\"", text);
}
