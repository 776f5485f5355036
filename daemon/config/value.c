#include "config/value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct unit {
	const char *name;
	uint64_t factor;
};

/* The first unit is the one without a name. */
static const struct unit size_units[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "KiB", UINT64_C(1) << 10 },
	{ "MiB", UINT64_C(1) << 20 },
	{ "GiB", UINT64_C(1) << 30 },
	{ "TiB", UINT64_C(1) << 40 },
	{ "kB", 1000 },
	{ "MB", 1000000 },
	{ "GB", 1000000000 },
	{ "TB", UINT64_C(1000000000000) },
};

static const struct unit duration_units[] = {
	{ "", 1000000000 },
	{ "ns", 1 },
	{ "us", 1000 },
	{ "ms", 1000000 },
	{ "s", 1000000000 },
	{ "min", UINT64_C(60000000000) },
	{ "h", UINT64_C(3600000000000) },
	{ "d", UINT64_C(86400000000000) },
};

/* Those in bits first: they are what is written. */
static const struct unit rate_units[] = {
	{ "kbit/s", 125 },
	{ "Mbit/s", 125000 },
	{ "Gbit/s", 125000000 },
	{ "", 1 },
	{ "B/s", 1 },
	{ "kB/s", 1000 },
	{ "MB/s", 1000000 },
	{ "GB/s", 1000000000 },
	{ "KiB/s", UINT64_C(1) << 10 },
	{ "MiB/s", UINT64_C(1) << 20 },
	{ "GiB/s", UINT64_C(1) << 30 },
};

static const struct unit percent_units[] = { { "%", 10000 } };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits at *text, which moves behind them. */
static int read_digits(const char **text, uint64_t *ret)
{
	uint64_t number = 0;
	const char *at = *text;

	if (!is_digit(*at) || (at[0] == '0' && is_digit(at[1])))
		return -EINVAL;
	for (; is_digit(*at); at++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number))
			return -ERANGE;
	*text = at;
	*ret = number;
	return 0;
}

int value_read_uint(const char *text, uint64_t *ret)
{
	uint64_t number;
	int r = read_digits(&text, &number);

	if (r == 0 && *text != '\0')
		r = -EINVAL;
	if (r == 0)
		*ret = number;
	return r;
}

/* The fraction at *text ("." and up to nine digits), as numerator over *ret_scale. */
static int read_fraction(const char **text, uint64_t *ret_numerator, uint64_t *ret_scale)
{
	const char *at = *text;

	*ret_numerator = 0;
	*ret_scale = 1;
	if (*at != '.')
		return 0;
	at++;
	if (!is_digit(*at))
		return -EINVAL;
	for (; is_digit(*at); at++) {
		if (*ret_scale == 1000000000)
			return -EINVAL;
		*ret_numerator = *ret_numerator * 10 + (uint64_t)(*at - '0');
		*ret_scale *= 10;
	}
	*text = at;
	return 0;
}

static int read_with_unit(const char *text, const struct unit *units, size_t unit_count, uint64_t *ret)
{
	uint64_t whole, numerator, scale, result, part;
	int r = read_digits(&text, &whole);

	if (r == 0)
		r = read_fraction(&text, &numerator, &scale);
	if (r != 0)
		return r;
	if (*text == ' ')
		text++;
	for (size_t i = 0; i < unit_count; i++) {
		if (strcmp(text, units[i].name) != 0)
			continue;
		if (__builtin_mul_overflow(whole, units[i].factor, &result) ||
		    __builtin_mul_overflow(numerator, units[i].factor, &part))
			return -ERANGE;
		if (part % scale != 0)
			return -EINVAL;
		if (__builtin_add_overflow(result, part / scale, &result))
			return -ERANGE;
		*ret = result;
		return 0;
	}
	return -EINVAL;
}

int value_read_size(const char *text, uint64_t *ret)
{
	return read_with_unit(text, size_units, COUNT(size_units), ret);
}

int value_read_duration(const char *text, uint64_t *ret_ns)
{
	uint64_t ns;
	int r = read_with_unit(text, duration_units, COUNT(duration_units), &ns);

	if (r == 0 && ns > INT64_MAX)
		r = -ERANGE;
	if (r == 0)
		*ret_ns = ns;
	return r;
}

int value_read_percent(const char *text, uint64_t *ret_per_million)
{
	uint64_t per_million;
	int r = read_with_unit(text, percent_units, COUNT(percent_units), &per_million);

	if (r == 0 && per_million > 1000000)
		r = -ERANGE;
	if (r == 0)
		*ret_per_million = per_million;
	return r;
}

int value_read_rate(const char *text, uint64_t *ret)
{
	return read_with_unit(text, rate_units, COUNT(rate_units), ret);
}

