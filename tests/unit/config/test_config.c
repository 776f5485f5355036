/* Whole configurations: defaults, the shipped file, every kind of mistake with its place and message, differences. */
#include "config/config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct config *parse(const char *text)
{
	struct config_errors errors = CONFIG_ERRORS_INIT;
	struct config *config = NULL;
	int r = config_parse("test.yaml", text, strlen(text), &config, &errors);

	config_errors_print(&errors, stderr);
	assert_int_equal(r, 0);
	assert_int_equal(errors.count, 0);
	config_errors_free(&errors);
	return config;
}

/* All messages, a line each; NULL when there are none. The caller frees it. */
static char *complaints(const char *text, size_t length)
{
	struct config_errors errors = CONFIG_ERRORS_INIT;
	struct config *config = NULL;
	char *messages = NULL;
	size_t size = 0;
	FILE *file;
	int r = config_parse("f", text, length, &config, &errors);

	if (r == 0) {
		assert_int_equal(errors.count, 0);
		config_free(config);
		return NULL;
	}
	assert_int_equal(r, -EINVAL);
	assert_null(config);
	file = open_memstream(&messages, &size);
	config_errors_print(&errors, file);
	fclose(file);
	config_errors_free(&errors);
	return messages;
}

static void test_rules(void **state)
{
	const char *text = "{service: echo, peer: [192.0.2.0/24, 2001:db8::/32], use: {cubic: 3, reno: 1}, shadow: "
	                   "cubic, sample: 100ms}, {use: reno}, {peer: [198.51.100.7/32], shadow: cubic}";
	struct config *config = parse("plugins: {congestion: [cubic]}\n"
	                              "services: [{kind: echo, port: 7}]\n"
	                              "congestion:\n"
	                              "  rules:\n"
	                              "    - {service: echo, peer: [192.0.2.0/24, 2001:db8::/32],\n"
	                              "       use: {cubic: 3, reno: 1}, shadow: cubic, sample: 100ms}\n"
	                              "    - use: reno\n"
	                              "    - {peer: 198.51.100.7/32, shadow: cubic}\n");
	const struct config_rule_list *rules = &config->congestion.rules;
	struct config_errors errors = CONFIG_ERRORS_INIT;
	struct config *again = NULL;
	char *written = NULL;

	(void)state;
	assert_int_equal(rules->count, 3);
	assert_string_equal(rules->item[0].service, "echo");
	assert_int_equal(rules->item[0].peers.count, 2);
	assert_int_equal(rules->item[0].peers.item[0].bits, 120);
	assert_int_equal(rules->item[0].arm_count, 2);
	assert_string_equal(rules->item[0].arm[0].name, "cubic");
	assert_int_equal(rules->item[0].arm[0].weight, 3);
	assert_int_equal(rules->item[0].sample.ns, 100000000);
	assert_string_equal(rules->item[1].arm[0].name, "reno");
	assert_int_equal(rules->item[2].peers.count, 1);
	assert_string_equal(rules->item[2].shadow, "cubic");
	/* What is written can be read, and is the same. */
	assert_int_equal(config_get(config, config_find_key("congestion.rules"), &written), 0);
	assert_int_equal(written[0], '[');
	assert_memory_equal(written + 1, text, strlen(text));
	assert_int_equal(config_with(config, "congestion.rules", written, &again, &errors), 0);
	assert_string_equal(again->congestion.rules.item[0].shadow, "cubic");
	free(written);
	config_free(again);
	config_free(config);
}

static void test_defaults(void **state)
{
	struct config *config = parse("");
	const struct mac_addr mac = config_mac(config);
	char path[100];

	(void)state;
	assert_string_equal(config->link.backend, "tap");
	assert_int_equal(config->link.mtu, 1500);
	assert_true(config->link.offload);
	assert_int_equal(config->stack.addresses.count, 1);
	assert_int_equal(ip_addr_to_v4(&config->stack.addresses.item[0].ip), 0xc0000202);
	assert_int_equal(config->stack.addresses.item[0].bits, 120);
	assert_memory_equal(mac.b, "\x02\x00\xc0\x00\x02\x02", 6);
	assert_int_equal(config->tcp.rto_min.ns, 200000000);
	assert_int_equal(config->services.count, 0);
	assert_string_equal(config_plugin_directory(config), TAPSTACK_PLUGIN_DIRECTORY);
	assert_int_equal(config_state_path(config, "x", path, sizeof(path)), 0);
	assert_string_equal(path, TAPSTACK_STATE_DIRECTORY "/x");
	assert_int_equal(config_runtime_path(config, "/x", path, sizeof(path)), 0);
	assert_string_equal(path, "/x");
	assert_int_equal(config_state_path(config, "x", path, 2), -ENAMETOOLONG);
	config_free(config);
	config_free(NULL);
}

