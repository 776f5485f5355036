#!/usr/bin/env python3
"""Packets with what the stack thought of them: the pcapng plugin in the running daemon. tshark reads its files without
complaint, nothing is missing, the comments agree with the counters, and nothing waits for it. In each address family."""
import collections
import glob
import os
import re
import signal
import subprocess
import time

from attacker import ATTACKER_MAC, Attacker, Hostile
from capture import Capture, dissect, need
from frames import ACK, PSH, RST, SYN, ethernet, packet
from harness import check, connect, equal, families, main, reset, wait_until
from test_plugins import plugin_directory
from traffic import echo_bulk

Packet = collections.namedtuple("Packet", "number, interface, inbound, comment, length, captured, port")
# What looks odd in the comments and is not: a name in the middle, or a verdict with its meaning.
COMMENT = re.compile(r"(?:(?P<before>[A-Z0-9-]+)(?: -> (?P<after>[A-Z0-9-]+))?: )?(?P<verdict>sent|[A-Z_]+)(?: \(|;|$)")
OWN = {"IPv4": "192.0.2.66", "IPv6": "2001:db8::66"}
HEADERS = {"IPv4": 34, "IPv6": 54}  # Ethernet and IP


def logging(capture, name="pcapng", **params):
    return {"plugin": "pcapng", "name": name, "capture": capture, "params": {"path": f"{name}.pcapng", **params}}


def start(env, family, *logs, config=None, **options):
    base = {"link": {"host_addresses": [family.host_network]}, "stack": {"addresses": [family.stack_network]},
            "plugins": {"directory": plugin_directory(env), "logging": list(logs)}}
    for section, values in (config or {}).items():
        base.setdefault(section, {}).update(values)
    return env.daemon(services=[{"name": "echo", "kind": "echo", "port": 7},
                                {"name": "chargen", "kind": "chargen", "port": 19}], config=base, **options)


def files(daemon, name="pcapng"):
    return sorted(glob.glob(os.path.join(daemon.state, f"{name}-[0-9]*.pcapng")))


