/* The one table of keys. Parsing, range checks, defaults, the shipped file, --set, ctl and reload follow from it. */
#include "config/config.h"
#include "config/form.h"

#include <string.h>
#include <syslog.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define AT(field) .offset = offsetof(struct config, field)
#define OPTION(field) .offset = offsetof(struct config_service, field)

#define NS UINT64_C(1)
#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define S UINT64_C(1000000000)
#define MIN (60 * S)
#define HOUR (60 * MIN)
#define DAY (24 * HOUR)
#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

#define KIND(name) (1u << CONFIG_SERVICE_##name)
#define KIND_ALL ((1u << CONFIG_SERVICE_KIND_COUNT) - 1)

static const struct config_choice log_levels[] = {
	{ "error", LOG_ERR }, { "warning", LOG_WARNING }, { "notice", LOG_NOTICE },
	{ "info", LOG_INFO }, { "debug", LOG_DEBUG },     { NULL, 0 },
};

static const struct config_choice service_kinds[] = {
	{ "echo", CONFIG_SERVICE_ECHO },       { "discard", CONFIG_SERVICE_DISCARD },
	{ "chargen", CONFIG_SERVICE_CHARGEN }, { "relay", CONFIG_SERVICE_RELAY },
	{ "http", CONFIG_SERVICE_HTTP },       { NULL, 0 },
};

static const struct config_choice ecn_modes[] = {
	{ "off", STACK_ECN_OFF },
	{ "accept", STACK_ECN_ACCEPT },
	{ "request", STACK_ECN_REQUEST },
	{ NULL, 0 },
};

static const struct config_choice icmp_policies[] = {
	{ "ignore", STACK_ICMP_IGNORE },
	{ "soft", STACK_ICMP_SOFT },
	{ "strict", STACK_ICMP_STRICT },
	{ NULL, 0 },
};

static const struct config_choice path_mtu_modes[] = {
	{ "off", STACK_PATH_MTU_OFF },
	{ "icmp", STACK_PATH_MTU_ICMP },
	{ "fallback", STACK_PATH_MTU_FALLBACK },
	{ "probe", STACK_PATH_MTU_PROBE },
	{ NULL, 0 },
};

static const struct config_choice plugin_replacements[] = {
	{ "drain", CONFIG_REPLACE_DRAIN },
	{ "move", CONFIG_REPLACE_MOVE },
	{ NULL, 0 },
};

static const struct config_choice proxy_protocols[] = {
	{ "none", CONFIG_PROXY_NONE },
	{ "v2", CONFIG_PROXY_V2 },
	{ NULL, 0 },
};

static const char services_example[] = "\n"
                                       "  - {name: echo, kind: echo, port: 7}\n"
                                       "  - {name: discard, kind: discard, port: 9}\n"
                                       "  - {name: chargen, kind: chargen, port: 19}\n"
                                       "  - {name: status, kind: http, port: 80, idle_timeout: 15s}\n"
                                       "  - name: web\n"
                                       "    kind: relay\n"
                                       "    port: 8080\n"
                                       "    target: tcp:127.0.0.1:8000\n"
                                       "    congestion: cubic\n"
                                       "    connect_timeout: 10s\n"
                                       "    proxy_protocol: none\n"
                                       "    tcp: {dscp: 10, keepalive: yes, keepalive_idle: 5min}";

