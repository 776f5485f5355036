#!/usr/bin/env python3
"""Real transfers between the kernel's TCP and the stack, captured, and judged by tshark's experts: nothing malformed,
no bad checksum, no retransmission without a reason, no window that stays closed. With and without offload; over a path
that loses, duplicates and reorders; in each address family that the daemon speaks.

TAPSTACK_LIVE_SEED=N repeats what was random."""
import contextlib
import json
import os
import socket
import subprocess
import time

from capture import (ABORT, CLOSED_WINDOW, LOSS, ORDERLY, Capture, Pcap, dissect, explain, need, resets_out_of_place,
                     segments_of, verdicts, zero_windows)
from frames import (ACK, BROADCAST, ETHER_IPV4, PSH, RST, SYN, address, ethernet, option_mss, option_window_scale,
                    packet)
from harness import (HOST, STACK, Failed, check, connect, equal, families, main, read_all, read_exactly, reset,
                     wait_until)
from path import Path
from peer import MAC
from traffic import Server, echo_bulk, pattern, receive_bulk, send_bulk

MIB = 1 << 20
SIZE = int(os.environ.get("TAPSTACK_LIVE_CAPTURED_BYTES", 2 * MIB))
PAUSE = 0.4  # how long a reader that has stopped makes the other side wait


def seed():
    return int(os.environ.get("TAPSTACK_LIVE_SEED", time.time_ns() & 0xffffffff))