def run_tshark(path, *arguments):
    done = subprocess.run(["tshark", "-r", path, "-n", *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=120, check=False)
    equal(done.returncode, 0, f"tshark's exit code for {path}: {done.stderr}")
    complaints = [line for line in done.stderr.splitlines() if "Running as user" not in line and line]
    equal(complaints, [], f"what tshark complains of in {path}")
    return done.stdout


def read(path):
    """The packets of one file, as tshark sees them."""
    names = ("frame.number", "frame.interface_name", "frame.packet_flags_direction", "frame.comment", "frame.len",
             "frame.cap_len", "tcp.port")
    out = run_tshark(path, "-T", "fields", "-E", "separator=/t", *(word for name in names for word in ("-e", name)))
    packets = []
    for line in out.splitlines():
        number, interface, direction, comment, length, captured, port = line.split("\t")
        packets.append(Packet(int(number), interface, int(direction, 0) == 1, comment, int(length), int(captured), port))
    return packets


def read_all(daemon, name="pcapng"):
    return [packet for path in files(daemon, name) for packet in read(path)]


def verdict(one):
    match = COMMENT.match(one.comment)
    check(match, f"a comment that says no verdict: {one.comment!r}")
    return match["verdict"]


def listed(daemon, name="pcapng"):
    return next(row for row in daemon.ctl_json("plugins") if row["name"] == name)


def all_written(daemon, name="pcapng"):
    """Until what was captured is in the files; returns what ctl says of it."""
    wait_until(lambda: listed(daemon, name)["packets_queued"] == 0, "nothing waits to be written")
    return listed(daemon, name)


def settled(daemon, name="pcapng"):
    """What ctl says of the log and of the stack, at a moment when each frame has been written or is missed."""
    def both():
        log, stack = listed(daemon, name), counters(daemon)
        return log["packets"] + log["packets_missed"] == stack["frames_in"] + stack["frames_out"] and (log, stack)
    return wait_until(both, "as many packets, written and missed, as frames")


def bad_checksum(attacker, hostile, family):
    frame = bytearray(ethernet(attacker.stack_mac, ATTACKER_MAC, attacker.kind,
                               packet(attacker.own, attacker.stack, hostile.ends, hostile.seq, hostile.rcv_nxt, ACK | PSH,
                                      data=b"damaged")))
    frame[HEADERS[family.name] + 16] ^= 0x55
    attacker.raw(bytes(frame))


def trouble(env, daemon, family):
    """A connection with all that makes a stack say no; and one that is refused."""
    attacker = Attacker(env, "tap0", family, OWN[family.name])
    hostile = Hostile(attacker, 7)
    hostile.say(b"hello")
    wait_until(lambda: hostile.receive(0.01), "an answer")
    bad_checksum(attacker, hostile, family)
    hostile.send(SYN, seq=hostile.seq + 100)              # challenged
    hostile.send(RST, seq=hostile.seq + 10)               # challenged
    hostile.send(ACK | PSH, data=b"hello", seq=1001)      # old
    hostile.send(ACK | PSH, data=b"x", seq=hostile.seq + 50000000)
    hostile.send(ACK, ack=hostile.rcv_nxt + 5000)         # of what was never sent
    attacker.send(attacker.own, (3333, 4444), 1, flags=SYN)   # nobody listens
    hostile.reset()
    wait_until(lambda: not daemon.connections(7, hostile.ends[0]), "the connection is gone")
    return hostile.ends[0]


def counters(daemon):
    return daemon.ctl_json("counters", "--all")


def test_everything(env):
    """All packets of a busy while, against the counters and an independent capture."""
    need("tshark")
    for family in families():
        directory = os.path.join(env.directory, family.name)
        os.mkdir(directory)
        env.directory = directory
        daemon = start(env, family, logging(True))
        capture = Capture(env, "tap0", "independent")
        with connect(7, address=family.stack) as sock:
            port = sock.getsockname()[1]
            echo_bulk(sock, 3000000)
        sock = connect(7, address=family.stack)
        sock.sendall(b"x")
        sock.recv(1)
        reset(sock)
        hostile = trouble(env, daemon, family)
        independent = capture.stop()
        state, counted = settled(daemon)
        daemon.stop()
        packets = read_all(daemon)
        equal(state["packets_missed"], 0, "missed")
        # By verdict as the stack has counted; until it was stopped.
        got = collections.Counter(verdict(one) for one in packets[:state["packets"]] if one.inbound)
        wanted = {name: value for name, value in counted["verdicts"].items() if value}
        equal(dict(got), wanted, "packets by verdict")
        for name in ("ACCEPTED", "DROP_CHECKSUM", "CHALLENGE_ACK", "DUPLICATE", "RESET", "DROP_NO_CONNECTION",
                     "DROP_OUT_OF_WINDOW", "DROP_ACK_UNSENT"):
            check(got[name] > 0, f"no packet is {name}: {got}")
        equal(sum(not one.inbound for one in packets[:state["packets"]]), counted["frames_out"], "packets sent")
        # Each frame of these connections that somebody else saw, no more and no less.
        for ours in (port, hostile):
            seen = sum(ours in (row.tcp_srcport, row.tcp_dstport) for row in dissect(independent))
            mine = sum(str(ours) in one.port.split(",") for one in packets)
            equal(mine, seen, f"packets of port {ours}")
        check_comments(packets)
        env.daemons.clear()
        env.directory = os.path.dirname(directory)


def check_comments(packets):
    """The words of a life: established by an ACK, closed by a reset, windows and numbers where they are known."""
    texts = [one.comment for one in packets]
    for pattern in (r"^LISTEN -> SYN-RECEIVED: ACCEPTED; connection \d+ \(echo, reno\); snd_una 0 snd_nxt 1 rcv_nxt 1 ",
                    r"^SYN-RECEIVED -> ESTABLISHED: ACCEPTED; connection \d+ \(echo, reno\); cwnd \d+ ssthresh - ",
                    r"^ESTABLISHED: sent; connection \d+ .*; cwnd \d+ ssthresh \S+ inflight [1-9]\d* srtt \d+\.\d+ ms",
                    r"^ESTABLISHED: DROP_CHECKSUM \(wrong TCP checksum\); connection",
                    r"^ESTABLISHED -> CLOSED: RESET \(it reset the connection\); connection",
                    r"^CLOSED: DROP_NO_CONNECTION \(.*\)$",
                    r"^CLOSED: sent",
                    r"^ESTABLISHED: CHALLENGE_ACK \("):
        check(any(re.search(pattern, text) for text in texts), f"no comment is like {pattern}")


def test_filters_and_bytes(env):
    """Only what fits is there, and only so much of it."""
    need("tshark")
    for family in families():
        directory = os.path.join(env.directory, family.name)
        os.mkdir(directory)
        env.directory, above = directory, env.directory
        daemon = start(env, family, logging({"filter": "sport=19", "bytes": 64}, "port"),
                       logging({"verdicts": "refused"}, "refused"),
                       logging({"filter": "id=2"}, "one"))
        with connect(7, address=family.stack) as first, connect(19, address=family.stack) as second:
            first.sendall(b"x")
            first.recv(1)
            second.recv(100)
            trouble(env, daemon, family)
        for name in ("port", "refused", "one"):
            all_written(daemon, name)
        daemon.stop()
        some = read_all(daemon, "port")
        check(some and all("19" in one.port.split(",") and one.captured <= 64 for one in some), "what the port's log has")
        refused = read_all(daemon, "refused")
        check(refused and all(one.inbound and verdict(one) != "ACCEPTED" for one in refused), "what was refused")
        mine = read_all(daemon, "one")
        check(mine and all("; connection 2 " in one.comment for one in mine), "what the one connection's log has")
        env.daemons.clear()
        env.directory = above


def talk(family, size):
    with connect(7, address=family.stack) as sock:
        echo_bulk(sock, size)


def test_ring(env):
    """Files are changed by size and by signal, the oldest go, those of another run count."""
    need("tshark")
    family = next(iter(families()))
    daemon = start(env, family, logging({"bytes": 128}, file_bytes=100000, files=4))
    while len(files(daemon)) < 4 or files(daemon)[0].endswith("-000001.pcapng"):
        talk(family, 300000)
    all_written(daemon)
    names = files(daemon)
    for path in names[:-1]:
        check(90000 < os.path.getsize(path) <= 100000, f"{path} has {os.path.getsize(path)} bytes")
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: "has been read again" in daemon.log(), "it has been read again")
    talk(family, 1)
    wait_until(lambda: files(daemon)[-1] > names[-1], "a new file")
    all_written(daemon)
    daemon.stop()
    newest = files(daemon)[-1]
    for path in files(daemon):
        check(read(path), f"{path} is empty")
    daemon.start()
    talk(family, 1)
    all_written(daemon)
    daemon.stop()
    equal(len(files(daemon)), 4, "files after another run")
    check(files(daemon)[-1] > newest, "the numbers go on")


