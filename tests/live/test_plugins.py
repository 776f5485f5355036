#!/usr/bin/env python3
"""Plugins in the running daemon: cubic moves real data, jsonl writes what the audit has; and both are loaded,
replaced, tuned and unloaded while connections use them."""
import glob
import json
import os
import shutil
import signal

from harness import BUILD, Thread, check, connect, equal, main, read_exactly, wait_until
from traffic import echo_bulk


def plugin_directory(env):
    """What an installation has: nothing but the plugins, written by nobody else."""
    directory = os.path.join(env.directory, "plugins")
    os.mkdir(directory, 0o755)
    for path in glob.glob(os.path.join(BUILD, "plugins/*/.libs/*.so")):
        shutil.copy(path, directory)
    return directory


def sample(env, name, file):
    """A plugin made for tests, under another name."""
    shutil.copy(os.path.join(BUILD, "tests/unit/plugin/.libs", name + ".so"),
                os.path.join(env.directory, "plugins", file + ".so"))


def versions(daemon, name):
    """(generation, state, users) of each version of an instance."""
    return [(row["generation"], row["state"], row.get("users")) for row in daemon.ctl_json("plugins")
            if row["name"] == name]


def echo(sock, size):
    """As echo_bulk, but the connection lives on."""
    sender = Thread(sock.sendall, b"x" * size)
    equal(len(read_exactly(sock, size)), size, "bytes that came back")
    sender.result()


def refused(daemon, *arguments, says):
    """A command that the daemon refuses, with these words."""
    output = daemon.ctl_error("plugin", *arguments)
    check(says in output, f"{arguments}: {output!r} does not say {says!r}")


def test_cubic_and_jsonl(env):
    path = os.path.join(env.directory, "state", "events.jsonl")
    daemon = env.daemon(
        services=[{"name": "reno", "kind": "echo", "port": 7},
                  {"name": "cubic", "kind": "echo", "port": 8, "congestion": "cubic"}],
        config={"plugins": {"directory": plugin_directory(env), "congestion": ["cubic"],
                            "logging": [{"plugin": "jsonl", "params": {"path": "events.jsonl"}}]}})
    for port in (7, 8):
        with connect(port) as sock:
            sock.sendall(b"x")
            sock.recv(1)
            equal(daemon.connections(port)[0]["cong"], {7: "reno", 8: "cubic"}[port], "algorithm")
            echo_bulk(sock, 20000000)
    equal({row["name"] for row in daemon.ctl_json("plugins")}, {"reno", "cubic", "jsonl"}, "what ctl lists")
    daemon.stop()
    equal(daemon.sql("SELECT service, congestion FROM connection ORDER BY id"), [("reno", "reno"), ("cubic", "cubic")],
          "algorithms in the audit")
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    rows = daemon.sql("SELECT connection, n, from_state, to_state, cause FROM transitions ORDER BY connection, n")
    equal(len(rows), 10, "transitions in the audit")
    equal([(line["connection"], line["n"], line["from"], line["to"], line["cause"]) for line in lines], rows,
          "transitions in the log, in their order")


def test_drain_and_move(env):
    """New versions under traffic: the old one stays for those who have it, or they go on with the new one."""
    directory = plugin_directory(env)
    daemon = env.daemon(
        services=[{"name": "echo", "kind": "echo", "port": 7}],
        config={"plugins": {"directory": directory, "congestion": ["cubic"]}, "congestion": {"default": "cubic"}})
    fixed = versions(daemon, "cubic")[0][2]  # the listener and the shards' defaults
    with connect(7) as old:
        old.sendall(b"x")
        old.recv(1)
        equal(versions(daemon, "cubic"), [(1, "active", fixed + 1)], "before")
        traffic = Thread(echo, old, 30000000)
        # The file is overwritten where it stands, while its code runs.
        with open(os.path.join(directory, "cubic.so"), "r+b") as file:
            content = file.read()
            file.seek(0)
            file.write(b"\0" * len(content))
        refused(daemon, "reload", "cubic", says="cubic.so: not a shared object")
        with open(os.path.join(directory, "cubic.so"), "r+b") as file:
            file.write(content)
        check("cubic: loaded again: version" in daemon.ctl("plugin", "reload", "cubic"), "what reload says")
        with connect(7) as new:
            new.sendall(b"x")
            new.recv(1)
            equal(versions(daemon, "cubic"), [(1, "draining", 1), (2, "active", fixed + 1)], "one of each")
        traffic.result()
        equal(len(versions(daemon, "cubic")), 2, "versions while a connection has the old one")
        # A second change, and this time nobody is left behind: but those of the version before have it still.
        daemon.ctl("plugin", "tune", "cubic", "beta=0.8", "--move")
        wait_until(lambda: versions(daemon, "cubic") == [(1, "draining", 1), (3, "active", fixed)], "generation 3")
        echo(old, 1000000)
    wait_until(lambda: versions(daemon, "cubic") == [(3, "active", fixed)], "the end of generation 1")
    with connect(7) as sock:
        traffic = Thread(echo, sock, 60000000)
        wait_until(lambda: versions(daemon, "cubic") == [(3, "active", fixed + 1)], "its connection")
        daemon.ctl("plugin", "reload", "cubic", "--move")
        wait_until(lambda: versions(daemon, "cubic") == [(4, "active", fixed + 1)], "its move")
        traffic.result()
        equal(daemon.connections(7)[0]["cong"], "cubic", "algorithm")
    row = next(row for row in daemon.ctl_json("plugins") if row["name"] == "cubic")
    equal(row["params"]["beta"], 0.8, "what was tuned stays so")
    # The configuration has the last word.
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: versions(daemon, "cubic") == [(5, "active", fixed)], "the configuration's version")
    check("plugins: cubic replaced" in daemon.log(), "the reload says what it did")
    daemon.stop()
    equal({row[0] for row in daemon.sql("SELECT congestion FROM connection")}, {"cubic"}, "names in the audit")
    actions = [row[0] for row in daemon.sql("SELECT method FROM action ORDER BY id")]
    equal(actions, ["PluginReload", "PluginReload", "PluginTune", "PluginReload"], "actions")


