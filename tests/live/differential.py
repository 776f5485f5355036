"""The same segments to two TCPs: this stack, on its unix link, and the kernel's, on a TAP interface of this program.
What each answers is reduced to its meaning, so that it can be compared."""
import contextlib
import os
import select
import selectors
import signal
import socket
import struct
import subprocess
import time

from frames import (ACK, BROADCAST, ETHER_IPV4, ETHER_IPV6, FIN, OPTION_NOP, OPTION_SACK_PERMITTED, RST, SYN,
                    address, ethernet, flag_names, neighbour_talk, option_mss, option_timestamps, option_window_scale,
                    packet, parse_tcp, relative, who_has)
from harness import IPV4, check, wait_until
from path import open_tap
from peer import MAC

ECHO, DISCARD, BYE, NOBODY = 7, 9, 81, 4
OUR_ISS = 1000000
PATTERN = bytes((i * 7 + i // 251) & 0xff for i in range(1 << 17))


class Subject:
    """One TCP under test, seen from the wire, at `stack`, by a host at `host` that is played by hand."""

    def __init__(self, host, stack, receive, send):
        self.host, self.stack = address(host), address(stack)
        self.receive, self.send = receive, send
        self.mac = BROADCAST
        self.arrived = []
        wait_until(self.resolve, "the Ethernet address of what is tested")

    def resolve(self):
        self.send(who_has(MAC, self.host, self.stack))
        time.sleep(0.005)
        self.poll()
        return self.mac != BROADCAST

    def poll(self):
        """Whether something has come."""
        something = False
        while frame := self.receive():
            mac, answer = neighbour_talk(frame, MAC, self.host, self.stack)
            self.mac = mac or self.mac
            if answer:
                self.send(answer)
            elif (segment := parse_tcp(frame)) and segment.source == self.stack:
                self.arrived.append(segment)
                something = True
        return something

    def put(self, *arguments, **options):
        """A segment; arguments as of frames.tcp() after the addresses."""
        kind = ETHER_IPV4 if len(self.stack) == 4 else ETHER_IPV6
        self.send(ethernet(self.mac, MAC, kind, packet(self.host, self.stack, *arguments, **options)))


def without_waiting(function):
    def call():
        try:
            return function()
        except BlockingIOError:
            return None
    return call


def tapstack(env, family):
    """This stack. Timers are out of the way: what is compared is what a segment causes."""
    link = os.path.join(env.directory, "link")
    bye = os.path.join(env.directory, "bye")
    serve_bye(env, bye)
    services = [{"name": "echo", "kind": "echo", "port": ECHO}, {"name": "discard", "kind": "discard", "port": DISCARD},
                {"name": "bye", "kind": "relay", "port": BYE, "target": "unix:" + bye}]
    env.daemon(services=[{**service, "nodelay": True} for service in services],
               config={"link": {"backend": "unix:" + link, "host_addresses": []},
                       "stack": {"addresses": [family.stack_network]},
                       "tcp": {"rto_initial": "30s", "rto_min": "30s", "rto_max": "60s", "delayed_ack": 0,
                               "challenge_acks_per_s": 255}})
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    wait_until(lambda: sock.connect_ex(link) == 0, "the link")
    sock.setblocking(False)
    env.cleanup(sock.close)

    def send(frame):
        while True:
            with contextlib.suppress(BlockingIOError):
                return sock.send(frame)
            select.select([], [sock], [], 1)

    return Subject(family.host, family.stack, without_waiting(lambda: sock.recv(65536)), send)


def kernel(env, family):
    """The kernel of this machine, its timers out of the way too, without its limit of repeated answers, and with RFC
    1337, which it can be told to keep to: a RST does not end TIME-WAIT."""
    for name, value in (("tcp_invalid_ratelimit", 0), ("tcp_early_retrans", 0), ("tcp_ecn", 0), ("tcp_syncookies", 0),
                        ("tcp_challenge_ack_limit", 0x7fffffff), ("tcp_max_syn_backlog", 4096), ("tcp_rfc1337", 1)):
        with open(f"/proc/sys/net/ipv4/{name}", "w", encoding="ascii") as file:
            file.write(str(value))
    host, stack, network = ("198.51.100.1", "198.51.100.2", "198.51.100.0/24") if family is IPV4 else \
        ("2001:db8:1::1", "2001:db8:1::2", "2001:db8:1::/64")
    tap = open_tap("kernel0", [stack + network[network.index("/"):]])
    env.cleanup(lambda: os.close(tap))
    subprocess.run(["ip", "route", "replace", network, "dev", "kernel0", "src", stack, "rto_min", "30s",
                    "quickack", "1"], check=True)
    serve_kernel(env, stack)
    return Subject(host, stack, without_waiting(lambda: os.read(tap, 65536)), lambda frame: os.write(tap, frame))


def in_child(env, function, *arguments):
    """Runs it in a process that is killed at the end."""
    pid = os.fork()
    if pid == 0:
        try:
            function(*arguments)
        finally:
            os._exit(1)
    env.cleanup(lambda: (os.kill(pid, signal.SIGKILL), os.waitpid(pid, 0)))


def listener(family, where):
    sock = socket.socket(family)
    if family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)  # urgent text is text: RFC 6093
    sock.bind(where)
    sock.listen(4096)
    sock.setblocking(False)
    return sock


def serve_bye(env, path):
    """Behind the relay: closes as soon as a byte has come."""
    in_child(env, serve, [(listener(socket.AF_UNIX, path), BYE)])


def serve_kernel(env, where):
    domain = socket.AF_INET6 if ":" in where else socket.AF_INET
    in_child(env, serve, [(listener(domain, (where, port)), port) for port in (ECHO, DISCARD, BYE)])


def serve(listeners):
    """Echo, discard and bye, as the services of the daemon do it."""
    selector = selectors.DefaultSelector()
    for sock, port in listeners:
        selector.register(sock, selectors.EVENT_READ, (None, port))
    while True:
        for key, _ in selector.select():
            owed, port = key.data
            with contextlib.suppress(BlockingIOError, ConnectionError):
                if owed is None:
                    sock = key.fileobj.accept()[0]
                    sock.setblocking(False)
                    if sock.family != socket.AF_UNIX:
                        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    selector.register(sock, selectors.EVENT_READ, (bytearray(), port))
                    continue
                if not talk(selector, key.fileobj, owed, port):
                    selector.unregister(key.fileobj)
                    key.fileobj.close()


def talk(selector, sock, owed, port):
    """Moves what can be moved; False when the socket is to be closed."""
    ended = False
    try:
        while data := sock.recv(65536):  # which stops at an urgent mark
            if port == ECHO:
                owed += data
            port = 0 if port == BYE else port
        ended = True
    except BlockingIOError:
        pass
    if not port:
        return False
    with contextlib.suppress(BlockingIOError):
        while owed:
            del owed[:sock.send(owed)]
    if owed:
        selector.modify(sock, selectors.EVENT_WRITE | (0 if ended else selectors.EVENT_READ), (owed, port))
        return True
    selector.modify(sock, selectors.EVENT_READ, (owed, port))
    return not ended


class Step:
    """One segment of a script. `seq` counts from our ISS, `ack` from theirs (None: what they have sent so far);
    `timestamp`: "new", "old", "same" or None for none where they were agreed on."""

    def __init__(self, kind, flags, seq, ack=0, length=0, window=30000, timestamp="new", urgent=0, options=b"",
                 bad_checksum=False):
        self.kind, self.flags, self.seq, self.ack, self.length = kind, flags, seq, ack, length
        self.window, self.timestamp, self.urgent, self.options = window, timestamp, urgent, options
        self.bad_checksum = bad_checksum

    def __repr__(self):
        text = f"{self.kind}: [{flag_names(self.flags)}] seq {self.seq} ack {self.ack} length {self.length}"
        text += f" win {self.window}"
        if self.timestamp != "new":
            text += f" timestamp {self.timestamp}"
        return text + (f" urgent {self.urgent}" if self.urgent else "")


class Script:
    """A connection's segments, and the options it asks for."""

    def __init__(self, seed, port, agreed, steps):
        self.seed, self.port, self.agreed, self.steps = seed, port, agreed, steps


class Side:
    """One script on one subject."""

    def __init__(self, subject, script, local_port):
        self.subject, self.script, self.local_port = subject, script, local_port
        self.base = 0  # their ISS
        self.known = False
        self.top = 0  # of what they have sent, from their ISS
        self.heard = 0  # their latest TSval
        self.clock = 1000
        self.history = []

    def play(self, step):
        self.clock += 10
        options = step.options
        asked = self.script.agreed
        if step.flags & SYN and step.kind.startswith("SYN"):
            options = option_mss(1460) if "mss" in asked else b""
            options += OPTION_SACK_PERMITTED if "sack" in asked else b""
            options += OPTION_NOP + option_window_scale(0) if "wscale" in asked else b""
        if "ts" in asked and step.timestamp:
            value = self.clock - {"new": 0, "same": 10, "old": 100000}[step.timestamp]
            options += OPTION_NOP * 2 + option_timestamps(value, self.heard if step.flags & ACK else 0)
        ack = self.base + (self.top if step.ack is None else step.ack)
        data = PATTERN[step.seq - 1:step.seq - 1 + step.length] if 0 < step.seq < 1 << 16 else bytes(step.length)
        self.subject.put((self.local_port, self.script.port), OUR_ISS + step.seq, ack if step.flags & ACK else 0,
                         step.flags, window=step.window, data=data, options=options, urgent=step.urgent,
                         bad_checksum=step.bad_checksum)

    def meaning(self):
        """What has come since the last time, as a dictionary; it is also added to `history`. An urgent mark is not in
        it: our echo repeats it, which is a matter of the service."""
        mine = [s for s in self.subject.arrived if s.destination_port == self.local_port]
        self.subject.arrived = [s for s in self.subject.arrived if s.destination_port != self.local_port]
        found = {}
        for segment in mine:
            check(segment.checksums_right, f"checksum of {segment}")
            if segment.flags & SYN and not self.known:
                self.base, self.known = segment.seq, True
            self.read(segment, found)
        self.history.append(found)
        return found

    def read(self, segment, found):
        seq = relative(segment.seq, self.base)
        if segment.timestamps:
            self.heard = segment.timestamps[0]
        if segment.flags & RST:
            found["RST"] = (seq, relative(segment.ack, OUR_ISS) if segment.flags & ACK else None)
            return
        if segment.flags & SYN:
            found["SYN"] = (flag_names(segment.flags), tuple(sorted(set(segment.options) & {2, 3, 4, 8})),
                            struct.unpack("!H", segment.options[2])[0] if 2 in segment.options else None)
        end = seq + segment.length
        if segment.length and end <= self.top and not segment.flags & SYN:
            return  # sent again, by a timer: nobody has acknowledged it
        if segment.data:
            if self.script.port == ECHO and segment.data != PATTERN[seq - 1:seq - 1 + len(segment.data)]:
                found["wrong data"] = repr(segment)
        if end > self.top:
            if segment.data:
                found["data"] = (min(found.get("data", (self.top,))[0], max(seq, self.top)), seq + len(segment.data))
            if segment.flags & FIN:
                found["FIN"] = end - 1
            self.top = end
        found["ack"] = max(relative(segment.ack, OUR_ISS), found.get("ack", -1 << 31))
        found["window"] = "open" if segment.window else "closed"
        found["echo"] = segment.timestamps[1] if segment.timestamps else None
        blocks = tuple(sorted((relative(left, OUR_ISS), relative(right, OUR_ISS))
                              for left, right in segment.sack_blocks))
        if blocks or not segment.data:  # they may go out in an ACK of their own, before text that has no room for them
            found["sack"] = blocks
        found.setdefault("sack", ())


def settle(subjects, quiet, seconds=5.0):
    """Until nothing has come from any of them for a while."""
    give_up = time.monotonic() + seconds
    last = time.monotonic()
    while time.monotonic() - last < quiet:
        if any([subject.poll() for subject in subjects]):
            last = time.monotonic()
        check(last < give_up, "they do not come to an end")
        time.sleep(0.002)
