"""A path between the kernel and the stack that loses, duplicates, delays, reorders and marks TCP segments, and knows
which; or that is narrower than its ends, and does not say so.

The kernel's end is a TAP interface of this program, the stack's end is its unix link; a process of its own passes the
frames on. It leaves four captures: what each end sent and received, what was dropped on the way, and what was delayed
so that others overtook it. Everything but TCP passes unharmed."""
import fcntl
import heapq
import itertools
import os
import random
import select
import socket
import struct
import subprocess
import time

from capture import Pcap
from frames import ETHER_IPV4, ETHER_IPV6, checksum, parse_tcp
from harness import check, interface_up, wait_until

TUNSETIFF = 0x400454ca
IFF_TAP, IFF_NO_PI = 2, 0x1000


def open_tap(name, addresses):
    """The descriptor of a new TAP interface that is up and has these addresses (with prefix lengths)."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    for address in addresses:
        # Nobody else can have it: it is to be used at once, not after a second of duplicate address detection.
        subprocess.run(["ip", "address", "add", address, "dev", name, *(["nodad"] if ":" in address else [])], check=True)
    interface_up(name)
    return descriptor


class Path:
    """`loss` and the others are chances for a segment, from 0 to 1; `mark` is that of a CE mark on what is ECN-capable;
    `delay` is one way, in seconds; IP packets of more than `largest` bytes vanish without a word."""

    def __init__(self, env, link_path, addresses, seed, loss=0.0, duplicate=0.0, reorder=0.0, delay=0.0, mark=0.0,
                 largest=65535):
        self.loss, self.duplicate, self.reorder, self.delay = loss, duplicate, reorder, delay
        self.mark, self.largest = mark, largest
        self.dice = random.Random(seed)
        self.files = {name: os.path.join(env.directory, f"path-{name}.pcap") 
                      for name in ("kernel", "stack", "dropped", "delayed")}
        self.tap = open_tap("path0", addresses)
        self.link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        wait_until(lambda: self.link.connect_ex(link_path) == 0, f"the link {link_path}")
        self.link.setblocking(False)
        ended, self.running = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                os.close(self.running)
                self.pcaps = {name: Pcap(path) for name, path in self.files.items()}
                self.carry(ended)
                for pcap in self.pcaps.values():
                    pcap.close()
                code = 0
            finally:
                os._exit(code)
        os.close(ended)
        os.close(self.tap)
        self.link.close()
        env.cleanup(self.stop)

    def carry(self, ended):
        """Until nobody holds the other end of `ended` any more."""
        counter = itertools.count()
        waiting = []  # (when, number, to the stack, frame)
        while True:
            now = time.monotonic()
            while waiting and waiting[0][0] <= now:
                _, _, to_stack, frame = heapq.heappop(waiting)
                self.deliver(to_stack, frame)
            timeout = max(0, waiting[0][0] - now) if waiting else None
            readable = select.select([self.tap, self.link, ended], [], [], timeout)[0]
            if ended in readable:
                return
            for source in readable:
                to_stack = source == self.tap
                for frame in map(self.marked, self.receive(to_stack)):
                    for extra in self.fate(to_stack, frame):
                        heapq.heappush(waiting, (time.monotonic() + self.delay + extra, next(counter), to_stack, frame))

    def receive(self, to_stack):
        try:
            for _ in range(64):
                yield os.read(self.tap, 65536) if to_stack else self.link.recv(65536)
        except BlockingIOError:
            pass

    def fate(self, to_stack, frame):
        """How much later each copy arrives; as many as there will be copies."""
        self.pcaps["kernel" if to_stack else "stack"].add(time.time_ns(), frame)
        if parse_tcp(frame) is None:
            return [0]
        if len(frame) - 14 > self.largest:
            self.pcaps["dropped"].add(time.time_ns(), frame)
            return []
        if self.dice.random() < self.loss:
            self.pcaps["dropped"].add(time.time_ns(), frame)
            return []
        if self.dice.random() < self.duplicate:
            return [0, 0]
        if self.dice.random() < self.reorder:
            self.pcaps["delayed"].add(time.time_ns(), frame)
            return [self.delay / 2]
        return [0]

    def marked(self, frame):
        """Congestion experienced, now and then, where the sender is ECN-capable (RFC 3168)."""
        if self.mark == 0 or frame[12:14] not in (ETHER_IPV4, ETHER_IPV6) or self.dice.random() >= self.mark:
            return frame
        if frame[12:14] == ETHER_IPV6:
            ecn = frame[15] >> 4 & 3
            return frame[:15] + bytes([frame[15] | 0x30]) + frame[16:] if ecn else frame
        if not frame[15] & 3:
            return frame
        header = frame[14:15] + bytes([frame[15] | 3]) + frame[16:24] + bytes(2) + frame[26:34]
        return frame[:14] + header[:10] + struct.pack("!H", checksum(header)) + frame[26:]

    def deliver(self, to_stack, frame):
        self.pcaps["stack" if to_stack else "kernel"].add(time.time_ns(), frame)
        try:
            if to_stack:
                self.link.send(frame)
            else:
                os.write(self.tap, frame)
        except BlockingIOError:  # a full queue is a loss as any other
            self.pcaps["dropped"].add(time.time_ns(), frame)

    def stop(self):
        """The captures are whole after it; returns {name: path}."""
        if self.pid:
            os.close(self.running)
            _, status = os.waitpid(self.pid, 0)
            self.pid = None
            check(status == 0, f"the path ended with status {status}")
        return self.files
