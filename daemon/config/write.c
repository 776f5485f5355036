/* Values as text: for ctl, for comparison, and for the shipped file. */
#include "config/filter.h"
#include "config/reader.h"
#include "config/value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* May a text stand without quotes, in a flow list too? */
static bool is_plain(const char *text)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:+-";
	size_t length = strlen(text);

	if (length == 0 || text[strspn(text, safe)] != '\0' || text[0] == '-' || text[0] == ':')
		return false;
	return text[length - 1] != ':' && strcasecmp(text, "null") != 0;
}

static void write_text(FILE *file, const char *text)
{
	if (is_plain(text)) {
		fputs(text, file);
		return;
	}
	fputc('"', file);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', file);
		fputc(*text, file);
	}
	fputc('"', file);
}

static void write_choice(FILE *file, const struct config_choice *choice, uint32_t value)
{
	while (choice->name != NULL && choice->value != value)
		choice++;
	fputs(choice->name == NULL ? "?" : choice->name, file);
}

static void write_ip(FILE *file, const struct config_key *key, const struct ip_addr *ip)
{
	char text[VALUE_TEXT_MAX];

	value_write_ip(ip, text);
	write_text(file, key->word != NULL && ip_addr_is_any(ip) ? key->word : text);
}

static void write_mac(FILE *file, const struct config_key *key, const struct mac_addr *mac)
{
	static const struct mac_addr zero;
	char text[VALUE_TEXT_MAX];

	value_write_mac(mac, text);
	write_text(file, key->word != NULL && memcmp(mac, &zero, sizeof(zero)) == 0 ? key->word : text);
}

static void write_filter(FILE *file, const struct frame_filter *filter)
{
	char text[CONFIG_FILTER_TEXT_MAX];

	config_filter_write(filter, text);
	write_text(file, text);
}

static void write_prefixes(FILE *file, const struct config_prefix_list *list)
{
	char text[VALUE_TEXT_MAX];

	for (size_t i = 0; i < list->count; i++) {
		value_write_prefix(&list->item[i], text);
		fprintf(file, "%s%s", i == 0 ? "" : ", ", text);
	}
}

static void write_texts(FILE *file, const struct config_text_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		fputs(i == 0 ? "" : ", ", file);
		write_text(file, list->item[i]);
	}
}

static void write_capture(FILE *file, const struct config_capture *capture)
{
	char text[VALUE_TEXT_MAX];

	fputs(", capture: {", file);
	if (capture->filter[0] != '\0') {
		fputs("filter: ", file);
		write_text(file, capture->filter);
		fputs(", ", file);
	}
	value_write_size(capture->options.bytes, text);
	fprintf(file, "bytes: %s, ", text);
	value_write_size(capture->options.queue_bytes, text);
	fprintf(file, "queue: %s, verdicts: %s}", text, capture->refused ? "refused" : "all");
}

static void write_plugins(FILE *file, const struct config_plugin_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct config_plugin *plugin = &list->item[i];

		fprintf(file, "%s{plugin: ", i == 0 ? "" : ", ");
		write_text(file, plugin->plugin);
		if (strcmp(plugin->plugin, plugin->name) != 0) {
			fputs(", name: ", file);
			write_text(file, plugin->name);
		}
		for (size_t j = 0; j < plugin->param_count; j++) {
			fputs(j == 0 ? ", params: {" : ", ", file);
			write_text(file, plugin->param[j].name);
			fputs(": ", file);
			write_text(file, plugin->param[j].value);
		}
		if (plugin->param_count > 0)
			fputc('}', file);
		if (plugin->capture.given)
			write_capture(file, &plugin->capture);
		fputc('}', file);
	}
}

/* What the service's own section tcp says. */
static bool write_tunables(FILE *file, const struct config_service *service)
{
	size_t count, written = 0;
	const struct config_key *keys = config_keys(&count);
	bool good = true;

	for (size_t i = 0; service->tcp_given != NULL && i < count; i++) {
		if (!service->tcp_given[i])
			continue;
		fprintf(file, "%s%s: ", written++ == 0 ? ", tcp: {" : ", ", keys[i].path + strlen("tcp."));
		good &= write_value(file, &keys[i],
		                    (const char *)&service->tcp + keys[i].offset - offsetof(struct config, tcp));
	}
	if (written > 0)
		fputc('}', file);
	return good;
}

