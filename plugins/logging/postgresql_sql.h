#pragma once
/* What the database is made of: the tables of the audit (connection, transition, run, state, cause), with a run of a
 * host in front of each key. Times are nanoseconds since 1970, as there. The schema is the first of the search path.
 * Statements are laid out by hand, so that they can be read. */

/* clang-format off */

/* Migration 1. `connection` and `transition` are partitioned by the day of `seen`, the time of the first transition of the
 * connection that arrived here, and of `time`. What SQLite keeps as a number of its own program is a number of this
 * database: names of states and causes come as they are met. run.position is the number of the last batch stored: it
 * changes in the transaction that stores the batch, so that none is stored twice. */
static const char postgresql_schema_1[] =
"CREATE TABLE host (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE);"
"CREATE TABLE state (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE);"
"CREATE TABLE cause (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE,"
" meaning text NOT NULL, section text NOT NULL);"
"CREATE TABLE run (key integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
" host integer NOT NULL REFERENCES host, id bigint NOT NULL, instance text NOT NULL,"
" started bigint NOT NULL, ended bigint, ending text, version text, link text,"
" position bigint NOT NULL DEFAULT 0,"
" UNIQUE (host, id, started, instance));"
"CREATE TABLE connection (run integer NOT NULL, id bigint NOT NULL, seen bigint NOT NULL, shard integer,"
" local_address text NOT NULL, local_port integer NOT NULL,"
" remote_address text NOT NULL, remote_port integer NOT NULL,"
" role text NOT NULL, service text, congestion text, opened bigint, closed bigint, state integer NOT NULL,"
" first_cause integer, closing_cause integer, last_cause integer, last_speaker text, iss bigint, irs bigint,"
" segs_in bigint, segs_out bigint, retransmits bigint, srtt bigint,"
" bytes_received bigint, bytes_acked bigint, bytes_retransmitted bigint,"
" PRIMARY KEY (run, id, seen)) PARTITION BY RANGE (seen);"
"CREATE INDEX connection_open ON connection (run) WHERE closed IS NULL;"
"CREATE TABLE transition (run integer NOT NULL, id bigint NOT NULL, time bigint NOT NULL,"
" from_state integer NOT NULL, to_state integer NOT NULL, cause integer NOT NULL,"
" snd_una bigint, snd_nxt bigint, rcv_nxt bigint, cwnd bigint, ssthresh bigint, srtt bigint,"
" PRIMARY KEY (run, id, time)) PARTITION BY RANGE (time);";

static const char postgresql_views_1[] =
"CREATE FUNCTION iso(ns bigint) RETURNS text LANGUAGE sql IMMUTABLE AS"
" $$SELECT to_char(to_timestamp(ns / 1000000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS')"
" || '.' || lpad((ns % 1000000000 / 1000)::text, 6, '0') || 'Z'$$;"
"CREATE FUNCTION endpoint(address text, port integer) RETURNS text LANGUAGE sql IMMUTABLE AS"
" $$SELECT CASE WHEN strpos(address, ':') > 0 THEN '[' || address || ']' ELSE address END || ':' || port$$;"

