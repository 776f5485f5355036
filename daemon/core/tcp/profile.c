/* Tunables of connections and listeners. Nearly all have the stack's own or their listener's, so equal ones are kept
 * once, with a count of those that use them. */
#include "core/tcp/engine.h"

/* Beyond so many different ones a search would cost more than the memory it saves. */
#define PROFILES_SEARCHED 64

static struct profile *profile_of(const struct stack_tcp_config *tcp)
{
	return (struct profile *)((uintptr_t)tcp - offsetof(struct profile, tcp));
}

const struct stack_tcp_config *profile_share(const struct stack_tcp_config *tcp)
{
	profile_of(tcp)->users++;
	return tcp;
}

const struct stack_tcp_config *profile_get(struct stack *stack, const struct stack_tcp_config *tcp)
{
	struct profile *profile;
	uint32_t from = 0;

	for (int i = 0; i < PROFILES_SEARCHED && (profile = pool_next_live(&stack->profiles, from)); i++) {
		if (memcmp(&profile->tcp, tcp, sizeof(*tcp)) == 0)
			return profile_share(&profile->tcp);
		from = profile->head.slot + 1;
	}
	profile = pool_get(&stack->profiles);
	if (!profile) {
		COUNT(stack, alloc_failures);
		return NULL;
	}
	profile->users = 1;
	memcpy(&profile->tcp, tcp, sizeof(*tcp)); /* with its padding: the next search compares bytes */
	return &profile->tcp;
}

void profile_put(struct stack *stack, const struct stack_tcp_config *tcp)
{
	struct profile *profile = profile_of(tcp);

	CORE_ASSERT(profile->users > 0);
	if (--profile->users == 0)
		pool_put(&stack->profiles, profile);
}
