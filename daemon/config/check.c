/* Rules between keys. Each names the key that a person would change. */
#include "config/errors.h"
#include "config/reader.h"
#include "config/value.h"

#include <string.h>

#define IPV6_MTU_LEAST 1280u

static const struct config_place *place_of(const struct reader *reader, const char *path)
{
	size_t count;
	const struct config_key *keys = config_keys(&count), *key = config_find_key(path);

	return key == NULL ? &reader->nowhere : &reader->place[key - keys];
}

#define COMPLAIN(reader, path, ...) errors_add((reader)->errors, place_of(reader, path), path ": " __VA_ARGS__)

/* The section tcp of the stack, or that of a service with what it inherits. */
struct tunables {
	const struct stack_tcp_config *tcp;
	const struct config_service *service; /* NULL: of the stack */
};

static void complain_of(struct reader *reader, const struct tunables *tunables, const char *path, const char *what)
{
	const struct config_service *service = tunables->service;

	errors_add(reader->errors, service ? &service->place : place_of(reader, path), "%s%s: %s",
	           service ? "services[]." : "", path, what);
}

static void check_timers(struct reader *reader, const struct tunables *tunables)
{
	const struct stack_tcp_config *tcp = tunables->tcp;

	if (tcp->rto_min.ns > tcp->rto_max.ns)
		complain_of(reader, tunables, "tcp.rto_min", "must not be greater than tcp.rto_max");
	else if (tcp->rto_initial.ns < tcp->rto_min.ns || tcp->rto_initial.ns > tcp->rto_max.ns)
		complain_of(reader, tunables, "tcp.rto_initial", "must be between tcp.rto_min and tcp.rto_max");
	if (tcp->retransmit_timeout.ns < tcp->rto_min.ns)
		complain_of(reader, tunables, "tcp.retransmit_timeout", "must not be less than tcp.rto_min");
}

static void check_buffers(struct reader *reader, const struct tunables *tunables)
{
	const struct config *config = reader->config;
	const struct stack_tcp_config *tcp = tunables->tcp;
	char text[100];

	if (tcp->rcvbuf_initial_bytes > tcp->rcvbuf_max_bytes)
		complain_of(reader, tunables, "tcp.rcvbuf_initial", "must not be greater than tcp.rcvbuf_max");
	if (tcp->sndbuf_initial_bytes > tcp->sndbuf_max_bytes)
		complain_of(reader, tunables, "tcp.sndbuf_initial", "must not be greater than tcp.sndbuf_max");
	if (tcp->rcvbuf_max_bytes > config->limits.buffers)
		complain_of(reader, tunables, "tcp.rcvbuf_max", "must not be greater than limits.buffers");
	if (tcp->sndbuf_max_bytes > config->limits.buffers)
		complain_of(reader, tunables, "tcp.sndbuf_max", "must not be greater than limits.buffers");
	if (tcp->mss_max_bytes != 0 && tcp->mss_max_bytes < 64)
		complain_of(reader, tunables, "tcp.mss_max", "must be 0 (what the MTU allows) or at least 64 bytes");
	snprintf(text, sizeof(text), "must leave 40 bytes of link.mtu for headers: at most %u",
	         config->link.mtu - 40);
	if (tcp->mss_max_bytes > config->link.mtu - 40)
		complain_of(reader, tunables, "tcp.mss_max", text);
}

static void check_tunables(struct reader *reader)
{
	const struct config *config = reader->config;
	struct tunables tunables = { &config->tcp, NULL };

	check_timers(reader, &tunables);
	check_buffers(reader, &tunables);
	for (size_t i = 0; i < config->services.count; i++) {
		if (config->services.item[i].tcp_given == NULL)
			continue;
		tunables = (struct tunables){ &config->services.item[i].tcp, &config->services.item[i] };
		check_timers(reader, &tunables);
		check_buffers(reader, &tunables);
	}
}

static bool same_network(const struct config_prefix *prefix, const struct ip_addr *ip)
{
	unsigned bytes = prefix->bits / 8u, rest = prefix->bits % 8u;

	if (memcmp(prefix->ip.b, ip->b, bytes) != 0)
		return false;
	return rest == 0 || (prefix->ip.b[bytes] ^ ip->b[bytes]) >> (8u - rest) == 0;
}