def test_reload_moves(env):
    """plugins.replace: move: a reload takes live connections along; and the default that services have."""
    directory = plugin_directory(env)
    daemon = env.daemon(
        services=[{"name": "echo", "kind": "echo", "port": 7}],
        config={"plugins": {"directory": directory, "congestion": ["cubic"], "replace": "move"},
                "congestion": {"default": "cubic"}, "shard": {"count": 2}})
    fixed = versions(daemon, "cubic")[0][2]
    socks = [connect(7) for _ in range(8)]
    for sock in socks:
        sock.sendall(b"x")
        sock.recv(1)
    equal(versions(daemon, "cubic"), [(1, "active", fixed + 8)], "before")
    daemon.config["plugins"]["congestion"] = [{"plugin": "cubic", "params": {"beta": 0.8}}]
    daemon.write_config()
    check("plugins: cubic replaced" in daemon.ctl("reload"), "what reload says")
    wait_until(lambda: versions(daemon, "cubic") == [(2, "active", fixed + 8)], "their move")
    check("8 connections moved to the new version" in daemon.log(), "the log says how many")
    check("nothing has changed" in daemon.ctl("reload"), "the same again is no change")
    equal(versions(daemon, "cubic"), [(2, "active", fixed + 8)], "the same again")
    for sock in socks:
        echo(sock, 100000)
        sock.close()
    daemon.stop()


def test_by_hand(env):
    """Loaded and unloaded by ctl; what is in use by name stays."""
    plugin_directory(env)
    directory = os.path.join(env.directory, "plugins")
    daemon = env.daemon(services=[{"name": "echo", "kind": "echo", "port": 7}],
                        config={"plugins": {"directory": directory, "congestion": ["cubic"]}})
    text = daemon.ctl("plugin", "load", "cubic", "as", "gentle", "beta=0.9")
    check("gentle: loaded: version" in text and "until the daemon stops" in text, f"what load says: {text}")
    refused(daemon, "load", "cubic", says="there is already one named cubic: choose another name")
    refused(daemon, "load", "cubic", "as", "reno", says="there is already one named reno")
    refused(daemon, "load", "cubic", "as", "x", "bet=1", says="cubic has no parameter bet: it has ")
    refused(daemon, "load", "cubic", "as", "x", "beta=7", says='beta: "7" is not valid: expected a number from')
    refused(daemon, "load", "nothing", says="nothing.so: No such file or directory; in ")
    refused(daemon, "load", "../cubic", says="can't be the name of an instance")
    refused(daemon, "load", "../cubic", "as", "x", says="can't be the name of a plugin")
    refused(daemon, "unload", "gone", says="no instance is named gone: there are cubic, gentle")
    refused(daemon, "unload", "reno", says="reno is built in")
    # The configuration takes it over; then it is in use, and stays.
    daemon.config["plugins"]["congestion"] = ["cubic", {"plugin": "cubic", "name": "gentle", "params": {"beta": 0.9}}]
    daemon.config["services"][0]["congestion"] = "gentle"
    daemon.write_config()
    check("plugins.congestion" in daemon.ctl("reload"), "what reload says")
    refused(daemon, "unload", "gentle", says="gentle is in use by service echo: give them another algorithm first")
    equal([row[0] for row in versions(daemon, "gentle")], [1], "it is the one that was there")
    with connect(7) as sock:
        sock.sendall(b"x")
        sock.recv(1)
        equal(daemon.connections(7)[0]["cong"], "gentle", "algorithm")
        # All or nothing: the service is right, a plugin is not.
        daemon.config["services"][0]["congestion"] = "cubic"
        daemon.config["plugins"]["logging"] = [{"plugin": "jsonl", "params": {"path": "/nowhere/x"}}]
        daemon.write_config()
        check("log jsonl cannot be opened" in daemon.ctl_error("reload"), "what reload refuses")
        equal([row["congestion"] for row in daemon.ctl_json("services")], ["gentle"], "nothing has changed")
        daemon.config["plugins"]["logging"] = []
        daemon.config["plugins"]["congestion"] = ["cubic"]
        daemon.write_config()
        check("plugins: gentle unloaded" in daemon.ctl("reload"), "what reload says")
        equal(versions(daemon, "gentle"), [(1, "draining", 1)], "its connection has it")
        echo(sock, 100000)
    wait_until(lambda: versions(daemon, "gentle") == [], "its end")
    daemon.wait_log("plugin gentle, generation 1 (cubic")
    check("until the configuration is read again" in daemon.ctl("plugin", "tune", "cubic", "beta=0.6"), "the note")
    daemon.stop()


