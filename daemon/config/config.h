#pragma once
/* The configuration: YAML 1.1 read into plain structs, checked as a whole, never half applied.
 *
 * One table of keys (config_keys) says everything about each key: path, type, range, default, whether a running
 * daemon can take a new value, and one line of help. Parsing, range checks, defaults, conf/tapstack.yaml, `tapstackd
 * --check`,
 * `--set`, and `tapstackctl get` and `set` all follow from it.
 *
 * A struct config owns all that it points to and never changes: a new value means a new struct config (config_load,
 * config_with), which the caller compares with the old one (config_diff) and then applies or throws away.
 *
 * Values as text, in the file, after --set and from config_get:
 *   bytes      65536, 64KiB, 16MiB, 1GiB (powers of 1024), 64kB, 16MB, 1GB (powers of 1000)
 *   durations  200ms, 30s, 2min, 1h, 1d, 100us, 50ns; 1.5s is allowed; a plain number is seconds
 *   booleans   yes, no, true, false, on, off
 *   addresses  192.0.2.2, 2001:db8::2; prefixes 192.0.2.2/24; MAC 02:00:c0:00:02:02
 *   percent    0.1%, up to four digits behind the point
 *   rates      10Mbit/s, 1.25MB/s; a plain number is bytes per second
 *   filters    "peer=192.0.2.0/24 dport=80,443": see filter.h
 *
 * Functions return 0 or -errno; outputs are untouched on failure. Nothing here logs, and nothing is global. */
#include "capture/capture.h"
#include "core/base/addr.h"
#include "core/base/time.h"
#include "core/stack.h"
#include "core/wire/frame_filter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* An address with the length of its network's prefix; `bits` counts in the IPv6-wide address: an IPv4 /24 is 120. */
struct config_prefix {
	struct ip_addr ip;
	uint8_t bits;
};

struct config_prefix_list {
	struct config_prefix *item;
	size_t count;
};

struct config_text_list {
	const char **item;
	size_t count;
};

/* Where something stands, for messages. line and column start at 1; 0: the place is not in a file. */
struct config_place {
	const char *file; /* or "--set" */
	unsigned line, column;
};

enum config_service_kind {
	CONFIG_SERVICE_ECHO,
	CONFIG_SERVICE_DISCARD,
	CONFIG_SERVICE_CHARGEN,
	CONFIG_SERVICE_RELAY,
	CONFIG_SERVICE_HTTP,
	CONFIG_SERVICE_KIND_COUNT
};

enum config_proxy_protocol { CONFIG_PROXY_NONE, CONFIG_PROXY_V2 };

struct config_service {
	struct config_place place;
	const char *name;                              /* unique */
	uint32_t kind;                                 /* enum config_service_kind */
	struct ip_addr address;                        /* IP_ADDR_ANY: every address of the stack */
	uint32_t port;                                 /* 1 to 65535 */
	uint32_t backlog;                              /* half-open and not yet taken connections */
	const char *congestion;                        /* "" or the name of an algorithm; "": congestion.default */
	bool nodelay;                                  /* no Nagle */
	const char *target;                            /* relay: "unix:/path" or "tcp:HOST:PORT"; else "" */
	struct duration connect_timeout, idle_timeout; /* relay, http; idle 0: never */
	uint32_t proxy_protocol;                       /* relay: enum config_proxy_protocol */
	struct stack_tcp_config tcp; /* of its connections: the section tcp, and what its own says */
	const bool *tcp_given;       /* by index of the key: stands in the service's own section */
};

struct config_service_list {
	struct config_service *item;
	size_t count;
};

enum config_impair_direction { CONFIG_IMPAIR_BOTH, CONFIG_IMPAIR_IN, CONFIG_IMPAIR_OUT };
enum config_impair_discipline {
	CONFIG_IMPAIR_DROP_TAIL,
	CONFIG_IMPAIR_CODEL,
	CONFIG_IMPAIR_CODEL_ECN,
	CONFIG_IMPAIR_STEP
};

#define CONFIG_NAME_MAX 32u /* with the NUL */
#define CONFIG_IMPAIR_MAX 32u

