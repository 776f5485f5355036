#!/usr/bin/env python3
"""What both ends must agree on beyond plain TCP, with the kernel's TCP as the other end: ECN and accurate ECN, Fast Open,
keepalive, urgent data, a path that is narrower than its ends. What the kernel knows of a connection (struct tcp_info)
is compared with what the daemon says of it."""
import dataclasses
import errno
import os
import socket
import struct
import time

from harness import FAMILY, Thread, check, connect, equal, families, main, read_all, read_exactly, wait_until
from path import Path

ECHO = {"name": "echo", "kind": "echo", "port": 7}
DISCARD = {"name": "discard", "kind": "discard", "port": 9}
CHARGEN = {"name": "chargen", "kind": "chargen", "port": 19}
MSG_FASTOPEN = 0x20000000
OPTION_ECN, OPTION_SYN_DATA = 8, 32


def sysctl(name, value=None):
    """Of this namespace, of TCP; None: there is none of this name."""
    path = f"/proc/sys/net/ipv4/{name}"
    if value is not None:
        with open(path, "w", encoding="ascii") as file:
            file.write(str(value))
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        return None


def has_accurate_ecn():
    """Kernels have the code for some time before they let anybody ask for it."""
    try:
        return sysctl("tcp_ecn", 3) == "3"
    except OSError:
        return False


@dataclasses.dataclass
class Info:
    """A part of the kernel's struct tcp_info."""
    options: int
    delivered_ce: int
    received_ce: int
    bytes_received: int


def info(sock):
    raw = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 400).ljust(400, b"\0")
    return Info(options=raw[5], bytes_received=struct.unpack_from("Q", raw, 128)[0],
                delivered_ce=struct.unpack_from("I", raw, 196)[0], received_ce=struct.unpack_from("I", raw, 248)[0])


def daemon_on_path(env, family, config=None, services=(ECHO,), **path):
    """The daemon on a unix link, and a path from there to the kernel."""
    link = os.path.join(env.directory, "link")
    daemon = env.daemon({**(config or {}), "link": {"backend": f"unix:{link}"},
                         "stack": {"addresses": [family.stack_network], "dad_transmits": 0}}, services=list(services))
    env.cleanup(lambda: os.unlink(link))
    return daemon, Path(env, link, [family.host_network], seed=1, **path)


def the_only(daemon, port):
    return wait_until(lambda: daemon.connections(port), "the connection")[0]


def shown(daemon, port):
    return daemon.ctl_json("show", str(the_only(daemon, port)["id"]))


def transfer(family, amount=3_000_000):
    """Both ways at once, through echo; returns what the kernel knows then."""
    with connect(7, address=family.stack) as sock:
        reader = Thread(read_exactly, sock, amount)
        sock.sendall(bytes(amount))
        reader.result()
        return info(sock)


# ---- ECN

def ecn_modes():
    """(the kernel's tcp_ecn, ours, what is agreed on)"""
    yield 1, {"ecn": "accept", "accecn": False}, "classic"
    yield 1, {"ecn": "off"}, None
    yield 0, {"ecn": "request"}, None
    if has_accurate_ecn():
        yield 3, {"ecn": "accept"}, "accurate"
        yield 3, {"ecn": "accept", "accecn": False}, "classic"
        yield 1, {"ecn": "accept"}, "classic"


def test_ecn_is_agreed_on_and_marks_are_told(env):
    """A tenth of the packets gets a mark in each direction. Both ends hear of those they sent, and no data is lost."""
    for family in families():
        for kernel, ours, agreed in ecn_modes():
            sysctl("tcp_ecn", kernel)
            daemon, path = daemon_on_path(env, family, {"tcp": ours}, mark=0.1, delay=0.0005)
            seen = transfer(family)
            what = f"{family.name}, tcp_ecn={kernel}, {ours}"
            equal(bool(seen.options & OPTION_ECN), agreed is not None, f"{what}: ECN")
            counters = daemon.ctl_json("counters")
            if agreed is not None:
                check(seen.delivered_ce > 0, f"{what}: the kernel was not told of its marks")
                check(counters["ecn_ce_in"] > 0, f"{what}: no mark came to us: {counters}")
            equal(counters["retransmission_timeouts"], 0, f"{what}: time-outs")
            path.stop()
            daemon.stop()
            daemon.kill()
            print(f"     {what}: agreed on {agreed}, {seen.delivered_ce} marks told to the kernel, "
                  f"{counters['ecn_ce_in']} came to us")
    sysctl("tcp_ecn", 2)


# ---- Fast Open

def fast_open(address, data):
    """Connects with data on the SYN where the kernel has a cookie; returns the socket."""
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    sock.sendto(data, MSG_FASTOPEN, (address, 7))
    sock.settimeout(10)
    return sock