/* clang-format off */
static const struct config_key keys[] = {
	{ .path = "link.backend", .type = CONFIG_TEXT, .min = 1, .max = 112, .initial = "tap", AT(link.backend),
	  .check = form_backend, .form = "`tap` or `unix:/path`",
	  .help = "Where frames come from: a TAP interface, or a SOCK_SEQPACKET socket with one frame a message" },
	{ .path = "link.name", .type = CONFIG_TEXT, .min = 1, .max = 15, .initial = "tapstack0", AT(link.name),
	  .check = form_interface, .form = "an interface name of up to 15 letters, digits and . _ -",
	  .help = "Name of the TAP interface; created when it is not there" },
	{ .path = "link.mtu", .type = CONFIG_UINT, .unit = "bytes", .min = 576, .max = 65521, .initial = "1500",
	  AT(link.mtu), .help = "Largest IP packet" },
	{ .path = "link.mac", .type = CONFIG_MAC, .initial = "auto", .word = "auto", AT(link.mac),
	  .help = "Ethernet address of the stack; auto: 02:00 and the last four bytes of its first IP address" },
	{ .path = "link.offload", .type = CONFIG_BOOL, .initial = "yes", AT(link.offload),
	  .help = "Checksum and segmentation offload on the TAP interface" },
	{ .path = "link.host_addresses", .type = CONFIG_PREFIXES, .max = STACK_ADDRESSES_MAX,
	  .initial = "[192.0.2.1/24]", AT(link.host_addresses),
	  .help = "Addresses for the kernel's end of the TAP interface, which is then brought up; []: leave it alone" },
	{ .path = "link.impair", .type = CONFIG_IMPAIR, .max = CONFIG_IMPAIR_MAX, .live = true, .initial = "[]",
	  AT(link.impair),
	  .help = "What a bad path does to frames, for tests and teaching: rules, of which a frame takes the first that fits" },

	{ .path = "stack.addresses", .type = CONFIG_PREFIXES, .min = 1, .max = STACK_ADDRESSES_MAX,
	  .initial = "[192.0.2.2/24]", AT(stack.addresses),
	  .help = "Addresses of the stack, each with the length of its network's prefix" },
	{ .path = "stack.gateway", .type = CONFIG_IP, .initial = "none", .word = "none", AT(stack.gateway),
	  .help = "Next hop over IPv4 for what is in none of these networks" },
	{ .path = "stack.gateway6", .type = CONFIG_IP, .initial = "none", .word = "none", AT(stack.gateway6),
	  .help = "The same over IPv6; may be a link-local address" },
	{ .path = "stack.dad_transmits", .type = CONFIG_BYTE, .min = 0, .max = 10, .initial = "1",
	  AT(stack.dad_transmits), .help = "Times to ask, a second each, whether an IPv6 address is free before it is used "
	                                   "(RFC 4862 section 5.4)" },
	{ .path = "stack.accept_ra", .type = CONFIG_BOOL, .initial = "no", AT(stack.accept_ra),
	  .help = "Take IPv6 addresses, networks, routers and the MTU from router advertisements (RFC 4861, RFC 4862)" },

	{ .path = "tcp.msl", .type = CONFIG_DURATION, .min = MS, .max = 10 * MIN, .initial = "30s",
	  .live = true, AT(tcp.msl),
	  .help = "Maximum segment lifetime" },
	{ .path = "tcp.time_wait", .type = CONFIG_DURATION, .min = MS, .max = HOUR, .initial = "auto", .word = "auto", .word_value = 0,
	  .live = true, AT(tcp.time_wait),
	  .help = "Length of TIME-WAIT; auto: twice tcp.msl" },
	{ .path = "tcp.challenge_acks_per_s", .type = CONFIG_UINT, .unit = "per second", .min = 0, .max = 255, .initial = "10",
	  .live = true, AT(tcp.challenge_acks_per_s),
	  .help = "Limit of challenge ACKs of a connection (RFC 5961 section 7)" },
	{ .path = "tcp.orphans_max", .type = CONFIG_UINT, .unit = "connections", .min = 1, .max = 16777216, .initial = "65536", .word = "none", .word_value = 0,
	  .live = true, AT(tcp.orphans_max),
	  .help = "Connections that no service holds any more, per shard; one more is reset; none: no limit" },
	{ .path = "tcp.fastopen_pending_max", .type = CONFIG_UINT, .unit = "connections", .min = 1, .max = 1048576, .initial = "256",
	  .live = true, AT(tcp.fastopen_pending_max),
	  .help = "Connections opened by Fast Open whose handshake is not complete, per shard" },
	{ .path = "tcp.syn_cookies", .type = CONFIG_BOOL, .initial = "yes",
	  .live = true, AT(tcp.syn_cookies),
	  .help = "Answer with SYN cookies when limits.half_open is reached (RFC 4987)" },
	{ .path = "tcp.syn_timeout", .type = CONFIG_DURATION, .min = MS, .max = DAY, .initial = "190s",
	  .live = true, .per_service = true, AT(tcp.syn_timeout),
	  .help = "An active open gives up after this; RFC 9293 asks for at least 3min" },
	{ .path = "tcp.half_open_timeout", .type = CONFIG_DURATION, .min = MS, .max = DAY, .initial = "1min",
	  .live = true, .per_service = true, AT(tcp.half_open_timeout),
	  .help = "SYN-RECEIVED gives up after this" },
	{ .path = "tcp.syn_retries", .type = CONFIG_UINT, .unit = "retransmissions", .min = 1, .max = 255, .initial = "none", .word = "none", .word_value = 0,
	  .live = true, .per_service = true, AT(tcp.syn_retries_max),
	  .help = "SYNs sent again before an active open gives up; none: only by time" },
	{ .path = "tcp.syn_ack_retries", .type = CONFIG_UINT, .unit = "retransmissions", .min = 1, .max = 255, .initial = "none", .word = "none", .word_value = 0,
	  .live = true, .per_service = true, AT(tcp.syn_ack_retries_max),
	  .help = "SYN-ACKs sent again before a passive open gives up; none: only by time" },
	{ .path = "tcp.mss_max", .type = CONFIG_SIZE32, .unit = "bytes", .min = 0, .max = 65481, .initial = "0",
	  .live = true, .per_service = true, AT(tcp.mss_max_bytes),
	  .help = "Largest segment to offer and send; 0: what the MTU allows" },
	{ .path = "tcp.window_scale", .type = CONFIG_BYTE, .min = 0, .max = 14, .initial = "auto", .word = "auto", .word_value = STACK_WSCALE_AUTO,
	  .live = true, .per_service = true, AT(tcp.window_scale),
	  .help = "Shift of the window to offer; auto: as far as tcp.rcvbuf_max asks for" },
	{ .path = "tcp.timestamps", .type = CONFIG_BOOL, .initial = "yes",
	  .live = true, .per_service = true, AT(tcp.timestamps),
	  .help = "Timestamps option (RFC 7323)" },
	{ .path = "tcp.sack", .type = CONFIG_BOOL, .initial = "yes",
	  .live = true, .per_service = true, AT(tcp.sack),
	  .help = "Selective acknowledgements (RFC 2018)" },
	{ .path = "tcp.window_scaling", .type = CONFIG_BOOL, .initial = "yes",
	  .live = true, .per_service = true, AT(tcp.window_scaling),
	  .help = "Window scaling (RFC 7323)" },
	{ .path = "tcp.ecn", .type = CONFIG_CHOICE, .initial = "accept", .choices = ecn_modes,
	  .live = true, .per_service = true, AT(tcp.ecn),
	  .help = "Explicit Congestion Notification (RFC 3168): accept it when the peer asks, or request it" },
	{ .path = "tcp.accecn", .type = CONFIG_BOOL, .initial = "yes",
	  .live = true, .per_service = true, AT(tcp.accecn),
	  .help = "Accurate ECN feedback where ECN is used (RFC 9768)" },
	{ .path = "tcp.dctcp_echo", .type = CONFIG_BOOL, .initial = "no",
	  .live = true, .per_service = true, AT(tcp.dctcp_echo),
	  .help = "Echo each mark by itself where ECN is used without AccECN (RFC 8257): for peers that send by DCTCP" },
	{ .path = "tcp.fastopen_client", .type = CONFIG_BOOL, .initial = "no",
	  .live = true, .per_service = true, AT(tcp.fastopen_client),
	  .help = "Send data on the SYN of an active open (RFC 7413)" },
	{ .path = "tcp.fastopen_server", .type = CONFIG_BOOL, .initial = "no",
	  .live = true, .per_service = true, AT(tcp.fastopen_server),
	  .help = "Take data on a SYN that brings a valid cookie (RFC 7413)" },
	{ .path = "tcp.rto_initial", .type = CONFIG_DURATION, .min = MS, .max = HOUR, .initial = "1s",
	  .live = true, .per_service = true, AT(tcp.rto_initial),
	  .help = "Retransmission timeout before the first measurement (RFC 6298)" },
	{ .path = "tcp.rto_min", .type = CONFIG_DURATION, .min = MS, .max = HOUR, .initial = "200ms",
	  .live = true, .per_service = true, AT(tcp.rto_min),
	  .help = "Least retransmission timeout" },
	{ .path = "tcp.rto_max", .type = CONFIG_DURATION, .min = MS, .max = HOUR, .initial = "1min",
	  .live = true, .per_service = true, AT(tcp.rto_max),
	  .help = "Greatest retransmission timeout" },
	{ .path = "tcp.r1", .type = CONFIG_UINT, .unit = "retransmissions", .min = 1, .max = 255, .initial = "3",
	  .live = true, .per_service = true, AT(tcp.r1_retransmits),
	  .help = "Retransmissions of one segment before the service is told of trouble; RFC 9293: at least 3" },
	{ .path = "tcp.retransmit_timeout", .type = CONFIG_DURATION, .min = MS, .max = DAY, .initial = "15min",
	  .live = true, .per_service = true, AT(tcp.retransmit_timeout),
	  .help = "A connection whose data nobody acknowledges is given up after this (R2); RFC 9293: at least 100s" },
	{ .path = "tcp.rack", .type = CONFIG_BOOL, .initial = "yes",
	  .live = true, .per_service = true, AT(tcp.rack),
	  .help = "Find losses by time (RACK, RFC 8985); no: by counting (RFC 6675)" },
	{ .path = "tcp.tail_loss_probe", .type = CONFIG_BOOL, .initial = "yes",
	  .live = true, .per_service = true, AT(tcp.tail_loss_probe),
	  .help = "Probe for losses at the end of a flight (TLP, RFC 8985)" },
	{ .path = "tcp.prr", .type = CONFIG_BOOL, .initial = "yes",
	  .live = true, .per_service = true, AT(tcp.prr),
	  .help = "Proportional rate reduction in recovery (RFC 9937)" },
	{ .path = "tcp.frto", .type = CONFIG_BOOL, .initial = "yes",
	  .live = true, .per_service = true, AT(tcp.frto),
	  .help = "Tell spurious retransmission timeouts by the ACKs that follow (F-RTO, RFC 5682)" },
	{ .path = "tcp.undo", .type = CONFIG_BOOL, .initial = "yes",
	  .live = true, .per_service = true, AT(tcp.undo),
	  .help = "Take back reactions to losses that were none (RFC 4015, D-SACK)" },
	{ .path = "tcp.initial_window_segments", .type = CONFIG_UINT, .unit = "segments", .min = 1, .max = 64, .initial = "10",
	  .live = true, .per_service = true, AT(tcp.initial_window_segments),
	  .help = "Initial congestion window (RFC 6928)" },
	{ .path = "tcp.cwnd_validation", .type = CONFIG_BOOL, .initial = "yes",
	  .live = true, .per_service = true, AT(tcp.cwnd_validation),
	  .help = "No growth of a congestion window that is not used (RFC 7661)" },
	{ .path = "tcp.idle_restart", .type = CONFIG_BOOL, .initial = "yes",
	  .live = true, .per_service = true, AT(tcp.idle_restart),
	  .help = "Begin again with the initial window after an idle time (RFC 5681)" },
	{ .path = "tcp.pacing_max", .type = CONFIG_SIZE, .unit = "bytes", .min = KIB, .max = 1024 * GIB, .initial = "none", .word = "none", .word_value = 0,
	  .live = true, .per_service = true, AT(tcp.pacing_max_bytes_per_s),
	  .help = "Upper limit of the sending rate, in bytes per second" },
	{ .path = "tcp.rcvbuf_initial", .type = CONFIG_SIZE32, .unit = "bytes", .min = 2 * KIB, .max = GIB, .initial = "256KiB",
	  .live = true, .per_service = true, AT(tcp.rcvbuf_initial_bytes),
	  .help = "First receive window" },
	{ .path = "tcp.rcvbuf_max", .type = CONFIG_SIZE32, .unit = "bytes", .min = 2 * KIB, .max = GIB, .initial = "16MiB",
	  .live = true, .per_service = true, AT(tcp.rcvbuf_max_bytes),
	  .help = "How far the receive window may grow by itself" },
	{ .path = "tcp.rcvbuf_autotune", .type = CONFIG_BOOL, .initial = "yes",
	  .live = true, .per_service = true, AT(tcp.rcvbuf_autotune),
	  .help = "The receive window grows with the rate at which the service reads" },
	{ .path = "tcp.sndbuf_initial", .type = CONFIG_SIZE32, .unit = "bytes", .min = 2 * KIB, .max = GIB, .initial = "256KiB",
	  .live = true, .per_service = true, AT(tcp.sndbuf_initial_bytes),
	  .help = "First limit of the send buffer" },
	{ .path = "tcp.sndbuf_max", .type = CONFIG_SIZE32, .unit = "bytes", .min = 2 * KIB, .max = GIB, .initial = "16MiB",
	  .live = true, .per_service = true, AT(tcp.sndbuf_max_bytes),
	  .help = "How far the send buffer may grow by itself" },
	{ .path = "tcp.sndbuf_autotune", .type = CONFIG_BOOL, .initial = "yes",
	  .live = true, .per_service = true, AT(tcp.sndbuf_autotune),
	  .help = "The send buffer grows with the congestion window" },
	{ .path = "tcp.delayed_ack", .type = CONFIG_DURATION, .min = 0, .max = 499 * MS, .initial = "40ms",
	  .live = true, .per_service = true, AT(tcp.delayed_ack),
	  .help = "How long an ACK may wait for data or a second segment; RFC 9293: below 500ms" },
	{ .path = "tcp.fin_wait_2_timeout", .type = CONFIG_DURATION, .min = MS, .max = DAY, .initial = "1min",
	  .live = true, .per_service = true, AT(tcp.fin_wait_2_timeout),
	  .help = "How long FIN-WAIT-2 lasts when the service has let go of the connection" },
	{ .path = "tcp.orphan_timeout", .type = CONFIG_DURATION, .min = MS, .max = DAY, .initial = "100s", .word = "auto", .word_value = 0,
	  .live = true, .per_service = true, AT(tcp.orphan_timeout),
	  .help = "How long data of a connection without service may stay unacknowledged; auto: tcp.retransmit_timeout" },
	{ .path = "tcp.linger", .type = CONFIG_DURATION, .min = 0, .max = DAY, .initial = "off", .word = "off", .word_value = UINT64_MAX,
	  .live = true, .per_service = true, AT(tcp.linger),
	  .help = "A closed connection whose data is not acknowledged after this is reset, 0 at once; off: TCP goes on by itself" },
	{ .path = "tcp.user_timeout", .type = CONFIG_DURATION, .min = MS, .max = DAY, .initial = "none", .word = "none", .word_value = 0,
	  .live = true, .per_service = true, AT(tcp.user_timeout),
	  .help = "A connection is aborted when its data stays unacknowledged for so long (RFC 5482); none: only by tcp.retransmit_timeout" },
	{ .path = "tcp.user_timeout_option", .type = CONFIG_BOOL, .initial = "no",
	  .live = true, .per_service = true, AT(tcp.user_timeout_option),
	  .help = "Tell the peer of tcp.user_timeout, and follow what it tells (RFC 5482)" },
	{ .path = "tcp.keepalive", .type = CONFIG_BOOL, .initial = "no",
	  .live = true, .per_service = true, AT(tcp.keepalive),
	  .help = "Probe a peer that has been silent (RFC 9293 section 3.8.4)" },
	{ .path = "tcp.keepalive_idle", .type = CONFIG_DURATION, .min = MS, .max = 30 * DAY, .initial = "2h",
	  .live = true, .per_service = true, AT(tcp.keepalive_idle),
	  .help = "Silence before the first probe; RFC 9293: by default at least 2h" },
	{ .path = "tcp.keepalive_interval", .type = CONFIG_DURATION, .min = MS, .max = DAY, .initial = "75s",
	  .live = true, .per_service = true, AT(tcp.keepalive_interval),
	  .help = "Time between probes" },
	{ .path = "tcp.keepalive_count", .type = CONFIG_UINT, .unit = "probes", .min = 1, .max = 255, .initial = "9",
	  .live = true, .per_service = true, AT(tcp.keepalive_count),
	  .help = "Probes without an answer before the connection is given up" },
	{ .path = "tcp.keepalive_garbage", .type = CONFIG_BOOL, .initial = "no",
	  .live = true, .per_service = true, AT(tcp.keepalive_garbage),
	  .help = "Probes carry one octet, for peers that ignore empty ones" },
	{ .path = "tcp.ttl", .type = CONFIG_BYTE, .min = 1, .max = 255, .initial = "64",
	  .live = true, .per_service = true, AT(tcp.ttl),
	  .help = "Time to live (hop limit) of packets sent" },
	{ .path = "tcp.dscp", .type = CONFIG_BYTE, .min = 0, .max = 63, .initial = "0",
	  .live = true, .per_service = true, AT(tcp.dscp),
	  .help = "Differentiated services code point of packets sent" },
	{ .path = "tcp.icmp", .type = CONFIG_CHOICE, .initial = "soft", .choices = icmp_policies,
	  .live = true, .per_service = true, AT(tcp.icmp_policy),
	  .help = "What ICMP errors may do: nothing; be told to the service, and end an attempt to connect; end a half-open connection, too (RFC 5927)" },
	{ .path = "tcp.path_mtu", .type = CONFIG_CHOICE, .initial = "fallback", .choices = path_mtu_modes,
	  .live = true, .per_service = true, AT(tcp.path_mtu),
	  .help = "How the path MTU is found: off; by ICMP (RFC 1191); fallback: and by probing where ICMP is lost; by probing from the start (RFC 4821)" },
	{ .path = "tcp.path_mtu_probe_floor", .type = CONFIG_SIZE32, .unit = "bytes", .min = 256, .max = 9000, .initial = "1KiB",
	  .live = true, .per_service = true, AT(tcp.path_mtu_probe_floor_bytes),
	  .help = "Packet size with which probing begins" },

	{ .path = "limits.connections", .type = CONFIG_UINT, .min = 1, .max = 16777216, .initial = "131072",
	  AT(limits.connections), .help = "Connections per shard, not counting the two kinds below" },
	{ .path = "limits.half_open", .type = CONFIG_UINT, .min = 1, .max = 16777216, .initial = "16384",
	  AT(limits.half_open), .help = "Connections in SYN-RECEIVED per shard" },
	{ .path = "limits.time_wait", .type = CONFIG_UINT, .min = 1, .max = 16777216, .initial = "131072",
	  AT(limits.time_wait), .help = "Connections in TIME-WAIT per shard" },
	{ .path = "limits.neighbours", .type = CONFIG_UINT, .min = 1, .max = 65536, .initial = "1024",
	  AT(limits.neighbours), .help = "Entries of the neighbour table (ARP, neighbour discovery) per shard" },
	{ .path = "limits.paths", .type = CONFIG_UINT, .min = 1, .max = 1048576, .initial = "4096",
	  AT(limits.paths), .help = "Destinations per shard whose MTU and Fast Open cookie are remembered" },
	{ .path = "limits.listeners", .type = CONFIG_UINT, .min = 1, .max = 65535, .initial = "256",
	  AT(limits.listeners), .help = "Services" },
	{ .path = "limits.buffers", .type = CONFIG_SIZE, .unit = "bytes", .min = MIB, .max = 1024 * GIB,
	  .initial = "256MiB", AT(limits.buffers), .help = "Data in send and receive buffers per shard" },
	{ .path = "limits.fragments", .type = CONFIG_SIZE, .unit = "bytes", .min = 0, .max = GIB, .initial = "4MiB",
	  AT(limits.fragments), .help = "IP fragments waiting to be whole per shard; 0: fragments are refused" },
	{ .path = "limits.impair", .type = CONFIG_SIZE, .unit = "bytes", .min = MIB, .max = 64 * GIB, .initial = "64MiB",
	  AT(limits.impair), .help = "Frames that link.impair holds per shard; beyond it they are dropped" },

	{ .path = "shard.count", .type = CONFIG_UINT, .min = 1, .max = 64, .initial = "1", AT(shard.count),
	  .help = "Threads that move packets, each with its own stack and TAP queue" },
	{ .path = "shard.spin_max", .type = CONFIG_DURATION, .min = 0, .max = 10 * MS, .initial = "0",
	  AT(shard.spin_max), .help = "How long a shard goes on looking for packets before it sleeps; 0: not at all" },

	{ .path = "congestion.default", .type = CONFIG_TEXT, .min = 1, .max = 63, .live = true, .initial = "reno",
	  AT(congestion.standard), .check = form_name, .form = "`reno` or a name from plugins.congestion",
	  .help = "Congestion algorithm of services that name none" },
	{ .path = "congestion.rules", .type = CONFIG_RULES, .max = STACK_RULES_MAX, .live = true, .initial = "[]",
	  AT(congestion.rules),
	  .help = "Who gets which algorithm, the first rule that fits: {service: NAME, peer: PREFIX, use: NAME or {NAME: WEIGHT, ...}, shadow: NAME, sample: TIME}, all but one of the last three optional" },

	{ .path = "audit.database", .type = CONFIG_TEXT, .min = 1, .max = 4000, .initial = "audit.db",
	  AT(audit.database), .help = "SQLite database of the audit; relative to state_directory" },
	{ .path = "audit.ring_size", .type = CONFIG_SIZE, .unit = "bytes", .min = 64 * KIB, .max = 16 * GIB,
	  .initial = "64MiB", AT(audit.ring_size),
	  .help = "Journal between a shard and the database; without room in it new connections are refused" },

	{ .path = "state_directory", .type = CONFIG_TEXT, .min = 1, .max = 4000, .initial = TAPSTACK_STATE_DIRECTORY,
	  AT(state_directory), .check = form_absolute, .form = "an absolute path",
	  .help = "What must survive a restart: journal and database" },
	{ .path = "runtime_directory", .type = CONFIG_TEXT, .min = 1, .max = 4000, .initial = TAPSTACK_RUNTIME_DIRECTORY,
	  AT(runtime_directory), .check = form_absolute, .form = "an absolute path",
	  .help = "Sockets" },

	{ .path = "control.socket", .type = CONFIG_TEXT, .min = 1, .max = 107, .initial = "control.sock",
	  AT(control.socket), .help = "Where tapstackctl reaches the daemon; relative to runtime_directory" },
	{ .path = "control.observe", .type = CONFIG_TEXTS, .max = 64, .live = true, .initial = "[group:tapstack]",
	  AT(control.observe), .check = form_principal, .form = "user names and group:NAME",
	  .help = "Who may look" },
	{ .path = "control.operate", .type = CONFIG_TEXTS, .max = 64, .live = true, .initial = "[group:tapstack]",
	  AT(control.operate), .check = form_principal, .form = "user names and group:NAME",
	  .help = "Who may also close connections, and give them another congestion algorithm" },
	{ .path = "control.admin", .type = CONFIG_TEXTS, .max = 64, .live = true, .initial = "[root]",
	  AT(control.admin), .check = form_principal, .form = "user names and group:NAME",
	  .help = "Who may also change the configuration and stop the daemon" },

	{ .path = "plugins.directory", .type = CONFIG_TEXT, .min = 1, .max = 4000, .live = true, .initial = "auto",
	  AT(plugins.directory), .check = form_directory, .form = "`auto` or an absolute path",
	  .help = "Where plugins are; auto: where the installation put them. Only root or the daemon's user may write there" },
	{ .path = "plugins.congestion", .type = CONFIG_PLUGINS, .max = 32, .live = true, .initial = "[]",
	  .example = "[cubic]", AT(plugins.congestion),
	  .help = "Algorithms to load: NAME, or {plugin: NAME, name: INSTANCE, params: {PARAMETER: VALUE}}" },
	{ .path = "plugins.logging", .type = CONFIG_PLUGINS, .max = 32, .live = true, .initial = "[]", AT(plugins.logging),
	  .help = "Logs to write, as above: {plugin: jsonl, params: {path: transitions.jsonl}}; paths are relative to state_directory; packets too with capture: {filter: \"dport=80\", bytes: 256, queue: 4MiB, verdicts: all}" },
	{ .path = "plugins.replace", .type = CONFIG_CHOICE, .live = true, .initial = "drain", AT(plugins.replace),
	  .choices = plugin_replacements,
	  .help = "When a reload replaces an algorithm, its connections keep the old version to their end, or move to the new one" },

	{ .path = "shutdown.grace", .type = CONFIG_DURATION, .max = HOUR, .live = true, .initial = "2s",
	  AT(shutdown.grace), .help = "How long connections may take to close when the daemon stops; 0: none" },

	{ .path = "log.level", .type = CONFIG_CHOICE, .live = true, .initial = "info", AT(log.level),
	  .choices = log_levels, .help = "What the daemon's own log shows" },

	{ .path = "services", .type = CONFIG_SERVICES, .max = 1024, .live = true, .initial = "[]",
	  .example = services_example, AT(services), .help = "What answers on a port" },
};

