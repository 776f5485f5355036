#include "config/form.h"

#include "config/value.h"

#include <errno.h>
#include <string.h>

#define NAME_CHARACTERS                                                                                              \
	"abcdefghijklmnopqrstuvwxyz"                                                                                 \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ"                                                                                 \
	"0123456789._-"

/* sun_path of struct sockaddr_un, less its NUL */
#define UNIX_PATH_MAX_BYTES 107

int form_name(const char *text)
{
	return text[0] != '\0' && text[strspn(text, NAME_CHARACTERS)] == '\0' ? 0 : -EINVAL;
}

int form_interface(const char *text)
{
	if (strlen(text) > 15 || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return -EINVAL;
	return form_name(text);
}

int form_absolute(const char *text)
{
	return text[0] == '/' ? 0 : -EINVAL;
}

int form_directory(const char *text)
{
	return strcmp(text, "auto") == 0 ? 0 : form_absolute(text);
}

static int form_unix(const char *text)
{
	if (strncmp(text, "unix:/", 6) != 0 || strlen(text + 5) > UNIX_PATH_MAX_BYTES)
		return -EINVAL;
	return 0;
}

int form_backend(const char *text)
{
	return strcmp(text, "tap") == 0 ? 0 : form_unix(text);
}

int form_target(const char *text)
{
	const char *host = text + 4, *colon;
	uint64_t port;

	if (strncmp(text, "tcp:", 4) != 0)
		return form_unix(text);
	colon = strrchr(host, ':');
	if (colon == NULL || value_read_uint(colon + 1, &port) != 0 || port == 0 || port > 65535)
		return -EINVAL;
	if (host[0] == '[') {
		char address[VALUE_TEXT_MAX];
		size_t length = (size_t)(colon - host);
		struct ip_addr ip;

		if (length < 3 || length >= sizeof(address) || host[length - 1] != ']')
			return -EINVAL;
		memcpy(address, host + 1, length - 2);
		address[length - 2] = '\0';
		return value_read_ip(address, &ip);
	}
	return colon > host && host + strspn(host, NAME_CHARACTERS) == colon ? 0 : -EINVAL;
}

int form_principal(const char *text)
{
	return form_name(strncmp(text, "group:", 6) == 0 ? text + 6 : text);
}
