"""Captures of what passes between the stack and the kernel, and what tshark's experts say of them.

Partial checksums: on an interface with offload a sender leaves the TCP checksum to the hardware and writes only the sum
of the pseudo-header, which every analyser takes for a wrong checksum. The capture asks the kernel for the virtio header
of each frame (PACKET_VNET_HDR), which says exactly which frames are unfinished. The sum that is there must be that of
the pseudo-header, and is then finished as hardware would do it. tshark validates every checksum and has no exceptions.
"""
import collections
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading

from frames import ACK, FIN, MOD, PROTOCOL_TCP, RST, SYN, checksum, ip_payload, parse_tcp, pseudo_header, relative
from harness import SKIP, check, equal

SOL_PACKET, PACKET_STATISTICS, PACKET_VNET_HDR = 263, 6, 15
SO_RCVBUFFORCE, SO_TIMESTAMPNS = 33, 35
NEEDS_CHECKSUM = 1
EVERYTHING = 3  # ETH_P_ALL


class Pcap:
    """A file that tshark reads: Ethernet, nanoseconds."""

    def __init__(self, path):
        self.file = open(path, "wb")
        self.file.write(struct.pack("=IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 262144, 1))

    def add(self, when_ns, frame):
        self.file.write(struct.pack("=IIII", when_ns // 10**9, when_ns % 10**9, len(frame), len(frame)) + frame)

    def close(self):
        self.file.close()


def finish_checksum(frame, start, offset):
    """What the hardware does with a frame whose checksum is partial. Fails when the part that is there is wrong."""
    source, destination, protocol, payload, _ = ip_payload(frame)
    there = struct.unpack("!H", frame[start + offset:start + offset + 2])[0]
    wanted = 0xffff - checksum(pseudo_header(source, destination, protocol, len(payload)))
    check(protocol == PROTOCOL_TCP and there == wanted,
          f"a partial checksum is {there:#06x}, the pseudo-header's sum is {wanted:#06x}")
    return frame[:start + offset] + struct.pack("!H", checksum(frame[start:])) + frame[start + offset + 2:]


class Capture:
    """Everything on an interface from now until stop(), in a pcap file."""

    def __init__(self, env, interface, name):
        self.path = os.path.join(env.directory, name + ".pcap")
        self.pcap = Pcap(self.path)
        self.frames = self.unfinished = self.longest = 0
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERYTHING))
        self.sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20)
        except PermissionError:  # root in a user namespace only: the reader has to keep up
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 30)
        self.sock.bind((interface, EVERYTHING))
        self.sock.settimeout(0.05)
        self.stopped = threading.Event()
        self.error = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        env.cleanup(self.close)

    def run(self):
        try:
            while self.take() or not self.stopped.is_set():
                pass
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def take(self):
        """One frame; False when there is none just now."""
        try:
            data, ancillary, _, _ = self.sock.recvmsg(1 << 17, 64)
        except TimeoutError:
            return False
        flags, _, _, _, start, offset = struct.unpack("=BBHHHH", data[:10])
        frame = data[10:]
        if flags & NEEDS_CHECKSUM:
            frame = finish_checksum(frame, start, offset)
            self.unfinished += 1
        seconds, nanoseconds = struct.unpack("=qq", ancillary[0][2])
        self.pcap.add(seconds * 10**9 + nanoseconds, frame)
        self.frames += 1
        self.longest = max(self.longest, len(frame))
        return True

    def stop(self):
        """Returns the path of the file, in which nothing is missing."""
        self.stopped.set()
        self.thread.join()
        if self.error:
            raise self.error
        _, lost = struct.unpack("II", self.sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        self.close()
        equal(lost, 0, "frames that the capture has missed")
        return self.path

    def close(self):
        self.stopped.set()
        self.thread.join()
        self.sock.close()
        self.pcap.close()


def need(tool):
    """The program is skipped when a tool is not there."""
    if shutil.which(tool) is None:
        print(f"skipped: {tool} is not there (see build-aux/packages)")
        sys.exit(SKIP)


PREFERENCES = ["tcp.check_checksum:TRUE", "ip.check_checksum:TRUE", "tcp.analyze_sequence_numbers:TRUE",
               "tcp.desegment_tcp_streams:FALSE"]
# The payload of these transfers is noise: no port stands for a protocol here, and nobody is to guess.
PAYLOAD = "tcp.port==1-65535,data"
FIELDS = {"frame.number": int, "frame.time_epoch": float, "ip.src": str, "ipv6.src": str, "tcp.srcport": int,
          "tcp.dstport": int, "tcp.seq_raw": int, "tcp.ack_raw": int, "tcp.len": int,
          "tcp.flags": lambda text: int(text, 16), "tcp.window_size": int, "tcp.checksum.status": str,
          "ip.checksum.status": str, "_ws.malformed": str,
          "_ws.expert.message": lambda text: text.split("|")}
Row = collections.namedtuple("Row", [name.removeprefix("_").replace(".", "_") for name in FIELDS])
CHECKSUM_GOOD = "1"


def dissect(path):
    """What tshark sees: a Row for each frame."""
    command = ["tshark", "-n", "-r", path, "-T", "fields"]
    for flag, values in (("-E", ["separator=/t", "occurrence=a", "aggregator=|"]), ("-o", PREFERENCES),
                         ("-e", FIELDS), ("-d", [PAYLOAD])):
        command += [part for value in values for part in (flag, value)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    equal(done.returncode, 0, f"exit code of tshark: {done.stderr}")
    return [Row(*(read(value) if value else read("0") if read is int else None
                  for read, value in zip(FIELDS.values(), line.split("\t"))))
            for line in done.stdout.splitlines()]


# Messages of tshark's experts, by how they begin. A duplicate ACK and a D-SACK tell of something that was sent again:
# the reason for that is what is judged.
ORDERLY = ("Duplicate ACK", "D-SACK Sequence", "Connection establish", "Connection finish",
           "This frame initiates the connection closing",
           "This frame undergoes the connection closing", "TCP window update",
           "TCP window specified by the receiver is now completely full")
ABORT = ("Connection reset (RST)",)
# A probe of a closed window is a keep-alive by its looks, and so is one byte that is sent again.
CLOSED_WINDOW = ("TCP Zero Window", "ACK to a TCP Zero Window Probe", "TCP keep-alive", "ACK to a TCP keep-alive")
LOSS = ("Previous segment(s) not captured", "ACKed segment that wasn't captured")
RETRANSMISSION = tuple("This frame is a (suspected) " + kind for kind in (
    "retransmission", "fast retransmission", "spurious retransmission", "out-of-order segment"))


def verdicts(rows, allowed, stack):
    """Fails on whatever the experts say that is not `allowed`; returns (frame, message) of retransmissions."""
    retransmitted = []
    for row in rows:
        check(not row.ws_malformed, f"malformed: {row}")
        if row.ip_src is None and row.ipv6_src is None or not row.tcp_srcport:
            continue
        source = row.ip_src or row.ipv6_src
        for message in row.ws_expert_message or ():
            if message.startswith(RETRANSMISSION):
                retransmitted.append(row)
            elif message.startswith("TCP Checksum 0xffff instead of 0x0000") and source != stack:
                # The kernel's software checksum writes one zero of ones' complement for the other: RFC 1624.
                row = row._replace(tcp_checksum_status=CHECKSUM_GOOD)
            else:
                check(message.startswith(allowed), f"tshark says {message!r}: {row}")
        check(row.tcp_checksum_status == CHECKSUM_GOOD and row.ip_checksum_status in (CHECKSUM_GOOD, None),
              f"bad checksum: {row}")
    return retransmitted


def segments_of(path):
    """(time, segment) of each TCP segment in a file that Pcap wrote."""
    with open(path, "rb") as file:
        file.read(24)
        while header := file.read(16):
            seconds, nanoseconds, size, _ = struct.unpack("=IIII", header)
            segment = parse_tcp(file.read(size))
            if segment is not None:
                yield seconds + nanoseconds / 1e9, segment


def flow_of(segment):
    return segment.source, segment.source_port, segment.destination, segment.destination_port


# No timer of either side is shorter: a probe for the tail of what was sent waits for two milliseconds at least.
QUIET = 0.0018


def explain(segments, source, lost=(), late=()):
    """Counts why `source` sent what it had sent before, in the capture taken beside it:

    lost      an earlier copy was dropped on the path, or an ACK for it
    late      it, or an ACK for it, was delayed on the path so that others overtook it
    timer     nothing was sent, and nothing heard that hints at a loss, for QUIET
    recovery  a timer had expired, and all that was sent before is sent again (RFC 6298 5.4, RFC 8985 6.3)
    probe     it had been sent against a closed window, to see whether it still is (RFC 9293 3.8.6.1)
    unexplained
    """
    causes = collections.Counter()
    accidents = [(kind, when, flow_of(segment), segment) for kind, found in (("lost", lost), ("late", late))
                 for when, segment in found]
    flows = {}
    for when, segment in segments:
        if segment.source != source:
            flows.setdefault(flow_of(segment)[2:] + flow_of(segment)[:2], Sender()).hear(when, segment)
        elif segment.length:
            sender = flows.setdefault(flow_of(segment), Sender())
            if sender.end is not None and relative(segment.seq, sender.end) < 0:
                causes[why(segment, when, sender, accidents)] += 1
            sender.send(when, segment)
    return causes


class Sender:
    """What can be seen of one direction of a connection."""

    def __init__(self):
        self.end = None  # of what was sent
        self.edge = None  # of the window
        self.shift = 0
        self.active = 0.0  # when something was last sent, or heard that could cause something to be sent again
        self.recover = None
        self.probes = set()

    def hear(self, when, segment):
        if segment.sack_blocks:  # a plain ACK may also cross with what a timer sends again
            self.active = when
        if segment.flags & SYN:
            self.shift = segment.options.get(3, b"\0")[0]
        elif segment.flags & ACK:
            edge = segment.ack + (segment.window << self.shift)
            if self.edge is None or relative(edge, self.edge) > 0:
                self.edge = edge % MOD

    def send(self, when, segment):
        self.active = when
        end = (segment.seq + segment.length) % MOD
        if self.end is None or relative(end, self.end) > 0:
            self.end = end
        if self.edge is not None and relative(end, self.edge) > 0 and not segment.flags & SYN:
            self.probes.add(segment.seq)


def why(segment, when, sender, accidents):
    flow = flow_of(segment)
    back = flow[2:] + flow[:2]
    for kind, at, of, accident in accidents:
        if at > when:
            continue
        if of == flow and accident.length and relative(accident.seq, segment.seq + segment.length) < 0 and \
                relative(accident.seq + accident.length, segment.seq) > 0:
            return kind
        if of == back and relative(accident.ack, segment.seq) > 0:
            return kind
    if segment.seq in sender.probes:
        return "probe"
    if when - sender.active >= QUIET:
        sender.recover = sender.end
        return "timer"
    if sender.recover is not None and relative(segment.seq, sender.recover) < 0:
        return "recovery"
    return "unexplained"


def resets_out_of_place(segments):
    """Resets of connections that both sides had not closed before. (One that is closed at one end answers with a reset
    when a FIN of the other end that was sent twice is acknowledged twice.)"""
    closed, found = set(), []
    for when, segment in segments:
        flow = flow_of(segment)
        if segment.flags & FIN:
            closed.add(flow)
        elif segment.flags & RST and not {flow, flow[2:] + flow[:2]} <= closed:
            found.append((when, segment))
    return found


def zero_windows(segments):
    """(flow, from, to) of each time that a window was closed; `to` is None when it was so to the end."""
    closed, found = {}, []
    for when, segment in segments:
        flow = flow_of(segment)
        if segment.flags & (SYN | RST):
            closed.pop(flow, None)
        elif segment.window == 0:
            closed.setdefault(flow, when)
        elif flow in closed:
            found.append((flow, closed.pop(flow), when))
    return found + [(flow, when, None) for flow, when in closed.items()]
