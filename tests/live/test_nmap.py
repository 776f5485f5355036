#!/usr/bin/env python3
"""What a stranger can foretell: nmap's tests of initial sequence numbers, timestamps and IP identifications, over
several lives of the daemon, and samples of our own where nmap takes only six."""
import collections
import os
import re
import socket
import statistics
import struct
import subprocess
import time
import xml.etree.ElementTree as ElementTree

from capture import need
from frames import (ACK, ETHER_IPV4, MOD, RST, SYN, address, ethernet, ip_payload, ipv4, option_mss,
                    option_timestamps, packet, parse_tcp, relative)
from harness import HOST, STACK, check, equal, main, wait_until
from peer import MAC, Setup

SERVICES = [{"name": "echo", "kind": "echo", "port": 7}]
# nmap counts in eighths of a bit: the spread of the increments per second (SP), and how large they are (ISR). Six
# random numbers of 32 bits give about 260, rarely less than 240.
LEAST_UNPREDICTABLE = 230
RUNS = int(os.environ.get("TAPSTACK_LIVE_RUNS", 3))


def nmap():
    """{name: value} of the SEQ line of nmap's fingerprint, and the report."""
    done = subprocess.run(["nmap", "-n", "-Pn", "-O", "-d", "--max-os-tries", "1", "-T5", "-p", "7,10", "-oX", "-",
                           STACK], capture_output=True, text=True, timeout=120, check=False)
    equal(done.returncode, 0, f"exit code of nmap: {done.stderr}")
    report = ElementTree.fromstring(done.stdout).find("host")
    line = re.search(r"SEQ\((.*?)\)", report.find("os/osfingerprint").get("fingerprint").replace("\nOS:", ""))
    check(line, "nmap has measured sequence numbers")
    return dict(part.split("=") for part in line.group(1).split("%")), report


def test_nmap_rates_sequence_numbers_unpredictable(env):
    """In each life, and what one life tells is of no use in the next."""
    seen = collections.defaultdict(list)
    for _ in range(RUNS):
        daemon = env.daemon(services=SERVICES)
        line, report = nmap()
        sequence, ids, stamps = (report.find(name) for name in ("tcpsequence", "ipidsequence", "tcptssequence"))
        print(f"     SP {int(line['SP'], 16)} GCD {int(line['GCD'], 16)} ISR {int(line['ISR'], 16)}, "
              f"index {sequence.get('index')} ({sequence.get('difficulty')}); IP IDs: {ids.get('class')}, of ICMP "
              f"{line.get('II')}; timestamps: {stamps.get('class')} {stamps.get('values')}")
        equal(sequence.get("difficulty"), "Good luck!", "nmap's verdict")
        for name in "SP", "ISR":
            seen[name].append(int(line[name], 16))
        # All are zero: a packet that may not be fragmented needs none (RFC 6864), so there is nothing to count.
        equal((line["TI"], line["CI"]), ("Z", "Z"), "IP IDs of TCP")
        seen["II"].append(line["II"])
        # An offset for each connection: no uptime to be read off, nor two connections to be matched (RFC 7323 7.1).
        check(int(line["TS"], 16) > 16, f"timestamps show a clock of 2**{int(line['TS'], 16)} Hz")
        seen["numbers"] += sequence.get("values").split(",")
        seen["stamps"] += stamps.get("values").split(",")
        daemon.stop()
    # nmap judges by two of them: random ones look like a counter once in some thousand lives.
    check(sum(sequence in ("I", "BI") for sequence in seen["II"]) <= RUNS / 3, f"IP IDs of ICMP count up: {seen['II']}")
    for name in "SP", "ISR":
        check(statistics.median(seen[name]) >= LEAST_UNPREDICTABLE, f"{name} in each life: {seen[name]}")
    for name in "numbers", "stamps":
        equal(len(set(seen[name])), 6 * RUNS, f"different {name} in {RUNS} lives")


