/* congestion.rules: from the configuration to every shard. */
#include "main.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct running_service *find_service(const struct running_services *services, const char *name)
{
	for (size_t i = 0; i < services->count; i++) {
		if (strcmp(services->item[i].options.name, name) == 0)
			return &services->item[i];
	}
	return NULL;
}

static const struct stack_congestion *find_algorithm(const struct daemon *daemon,
                                                     const struct registry_change *change,
                                                     const struct config_rule *rule, const char *name, json_t *errors)
{
	const struct stack_congestion *congestion = plugins_congestion(daemon, change, name);

	if (!congestion)
		json_array_append_new(errors,
		                      json_sprintf("%s:%u:%u: congestion.rules: there is no congestion "
		                                   "algorithm called %s",
		                                   rule->place.file, rule->place.line, rule->place.column, name));
	return congestion;
}

/* All of the rule but its peer. False: see errors. */
static bool resolve(const struct daemon *daemon, const struct config_rule *rule, const struct registry_change *change,
                    const struct running_services *services, struct stack_congestion_rule *ret, json_t *errors)
{
	struct stack_congestion_rule made = { .any_service = *rule->service == '\0', .sample_every = rule->sample };
	const struct running_service *service = find_service(services, rule->service);
	bool good = true;

	if (!made.any_service && service)
		made.service = service->options.id;
	for (size_t i = 0; i < rule->arm_count; i++) {
		made.arm[i].congestion = find_algorithm(daemon, change, rule, rule->arm[i].name, errors);
		made.arm[i].weight = rule->arm[i].weight;
		good &= made.arm[i].congestion != NULL;
	}
	made.arm_count = (uint32_t)rule->arm_count;
	if (*rule->shadow) {
		made.shadow = find_algorithm(daemon, change, rule, rule->shadow, errors);
		good &= made.shadow != NULL;
	}
	*ret = made;
	return good && (made.any_service || service);
}

/* The stack's rules have one prefix each. */
static size_t count_rules(const struct config_rule_list *list)
{
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++)
		count += list->item[i].peers.count > 0 ? list->item[i].peers.count : 1;
	return count;
}

int rules_resolve(const struct daemon *daemon, const struct config *config, const struct registry_change *change,
                  const struct running_services *services, struct congestion_rules *ret_rules, json_t *errors)
{
	const struct config_rule_list *list = &config->congestion.rules;
	size_t count = count_rules(list);
	struct congestion_rules rules = { calloc(count + 1, sizeof(*rules.item)), 0 };
	bool good = true;

	if (!rules.item)
		return -ENOMEM;
	if (count > STACK_RULES_MAX) {
		json_array_append_new(errors, json_sprintf("congestion.rules: %zu prefixes in all, at most %u can be",
		                                           count, STACK_RULES_MAX));
		good = false;
	}
	for (size_t i = 0; good && i < list->count; i++) {
		const struct config_prefix_list *peers = &list->item[i].peers;
		struct stack_congestion_rule rule;

		good = resolve(daemon, &list->item[i], change, services, &rule, errors);
		for (size_t j = 0; good && j < (peers->count > 0 ? peers->count : 1); j++) {
			if (peers->count > 0)
				rule.peer = (struct stack_address){ peers->item[j].ip, peers->item[j].bits };
			rules.item[rules.count++] = rule;
		}
	}
	if (!good) {
		rules_free(&rules);
		return -EINVAL;
	}
	*ret_rules = rules;
	return 0;
}

void rules_free(struct congestion_rules *rules)
{
	free(rules->item);
	*rules = (struct congestion_rules){ 0 };
}

static void apply_on_shard(void *context, struct shard *shard)
{
	const struct congestion_rules *rules = context;
	int error = stack_set_congestion_rules(shard_stack(shard), rules->item, rules->count);

	if (error != 0)
		log_write(LOG_ERR, "shard %u keeps its old congestion.rules: %s", shard_index(shard),
		          strerror(-error));
}

void rules_apply(struct daemon *daemon, struct congestion_rules *rules)
{
	shards_call(daemon->shards, apply_on_shard, rules);
}

bool rules_name(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->congestion.rules.count; i++) {
		const struct config_rule *rule = &config->congestion.rules.item[i];

		if (strcmp(rule->shadow, name) == 0)
			return true;
		for (size_t j = 0; j < rule->arm_count; j++) {
			if (strcmp(rule->arm[j].name, name) == 0)
				return true;
		}
	}
	return false;
}
