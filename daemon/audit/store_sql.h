#pragma once
/* The statements of store.c. Column lists of the rows that are written in bulk come with their number. */

#define TRANSITION_COLUMNS 11
#define TRANSITION_ROWS 16 /* of one multi-row INSERT: measured, see tests/unit/audit/bench_recorder.c */
#define INSERT_TRANSITION                                                                                            \
	"INSERT OR IGNORE INTO transition (id, time, from_state, to_state, cause, snd_una, snd_nxt, rcv_nxt,"        \
	" cwnd, ssthresh, srtt) VALUES "

#define CONNECTION_COLUMNS 26
#define CONNECTION_ROWS 4
#define INSERT_CONNECTION                                                                                            \
	"INSERT OR IGNORE INTO connection (id, run, shard, local_address, local_port, remote_address, remote_port,"  \
	" role, service, congestion, opened, closed, state, first_cause, closing_cause, last_cause, last_speaker,"   \
	" iss, irs, segs_in, segs_out, retransmits, srtt, bytes_received, bytes_acked, bytes_retransmitted) VALUES "

/* ?1 id ?2 state ?3 closing_cause ?4 last_cause ?5 last_speaker ?6 congestion ?7 iss ?8 irs ?9.. counters;
 * what is unknown is NULL and leaves the column as it was. The second one also closes (?16): only it has to touch
 * the index of open connections. */
#define UPDATE_CONNECTION_SET                                                                                        \
	"UPDATE connection SET state = ?2, closing_cause = coalesce(closing_cause, ?3), last_cause = ?4,"            \
	" last_speaker = coalesce(?5, last_speaker), congestion = coalesce(?6, congestion),"                         \
	" iss = coalesce(?7, iss), irs = coalesce(?8, irs), segs_in = coalesce(?9, segs_in),"                        \
	" segs_out = coalesce(?10, segs_out), retransmits = coalesce(?11, retransmits), srtt = coalesce(?12, srtt)," \
	" bytes_received = coalesce(?13, bytes_received), bytes_acked = coalesce(?14, bytes_acked),"                 \
	" bytes_retransmitted = coalesce(?15, bytes_retransmitted)"

#define INSERT_SAMPLE                                                                                                \
	"INSERT INTO sample (connection, time, congestion, phase, cwnd, ssthresh, inflight, snd_wnd, rcv_wnd,"       \
	" retransmits, pacing, delivery_rate, bytes_acked, bytes_received, srtt, rttvar, min_rtt,"                   \
	" shadow, shadow_cwnd, shadow_ssthresh, shadow_pacing) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, "    \
	"?11,"                                                                                                       \
	" ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)"

#define STORE_STATEMENTS(X)                                                                                          \
	X(BEGIN, "BEGIN IMMEDIATE")                                                                                  \
	X(COMMIT, "COMMIT")                                                                                          \
	X(UPDATE_CONNECTION, UPDATE_CONNECTION_SET " WHERE id = ?1")                                                 \
	X(CLOSE_CONNECTION, UPDATE_CONNECTION_SET ", closed = ?16 WHERE id = ?1")                                    \
	X(SET_POSITION, "INSERT INTO ring (run, shard, position, last_connection) VALUES (?1, ?2, ?3, ?4)"           \
	                " ON CONFLICT DO UPDATE SET position = ?3, last_connection = max(last_connection, ?4)")      \
	X(GET_POSITION, "SELECT position FROM ring WHERE run = ?1 AND shard = ?2")                                   \
	X(RUN_BEGIN, "INSERT OR IGNORE INTO run (id, started, version, pid, shards, first_connection, wall_offset)"  \
	             " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")                                                         \
	X(RUN_END, "UPDATE run SET ended = max(?2, started), ending = ?3 WHERE id = ?1")                             \
	X(NAME, "INSERT OR REPLACE INTO name (run, kind, id, name) VALUES (?1, ?2, ?3, ?4)")                         \
	X(LOAD_NAMES, "SELECT kind, id, name FROM name WHERE run = ?1")                                              \
	X(END_TRANSITIONS, "INSERT OR IGNORE INTO transition (id, time, from_state, to_state, cause)"                \
	                   " SELECT last.id + 1, max(?2, last.time), last.to_state, ?4, ?3"                          \
	                   " FROM connection c INDEXED BY connection_open JOIN transition last ON last.id ="         \
	                   " (SELECT max(t.id) FROM transition t WHERE t.id BETWEEN c.id << 5 AND c.id << 5 | 31)"   \
	                   " WHERE c.run = ?1 AND c.closed IS NULL AND last.id & 31 < 31")                           \
	X(END_CONNECTIONS, "UPDATE connection INDEXED BY connection_open SET"                                        \
	                   " closed = coalesce((SELECT max(?2, max(t.time)) FROM transition t"                       \
	                   "  WHERE t.id BETWEEN connection.id << 5 AND connection.id << 5 | 31), ?2),"              \
	                   " state = ?4, last_cause = ?3, closing_cause = coalesce(closing_cause, ?3)"               \
	                   " WHERE run = ?1 AND closed IS NULL")                                                     \
	X(ACTION, "INSERT INTO action (run, time, uid, pid, method, arguments, result)"                              \
	          " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")                                                            \
	X(SAMPLE, INSERT_SAMPLE)                                                                                     \
	X(SAMPLE_OUTPUT, "INSERT OR IGNORE INTO sample_output (sample, shadow, algorithm, name, value)"              \
	                 " VALUES (?1, ?2, ?3, ?4, ?5)")                                                             \
	X(NEXT_OPEN_RUN, "SELECT id, started FROM run WHERE id > ?1 AND ended IS NULL ORDER BY id LIMIT 1")          \
	X(HIGHEST, "SELECT max(coalesce((SELECT max(id) FROM run), 0), coalesce((SELECT max(run) FROM ring), 0)),"   \
	           " max(coalesce((SELECT max(id) FROM connection), 0),"                                             \
	           "  coalesce((SELECT max(id) >> 5 FROM transition), 0),"                                           \
	           "  coalesce((SELECT max(last_connection) FROM ring), 0),"                                         \
	           "  coalesce((SELECT max(first_connection) - 1 FROM run), 0))")
