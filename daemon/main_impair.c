/* link.impair: from the configuration, or from the control socket, to rules in every shard. Rules that stay keep what
 * they hold and have counted; see link/impair/rules.h. */
#include "main.h"

#include "link/impair/rules.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(CONFIG_IMPAIR_MAX == IMPAIR_RULES_MAX, "what the configuration takes, the link can do");

/* ---- a rule as the link has it -----------------------------------------------------------------------------------
 */

static struct impair_line_options line_of(const struct config_impair *rule)
{
	static const enum impair_discipline disciplines[] = {
		[CONFIG_IMPAIR_DROP_TAIL] = IMPAIR_DROP_TAIL,
		[CONFIG_IMPAIR_CODEL] = IMPAIR_CODEL,
		[CONFIG_IMPAIR_CODEL_ECN] = IMPAIR_CODEL,
		[CONFIG_IMPAIR_STEP] = IMPAIR_STEP,
	};

	return (struct impair_line_options){
		.bytes_per_s = rule->rate,
		.overhead_bytes = rule->overhead,
		.queue_bytes = rule->queue,
		.queue_packets = rule->queue_packets,
		.discipline = disciplines[rule->discipline],
		.target = rule->target,
		.interval = rule->interval,
		.ecn = rule->discipline == CONFIG_IMPAIR_CODEL_ECN,
	};
}

static struct impair_way_options way_of(const struct config_impair *rule)
{
	return (struct impair_way_options){
		.nth = { rule->drop_first ? rule->drop_first : rule->drop_every, rule->drop_every, rule->drop_count },
		.outage = { rule->outage_up, duration_max(rule->outage_up, rule->outage_up_max), rule->outage_down,
		            duration_max(rule->outage_down, rule->outage_down_max) },
		.loss = rule->loss,
		.burst_packets = rule->burst,
		.duplicate = rule->duplicate,
		.corrupt = rule->corrupt,
		.reorder = { .per_million = rule->reorder,
		             .hold_min = rule->reorder_min,
		             .hold_max = rule->reorder_max },
		.line = line_of(rule),
		.delay = { rule->delay, rule->jitter, rule->jitter_reorders, rule->delay_packets },
	};
}

static struct impair_rule *make_rule(const struct config_impair *rule, uint64_t *ret_seed)
{
	struct impair_rule_options options = {
		.applies = { [IMPAIR_IN] = rule->direction != CONFIG_IMPAIR_OUT,
		             [IMPAIR_OUT] = rule->direction != CONFIG_IMPAIR_IN },
		.filter = rule->filter,
		.way = way_of(rule),
		.seed = rule->seed,
	};

	if (options.seed == 0)
		randombytes_buf(&options.seed, sizeof(options.seed));
	*ret_seed = options.seed;
	return impair_rule_new(&options);
}

/* ---- taking over new rules ---------------------------------------------------------------------------------------
 */

static void free_rules(struct running_impair *rules)
{
	for (size_t i = 0; i < rules->count; i++) {
		impair_rule_unref(rules->item[i].made);
		free(rules->item[i].text);
	}
	free(rules);
}

static struct running_rule *find_text(struct running_impair *rules, const char *text)
{
	for (size_t i = 0; rules && i < rules->count; i++)
		if (strcmp(rules->item[i].text, text) == 0)
			return &rules->item[i];
	return NULL;
}

/* Rules made ready; those that are as they were are the same ones. NULL: no memory. */
static struct running_impair *make_rules(struct running_impair *before, const struct config_impair *rule,
                                         size_t count)
{
	struct running_impair *rules = calloc(1, sizeof(*rules));

	for (size_t i = 0; rules && i < count; i++) {
		struct running_rule *item = &rules->item[rules->count++], *same;

		item->rule = rule[i];
		if (config_impair_text(&rule[i], &item->text) != 0) {
			free_rules(rules);
			return NULL;
		}
		same = find_text(before, item->text);
		if (same) {
			item->made = impair_rule_ref(same->made);
			item->seed = same->seed;
		} else {
			item->made = make_rule(&rule[i], &item->seed);
		}
		if (!item->made) {
			free_rules(rules);
			return NULL;
		}
	}
	return rules;
}

struct setting {
	struct impair_rule *rule[IMPAIR_RULES_MAX];
	size_t count;
	int error;
};

static void set_rules(void *context, struct shard *shard)
{
	struct setting *setting = context;

	if (setting->error == 0)
		setting->error = shard_impair(shard, setting->rule, setting->count);
}