/* What is wrong with it as an address of a host; NULL: nothing. */
static const char *host_fault(const struct config_prefix *prefix)
{
	uint32_t v4 = ip_addr_to_v4(&prefix->ip), host_mask;

	if (ip_addr_is_any(&prefix->ip))
		return "is no host's address";
	if (!ip_addr_is_v4(&prefix->ip))
		return prefix->ip.b[0] == 0xff ? "is a multicast address" : NULL;
	if (v4 >> 28 == 0xe)
		return "is a multicast address";
	if (v4 >> 28 == 0xf || v4 >> 24 == 0 || v4 >> 24 == 127)
		return "is no address for an interface";
	if (prefix->bits < 97)
		return "needs a prefix length of at least 1";
	if (prefix->bits >= 127)
		return NULL; /* /31 and /32 have neither network nor broadcast address (RFC 3021) */
	host_mask = UINT32_MAX >> (prefix->bits - 96);
	if ((v4 & host_mask) == 0)
		return "is the address of its network, not of a host";
	return (v4 & host_mask) == host_mask ? "is the broadcast address of its network" : NULL;
}

static void check_address(struct reader *reader, const char *path, const struct config_prefix_list *list,
                          size_t index)
{
	const struct config_place *place = place_of(reader, path);
	const struct config_prefix *prefix = &list->item[index];
	const char *fault = host_fault(prefix);
	char text[VALUE_TEXT_MAX];

	value_write_prefix(prefix, text);
	if (fault != NULL)
		errors_add(reader->errors, place, "%s: %s %s", path, text, fault);
	for (size_t i = 0; i < index; i++)
		if (ip_addr_equal(&list->item[i].ip, &prefix->ip))
			errors_add(reader->errors, place, "%s: %s is given twice", path, text);
}

static void check_addresses(struct reader *reader)
{
	const struct config *config = reader->config;
	const struct config_prefix_list *ours = &config->stack.addresses, *theirs = &config->link.host_addresses;
	char text[VALUE_TEXT_MAX];

	for (size_t i = 0; i < theirs->count; i++)
		check_address(reader, "link.host_addresses", theirs, i);
	for (size_t i = 0; i < ours->count; i++) {
		value_write_ip(&ours->item[i].ip, text);
		check_address(reader, "stack.addresses", ours, i);
		if (!ip_addr_is_v4(&ours->item[i].ip) && config->link.mtu < IPV6_MTU_LEAST)
			COMPLAIN(reader, "stack.addresses", "%s needs a link.mtu of at least %u (RFC 8200)", text,
			         IPV6_MTU_LEAST);
		for (size_t j = 0; j < theirs->count; j++)
			if (ip_addr_equal(&ours->item[i].ip, &theirs->item[j].ip))
				COMPLAIN(reader, "stack.addresses",
				         "%s is also in link.host_addresses: the two ends of the link need different "
				         "addresses",
				         text);
	}
	if (config->stack.accept_ra && config->link.mtu < IPV6_MTU_LEAST)
		COMPLAIN(reader, "stack.accept_ra", "needs a link.mtu of at least %u (RFC 8200)", IPV6_MTU_LEAST);
}

static void check_gateway(struct reader *reader, const char *path, const struct ip_addr *gateway, bool v4)
{
	const struct config_prefix_list *ours = &reader->config->stack.addresses;
	bool near = gateway->b[0] == 0xfe && (gateway->b[1] & 0xc0) == 0x80; /* link-local */
	char text[VALUE_TEXT_MAX];

	if (ip_addr_is_any(gateway))
		return;
	value_write_ip(gateway, text);
	if (ip_addr_is_v4(gateway) != v4) {
		errors_add(reader->errors, place_of(reader, path), "%s: %s is no IPv%c address", path, text,
		           v4 ? '4' : '6');
		return;
	}
	for (size_t i = 0; i < ours->count; i++) {
		if (ip_addr_equal(&ours->item[i].ip, gateway))
			errors_add(reader->errors, place_of(reader, path), "%s: %s is the stack's own address", path,
			           text);
		near |= same_network(&ours->item[i], gateway);
	}
	if (!near)
		errors_add(reader->errors, place_of(reader, path),
		           "%s: %s is in none of the networks of stack.addresses", path, text);
}

static void check_link(struct reader *reader)
{
	const struct config *config = reader->config;
	static const struct mac_addr automatic;

	if (memcmp(&config->link.mac, &automatic, sizeof(automatic)) != 0 && mac_addr_is_group(&config->link.mac))
		COMPLAIN(reader, "link.mac", "is a multicast address: the first byte must be even");
	if (config->shard.count > 1 && strcmp(config->link.backend, "tap") != 0)
		COMPLAIN(reader, "shard.count", "must be 1 with a unix link.backend, which has one queue");
}