"CREATE VIEW connections AS SELECT h.name AS host, c.id AS connection, r.id AS run,"
" endpoint(c.local_address, c.local_port) AS local, endpoint(c.remote_address, c.remote_port) AS remote,"
" c.role, c.service, c.congestion, iso(c.opened) AS opened, iso(c.closed) AS closed,"
" round((c.closed - c.opened) / 1e9, 6) AS duration_s, s.name AS state, how.name AS opened_by,"
" why.name AS closing_cause, why.meaning AS closing_meaning, why.section AS closing_section,"
" last.name AS last_cause, last.meaning AS last_meaning, last.section AS last_section, c.last_speaker,"
" c.bytes_received, c.bytes_acked, c.bytes_retransmitted, c.segs_in, c.segs_out, c.retransmits,"
" round(c.srtt / 1e6, 3) AS srtt_ms, c.seen, c.run AS run_key"
" FROM connection c JOIN run r ON r.key = c.run JOIN host h ON h.id = r.host LEFT JOIN state s ON s.id = c.state"
" LEFT JOIN cause how ON how.id = c.first_cause LEFT JOIN cause why ON why.id = c.closing_cause"
" LEFT JOIN cause last ON last.id = c.last_cause;"
"CREATE VIEW transitions AS SELECT h.name AS host, t.id >> 5 AS connection, t.id & 31 AS n, r.id AS run,"
" iso(t.time) AS time,"
" round((t.time - lag(t.time) OVER (PARTITION BY t.run, t.id >> 5 ORDER BY t.id)) / 1e6, 3) AS since_previous_ms,"
" a.name AS from_state, b.name AS to_state, cause.name AS cause, cause.meaning, cause.section,"
" t.snd_una, t.snd_nxt, t.rcv_nxt, t.cwnd, t.ssthresh, round(t.srtt / 1e6, 3) AS srtt_ms, t.run AS run_key"
" FROM transition t JOIN run r ON r.key = t.run JOIN host h ON h.id = r.host"
" JOIN state a ON a.id = t.from_state JOIN state b ON b.id = t.to_state JOIN cause ON cause.id = t.cause;"
"CREATE VIEW live AS SELECT * FROM connections WHERE closed IS NULL;"
"CREATE VIEW runs AS SELECT h.name AS host, r.id AS run, r.instance, iso(r.started) AS started, iso(r.ended) AS ended,"
" round((r.ended - r.started) / 1e9, 3) AS duration_s, r.ending, r.version, r.link"
" FROM run r JOIN host h ON h.id = r.host;"
"CREATE VIEW endings AS SELECT h.name AS host, why.name AS closing_cause, last.name AS last_cause,"
" count(*) AS connections, round(avg(c.closed - c.opened) / 1e9, 6) AS mean_duration_s,"
" sum(c.bytes_received) AS bytes_received, sum(c.bytes_acked) AS bytes_acked,"
" why.meaning AS closing_meaning, last.meaning AS last_meaning"
" FROM connection c JOIN run r ON r.key = c.run JOIN host h ON h.id = r.host"
" LEFT JOIN cause why ON why.id = c.closing_cause LEFT JOIN cause last ON last.id = c.last_cause"
" WHERE c.closed IS NOT NULL GROUP BY h.name, why.name, last.name, why.meaning, last.meaning;"
"CREATE VIEW congestion_comparison AS SELECT h.name AS host, c.service, c.congestion, count(*) AS connections,"
" sum(c.bytes_acked) AS bytes_acked,"
" trunc(sum(c.bytes_acked) / nullif(sum(c.closed - c.opened) / 1e9, 0)) AS goodput,"
" round(sum(c.bytes_retransmitted) / sum(c.bytes_acked + c.bytes_retransmitted), 6) AS retransmission_ratio,"
" round(avg(c.srtt) / 1e6, 3) AS mean_srtt_ms, round(avg(c.closed - c.opened) / 1e9, 6) AS mean_duration_s,"
" round(avg(c.retransmits), 3) AS mean_retransmits"
" FROM connection c JOIN run r ON r.key = c.run JOIN host h ON h.id = r.host"
" WHERE c.closed IS NOT NULL AND c.bytes_acked > 0 GROUP BY h.name, c.service, c.congestion;";

static const struct {
	const char *tables, *views;
} postgresql_migrations[] = { { postgresql_schema_1, postgresql_views_1 } };

/* Where a batch arrives; of this session only. */
static const char postgresql_stage[] =
"CREATE TEMP TABLE stage (connection bigint, n integer, time bigint, seen bigint, flags integer, shard integer,"
" from_state text, to_state text, cause text, meaning text, section text,"
" local_address text, local_port integer, remote_address text, remote_port integer, role text,"
" service text, congestion text, last_speaker text, iss bigint, irs bigint,"
" snd_una bigint, snd_nxt bigint, rcv_nxt bigint, cwnd bigint, ssthresh bigint, srtt bigint,"
" segs_in bigint, segs_out bigint, retransmits bigint,"
" bytes_received bigint, bytes_acked bigint, bytes_retransmitted bigint) ON COMMIT DELETE ROWS";

/* From the stage to the tables; the setting tapstack.run is the run's key. Flags: 1 first, 2 last, 8 compact, as in logging.h. The columns of
 * `connection` mean what they mean in SQLite: as of the last transition, counters as of the last that knows them. */
