/* The configuration reader against any bytes. What is read must survive being written and read again; what is refused
 * must say why. */
#include "config/config.h"
#include "fuzz.h"

#include <errno.h>
#include <string.h>

static void check_good(const struct config *config)
{
	struct config_errors errors = CONFIG_ERRORS_INIT;
	struct config_difference *difference = NULL;
	struct config *copy = NULL;

	FUZZ_CHECK(config_with(config, "log.level", "debug", &copy, &errors) == 0);
	FUZZ_CHECK(config_diff(config, copy, &difference) == 0);
	FUZZ_CHECK(difference->service_count == 0);
	FUZZ_CHECK(difference->change_count <= 1); /* log.level */
	config_difference_free(difference);
	config_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_errors errors = CONFIG_ERRORS_INIT;
	struct config *config = NULL;
	int r = config_parse("fuzz", (const char *)data, size, &config, &errors);

	if (r == 0) {
		FUZZ_CHECK(errors.count == 0);
		check_good(config);
	} else {
		FUZZ_CHECK(r == -EINVAL);
		FUZZ_CHECK(errors.count > 0);
	}
	for (size_t i = 0; i < errors.count; i++)
		FUZZ_CHECK(errors.error[i].message[0] != '\0');
	config_errors_free(&errors);
	config_free(config);
	return 0;
}

static const char *const sections[] = {
	"link: {backend: tap, name: t0, mtu: 9000, mac: '02:00:00:00:00:07', host_addresses: [192.0.2.1/24]}\n",
	"stack:\n  addresses: [192.0.2.2/24, 198.51.100.2/25]\n  gateway: 192.0.2.254\n",
	"tcp:\n  msl: 1.5s\n  rto_min: 200ms\n  rcvbuf_max: 1MiB\n  ttl: 3\n  sack: no\n",
	"services:\n  - {kind: echo, port: 7}\n  - name: w\n    kind: relay\n    port: 80\n    target: unix:/x\n",
	"services: [{kind: relay, port: 8, target: 'tcp:[::1]:80', proxy_protocol: v2, idle_timeout: 1h}]\n",
	"plugins: {congestion: [a, {plugin: b, name: c, params: {d: \"e f\", g: '\"'}}]}\ncontrol: {observe: [a, "
	"'group:b']}\n",
	"state_directory: /a\nlog: {level: debug}\nlimits:\n  buffers: 1GiB\n  connections: 7\naudit: {database: 'x: "
	"y'}\n",
	"%YAML 1.1\n--- &a !!map\n? [x]\n: *a\n...\n---\n- |\n  text\n- >-\n  \"\\x41\\0\"\n",
};

/* A few sections, at times with something in them that means much to YAML. */
size_t fuzz_example(struct test_random *random, uint8_t *out)
{
	static const char *const marks[] = { "[",  "]",    "{", "}",  ": ",  "- ",  "&a ",
		                             "*a", "!!x ", "~", "\"", "|\n", "/33", "::" };
	const uint32_t count = sizeof(sections) / sizeof(sections[0]);
	size_t length = 0;

	for (uint32_t i = 1 + test_random_below(random, 3); i > 0; i--) {
		const char *text = sections[test_random_below(random, count)];

		memcpy(out + length, text, strlen(text));
		length += strlen(text);
	}
	if (test_random_below(random, 3) == 0) {
		const char *mark = marks[test_random_below(random, sizeof(marks) / sizeof(marks[0]))];
		size_t at = test_random_below(random, (uint32_t)length);

		memmove(out + at + strlen(mark), out + at, length - at);
		memcpy(out + at, mark, strlen(mark));
		length += strlen(mark);
	}
	return length;
}