/* What is done to frames that fit a filter: an entry of link.impair. A value: nothing in it belongs to anybody. */
struct config_impair {
	char name[CONFIG_NAME_MAX]; /* unique; ruleN when not given */
	uint32_t direction;         /* enum config_impair_direction */
	struct frame_filter filter;
	struct duration delay, jitter;
	bool jitter_reorders;
	uint32_t delay_packets; /* on their way at most; 0: no limit */
	uint64_t rate;          /* bytes per second; 0: none */
	uint32_t overhead, queue, queue_packets;
	uint32_t discipline;                  /* enum config_impair_discipline */
	struct duration target, interval;     /* 0: the discipline's own */
	uint32_t loss, burst;                 /* per million; packets */
	uint32_t duplicate, corrupt, reorder; /* per million */
	struct duration reorder_min, reorder_max;
	uint32_t drop_first, drop_every, drop_count;
	struct duration outage_up, outage_up_max, outage_down, outage_down_max; /* max 0: as the other */
	uint64_t seed;                                                          /* 0: random */
};

struct config_impair_list {
	struct config_impair *item;
	size_t count;
};

/* A plugin to load and make an instance of. The plugin itself checks names and values of the parameters. */
struct config_param {
	struct config_place place;
	const char *name, *value;
};

/* The packets that a logging instance gets. `options` follows from what was given: a filter is one of frames (see
 * filter.h), and beside its fields has id=7,8 (of connections), state=ESTABLISHED, verdict!=ACCEPTED and the like. */
struct config_capture {
	bool given;         /* else none */
	const char *filter; /* as it was given; "": all */
	bool refused;       /* only frames received whose verdict is not ACCEPTED */
	struct capture_options options;
};

struct config_plugin {
	struct config_place place;
	const char *plugin; /* its file is DIRECTORY/PLUGIN.so */
	const char *name;   /* of the instance; unique over both lists; the plugin's name when not given */
	struct config_param *param;
	size_t param_count;
	struct config_capture capture; /* plugins.logging */
};

/* Which connections get which algorithm; the first rule that fits counts. */
struct config_arm {
	const char *name;
	uint32_t weight;
};

#define CONFIG_RULE_PEERS_MAX 64
struct config_rule {
	struct config_place place;
	const char *service;             /* "": any */
	struct config_prefix_list peers; /* none: any */
	struct config_arm *arm;          /* one of them by a hash of the five-tuple; none: as without the rule */
	size_t arm_count;
	const char *shadow;     /* "": none */
	struct duration sample; /* least time between samples; 0: none are taken */
};

struct config_rule_list {
	struct config_rule *item;
	size_t count;
};

struct config_plugin_list {
	struct config_plugin *item;
	size_t count;
};

/* What becomes of the connections of an algorithm that a reload replaces. */
enum config_plugin_replace { CONFIG_REPLACE_DRAIN, CONFIG_REPLACE_MOVE };

struct config {
	struct {
		const char *backend; /* "tap" or "unix:/path" */
		const char *name;
		uint32_t mtu;        /* bytes of an IP packet */
		struct mac_addr mac; /* of the stack; all zero (auto): see config_mac */
		bool offload;
		struct config_prefix_list host_addresses; /* of the kernel's end */
		struct config_impair_list impair;
	} link;
	struct {
		struct config_prefix_list addresses; /* at least one */
		struct ip_addr gateway, gateway6;    /* IP_ADDR_ANY: none */
		uint8_t dad_transmits;
		bool accept_ra;
	} stack;
	struct stack_tcp_config tcp;
	struct {
		uint32_t connections, half_open, time_wait, neighbours, paths, listeners; /* per shard */
		uint64_t buffers, fragments, impair;                                      /* bytes, per shard */
	} limits;
	struct {
		uint32_t count;
		struct duration spin_max;
	} shard;
	struct {
		const char *standard; /* key congestion.default */
		struct config_rule_list rules;
	} congestion;
	struct {
		const char *database; /* see config_state_path */
		uint64_t ring_size;   /* bytes, per shard */
	} audit;
	const char *state_directory, *runtime_directory;
	struct {
		const char *socket;                              /* see config_runtime_path */
		struct config_text_list observe, operate, admin; /* user names, or "group:NAME" */
	} control;
	struct {
		const char *directory; /* "auto": see config_plugin_directory */
		struct config_plugin_list congestion, logging;
		uint32_t replace; /* enum config_plugin_replace */
	} plugins;
	struct {
		struct duration grace;
	} shutdown;
	struct {
		uint32_t level; /* as in syslog(3): 3 error ... 7 debug */
	} log;
	struct config_service_list services;