def test_crash(env):
    """kill -9: what is there can be read to its end."""
    need("tshark")
    family = next(iter(families()))
    daemon = start(env, family, logging(True))
    with connect(7, address=family.stack) as sock:
        echo_bulk(sock, 2000000)
        wait_until(lambda: listed(daemon)["packets"] > 100, "some are written")
        daemon.kill()
    check(len(read_all(daemon)) > 100, "what can be read")


def test_nothing_waits(env):
    """A disk that is full: the data path goes on, what was missed is counted, and it heals by itself."""
    need("tshark")
    family = next(iter(families()))
    small = os.path.join(env.directory, "small")
    os.mkdir(small)
    log = logging({"bytes": 64, "queue": "64KiB"}, file_bytes=0)
    log["params"]["path"] = os.path.join(small, "pcapng.pcapng")
    daemon = start(env, family, log, start=False)
    # The small disk is there for the daemon alone.
    daemon.command = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o size=256k none {small} && exec "$0" "$@"',
                      *daemon.command]
    daemon.start()
    began = time.monotonic()
    while listed(daemon)["packets_missed"] == 0:
        talk(family, 1000000)
        check(time.monotonic() - began < 20, "nothing is missed")
    began = time.monotonic()
    talk(family, 3000000)
    check(time.monotonic() - began < 10, "the transfer waited")
    subprocess.run(["nsenter", "-t", str(daemon.process.pid), "-m", "mount", "-o", "remount,size=64m", small], check=True)
    before = all_written(daemon)
    talk(family, 1000)
    counted = all_written(daemon)
    check(counted["packets"] > before["packets"], "it has not healed")
    equal(counted["packets_missed"], before["packets_missed"], "missed after the disk has room again")
    check("No space left on device" in daemon.log(), "the log says that it can't write")
    settled(daemon)
    inside = f"/proc/{daemon.process.pid}/root{small}"
    wait_until(lambda: sum(len(read(path)) for path in glob.glob(f"{inside}/*")) == listed(daemon)["packets"],
               "what can be read is what is counted")
    daemon.stop()