static void test_values(void **state)
{
	struct config *config = parse("link: {mac: '02:00:00:00:00:07', mtu: 9000, offload: off}\n"
	                              "stack:\n"
	                              "  addresses: [198.51.100.2/25, 192.0.2.9/24]\n"
	                              "  gateway: 192.0.2.254\n"
	                              "tcp:\n"
	                              "  rcvbuf_max: 1MB\n"
	                              "  msl: 0.5\n"
	                              "  ttl: 7\n"
	                              "limits:\n"
	                              "log: {level: debug}\n"
	                              "control: {observe: [alice, 'group:adm']}\n"
	                              "plugins:\n"
	                              "  congestion:\n"
	                              "    - cubic\n"
	                              "    - {plugin: cubic, name: gentle, params: {beta: 0.8, x: \"a b\"}}\n"
	                              "services:\n"
	                              "  - {kind: echo, port: 7, address: 192.0.2.9, congestion: gentle}\n"
	                              "  - {name: web, kind: relay, port: 80, target: 'tcp:[::1]:80', nodelay: yes,\n"
	                              "     idle_timeout: 5min, proxy_protocol: v2, backlog: 5}\n"
	                              "  - {kind: http, port: 8080}\n");
	const struct config_service *service = config->services.item;
	const struct config_plugin *plugin = config->plugins.congestion.item;

	(void)state;
	assert_int_equal(config_mac(config).b[5], 7);
	assert_int_equal(config->link.mtu, 9000);
	assert_false(config->link.offload);
	assert_int_equal(config->stack.addresses.count, 2);
	assert_int_equal(ip_addr_to_v4(&config->stack.gateway), 0xc00002fe);
	assert_int_equal(config->tcp.rcvbuf_max_bytes, 1000000);
	assert_int_equal(config->tcp.msl.ns, 500000000);
	assert_int_equal(config->tcp.ttl, 7);
	assert_int_equal(config->log.level, 7);
	assert_string_equal(config->control.observe.item[1], "group:adm");
	assert_int_equal(config->plugins.congestion.count, 2);
	assert_string_equal(plugin[0].name, "cubic");
	assert_string_equal(plugin[1].plugin, "cubic");
	assert_string_equal(plugin[1].name, "gentle");
	assert_int_equal(plugin[1].param_count, 2);
	assert_string_equal(plugin[1].param[0].value, "0.8");
	assert_string_equal(plugin[1].param[1].value, "a b");
	assert_int_equal(plugin[1].param[0].place.line, 15);
	assert_int_equal(config->services.count, 3);
	assert_string_equal(service[0].name, "echo");
	assert_string_equal(service[0].congestion, "gentle");
	assert_int_equal(service[0].place.line, 17);
	assert_int_equal(service[1].kind, CONFIG_SERVICE_RELAY);
	assert_string_equal(service[1].target, "tcp:[::1]:80");
	assert_true(service[1].nodelay);
	assert_int_equal(service[1].backlog, 5);
	assert_int_equal(service[1].idle_timeout.ns, INT64_C(300000000000));
	assert_int_equal(service[1].connect_timeout.ns, INT64_C(10000000000));
	assert_int_equal(service[1].proxy_protocol, CONFIG_PROXY_V2);
	assert_int_equal(service[2].idle_timeout.ns, INT64_C(15000000000));
	assert_true(ip_addr_is_any(&service[2].address));
	config_free(config);
}

/* What a service says in its own section tcp holds for it; all else is as for the stack, wherever that stands. */
static void test_service_tunables(void **state)
{
	struct config *config =
	        parse("services:\n"
	              "  - {kind: echo, port: 7, tcp: {dscp: 46, keepalive: yes, linger: 0}}\n"
	              "  - {kind: echo, name: b, port: 8, tcp: }\n"
	              "  - {kind: discard, port: 9,\n"
	              "     tcp: {linger: off, window_scale: 3, user_timeout: none, ecn: request}}\n"
	              "tcp: {linger: 5s, keepalive_idle: 10s, dscp: 1, user_timeout: 9s, ecn: off}\n");
	const struct config_service *service = config->services.item;

	(void)state;
	assert_int_equal(service[0].tcp.dscp, 46);
	assert_true(service[0].tcp.keepalive);
	assert_int_equal(service[0].tcp.linger.ns, 0);
	assert_int_equal(service[0].tcp.keepalive_idle.ns, INT64_C(10000000000));
	assert_int_equal(service[0].tcp.window_scale, STACK_WSCALE_AUTO);
	assert_int_equal(service[1].tcp.dscp, 1);
	assert_int_equal(service[1].tcp.linger.ns, INT64_C(5000000000));
	assert_int_equal(service[2].tcp.linger.ns, -1);
	assert_int_equal(service[2].tcp.window_scale, 3);
	assert_int_equal(service[2].tcp.user_timeout.ns, 0);
	assert_int_equal(service[2].tcp.ecn, STACK_ECN_REQUEST);
	assert_int_equal(service[2].tcp.dscp, 1);
	assert_int_equal(config->tcp.ecn, STACK_ECN_OFF);
	config_free(config);
}

