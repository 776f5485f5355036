#!/usr/bin/env python3
"""link.impair: what rules do to real traffic, over both families, with one shard and with several; changes under way.

Bounds are what cannot be otherwise (a delay is a lower bound of a round trip, a rate an upper one) or counts."""
import random
import socket
import struct
import threading
import time

from frames import icmp
from harness import IPV4, IPV6, Thread, check, connect, equal, families, main, read_exactly, wait_until
from traffic import echo_bulk, receive_bulk, send_bulk

SERVICES = [{"name": "echo", "kind": "echo", "port": 7}, {"name": "echo2", "kind": "echo", "port": 77},
            {"name": "discard", "kind": "discard", "port": 9}, {"name": "chargen", "kind": "chargen", "port": 19}]
SEED = random.Random().getrandbits(32)
# Of what a damaged IPv4 packet with a TCP segment may end in.
DAMAGED = ("DROP_CHECKSUM", "DROP_IP_CHECKSUM", "DROP_IP_MALFORMED", "DROP_MALFORMED")


def start(env, *rules, shards=1, **config):
    """A daemon with these rules over both families."""
    hosts = [family.host_network for family in families()]
    stacks = [family.stack_network for family in families()]
    link = {"host_addresses": hosts, "impair": [{"seed": SEED, **rule} for rule in rules]}
    print(f"     seed {SEED}", flush=True)
    return env.daemon(services=SERVICES, config={"link": link, "shard": {"count": shards},
                                                 "stack": {"addresses": stacks}, **config})


def rules(daemon):
    """By name and direction."""
    return {(row["name"], row["direction"]): row for row in daemon.ctl_json("impair")}


def round_trip(port=7, family=IPV4):
    with connect(port, address=family.stack) as sock:
        best = 1e9
        for _ in range(3):
            began = time.monotonic()
            sock.sendall(b"x")
            read_exactly(sock, 1)
            best = min(best, time.monotonic() - began)
        return best


def test_delay_each_way(env):
    daemon = start(env, {"name": "far", "delay": "30ms", "direction": "in", "filter": "sport=7"},
                   {"name": "near", "delay": "20ms", "direction": "out", "filter": "sport=77"})
    for family in families():
        check(round_trip(7, family) >= 0.030, f"{family.name}: 30 ms in")
        check(0.020 <= round_trip(77, family), f"{family.name}: 20 ms out")
    daemon.ctl("impair", "set", "far", "direction=both")
    check(round_trip() >= 0.060, "30 ms each way")
    daemon.ctl("impair", "clear")
    equal(daemon.ctl_json("impair"), [], "rules after clear")
    check(round_trip() < 0.030, "nothing is held up any more")
    check("frames are not impaired any more" in daemon.log(), "the log says that it is over")


def test_idle_stack_wakes(env):
    """What is held is all that can wake the shard: no timer of TCP runs."""
    start(env, {"name": "far", "delay": "20ms"})
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sock.settimeout(5)
        times = []
        for number in range(3):
            request = icmp(8, 0, struct.pack("!HH", 7, number), b"anybody awake?")
            began = time.monotonic()
            sock.sendto(request, (IPV4.stack, 0))
            while sock.recv(2000)[20] != 0:  # an echo reply
                pass
            times.append(time.monotonic() - began)
    check(0.040 <= min(times) < 0.5, f"20 ms each way: {times}")


def test_it_cannot_be_forgotten(env):
    daemon = start(env, {"name": "slow", "delay": "1ms"})
    check("frames are impaired on purpose (link.impair): {name: slow" in daemon.log(), "the log says so at the start")
    equal(daemon.ctl_json("status")["impair"], {"rules": 1, "from": "configuration"}, "status")
    round_trip()
    counters = daemon.ctl_json("counters")["impair"]
    check(counters["frames"] > 6, f"frames that a rule took: {counters}")
    daemon.ctl("impair", "remove", "slow")
    equal(daemon.ctl_json("status")["impair"], {"rules": 0, "from": "control socket"}, "status after a change")
    check(daemon.ctl_json("counters")["impair"]["frames"] >= counters["frames"], "counters survive their rule")


def test_only_what_fits(env):
    """The first rule that fits has the frame; the other flow never notices."""
    daemon = start(env, {"name": "none", "filter": "sport=77"},
                   {"name": "lost", "filter": "protocol=tcp sport=7", "loss": "100%", "direction": "in"})
    with connect(77) as sock:
        echo_bulk(sock, 1 << 20, SEED)
    with socket.socket() as sock:
        sock.settimeout(0.3)
        try:
            sock.connect((IPV4.stack, 7))
            check(False, "no SYN gets through")
        except TimeoutError:
            pass
    row = rules(daemon)["lost", "in"]
    check(row["packets"] > 0 and row["lost"] == row["packets"] and row["passed"] == 0, f"all are lost: {row}")
    check(rules(daemon)["none", "in"]["passed"] == rules(daemon)["none", "in"]["packets"] > 0, "and none of these")
    check(("lost", "out") not in rules(daemon), "one way only")