class Prober:
    """Sends SYNs over the unix link and reads the SYN-ACKs."""

    def __init__(self, setup):
        self.wire = setup.wire
        self.clock = 1000

    def ask(self, ports):
        """{port: (time of the question, ISN, TSval)}"""
        asked, answers = {}, {}

        def collect():
            self.wire.sock.setblocking(False)
            try:
                while frame := self.wire.sock.recv(65536):
                    segment = parse_tcp(frame)
                    if segment and segment.flags == SYN | ACK and segment.destination_port not in answers:
                        port = segment.destination_port
                        answers[port] = asked[port], segment.seq, segment.timestamps[0]
            except BlockingIOError:
                return len(answers) == len(asked)
            finally:
                self.wire.sock.settimeout(10)

        for port in ports:
            asked[port] = time.monotonic()
            self.send(port, 1000, 0, SYN, options=option_mss(1460) + option_timestamps(self.clock))
            if len(asked) % 50 == 0:
                wait_until(collect, "an answer to each SYN")
        wait_until(collect, "an answer to each SYN")
        return answers

    def send(self, port, *arguments, **options):
        self.wire.sock.send(ethernet(self.wire.daemon_mac, MAC, ETHER_IPV4, packet(
            address(HOST), address(STACK), (port, 7), *arguments, **options)))

    def forget(self, answers):
        """Resets what ask() has begun."""
        for port in answers:
            self.send(port, 1001, 0, RST)


def check_random(numbers, bits, what):
    """Each bit is set in half of them, give or take five standard deviations, and so is each bit's change from one to
    the next: neither constant nor counting."""
    slack = 2.5 * len(numbers) ** 0.5
    changes = [one ^ other for one, other in zip(numbers, numbers[1:])]
    for values, of in (numbers, "value"), (changes, "change"):
        for bit in bits:
            count = sum(value >> bit & 1 for value in values)
            check(abs(count - len(values) / 2) <= slack,
                  f"{what}: bit {bit} of the {of} is set {count} times of {len(values)}")


COUNT = 2000
ROOM = {"services": [{**SERVICES[0], "backlog": 2 * COUNT}]}


def test_samples_of_sequence_numbers(env):
    """RFC 6528: for each flow a counter of 4 us ticks from its own secret place, which is another in the next life."""
    lives = []
    ports = range(10000, 10000 + COUNT)
    for _ in range(2):
        setup = Setup(env, ROOM)
        prober = Prober(setup)
        first = prober.ask(ports)
        prober.forget(first)
        time.sleep(0.05)
        again = prober.ask(ports)
        for port in ports:
            (then, isn, stamp), (now, later_isn, later_stamp) = first[port], again[port]
            passed = now - then
            ticks = relative(later_isn, isn) * 4e-6
            check(abs(ticks - passed) < 0.5, f"the same flow after {passed:.3f} s is {ticks:.3f} s of ticks further")
            check(abs(relative(later_stamp, stamp) / 1000 - passed) < 0.5, "its timestamps go on by milliseconds")
        for life in first, again:
            check_random([life[port][1] for port in ports], range(32), "ISN")
            check_random([life[port][2] for port in ports], range(32), "TSval")
        lives.append(first)
        setup.wire.close()
        setup.daemon.stop()
    # The clock goes on through both lives; the places do not.
    for index, name in (1, "ISN"), (2, "TSval"):
        check_random([(lives[1][port][index] - lives[0][port][index]) % MOD for port in ports], range(32),
                     f"difference of {name} from life to life")
    print(f"     {len(ports)} flows, twice in each of 2 lives")


def test_samples_of_cookies(env):
    """The 24 lower bits of a SYN cookie are a keyed hash."""
    setup = Setup(env, {"limits": {"half_open": 1}})
    answers = Prober(setup).ask(range(20000, 20000 + COUNT))
    check(setup.daemon.ctl_json("counters")["cookies_sent"] >= COUNT - 1, "cookies were sent")
    check_random([isn for _, isn, _ in answers.values()], range(24), "cookie")
    # In the lowest bits of the timestamp is what was agreed on.
    check_random([stamp for _, _, stamp in answers.values()], range(8, 32), "TSval")


def test_identifications_of_fragments(env):
    """What may be fragmented needs an identification that cannot be foretold (RFC 7739 says why)."""
    setup = Setup(env)
    seen = []
    for number in range(COUNT):
        request = struct.pack("!BBHHH", 8, 0, 0xffff - (0x0800 + number), 0, number)
        setup.wire.sock.send(ethernet(setup.wire.daemon_mac, MAC, ETHER_IPV4, ipv4(
            address(HOST), address(STACK), socket.IPPROTO_ICMP, request, fragment=0)))
        while not (ip_payload(frame := setup.wire.sock.recv(65536)) or (0,) * 3)[2] == socket.IPPROTO_ICMP:
            pass
        seen.append(struct.unpack("!H", frame[18:20])[0])
    check_random(seen, range(16), "IP ID")


if __name__ == "__main__":
    need("nmap")
    main()