bool write_service(FILE *file, const struct config_service *service)
{
	size_t count;
	const struct config_key *keys = config_service_keys(&count);
	bool good = true;

	for (size_t i = 0; i < count; i++) {
		const void *value = (const char *)service + keys[i].offset;

		if ((keys[i].kinds & 1u << service->kind) == 0)
			continue;
		if (keys[i].type == CONFIG_TEXT && (*(const char *const *)value)[0] == '\0')
			continue; /* not given */
		fprintf(file, "%s%s: ", i == 0 ? "{" : ", ", keys[i].path);
		good &= write_value(file, &keys[i], value);
	}
	good &= write_tunables(file, service);
	fputc('}', file);
	return good && !ferror(file);
}

static void write_services(FILE *file, const struct config_service_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		fputs(i == 0 ? "" : ", ", file);
		write_service(file, &list->item[i]);
	}
}

static void write_impair_list(FILE *file, const struct config_impair_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		fputs(i == 0 ? "" : ", ", file);
		write_impair(file, &list->item[i]);
	}
}

static void write_list(FILE *file, const struct config_key *key, const void *value)
{
	fputc('[', file);
	switch (key->type) {
	case CONFIG_PREFIXES:
		write_prefixes(file, value);
		break;
	case CONFIG_TEXTS:
		write_texts(file, value);
		break;
	case CONFIG_PLUGINS:
		write_plugins(file, value);
		break;
	case CONFIG_RULES:
		rules_write(file, value);
		break;
	case CONFIG_IMPAIR:
		write_impair_list(file, value);
		break;
	default:
		write_services(file, value);
	}
	fputc(']', file);
}

/* Does a number hold what its word stands for? */
static bool holds_word(const struct config_key *key, const void *value)
{
	if (key->word == NULL)
		return false;
	switch (key->type) {
	case CONFIG_UINT:
	case CONFIG_SIZE32:
		return *(const uint32_t *)value == key->word_value;
	case CONFIG_BYTE:
		return *(const uint8_t *)value == key->word_value;
	case CONFIG_SIZE:
	case CONFIG_RATE:
	case CONFIG_UINT64:
		return *(const uint64_t *)value == key->word_value;
	case CONFIG_DURATION:
		return (uint64_t)((const struct duration *)value)->ns == key->word_value;
	default:
		return false;
	}
}

bool write_value(FILE *file, const struct config_key *key, const void *value)
{
	char text[VALUE_TEXT_MAX] = "";

	if (holds_word(key, value)) {
		fputs(key->word, file);
		return !ferror(file);
	}

	switch (key->type) {
	case CONFIG_BOOL:
		fputs(*(const bool *)value ? "yes" : "no", file);
		break;
	case CONFIG_UINT:
		fprintf(file, "%" PRIu32, *(const uint32_t *)value);
		break;
	case CONFIG_BYTE:
		fprintf(file, "%u", *(const uint8_t *)value);
		break;
	case CONFIG_SIZE:
		value_write_size(*(const uint64_t *)value, text);
		break;
	case CONFIG_SIZE32:
		value_write_size(*(const uint32_t *)value, text);
		break;
	case CONFIG_DURATION:
		value_write_duration((uint64_t)((const struct duration *)value)->ns, text);
		break;
	case CONFIG_CHOICE:
		write_choice(file, key->choices, *(const uint32_t *)value);
		break;
	case CONFIG_TEXT:
		write_text(file, *(const char *const *)value);
		break;
	case CONFIG_IP:
		write_ip(file, key, value);
		break;
	case CONFIG_MAC:
		write_mac(file, key, value);
		break;
	case CONFIG_UINT64:
		fprintf(file, "%" PRIu64, *(const uint64_t *)value);
		break;
	case CONFIG_PERCENT:
		value_write_percent(*(const uint32_t *)value, text);
		break;
	case CONFIG_RATE:
		value_write_rate(*(const uint64_t *)value, text);
		break;
	case CONFIG_NAME:
		write_text(file, value);
		break;
	case CONFIG_FILTER:
		write_filter(file, value);
		break;
	default:
		write_list(file, key, value);
	}
	fputs(text, file);
	return !ferror(file);
}

int config_get(const struct config *config, const struct config_key *key, char **ret_text)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	bool good;

	if (file == NULL)
		return -ENOMEM;
	good = write_value(file, key, (const char *)config + key->offset);
	if (fclose(file) != 0 || !good) {
		free(text);
		return -ENOMEM;
	}
	*ret_text = text;
	return 0;
}

/* ---- the shipped file ---------------------------------------------------------------------------------------- */

