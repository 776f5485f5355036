#!/usr/bin/env python3
"""Logging plugins in the running daemon: files that are rotated under load, and sinks that take nothing. Whatever a sink
does, connections come and go at their pace, the audit is complete, and every transition is in one count."""
import glob
import json
import os
import shutil
import signal
import socket
import time

from harness import BUILD, STACK, FAMILY, Thread, check, equal, main, wait_until

CONNECTIONS = int(os.environ.get("TAPSTACK_LIVE_LOGGED", 4000))
TRANSITIONS = 5  # of a connection that its peer closes: SYN-RECEIVED ... CLOSED


def plugin_directory(env):
    """What an installation has: nothing but the plugins, written by nobody else."""
    directory = os.path.join(env.directory, "plugins")
    if not os.path.isdir(directory):
        os.mkdir(directory, 0o755)
        for path in glob.glob(os.path.join(BUILD, "plugins/*/.libs/*.so")):
            shutil.copy(path, directory)
    return directory


def daemon_with(env, *logging):
    return env.daemon(services=[{"name": "echo", "kind": "echo", "port": 7}],
                      config={"plugins": {"directory": plugin_directory(env), "logging": list(logging)}})


def come_and_go(count):
    """Connections one after the other, closed from here; how many a second."""
    began = time.monotonic()
    for _ in range(count):
        with socket.socket(FAMILY.domain) as sock:
            sock.connect((STACK, 7))
    return count / (time.monotonic() - began)