static const char postgresql_store[] =
"INSERT INTO state (name) SELECT DISTINCT x.name FROM (SELECT from_state AS name FROM stage UNION"
" SELECT to_state FROM stage) x WHERE NOT EXISTS (SELECT FROM state s WHERE s.name = x.name) ON CONFLICT DO NOTHING;"
"INSERT INTO cause (name, meaning, section) SELECT DISTINCT ON (cause) cause, meaning, section FROM stage x"
" WHERE NOT EXISTS (SELECT FROM cause c WHERE c.name = x.cause) ON CONFLICT DO NOTHING;"
"INSERT INTO transition SELECT current_setting('tapstack.run')::integer, x.connection << 5 | x.n, x.time, a.id, b.id, c.id, x.snd_una, x.snd_nxt,"
" x.rcv_nxt, x.cwnd, x.ssthresh, x.srtt FROM stage x JOIN state a ON a.name = x.from_state"
" JOIN state b ON b.name = x.to_state JOIN cause c ON c.name = x.cause ON CONFLICT DO NOTHING;"
"INSERT INTO connection AS c SELECT current_setting('tapstack.run')::integer, f.connection, f.seen, f.shard, f.local_address, f.local_port,"
" f.remote_address, f.remote_port, f.role, f.service, coalesce(k.congestion, f.congestion),"
" CASE WHEN f.flags & 1 > 0 THEN f.time END, CASE WHEN l.flags & 2 > 0 THEN l.time END, s.id,"
" CASE WHEN f.flags & 1 > 0 THEN how.id END, why.id, last.id, l.last_speaker, nullif(l.iss, 0), nullif(l.irs, 0),"
" k.segs_in, k.segs_out, k.retransmits, k.srtt, k.bytes_received, k.bytes_acked, k.bytes_retransmitted"
" FROM (SELECT DISTINCT ON (connection, seen) * FROM stage ORDER BY connection, seen, n) f"
" JOIN (SELECT DISTINCT ON (connection, seen) * FROM stage ORDER BY connection, seen, n DESC) l"
"  ON l.connection = f.connection AND l.seen = f.seen"
" LEFT JOIN (SELECT DISTINCT ON (connection, seen) * FROM stage WHERE flags & 8 = 0 ORDER BY connection, seen, n DESC) k"
"  ON k.connection = f.connection AND k.seen = f.seen"
" LEFT JOIN (SELECT DISTINCT ON (connection, seen) * FROM stage WHERE to_state IN"
"  ('FIN-WAIT-1', 'FIN-WAIT-2', 'CLOSE-WAIT', 'CLOSING', 'LAST-ACK', 'TIME-WAIT', 'CLOSED')"
"  ORDER BY connection, seen, n) w ON w.connection = f.connection AND w.seen = f.seen"
" JOIN state s ON s.name = l.to_state JOIN cause how ON how.name = f.cause JOIN cause last ON last.name = l.cause"
" LEFT JOIN cause why ON why.name = w.cause"
" ON CONFLICT (run, id, seen) DO UPDATE SET closed = excluded.closed, state = excluded.state,"
" closing_cause = coalesce(c.closing_cause, excluded.closing_cause), last_cause = excluded.last_cause,"
" last_speaker = coalesce(excluded.last_speaker, c.last_speaker),"
" congestion = CASE WHEN excluded.segs_in IS NULL THEN c.congestion ELSE excluded.congestion END,"
" iss = coalesce(excluded.iss, c.iss), irs = coalesce(excluded.irs, c.irs),"
" segs_in = coalesce(excluded.segs_in, c.segs_in), segs_out = coalesce(excluded.segs_out, c.segs_out),"
" retransmits = coalesce(excluded.retransmits, c.retransmits), srtt = coalesce(excluded.srtt, c.srtt),"
" bytes_received = coalesce(excluded.bytes_received, c.bytes_received),"
" bytes_acked = coalesce(excluded.bytes_acked, c.bytes_acked),"
" bytes_retransmitted = coalesce(excluded.bytes_retransmitted, c.bytes_retransmitted);";

/* A run of this host, link and instance that never said goodbye: its end is when it was last heard of; tapstack.run is
 * our own. Keys tell which of two runs is the older one, whatever the clock was set to; the link keeps daemons of one
 * machine apart. */
static const char postgresql_crashed[] =
"INSERT INTO cause (name, meaning, section) SELECT 'DAEMON_CRASH', 'the daemon died; found at its next start', '-'"
" WHERE NOT EXISTS (SELECT FROM cause WHERE name = 'DAEMON_CRASH') ON CONFLICT DO NOTHING;"
"INSERT INTO state (name) SELECT 'CLOSED' WHERE NOT EXISTS (SELECT FROM state WHERE name = 'CLOSED')"
" ON CONFLICT DO NOTHING;"
"UPDATE run old SET ending = 'crash',"
" ended = greatest(old.started, (SELECT max(time) FROM transition t WHERE t.run = old.key))"
" FROM run mine WHERE mine.key = current_setting('tapstack.run')::integer AND old.host = mine.host AND old.instance = mine.instance"
" AND old.link IS NOT DISTINCT FROM mine.link AND old.key < mine.key AND old.ended IS NULL;"
"UPDATE connection c SET closed = r.ended, state = (SELECT id FROM state WHERE name = 'CLOSED'),"
" last_cause = d.id, closing_cause = coalesce(c.closing_cause, d.id)"
" FROM run r, run mine, cause d WHERE mine.key = current_setting('tapstack.run')::integer AND r.host = mine.host AND r.instance = mine.instance"
" AND c.run = r.key AND r.ending = 'crash' AND c.closed IS NULL AND d.name = 'DAEMON_CRASH';";