def test_logs(env):
    """A log that is loaded, tuned to another file, and unloaded while connections come and go: none is lost."""
    directory = plugin_directory(env)
    daemon = env.daemon(services=[{"name": "echo", "kind": "echo", "port": 7}],
                        config={"plugins": {"directory": directory}})
    state = os.path.join(env.directory, "state")

    def one():
        with connect(7) as sock:
            sock.sendall(b"x")
            sock.recv(1)

    def lines(name):
        path = os.path.join(state, name)
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    def transitions():
        return daemon.sql("SELECT connection, n FROM transitions ORDER BY connection, n")

    one()
    refused(daemon, "load", "jsonl", "path=/nowhere/x", says="log jsonl cannot be opened: No such file or directory")
    daemon.ctl("plugin", "load", "jsonl", "as", "log", "path=one")
    for _ in range(20):
        one()
    refused(daemon, "tune", "log", "path=/nowhere/x", says="log log cannot be opened")
    daemon.ctl("plugin", "tune", "log", "path=two")
    for _ in range(20):
        one()
    wait_until(lambda: len(transitions()) == 5 * 41, "all in the audit")
    wait_until(lambda: len(lines("one")) + len(lines("two")) >= 5 * 40, "all in the logs")
    check(lines("one") and lines("two"), "both have something")
    got = sorted((line["connection"], line["n"]) for line in lines("one") + lines("two"))
    equal(got[-200:], transitions()[-200:], "each once")
    daemon.ctl("plugin", "unload", "log")
    wait_until(lambda: versions(daemon, "log") == [], "its end")
    one()
    wait_until(lambda: len(transitions()) == 5 * 42, "the last in the audit")
    equal(len(lines("two")), len([line for line in lines("two") if line["connection"] <= transitions()[-6][0]]),
          "nothing after the end")
    daemon.stop()


def test_available(env):
    """What the directory has, and why some of it would be refused."""
    directory = plugin_directory(env)
    bad = {"newer": "made for plugin ABI 2", "nosymbol": "does not export tapstack_plugin",
           "longops": "built with headers of a newer tapstack", "noack": "a required operation is missing: on_ack",
           "unresolved": "undefined symbol: nobody_defines_this", "bigstate": "larger than 1024",
           "magic": "wrong magic", "twice": "two parameters are named gain"}
    for name in bad:
        sample(env, name, name)
    shutil.copy(os.path.join(directory, "cubic.so"), os.path.join(directory, "renamed.so"))
    bad["renamed"] = "it calls itself cubic: its file must have that name"
    shutil.copy(os.path.join(directory, "cubic.so"), os.path.join(directory, "open.so"))
    os.chmod(os.path.join(directory, "open.so"), 0o666)
    bad["open"] = "can be written by everybody (mode 0666): chmod o-w"
    with open(os.path.join(directory, "cubic.so"), "rb") as file:
        half = file.read()[:6000]
    with open(os.path.join(directory, "half.so"), "wb") as file:
        file.write(half)
    bad["half"] = "cut short"
    os.chmod(os.path.join(directory, "half.so"), 0o644)
    daemon = env.daemon(config={"plugins": {"directory": directory}})
    files = {row["plugin"]: row for row in daemon.ctl_json("plugin", "available")}
    equal(files["cubic"]["kind"], "congestion", "kind")
    check("beta" in [param["name"] for param in files["cubic"]["params"]], "its parameters")
    for name, message in bad.items():
        check(message in files[name]["error"], f"{name}: {files[name]['error']}")
        refused(daemon, "load", name, says=message)
    equal([row["name"] for row in daemon.ctl_json("plugins")], ["reno"], "nothing was loaded")
    os.chmod(directory, 0o777)
    refused(daemon, "load", "cubic", says="can be written by everybody (mode 0777): chmod o-w")
    check("can be written by everybody" in daemon.ctl_error("plugin", "available"), "available says it too")
    os.chmod(directory, 0o755)
    daemon.ctl("plugin", "load", "cubic")
    daemon.stop()


if __name__ == "__main__":
    main()
