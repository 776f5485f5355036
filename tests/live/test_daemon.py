#!/usr/bin/env python3
"""The daemon as an operator sees it: start, ready, reload, stop, and what is said about mistakes."""
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import time

from harness import (STACK, TAPSTACKD, check, connect, equal, interface_exists, main, read_all, read_exactly,
                     wait_until)

ECHO = {"name": "echo", "kind": "echo", "port": 7}


def tapstackd(*arguments):
    return subprocess.run([TAPSTACKD, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=20, check=False)


def test_command_line(env):
    del env
    done = tapstackd("--version")
    equal(done.returncode, 0, "--version")
    check(done.stdout.startswith("tapstackd "), "version on stdout")
    done = tapstackd("--help")
    equal(done.returncode, 0, "--help")
    for option in ("--config", "--check", "--set", "--version", "Exit codes"):
        check(option in done.stdout, f"{option} in the help")
    for wrong in (["--nonsense"], ["extra"], ["-c"], ["--set", "no-equals-sign"], ["--set"]):
        done = tapstackd(*wrong)
        equal(done.returncode, 2, f"exit code of {wrong}")
        check(done.stderr, f"a message about {wrong}")
        check("--help" in done.stderr, f"a hint after {wrong}")


def test_bad_configuration(env):
    daemon = env.daemon(services=[ECHO], start=False)
    daemon.write_config()
    equal(tapstackd("--check", "-c", daemon.path).returncode, 0, "--check of a good file")

    done = tapstackd("--check", "-c", daemon.path + ".missing")
    equal(done.returncode, 3, "a file that is not there")
    check("missing" in done.stderr, "its name in the message")

    # All errors are reported, each with its place.
    with open(daemon.path, "w", encoding="utf-8") as file:
        file.write("link:\n  mtu: tiny\nnonsense: 1\nstack:\n  addresses: [192.0.2.2/99]\n")
    for arguments in (["--check", "-c", daemon.path], ["-c", daemon.path]):
        done = tapstackd(*arguments)
        equal(done.returncode, 3, "a bad file")
        for place in (":2:", ":3:", ":5:"):
            check(place in done.stderr, f"an error at line {place}: {done.stderr}")

    daemon.write_config()
    for wrong in ("link.mtu=1", "nonsense=1", "services=7", "congestion.default=no-such-algorithm"):
        done = tapstackd("--check", "-c", daemon.path, "--set", wrong)
        equal(done.returncode, 3, f"--set {wrong}")
        check(wrong.split("=", maxsplit=1)[0] in done.stderr, f"the key of {wrong} in: {done.stderr}")

    daemon.config["plugins"] = {"directory": env.directory, "congestion": [{"plugin": "no-such-plugin"}]}
    daemon.write_config()
    done = tapstackd("--check", "-c", daemon.path)
    equal(done.returncode, 3, "a plugin that is not there")
    check("no-such-plugin" in done.stderr, "its name")


def test_what_cannot_be_opened(env):
    daemon = env.daemon(start=False, config={"state_directory": "/proc/self/nowhere"})
    daemon.start(ready=False)
    equal(daemon.wait(), 1, "exit code")
    check("state_directory" in daemon.log(), "the key in the log")

    daemon = env.daemon(start=False, name="second", config={"link": {"backend": "unix:" + env.directory + "/no/where"}})
    daemon.start(ready=False)
    equal(daemon.wait(), 1, "exit code")
    check("link" in daemon.log(), "the link in the log")


def test_start_and_stop(env):
    times = []
    for _ in range(5):
        daemon = env.daemon(services=[ECHO])
        times.append(daemon.ready_ms)
        with connect(7) as sock:
            sock.sendall(b"hello")
            equal(read_exactly(sock, 5), b"hello", "echo")
            sock.shutdown(socket.SHUT_WR)
            equal(read_all(sock), b"", "end of the echo")
        began = time.monotonic()
        daemon.stop()
        check(time.monotonic() - began < 2.0, "an idle daemon stops at once")
        check("STOPPING=1" in daemon.poll_notify()["all"], "systemd is told")
        check(not os.path.exists(daemon.control), "the control socket is gone")
        check(not interface_exists("tap0"), "the interface is gone")
    print(f"     start to ready: {min(times):.1f} to {max(times):.1f} ms")
    check(min(times) < 100, f"ready within 100 ms, took {times}")
    equal(daemon.sql("SELECT count(*) FROM run")[0][0], 5, "runs in the audit")


def test_stop_with_connections(env):
    """Idle connections are closed as by their service: the peer sees the end, not a reset."""
    daemon = env.daemon(services=[ECHO])
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
        check(0.25 < took < 2.0, f"stopped after {took:.2f} s")
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


def test_second_signal_hastens(env):
    daemon = env.daemon(services=[ECHO], config={"shutdown": {"grace": "60s"}})
    with connect(7) as sock:
        sock.sendall(b"x")
        read_exactly(sock, 1)
        daemon.signal(signal.SIGTERM)
        daemon.wait_log("received SIGTERM")
        check(daemon.alive(), "it waits for the connection")
        daemon.signal(signal.SIGINT)
        equal(daemon.wait(5), 0, "exit code")


def test_reload(env):
    daemon = env.daemon(services=[ECHO, {"name": "gone", "kind": "discard", "port": 9}])
    old = connect(9)
    old.sendall(b"before")

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


def test_second_daemon_is_refused(env):
    daemon = env.daemon(services=[ECHO])
    second = env.daemon(services=[ECHO], name="second", start=False, config={"link": {"name": "tap1"}})
    second.start(ready=False)
    equal(second.wait(), 1, "exit code of the second daemon")
    check(daemon.alive(), "the first one lives")
    with connect(7) as sock:
        sock.sendall(b"hello")
        equal(read_exactly(sock, 5), b"hello", "echo of the first one")


def test_watchdog_is_fed(env):
    os.environ["WATCHDOG_USEC"] = "600000"
    env.cleanup(lambda: os.environ.pop("WATCHDOG_USEC"))
    daemon = env.daemon(services=[ECHO])
    wait_until(lambda: daemon.poll_notify()["all"].count("WATCHDOG=1") >= 3, "three times food", 3)
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
