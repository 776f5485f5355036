"""The parties to an attack: honest clients whose goodput is measured, victims that must live, and an attacker with raw
sockets on the interface, who can forge any source and can also be a host of its own that answers ARP."""
import ctypes
import errno
import mmap
import os
import select
import socket
import struct
import time

from frames import (ACK, BROADCAST, ETHER_IPV4, ETHER_IPV6, MOD, OPTION_NOP, OPTION_SACK_PERMITTED, RST, SYN, address,
                    ethernet, neighbour_talk, option_mss, option_timestamps, option_window_scale, packet, parse_tcp,
                    who_has)
from harness import Failed, Thread, check, connect, equal, read_exactly, wait_until

SO_ATTACH_FILTER = 26
ATTACKER_MAC = bytes.fromhex("020000000066")


class Honest:
    """Clients in a process of their own, each over the kernel's TCP: one uploads, one downloads, one has an echo say
    back all it sends, two make one short connection after the other. All that comes back is compared. What they have
    moved so far is in memory that they share with the test."""

    KINDS = ("upload", "download", "echo", "short")

    def __init__(self, env, family):
        self.family = family
        self.shared = mmap.mmap(-1, 4096)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.run()
            finally:
                os._exit(1)
        env.cleanup(self.kill)

    def run(self):
        jobs = [Thread(getattr(self, kind), index) for index, kind in enumerate(self.KINDS)]
        while True:
            for job in jobs:
                if not job.is_alive():
                    text = f"{job.function.__name__}: {job.error!r}".encode()[:500]
                    self.shared[1024:1024 + len(text)] = text
                    return
            time.sleep(0.01)

    def add(self, index, amount):
        count = struct.unpack_from("Q", self.shared, 8 * index)[0]
        struct.pack_into("Q", self.shared, 8 * index, count + amount)

    def connect(self, port):
        return connect(port, 20, None, self.family.stack)

    def upload(self, index):
        block = bytes(65536)
        with self.connect(9) as sock:
            while True:
                sock.sendall(block)
                self.add(index, len(block))

    def download(self, index):
        period = b"".join(bytes(32 + (line + i) % 95 for i in range(72)) + b"\r\n" for line in range(95))
        twice = period * (1 + 2 * 65536 // len(period))
        at = 0
        with self.connect(19) as sock:
            while data := sock.recv(65536):
                check(data == twice[at:at + len(data)], "the download is not what was sent")
                at = (at + len(data)) % len(period)
                self.add(index, len(data))
        raise Failed("the download has ended")

    def echo(self, index):
        number = 0
        with self.connect(7) as sock:
            while True:
                block = number.to_bytes(8, "big") * 2048
                sock.sendall(block)
                check(read_exactly(sock, len(block)) == block, "the echo is not what was sent")
                number += 1
                self.add(index, len(block))

    def short(self, index):
        while True:
            with self.connect(7) as sock:
                sock.sendall(b"short")
                sock.shutdown(socket.SHUT_WR)
                equal(read_exactly(sock, 5), b"short", "echo")
            self.add(index, 1)

    def counts(self):
        """Bytes moved, and short connections. Fails when one of them has been harmed."""
        check(not self.shared[1024], "harmed: " + self.shared[1024:1524].rstrip(b"\0").decode(errors="replace"))
        counts = struct.unpack_from("4Q", self.shared)
        return sum(counts[:3]), counts[3], counts

    def all_move(self, seconds=20.0):
        """Each of them gets on."""
        before = self.counts()[2]
        wait_until(lambda: all(now > then for now, then in zip(self.counts()[2], before)), "all honest clients get on",
                   seconds)

    def kill(self):
        if self.pid:
            os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
            self.pid = None


class Victim:
    """An idle connection to the echo; the attacker knows its ports and, from the daemon itself, its numbers."""

    def __init__(self, daemon, family, port=7):
        self.daemon, self.family = daemon, family
        self.sock = connect(port, 10, None, family.stack)
        self.port, self.peer_port = port, self.sock.getsockname()[1]
        if port == 7:
            self.speak()

    def numbers(self):
        """(what the stack expects next, what it sends next, its row)"""
        row = self.daemon.connections(peer_port=self.peer_port)[0]
        return row["rcv_nxt"], row["snd_nxt"], row

    def speak(self, text=b"still here"):
        self.sock.sendall(text)
        equal(read_exactly(self.sock, len(text)), text, "what the echo says back to the victim")

    def close(self):
        self.sock.close()


def filter_for(sock, mac):
    """The socket gets frames to this address, ARP, and what goes to a group of IPv6: not the load of the others."""
    load, load_half, equal_to, give = 0x20, 0x28, 0x15, 0x06
    code = [(load, 0, 0, 2), (equal_to, 4, 0, int.from_bytes(mac[2:], "big")),
            (load_half, 0, 0, 12), (equal_to, 2, 0, 0x0806),
            (load_half, 0, 0, 0), (equal_to, 0, 1, 0x3333),
            (give, 0, 0, 262144), (give, 0, 0, 0)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(code), ctypes.addressof(program)))