int value_read_bool(const char *text, bool *ret)
{
	static const char *const words[][2] = {
		{ "no", "yes" },
		{ "false", "true" },
		{ "off", "on" },
	};

	for (size_t i = 0; i < COUNT(words); i++) {
		for (unsigned value = 0; value < 2; value++) {
			if (strcasecmp(text, words[i][value]) != 0)
				continue;
			*ret = value == 1;
			return 0;
		}
	}
	return -EINVAL;
}

int value_read_ip(const char *text, struct ip_addr *ret)
{
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		*ret = ip_addr_v4(ntohl(v4.s_addr));
		return 0;
	}
	return inet_pton(AF_INET6, text, ret->b) == 1 ? 0 : -EINVAL;
}

int value_read_prefix(const char *text, struct config_prefix *ret)
{
	const char *slash = strchr(text, '/');
	char address[VALUE_TEXT_MAX];
	struct config_prefix prefix;
	uint64_t bits;
	bool is_v4;

	if (slash == NULL || (size_t)(slash - text) >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (value_read_ip(address, &prefix.ip) != 0 || value_read_uint(slash + 1, &bits) != 0)
		return -EINVAL;
	is_v4 = strchr(address, ':') == NULL;
	if (bits > (is_v4 ? 32 : 128))
		return -EINVAL;
	prefix.bits = (uint8_t)(is_v4 ? bits + 96 : bits);
	*ret = prefix;
	return 0;
}

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int value_read_mac(const char *text, struct mac_addr *ret)
{
	struct mac_addr mac;

	if (strlen(text) != 17)
		return -EINVAL;
	for (unsigned i = 0; i < 6; i++) {
		int high = hex_value(text[i * 3]), low = hex_value(text[i * 3 + 1]);

		if (high < 0 || low < 0 || (i < 5 && text[i * 3 + 2] != ':'))
			return -EINVAL;
		mac.b[i] = (uint8_t)(high << 4 | low);
	}
	*ret = mac;
	return 0;
}

/* In the largest unit of [first, first + count) that leaves no rest, else as a plain number with `plain` behind. */
static void write_with_unit(uint64_t value, const struct unit *first, size_t count, const char *plain, char *text)
{
	for (size_t i = count; value != 0 && i-- > 0;) {
		if (value % first[i].factor != 0)
			continue;
		snprintf(text, VALUE_TEXT_MAX, "%" PRIu64 "%s", value / first[i].factor, first[i].name);
		return;
	}
	snprintf(text, VALUE_TEXT_MAX, "%" PRIu64 "%s", value, value == 0 ? "" : plain);
}

void value_write_size(uint64_t bytes, char text[static VALUE_TEXT_MAX])
{
	write_with_unit(bytes, &size_units[2], 4, "", text);
}

void value_write_duration(uint64_t ns, char text[static VALUE_TEXT_MAX])
{
	write_with_unit(ns, &duration_units[1], COUNT(duration_units) - 1, "ns", text);
}

void value_write_percent(uint64_t per_million, char text[static VALUE_TEXT_MAX])
{
	unsigned fraction = (unsigned)(per_million % 10000), digits = 4;

	while (fraction != 0 && fraction % 10 == 0) {
		fraction /= 10;
		digits--;
	}
	if (fraction == 0)
		snprintf(text, VALUE_TEXT_MAX, "%" PRIu64 "%%", per_million / 10000);
	else
		snprintf(text, VALUE_TEXT_MAX, "%" PRIu64 ".%0*u%%", per_million / 10000, (int)digits, fraction);
}

void value_write_rate(uint64_t bytes_per_s, char text[static VALUE_TEXT_MAX])
{
	write_with_unit(bytes_per_s, rate_units, 3, "B/s", text);
}

void value_write_ip(const struct ip_addr *ip, char text[static VALUE_TEXT_MAX])
{
	if (ip_addr_is_v4(ip))
		inet_ntop(AF_INET, ip->b + 12, text, VALUE_TEXT_MAX);
	else
		inet_ntop(AF_INET6, ip->b, text, VALUE_TEXT_MAX);
}

void value_write_prefix(const struct config_prefix *prefix, char text[static VALUE_TEXT_MAX])
{
	size_t length;

	value_write_ip(&prefix->ip, text);
	length = strlen(text);
	snprintf(text + length, VALUE_TEXT_MAX - length, "/%u",
	         ip_addr_is_v4(&prefix->ip) ? prefix->bits - 96u : prefix->bits);
}

void value_write_mac(const struct mac_addr *mac, char text[static VALUE_TEXT_MAX])
{
	snprintf(text, VALUE_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", mac->b[0], mac->b[1], mac->b[2], mac->b[3],
	         mac->b[4], mac->b[5]);
}
