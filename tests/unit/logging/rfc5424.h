#pragma once
/* A strict reader of syslog messages: the ABNF of RFC 5424, section 6, and nothing that is not in it. */
#include <stdbool.h>
#include <stddef.h>

#define RFC5424_PARAMS_MAX 64u
#define RFC5424_TEXT_MAX 512u

struct rfc5424_param {
	char element[33], name[33], value[RFC5424_TEXT_MAX]; /* the value without its backslashes */
};

struct rfc5424 {
	unsigned facility, severity;
	char timestamp[40], hostname[256], app_name[49], procid[129], msgid[33];
	unsigned elements, params;
	struct rfc5424_param param[RFC5424_PARAMS_MAX];
	bool bom;
	char message[2 * RFC5424_TEXT_MAX];
};

/* NULL when the message is well formed, else what is wrong with it. */
const char *rfc5424_read(const char *bytes, size_t length, struct rfc5424 *ret);

/* NULL: there is none. */
const char *rfc5424_value(const struct rfc5424 *message, const char *element, const char *name);
