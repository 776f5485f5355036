"""Frames made and read by hand: Ethernet, ARP, IPv4, IPv6, ICMP and TCP with any options, right or wrong. Addresses are
packed bytes (socket.inet_pton), 4 or 16 of them; whether a packet is IPv4 or IPv6 follows from that."""
import dataclasses
import socket
import struct

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_FRAGMENT, PROTOCOL_ICMPV6 = 1, 6, 44, 58
ETHER_IPV4, ETHER_ARP, ETHER_IPV6 = b"\x08\x00", b"\x08\x06", b"\x86\xdd"
BROADCAST = b"\xff" * 6
MOD = 1 << 32


def address(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def checksum(data):
    """RFC 1071: the sum of 16-bit words in ones' complement arithmetic, in which 2**16 is 1 modulo 0xffff."""
    number = int.from_bytes(data + bytes(len(data) % 2), "big")
    return 0xffff - (number % 0xffff or (0xffff if number else 0))


def pseudo_header(source, destination, protocol, length):
    if len(source) == 4:
        return source + destination + struct.pack("!BBH", 0, protocol, length)
    return source + destination + struct.pack("!IxxxB", length, protocol)


def ethernet(destination, source, kind, payload):
    return destination + source + kind + payload


def ipv4(source, destination, protocol, payload, identification=0, fragment=0x4000, ttl=64):
    """`fragment`: flags and offset as on the wire; the default is DF."""
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), identification, fragment, ttl, protocol, 0,
                         source, destination)
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def ipv6(source, destination, protocol, payload, hops=64):
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload), protocol, hops, source, destination) + payload


def ip(source, destination, protocol, payload):
    return (ipv4 if len(source) == 4 else ipv6)(source, destination, protocol, payload)


def tcp(source, destination, ports, seq, ack=0, flags=ACK, window=65535, data=b"", options=b"", urgent=0, offset=None,
        bad_checksum=False):
    """A segment with its checksum. `options` is filled up with zeros to whole words; `offset` overrides what the
    header says of its own length, in words."""
    options += bytes(-len(options) % 4)
    words = 5 + len(options) // 4 if offset is None else offset
    header = struct.pack("!HHIIBBHHH", *ports, seq % MOD, ack % MOD, words << 4, flags, window, 0, urgent)
    segment = header + options + data
    total = checksum(pseudo_header(source, destination, PROTOCOL_TCP, len(segment)) + segment)
    return segment[:16] + struct.pack("!H", total ^ bad_checksum) + segment[18:]


def packet(source, destination, *arguments, **options):
    """An IP packet with a TCP segment; arguments as of tcp()."""
    return ip(source, destination, PROTOCOL_TCP, tcp(source, destination, *arguments, **options))


def option_mss(mss):
    return struct.pack("!BBH", 2, 4, mss)


def option_window_scale(shift):
    return struct.pack("!BBB", 3, 3, shift)


OPTION_SACK_PERMITTED = b"\x04\x02"
OPTION_NOP = b"\x01"


def option_sack(*blocks):
    return struct.pack("!BB", 5, 2 + 8 * len(blocks)) + b"".join(
        struct.pack("!II", left % MOD, right % MOD) for left, right in blocks)


def option_timestamps(value, echo=0):
    return struct.pack("!BBII", 8, 10, value % MOD, echo % MOD)


def arp(operation, mac, source, target_mac, target):
    return struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, operation, mac, source, target_mac, target)


def icmp(kind, code, rest, payload):
    """`rest`: the four bytes after the checksum."""
    message = struct.pack("!BBH", kind, code, 0) + rest + payload
    return message[:2] + struct.pack("!H", checksum(message)) + message[4:]


def icmpv6(source, destination, kind, code, rest, payload):
    message = struct.pack("!BBH", kind, code, 0) + rest + payload
    total = checksum(pseudo_header(source, destination, PROTOCOL_ICMPV6, len(message)) + message)
    return message[:2] + struct.pack("!H", total) + message[4:]


SOLICITATION, ADVERTISEMENT = 135, 136


def who_has(mac, own, target):
    """A frame that asks for the Ethernet address of `target`: ARP, or neighbour discovery."""
    if len(own) == 4:
        return ethernet(BROADCAST, mac, ETHER_ARP, arp(1, mac, own, bytes(6), target))
    group = address("ff02::1:ff00:0")[:13] + target[13:]
    message = icmpv6(own, group, SOLICITATION, 0, bytes(4), target + b"\1\1" + mac)
    return ethernet(b"\x33\x33" + group[12:], mac, ETHER_IPV6, ipv6(own, group, PROTOCOL_ICMPV6, message, hops=255))


