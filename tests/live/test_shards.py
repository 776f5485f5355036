#!/usr/bin/env python3
"""Several shards: a flow has one owner, whichever TAP queue the kernel puts its frames into."""
import signal

from harness import Thread, check, connect, equal, main, read_all
from record import compare, report
from traffic import Load, echo_bulk

SERVICES = [{"name": "echo", "kind": "echo", "port": 7}]
CONFIG = {"shard": {"count": 3}}


def test_connections_spread_and_work(env):
    daemon = env.daemon(services=SERVICES, config=CONFIG)
    socks = [connect(7) for _ in range(60)]
    rows = [row for row in daemon.ctl_json("connections") if row["state"] != "LISTEN"]
    owners = {row["shard"] for row in rows}
    for thread in [Thread(echo_bulk, sock, (2 << 20) + number, number) for number, sock in enumerate(socks)]:
        thread.result()
    for sock in socks:
        sock.close()
    equal(len(rows), 60, "connections in the listing")
    equal(owners, {0, 1, 2}, "shards with connections")
    shards = daemon.ctl_json("status")["shards"]
    equal(sum(shard["forward_drops"] for shard in shards), 0, "frames dropped on the way to their shard")
    check(sum(shard["forwarded_in"] for shard in shards) > 0, "some frames arrive at another shard first")
    daemon.stop()
    ids = daemon.sql("SELECT count(*), count(DISTINCT id) FROM connection")[0]
    equal(ids, (60, 60), "connections, and their numbers")


def test_every_connection_is_recorded_through_a_crash(env):
    """Each shard has a ring of its own; all of them are taken in again."""
    daemon = env.daemon(services=SERVICES, config=CONFIG)
    load = Load(env, 7)
    load.wait_for(1000)
    daemon.signal(signal.SIGKILL)
    daemon.wait()
    daemon = env.daemon(services=SERVICES, config=CONFIG)
    load.wait_for(1000)
    load.stop()
    daemon.stop()
    report(daemon, load, compare(daemon, load))
    shards = daemon.sql("SELECT count(DISTINCT shard) FROM connection GROUP BY run")
    equal(shards, [(CONFIG["shard"]["count"],)] * 2, "shards that had connections, in each run")


def test_reload_reaches_every_shard(env):
    daemon = env.daemon(services=SERVICES, config=CONFIG)
    daemon.config["services"] = [{"name": "echo", "kind": "echo", "port": 8}]
    daemon.write_config()
    daemon.ctl("reload")
    socks = [connect(8) for _ in range(20)]
    for sock in socks:
        sock.sendall(b"x")
        sock.shutdown(1)
        equal(read_all(sock), b"x", "echo")
        sock.close()
    for _ in range(20):
        try:
            connect(7, 2).close()
            check(False, "nothing listens on port 7 any more")
        except ConnectionRefusedError:
            pass


if __name__ == "__main__":
    main()