def test_fast_open(env):
    """The first connection gets a cookie, the second has its data on the SYN and an answer a round trip earlier; with a
    cookie of another time the data is simply sent again."""
    if sysctl("tcp_fastopen") is None:
        return
    sysctl("tcp_fastopen", 1)
    for family in families():
        daemon, path = daemon_on_path(env, family, {"tcp": {"fastopen_server": True}}, delay=0.05)
        took = []
        for _ in range(3):
            began = time.monotonic()
            with fast_open(family.stack, b"hello") as sock:
                equal(read_exactly(sock, 5), b"hello", "what came back")
                took.append(time.monotonic() - began)
                on_syn = bool(info(sock).options & OPTION_SYN_DATA)
        check(on_syn, f"{family.name}: the data of the third connection was not taken from its SYN")
        print(f"     {family.name}: answers after {', '.join(f'{1000 * t:.0f}' for t in took)} ms, the path has 100")
        check(took[2] < 0.19 < took[0], f"{family.name}: no round trip was saved: {took}")
        equal(daemon.ctl_json("counters")["tfo_passive"] >= 1, True, "taken from a SYN, by our count")
        path.stop()
        daemon.stop()
        daemon.kill()
        # A new daemon has new keys: the kernel's cookie is not worth anything any more.
        daemon, path = daemon_on_path(env, family, {"tcp": {"fastopen_server": True}}, delay=0.001)
        with fast_open(family.stack, b"again") as sock:
            equal(read_exactly(sock, 5), b"again", "what came back with an old cookie")
        path.stop()
        daemon.stop()
        daemon.kill()


# ---- a narrow path

def test_black_hole(env):
    """Packets of more than 1300 bytes vanish, and nobody says so: data gets through all the same, in smaller ones."""
    for family in families():
        daemon, path = daemon_on_path(env, family, {"tcp": {"rto_min": "50ms", "rto_initial": "50ms",
                                                            "timestamps": False}},
                                      services=[CHARGEN], largest=1300)
        with connect(19, address=family.stack) as sock:
            sock.settimeout(30)
            got = read_all(sock, 1_000_000)
            row = shown(daemon, 19)
        check(len(got) >= 1_000_000, f"{family.name}: {len(got)} bytes came")
        headers = 40 if family.name == "IPv4" else 60
        check(row["mss"] + headers <= 1300, f"{family.name}: mss is still {row['mss']}")
        print(f"     {family.name}: mss {row['mss']}, pmtu {row['pmtu']} on a path of 1300")
        path.stop()
        daemon.stop()
        daemon.kill()


# ---- patience

def test_keepalive(env):
    """A kernel that is there answers; one that is gone without a word is given up, and that is recorded. (Linux answers
    twice a second at most: tcp_invalid_ratelimit.)"""
    sysctl("tcp_invalid_ratelimit", 0)
    for family in families():
        daemon, path = daemon_on_path(
            env, family, services=[dict(ECHO, tcp={"keepalive": True, "keepalive_idle": "100ms",
                                                   "keepalive_interval": "100ms", "keepalive_count": 3})])
        with connect(7, address=family.stack) as sock:
            port = sock.getsockname()[1]
            wait_until(lambda: daemon.ctl_json("counters")["keepalive_probes"] >= 6, "probes")
            equal(the_only(daemon, 7)["state"], "ESTABLISHED", "with a peer that answers")
            path.stop()
            equal(daemon.last_transition(port)[2], "TIMEOUT_KEEPALIVE", "without one")
        daemon.stop()
        daemon.kill()


def test_urgent_data(env):
    """Urgent data stays where it is in the stream, and comes back as urgent (RFC 6093)."""
    env.daemon(services=[ECHO])
    with connect(7) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        sock.sendall(b"abc")
        sock.send(b"!", socket.MSG_OOB)
        sock.sendall(b"def")
        equal(read_exactly(sock, 7), b"abc!def", "what came back")


def test_dscp_of_a_service(env):
    """What stands in the section tcp of a service stands in every IP header."""
    daemon = env.daemon(services=[dict(ECHO, tcp={"dscp": 46})])
    with connect(7) as sock:
        sock.setsockopt(*((socket.IPPROTO_IPV6, 66, 1) if ":" in FAMILY.stack else (socket.IPPROTO_IP, 13, 1)))
        sock.sendall(b"x")
        equal(read_exactly(sock, 1), b"x", "echo")
        row = daemon.ctl_json("show", str(the_only(daemon, 7)["id"]))
        equal(row.get("dscp", 46), 46, "dscp")


def test_reset_is_not_an_end(env):
    """An orderly end and an abort are told apart on both sides."""
    daemon = env.daemon(services=[ECHO, dict(DISCARD, tcp={"linger": 0})])
    with connect(9) as sock:
        port = sock.getsockname()[1]
        sock.sendall(b"x")
        sock.shutdown(socket.SHUT_WR)
        try:
            ended = sock.recv(1)
        except OSError as error:
            equal(error.errno, errno.ECONNRESET, "how it ended")
        else:
            equal(ended, b"", "how it ended")
    daemon.last_transition(port)


if __name__ == "__main__":
    main()
