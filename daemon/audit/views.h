#pragma once
/* The views: what a person reads. Times are ISO 8601 in UTC with microseconds. */

/* The text of a time column; NULL stays NULL. */
#define VIEW_ISO(ns)                                                                                                 \
	"strftime('%Y-%m-%dT%H:%M:%S', " ns " / 1000000000, 'unixepoch')"                                            \
	" || printf('.%06dZ', " ns " % 1000000000 / 1000)"

/* An IPv6 address needs brackets before a port. */
#define VIEW_END(address, port)                                                                                      \
	"CASE WHEN instr(" address ", ':') THEN '[' || " address " || ']' ELSE " address " END || ':' || " port

#define VIEWS_1                                                                                                                                                                                                                                        \
	"CREATE VIEW connections AS SELECT"                                                                                                                                                                                                            \
	" c.id AS connection, c.run,"                                                                                                                                                                                                                  \
	" " VIEW_END(                                                                                                                                                                                                                                  \
	        "c.local_address",                                                                                                                                                                                                                     \
	        "c.local_port") " AS local,"                                                                                                                                                                                                           \
	                        " " VIEW_END(                                                                                                                                                                                                          \
	                                "c.remote_address",                                                                                                                                                                                            \
	                                "c.remote_port") " AS remote,"                                                                                                                                                                                 \
	                                                 " c.role, c.service, c.congestion,"                                                                                                                                                           \
	                                                 " " VIEW_ISO(                                                                                                                                                                                 \
	                                                         "c.opened") " AS opened,"                                                                                                                                                             \
	                                                                     " " VIEW_ISO(                                                                                                                                                             \
	                                                                             "c.closed") " AS closed,"                                                                                                                                         \
	                                                                                         " round((c.closed "                                                                                                                                   \
	                                                                                         "- c.opened) / "                                                                                                                                      \
	                                                                                         "1e9, 6) AS "                                                                                                                                         \
	                                                                                         "duration_s,"                                                                                                                                         \
	                                                                                         " state.name AS "                                                                                                                                     \
	                                                                                         "state,"                                                                                                                                              \
	                                                                                         " how.name AS "                                                                                                                                       \
	                                                                                         "opened_by,"                                                                                                                                          \
	                                                                                         " why.name AS "                                                                                                                                       \
	                                                                                         "closing_cause, "                                                                                                                                     \
	                                                                                         "why.meaning AS "                                                                                                                                     \
	                                                                                         "closing_meaning, "                                                                                                                                   \
	                                                                                         "why.section AS "                                                                                                                                     \
	                                                                                         "closing_section,"                                                                                                                                    \
	                                                                                         " last.name AS "                                                                                                                                      \
	                                                                                         "last_cause, "                                                                                                                                        \
	                                                                                         "last.meaning AS "                                                                                                                                    \
	                                                                                         "last_meaning, "                                                                                                                                      \
	                                                                                         "last.section AS "                                                                                                                                    \
	                                                                                         "last_section,"                                                                                                                                       \
	                                                                                         " c.last_speaker, "                                                                                                                                   \
	                                                                                         "c.bytes_received,"                                                                                                                                   \
	                                                                                         " c.bytes_acked, "                                                                                                                                    \
	                                                                                         "c.bytes_"                                                                                                                                            \
	                                                                                         "retransmitted,"                                                                                                                                      \
	                                                                                         " c.segs_in, "                                                                                                                                        \
	                                                                                         "c.segs_out, "                                                                                                                                        \
	                                                                                         "c.retransmits, "                                                                                                                                     \
	                                                                                         "round(c.srtt / "                                                                                                                                     \
	                                                                                         "1e6, 3) AS "                                                                                                                                         \
	                                                                                         "srtt_ms"                                                                                                                                             \
	                                                                                         " FROM connection "                                                                                                                                   \
	                                                                                         "c"                                                                                                                                                   \
	                                                                                         " LEFT JOIN state "                                                                                                                                   \
	                                                                                         "ON state.id = "                                                                                                                                      \
	                                                                                         "c.state"                                                                                                                                             \
	                                                                                         " LEFT JOIN cause "                                                                                                                                   \
	                                                                                         "how ON how.id = "                                                                                                                                    \
	                                                                                         "c.first_cause"                                                                                                                                       \
	                                                                                         " LEFT JOIN cause "                                                                                                                                   \
	                                                                                         "why ON why.id = "                                                                                                                                    \
	                                                                                         "c.closing_cause"                                                                                                                                     \
	                                                                                         " LEFT JOIN cause "                                                                                                                                   \
	                                                                                         "last ON last.id "                                                                                                                                    \
	                                                                                         "= c.last_cause;"                                                                                                                                     \
                                                                                                                                                                                                                                                       \
	                                                                                         "CREATE VIEW "                                                                                                                                        \
	                                                                                         "transitions AS "                                                                                                                                     \
	                                                                                         "SELECT"                                                                                                                                              \
	                                                                                         " c.id AS "                                                                                                                                           \
	                                                                                         "connection, t.id "                                                                                                                                   \
	                                                                                         "& 31 AS n,"                                                                                                                                          \
	                                                                                         " " VIEW_ISO(                                                                                                                                         \
	                                                                                                 "t.time") " AS time,"                                                                                                                         \
	                                                                                                           " round((t.time - before.time) / 1e6, 3) AS since_previous_ms,"                                                                     \
	                                                                                                           " a.name AS from_state, b.name AS to_state,"                                                                                        \
	                                                                                                           " cause.name AS cause, cause.meaning, cause.section,"                                                                               \
	                                                                                                           " t.snd_una, t.snd_nxt, t.rcv_nxt, t.cwnd, t.ssthresh, round(t.srtt / 1e6, 3) AS srtt_ms"                                           \
	                                                                                                           " FROM connection c"                                                                                                                \
	                                                                                                           " CROSS JOIN transition t ON t.id BETWEEN c.id << 5 AND c.id << 5 | 31"                                                             \
	                                                                                                           " LEFT JOIN transition before ON before.id = t.id - 1 AND t.id & 31 > 0"                                                            \
	                                                                                                           " LEFT JOIN state a ON a.id = t.from_state"                                                                                         \
	                                                                                                           " LEFT JOIN state b ON b.id = t.to_state"                                                                                           \
	                                                                                                           " LEFT JOIN cause ON cause.id = t.cause;"                                                                                           \
                                                                                                                                                                                                                                                       \
	                                                                                                           "CREATE VIEW live AS SELECT"                                                                                                        \
	                                                                                                           " connection, local, remote, role, service, congestion, opened, state, opened_by, last_cause,"                                      \
	                                                                                                           " last_speaker, bytes_received, bytes_acked, retransmits, srtt_ms"                                                                  \
	                                                                                                           " FROM connections WHERE connection IN (SELECT id FROM connection WHERE closed IS NULL);"                                           \
                                                                                                                                                                                                                                                       \
	                                                                                                           "CREATE VIEW runs AS SELECT"                                                                                                        \
	                                                                                                           " id AS run,"                                                                                                                       \
	                                                                                                           " " VIEW_ISO(                                                                                                                       \
	                                                                                                                   "started") " AS started,"                                                                                                   \
	                                                                                                                              " " VIEW_ISO(                                                                                                    \
	                                                                                                                                      "ended") " AS ended,"                                                                                    \
	                                                                                                                                               " round((ended - started) / 1e9, 3) AS duration_s,"                                             \
	                                                                                                                                               " ending, version, pid, shards, first_connection"                                               \
	                                                                                                                                               " FROM run;"                                                                                    \
                                                                                                                                                                                                                                                       \
	                                                                                                                                               "CREATE VIEW actions AS SELECT"                                                                 \
	                                                                                                                                               " id AS action, run,"                                                                           \
	                                                                                                                                               " " VIEW_ISO(                                                                                   \
	                                                                                                                                                       "time") " AS time,"                                                                     \
	                                                                                                                                                               " uid, pid, method, arguments, result"                                          \
	                                                                                                                                                               " FROM action;"                                                                 \
                                                                                                                                                                                                                                                       \
	                                                                                                                                                               "CREATE VIEW endings AS SELECT"                                                 \
	                                                                                                                                                               " why.name AS closing_cause, last.name AS last_cause, count(*) AS connections," \
	                                                                                                                                                               " round(avg(c.closed - c.opened) / 1e9, 6) AS mean_duration_s,"                 \
	                                                                                                                                                               " sum(c.bytes_received) AS bytes_received, sum(c.bytes_acked) AS bytes_acked,"  \
	                                                                                                                                                               " why.meaning AS closing_meaning, last.meaning AS last_meaning"                 \
	                                                                                                                                                               " FROM connection c"                                                            \
	                                                                                                                                                               " LEFT JOIN cause why ON why.id = c.closing_cause"                              \
	                                                                                                                                                               " LEFT JOIN cause last ON last.id = c.last_cause"                               \
	                                                                                                                                                               " WHERE c.closed IS NOT NULL"                                                   \
	                                                                                                                                                               " GROUP BY c.closing_cause, c.last_cause ORDER BY connections DESC;"

