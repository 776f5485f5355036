#!/usr/bin/env python3
"""The promise of the audit, under load: whatever happens to the daemon, every connection that a client knows of is
there, once, with its whole story. What the clients know is compared port by port with what is stored."""
import os
import random
import signal
import time

from harness import check, connect, equal, main, read_exactly
from traffic import Load

SERVICES = [{"name": "echo", "kind": "echo", "port": 7}]
PATH = ["SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]  # when the client closes first
ENDED_BY_DAEMON = ("DAEMON_STOP", "DAEMON_CRASH")


def stories(daemon):
    """{source port: [story, ...]}; a story is the (from, to, cause) of one connection's transitions."""
    found = {}
    for port, connection, *step in daemon.sql(
            "SELECT c.remote_port, c.id, t.from_state, t.to_state, t.cause FROM connection AS c "
            "LEFT JOIN transitions AS t ON t.connection = c.id ORDER BY c.id, t.n"):
        found.setdefault(port, {}).setdefault(connection, []).append(tuple(step))
    return {port: list(connections.values()) for port, connections in found.items()}


def check_database(daemon):
    """Every story is whole: it begins at the beginning, each transition starts where the one before ended, none is
    missing or there twice, and it has an end."""
    broken = daemon.sql("""
        SELECT b.connection, b.n, a.to_state, b.from_state FROM transitions AS b
        LEFT JOIN transitions AS a ON a.connection = b.connection AND a.n = b.n - 1
        WHERE coalesce(a.to_state, 'LISTEN') <> b.from_state LIMIT 5""")
    equal(broken, [], "stories with a break")
    holes = daemon.sql("SELECT connection FROM transitions GROUP BY connection "
                       "HAVING count(*) <> max(n) + 1 OR count(DISTINCT n) <> count(*) LIMIT 5")
    equal(holes, [], "stories with a hole, or with something twice")
    equal(daemon.sql("SELECT id FROM connection WHERE closed IS NULL LIMIT 5"), [], "connections without an end")
    open_ended = daemon.sql("""
        SELECT c.id FROM connection AS c LEFT JOIN transitions AS t ON t.connection = c.id
        AND t.to_state = 'CLOSED' GROUP BY c.id HAVING count(t.n) <> 1 LIMIT 5""")
    equal(open_ended, [], "connections without exactly one transition to CLOSED")
    orphans = daemon.sql("SELECT id >> 5 FROM transition WHERE id >> 5 NOT IN (SELECT id FROM connection) LIMIT 5")
    equal(orphans, [], "transitions of no connection")


def compare(daemon, load, others=()):
    """The audit against what the clients of `load` know. Returns how many connections the daemon's end cut short."""
    check_database(daemon)
    recorded = stories(daemon)
    unknown = set(recorded) - set(load.outcome) - set(others)
    equal(unknown, set(), "ports in the audit that no client has used")
    cut_short = 0
    for port, outcome in load.outcome.items():
        # A SYN that the old daemon has taken is sent again to the new one: two records, but one connection at most.
        whole = [story for story in recorded.get(port, []) if any(to == "ESTABLISHED" for _, to, _ in story)]
        check(len(whole) <= 1, f"port {port} was established once, and is recorded {len(whole)} times: {whole}")
        if outcome >= load.ANSWERED:
            check(whole, f"port {port} got an answer, and is not recorded: {recorded.get(port)}")
        for story in recorded.get(port, []):
            cut_short += story[-1][2] in ENDED_BY_DAEMON
        if outcome == load.COMPLETED:
            path = [to for _, to, _ in whole[0]]
            causes = [cause for _, _, cause in whole[0]]
            check(path == PATH or causes[-1] in ENDED_BY_DAEMON, f"port {port} was completed, its record is {whole}")
    return cut_short


def report(daemon, load, cut_short):
    rows = daemon.sql("SELECT count(*) FROM connection")[0][0]
    print(f"     {len(load.outcome)} tried, {load.completed} completed; {rows} in the audit, {cut_short} of them cut "
          "short")


def hold(count):
    """Connections that have had an answer and stay open."""
    socks = [connect(7) for _ in range(count)]
    for sock in socks:
        sock.sendall(b"x")
        read_exactly(sock, 1)
    return socks


def check_dead(socks):
    """Their clients get an error or the end, and nothing else."""
    for sock in socks:
        with sock:
            try:
                sock.sendall(b"anybody there?")
                check(not sock.recv(1), "there was an answer")
            except ConnectionError:
                pass


def runs(daemon):
    return [ending for ending, in daemon.sql("SELECT ending FROM run ORDER BY id")]


def test_audit_agrees_with_the_clients_count(env):
    """Without a crash the two counts are the same, to the connection."""
    daemon = env.daemon(services=SERVICES)
    load = Load(env, 7)
    load.wait_for(2000)
    load.stop()
    equal(load.with_outcome(load.FAILED, load.ESTABLISHED, load.ANSWERED), set(), "ports that failed")
    daemon.stop()
    equal(daemon.sql("SELECT count(*) FROM connection")[0][0], load.completed, "connections in the audit")
    report(daemon, load, compare(daemon, load))
    equal(runs(daemon), ["stop"], "how the runs ended")


def test_restart_under_load(env):
    """The old run is complete before the new one begins: what the stop cut short says so, nothing stays open."""
    config = {"shutdown": {"grace": "300ms"}}
    daemon = env.daemon(services=SERVICES, config=config)
    load = Load(env, 7)
    held_ports = set()
    for number in range(1, 4):
        load.wait_for(300)
        held = hold(5)
        ports = [sock.getsockname()[1] for sock in held]
        held_ports |= set(ports)
        daemon.stop()
        check_database(daemon)
        equal(runs(daemon), ["stop"] * number, "how the runs ended")
        for port in ports:
            # Its client never closes: it is told, and then not waited for any longer.
            equal([(to, cause) for _, to, cause in daemon.story(port)][2:],
                  [("FIN-WAIT-1", "DAEMON_STOP"), ("FIN-WAIT-2", "RECEIVED_ACK_OF_FIN"), ("CLOSED", "DAEMON_STOP")],
                  f"the end of the idle connection from port {port}")
        daemon = env.daemon(services=SERVICES, config=config)
        check_dead(held)
    load.wait_for(300)
    load.stop()
    daemon.stop()
    report(daemon, load, compare(daemon, load, held_ports))
    crashed = daemon.sql("SELECT count(*) FROM transitions WHERE cause = 'DAEMON_CRASH'")[0][0]
    equal(crashed, 0, "crashes in the audit")


def test_kill_9_under_load(env):
    daemon = env.daemon(services=SERVICES)
    load = Load(env, 7)
    held_ports = set()
    for number in range(1, 4):
        load.wait_for(500)
        held = hold(5)
        ports = [sock.getsockname()[1] for sock in held]
        held_ports |= set(ports)
        daemon.signal(signal.SIGKILL)
        equal(daemon.wait(), -signal.SIGKILL, "how it ended")
        daemon = env.daemon(services=SERVICES)
        equal(daemon.sql("SELECT id FROM connection WHERE closed IS NULL AND run <= ?", number), [],
              "connections of the old run that are open")
        for port in ports:
            equal(daemon.story(port)[1:],
                  [("SYN-RECEIVED", "ESTABLISHED", "RECEIVED_ACK_OF_SYN"), ("ESTABLISHED", "CLOSED", "DAEMON_CRASH")],
                  f"the end of the connection from port {port} that was open")
        check_dead(held)
    load.wait_for(500)
    load.stop()
    daemon.stop()
    report(daemon, load, compare(daemon, load, held_ports))
    equal(runs(daemon), ["crash"] * 3 + ["stop"], "how the runs ended")


def test_kill_9_while_starting_again(env):
    """A daemon that is killed while it takes in what the one before left does that again, and nothing is doubled."""
    daemon = env.daemon(services=SERVICES)
    load = Load(env, 7)
    load.wait_for(1000)
    daemon.kill()
    seed = int(os.environ.get("TAPSTACK_LIVE_SEED", time.time_ns() & 0xffffffff))
    print(f"     seed {seed}")
    dice = random.Random(seed)
    for _ in range(8):
        daemon = env.daemon(services=SERVICES, start=False).start(ready=False)
        time.sleep(dice.uniform(0, 0.03))  # any moment of the start will do
        daemon.kill()
    daemon = env.daemon(services=SERVICES)
    load.wait_for(100)
    load.stop()
    daemon.stop()
    report(daemon, load, compare(daemon, load))
    equal(runs(daemon)[-1], "stop", "how the last run ended")


if __name__ == "__main__":
    main()