static const char preamble[] =
        "# tapstack: configuration of tapstackd.\n"
        "#\n"
        "# Every key is here with its default, which holds when the key is not given. Where the text says "
        "\"example\",\n"
        "# the value shown is not the default. Keys marked \"restart\" take effect when the daemon starts again, "
        "\"live\"\n"
        "# ones on reload. What is marked \"per service\" may also stand in a section tcp of a service, and then "
        "holds "
        "for its\n"
        "# connections.\n"
        "#\n"
        "#   sizes      65536, 64KiB, 16MiB, 1GiB (powers of 1024), 64kB, 16MB, 1GB (powers of 1000)\n"
        "#   durations  200ms, 30s, 1.5s, 2min, 1h, 1d, 100us, 50ns; a plain number is seconds\n"
        "#   rates      10Mbit/s, 1.25MB/s; a plain number is bytes per second; percentages: 0.1%\n"
        "#   yes or no  also true, false, on, off\n"
        "#\n"
        "# `tapstackd --check -c FILE` says what is wrong with a file, without starting.\n";

static void write_limits(FILE *file, const struct config_key *key, const char *indent)
{
	char valid[READER_VALID_MAX];

	fprintf(file, "%s# %s; %s%s%s%s\n", indent, reader_valid(key, valid), key->live ? "live" : "restart",
	        key->per_service ? ", per service" : "", key->example == NULL ? "" : "; example, the default is ",
	        key->example == NULL ? "" : key->initial);
}

static void write_service_help(FILE *file)
{
	size_t count;
	const struct config_key *keys = config_service_keys(&count);

	fputs("#\n# Options of a service:\n", file);
	for (size_t i = 0; i < count; i++) {
		char valid[READER_VALID_MAX];
		bool first = true;

		fprintf(file, "#   %-16s %s\n#   %-16s %s", keys[i].path, keys[i].help, "",
		        reader_valid(&keys[i], valid));
		if (keys[i].initial == NULL)
			fputs("; must be given", file);
		else if (keys[i].initial[0] != '\0')
			fprintf(file, "; default %s", keys[i].initial);
		for (uint32_t kind = 0; kind < CONFIG_SERVICE_KIND_COUNT; kind++) {
			if (keys[i].kinds == (1u << CONFIG_SERVICE_KIND_COUNT) - 1 ||
			    (keys[i].kinds & 1u << kind) == 0)
				continue;
			fprintf(file, "%s%s", first ? "; only " : ", ", config_service_kind_name(kind));
			first = false;
		}
		fputc('\n', file);
	}
	fprintf(file,
	        "#   %-16s Keys of the section tcp above that are marked \"per service\", for its connections\n",
	        "tcp");
}

/* Options of an entry of a list: name, help, what is valid, default. */
static void write_option_help(FILE *file, const struct config_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char valid[READER_VALID_MAX];

		fprintf(file, "  #   %-16s %s\n  #   %-16s %s", keys[i].path, keys[i].help, "",
		        reader_valid(&keys[i], valid));
		if (keys[i].initial[0] != '\0')
			fprintf(file, "; default %s", keys[i].initial);
		fputc('\n', file);
	}
}

int config_write_template(FILE *file)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);
	char section[64] = "";

	fputs(preamble, file);
	for (size_t i = 0; i < count; i++) {
		const char *dot = strchr(keys[i].path, '.');
		size_t length = dot == NULL ? 0 : (size_t)(dot - keys[i].path);
		const char *value = keys[i].example == NULL ? keys[i].initial : keys[i].example;
		const char *indent = dot == NULL ? "" : "  ";

		if (dot != NULL && (strncmp(section, keys[i].path, length) != 0 || section[length] != '\0')) {
			snprintf(section, sizeof(section), "%.*s", (int)length, keys[i].path);
			fprintf(file, "\n%s:\n", section);
		} else if (dot == NULL) {
			fputc('\n', file);
		}
		fprintf(file, "%s# %s\n", indent, keys[i].help);
		write_limits(file, &keys[i], indent);
		if (keys[i].type == CONFIG_SERVICES)
			write_service_help(file);
		if (keys[i].type == CONFIG_IMPAIR) {
			size_t options;
			const struct config_key *of_rule = config_impair_keys(&options);

			fputs("  #\n  # Options of a rule:\n", file);
			write_option_help(file, of_rule, options);
		}
		fprintf(file, "%s%s:%s%s\n", indent, dot == NULL ? keys[i].path : dot + 1,
		        value[0] == '\n' ? "" : " ", value);
	}
	return ferror(file) ? -EIO : 0;
}