def pace():
    """Of CONNECTIONS; the best of four parts, because the machine has other things to do."""
    return max(come_and_go(CONNECTIONS // 4) for _ in range(4))


def transitions(daemon):
    return daemon.sql("SELECT count(*) FROM transition")[0][0]


def settle(daemon, count):
    """Waits until the audit has them all."""
    wait_until(lambda: transitions(daemon) >= count * TRANSITIONS, "the audit is complete", 60)
    equal(transitions(daemon), count * TRANSITIONS, "transitions in the audit")


def counts(daemon, name):
    return next(row for row in daemon.ctl_json("plugins") if row["name"] == name)


def adds_up(daemon, name, total):
    row = counts(daemon, name)
    equal(row["events"] + row["missed"] + row["queued"], total, f"events + missed + queued of {name}: {row}")
    return row


def numbers(line):
    event = json.loads(line)
    return event["connection"], event["n"]


def test_rotation(env):
    daemon = daemon_with(env, {"plugin": "jsonl", "params": {"path": "events.jsonl"}})
    path = os.path.join(daemon.state, "events.jsonl")
    moved, total = [], 0
    # On a fast machine the connections are gone before the file has been moved often.
    while len(moved) < 8 and total < 5 * CONNECTIONS:
        load = Thread(come_and_go, CONNECTIONS // 4)
        total += CONNECTIONS // 4
        while load.is_alive() and len(moved) < 200:
            moved.append(f"{path}.{len(moved)}")
            os.rename(path, moved[-1])
            daemon.signal(signal.SIGHUP)
            wait_until(lambda: os.path.exists(path), "the file is opened again")
            daemon.poll_notify()  # or the daemon would wait for room for what it has to tell
        load.result()
    settle(daemon, total)
    daemon.stop()
    check(len(moved) > 3, "rotated under load")
    lines = []
    for name in [*moved, path]:
        with open(name, encoding="utf-8") as file:
            text = file.read()
        check(text == "" or text.endswith("\n"), f"{name} ends with a whole line")
        lines += [numbers(line) for line in text.splitlines()]
    rows = daemon.sql("SELECT connection, n FROM transitions ORDER BY connection, n")
    equal(sorted(lines), rows, "lines of all files")


def test_rotation_whatever_the_configuration(env):
    """Who rotates must not depend on a file that somebody is editing."""
    daemon = daemon_with(env, {"plugin": "jsonl", "params": {"path": "events.jsonl"}})
    path = os.path.join(daemon.state, "events.jsonl")
    come_and_go(1)
    with open(daemon.path, "w", encoding="utf-8") as file:
        file.write("half: [")
    os.rename(path, path + ".1")
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: os.path.exists(path), "the file is opened again")
    daemon.wait_log("the configuration was not accepted")
    come_and_go(1)
    settle(daemon, 2)
    daemon.stop()
    with open(path, encoding="utf-8") as file:
        check(file.read().count("\n") >= 3, "what came after the rotation is in the new file")


class Reader:
    """The reading end of a FIFO: held open, and not read until somebody asks."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.text = b""

    def read(self):
        try:
            self.text += os.read(self.fd, 1 << 20)
        except BlockingIOError:
            pass
        return self.text.count(b"\n")


def read_waiting(sock):
    """What has come so far."""
    size = 0
    try:
        while part := sock.recv(1 << 20, socket.MSG_DONTWAIT):
            size += len(part)
    except BlockingIOError:
        pass
    return size


def hanging_sinks(env):
    """A FIFO that nobody reads, and a syslog receiver that has stopped."""
    path = os.path.join(env.directory, "fifo")
    os.mkfifo(path, 0o600)
    reader = Reader(path)
    env.cleanup(lambda: os.close(reader.fd))
    receiver = socket.create_server(("127.0.0.1", 0))
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    env.cleanup(receiver.close)
    return reader, receiver, (
        {"plugin": "jsonl", "name": "pipe", "params": {"path": path}},
        {"plugin": "syslog", "name": "collector", "params": {
            "transport": "tcp", "target": f"127.0.0.1:{receiver.getsockname()[1]}", "buffer_bytes": 131072}})


def test_sinks_that_hang(env):
    healthy = {"plugin": "jsonl", "name": "file", "params": {"path": "events.jsonl"}}
    plain = daemon_with(env, healthy)
    come_and_go(100)
    without = pace()
    plain.stop()
    shutil.rmtree(plain.state)

    reader, receiver, logging = hanging_sinks(env)
    daemon = daemon_with(env, healthy, *logging)
    come_and_go(100)
    hung = pace()
    total = (CONNECTIONS + 100) * TRANSITIONS
    settle(daemon, CONNECTIONS + 100)
    print(f"     connections per second: {without:.0f} with a log that works, {hung:.0f} with two more that hang")
    check(hung > without / 5, f"{hung:.0f} connections per second with logs that hang, {without:.0f} without")

    for name in "pipe", "collector":
        row = adds_up(daemon, name, total)
        check(row["missed"] > 0, f"{name} misses some: {row}")
    # The one that works may miss some of a burst, too: what it has, it has written.
    wait_until(lambda: counts(daemon, "file")["queued"] == 0, "the one that works has written all")
    with open(os.path.join(daemon.state, "events.jsonl"), encoding="utf-8") as file:
        equal(len(file.readlines()), adds_up(daemon, "file", total)["events"], "lines of the one that works")

    # They wake up: what was queued is delivered, and no more is missed.
    missed = {name: counts(daemon, name)["missed"] for name in ("pipe", "collector")}
    wait_until(lambda: reader.read() >= 0 and counts(daemon, "pipe")["queued"] == 0, "the FIFO has been emptied")
    equal(counts(daemon, "pipe")["missed"], missed["pipe"], "missed after the FIFO is read")
    equal(reader.read(), adds_up(daemon, "pipe", total)["events"], "lines from the FIFO")
    peer, _ = receiver.accept()
    env.cleanup(peer.close)
    wait_until(lambda: read_waiting(peer) >= 0 and counts(daemon, "collector")["queued"] == 0, "syslog has been read")
    adds_up(daemon, "collector", total)
    daemon.stop()
    told = [json.loads(line) for line in reader.text.splitlines()]
    check(sum(event.get("missed", 0) for event in told) <= missed["pipe"], "the events tell of more than was missed")


if __name__ == "__main__":
    main()
