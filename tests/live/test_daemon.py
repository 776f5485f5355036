#!/usr/bin/env python3
"""The daemon as an operator sees it: start, ready, reload, stop."""
import json
import os
import resource
import shutil
import signal
import socket
import stat
import time

from harness import (STACK, check, connect, equal, interface_exists, main, read_all, read_exactly,
                     wait_until)

ECHO = {"name": "echo", "kind": "echo", "port": 7}


def test_start_and_stop(env):
    times = []
    for _ in range(5):
        daemon = env.daemon(services=[ECHO], config={"shutdown": {"grace": "60s"}})
        times.append(daemon.ready_ms)
        with connect(7) as sock:
            sock.sendall(b"hello")
            equal(read_exactly(sock, 5), b"hello", "echo")
            sock.shutdown(socket.SHUT_WR)
            equal(read_all(sock), b"", "end of the echo")
        began = time.monotonic()
        daemon.stop()
        check(time.monotonic() - began < 10, "an idle daemon stops at once")
        check("STOPPING=1" in daemon.poll_notify()["all"], "systemd is told")
        check(not os.path.exists(daemon.control), "the control socket is gone")
        check(not interface_exists("tap0"), "the interface is gone")
    print(f"     start to ready: {min(times):.1f} to {max(times):.1f} ms")
    check(min(times) < 100, f"ready within 100 ms, took {times}")
    equal(daemon.sql("SELECT count(*) FROM run")[0][0], 5, "runs in the audit")


def test_stop_with_connections(env):
    """Idle connections are closed as by their service: the peer sees the end, not a reset."""
    daemon = env.daemon(services=[ECHO], config={"shutdown": {"grace": "60s"}})
    socks = [connect(7) for _ in range(20)]
    for sock in socks:
        sock.sendall(b"x")
        read_exactly(sock, 1)
    daemon.signal(signal.SIGTERM)
    for sock in socks:
        equal(read_all(sock), b"", "end of the stream")
        sock.close()
    equal(daemon.wait(), 0, "exit code")
    equal(daemon.sql("SELECT count(*) FROM connection WHERE closed IS NULL")[0][0], 0, "connections left open")


def test_stop_is_bounded(env):
    """A peer that never closes is reset when the grace time is over."""
    daemon = env.daemon(services=[ECHO], config={"shutdown": {"grace": "300ms"}})
    with connect(7) as sock:
        sock.sendall(b"x")
        read_exactly(sock, 1)
        began = time.monotonic()
        daemon.signal(signal.SIGTERM)
        equal(daemon.wait(), 0, "exit code")
        took = time.monotonic() - began
        check(0.25 < took < 10, f"stopped after {took:.2f} s")
        try:
            while sock.recv(1):
                pass
            sock.sendall(b"y")
            sock.recv(1)
            check(False, "the connection should be reset")
        except ConnectionError:
            pass
    rows = daemon.sql("SELECT count(*) FROM transitions WHERE cause = 'DAEMON_STOP'")
    check(rows[0][0] >= 1, "DAEMON_STOP in the audit")


def test_stop_resets_all(env):
    """More connections than resets can wait at a time: each is reset and has its record."""
    count = 3000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count + 200:
        count = hard - 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 200), hard))
    daemon = env.daemon(services=[dict(ECHO, backlog=4096)], config={"shutdown": {"grace": "100ms"}})
    socks = []
    try:
        for _ in range(count):
            socks.append(connect(7))
        socks[-1].sendall(b"x")
        read_exactly(socks[-1], 1)
        daemon.signal(signal.SIGTERM)
        equal(daemon.wait(), 0, "exit code")
    finally:
        for sock in socks:
            sock.close()
    rows = daemon.sql("SELECT count(*) FROM connection c JOIN cause ON cause.id = c.last_cause"
                      " WHERE c.closed IS NOT NULL AND cause.name = 'DAEMON_STOP'")
    equal(rows[0][0], count, "connections that ended with DAEMON_STOP")


def test_second_signal_hastens(env):
    daemon = env.daemon(services=[ECHO], config={"shutdown": {"grace": "60s"}})
    with connect(7) as sock:
        sock.sendall(b"x")
        read_exactly(sock, 1)
        daemon.signal(signal.SIGTERM)
        daemon.wait_log("received SIGTERM")
        check(daemon.alive(), "it waits for the connection")
        daemon.signal(signal.SIGINT)
        equal(daemon.wait(), 0, "exit code")


