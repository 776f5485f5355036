#include "fixture.h"

#include <sodium.h>
#include <stdlib.h>

void fixture_open(struct fixture *fixture, uint32_t count, struct duration spin_max)
{
	static const struct stack_config config = { .port_first = 49152, .port_last = 65535 };

	if (sodium_init() < 0)
		abort();
	fixture->told = (struct fake_told){ 0 };
	fixture->link = fake_link_new(count);
	fixture->base = event_base_new();
	if (!fixture->base || shards_new(&(struct shards_options){ .count = count,
	                                                           .stack = &config,
	                                                           .samples = fake_take_samples,
	                                                           .notice = fake_take_notice,
	                                                           .context = &fixture->told,
	                                                           .link = fixture->link,
	                                                           .main_base = fixture->base,
	                                                           .spin_max = spin_max },
	                                 &fixture->shards) != 0)
		abort();
}

void fixture_close(struct fixture *fixture)
{
	shards_free(fixture->shards);
	event_base_free(fixture->base);
	fake_link_free(fixture->link);
}
