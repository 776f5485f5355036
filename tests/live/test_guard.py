#!/usr/bin/env python3
"""Congestion plugins that are wrong, in the running daemon: none stalls or starves its connection, the built-in Reno
takes over, and the log, the audit and the counters say so."""
import json
import os
import shutil

from harness import BUILD, Thread, check, connect, equal, main, read_exactly, wait_until

WAYS = {7: "garbage", 8: "byte", 9: "sleep", 10: "refuse", 11: "outputs"}
BYTES = 4000000


def start(env, **congestion):
    directory = os.path.join(env.directory, "plugins")
    os.mkdir(directory, 0o755)
    shutil.copy(os.path.join(BUILD, "tests/live/.libs/offender.so"), directory)
    return env.daemon(
        services=[{"name": f"on-{way}", "kind": "echo", "port": port, **congestion.get("service", lambda _: {})(way)}
                  for port, way in WAYS.items()],
        config={"plugins": {"directory": directory,
                            "congestion": [{"plugin": "offender", "name": way, "params": {"way": way}}
                                           for way in WAYS.values()]},
                "congestion": {"rules": congestion.get("rules", [{"service": "on-outputs", "sample": "1ms"}])}})


def transfer(sock):
    """There and back, within the patience of read_exactly: whoever sends a segment a round trip is done by then,
    whoever waits for time-outs is not."""
    sender = Thread(sock.sendall, bytes(BYTES))
    equal(len(read_exactly(sock, BYTES)), BYTES, "bytes that came back")
    sender.result()


def written(daemon, connection, way):
    """What the audit says of it, once the recorder has got there."""
    rows = wait_until(lambda: [row for row in daemon.sql(
        "SELECT method, arguments, result FROM actions WHERE method LIKE 'Congestion%'")
        if json.loads(row[1])["id"] == connection], f"a row about {way}")
    equal(len(rows), 1, f"rows about {way}")
    method, arguments, result = rows[0]
    arguments = json.loads(arguments)
    equal(arguments["congestion"], way, "who has offended")
    return method, result, arguments


def test_who_offends_is_replaced(env):
    daemon = start(env, service=lambda way: {"congestion": way})
    for port, way in WAYS.items():
        with connect(port) as sock:
            transfer(sock)
            shown = daemon.ctl_json("show", str(daemon.connections(port)[0]["id"]))
            equal(shown["cong"], "reno", f"algorithm in the place of {way}")
            check(shown["cwnd"] >= 2 * shown["mss"], f"{way}: window of {shown['cwnd']}")
            transfer(sock)
        method, result, arguments = written(daemon, shown["id"], way)
        log = [line for line in daemon.log().splitlines() if f"connection {shown['id']}" in line]
        check(any("goes on with reno" in line for line in log), f"what the log says of {way}: {log}")
        if way == "refuse":
            equal((method, result), ("CongestionRefused", "reno"), way)
            check(any("would not begin" in line for line in log), f"what the log says of {way}: {log}")
            continue
        equal((method, result), ("CongestionFallback", "reno"), way)
        check(arguments["count"] in (8, 9), f"{way}: {arguments}")  # the last may have been wrong in two ways
        check(any(f"algorithm {way} had to be corrected {arguments['count']} times" in line for line in log),
              f"what the log says of {way}: {log}")
        words = {"garbage": "segment", "byte": "a window below one segment (1 bytes)",
                 "sleep": "take too long (", "outputs": "take too long ("}[way]
        check(words in arguments["offences"], f"{way}: {arguments}")
        check(any(words in line for line in log), f"what the log says of {way}: {log}")
    check(daemon.ctl_json("counters")["congestion_offences"] >= 3 * 8, "what was counted")


def test_in_shadow(env):
    """Who is wrong there disturbs nobody, and is there no more."""
    daemon = start(env, rules=[{"service": f"on-{way}", "shadow": way, "sample": "1ms"} for way in WAYS.values()])
    for port, way in WAYS.items():
        with connect(port) as sock:
            transfer(sock)
            shown = daemon.ctl_json("show", str(daemon.connections(port)[0]["id"]))
            equal((shown["cong"], shown["cong_offences"], shown["shadow"]), ("reno", 0, None), f"with {way} in shadow")
        _, result, _ = written(daemon, shown["id"], way)
        equal(result, "none", f"who takes the place of {way}")


def test_what_is_no_number(env):
    """Outputs that are none are null, for tapstackctl and in the audit, which goes on; also when the algorithm in shadow
    takes over, and is then both."""
    daemon = start(env, service=lambda way: {"congestion": way})
    with connect(8) as sock:
        sock.sendall(b"x")
        equal(read_exactly(sock, 1), b"x", "echo")
        name = str(daemon.connections(8)[0]["id"])
        daemon.ctl("set", name, "shadow=byte", "congestion=byte", "sample=1")
        outputs = daemon.ctl_json("show", name)["outputs"]
        equal(outputs, {"nothing": None, "everything": None}, "outputs")
        transfer(sock)
    daemon.stop()
    equal(daemon.sql("SELECT count(*) FROM outputs WHERE value IS NOT NULL"), [(0,)], "numbers")
    check(daemon.sql("SELECT count(*) FROM outputs WHERE shadow = 0")[0][0] > 0, "outputs of the one that acts")
    check(daemon.sql("SELECT count(*) FROM outputs WHERE shadow = 1")[0][0] > 0, "outputs of its shadow")
    equal(daemon.sql("SELECT count(*) FROM connections WHERE closed IS NULL"), [(0,)], "connections without an end")


if __name__ == "__main__":
    main()