/* clang-format off: what a person reads should be readable here, too. */
#define VIEWS_2                                                                                                      \
	"CREATE VIEW samples AS SELECT"                                                                              \
	" s.id AS sample, s.connection, " VIEW_ISO(                                                                  \
	        "s.time") " AS time,"                                                                                \
	                  " s.congestion, s.phase, s.cwnd, s.ssthresh, s.inflight, s.snd_wnd, s.rcv_wnd, "           \
	                  "s.retransmits,"                                                                           \
	                  " s.pacing, s.delivery_rate, s.bytes_acked, s.bytes_received,"                             \
	                  " round(s.srtt / 1e6, 3) AS srtt_ms, round(s.rttvar / 1e6, 3) AS rttvar_ms,"               \
	                  " round(s.min_rtt / 1e6, 3) AS min_rtt_ms,"                                                \
	                  " s.shadow, s.shadow_cwnd, s.shadow_ssthresh, s.shadow_pacing"                             \
	                  " FROM sample s;"                                                                          \
                                                                                                                     \
	                  "CREATE VIEW outputs AS SELECT"                                                            \
	                  " s.connection, " VIEW_ISO(                                                                \
	                          "s.time") " AS time, o.algorithm, o.name, o.value, o.sample, o.shadow"             \
	                                    " FROM sample_output o JOIN sample s ON s.id = o.sample;"                \
                                                                                                                     \
	                                    /* An A/B test in one row for each arm: connections that have ended and  \
	                                       sent something. */                                                    \
	                                    "CREATE VIEW congestion_comparison AS SELECT"                            \
	                                    " service, congestion, count(*) AS connections, sum(bytes_acked) AS "    \
	                                    "bytes_acked,"                                                           \
	                                    " CAST(sum(bytes_acked) / nullif(sum(closed - opened) / 1e9, 0) AS "     \
	                                    "INTEGER) AS goodput,"                                                   \
	                                    " round(1.0 * sum(bytes_retransmitted) / sum(bytes_acked + "             \
	                                    "bytes_retransmitted), 6) AS retransmission_ratio,"                      \
	                                    " round(avg(srtt) / 1e6, 3) AS mean_srtt_ms,"                            \
	                                    " round(avg(closed - opened) / 1e9, 6) AS mean_duration_s,"              \
	                                    " round(avg(retransmits), 3) AS mean_retransmits"                        \
	                                    " FROM connection WHERE closed IS NOT NULL AND bytes_acked > 0"          \
	                                    " GROUP BY service, congestion ORDER BY service, congestion;"            \
                                                                                                                     \
	                                    /* What the algorithm in shadow would have done, beside what was done.   \
	                                     */                                                                      \
	                                    "CREATE VIEW shadow_comparison AS SELECT"                                \
	                                    " connection, congestion, shadow, count(*) AS samples,"                  \
	                                    " CAST(avg(cwnd) AS INTEGER) AS mean_cwnd, CAST(avg(shadow_cwnd) AS "    \
	                                    "INTEGER) AS mean_shadow_cwnd,"                                          \
	                                    " round(avg(1.0 * shadow_cwnd / cwnd), 3) AS mean_ratio,"                \
	                                    " min(shadow_cwnd) AS least_shadow_cwnd, max(shadow_cwnd) AS "           \
	                                    "most_shadow_cwnd"                                                       \
	                                    " FROM sample WHERE shadow IS NOT NULL AND cwnd > 0"                     \
	                                    " GROUP BY connection, congestion, shadow;"
/* clang-format on */
