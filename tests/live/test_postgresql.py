#!/usr/bin/env python3
"""The postgresql plugin against a server of the test's own: what is in the shared database is what is in the audit, also
when the server is away at the start, is stopped in the middle, and when two hosts write to it."""
import glob
import json
import os
import pwd
import shutil
import signal
import subprocess

from harness import BUILD, check, connect, equal, main, reset, wait_until
from test_logging import come_and_go, counts, plugin_directory, settle, transitions

BIN = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1:]


class Server:
    """A PostgreSQL in a directory, on a Unix socket only, as a user that is not root."""

    def __init__(self, env):
        self.directory = os.path.join(env.directory, "postgresql")
        os.mkdir(self.directory, 0o700)
        os.chmod(env.directory, 0o711)
        self.user = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.directory, nobody.pw_uid, nobody.pw_gid)
            os.chmod(self.directory, 0o711)
            self.user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        self.data = os.path.join(self.directory, "data")
        self.process = None
        env.cleanup(self.kill)
        subprocess.run([f"{BIN[0]}/initdb", "-D", self.data, "-U", "tapstack", "-A", "trust", "-N", "--locale=C",
                        "-E", "UTF8"], check=True, stdout=subprocess.DEVNULL, cwd="/", **self.user)

    @property
    def conninfo(self):
        return f"host={self.directory} user=tapstack dbname=postgres"

    def start(self):
        log = os.path.join(self.directory, "log")
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                [f"{BIN[0]}/postgres", "-D", self.data, "-k", self.directory, "-c", "listen_addresses=", "-c", "fsync=off",
                 "-c", "shared_buffers=16MB"], stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd="/", **self.user)
        wait_until(lambda: self.ready() or self.process.poll() is not None, "the database is ready", 30)
        check(self.process.poll() is None, "the database has started")
        return self

    def ready(self):
        return subprocess.run([f"{BIN[0]}/pg_isready", "-q", "-h", self.directory], check=False).returncode == 0

    def stop(self):
        """Connections are cut."""
        self.process.send_signal(signal.SIGINT)
        equal(self.process.wait(30), 0, "exit code of the database")
        self.process = None

    def kill(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def sql(self, query):
        done = subprocess.run([f"{BIN[0]}/psql", "-X", "-q", "-A", "-t", "-d", self.conninfo, "-v", "ON_ERROR_STOP=1", "-c",
                               f"SET search_path = tapstack; SELECT json_agg(to_json(x)) FROM ({query}) x"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60)
        if " does not exist" in done.stderr:
            return []  # the daemon has not come yet
        equal(done.returncode, 0, f"psql: {done.stderr}")
        return [tuple(row.values()) for row in json.loads(done.stdout.strip() or "null") or []]


def daemon_on(env, server, host="one", **params):
    values = {"conninfo": server.conninfo, "hostname": host, "interval_ms": "20", **params}
    return env.daemon(services=[{"name": "echo", "kind": "echo", "port": 7}],
                      config={"plugins": {"directory": plugin_directory(env),
                                          "logging": [{"plugin": "postgresql", "params": values}]}})


def all_stored(daemon):
    def done():
        row = counts(daemon, "postgresql")
        return row["queued"] == 0 and row["events"] == transitions(daemon)
    wait_until(done, "all is in the database", 60)


CONNECTION = ("c.id, c.local_address, c.local_port, c.remote_address, c.remote_port, c.role, c.service, c.congestion, "
              "c.opened, c.closed, s.name AS state, how.name AS how, why.name AS why, last.name AS last, c.last_speaker, "
              "c.iss, c.irs, c.segs_in, c.segs_out, c.retransmits, c.srtt, c.bytes_received, c.bytes_acked, "
              "c.bytes_retransmitted, c.shard FROM connection c LEFT JOIN state s ON s.id = c.state "
              "LEFT JOIN cause how ON how.id = c.first_cause LEFT JOIN cause why ON why.id = c.closing_cause "
              "LEFT JOIN cause last ON last.id = c.last_cause")
TRANSITION = ("t.id, t.time, a.name AS f, b.name AS t, c.name AS c, c.meaning, c.section, t.snd_una, t.snd_nxt, t.rcv_nxt, "
              "t.cwnd, t.ssthresh, t.srtt FROM transition t JOIN state a ON a.id = t.from_state "
              "JOIN state b ON b.id = t.to_state JOIN cause c ON c.id = t.cause")


def same_rows(daemon, server, host="one"):
    """All columns of all rows of the host, but what the plugin is not told: how a crash was cleared up."""
    keys = f"(SELECT key FROM run JOIN host ON host.id = run.host WHERE host.name = '{host}')"
    for what, table, order in ((CONNECTION, "c", "c.id"), (TRANSITION, "t", "t.id")):
        here = daemon.sql(f"SELECT {what} ORDER BY {order}")
        there = server.sql(f"SELECT {what} WHERE {table}.run IN {keys} ORDER BY {order}")
        check(len(here) > 0, "there are rows")
        equal(there, here, f"rows of {table}")


def test_same_as_the_audit(env):
    server = Server(env).start()
    daemon = daemon_on(env, server, batch_events="7")
    come_and_go(200)
    with connect(7) as sock:
        sock.sendall(b"x" * 100000)
        while len(sock.recv(65536)) == 65536:
            pass
        reset(sock)
    held = connect(7)
    wait_until(lambda: server.sql("SELECT count(*) FROM live") == [(1,)], "the one that is open is live")
    held.close()
    wait_until(lambda: daemon.sql("SELECT count(*) FROM connection WHERE closed IS NULL") == [(0,)], "all are closed")
    all_stored(daemon)
    same_rows(daemon, server)
    views = {"connections": "connection, run, local, remote, role, opened, closed, state, closing_cause, last_section",
             "transitions": "connection, n, time, from_state, to_state, cause"}
    for view, columns in views.items():
        order = "connection" + (", n" if view == "transitions" else "")
        equal(server.sql(f"SELECT {columns} FROM {view} ORDER BY {order}"),
              daemon.sql(f"SELECT {columns} FROM {view} ORDER BY {order}") if view == "connections" else
              daemon.sql(f"SELECT {columns} FROM {view} ORDER BY {order}"), f"view {view}")
    arms = ("SELECT service, congestion, connections, bytes_acked, goodput, retransmission_ratio, mean_srtt_ms, "
            "mean_duration_s, mean_retransmits FROM congestion_comparison")
    equal(server.sql(arms), daemon.sql(arms), "view congestion_comparison")
    equal(server.sql("SELECT sum(connections) FROM endings"), [(202,)], "connections in the view endings")
    daemon.stop()
    equal(server.sql("SELECT host, run, ending FROM runs"), [("one", 1, "stop")], "the run")


def test_server_goes_and_comes(env):
    """Away at the start, stopped in the middle: what waited is stored, once."""
    server = Server(env)
    daemon = daemon_on(env, server, batch_events="50")
    come_and_go(100)
    daemon.wait_log("the database cannot be written")
    server.start()
    daemon.wait_log("the database is written again")
    for _ in range(3):
        come_and_go(300)
        server.stop()
        come_and_go(100)
        server.start()
    settle(daemon, 1300)
    all_stored(daemon)
    same_rows(daemon, server)
    equal(counts(daemon, "postgresql")["missed"], 0, "missed")
    daemon.stop()


def test_two_hosts_and_crash(env):
    """Runs of two hosts with the same numbers keep apart; a run that was killed is closed by the next."""
    server = Server(env).start()
    for host in "one", "two":
        daemon = daemon_on(env, server, host)
        come_and_go(20)
        held = connect(7)
        wait_until(lambda h=host: server.sql(f"SELECT count(*) FROM live WHERE host = '{h}'") == [(1,)], "one is open")
        daemon.kill()
        held.close()
        if host == "one":
            shutil.rmtree(daemon.state)
    daemon = daemon_on(env, server, "two")
    wait_until(lambda: server.sql("SELECT count(*) FROM live WHERE host = 'two'") == [(0,)]
               if come_and_go(1) else None, "the crash is found")
    equal(server.sql("SELECT host, closing_cause FROM connections WHERE closing_cause = 'DAEMON_CRASH'"),
          [("two", "DAEMON_CRASH")], "what the crash has closed")
    equal(server.sql("SELECT count(*) FROM live WHERE host = 'one'"), [(1,)], "the other host's is left alone")
    equal(server.sql("SELECT host, run, ending FROM runs ORDER BY host, run"),
          [("one", 1, None), ("two", 1, "crash"), ("two", 2, None)], "runs")
    daemon.stop()


def test_days(env):
    """Events of several days: a partition for each and for the day after, and the row of a connection where it began."""
    server = Server(env).start()
    done = subprocess.run([os.path.join(BUILD, "tests/unit/logging/feed_days"), server.conninfo], capture_output=True,
                          text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
    equal((done.returncode, done.stdout), (0, "0 waiting, 0 lost\n"), f"feed_days: {done.stderr}")
    equal(server.sql("SELECT tableoid::regclass::text AS t, count(*) FROM transition GROUP BY 1 ORDER BY 1"),
          [("transition_20231114", 1), ("transition_20231115", 3), ("transition_20231116", 4), ("transition_20231117", 4),
           ("transition_20231118", 3), ("transition_20231119", 1)], "transitions of each day")
    equal(server.sql("SELECT tableoid::regclass::text AS t, id, closed - opened AS lived, service FROM connection ORDER BY 1"),
          [(f"connection_202311{13 + n}", n, 30 * 3600 * 10**9, "tab?here \\ ??") for n in (1, 2, 3, 4)],
          "connections of each day")
    equal(server.sql("SELECT count(*) FROM pg_class WHERE relname = 'transition_20231120'"), [(1,)], "made ahead")
    equal(server.sql('SELECT run, link, ending FROM "select".runs ORDER BY link, run'),
          [(1, "tap0", "crash"), (2, "tap0", None), (1, "tap1", None)], "runs of one host, two of which go on")
    equal(server.sql('SELECT connection, last_cause FROM "select".connections ORDER BY 1'),
          [(1, "DAEMON_CRASH"), *((n, "RECEIVED_FIN") for n in (2, 3, 4, 5))], "connections of crashed runs")
    equal(server.sql("SELECT count(DISTINCT seen) FROM trouble.connection"), [(2,)], "connections in trouble")


if __name__ == "__main__":
    if not BIN:
        print("skipped: no PostgreSQL server is installed")
        raise SystemExit(77)
    check(os.path.exists(os.path.join(BUILD, "plugins/logging/.libs/postgresql.so")), "the plugin is built")
    main()