struct bad_row {
	const char *text, *messages;
};

static const struct bad_row bad[] = {
	/* unknown keys */
	{ "tcp:\n  rto_mim: 1s\n", "f:2:3: unknown key tcp.rto_mim; did you mean tcp.rto_min?\n" },
	{ "mtu: 9000\n", "f:1:1: unknown key mtu; did you mean link.mtu?\n" },
	{ "services_: []\n", "f:1:1: unknown key services_; did you mean services?\n" },
	{ "entirely: different\n", "f:1:1: unknown key entirely\n" },
	{ "tcp.msl: 1s\nlink:\n  mtu.x: 1\n", "f:3:3: unknown key link.mtu.x; did you mean link.mtu?\n" },
	/* types */
	{ "link:\n  mtu: [1]\n", "f:2:8: link.mtu: expected a whole number from 576 to 65521 bytes, found a list\n" },
	{ "link:\n  mtu:\n", "f:2:7: link.mtu: expected a whole number from 576 to 65521 bytes, found nothing\n" },
	{ "link:\n  mtu: 1.5\n",
	  "f:2:8: link.mtu: \"1.5\" is not valid: expected a whole number from 576 to 65521 bytes\n" },
	{ "link: 5\n", "f:1:7: link: expected a section (key: value), found a single value\n" },
	{ "- 1\n", "f:1:1: configuration: expected a section (key: value), found a list\n" },
	{ "link: {offload: perhaps}\n", "f:1:17: link.offload: \"perhaps\" is not valid: expected yes or no\n" },
	{ "link: {mac: 1}\n", "f:1:13: link.mac: \"1\" is not valid: expected an Ethernet address such as "
	                      "02:00:5e:10:00:01, or auto\n" },
	{ "log: {level: loud}\n",
	  "f:1:14: log.level: \"loud\" is not valid: expected one of error, warning, notice, info, debug\n" },
	{ "stack: {addresses: 192.0.2.1/24}\n",
	  "f:1:20: stack.addresses: expected a list of addresses with prefix length such as [192.0.2.2/24], found a "
	  "single value\n" },
	{ "stack: {addresses: [192.0.2.1/24, x, [y]]}\n",
	  "f:1:35: stack.addresses: \"x\" is not valid: expected a list of addresses with prefix length such as "
	  "[192.0.2.2/24]\n"
	  "f:1:38: stack.addresses: expected a list of addresses with prefix length such as [192.0.2.2/24], found a "
	  "list\n" },
	{ "stack: {gateway: nowhere}\n",
	  "f:1:18: stack.gateway: \"nowhere\" is not valid: expected an IP address such as 192.0.2.1, or none\n" },
	/* ranges */
	{ "link:\n  mtu: 100\n",
	  "f:2:8: link.mtu: 100 is out of range: expected a whole number from 576 to 65521 bytes\n" },
	{ "tcp:\n  delayed_ack: 500ms\n",
	  "f:2:16: tcp.delayed_ack: 500ms is out of range: expected a duration from 0 to 499ms\n" },
	{ "tcp:\n  rto_max: 1000000d\n",
	  "f:2:12: tcp.rto_max: 1000000d is out of range: expected a duration from 1ms to 1h\n" },
	{ "limits: {buffers: 1}\n",
	  "f:1:19: limits.buffers: 1 is out of range: expected a size from 1MiB to 1TiB\n" },
	{ "stack: {addresses: []}\n", "f:1:20: stack.addresses: 0 entries: expected 1 to 8\n" },
	/* given twice */
	{ "tcp: {msl: 1s}\nlink: {mtu: 1500}\ntcp: {msl: 2s}\n", "f:3:7: tcp.msl is given twice: first in line 1\n" },
	/* all errors of a file, in its order */
	{ "tcp: {rto_min: x}\nlink: {mtu: y}\nz: 1\n",
	  "f:1:16: tcp.rto_min: \"x\" is not valid: expected a duration from 1ms to 1h\n"
	  "f:2:13: link.mtu: \"y\" is not valid: expected a whole number from 576 to 65521 bytes\n"
	  "f:3:1: unknown key z\n" },
	/* YAML that is no YAML, or more than is wanted */
	{ "link: {mtu: 1500\n", "f:2:1: YAML syntax: did not find expected ',' or '}' while parsing a flow mapping "
	                        "(which began in line 1)\n" },
	{ "link:\n\tmtu: 1\n",
	  "f:2:1: YAML syntax: found character that cannot start any token while scanning for the "
	  "next token (which began in line 2)\n" },
	{ "tcp: &a {msl: 1s}\n", "f:1:6: anchors (&name) are not supported: write the value out\n" },
	{ "link: {name: &a x}\nz: *a\n", "f:1:14: anchors (&name) are not supported: write the value out\n"
	                                 "f:2:4: aliases (*name) are not supported: write the value out\n" },
	{ "link: {mtu: !!int 1500}\n", "f:1:13: tags (!name) are not supported: write the plain value\n" },
	{ "---\n{}\n---\n{}\n", "f:3:1: a second document (after ---) is not supported: only one per file\n" },
	{ "link: {name: \"a\\0b\"}\n",
	  "f:1:14: control characters and line ends are not allowed in a text\n"
	  "f:1:14: link.name: \"a?b\" is not valid: expected an interface name of up to 15 letters, digits and "
	  ". _ -\n" },
	{ "? [a]\n: b\n", "f:1:3: a key must be a plain word\n" },
	{ "'': b\n", "f:1:1: a key is missing before the colon\n" },
	{ "[[[[[[[[[[[[[[[[[[[[", "f:1:1: configuration: expected a section (key: value), found a list\n"
	                          "f:1:13: nested too deeply\n" },
	{ "\xff\xff: 1\n", "f: not a UTF-8 text: invalid leading UTF-8 octet at byte 0\n" },
	/* a service's own section tcp */
	{ "services: [{kind: echo, port: 7, tcp: {mss_mx: 1}}]\n",
	  "f:1:40: services[].tcp: unknown key mss_mx; did you mean mss_max?\n" },
	{ "services: [{kind: echo, port: 7, tcp: {msl: 1s}}]\n",
	  "f:1:40: services[].tcp: only the whole stack can have msl\n" },
	{ "services: [{kind: echo, port: 7, tcp: {ttl: 0}}]\n",
	  "f:1:45: services[].tcp.ttl: 0 is out of range: expected a whole number from 1 to 255\n" },
	{ "services: [{kind: echo, port: 7, tcp: {window_scale: 15}}]\n",
	  "f:1:54: services[].tcp.window_scale: 15 is out of range: expected a whole number from 0 to 14, or "
	  "auto\n" },
	{ "services: [{kind: echo, port: 7, tcp: {ttl: 1, ttl: 2}}]\n",
	  "f:1:48: services[].tcp: ttl is given twice: first in line 1\n" },
	{ "services: [{kind: echo, port: 7, tcp: 5}]\n",
	  "f:1:39: services[].tcp: expected {KEY: VALUE}, found a single value\n" },
	{ "services: [{kind: echo, port: 7, tcp: {rto_max: 10ms}}]\n",
	  "f:1:12: services[].tcp.rto_min: must not be greater than tcp.rto_max\n" },
	/* between keys */
	{ "tcp: {rto_min: 2min}\n", "f:1:7: tcp.rto_min: must not be greater than tcp.rto_max\n" },
	{ "tcp: {rto_max: 500ms}\n", "f: tcp.rto_initial: must be between tcp.rto_min and tcp.rto_max\n" },
	{ "tcp: {rcvbuf_initial: 1GiB}\n", "f:1:7: tcp.rcvbuf_initial: must not be greater than tcp.rcvbuf_max\n" },
	{ "tcp: {sndbuf_max: 512MiB}\n", "f:1:7: tcp.sndbuf_max: must not be greater than limits.buffers\n" },
	{ "tcp: {mss_max: 1461}\n",
	  "f:1:7: tcp.mss_max: must leave 40 bytes of link.mtu for headers: at most 1460\n" },
	{ "stack: {addresses: [192.0.2.1/24]}\n",
	  "f:1:9: stack.addresses: 192.0.2.1 is also in link.host_addresses: the two ends of the link need different "
	  "addresses\n" },
	{ "stack: {addresses: [192.0.2.9/24, 192.0.2.9/25]}\n",
	  "f:1:9: stack.addresses: 192.0.2.9/25 is given twice\n" },
	{ "stack: {addresses: [192.0.2.255/24]}\n",
	  "f:1:9: stack.addresses: 192.0.2.255/24 is the broadcast address of its network\n" },
	{ "stack: {addresses: [192.0.2.0/24]}\n",
	  "f:1:9: stack.addresses: 192.0.2.0/24 is the address of its network, not of a host\n" },
	{ "stack: {addresses: [224.0.0.5/24]}\n", "f:1:9: stack.addresses: 224.0.0.5/24 is a multicast address\n" },
	{ "link: {mtu: 1279}\nstack: {addresses: ['2001:db8::1/64']}\n",
	  "f:2:9: stack.addresses: 2001:db8::1 needs a link.mtu of at least 1280 (RFC 8200)\n" },
	{ "link: {mtu: 1279}\nstack: {accept_ra: yes}\n",
	  "f:2:9: stack.accept_ra: needs a link.mtu of at least 1280 (RFC 8200)\n" },
	{ "stack: {gateway6: '2001:db8:1::1', addresses: ['2001:db8::1/64']}\n",
	  "f:1:9: stack.gateway6: 2001:db8:1::1 is in none of the networks of stack.addresses\n" },
	{ "stack: {gateway6: '2001:db8::1', addresses: ['2001:db8::1/64']}\n",
	  "f:1:9: stack.gateway6: 2001:db8::1 is the stack's own address\n" },
	{ "stack: {gateway6: 192.0.2.1}\n", "f:1:9: stack.gateway6: 192.0.2.1 is no IPv6 address\n" },
	{ "stack: {gateway: 'fe80::1'}\n", "f:1:9: stack.gateway: fe80::1 is no IPv4 address\n" },
	{ "stack: {gateway: 198.51.100.1}\n",
	  "f:1:9: stack.gateway: 198.51.100.1 is in none of the networks of stack.addresses\n" },
	{ "stack: {gateway: 192.0.2.2}\n", "f:1:9: stack.gateway: 192.0.2.2 is the stack's own address\n" },
	{ "link: {mac: '01:00:00:00:00:00'}\n",
	  "f:1:8: link.mac: is a multicast address: the first byte must be even\n" },
	{ "shard: {count: 2}\nlink: {backend: 'unix:/x'}\n",
	  "f:1:9: shard.count: must be 1 with a unix link.backend, which has one queue\n" },
	{ "congestion: {default: cubic}\n",
	  "f:1:14: congestion.default: no algorithm cubic: there are reno; more are "
	  "loaded by plugins.congestion\n" },
	/* services */
	{ "services: [{port: 7}]\n",
	  "f:1:12: services: an entry needs kind: one of echo, discard, chargen, relay, http\n" },
	{ "services: [{kind: ecko, port: 7}]\n",
	  "f:1:19: services[].kind: \"ecko\" is not valid: expected one of echo, discard, chargen, relay, http\n" },
	{ "services: [{kind: echo}]\n",
	  "f:1:12: services: a service of kind echo needs port: a whole number from 1 to 65535\n" },
	{ "services: [{kind: echo, port: 0}]\n",
	  "f:1:31: services[].port: 0 is out of range: expected a whole number from 1 to 65535\n" },
	{ "services: [{kind: relay, port: 1}]\n",
	  "f:1:12: services: a service of kind relay needs target: `unix:/path` or `tcp:HOST:PORT`\n" },
	{ "services: [{kind: echo, port: 1, target: 'unix:/x'}]\n",
	  "f:1:34: services: target is not an option of echo, only of relay\n" },
	{ "services: [{kind: echo, port: 1, idle_timeout: 1s}]\n",
	  "f:1:34: services: idle_timeout is not an option of echo, only of relay and http\n" },
	{ "services: [{kind: echo, port: 1, back_log: 1}]\n",
	  "f:1:34: services: unknown option back_log; did you mean backlog?\n" },
	{ "services: [{kind: echo, port: 1, port: 2}]\n",
	  "f:1:34: services: port is given twice: first in line 1\n" },
	{ "services: [{kind: relay, port: 1, target: here}]\n",
	  "f:1:43: services[].target: \"here\" is not valid: expected `unix:/path` or `tcp:HOST:PORT`\n" },
	{ "services: [echo]\n",
	  "f:1:12: services: expected an entry such as {kind: echo, port: 7}, found a single value\n" },
	{ "services: [{kind: echo, port: 7},\n {kind: echo, port: 8}]\n",
	  "f:2:2: services: two services named echo: give one of them another name\n" },
	{ "services: [{kind: echo, port: 7},\n {kind: discard, port: 7}]\n",
	  "f:2:2: services: echo and discard have the same address and port 7\n" },
	{ "services: [{kind: echo, port: 7, address: 192.0.2.77}]\n",
	  "f:1:12: services: address 192.0.2.77 of service echo is none of stack.addresses\n" },
	{ "services: [{kind: echo, port: 7, congestion: bbr}]\n",
	  "f:1:12: services: no algorithm bbr: there are reno; more are loaded by plugins.congestion\n" },
	{ "limits: {listeners: 1}\nservices: [{kind: echo, port: 7}, {kind: discard, port: 9}]\n",
	  "f:1:10: limits.listeners: must be at least 2 for so many services\n" },
	/* congestion.rules */
	{ "congestion: {rules: [{peer: 192.0.2.0/24}]}\n",
	  "f:1:22: congestion.rules: a rule needs use, shadow or sample: what is to happen\n" },
	{ "congestion: {rules: [{peers: 192.0.2.0/24, use: reno}]}\n",
	  "f:1:23: congestion.rules: unknown entry peers; did you mean peer?: expected service, peer, use, shadow or "
	  "sample\n" },
	{ "congestion: {rules: [{use: bbr, shadow: vegas}]}\n",
	  "f:1:22: congestion.rules: no algorithm bbr: there are reno; more are loaded by plugins.congestion\n"
	  "f:1:22: congestion.rules: no algorithm vegas: there are reno; more are loaded by plugins.congestion\n" },
	{ "congestion: {rules: [{service: web, use: reno}]}\n",
	  "f:1:22: congestion.rules: there is no service named web\n" },
	{ "congestion: {rules: [{use: {reno: 0}}]}\n",
	  "f:1:35: congestion.rules: use: 0 is out of range: expected a whole number from 1 to 1000000\n" },
	{ "congestion: {rules: [{use: {reno: 1, reno: 2}}]}\n",
	  "f:1:38: congestion.rules: use: an algorithm is given twice\n" },
	{ "congestion: {rules: [{use: reno, use: reno}]}\n", "f:1:34: congestion.rules: an entry is given twice\n" },
	{ "congestion: {rules: [{use: []}]}\n",
	  "f:1:28: congestion.rules: use: expected the name of an algorithm, found a list\n" },
	{ "congestion: {rules: [{peer: 192.0.2.300/24, use: reno}]}\n",
	  "f:1:29: congestion.rules: peer: \"192.0.2.300/24\" is not valid: expected a list of addresses "
	  "with prefix length such as [192.0.2.2/24]\n" },
	{ "congestion: {rules: [reno]}\n",
	  "f:1:22: congestion.rules: expected an entry such as {peer: 192.0.2.0/24, use: cubic}\n" },
	/* plugins */
	{ "plugins: {congestion: [{name: x}]}\n",
	  "f:1:24: plugins.congestion: an entry needs plugin: the name of its file without .so\n" },
	{ "plugins: {congestion: [../x]}\n",
	  "f:1:24: plugins.congestion: \"../x\" is not valid: expected a name of up to 63 of a-z 0-9 - _\n" },
	{ "plugins: {congestion: [{plugin: x, parms: {}}]}\n",
	  "f:1:36: plugins.congestion: unknown entry parms; did you mean params?: expected plugin, name or "
	  "params\n" },
	{ "plugins: {logging: [{plugin: x, captur: {}}]}\n",
	  "f:1:33: plugins.logging: unknown entry captur; did you mean capture?: expected plugin, name, params "
	  "or capture\n" },
	{ "plugins: {logging: [{plugin: x, capture: {filter: prt=7}}]}\n",
	  "f:1:51: plugins.logging: capture: filter: character 1: prt is not a field: peer, local, address, dport, "
	  "sport, port or protocol; did you mean port?; a capture has id, state and verdict, too\n" },
	{ "plugins: {logging: [{plugin: x, params: 3}]}\n",
	  "f:1:41: plugins.logging: params: expected {PARAMETER: VALUE}, found a single value\n" },
	{ "plugins: {logging: [x, x]}\n",
	  "f:1:24: plugins.logging: two instances named x: give one of them another name\n" },
	{ "plugins: {congestion: [{plugin: cubic, name: reno}]}\n",
	  "f:1:24: plugins.congestion: reno is built in: choose another name\n" },
};

