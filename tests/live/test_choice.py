#!/usr/bin/env python3
"""Which algorithm a connection gets: by rules, by a command while it lives, in shadow, in two arms; and what the audit
has of it."""
import json

from harness import HOST, connect, check, equal, main, read_exactly, wait_until
from test_plugins import plugin_directory

ECHO = {"name": "echo", "kind": "echo", "port": 7}
OTHER = {"name": "other", "kind": "echo", "port": 8}


def start(env, rules, services=(ECHO, OTHER), congestion=("cubic", "newreno", "vegas")):
    return env.daemon(services=list(services),
                      config={"plugins": {"directory": plugin_directory(env), "congestion": list(congestion)},
                              "congestion": {"rules": rules}})


def shown(daemon, port):
    return daemon.connections(port)[0]


def opened(daemon, port):
    sock = connect(port)
    sock.sendall(b"x")
    equal(read_exactly(sock, 1), b"x", "echo")
    return sock, daemon.ctl_json("show", str(shown(daemon, port)["id"]))


def test_rules_by_service_and_peer(env):
    prefix = f"{HOST}/{128 if ':' in HOST else 32}"
    elsewhere = "2001:db8:ffff::/48" if ":" in HOST else "198.51.100.0/24"
    daemon = start(env, [{"peer": elsewhere, "use": "newreno"}, {"service": "echo", "peer": prefix, "use": "vegas"},
                         {"service": "other", "use": "cubic", "shadow": "vegas"}])
    for port, wanted, shadow in ((7, "vegas", None), (8, "cubic", "vegas")):
        sock, connection = opened(daemon, port)
        equal((connection["cong"], connection["shadow"]), (wanted, shadow), f"algorithms on port {port}")
        if shadow:
            check(connection["shadow_cwnd"] > 0, "the shadow has a window")
            check("w_max" in connection["outputs"], "outputs by their names")
        sock.close()
    # A reload changes what connections get that begin after it, and those that are there keep theirs.
    sock, connection = opened(daemon, 7)
    daemon.config["congestion"]["rules"] = [{"use": "newreno"}]
    daemon.write_config()
    daemon.ctl("reload")
    equal(daemon.ctl_json("show", str(connection["id"]))["cong"], "vegas", "an old connection")
    sock.close()
    wait_until(lambda: not daemon.connections(7), "the old connection is gone")
    sock, connection = opened(daemon, 7)
    equal(connection["cong"], "newreno", "a new connection")
    # What a rule names can't be unloaded.
    refused = daemon.ctl_error("plugin", "unload", "newreno")
    check("congestion.rules" in refused, f"who holds it: {refused}")
    sock.close()


def exchange(sock, count):
    """So many times 20 kB there and back."""
    for _ in range(count):
        sock.sendall(bytes(20000))
        read_exactly(sock, 20000)


def test_change_of_a_live_connection(env):
    daemon = start(env, [])
    sock, connection = opened(daemon, 7)
    name = str(connection["id"])
    exchange(sock, 50)
    before = daemon.ctl_json("show", name)
    daemon.ctl("set", name, "congestion=cubic", "shadow=vegas", "sample=0.001s")
    after = daemon.ctl_json("show", name)
    equal((before["cong"], after["cong"], after["shadow"]), ("reno", "cubic", "vegas"), "algorithms")
    check(after["cwnd"] >= before["cwnd"] / 2, f"its window stays: {before['cwnd']}, {after['cwnd']}")
    equal(after["rtt"] is None, False, "and its round-trip time")
    exchange(sock, 50)
    daemon.ctl("set", name, "shadow=none", "sample=0")
    equal(daemon.ctl_json("show", name)["shadow"], None, "no shadow any more")
    for wrong, code, text in ((("congestion=bbr9",), 1, "no algorithm of this name"), (("cwnd=3",), 2, "none of"),
                              (("sample=x",), 2, "milliseconds"), (("sample=-1",), 2, "milliseconds"),
                              (("sample=",), 2, "milliseconds"), (("sample=1h",), 2, "milliseconds")):
        check(text in daemon.ctl_error("set", name, *wrong, code=code), f"message about {wrong}")
    daemon.ctl("set", "999999", "congestion=cubic", code=5)
    # There and back: the one that is built in is an algorithm like any other.
    daemon.ctl("set", name, "congestion=reno", "shadow=reno")
    built_in = daemon.ctl_json("show", name)
    equal((built_in["cong"], built_in["shadow"]), ("reno", "reno"), "the built-in algorithm")
    exchange(sock, 5)
    daemon.ctl("set", name, "congestion=cubic", "shadow=none")
    sock.close()
    daemon.stop()
    equal(daemon.sql("SELECT congestion FROM connection"), [("cubic",)], "the last algorithm")
    rows = daemon.sql("SELECT congestion, shadow, cwnd, shadow_cwnd FROM samples ORDER BY sample")
    check(len(rows) > 1 and all(row[:2] == ("cubic", "vegas") and row[2] > 0 and row[3] > 0 for row in rows),
          f"samples: {rows[:3]}")
    names = {name for name, in daemon.sql("SELECT DISTINCT algorithm || '.' || name FROM outputs")}
    check("cubic.w_max" in names and any(name.startswith("vegas.") for name in names), f"outputs: {names}")
    equal(len(daemon.sql("SELECT * FROM shadow_comparison WHERE samples > 1")), 1, "shadow_comparison")
    actions = [json.loads(arguments) for arguments, in daemon.sql(
        "SELECT arguments FROM action WHERE method LIKE '%Set' AND result = 'ok' ORDER BY id")]
    equal(actions[0], {"id": connection["id"], "congestion": "cubic", "shadow": "vegas", "sample": 1.0}, "action")


def test_two_arms(env):
    """Each connection falls on one arm, both have some, and the view compares them."""
    daemon = start(env, [{"service": "echo", "use": {"cubic": 1, "newreno": 1}}])
    for _ in range(60):
        sock, _ = opened(daemon, 7)
        sock.close()
        wait_until(lambda: not [row for row in daemon.connections(7) if row["state"] != "TIME-WAIT"],
                   "the connection is gone")
    daemon.stop()
    arms = dict(daemon.sql("SELECT congestion, connections FROM congestion_comparison WHERE service = 'echo'"))
    equal(set(arms), {"cubic", "newreno"}, "arms")
    equal(sum(arms.values()), 60, "connections")
    # By a fair coin fewer than 10 of 60 come once in ten million runs.
    check(min(arms.values()) >= 10, f"by weight: {arms}")


if __name__ == "__main__":
    main()