static int give_to_shards(struct daemon *daemon, const struct running_impair *rules)
{
	struct setting setting = { .count = rules ? rules->count : 0 };

	for (size_t i = 0; i < setting.count; i++)
		setting.rule[i] = rules->item[i].made;
	shards_call(daemon->shards, set_rules, &setting);
	return setting.error;
}

static void log_rules(const struct running_impair *before, const struct running_impair *now)
{
	for (size_t i = 0; i < now->count; i++)
		log_write(LOG_WARNING, "frames are impaired on purpose (link.impair): %s", now->item[i].text);
	if (before && before->count > 0 && now->count == 0)
		log_write(LOG_NOTICE, "frames are not impaired any more");
}

static int apply(struct daemon *daemon, const struct config_impair *rule, size_t count, bool by_control)
{
	struct running_impair *before = daemon->impair, *rules = make_rules(before, rule, count);
	int error;

	if (!rules)
		return -ENOMEM;
	error = give_to_shards(daemon, rules);
	if (error != 0) {
		/* Those that have the new ones go back; their counters begin anew. */
		if (give_to_shards(daemon, before) != 0)
			log_write(LOG_ERR, "link.impair is not the same in all shards: %s; set it again",
			          strerror(ENOMEM));
		free_rules(rules);
		return error;
	}
	rules->by_control = by_control;
	log_rules(before, rules);
	daemon->impair = rules;
	if (before)
		free_rules(before);
	return 0;
}

int impair_apply(struct daemon *daemon, const struct config *config)
{
	return apply(daemon, config->link.impair.item, config->link.impair.count, false);
}

void impair_free(struct daemon *daemon)
{
	if (daemon->impair)
		free_rules(daemon->impair);
	daemon->impair = NULL;
}

/* ---- the control socket ------------------------------------------------------------------------------------------
 */

struct counting {
	size_t count;
	struct impair_rule_counters sum[IMPAIR_RULES_MAX][IMPAIR_DIRECTIONS];
};

/* All members are numbers of 64 bits. */
static void add_counters(struct impair_rule_counters *sum, const struct impair_rule_counters *more)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)more;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += from[i];
}

static void count_rules(void *context, struct shard *shard)
{
	struct counting *counting = context;

	for (size_t i = 0; i < counting->count; i++) {
		for (unsigned direction = 0; direction < IMPAIR_DIRECTIONS; direction++) {
			struct impair_rule_counters one;

			shard_impair_count(shard, i, direction, &one);
			add_counters(&counting->sum[i][direction], &one);
		}
	}
}

static json_t *rule_object(const struct running_rule *rule, unsigned direction,
                           const struct impair_rule_counters *counters)
{
	const struct impair_way_counters *way = &counters->way;
	char seed[24];
	uint64_t dropped = way->lost + way->dropped_nth + way->dropped_outage + way->dropped_queue +
	                   way->dropped_delay + counters->no_memory;

	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)rule->seed);
	return json_pack(
	        "{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
	        "s:I, s:I, s:I, s:I, s:I}",
	        "name", rule->rule.name, "direction", direction == IMPAIR_IN ? "in" : "out", "rule", rule->text,
	        "seed", seed, "frames", (json_int_t)counters->frames, "bytes", (json_int_t)counters->bytes, "packets",
	        (json_int_t)way->packets, "passed", (json_int_t)way->passed, "dropped", (json_int_t)dropped, "harmed",
	        (json_int_t)(way->duplicated + way->corrupted + way->reordered + way->marked), "held",
	        (json_int_t)(way->queue_packets + way->delayed_packets), "held_bytes",
	        (json_int_t)(way->queue_bytes + way->delayed_bytes), "lost", (json_int_t)way->lost, "dropped_nth",
	        (json_int_t)way->dropped_nth, "dropped_outage", (json_int_t)way->dropped_outage, "dropped_queue",
	        (json_int_t)way->dropped_queue, "dropped_delay", (json_int_t)way->dropped_delay, "no_memory",
	        (json_int_t)counters->no_memory, "duplicated", (json_int_t)way->duplicated, "corrupted",
	        (json_int_t)way->corrupted, "reordered", (json_int_t)way->reordered, "marked",
	        (json_int_t)way->marked);
}