static void test_bad_files(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		char *messages = complaints(bad[i].text, strlen(bad[i].text));

		if (messages == NULL || strcmp(messages, bad[i].messages) != 0) {
			fprintf(stderr, "---- file\n%s---- expected\n%s---- found\n%s", bad[i].text, bad[i].messages,
			        messages == NULL ? "nothing\n" : messages);
			wrong++;
		}
		free(messages);
	}
	assert_int_equal(wrong, 0);
}

/* A file of nothing but errors is cut short, and says how short. */
static void test_many_errors(void **state)
{
	char *text = NULL, *messages;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	(void)state;
	fputs("services:\n", file);
	for (unsigned i = 0; i < 150; i++)
		fprintf(file, "  - {kind: echo, port: %u, x%u: 1}\n", i + 1, i);
	fclose(file);
	messages = complaints(text, size);
	assert_non_null(messages);
	assert_non_null(
	        strstr(messages, "f:101:29: services: unknown option x99\n50 further errors are not shown\n"));
	free(messages);
	free(text);
}

static void test_too_long(void **state)
{
	size_t length = 1024 * 1024 + 1;
	char *text = malloc(length), *messages;

	(void)state;
	memset(text, ' ', length);
	messages = complaints(text, length);
	assert_string_equal(messages, "f: longer than 1048576 bytes\n");
	free(messages);
	/* Many small values instead of many bytes. */
	memset(text, ',', length - 1);
	for (size_t i = 0; i + 1 < length; i += 2)
		text[i] = 'a';
	text[0] = '[';
	text[1] = 'a';
	messages = complaints(text, length - 1);
	assert_non_null(strstr(messages, "too many values in one file"));
	free(messages);
	free(text);
}