def test_every_nth(env):
    """Counts, exactly; the transfer is repaired."""
    daemon = start(env, {"name": "nth", "drop_every": 50, "filter": "protocol=tcp"},
                   {"name": "first", "drop_first": 2, "drop_count": 1, "filter": "protocol=icmp"})
    with connect(7) as sock:
        echo_bulk(sock, 1 << 20, SEED)
    for direction in "in", "out":
        row = rules(daemon)["nth", direction]
        equal(row["dropped_nth"], row["packets"] // 50, f"dropped {direction} of {row['packets']}")
        check(row["packets"] > 700 and row["passed"] == row["packets"] - row["dropped_nth"],
              f"super-frames are cut: {row}")


def test_rate(env):
    """No more than the rate comes through, and not much less; the queue drops what is too much."""
    daemon = start(env, {"name": "line", "rate": "20Mbit/s", "queue": "64KiB", "direction": "out",
                         "filter": "protocol=tcp"})
    with connect(19) as sock:
        receive_bulk(sock, 1 << 20)
        began = time.monotonic()
        receive_bulk(sock, 2 << 20)
        rate = (2 << 20) / (time.monotonic() - began)
    check(rate <= 2.5e6 * 1.15, f"at most 2.5 MB/s (and what was waiting): {rate / 1e6:.2f}")
    check(rate >= 2.5e6 * 0.5, f"the line is used: {rate / 1e6:.2f} MB/s of 2.5")
    row = rules(daemon)["line", "out"]
    check(row["dropped_queue"] > 0, f"slow start overruns the queue: {row}")


def test_rate_is_shared_by_shards(env):
    daemon = start(env, {"name": "line", "rate": "16Mbit/s", "queue": "32KiB", "direction": "out",
                         "filter": "protocol=tcp"}, shards=3)
    began = time.monotonic()
    socks = [connect(19) for _ in range(12)]
    got = sum(thread.result() for thread in [Thread(receive_bytes, sock, began + 1.2) for sock in socks])
    took = time.monotonic() - began
    owners = {row["shard"] for row in daemon.connections(19)}
    for sock in socks:
        sock.close()
    check(len(owners) > 1, f"several shards send: {owners}")
    # What the queues of three shards and the line held may come on top.
    check(got <= 2e6 * took + (256 << 10), f"{got} bytes in {took:.1f} s at 2 MB/s")
    check(got >= 2e6 * took * 0.4, f"the line is used: {got} bytes in {took:.1f} s")


def receive_bytes(sock, until):
    got = 0
    sock.settimeout(5)
    while time.monotonic() < until:
        got += len(sock.recv(1 << 16))
    return got


def test_corruption_is_seen(env):
    """Each damaged packet, and no other, ends in a verdict about a checksum or an impossible header."""
    daemon = start(env, {"name": "noise", "corrupt": "1%", "filter": "protocol=tcp"})
    with connect(7) as sock:
        echo_bulk(sock, 2 << 20, SEED)
    row = rules(daemon)["noise", "in"]
    check(row["corrupted"] > 0, f"some are damaged: {row}")
    verdicts = daemon.ctl_json("counters")["verdicts"]
    found = sum(verdicts.get(name, 0) for name in DAMAGED)
    equal(found, row["corrupted"], f"damaged packets that the stack found: {verdicts}")


def all_of_it(direction):
    return {"name": "bad-" + direction, "direction": direction, "filter": "protocol=tcp", "delay": "2ms",
            "jitter": "2ms", "jitter_reorders": True, "loss": "0.5%", "burst": 2, "duplicate": "1%",
            "corrupt": "0.5%", "reorder": "1%", "reorder_min": "1ms", "reorder_max": "3ms", "rate": "100Mbit/s",
            "queue": "128KiB", "discipline": "codel-ecn", "outage_up": "300ms", "outage_down": "5ms"}


def transfer(size, family, seed):
    with connect(7, address=family.stack, seconds=60) as sock:
        echo_bulk(sock, size, seed)


def test_integrity_under_all_of_it(env):
    """Every byte arrives, over both families and several shards, and the rules have all been at work."""
    daemon = start(env, all_of_it("in"), all_of_it("out"), shards=2)
    threads = [Thread(transfer, 1 << 20, family, SEED + number) for number in range(2) for family in families()]
    for thread in threads:
        thread.result()
    for direction in "in", "out":
        row = rules(daemon)["bad-" + direction, direction]
        for what in "lost", "duplicated", "corrupted", "reordered":
            check(row[what] > 0, f"{direction}: {what}: {row}")
        equal(row["packets"] + row["duplicated"],
              row["passed"] + row["dropped"] + row["held"] , f"{direction}: the books balance: {row}")
    daemon.stop()


def test_changes_under_way(env):
    """Rules come, change and go while a transfer runs; what is held when its rule goes arrives nevertheless."""
    daemon = start(env, shards=2)
    over = threading.Event()
    changes = random.Random(SEED)
    done = []

    def change():
        while not over.is_set():
            daemon.ctl("impair", "add", "name=x", f"delay={changes.randint(0, 20)}ms", "loss=0.1%",
                       "filter=protocol=tcp sport=7")
            daemon.ctl("impair", "set", "x", f"rate={changes.choice((50, 100, 400))}Mbit/s", "queue=256KiB")
            daemon.ctl("impair", "add", "name=y", "before=x", "duplicate=5%", "direction=in")
            daemon.ctl("impair", "remove", "x")
            daemon.ctl("impair", "clear")
            done.append(1)

    changer = Thread(change)
    try:
        for number in range(100):
            transfer(3 << 20, families()[number % len(families())], SEED + number)
            if changer.error or (number >= 3 and len(done) >= 3):
                break
    finally:
        over.set()
    changer.result()
    check(len(done) >= 3, "there were changes")
    daemon.ctl("impair", "add", "name=hold", "delay=300ms", "direction=out", "filter=protocol=tcp")
    with connect(7) as sock:
        sock.sendall(b"held")
        wait_until(lambda: rules(daemon)["hold", "out"]["held"] > 0, "an echo is held")
        daemon.ctl("impair", "clear")
        equal(read_exactly(sock, 4), b"held", "what was held")
    wait_until(lambda: daemon.ctl_json("counters")["impair"]["held_packets"] == 0, "nothing is held any more")
    wait_until(lambda: {"ImpairAdd", "ImpairSet", "ImpairRemove", "ImpairClear"} <=
               {method for method, in daemon.sql("SELECT method FROM action")}, "changes are in the audit")


def test_reload(env):
    """The file's rules come with a reload when the file's have changed; else what ctl has done stays."""
    daemon = start(env, {"name": "one", "loss": "1%"})
    daemon.ctl("impair", "add", "name=two", "loss=2%")
    daemon.ctl("reload")
    equal({name for name, _ in rules(daemon)}, {"one", "two"}, "rules after a reload of the same file")
    daemon.config["link"]["impair"] = [{"name": "three", "delay": "1ms"}]
    daemon.write_config()
    equal(daemon.ctl_json("reload")["changed"], ["link.impair"], "what the reload has changed")
    equal({name for name, _ in rules(daemon)}, {"three"}, "rules after a reload of another file")
    daemon.config["link"]["impair"] = [{"name": "three", "delay": "a while"}]
    daemon.write_config()
    daemon.ctl("reload", code=1)
    equal({name for name, _ in rules(daemon)}, {"three"}, "rules after a file that is wrong")


def test_refused(env):
    """Words that are wrong change nothing."""
    daemon = start(env, {"name": "one", "loss": "1%"})
    before = rules(daemon)
    for words in (["add", "dely=1ms"], ["add", "delay=1 fortnight"], ["add", "filter=dport=http"], ["set", "two", "loss=1%"],
                  ["add", "name=one"], ["add", "before=two", "loss=1%"], ["remove", "two"], ["add", "queue=64KiB"],
                  ["set", "one", "loss=101%"]):
        daemon.ctl("impair", *words, code=1)
    daemon.ctl("impair", "add", "delay", code=2)
    daemon.ctl("impair", "frob", code=2)
    equal({key: row["rule"] for key, row in rules(daemon).items()},
          {key: row["rule"] for key, row in before.items()}, "rules")


def test_memory_is_bounded(env):
    """Frames beyond limits.impair are dropped and counted."""
    daemon = start(env, {"name": "hold", "delay": "5s", "filter": "protocol=udp"}, limits={"impair": "1MiB"})
    round_trip()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        def overfill():
            for _ in range(1000):
                sock.sendto(bytes(1400), (IPV4.stack, 9))
            row = rules(daemon)["hold", "in"]
            return row["no_memory"] > 0 and row

        row = wait_until(overfill, "the limit is reached")
    check(row["held_bytes"] <= 1 << 20, f"no more is held: {row}")
    check(round_trip() < 1.0, "other frames pass")


if __name__ == "__main__":
    main()