def test_reload(env):
    daemon = env.daemon(services=[ECHO, {"name": "gone", "kind": "discard", "port": 9}])
    old = connect(9)
    old.sendall(b"before")
    wait_until(lambda: any(row.get("bytes_received") == 6 for row in daemon.connections(9)), "discard has read it")

    # Ports change hands: echo takes the one that discard leaves, a new service takes echo's.
    daemon.config["services"] = [dict(ECHO, port=9), {"name": "new", "kind": "discard", "port": 7}]
    daemon.config["link"]["mtu"] = 1400
    daemon.write_config()
    daemon.signal(signal.SIGHUP)
    daemon.wait_log("has been read again")
    check("needs a restart: link.mtu" in daemon.log(), "the key that needs a restart")
    with connect(9) as sock:
        sock.sendall(b"hello")
        equal(read_exactly(sock, 5), b"hello", "echo on its new port")
    with connect(7) as sock:
        sock.sendall(b"hello")
        sock.settimeout(0.2)
        try:
            data = sock.recv(1)
            check(False, f"discard answered {data!r}")
        except TimeoutError:
            pass
    # What was there before goes on, although its service is no more.
    old.sendall(b"after")
    old.shutdown(socket.SHUT_WR)
    equal(read_all(old), b"", "end of the old connection")
    old.close()
    check("RELOADING=1" in daemon.poll_notify()["all"], "systemd is told")


def peer_mss(port):
    """The segment size that the daemon lets a client use, timestamps not counted."""
    with connect(port) as sock:
        return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) + 12


def test_tunables_of_services(env):
    """What stands in the section tcp of a service holds for it, what is in the stack's for all others; a reload
    changes both for connections that begin after it."""
    daemon = env.daemon({"tcp": {"mss_max": 900}},
                        services=[dict(ECHO, tcp={"mss_max": 600}), {"name": "plain", "kind": "discard", "port": 9}])
    equal((peer_mss(7), peer_mss(9)), (600, 900), "MSS of both services")
    old = connect(7)
    daemon.config["tcp"]["mss_max"] = 1000
    daemon.config["services"][0]["tcp"]["mss_max"] = 700
    daemon.write_config()
    daemon.signal(signal.SIGHUP)
    daemon.wait_log("has been read again")
    check("changed: tcp.mss_max" in daemon.log() and "changed: services: echo changed" in daemon.log(), "what changed")
    equal((peer_mss(7), peer_mss(9)), (700, 1000), "MSS of both services after the reload")
    old.sendall(b"still here")
    equal(read_exactly(old, 10), b"still here", "echo on the old connection")
    old.close()


def test_bad_reload_changes_nothing(env):
    daemon = env.daemon(services=[ECHO])
    daemon.config["services"] = [dict(ECHO, port=8), {"name": "bad", "kind": "no-such-kind", "port": 9}]
    daemon.write_config()
    daemon.signal(signal.SIGHUP)
    daemon.wait_log("nothing has changed")
    check("no-such-kind" in daemon.log(), "what is wrong")
    with connect(7) as sock:
        sock.sendall(b"hello")
        equal(read_exactly(sock, 5), b"hello", "echo")
    try:
        connect(8, 1).close()
        check(False, "nothing should listen on port 8")
    except ConnectionRefusedError:
        pass
    # A file that is gone, and one that is not YAML.
    os.unlink(daemon.path)
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: daemon.log().count("nothing has changed") == 2, "second refusal")
    with open(daemon.path, "w", encoding="utf-8") as file:
        file.write("{[")
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: daemon.log().count("nothing has changed") == 3, "third refusal")
    daemon.stop()


def test_watchdog_is_fed(env):
    os.environ["WATCHDOG_USEC"] = "600000"
    env.cleanup(lambda: os.environ.pop("WATCHDOG_USEC"))
    daemon = env.daemon(services=[ECHO])
    wait_until(lambda: daemon.poll_notify()["all"].count("WATCHDOG=1") >= 3, "three times food")
    check("connections" in daemon.poll_notify()["STATUS"], "the status line")


def test_status(env):
    daemon = env.daemon(services=[ECHO])
    with connect(7) as sock:
        sock.sendall(b"hello")
        read_exactly(sock, 5)
        status = daemon.ctl_json("status")
        check(status["audit"]["healthy"], "the audit is healthy")
        equal(status["link"]["name"], "tap0", "name of the link")
        listing = json.dumps(daemon.ctl_json("connections"))
        check("ESTABLISHED" in listing and STACK in listing, f"the connection in {listing}")


if __name__ == "__main__":
    main()