def neighbour_talk(frame, mac, own, other):
    """What a frame of ARP or neighbour discovery means to a host at `own`: the Ethernet address of `other`, if the
    frame tells it, and the answer that it asks for, or None."""
    if frame[12:14] == ETHER_ARP:
        operation, sender_mac, sender, _, target = struct.unpack("!6xH6s4s6s4s", frame[14:42])
        answer = ethernet(sender_mac, mac, ETHER_ARP, arp(2, mac, own, sender_mac, sender))
        return (sender_mac if sender == other and sender_mac != mac else None,
                answer if operation == 1 and target == own and sender_mac != mac else None)
    if frame[12:14] != ETHER_IPV6 or frame[20] != PROTOCOL_ICMPV6 or len(frame) < 78:
        return None, None
    sender, kind, target = frame[22:38], frame[54], frame[62:78]
    if kind == SOLICITATION and target == own and any(sender):
        message = icmpv6(own, sender, ADVERTISEMENT, 0, b"\x60\0\0\0", own + b"\2\1" + mac)
        return None, ethernet(frame[6:12], mac, ETHER_IPV6, ipv6(own, sender, PROTOCOL_ICMPV6, message, hops=255))
    return (frame[6:12] if kind == ADVERTISEMENT and target == other else None), None


def flag_names(flags):
    """As tcpdump writes them."""
    return "".join(letter for bit, letter in ((SYN, "S"), (FIN, "F"), (RST, "R"), (PSH, "P"), (ACK, "."), (URG, "U"))
                   if flags & bit)


def parse_options(data):
    """{kind: body} of well-formed options; what follows a malformed one is left out."""
    found = {}
    while data and data[0] != 0:
        if data[0] == 1:
            data = data[1:]
            continue
        if len(data) < 2 or not 2 <= data[1] <= len(data):
            break
        found[data[0]] = data[2:data[1]]
        data = data[data[1]:]
    return found


@dataclasses.dataclass
class Segment:
    """A TCP segment that was read from a frame."""
    source: bytes
    destination: bytes
    source_port: int
    destination_port: int
    seq: int
    ack: int
    flags: int
    window: int
    urgent: int
    options: dict
    data: bytes
    checksums_right: bool

    @property
    def length(self):
        """In sequence space."""
        return len(self.data) + bool(self.flags & SYN) + bool(self.flags & FIN)

    @property
    def timestamps(self):
        """(TSval, TSecr) or None."""
        return struct.unpack("!II", self.options[8]) if len(self.options.get(8, b"")) == 8 else None

    @property
    def sack_blocks(self):
        body = self.options.get(5, b"")
        return [struct.unpack("!II", body[i:i + 8]) for i in range(0, len(body) - 7, 8)]

    def __repr__(self):
        return (f"{self.source_port}->{self.destination_port} [{flag_names(self.flags)}] seq {self.seq} ack {self.ack} "
                f"win {self.window} length {len(self.data)}")


def ip_payload(frame):
    """(source, destination, protocol, payload, header right) of an Ethernet frame, or None when it is no IP."""
    if frame[12:14] == ETHER_IPV4 and len(frame) >= 34:
        header = (frame[14] & 15) * 4
        size = struct.unpack("!H", frame[16:18])[0]
        return (frame[26:30], frame[30:34], frame[23], frame[14 + header:14 + size],
                checksum(frame[14:14 + header]) == 0)
    if frame[12:14] == ETHER_IPV6 and len(frame) >= 54:
        size = struct.unpack("!H", frame[18:20])[0]
        return frame[22:38], frame[38:54], frame[20], frame[54:54 + size], True
    return None


def parse_tcp(frame):
    """The TCP segment in an Ethernet frame, or None when there is none."""
    found = ip_payload(frame)
    if found is None or found[2] != PROTOCOL_TCP or len(found[3]) < 20:
        return None
    source, destination, _, segment, right = found
    source_port, destination_port, seq, ack, offset, flags, window, _, urgent = \
        struct.unpack("!HHIIBBHHH", segment[:20])
    header = (offset >> 4) * 4
    right = right and checksum(pseudo_header(source, destination, PROTOCOL_TCP, len(segment)) + segment) == 0
    return Segment(source, destination, source_port, destination_port, seq, ack, flags, window, urgent,
                   parse_options(segment[20:header]), segment[header:], right)


def relative(number, base):
    """Signed distance of sequence numbers."""
    return (number - base + (1 << 31)) % MOD - (1 << 31)