	struct config_arena *arena; /* private: all memory of this configuration */
};

/* ---- the table of keys --------------------------------------------------------------------------------------- */

enum config_type {
	CONFIG_BOOL,     /* bool */
	CONFIG_UINT,     /* uint32_t */
	CONFIG_BYTE,     /* uint8_t */
	CONFIG_SIZE,     /* uint64_t, bytes */
	CONFIG_SIZE32,   /* uint32_t, bytes */
	CONFIG_DURATION, /* struct duration */
	CONFIG_CHOICE,   /* uint32_t: what `choices` says */
	CONFIG_TEXT,     /* const char * */
	CONFIG_IP,       /* struct ip_addr */
	CONFIG_MAC,      /* struct mac_addr */
	CONFIG_PREFIXES, /* struct config_prefix_list */
	CONFIG_TEXTS,    /* struct config_text_list */
	CONFIG_SERVICES, /* struct config_service_list */
	CONFIG_PLUGINS,  /* struct config_plugin_list */
	CONFIG_RULES,    /* struct config_rule_list */
	CONFIG_FILTER,   /* struct frame_filter; see filter.h */
	CONFIG_UINT64,   /* uint64_t */
	CONFIG_PERCENT,  /* uint32_t, per million */
	CONFIG_RATE,     /* uint64_t, bytes per second */
	CONFIG_NAME,     /* char [CONFIG_NAME_MAX] */
	CONFIG_IMPAIR,   /* struct config_impair_list */
};

struct config_choice {
	const char *name; /* NULL ends the list */
	uint32_t value;
};

struct config_key {
	const char *path;    /* "tcp.rto_min"; for options of a service only the last part */
	uint32_t type;       /* enum config_type */
	bool live;           /* a running daemon takes a new value; else it needs a restart */
	bool per_service;    /* of section tcp: may also stand in section tcp of a service */
	const char *unit;    /* of a plain number: "bytes", "s", "segments", ...; "" none */
	uint64_t min, max;   /* numbers and sizes: inclusive; durations: in ns; texts: length */
	const char *initial; /* the default, as it would stand in the file; NULL: must be given */
	const char *example; /* what the shipped file shows instead of the default; NULL: the default */
	const char *help;    /* one line */
	const char *word;    /* a word that stands for a value of its own ("auto", "none", "off"); NULL: none */
	uint64_t word_value; /* that value, for numbers, sizes and durations; all else: zero */
	const struct config_choice *choices; /* CONFIG_CHOICE */
	int (*check)(const char *text);      /* texts: 0 or -EINVAL when the form is wrong; NULL: any */
	const char *form;                    /* what a valid text looks like, for messages */
	size_t offset;                       /* of the value in struct config (or config_service) */
	uint32_t kinds;                      /* options of a service: 1 << kind for those that have it */
};

/* All keys in the order of the shipped file; the options of one service (its section tcp has the keys of the section
 * tcp that are marked per_service). */
const struct config_key *config_keys(size_t *ret_count);
const struct config_key *config_service_keys(size_t *ret_count);
const struct config_key *config_find_key(const char *path); /* NULL: none */
/* What an entry of link.impair may have. */
const struct config_key *config_impair_keys(size_t *ret_count);
const char *config_service_kind_name(uint32_t kind);

/* ---- reading ------------------------------------------------------------------------------------------------- */

struct config_error {
	struct config_place place;
	char *message; /* what is wrong and what would be valid */
};

#define CONFIG_ERRORS_MAX 100u

struct config_errors {
	struct config_error *error;
	size_t count;
	size_t omitted; /* further errors beyond CONFIG_ERRORS_MAX, or that there was no memory for */
};