class Attacker:
    """Puts frames on the interface as if they came from anywhere, and counts them."""

    def __init__(self, env, interface, family, own):
        self.family = family
        self.host, self.stack, self.own = address(family.host), address(family.stack), address(own)
        self.kind = ETHER_IPV4 if len(self.stack) == 4 else ETHER_IPV6
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        filter_for(self.sock, ATTACKER_MAC)
        self.sock.bind((interface, 3))
        self.sock.setblocking(False)
        self.sent = 0
        self.stack_mac = BROADCAST
        self.segments = []
        env.cleanup(self.sock.close)
        wait_until(self.resolve, "the stack's Ethernet address")

    def resolve(self):
        self.raw(who_has(ATTACKER_MAC, self.own, self.stack))
        self.poll(0.01)
        return self.stack_mac != BROADCAST

    def raw(self, frame):
        self.sent += 1
        while True:
            try:
                self.sock.send(frame)
                return
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.ENOBUFS):
                    raise
                select.select([], [self.sock], [], 0.01)

    def send_ip(self, what):
        self.raw(ethernet(self.stack_mac, ATTACKER_MAC, self.kind, what))

    def send(self, source, ports, seq, ack=0, flags=ACK, **options):
        """A segment to the stack from any source."""
        self.send_ip(packet(source, self.stack, ports, seq, ack, flags, **options))

    def poll(self, seconds=0.0):
        """Takes in what has come to the attacker's own address; answers for it."""
        give_up = time.monotonic() + seconds
        while True:
            try:
                frame = self.sock.recv(262144)
            except BlockingIOError:
                left = give_up - time.monotonic()
                if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                    return self.segments
                continue
            mac, answer = neighbour_talk(frame, ATTACKER_MAC, self.own, self.stack)
            self.stack_mac = mac or self.stack_mac
            if answer:
                self.raw(answer)
            elif frame[:6] == ATTACKER_MAC and (segment := parse_tcp(frame)):
                self.segments.append(segment)

    def take(self, port):
        """What has come to this port of the attacker's own, and forgets it."""
        mine = [segment for segment in self.segments if segment.destination_port == port]
        self.segments = [segment for segment in self.segments if segment.destination_port != port]
        return mine


class Hostile:
    """A connection that the attacker has from its own address; it does only what it is told."""

    ports = iter(range(20000, 60000))

    def __init__(self, attacker, port, window=65535, mss=1460, scale=None, timestamps=False, sack=True):
        self.attacker = attacker
        self.ends = next(self.ports), port
        self.window, self.timestamps = window, timestamps
        self.seq, self.rcv_nxt, self.clock = 1000, 0, 1
        options = option_mss(mss) + (OPTION_SACK_PERMITTED if sack else b"")
        options += b"" if scale is None else OPTION_NOP + option_window_scale(scale)
        options += option_timestamps(self.clock) if timestamps else b""
        self.send(SYN, options=options)
        answer = wait_until(lambda: [s for s in self.take() if s.flags == SYN | ACK], "a SYN-ACK for the attacker")[0]
        self.seq, self.rcv_nxt, self.syn_ack = self.seq + 1, (answer.seq + 1) % MOD, answer
        self.send(ACK)

    def send(self, flags=ACK, data=b"", seq=None, ack=None, window=None, options=b"", **more):
        seq, ack = self.seq if seq is None else seq, self.rcv_nxt if ack is None else ack
        self.attacker.send(self.attacker.own, self.ends, seq, ack if flags & ACK else 0, flags, data=data,
                           window=self.window if window is None else window, options=options, **more)

    def say(self, data, flags=ACK):
        self.send(flags, data)
        self.seq = (self.seq + len(data)) % MOD

    def take(self, seconds=0.0):
        self.attacker.poll(seconds)
        return self.attacker.take(self.ends[0])

    def receive(self, seconds=0.0):
        """The segments that have come; what is next in order moves rcv_nxt."""
        segments = self.take(seconds)
        for segment in segments:
            if segment.seq == self.rcv_nxt:
                self.rcv_nxt = (self.rcv_nxt + segment.length) % MOD
        return segments

    def reset(self):
        self.send(RST | ACK)