class Setup:
    """A daemon with all kinds of services; relays lead to servers of this program."""

    def __init__(self, env, config, size=SIZE):
        self.size = size  # of a transfer
        self.resumed = []  # when readers that had stopped read on
        self.services = [{"name": name, "kind": name, "port": port}
                         for name, port in (("echo", 7), ("discard", 9), ("chargen", 19))]
        for port, handler in ((81, self.download), (82, self.upload), (83, self.abort), (84, self.linger_unread),
                              (85, self.read_late), (86, self.speak_last)):
            # Not over TCP: the other connection would have stalls and probes of its own.
            server = Server(handler, os.path.join(env.directory, f"{handler.__name__}-{len(env.daemons)}"))
            env.cleanup(server.close)
            self.services.append({"name": handler.__name__, "kind": "relay", "port": port, "target": server.target})
        self.daemon = env.daemon(services=self.services, config=config)

    def download(self, sock):
        """Sends and closes first."""
        send_bulk(sock, self.size)

    @staticmethod
    def upload(sock):
        """Closes its direction at once, and reads on."""
        sock.shutdown(socket.SHUT_WR)
        return receive_bulk(sock)

    @staticmethod
    def abort(sock):
        sock.recv(1)
        reset(sock)

    @staticmethod
    def linger_unread(sock):
        """Closes with something unread, which makes it a reset."""
        sock.recv(1)
        time.sleep(0.02)

    def read_late(self, sock):
        time.sleep(PAUSE)
        self.resumed.append(time.time())
        receive_bulk(sock)

    def speak_last(self, sock):
        receive_bulk(sock)
        send_bulk(sock, self.size // 4)


def bulk_in(setup, to):
    with connect(9, 30, None, to) as sock:
        send_bulk(sock, setup.size)
        sock.shutdown(socket.SHUT_WR)
        equal(read_all(sock), b"", "discard's answer")


def bulk_out(setup, to):
    with connect(81, 30, None, to) as sock:
        equal(receive_bulk(sock)[0], setup.size, "bytes of the download")


def both_ways(setup, to):
    with connect(7, 30, None, to) as sock:
        echo_bulk(sock, setup.size)


def request_response(setup, to):
    with connect(7, 30, None, to) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(setup.size // 8192):
            request = number.to_bytes(4, "big") * (1 + 11 * number % 450)
            sock.sendall(request)
            equal(read_exactly(sock, len(request)), request, "response")


def half_close(setup, to):
    with connect(86, 30, None, to) as sock:
        send_bulk(sock, setup.size // 4)
        sock.shutdown(socket.SHUT_WR)
        equal(receive_bulk(sock)[0], setup.size // 4, "bytes after our FIN")
    with connect(82, 30, None, to) as sock:
        equal(read_all(sock), b"", "what comes before its FIN")
        send_bulk(sock, setup.size // 4)


def many_short(setup, to):
    for number in range(setup.size // (32 << 10)):
        with connect(7, 30, None, to) as sock:
            sock.sendall(b"%d" % number)
            sock.shutdown(socket.SHUT_WR)
            equal(read_all(sock), b"%d" % number, "echo")


def aborts(setup, to):
    with connect(19, 30, None, to) as sock:
        read_exactly(sock, setup.size // 16)
        reset(sock)
    for port in (83, 84):
        with connect(port, 30, None, to) as sock, contextlib.suppress(ConnectionResetError, BrokenPipeError):
            while True:
                sock.sendall(pattern(port)[:20000])


def closed_windows(setup, to):
    """First the kernel's, then ours."""
    with socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        sock.settimeout(30)
        sock.connect((to, 81))
        time.sleep(PAUSE)
        setup.resumed.append(time.time())
        equal(receive_bulk(sock)[0], setup.size, "bytes of the download")
    with connect(85, 30, None, to) as sock:
        send_bulk(sock, 12 * MIB)  # more than all buffers on the way take
        sock.shutdown(socket.SHUT_WR)
        read_all(sock)


# An echo that cannot write does not read, and a relay waits for its server: there a window may close for a moment.
CLEAN_KINDS = ((bulk_in, ORDERLY), (bulk_out, ORDERLY), (both_ways, ORDERLY + CLOSED_WINDOW),
               (request_response, ORDERLY), (half_close, ORDERLY + CLOSED_WINDOW), (many_short, ORDERLY),
               (aborts, ORDERLY + ABORT),
               (closed_windows, ORDERLY + CLOSED_WINDOW))
LOSSY_KINDS = (bulk_in, bulk_out, both_ways, request_response, half_close, many_short)


def interface_drops(name):
    shown = subprocess.run(["ip", "-s", "-j", "link", "show", "dev", name], capture_output=True, check=True).stdout
    statistics = json.loads(shown)[0]["stats64"]
    return statistics["rx"]["dropped"], statistics["tx"]["dropped"]


def refusals(daemon):
    """Segments that the stack has dropped, by reason. The kernel also speaks of other things than TCP."""
    return {name: count for name, count in daemon.ctl_json("counters")["verdicts"].items()
            if name.startswith("DROP") and not name.startswith(("DROP_ETHER", "DROP_IP", "DROP_ICMP", "DROP_ND"))}


def show(name, family, segments, causes, closed):
    spent = max(when for when, _ in segments) - min(when for when, _ in segments)
    length = sum(len(segment.data) for _, segment in segments)
    print(f"     {family.name} {name:28} {len(segments):6} segments {length / MIB:6.2f} MiB {spent:6.2f} s  "
          f"sent again: stack {dict(causes[0]) or 'nothing'}, kernel {dict(causes[1]) or 'nothing'}; "
          f"windows closed: {closed}", flush=True)


def check_windows(segments, resumed):
    """A window that was closed opens as soon as its reader reads on, and does not wait for a probe. One in ten may: a
    machine that is busy elsewhere reads late."""
    found, late = zero_windows(segments), []
    for flow, since, until in found:
        check(until is not None, f"the window of {flow} was closed to the end")
        reader = max((when for when in resumed if when < until), default=since)
        if until - max(since, reader) >= 0.4 * PAUSE:
            late.append(f"the window of {flow} was closed for {until - since:.3f} s")
    check(len(late) <= 1 + len(found) // 10, "; ".join(late))
    return len(found)


def judge_clean(name, family, rows, segments, allowed, resumed, drops):
    """Nothing was lost, so nothing may be sent again but by a timer, when this machine was too busy to answer."""
    flagged = verdicts(rows, allowed, family.stack)
    causes = [explain(segments, address(end)) for end in (family.stack, family.host)]
    closed = check_windows(segments, resumed)
    show(name, family, segments, causes, closed)
    for counts, dropped in zip(causes, drops):
        # One in a thousand: seen from beside a busy machine, a timer and what it had been waiting for can cross.
        check(counts["unexplained"] <= len(segments) // 1000 or dropped, f"sent again without a reason: {counts}")
        check(counts.total() <= len(segments) // 100 + 3 or dropped, f"timers expire all the time: {counts}")
    check(len(flagged) <= sum(counts.total() for counts in causes), f"tshark sees more: {flagged[:5]}")


def transfers(env, offload):
    for family in families():
        setup = Setup(env, {"link": {"name": "tap0", "offload": offload, "host_addresses": [family.host_network]},
                            "stack": {"addresses": [family.stack_network]}})
        warm_up(family)
        capture = Capture(env, "tap0", family.name)
        done = []
        for kind, allowed in CLEAN_KINDS:
            before, refused, began = interface_drops("tap0"), refusals(setup.daemon), time.time()
            kind(setup, family.stack)
            wait_until(lambda: all(row["state"] == "TIME-WAIT" for row in setup.daemon.connections()), "the end")
            # What a closed window refuses, and what still comes after a reset, is no loss.
            refused = {name: count - refused.get(name, 0) for name, count in refusals(setup.daemon).items()
                       if count > refused.get(name, 0)}
            check(not refused or kind in (aborts, closed_windows), f"the stack refuses what it is sent: {refused}")
            drops = [after - count for after, count in zip(interface_drops("tap0"), before)]
            done.append((kind.__name__, allowed, began, time.time(), drops))
        path = capture.stop()
        check((capture.unfinished > 0, capture.longest > 1514) == (offload, offload), f"offload is {offload}; "
              f"{capture.unfinished} partial checksums, longest frame {capture.longest}")
        rows, segments = dissect(path), list(segments_of(path))
        for name, allowed, began, ended, drops in done:
            judge_clean(f"{name}, {'offload' if offload else 'no offload'}", family,
                        [row for row in rows if began <= row.frame_time_epoch <= ended],
                        [found for found in segments if began <= found[0] <= ended], allowed, setup.resumed, drops)
        setup.daemon.stop()


def warm_up(family):
    """Neighbours are known before anything counts."""
    with connect(7, 10, None, family.stack) as sock:
        sock.sendall(b"x")
        read_exactly(sock, 1)


def test_transfers_with_offload(env):
    transfers(env, True)


def test_transfers_without_offload(env):
    transfers(env, False)


def lossy(env, kinds, family, **impairment):
    link = os.path.join(env.directory, "link")
    setup = Setup(env, {"link": {"backend": "unix:" + link, "host_addresses": []},
                        "stack": {"addresses": [family.stack_network]}}, SIZE // 4)
    path = Path(env, link, [family.host_network], **impairment)
    warm_up(family)
    for kind in kinds:
        kind(setup, family.stack)
    wait_until(lambda: all(row["state"] == "TIME-WAIT" for row in setup.daemon.connections()), "the end", 60)
    files = path.stop()
    lost, late = list(segments_of(files["dropped"])), list(segments_of(files["delayed"]))
    causes = []
    for side, end in (("stack", family.stack), ("kernel", family.host)):
        # Each end is judged by what was seen beside it: what it sent, before the path had its way with it.
        flagged = verdicts(dissect(files[side]), ORDERLY + CLOSED_WINDOW + LOSS + ABORT, family.stack)
        segments = list(segments_of(files[side]))
        equal(resets_out_of_place(segments), [], "resets")
        causes.append(explain(segments, address(end), lost, late))
        check(flagged or not lost, "tshark sees what was sent again")
    name = "+".join(kind.__name__ for kind in kinds)
    # What opens a window can be lost as well: then it is a probe that finds it open.
    show(name, family, segments, causes, len(zero_windows(segments)))
    print(f"       {len(lost)} segments were dropped, {len(late)} delayed: {impairment}")
    check(lost, "something was lost")
    # Whether the kernel has its reasons is not what is tested here. Nor does this know all: what a duplicate of an ACK
    # looks like to its receiver, or an ACK that waits in a queue. It may be at a loss now and then.
    # Where segments overtake each other a whole flight can look lost for a moment (RFC 8985 section 6.2.2 learns from
    # it): what counts there is that it stays a small part of all.
    bound = causes[0].total() // 20 if not late else len(segments) // 20
    check(causes[0]["unexplained"] <= bound, f"sent again without a reason: {causes[0]}")
    setup.daemon.stop()


def test_transfers_with_losses(env):
    dice = seed()
    print(f"     seed {dice}")
    for family in families():
        lossy(env, LOSSY_KINDS, family, seed=dice, loss=0.015, delay=0.001)


def test_transfers_with_losses_and_reordering(env):
    dice = seed()
    print(f"     seed {dice}")
    for family in families():
        lossy(env, (bulk_in, bulk_out, both_ways), family, seed=dice, loss=0.01, duplicate=0.01, reorder=0.01,
              delay=0.001)


OPTIONS = {"options": option_mss(1460) + option_window_scale(0)}
HELLO = {"flags": PSH | ACK, "data": b"hello"}
# (from the stack, sequence number, ACK, fields)
OPENING = ((False, 100, 0, {"flags": SYN, **OPTIONS}), (True, 500, 101, {"flags": SYN | ACK, **OPTIONS}),
           (False, 101, 501, {}), (True, 501, 101, HELLO))
ACKNOWLEDGED = (False, 101, 506, {})
# (what it is, what follows the opening, indices of what was lost, tshark's count and ours of what was sent again)
JUDGED = (("all is well", [ACKNOWLEDGED], [], 0, {}),
          ("sent again for no reason", [(True, 501, 101, HELLO)], [], 1, {"unexplained": 1}),
          ("sent again because it was lost", [(True, 501, 101, HELLO)], [3], 1, {"lost": 1}),
          ("another one was lost", [(True, 506, 101, HELLO), (True, 501, 101, HELLO)], [4], 1, {"unexplained": 1}),
          ("an ACK was lost, but of other things", [(True, 501, 101, HELLO)], [2], 1, {"unexplained": 1}))
REFUSED = (("a bad checksum", True, 506, 101, {**HELLO, "bad_checksum": True}),
           ("an option cut short", True, 506, 101, {**HELLO, "options": b"\1\1\x08\x0a"}),
           ("a header longer than the segment", True, 506, 101, {**HELLO, "offset": 15}),
           ("a reset", True, 506, 101, {"flags": RST | ACK}),
           ("a hole", True, 600, 101, HELLO),
           ("an ACK of nothing", False, 101, 700, {}),
           ("a closed window", True, 506, 101, {"window": 0}))


def test_the_judge(env):
    """What is planted is found: a judge that sees nothing proves nothing. Each case is a connection of its own."""
    path = os.path.join(env.directory, "forged.pcap")
    pcap = Pcap(path)
    cases = [*(case[1] for case in JUDGED), *([case[1:]] for case in REFUSED)]
    clock = 10**18
    for port, case in enumerate(cases, 5000):
        for from_stack, seq, ack, fields in (*OPENING, *case):
            ends = (address(HOST), address(STACK), (port, 7))
            if from_stack:
                ends = (address(STACK), address(HOST), (7, port))
            pcap.add(clock, ethernet(BROADCAST, MAC, ETHER_IPV4, packet(*ends, seq, ack, **fields)))
            clock += 1000000
    pcap.close()
    rows, segments = dissect(path), list(segments_of(path))
    # tshark has no ports to show of a segment that is malformed early, but all cases come one after the other.
    starts = [index for index, row in enumerate(rows) if row.tcp_flags == SYN] + [len(rows)]

    def judge(index):
        mine = [found for found in segments if 5000 + index in (found[1].source_port, found[1].destination_port)]
        flagged = verdicts(rows[starts[index]:starts[index + 1]], ORDERLY, STACK)
        check_windows(mine, [])
        return flagged, mine

    for index, (what, _, lost, count, causes) in enumerate(JUDGED):
        flagged, mine = judge(index)
        found = explain(mine, address(STACK), [mine[number] for number in lost])
        equal((len(flagged), dict(found)), (count, causes), what)
    for index, (what, *_) in enumerate(REFUSED, len(JUDGED)):
        try:
            judge(index)
        except Failed:
            continue
        check(False, f"{what} is not seen")


if __name__ == "__main__":
    need("tshark")
    main()