json_t *impair_show(struct daemon *daemon)
{
	struct counting *counting = calloc(1, sizeof(*counting));
	json_t *array = json_array();

	if (!counting || !array) {
		free(counting);
		json_decref(array);
		return NULL;
	}
	counting->count = daemon->impair ? daemon->impair->count : 0;
	if (counting->count > 0)
		shards_call(daemon->shards, count_rules, counting);
	for (size_t i = 0; i < counting->count; i++) {
		const struct running_rule *rule = &daemon->impair->item[i];

		for (unsigned direction = 0; direction < IMPAIR_DIRECTIONS; direction++) {
			uint32_t other = direction == IMPAIR_IN ? CONFIG_IMPAIR_OUT : CONFIG_IMPAIR_IN;

			if (rule->rule.direction != other)
				json_array_append_new(array,
				                      rule_object(rule, direction, &counting->sum[i][direction]));
		}
	}
	free(counting);
	return array;
}

static void add_errors(json_t *list, const struct config_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		json_array_append_new(list, json_string(errors->error[i].message));
}

static int fail(json_t *errors, const char *format, const char *name)
{
	json_array_append_new(errors, json_sprintf(format, name));
	return -EINVAL;
}

static size_t find_name(const struct config_impair_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->item[i].name, name) == 0)
			return i;
	return list->count;
}

static int set_options(struct config_impair *rule, const json_t *options, struct config_errors *errors)
{
	const char *name;
	json_t *value;
	int result = 0;

	json_object_foreach((json_t *)options, name, value)
	{
		int error =
		        config_impair_set(rule, name, json_is_string(value) ? json_string_value(value) : "", errors);

		if (error != 0)
			result = error;
	}
	return result;
}

/* A name that no rule has. */
static void choose_name(const struct config_impair_list *list, struct config_impair *rule)
{
	for (size_t i = list->count + 1;; i++) {
		snprintf(rule->name, sizeof(rule->name), "rule%zu", i);
		if (find_name(list, rule->name) == list->count)
			return;
	}
}

static int add_rule(struct config_impair_list *list, const struct control_impair_change *change,
                    struct config_errors *errors, json_t *texts)
{
	size_t at = change->before ? find_name(list, change->before) : list->count;
	struct config_impair rule;
	int error;

	if (list->count == CONFIG_IMPAIR_MAX)
		return fail(texts, "there are as many rules as there may be%s", "");
	if (change->before && at == list->count)
		return fail(texts, "there is no rule %s to put it before", change->before);
	config_impair_init(&rule);
	choose_name(list, &rule);
	error = set_options(&rule, change->options, errors);
	memmove(&list->item[at + 1], &list->item[at], (list->count - at) * sizeof(rule));
	list->item[at] = rule;
	list->count++;
	return error;
}

static int edit(struct config_impair_list *list, const struct control_impair_change *change,
                struct config_errors *errors, json_t *texts)
{
	size_t at = change->name ? find_name(list, change->name) : 0;

	if (change->name && at == list->count)
		return fail(texts, "there is no rule %s", change->name);
	switch (change->what) {
	case CONTROL_IMPAIR_ADD:
		return add_rule(list, change, errors, texts);
	case CONTROL_IMPAIR_SET:
		return set_options(&list->item[at], change->options, errors);
	case CONTROL_IMPAIR_REMOVE:
		list->count--;
		memmove(&list->item[at], &list->item[at + 1], (list->count - at) * sizeof(list->item[0]));
		return 0;
	default:
		list->count = 0;
		return 0;
	}
}

int impair_change(struct daemon *daemon, const struct control_impair_change *change, json_t *errors)
{
	struct config_errors found = CONFIG_ERRORS_INIT;
	struct config_impair_list list = { .item = calloc(CONFIG_IMPAIR_MAX, sizeof(*list.item)) };
	int error = list.item ? 0 : -ENOMEM;

	for (size_t i = 0; error == 0 && daemon->impair && i < daemon->impair->count; i++)
		list.item[list.count++] = daemon->impair->item[i].rule;
	if (error == 0)
		error = edit(&list, change, &found, errors);
	if (error == 0)
		error = config_impair_check(&list, &found);
	if (error == 0)
		error = apply(daemon, list.item, list.count, true);
	add_errors(errors, &found);
	config_errors_free(&found);
	free(list.item);
	if (error != 0 && json_array_size(errors) == 0)
		json_array_append_new(errors, json_string(strerror(-error)));
	return error;
}

json_t *impair_status(const struct daemon *daemon)
{
	size_t count = daemon->impair ? daemon->impair->count : 0;

	return json_pack("{s:I, s:s}", "rules", (json_int_t)count, "from",
	                 daemon->impair && daemon->impair->by_control ? "control socket" : "configuration");
}