static void test_set(void **state)
{
	static const char *const good[] = { "tcp.msl=1s",
		                            "tcp.msl=2s",
		                            "stack.addresses=[192.0.2.7/24]",
		                            "link.name=\"tap7\"",
		                            "stack.gateway=192.0.2.1",
		                            "services=[{kind: echo, port: 7}]" };
	static const char *const wrong[] = { "tcp.msl", "tcp.mls=1s", "tcp.msl=x", "services=[", "stack.addresses=" };
	struct config_source source = { .set = good, .set_count = COUNT(good) };
	struct config_errors errors = CONFIG_ERRORS_INIT;
	struct config *config = NULL;
	char text[300];
	int found = 0;

	(void)state;
	assert_int_equal(config_load(&source, &config, &errors), 0);
	assert_int_equal(config->tcp.msl.ns, 2000000000);
	assert_int_equal(ip_addr_to_v4(&config->stack.addresses.item[0].ip), 0xc0000207);
	assert_string_equal(config->link.name, "tap7");
	assert_int_equal(config->services.count, 1);
	config_free(config);

	source = (struct config_source){ .set = wrong, .set_count = COUNT(wrong) };
	assert_int_equal(config_load(&source, &config, &errors), -EINVAL);
	assert_int_equal(errors.count, COUNT(wrong));
	config_error_format(&errors.error[0], text, sizeof(text));
	assert_non_null(strstr(text, "--set"));
	/* Of several settings, the one that cannot even be read is named too. */
	for (size_t i = 0; i < errors.count; i++) {
		config_error_format(&errors.error[i], text, sizeof(text));
		found += strncmp(text, "--set services:", 15) == 0;
	}
	assert_int_equal(found, 1);
	config_errors_free(&errors);
}