#define CONFIG_ERRORS_INIT ((struct config_errors){ 0 })

void config_errors_free(struct config_errors *errors);
/* "FILE:LINE:COLUMN: MESSAGE" into text; returns the length as snprintf does. */
int config_error_format(const struct config_error *error, char *text, size_t size);
/* All of them, a line each, and how many were omitted. */
void config_errors_print(const struct config_errors *errors, FILE *file);

struct config_source {
	const char *path;       /* of the file; NULL: built-in defaults */
	const char *const *set; /* "key=value", after --set; later ones win, and over the file */
	size_t set_count;
};

/* Reads and checks everything. Errors are added to *errors in the order of the file. Returns 0; -EINVAL something is
 * wrong (see errors); -ENOMEM; or what opening and reading the file said (also in errors). */
int config_load(const struct config_source *source, struct config **ret, struct config_errors *errors);

/* The same from memory; `name` is the file in messages. */
int config_parse(const char *name, const char *text, size_t length, struct config **ret,
                 struct config_errors *errors);

/* A copy of `base` with one key changed, checked as a whole (ctl set). */
int config_with(const struct config *base, const char *key, const char *value, struct config **ret,
                struct config_errors *errors);

/* NULL is allowed. */
void config_free(struct config *config);

/* A rule of link.impair with all defaults. */
void config_impair_init(struct config_impair *rule);
/* Sets one of its entries from text, as it would stand in the file. 0; -EINVAL or -ENOMEM, see errors. */
int config_impair_set(struct config_impair *rule, const char *name, const char *value, struct config_errors *errors);
/* What depends on several entries, or on several rules. 0 or -EINVAL. */
int config_impair_check(const struct config_impair_list *list, struct config_errors *errors);
/* The rule as text, with what is not a default: "{name: far, delay: 20ms}". The caller frees it. 0 or -ENOMEM. */
int config_impair_text(const struct config_impair *rule, char **ret_text);

/* ---- looking in ---------------------------------------------------------------------------------------------- */

/* The value of a key as text that could stand in the file; the caller frees it. 0 or -ENOMEM. */
int config_get(const struct config *config, const struct config_key *key, char **ret_text);

/* The shipped configuration file: every key with its help, unit, range and default. */
int config_write_template(FILE *file);

struct config_change {
	const struct config_key *key;
	char *before, *after;
	bool restart; /* this change takes effect only after a restart */
};

enum config_service_what { CONFIG_SERVICE_ADDED, CONFIG_SERVICE_REMOVED, CONFIG_SERVICE_CHANGED };

struct config_service_change {
	enum config_service_what what;               /* same name, other options: CHANGED */
	const struct config_service *before, *after; /* point into the two configurations; NULL when not there */
};

struct config_difference {
	struct config_change *change; /* keys other than services */
	size_t change_count;
	struct config_service_change *service;
	size_t service_count;
	size_t restart_count; /* changes that need a restart */
};

/* What changes from `before` to `after`. Both must outlive the difference. 0 or -ENOMEM. */
int config_diff(const struct config *before, const struct config *after, struct config_difference **ret);
void config_difference_free(struct config_difference *difference);

/* ---- what the parts need ------------------------------------------------------------------------------------- */

/* link.mac, or when that is `auto` 02:00 and the last four bytes of the first address: unique on the link, the same
 * after a restart. */
struct mac_addr config_mac(const struct config *config);

/* audit.database or another path under state_directory, control.socket under runtime_directory: absolute ones stay as
 * they are. Written to `text`; -ENAMETOOLONG. */
int config_state_path(const struct config *config, const char *path, char *text, size_t size);
int config_runtime_path(const struct config *config, const char *path, char *text, size_t size);

/* plugins.directory, or where `make install` puts plugins. */
const char *config_plugin_directory(const struct config *config);

/* Fills what the configuration decides: mac, addresses, gateway, mtu, limits, tcp, over stack_config_init's
 * defaults. The rest (secret, shard, ids, ports, journal, congestion, offload) is for the caller to fill. */
void config_stack(const struct config *config, struct stack_config *ret_stack);
