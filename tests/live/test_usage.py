#!/usr/bin/env python3
"""Mistakes: on the command lines, in the configuration, on the control socket, and in what is found on the system. Each
gets the documented exit code and a message that names it, and none disturbs a daemon that runs."""
import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess

from harness import TAPSTACKCTL, TAPSTACKD, check, connect, equal, main, read_all, read_exactly, wait_until

ECHO = {"name": "echo", "kind": "echo", "port": 7}
OK, RUNTIME, USAGE, CONFIG = range(4)  # exit codes of tapstackd
DONE, REFUSED, CTL_USAGE, UNREACHABLE, NOT_PERMITTED, NO_MATCH, TIMED_OUT = range(7)  # and of tapstackctl


def run(*command, **options):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False,
                          **options)


def fails(code, text, *command, **options):
    """The command ends with this code, says `text` in its message, and nothing on stdout."""
    done = run(*command, **options)
    what = " ".join(command)
    equal(done.returncode, code, f"exit code of {what}: {done.stderr}")
    check(text in done.stderr, f"{what}: {text!r} is not in the message {done.stderr!r}")
    check(code == NO_MATCH or not done.stdout, f"{what}: stdout: {done.stdout!r}")
    return done


def write(directory, text, name="file.yaml"):
    path = os.path.join(directory, name)
    with open(path, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    return path


# ---- tapstackd ----


def test_daemon_command_line(env):
    del env
    done = run(TAPSTACKD, "--version")
    equal(done.returncode, OK, "--version")
    check(done.stdout.startswith("tapstackd "), "version on stdout")
    done = run(TAPSTACKD, "--help")
    equal(done.returncode, OK, "--help")
    for option in ("--config", "--check", "--set", "--version", "Exit codes"):
        check(option in done.stdout, f"{option} in the help")
    for wrong, text in (
            (["--nonsense"], "nonsense"), (["-x"], "'x'"), (["extra"], "no arguments"), (["-c"], "argument"),
            (["--config"], "argument"), (["--set", "no-equals-sign"], "KEY=VALUE"), (["--set"], "argument"),
            (["--check=yes"], "argument"), (["-c", "a.yaml", "b.yaml"], "no arguments")):
        done = fails(USAGE, text, TAPSTACKD, *wrong)
        check("--help" in done.stderr, f"a hint after {wrong}")


def test_configuration_files(env):
    daemon = env.daemon(services=[ECHO], start=False)
    daemon.write_config()
    done = run(TAPSTACKD, "--check", "-c", daemon.path)
    equal(done.returncode, OK, "--check of a good file")
    check("was not checked: the interface" in done.stdout, "--check says what it does not check")
    equal(run(TAPSTACKD, "--check", "-c", write(env.directory, "")).returncode, OK, "--check of an empty file")
    fails(CONFIG, "missing", TAPSTACKD, "-c", daemon.path + ".missing")
    fails(CONFIG, env.directory, TAPSTACKD, "-c", env.directory)
    for text, place, what in (
            ("link:\n  mtu: tiny\n", ":2:8: ", "link.mtu"),
            ("link:\n  mtu: 1500\n  mtu: 1400\n", ":3:", "link.mtu"),
            ("nonsense: 1\n", ":1:1: ", "nonsense"),
            ("link: 5\n", ":1:7: ", "link"),
            ("stack:\n  addresses: [192.0.2.2/99]\n", ":2:", "192.0.2.2/99"),
            ("tcp: {msl: 30 apples}\n", ":1:12: ", "tcp.msl"),
            ("- a list\n", ":1:1: ", "list"),
            ("link: [\n", ":", "YAML"),
            ("link:\n\tmtu: 1\n", ":2:1: ", "YAML"),
            ("log: &x {}\n", ":1:", "anchors"),
            ("log: {}\n---\nlog: {}\n", ":2:1: ", "document"),
            (b"log: \xff\xfe\n", ": ", "UTF-8"),
            ("services: [{kind: echo}]\n", ":1:", "port"),
            ("services: [{kind: none, port: 7}]\n", ":1:", "kind"),
            ("services: [{kind: relay, port: 7}]\n", ":1:", "target"),
            ("services: [{kind: echo, port: 7, target: 'unix:/x'}]\n", ":1:", "target"),
            ("services: [{kind: echo, port: 7}, {kind: discard, port: 7}]\n", ":1:", "port 7"),
            ("services: [{kind: echo, port: 7, address: 192.0.2.9}]\n", ":1:", "192.0.2.9"),
            ("services: [{kind: echo, port: 7, congestion: none-such}]\n", ":1:", "none-such"),
            (f"plugins: {{directory: {env.directory}, congestion: [none-such]}}\n", ":1:", "none-such"),
            ("congestion: {default: none-such}\n", "congestion.default", "none-such")):
        path = write(env.directory, text)
        for arguments in (["--check", "-c", path], ["-c", path]):
            done = fails(CONFIG, place, TAPSTACKD, *arguments)
            check(what in done.stderr, f"{what!r} is not in {done.stderr!r}")


def test_all_errors_are_reported_at_once(env):
    path = write(env.directory, "link:\n  mtu: tiny\nnonsense: 1\nstack:\n  addresses: [192.0.2.2/99]\n")
    done = fails(CONFIG, path, TAPSTACKD, "-c", path)
    for place in (":2:", ":3:", ":5:"):
        check(place in done.stderr, f"an error at line {place}: {done.stderr}")


def test_set(env):
    path = write(env.directory, "")
    done = run(TAPSTACKD, "--check", "-c", path, "--set", "link.mtu=1400", "--set", "services=[{kind: echo, port: 7}]")
    equal(done.returncode, OK, f"--set of good values: {done.stderr}")
    for wrong in ("link.mtu=1", "link.mtu=", "nonsense=1", "services=7", "services=[", "congestion.default=none-such",
                  "link.backend=unix:relative", "shard.count=0", "tcp.rto_min=1h", "stack.gateway=10.0.0.1"):
        fails(CONFIG, wrong.split("=", maxsplit=1)[0], TAPSTACKD, "--check", "-c", path, "--set", wrong)


def does_not_start(env, name, text, config):
    """Fails with code 1 and `text` in the log, and leaves no interface and no socket behind."""
    daemon = env.daemon(start=False, name=name, services=[ECHO], config=config)
    daemon.start(ready=False)
    equal(daemon.wait(), RUNTIME, f"exit code of {name}")
    check("cannot start" in daemon.log() and text in daemon.log(), f"{name}: {text!r} is not in the log")
    check(not os.path.exists(daemon.control), f"{name}: a control socket is left")
    equal([interface for _, interface in socket.if_nameindex()], ["lo"], f"{name}: interfaces")


def test_what_cannot_be_opened(env):
    """What the configuration asks for is right in itself, and cannot be had here."""
    in_the_way = write(env.directory, "precious", "in-the-way")
    foreign = os.path.join(env.directory, "foreign.db")
    newer = os.path.join(env.directory, "newer.db")
    with contextlib.closing(sqlite3.connect(foreign)) as database:
        database.execute("CREATE TABLE recipe (name)")
    env.daemon(services=[ECHO], config={"audit": {"database": newer}}).stop()
    with contextlib.closing(sqlite3.connect(newer)) as database:
        database.execute("PRAGMA user_version = 4711")
    for name, text, config in (
            ("state", "state_directory", {"state_directory": "/proc/self/nowhere"}),
            ("state-file", "state_directory", {"state_directory": in_the_way}),
            ("runtime", "runtime_directory", {"runtime_directory": "/proc/self/nowhere"}),
            ("link-name", "lo", {"link": {"name": "lo"}}),
            ("link-path", "/no/where", {"link": {"backend": f"unix:{env.directory}/no/where"}}),
            ("link-file", "in-the-way", {"link": {"backend": f"unix:{in_the_way}"}}),
            ("control", "in-the-way", {"control": {"socket": in_the_way}}),
            ("database", "audit", {"audit": {"database": "/proc/self/nowhere/audit.db"}}),
            ("foreign", "another program", {"audit": {"database": foreign}}),
            ("newer", "4711", {"audit": {"database": newer}})):
        does_not_start(env, name, text, config)
    with open(in_the_way, encoding="ascii") as file:
        equal(file.read(), "precious", "the file that was in the way")
    with contextlib.closing(sqlite3.connect(foreign)) as database:
        equal(database.execute("SELECT name FROM sqlite_schema").fetchall(), [("recipe",)], "the foreign database")


def test_second_daemon_is_refused(env):
    """Of what two daemons would share, each part says so, and the first one is not disturbed."""
    daemon = env.daemon(services=[ECHO])
    for name, text, config in (
            ("same-interface", "tap0", {"state_directory": env.directory + "/s2", "runtime_directory": env.directory}),
            ("same-state", "audit", {"link": {"name": "tap1"}, "runtime_directory": env.directory}),
            ("same-socket", "control", {"link": {"name": "tap1"}, "state_directory": env.directory + "/s3"})):
        second = env.daemon(services=[ECHO], name=name, start=False, config=config)
        second.start(ready=False)
        equal(second.wait(), RUNTIME, f"exit code: {name}")
        check("cannot start" in second.log() and text in second.log(), f"{name}: {text} is not in {second.log()}")
        check(daemon.alive(), "the first one lives")
        with connect(7) as sock:
            sock.sendall(b"hello")
            equal(read_exactly(sock, 5), b"hello", "echo of the first one")
        daemon.ctl("status")


# ---- tapstackctl and its socket ----


def test_ctl_exit_codes(env):
    daemon = env.daemon(services=[ECHO])

    def ctl_fails(code, text, *arguments, **options):
        fails(code, text, TAPSTACKCTL, "--socket", daemon.control, *arguments, **options)

    for wrong, text in (
            ([], "Usage"), (["nonsense"], "nonsense"), (["--nonsense"], "nonsense"), (["status", "extra"], "status"),
            (["show"], "show ID"), (["show", "x"], "x"), (["show", "-1"], "1"), (["close"], "close ID"),
            (["status", "--abort"], "--abort"), (["-t", "0", "status"], "--timeout"), (["--socket"], "argument"),
            (["connections", "nonsense"], "nonsense"), (["connections", "none=1"], "none"),
            (["connections", "state=none"], "none"), (["connections", "port=x"], "x"),
            (["connections", "peer=192.0.2.0/99"], "192.0.2.0/99"), (["history", "none=1"], "none"),
            (["connections", "--columns", "none"], "none"), (["--limit", "x", "history"], "--limit")):
        ctl_fails(CTL_USAGE, text, *wrong)
    ctl_fails(NO_MATCH, "4711", "show", "4711")
    ctl_fails(NO_MATCH, "4711", "close", "4711")
    ctl_fails(NO_MATCH, "4711", "history", "4711")
    ctl_fails(REFUSED, "no such key", "config", "none.such")
    fails(UNREACHABLE, "/no/where", TAPSTACKCTL, "--socket", "/no/where", "status")
    fails(UNREACHABLE, "/no/where", TAPSTACKCTL, "--database", "/no/where", "history")
    write(env.directory, "nonsense: 1\n", os.path.basename(daemon.path))
    ctl_fails(REFUSED, "nonsense", "reload")
    daemon.write_config()
    equal(run(TAPSTACKCTL, "--socket", daemon.control, "reload").returncode, DONE, "reload of a good file")

    daemon.signal(signal.SIGSTOP)
    ctl_fails(TIMED_OUT, "0.2", "--timeout", "0.2", "status")
    daemon.signal(signal.SIGCONT)
    daemon.ctl("status")
    daemon.stop()
    ctl_fails(UNREACHABLE, daemon.control, "status")
    equal(daemon.sql("SELECT method, result FROM action ORDER BY id"),
          [("Close", "NoSuchConnection"), ("Reload", "InvalidConfiguration"), ("Reload", "ok")], "actions in the audit")


def test_ctl_of_another_user(env):
    """Roles are the daemon's to decide; what is refused is recorded too."""
    if os.geteuid() != 0 or not os.access("/proc/self/uid_map", os.R_OK):
        return
    with open("/proc/self/uid_map", encoding="ascii") as file:
        if int(file.read().split()[2]) <= 65534:
            print("     left out: there is no second user here")
            return
    os.chmod(env.directory, 0o755)
    daemon = env.daemon(services=[ECHO], config={"control": {"observe": ["65534"], "operate": [], "admin": []}})
    other = {"user": 65534, "group": 65534, "extra_groups": []}
    command = [TAPSTACKCTL, "--socket", daemon.control]
    with connect(7) as sock:
        sock.sendall(b"x")
        read_exactly(sock, 1)
        number = daemon.connections()[0]["id"]
        equal(run(*command, "status", **other).returncode, DONE, "status as another user")
        for arguments in (["close", str(number)], ["close", "--abort", str(number)], ["reload"], ["stop"]):
            fails(NOT_PERMITTED, "", *command, *arguments, **other)
        sock.sendall(b"y")
        equal(read_exactly(sock, 1), b"y", "echo, afterwards")
        daemon.config["control"]["observe"] = []
        daemon.write_config()
        daemon.ctl("reload")
        fails(NOT_PERMITTED, "", *command, "status", **other)
        daemon.ctl("close", str(number))
        equal(read_all(sock), b"", "the end, by an administrator")
    wait_until(lambda: len(daemon.sql("SELECT 1 FROM action")) >= 6, "actions in the audit")
    equal(daemon.sql("SELECT uid, method, result FROM action ORDER BY id"),
          [(65534, method, "PermissionDenied") for method in ("Close", "Close", "Reload", "Stop")] +
          [(0, "Reload", "ok"), (0, "Close", "ok")], "actions in the audit")


def converse(path, data, half_close=True):
    """Sends, and returns what comes back, message by message, until the daemon closes."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(path)
        answer = b""
        try:
            sock.sendall(data)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
            answer = read_all(sock)
        except ConnectionError:
            pass
        return [json.loads(message) for message in answer.split(b"\0") if message]


def call(method, **parameters):
    return json.dumps({"method": method, "parameters": parameters}).encode() + b"\0"


def test_control_socket(env):
    """Whatever is said there, the answer is an error or the end, and the next caller is served."""
    daemon = env.daemon(services=[ECHO])
    good = call("org.tapstack.control.Status")
    equal([("parameters" in answer, "error" in answer) for answer in converse(daemon.control, good + good)],
          [(True, False)] * 2, "answers to two calls at once")
    for wrong, error in (
            (call("org.tapstack.control.NoneSuch"), "org.varlink.service.MethodNotFound"),
            (call("org.none.Such"), "org.varlink.service.InterfaceNotFound"),
            (call("org.tapstack.control.Status", none=1), "org.varlink.service.InvalidParameter"),
            (call("org.tapstack.control.Close"), "org.varlink.service.InvalidParameter"),
            (call("org.tapstack.control.Close", id="one"), "org.varlink.service.InvalidParameter"),
            (call("org.tapstack.control.Close", id=-1), "org.varlink.service.InvalidParameter")):
        answers = converse(daemon.control, wrong + good)
        equal(answers[0].get("error"), error, f"error for {wrong}")
        check("error" not in answers[1], f"the call after {wrong} is answered: {answers[1]}")
    for broken in (b"nonsense\0", b"{\0", b"[]\0", b"{}\0", b"\0", b'{"method": 5}\0', b"\xff\xfe\0", b"[" * 100000 + b"\0",
                   b'{"method": "' + b"x" * (1 << 20) + b'"}\0', b"x" * (3 << 20), b'{"method": "org.tapst'):
        answers = converse(daemon.control, broken)
        check(all("error" in answer for answer in answers), f"no success for {broken[:40]}: {answers}")
        daemon.ctl("status")
    answers = converse(daemon.control, b"nonsense\0" + good, half_close=False)
    check(all("error" in answer for answer in answers), "after what is no message nothing can be understood")
    with connect(7) as sock:
        sock.sendall(b"hello")
        equal(read_exactly(sock, 5), b"hello", "echo")
    before = daemon.open_descriptors()
    idle = []
    for _ in range(200):
        sock = socket.socket(socket.AF_UNIX)
        env.cleanup(sock.close)
        sock.connect(daemon.control)
        idle.append(sock)
    for sock in idle:
        sock.close()
    wait_until(lambda: daemon.open_descriptors() == before, "the callers that have gone are forgotten")
    daemon.ctl("status")


if __name__ == "__main__":
    main()
