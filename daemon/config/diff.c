#include "config/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int add_change(struct config_difference *difference, const struct config_key *key, char *before, char *after)
{
	struct config_change *grown = realloc(difference->change, (difference->change_count + 1) * sizeof(*grown));

	if (grown == NULL)
		return -ENOMEM;
	difference->change = grown;
	grown[difference->change_count++] = (struct config_change){ key, before, after, !key->live };
	difference->restart_count += !key->live;
	return 0;
}

static int diff_key(struct config_difference *difference, const struct config_key *key, const struct config *before,
                    const struct config *after)
{
	char *old = NULL, *new = NULL;
	int r = config_get(before, key, &old);

	if (r == 0)
		r = config_get(after, key, &new);
	if (r == 0 && strcmp(old, new) != 0) {
		r = add_change(difference, key, old, new);
		if (r == 0)
			return 0;
	}
	free(old);
	free(new);
	return r;
}

static const struct config_service *find_service(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->services.count; i++)
		if (strcmp(config->services.item[i].name, name) == 0)
			return &config->services.item[i];
	return NULL;
}

static int service_text(const struct config_service *service, char **ret)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	bool good;

	if (file == NULL)
		return -ENOMEM;
	good = write_service(file, service);
	if (fclose(file) != 0 || !good) {
		free(text);
		return -ENOMEM;
	}
	*ret = text;
	return 0;
}

static int services_differ(const struct config_service *a, const struct config_service *b, bool *ret)
{
	char *first = NULL, *second = NULL;
	int r = service_text(a, &first);

	if (r == 0)
		r = service_text(b, &second);
	if (r == 0)
		*ret = strcmp(first, second) != 0;
	free(first);
	free(second);
	return r;
}

static int add_service(struct config_difference *difference, enum config_service_what what,
                       const struct config_service *before, const struct config_service *after)
{
	struct config_service_change *grown =
	        realloc(difference->service, (difference->service_count + 1) * sizeof(*grown));

	if (grown == NULL)
		return -ENOMEM;
	difference->service = grown;
	grown[difference->service_count++] = (struct config_service_change){ what, before, after };
	return 0;
}

static int diff_services(struct config_difference *difference, const struct config *before,
                         const struct config *after)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < before->services.count; i++) {
		const struct config_service *old = &before->services.item[i], *new = find_service(after, old->name);
		bool differ = false;

		if (new == NULL) {
			r = add_service(difference, CONFIG_SERVICE_REMOVED, old, NULL);
			continue;
		}
		r = services_differ(old, new, &differ);
		if (r == 0 && differ)
			r = add_service(difference, CONFIG_SERVICE_CHANGED, old, new);
	}
	for (size_t i = 0; r == 0 && i < after->services.count; i++)
		if (find_service(before, after->services.item[i].name) == NULL)
			r = add_service(difference, CONFIG_SERVICE_ADDED, NULL, &after->services.item[i]);
	return r;
}

int config_diff(const struct config *before, const struct config *after, struct config_difference **ret)
{
	struct config_difference *difference = calloc(1, sizeof(*difference));
	size_t count;
	const struct config_key *keys = config_keys(&count);
	int r = difference == NULL ? -ENOMEM : 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		if (keys[i].type != CONFIG_SERVICES)
			r = diff_key(difference, &keys[i], before, after);
	if (r == 0)
		r = diff_services(difference, before, after);
	if (r != 0) {
		config_difference_free(difference);
		return r;
	}
	*ret = difference;
	return 0;
}

void config_difference_free(struct config_difference *difference)
{
	if (difference == NULL)
		return;
	for (size_t i = 0; i < difference->change_count; i++) {
		free(difference->change[i].before);
		free(difference->change[i].after);
	}
	free(difference->change);
	free(difference->service);
	free(difference);
}