static void test_files(void **state)
{
	char directory[] = "/tmp/tapstack-config-XXXXXX", path[100];
	struct config_source source = { .path = path };
	struct config_errors errors = CONFIG_ERRORS_INIT;
	struct config *config = NULL;
	FILE *file;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/t.yaml", directory);
	assert_int_equal(config_load(&source, &config, &errors), -ENOENT);
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.error[0].message, "No such file or directory");
	config_errors_free(&errors);
	file = fopen(path, "w");
	fputs("link: {mtu: 9000}\n", file);
	fclose(file);
	assert_int_equal(config_load(&source, &config, &errors), 0);
	assert_int_equal(config->link.mtu, 9000);
	config_free(config);
	unlink(path);
	/* Nobody writes to this FIFO: reading it must not wait. */
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(config_load(&source, &config, &errors), -EINVAL);
	assert_string_equal(errors.error[0].message, "not a regular file");
	config_errors_free(&errors);
	unlink(path);
	rmdir(directory);
}

/* The shipped file says what holds without it, but for its examples. */
static void test_template(void **state)
{
	struct config_difference *difference = NULL;
	struct config *shipped, *plain = parse("");
	char *text = NULL;
	size_t size = 0, count;
	const struct config_key *keys = config_keys(&count);
	FILE *file = open_memstream(&text, &size);

	(void)state;
	assert_int_equal(config_write_template(file), 0);
	fclose(file);
	shipped = parse(text);
	assert_int_equal(config_diff(plain, shipped, &difference), 0);
	for (size_t i = 0; i < difference->change_count; i++)
		if (difference->change[i].key->example == NULL)
			fail_msg("%s: %s", difference->change[i].key->path, difference->change[i].after);
	assert_int_equal(shipped->services.count, 5);
	assert_int_equal(difference->service_count, 5);
	config_difference_free(difference);
	for (size_t i = 0; i < count; i++) {
		const char *last = strrchr(keys[i].path, '.');
		char line[100];

		snprintf(line, sizeof(line), "%s%s:", last == NULL ? "\n" : "\n  ",
		         last == NULL ? keys[i].path : last + 1);
		if (strstr(text, line) == NULL)
			fail_msg("%s is not in the shipped file", keys[i].path);
	}
	config_free(shipped);
	config_free(plain);
	free(text);
}