static const struct config_key service_keys[] = {
	{ .path = "kind", .type = CONFIG_CHOICE, OPTION(kind), .kinds = KIND_ALL, .choices = service_kinds,
	  .help = "What it does" },
	{ .path = "name", .type = CONFIG_TEXT, .min = 1, .max = 63, .initial = "", OPTION(name), .kinds = KIND_ALL,
	  .check = form_name, .form = "up to 63 letters, digits and . _ -",
	  .help = "Shown by tapstackctl and in the audit; unique; default: the kind" },
	{ .path = "address", .type = CONFIG_IP, .initial = "any", .word = "any", OPTION(address), .kinds = KIND_ALL,
	  .help = "One of stack.addresses, or any of them" },
	{ .path = "port", .type = CONFIG_UINT, .min = 1, .max = 65535, OPTION(port), .kinds = KIND_ALL,
	  .help = "TCP port" },
	{ .path = "backlog", .type = CONFIG_UINT, .min = 1, .max = 1048576, .initial = "1024", OPTION(backlog),
	  .kinds = KIND_ALL, .help = "Connections that are half open or that the service has not yet taken" },
	{ .path = "congestion", .type = CONFIG_TEXT, .min = 1, .max = 63, .initial = "", OPTION(congestion),
	  .kinds = KIND_ALL, .check = form_name, .form = "`reno` or a name from plugins.congestion",
	  .help = "Congestion algorithm; default: congestion.default" },
	{ .path = "nodelay", .type = CONFIG_BOOL, .initial = "no", OPTION(nodelay), .kinds = KIND_ALL,
	  .help = "Send small segments at once (no Nagle algorithm)" },
	{ .path = "target", .type = CONFIG_TEXT, .min = 1, .max = 300, OPTION(target), .kinds = KIND(RELAY),
	  .check = form_target, .form = "`unix:/path` or `tcp:HOST:PORT`", .help = "The local server to join to" },
	{ .path = "connect_timeout", .type = CONFIG_DURATION, .min = MS, .max = HOUR, .initial = "10s",
	  OPTION(connect_timeout), .kinds = KIND(RELAY), .help = "How long the target may take to accept" },
	{ .path = "idle_timeout", .type = CONFIG_DURATION, .min = 0, .max = 365 * DAY, .initial = "0",
	  OPTION(idle_timeout), .kinds = KIND(RELAY), .help = "Close when nothing has moved for so long; 0: never" },
	{ .path = "idle_timeout", .type = CONFIG_DURATION, .min = MS, .max = DAY, .initial = "15s",
	  OPTION(idle_timeout), .kinds = KIND(HTTP), .help = "Close a connection without a request after this" },
	{ .path = "proxy_protocol", .type = CONFIG_CHOICE, .initial = "none", OPTION(proxy_protocol),
	  .kinds = KIND(RELAY), .choices = proxy_protocols,
	  .help = "Tell the target the true peer by a PROXY protocol header" },
};
/* clang-format on */

const struct config_key *config_keys(size_t *ret_count)
{
	*ret_count = COUNT(keys);
	return keys;
}

const struct config_key *config_service_keys(size_t *ret_count)
{
	*ret_count = COUNT(service_keys);
	return service_keys;
}

const struct config_key *config_find_key(const char *path)
{
	for (size_t i = 0; i < COUNT(keys); i++)
		if (strcmp(keys[i].path, path) == 0)
			return &keys[i];
	return NULL;
}

const char *config_service_kind_name(uint32_t kind)
{
	return kind < CONFIG_SERVICE_KIND_COUNT ? service_kinds[kind].name : "?";
}