static bool known_algorithm(const struct config *config, const char *name)
{
	if (strcmp(name, "reno") == 0)
		return true;
	for (size_t i = 0; i < config->plugins.congestion.count; i++)
		if (strcmp(config->plugins.congestion.item[i].name, name) == 0)
			return true;
	return false;
}

static void check_algorithm(struct reader *reader, const struct config_place *place, const char *what,
                            const char *name)
{
	const struct config_plugin_list *list = &reader->config->plugins.congestion;
	char known[200] = "reno";

	if (known_algorithm(reader->config, name))
		return;
	for (size_t i = 0, at = 4; i < list->count && at < sizeof(known); i++)
		at += (size_t)snprintf(known + at, sizeof(known) - at, ", %s", list->item[i].name);
	errors_add(reader->errors, place, "%s: no algorithm %s: there are %s; more are loaded by plugins.congestion",
	           what, name, known);
}

static void check_plugin_names(struct reader *reader, const char *what, const struct config_plugin_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct config_plugin *plugin = &list->item[i];

		if (list == &reader->config->plugins.congestion && strcmp(plugin->name, "reno") == 0)
			errors_add(reader->errors, &plugin->place, "%s: reno is built in: choose another name", what);
		for (size_t j = 0; j < i; j++)
			if (strcmp(list->item[j].name, plugin->name) == 0)
				errors_add(reader->errors, &plugin->place,
				           "%s: two instances named %s: give one of them another name", what,
				           plugin->name);
	}
}

static void check_service(struct reader *reader, size_t index)
{
	const struct config *config = reader->config;
	const struct config_service *service = &config->services.item[index];
	bool ours = ip_addr_is_any(&service->address);
	char text[VALUE_TEXT_MAX];

	value_write_ip(&service->address, text);
	for (size_t i = 0; i < config->stack.addresses.count; i++)
		ours |= ip_addr_equal(&service->address, &config->stack.addresses.item[i].ip);
	if (!ours)
		errors_add(reader->errors, &service->place,
		           "services: address %s of service %s is none of stack.addresses", text, service->name);
	if (service->congestion[0] != '\0')
		check_algorithm(reader, &service->place, "services", service->congestion);
	for (size_t i = 0; i < index; i++) {
		const struct config_service *other = &config->services.item[i];

		if (strcmp(other->name, service->name) == 0)
			errors_add(reader->errors, &service->place,
			           "services: two services named %s: give one of them another name", service->name);
		if (other->port == service->port && ip_addr_equal(&other->address, &service->address))
			errors_add(reader->errors, &service->place,
			           "services: %s and %s have the same address and port %u", other->name,
			           service->name, service->port);
	}
}

static void check_rule(struct reader *reader, const struct config_rule *rule)
{
	const struct config_service_list *services = &reader->config->services;
	bool found = rule->service[0] == '\0';

	for (size_t i = 0; i < services->count && !found; i++)
		found = strcmp(services->item[i].name, rule->service) == 0;
	if (!found)
		errors_add(reader->errors, &rule->place, "congestion.rules: there is no service named %s",
		           rule->service);
	for (size_t i = 0; i < rule->arm_count; i++)
		check_algorithm(reader, &rule->place, "congestion.rules", rule->arm[i].name);
	if (rule->shadow[0] != '\0')
		check_algorithm(reader, &rule->place, "congestion.rules", rule->shadow);
}

void reader_check(struct reader *reader)
{
	const struct config *config = reader->config;

	reader_inherit(reader);
	check_tunables(reader);
	check_addresses(reader);
	check_gateway(reader, "stack.gateway", &config->stack.gateway, true);
	check_gateway(reader, "stack.gateway6", &config->stack.gateway6, false);
	check_link(reader);
	check_plugin_names(reader, "plugins.congestion", &config->plugins.congestion);
	check_plugin_names(reader, "plugins.logging", &config->plugins.logging);
	check_algorithm(reader, place_of(reader, "congestion.default"), "congestion.default",
	                config->congestion.standard);
	for (size_t i = 0; i < config->congestion.rules.count; i++)
		check_rule(reader, &config->congestion.rules.item[i]);
	if (config->services.count > config->limits.listeners)
		COMPLAIN(reader, "limits.listeners", "must be at least %zu for so many services",
		         config->services.count);
	for (size_t i = 0; i < config->services.count; i++)
		check_service(reader, i);
}
