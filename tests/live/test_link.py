#!/usr/bin/env python3
"""The link under the daemon: an interface that is taken away, given back, put down; peers of the unix link that come
and go, and talk nonsense. And what a host on the same network sees besides TCP."""
import errno
import os
import random
import socket
import struct
import subprocess
import time

from harness import (HOST, STACK, check, connect, equal, interface_exists, main, read_exactly,
                     wait_until)
from peer import ACK, MAC, PSH, Setup, Wire, checksum
from record import compare
from traffic import Load

SERVICES = [{"name": "echo", "kind": "echo", "port": 7}]


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def ask(sock, text=b"hello"):
    sock.sendall(text)
    equal(read_exactly(sock, len(text)), text, "echo")


def link_status(daemon):
    status = daemon.ctl_json("status")
    return status["shards"][0]["link_up"], status["link"]["reattached"]


def test_interface_is_deleted_under_load(env):
    """The daemon makes its interface again; connections that were there go on, and new ones can be made."""
    daemon = env.daemon(services=SERVICES)
    load = Load(env, 7)
    with connect(7, 30) as sock:
        ask(sock)
        own = [sock.getsockname()[1]]
        for number in range(1, 4):
            load.wait_for(100)
            ip("link", "delete", "tap0")
            wait_until(lambda: link_status(daemon) == (True, number), "the link is back")
            ask(sock, b"still there?")
        load.wait_for(100)
        load.stop()
        check("tap0 is gone" in daemon.log() and "tap0 is back" in daemon.log(), "both in the log")
        equal(daemon.ctl_json("status")["shards"][0]["link_losses"], 3, "losses")
    daemon.stop()
    compare(daemon, load, own)
    check(not interface_exists("tap0"), "the interface goes with the daemon")


def test_interface_of_somebody_else(env):
    """It is used, waited for when it is gone, and left alone at the end."""
    ip("tuntap", "add", "dev", "tap0", "mode", "tap")
    env.cleanup(lambda: interface_exists("tap0") and ip("link", "delete", "tap0"))
    daemon = env.daemon(services=SERVICES)
    with connect(7, 30) as sock:
        ask(sock)
        ip("link", "delete", "tap0")
        daemon.wait_log("tap0 is gone")
        equal(link_status(daemon), (False, 0), "the link")
        some_attempts_later = time.monotonic() + 1.2
        while time.monotonic() < some_attempts_later:
            check(not interface_exists("tap0"), "the daemon makes no interface that was not its own")
        ip("tuntap", "add", "dev", "tap0", "mode", "tap")
        daemon.wait_log("tap0 is back")
        equal(link_status(daemon), (True, 1), "the link")
        ask(sock, b"still there?")
        with connect(7) as other:
            ask(other)
    daemon.stop()
    check(interface_exists("tap0"), "the interface is still there")


def test_interface_is_put_down(env):
    """Nothing moves, and nothing is lost but time."""
    daemon = env.daemon(services=SERVICES)
    with connect(7, 30) as sock:
        ask(sock)
        ip("link", "set", "tap0", "down")
        sock.sendall(b"while it is down")
        ip("link", "set", "tap0", "up")
        equal(read_exactly(sock, 16), b"while it is down", "echo")
    daemon.stop()
    equal(daemon.sql("SELECT count(*) FROM connection")[0][0], 1, "connections")


def test_peers_of_the_unix_link_come_and_go(env):
    """Another one plays the same host, and the connection goes on. It waits until the one before has gone."""
    setup = Setup(env)
    connection = setup.connection().open()
    connection.send(PSH | ACK, b"one")
    equal(connection.expect(PSH).data, b"one", "echo")
    for text in (b"two", b"three"):
        waiting = Wire.knock(setup.path)
        env.cleanup(waiting.close)
        setup.wire.close()
        setup.wire = connection.wire = Wire(setup.path, waiting)
        connection.send(PSH | ACK, text)
        equal(connection.expect(PSH).data, text, "echo")
    connection.reset()
    setup.daemon.stop()
    check(not os.path.exists(setup.path), "the socket goes with the daemon")


def mutated(dice, frame):
    frame = bytearray(frame)
    for _ in range(dice.randrange(1, 4)):
        frame[dice.randrange(len(frame))] = dice.randrange(256)
    if not dice.randrange(4):
        del frame[dice.randrange(len(frame)):]
    return bytes(frame)


def test_nonsense_on_the_wire(env):
    """Each frame is dropped for a reason that is counted, and the others are served as ever."""
    seed = int(os.environ.get("TAPSTACK_LIVE_SEED", time.time_ns() & 0xffffffff))
    print(f"     seed {seed}")
    dice = random.Random(seed)
    setup = Setup(env)
    connection = setup.connection().open()
    header = setup.wire.daemon_mac + MAC
    syn = struct.pack("!HHIIBBHHH", 50000, 7, 1, 0, 0x50, 2, 1000, 0, 0)
    samples = [header + b"\x08\x00" + dice.randbytes(60), dice.randbytes(80), header + b"\x08\x06" + dice.randbytes(28),
               header + b"\x08\x00" + bytes.fromhex("45000028000040004006") + bytes(2) + socket.inet_aton(HOST) +
               socket.inet_aton(STACK) + syn, header + b"\x86\xdd" + dice.randbytes(60), header]
    for _ in range(20):
        for _ in range(100):
            setup.wire.sock.send(mutated(dice, dice.choice(samples)))
        setup.wire.sock.send(b"")
        setup.wire.sock.send(bytes(100000))
        connection.send(PSH | ACK, b"hello")
        equal(connection.expect(PSH).data, b"hello", "echo")
    check(setup.daemon.alive(), "the daemon lives")
    counters = setup.daemon.ctl_json("counters")
    check(sum(count for name, count in counters["verdicts"].items() if name.startswith("DROP")) > 1000, "drops")
    equal(setup.daemon.ctl_json("status")["link"]["dropped_long"], 20, "messages that are no frames")
    connection.reset()
    setup.daemon.stop()


def test_ping(env):
    env.daemon(services=SERVICES)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sock.settimeout(10)
        for size in (0, 56, 1472, 20000):  # the last one in fragments
            data = bytes(range(256)) * (size // 256) + bytes(size % 256)
            request = struct.pack("!BBHHH", 8, 0, 0, 77, size) + data
            sock.sendto(request[:2] + struct.pack("!H", checksum(request)) + request[4:], (STACK, 0))
            reply = sock.recv(65535)[20:]
            equal(checksum(reply), 0, "checksum of the reply")
            equal(struct.unpack("!BBHHH", reply[:8])[::2], (0, struct.unpack("!H", reply[2:4])[0], size), "its header")
            check(reply[8:] == data, "its data is that of the request")


def test_udp_is_refused(env):
    env.daemon(services=SERVICES)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.connect((STACK, 7))
        sock.send(b"hello")
        try:
            sock.recv(1)
            check(False, "an error")
        except OSError as error:
            check(error.errno in (errno.ECONNREFUSED, errno.ENOPROTOOPT), f"unreachable, not {error}")


if __name__ == "__main__":
    main()