static void test_table(void **state)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		assert_non_null(keys[i].help);
		assert_non_null(keys[i].initial);
		assert_true(keys[i].min <= keys[i].max);
		assert_ptr_equal(config_find_key(keys[i].path), &keys[i]);
	}
	assert_null(config_find_key("tcp"));
	assert_string_equal(config_service_kind_name(CONFIG_SERVICE_HTTP), "http");
	assert_string_equal(config_service_kind_name(99), "?");
}

/* Every value, written and read again, is the same. */
static void test_with(void **state)
{
	struct config *base = parse("plugins: {logging: [{plugin: p, name: q, params: {a: \"b c\", d: 'e\"f'}}]}\n"
	                            "control: {admin: [\"group:x\"]}\n"
	                            "services:\n"
	                            "  - {kind: relay, port: 80, target: 'tcp:[::1]:80', idle_timeout: 90s}\n"
	                            "  - {kind: http, port: 81}\n");
	struct config_errors errors = CONFIG_ERRORS_INIT;
	struct config_difference *difference = NULL;
	struct config *changed = NULL;

	(void)state;
	assert_int_equal(config_with(base, "log.level", "debug", &changed, &errors), 0);
	assert_int_equal(config_diff(base, changed, &difference), 0);
	assert_int_equal(difference->change_count, 1);
	assert_int_equal(difference->service_count, 0);
	assert_int_equal(difference->restart_count, 0);
	assert_string_equal(difference->change[0].key->path, "log.level");
	assert_string_equal(difference->change[0].before, "info");
	assert_string_equal(difference->change[0].after, "debug");
	assert_string_equal(changed->plugins.logging.item[0].param[1].value, "e\"f");
	config_difference_free(difference);
	config_free(changed);

	assert_int_equal(config_with(base, "log.levl", "debug", &changed, &errors), -EINVAL);
	assert_string_equal(errors.error[0].message, "unknown key log.levl; did you mean log.level?");
	config_errors_free(&errors);
	assert_int_equal(config_with(base, "tcp.rto_min", "5min", &changed, &errors), -EINVAL);
	assert_string_equal(errors.error[0].message, "tcp.rto_min: must not be greater than tcp.rto_max");
	config_errors_free(&errors);
	config_free(base);
}

