#include "config/config.h"

void config_stack(const struct config *config, struct stack_config *ret_stack)
{
	stack_config_init(ret_stack);
	ret_stack->mac = config_mac(config);
	ret_stack->address_count = (uint32_t)config->stack.addresses.count;
	for (size_t i = 0; i < config->stack.addresses.count; i++)
		ret_stack->address[i] = (struct stack_address){ config->stack.addresses.item[i].ip,
			                                        config->stack.addresses.item[i].bits };
	ret_stack->gateway = config->stack.gateway;
	ret_stack->gateway6 = config->stack.gateway6;
	ret_stack->dad_transmits = config->stack.dad_transmits;
	ret_stack->accept_ra = config->stack.accept_ra;
	ret_stack->mtu_bytes = config->link.mtu;
	ret_stack->connections_max = config->limits.connections;
	ret_stack->half_open_max = config->limits.half_open;
	ret_stack->time_wait_max = config->limits.time_wait;
	ret_stack->listeners_max = config->limits.listeners;
	ret_stack->neighbours_max = config->limits.neighbours;
	ret_stack->paths_max = config->limits.paths;
	ret_stack->buffers_max_bytes = config->limits.buffers;
	ret_stack->fragments_max_bytes = (uint32_t)config->limits.fragments;
	ret_stack->tcp = config->tcp;
}