def test_shards(env):
    """Several shards, several interfaces, one order of time."""
    need("tshark")
    family = next(iter(families()))
    daemon = start(env, family, logging({"bytes": 96}), config={"shard": {"count": 2}})
    for _ in range(8):
        with connect(7, address=family.stack) as sock:
            echo_bulk(sock, 50000)
    equal(all_written(daemon)["packets_missed"], 0, "missed")
    daemon.stop()
    packets = read_all(daemon)
    equal({one.interface for one in packets}, {"tap0/0", "tap0/1"}, "interfaces")
    times = run_tshark(files(daemon)[0], "-T", "fields", "-e", "frame.time_epoch").split()
    late = sum(float(a) > float(b) for a, b in zip(times, times[1:]))
    check(late < len(times) / 100, f"{late} of {len(times)} packets are out of order")


def test_reload(env):
    """A capture begins, changes and ends while connections go on."""
    need("tshark")
    family = next(iter(families()))
    daemon = start(env, family, config={"shard": {"count": 2}})

    def reload(*logs):
        before = daemon.log().count("has been read again")
        daemon.config["plugins"]["logging"] = list(logs)
        daemon.write_config()
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: daemon.log().count("has been read again") > before, "it has been read again")

    with connect(7, address=family.stack) as sock:
        def say(count):
            for _ in range(count):
                sock.sendall(b"x")
                sock.recv(1)
        say(10)
        reload(logging(True))
        say(10)
        first = all_written(daemon)["packets"]
        check(first >= 20, f"{first} packets of ten questions and answers")
        reload(logging({"filter": "dport=1"}))
        say(10)
        wait_until(lambda: len([row for row in daemon.ctl_json("plugins") if row["name"] == "pcapng"]) == 1,
                   "the first one is gone")
        equal(all_written(daemon)["packets"], 0, "what fits the second filter")
        reload()
        say(10)
        wait_until(lambda: all(row["name"] != "pcapng" for row in daemon.ctl_json("plugins")), "none is left")
    daemon.stop()
    check(first <= len(read_all(daemon)) < first + 5, "what can be read")


def test_needs_capture(env):
    """An entry without capture says what is missing, and a log that takes no packets says so too."""
    for entry, text in (({"plugin": "pcapng", "params": {"path": "x.pcapng"}}, "needs capture"),
                        ({"plugin": "jsonl", "params": {"path": "x"}, "capture": True}, "does not take packets")):
        directory = os.path.join(env.directory, entry["plugin"])
        os.mkdir(directory)
        env.directory, above = directory, env.directory
        daemon = env.daemon(start=False, config={"plugins": {"directory": plugin_directory(env), "logging": [entry]}})
        daemon.start(ready=False)
        check(daemon.wait() != 0, "it has started")
        check(text in daemon.log(), daemon.log())
        env.directory = above


if __name__ == "__main__":
    main()