static void test_diff(void **state)
{
	struct config *before =
	        parse("tcp: {msl: 60}\n"
	              "services: [{kind: echo, port: 7}, {kind: discard, port: 9}, {kind: chargen, port: "
	              "19}, {kind: echo, name: same, port: 1, tcp: {ttl: 9}}, {kind: echo, name: other, port: 2, "
	              "tcp: {ttl: "
	              "9}}]\n");
	struct config *after =
	        parse("tcp: {msl: 1min}\nlink: {mtu: 9000}\nlog: {level: error}\n"
	              "services: [{kind: chargen, port: 19}, {kind: echo, port: 8}, {kind: http, port: "
	              "80}, {kind: echo, name: same, port: 1, tcp: {ttl: 9}}, {kind: echo, name: other, port: 2, "
	              "tcp: {ttl: "
	              "8}}]\n");
	struct config_difference *difference = NULL;

	(void)state;
	assert_int_equal(config_diff(before, after, &difference), 0);
	assert_int_equal(difference->change_count, 2);
	assert_string_equal(difference->change[0].key->path, "link.mtu");
	assert_true(difference->change[0].restart);
	assert_string_equal(difference->change[1].key->path, "log.level");
	assert_false(difference->change[1].restart);
	assert_int_equal(difference->restart_count, 1);
	assert_int_equal(difference->service_count, 4);
	assert_int_equal(difference->service[0].what, CONFIG_SERVICE_CHANGED);
	assert_int_equal(difference->service[0].after->port, 8);
	assert_int_equal(difference->service[1].what, CONFIG_SERVICE_REMOVED);
	assert_string_equal(difference->service[1].before->name, "discard");
	assert_int_equal(difference->service[2].what, CONFIG_SERVICE_CHANGED);
	assert_string_equal(difference->service[2].after->name, "other");
	assert_int_equal(difference->service[3].what, CONFIG_SERVICE_ADDED);
	assert_string_equal(difference->service[3].after->name, "http");
	config_difference_free(difference);
	config_difference_free(NULL);
	config_free(before);
	config_free(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),  cmocka_unit_test(test_rules),
		cmocka_unit_test(test_values),    cmocka_unit_test(test_service_tunables),
		cmocka_unit_test(test_bad_files), cmocka_unit_test(test_many_errors),
		cmocka_unit_test(test_too_long),  cmocka_unit_test(test_set),
		cmocka_unit_test(test_files),     cmocka_unit_test(test_template),
		cmocka_unit_test(test_table),     cmocka_unit_test(test_with),
		cmocka_unit_test(test_diff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
