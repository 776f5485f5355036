#pragma once
/* Single values between text and C. Readers return 0, -EINVAL for a text of another form, -ERANGE for a number that
 * no type could hold; the caller checks the range that a key allows. */
#include "config/config.h"

/* Decimal digits only: no sign, no leading zeros (YAML 1.1 would take them for octal). */
int value_read_uint(const char *text, uint64_t *ret);
/* Bytes; B, KiB, MiB, GiB, TiB, kB, MB, GB, TB. A fraction must come to whole bytes. */
int value_read_size(const char *text, uint64_t *ret);
/* Nanoseconds, not negative; ns, us, ms, s, min, h, d; without a unit seconds. */
int value_read_duration(const char *text, uint64_t *ret_ns);
/* Per million; "0.1%", at most 100%. */
int value_read_percent(const char *text, uint64_t *ret_per_million);
/* Bytes per second; B/s, kB/s, MB/s, GB/s, KiB/s, MiB/s, GiB/s, kbit/s, Mbit/s, Gbit/s. */
int value_read_rate(const char *text, uint64_t *ret);
int value_read_bool(const char *text, bool *ret);
int value_read_ip(const char *text, struct ip_addr *ret);
/* ADDRESS/BITS; bits are counted as the address family does (0 to 32 or 128). */
int value_read_prefix(const char *text, struct config_prefix *ret);
int value_read_mac(const char *text, struct mac_addr *ret);

#define VALUE_TEXT_MAX 64u

/* The shortest text that reads back as the same value. */
void value_write_size(uint64_t bytes, char text[static VALUE_TEXT_MAX]);
void value_write_duration(uint64_t ns, char text[static VALUE_TEXT_MAX]);
void value_write_percent(uint64_t per_million, char text[static VALUE_TEXT_MAX]);
void value_write_rate(uint64_t bytes_per_s, char text[static VALUE_TEXT_MAX]);
void value_write_ip(const struct ip_addr *ip, char text[static VALUE_TEXT_MAX]);
void value_write_prefix(const struct config_prefix *prefix, char text[static VALUE_TEXT_MAX]);
void value_write_mac(const struct mac_addr *mac, char text[static VALUE_TEXT_MAX]);
