#!/usr/bin/env python3
"""The promise of the audit, under load: whatever happens to the daemon, every connection that a client knows of is
there, once, with its whole story. What the clients know is compared port by port with what is stored."""
import os
import random
import signal
import time

from harness import check, connect, equal, main, read_exactly
from record import check_database, compare, report
from traffic import Load

SERVICES = [{"name": "echo", "kind": "echo", "port": 7}]


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
