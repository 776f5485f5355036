"""A peer that is made by hand: Ethernet, ARP, IPv4 and TCP over the daemon's unix link, one frame a message. It does
nothing by itself but answer ARP, so a test can stop at any point of a connection's life."""
import os
import select
import socket
import struct
import time

from harness import HOST, STACK, Failed, check, wait_until
from traffic import Server

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MAC = bytes.fromhex("020000000001")


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Segment:
    """A TCP segment that arrived."""

    def __init__(self, packet):
        header = (packet[0] & 15) * 4
        tcp = packet[header:struct.unpack("!H", packet[2:4])[0]]
        self.source_port, self.destination_port, self.seq, self.ack, offset, self.flags, self.window = \
            struct.unpack("!HHIIBBH", tcp[:16])
        self.data = tcp[(offset >> 4) * 4:]
        pseudo = packet[12:20] + struct.pack("!BBH", 0, 6, len(tcp))
        check(checksum(pseudo + tcp) == 0, "the TCP checksum of a frame from the daemon is wrong")
        check(checksum(packet[:header]) == 0, "the IP checksum of a frame from the daemon is wrong")

    def __repr__(self):
        names = "".join(letter for bit, letter in ((SYN, "S"), (FIN, "F"), (RST, "R"), (PSH, "P"), (ACK, "."))
                        if self.flags & bit)
        return f"[{names}] seq {self.seq} ack {self.ack} win {self.window} length {len(self.data)}"


class Wire:
    """The other end of the daemon's link."""

    def __init__(self, path, sock=None):
        self.sock = sock or self.knock(path)
        self.daemon_mac = b"\xff" * 6
        self.queue = []
        self.resolve()

    @staticmethod
    def knock(path):
        """A socket for the link; another peer may have the daemon's ear still."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.settimeout(10)
        wait_until(lambda: sock.connect_ex(path) == 0, f"the link {path}")
        return sock

    def resolve(self):
        request = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, MAC, socket.inet_aton(HOST), b"\0" * 6,
                              socket.inet_aton(STACK))
        def answered():
            self.sock.send(b"\xff" * 6 + MAC + b"\x08\x06" + request)
            self.poll()
            return self.daemon_mac != b"\xff" * 6
        wait_until(answered, "an answer to ARP")

    def poll(self):
        """Takes in what has arrived; answers ARP."""
        while select.select([self.sock], [], [], 0.01)[0]:
            frame = self.sock.recv(65536)
            if not frame:
                raise Failed("the daemon has closed the link")
            kind = frame[12:14]
            if kind == b"\x08\x06":
                self.take_arp(frame)
            elif kind == b"\x08\x00" and frame[23] == 6:
                self.queue.append(Segment(frame[14:]))

    def take_arp(self, frame):
        operation, mac, address, _, wanted = struct.unpack("!6xH6s4s6s4s", frame[14:42])
        if address == socket.inet_aton(STACK):
            self.daemon_mac = mac
        if operation == 1 and wanted == socket.inet_aton(HOST):
            self.sock.send(mac + MAC + b"\x08\x06" + struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 2, MAC, wanted,
                                                                mac, address))

    def send(self, tcp):
        pseudo = socket.inet_aton(HOST) + socket.inet_aton(STACK) + struct.pack("!BBH", 0, 6, len(tcp))
        tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
        header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0, socket.inet_aton(HOST),
                             socket.inet_aton(STACK))
        header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
        self.sock.send(self.daemon_mac + MAC + b"\x08\x00" + header + tcp)

    def close(self):
        self.sock.close()


class Connection:
    """One connection, moved by hand. No options, no windows scaled: sequence numbers as in the RFC's pictures."""

    def __init__(self, wire, port, local_port, window=65535):
        self.wire, self.port, self.local_port, self.window = wire, port, local_port, window
        self.iss = self.snd_nxt = 1000 * local_port % (1 << 32)
        self.rcv_nxt = 0

    def send(self, flags, data=b"", seq=None, ack=None, window=None):
        seq = self.snd_nxt if seq is None else seq
        ack = self.rcv_nxt if ack is None else ack
        window = self.window if window is None else window
        self.wire.send(struct.pack("!HHIIBBHHH", self.local_port, self.port, seq, ack if flags & ACK else 0, 5 << 4,
                                   flags, window, 0, 0) + data)
        self.snd_nxt = (seq + len(data) + bool(flags & SYN) + bool(flags & FIN)) % (1 << 32)

    def expect(self, flags, seconds=5.0):
        """The next segment of this connection that has all these flags; others are passed over."""
        give_up = time.monotonic() + seconds
        seen = []
        while time.monotonic() < give_up:
            self.wire.poll()
            mine = [segment for segment in self.wire.queue if segment.destination_port == self.local_port]
            for segment in mine:
                self.wire.queue.remove(segment)
                seen.append(segment)
                if segment.flags & flags == flags:
                    length = len(segment.data) + bool(segment.flags & SYN) + bool(segment.flags & FIN)
                    self.rcv_nxt = (segment.seq + length) % (1 << 32)
                    return segment
        raise Failed(f"no segment with flags {flags:#x} within {seconds} s; seen: {seen}")

    def answer(self, flags):
        """The very next segment of this connection, which has exactly these flags (PSH apart)."""
        segment = self.expect(0)
        check(segment.flags & ~PSH == flags, f"the next segment was to have flags {flags:#x}, it is {segment}")
        return segment

    def acknowledged(self):
        """Until everything sent here is acknowledged; returns that segment."""
        while True:
            segment = self.expect(ACK)
            if segment.ack == self.snd_nxt:
                return segment

    def quiet(self, seconds=0.2):
        """Nothing arrives for this connection."""
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            self.wire.poll()
            mine = [segment for segment in self.wire.queue if segment.destination_port == self.local_port]
            check(not mine, f"nothing was to come, but there is {mine}")

    def half_open(self):
        self.send(SYN)
        self.expect(SYN | ACK)
        return self

    def open(self):
        self.half_open()
        self.send(ACK)
        return self

    def reset(self):
        self.send(RST | ACK)


def in_state(daemon, connection, state):
    def states():
        return [row["state"] for row in daemon.connections(peer_port=connection.local_port)]
    wait_until(lambda: states() == [state], f"state {state}")


class Setup:
    """A daemon on a unix link with an echo, and a relay to a server that does what the test says."""

    ports = iter(range(40000, 65536))

    def __init__(self, env, config=None, handler=None, **relay):
        self.path = os.path.join(env.directory, "link")
        services = [{"name": "echo", "kind": "echo", "port": 7}]
        if handler:
            self.server = Server(handler)
            env.cleanup(self.server.close)
            services.append({"name": "relay", "kind": "relay", "port": 80, "target": self.server.target, **relay})
        self.daemon = env.daemon(services=services, config={
            "link": {"backend": "unix:" + self.path, "host_addresses": []}, **(config or {})})
        self.wire = Wire(self.path)
        env.cleanup(lambda: self.wire.close())

    def connection(self, port=7, **options):
        return Connection(self.wire, port, next(self.ports), **options)
