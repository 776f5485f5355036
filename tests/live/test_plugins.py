#!/usr/bin/env python3
"""Plugins in the running daemon: cubic moves real data, jsonl writes what the audit has."""
import glob
import json
import os
import shutil

from harness import BUILD, connect, equal, main
from traffic import echo_bulk


def plugin_directory(env):
    """What an installation has: nothing but the plugins, written by nobody else."""
    directory = os.path.join(env.directory, "plugins")
    os.mkdir(directory, 0o755)
    for path in glob.glob(os.path.join(BUILD, "plugins/*/.libs/*.so")):
        shutil.copy(path, directory)
    return directory


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


if __name__ == "__main__":
    main()
