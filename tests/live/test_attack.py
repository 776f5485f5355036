#!/usr/bin/env python3
"""Attacks of all kinds, with honest connections running through them: none of those may be harmed, and their goodput
may not fall below a small part of what it was in the same run. The attacker has raw sockets in the namespace of the
test, sees what it likes (the tests ask the daemon for the numbers), and sends a bounded count of frames.

TAPSTACK_LIVE_SEED=N repeats what was random; TAPSTACK_LIVE_ATTACK=N makes every attack N times as long."""
import collections
import os
import random
import struct
import time

from attacker import Attacker, Honest, Hostile, Victim
from frames import (ACK, BROADCAST, ETHER_ARP, FIN, MOD, OPTION_SACK_PERMITTED, PROTOCOL_FRAGMENT, PROTOCOL_ICMP,
                    PROTOCOL_ICMPV6, PROTOCOL_TCP, PSH, RST, SYN, URG, address, arp, ethernet, icmp, icmpv6, ip, ipv4,
                    ipv6, option_mss, option_sack, option_timestamps, option_window_scale, tcp)
from harness import IPV4, Failed, check, equal, families, main, wait_until

SERVICES = [{"name": "echo", "kind": "echo", "port": 7}, {"name": "discard", "kind": "discard", "port": 9},
            {"name": "chargen", "kind": "chargen", "port": 19}]
LONGER = int(os.environ.get("TAPSTACK_LIVE_ATTACK", 1))
# The attacker and the honest share two processors with the stack, and Python is greedy: what is looked for is a
# connection that stands still or crawls, not a few percent.
DURING, AFTER, TRIES = 0.05, 0.1, 3
PHASE = 0.12  # seconds that a measurement lasts at least


class Scene:
    """What the attacks of one family share: a daemon, honest clients, the attacker."""

    def __init__(self, env, family, seed):
        self.family = family
        own = "192.0.2.66" if family is IPV4 else "2001:db8::66"
        self.daemon = env.daemon(services=SERVICES, config={
            "link": {"name": "tap0", "host_addresses": [family.host_network]},
            "stack": {"addresses": [family.stack_network],
                      "gateway" if family is IPV4 else "gateway6": family.host}})
        self.attacker = Attacker(env, "tap0", family, own)
        self.honest = Honest(env, family)
        self.dice = random.Random(seed)
        self.honest.all_move()
        self.before = self.measure()[:2]

    def measure(self, function=None):
        """(bytes per second, short connections per second, what the function returned)"""
        began = time.monotonic()
        moved, short, _ = self.honest.counts()
        result = function() if function else None
        while (left := PHASE - (time.monotonic() - began)) > 0:
            time.sleep(left)
        now_moved, now_short, _ = self.honest.counts()
        spent = time.monotonic() - began
        return (now_moved - moved) / spent, (now_short - short) / spent, result

    def under_attack(self, name, function):
        """Runs it, and prints a line of the table."""
        for attempt in range(TRIES):
            frames = self.attacker.sent
            before, short_before = self.before
            during, short_during, note = self.measure(function)
            self.honest.all_move()
            after, short_after = self.before = self.measure()[:2]
            frames = self.attacker.sent - frames
            goodput = " ".join(f"{rate / 1e6:7.1f}" for rate in (before, during, after))
            short = " ".join(f"{rate:6.0f}" for rate in (short_before, short_during, short_after))
            print(f"     {self.family.name} {name:20} {frames:6} frames {goodput} MB/s {short} connections/s  "
                  f"{note or ''}", flush=True)
            if during >= DURING * before and after >= AFTER * before:
                return
        raise Failed(f"{name}: goodput fell to less than {DURING} during, or {AFTER} after it, in {attempt + 1} tries")


def counters(scene):
    return collections.Counter(scene.daemon.ctl_json("counters")["verdicts"])


# Attacks on a connection of somebody else, by someone who knows its four numbers.

def forge(scene, victim, offsets, flags, ack_offsets=(0,), data=b"", options=b""):
    """Segments in the name of the victim's host, so far from what the stack expects."""
    expected, sends, _ = victim.numbers()
    for offset in offsets:
        for ack in ack_offsets:
            scene.attacker.send(scene.attacker.host, (victim.peer_port, victim.port), expected + offset, sends + ack,
                                flags, data=data, options=options)


def far(scene, count):
    """Distances that are outside any window."""
    return [scene.dice.randrange(1 << 29, 3 << 30) for _ in range(count * LONGER)]


def near(scene, count):
    """Distances inside the window, but not exact."""
    return [scene.dice.randrange(1, 50000) for _ in range(count * LONGER)]


def blind_reset(scene):
    """Only the exact number resets (RFC 5961 section 3)."""
    victim = Victim(scene.daemon, scene.family)
    forge(scene, victim, [-1, -2, 1, 2], RST)
    forge(scene, victim, near(scene, 1500), RST)
    forge(scene, victim, near(scene, 500), RST | ACK)
    forge(scene, victim, far(scene, 1500), RST)
    victim.speak()
    forge(scene, victim, [0], RST)
    wait_until(lambda: not scene.daemon.connections(peer_port=victim.peer_port), "the exact one resets")
    victim.close()
    return "the exact number alone resets"


def blind_syn(scene):
    """A SYN resets nothing, wherever it is (RFC 5961 section 4)."""
    victim = Victim(scene.daemon, scene.family)
    for offsets in [0, -1, 1], near(scene, 1000), far(scene, 1000):
        forge(scene, victim, offsets, SYN, options=option_mss(1460))
        forge(scene, victim, offsets[:100], SYN | ACK)
        forge(scene, victim, offsets[:100], SYN | FIN)
    victim.speak()
    victim.close()


def blind_data(scene):
    """Text whose number or ACK is out of range is not taken (RFC 5961 section 5), nor is it without a timestamp."""
    victim = Victim(scene.daemon, scene.family)
    # Somewhere among these is one that makes the victim's own timestamps look old, if it is believed.
    stamps = [b"\1\1" + option_timestamps(quarter << 30) for quarter in range(4)]
    acks = [1, 1000, 1 << 30, -(1 << 30), 1 << 31]
    for options in b"", *stamps:
        forge(scene, victim, [0, 1, -1, 100], PSH | ACK, acks, b"poison", options)
        forge(scene, victim, far(scene, 500), PSH | ACK, [0], b"poison", options)
        forge(scene, victim, near(scene, 100), PSH | ACK, acks, b"poison", options)
        forge(scene, victim, [0, 1, 100], FIN | ACK, acks, b"", options)
        forge(scene, victim, [0, 1, 100], PSH, [0], b"poison", options)
        forge(scene, victim, [0, 1, 100], URG | ACK, acks, b"poison", options)
        victim.speak()
    row = victim.numbers()[2]
    equal((row["state"], row["recv_q"], row["rcv_holes"]), ("ESTABLISHED", 0, 0), "the victim's connection")
    victim.close()


def old_timestamps(scene):
    """Segments from before the last timestamp are answered, not taken (RFC 7323 section 5)."""
    victim = Victim(scene.daemon, scene.family)
    before = counters(scene)
    for back in range(0, 1 << 29, 1 << 26):
        expected, sends, _ = victim.numbers()
        # What the victim sent last is not known, but half of all values are older than it.
        for value in range(back, 1 << 32, 1 << 29):
            scene.attacker.send(scene.attacker.host, (victim.peer_port, 7), expected - 1, sends, data=b"p",
                                options=b"\1\1" + option_timestamps(value))
    victim.speak()
    check(counters(scene)["DROP_PAWS"] > before["DROP_PAWS"], "some were too old")
    victim.close()


def quoted(scene, victim, seq):
    """The beginning of a packet that the stack could have sent to the victim's host."""
    segment = tcp(scene.attacker.stack, scene.attacker.host, (victim.port, victim.peer_port), seq)
    return ip(scene.attacker.stack, scene.attacker.host, PROTOCOL_TCP, segment)[:68]


def icmp_errors(scene):
    """[(kind, code, rest)]: hard and soft errors, packet too big, and what is long obsolete."""
    if scene.family is IPV4:
        found = [(3, code, bytes(4)) for code in range(16) if code != 4]
        found += [(3, 4, struct.pack("!HH", 0, mtu)) for mtu in (0, 1, 68, 296, 552, 576, 1400, 65535)]
        return found + [(11, 0, bytes(4)), (11, 1, bytes(4)), (12, 0, bytes(4)), (4, 0, bytes(4)), (5, 1, bytes(4))]
    found = [(1, code, bytes(4)) for code in range(8)]
    found += [(2, 0, struct.pack("!I", mtu)) for mtu in (0, 1, 68, 576, 1280, 1400, 1 << 31)]
    return found + [(3, 0, bytes(4)), (3, 1, bytes(4)), (4, 0, bytes(4)), (4, 1, bytes(4)), (4, 2, bytes(4))]


def send_icmp(scene, source, kind, code, rest, payload):
    if scene.family is IPV4:
        scene.attacker.send_ip(ipv4(source, scene.attacker.stack, PROTOCOL_ICMP, icmp(kind, code, rest, payload),
                                    fragment=0))
    else:
        scene.attacker.send_ip(ip(source, scene.attacker.stack, PROTOCOL_ICMPV6, icmpv6(
            source, scene.attacker.stack, kind, code, rest, payload)))


def icmp_to_others(scene):
    """Errors that quote what is not in flight are about somebody else's connection (RFC 5927 section 4.1): nothing
    happens, to an idle connection or to a busy one."""
    victim = Victim(scene.daemon, scene.family)
    busy = [row for row in scene.daemon.connections(19) if row["state"] == "ESTABLISHED"][0]
    for kind, code, rest in icmp_errors(scene):
        for _ in range(5 * LONGER):
            _, sends, row = victim.numbers()
            for seq in sends, sends - 1, sends + 1, sends + 100000, scene.dice.randrange(MOD):
                for source in scene.attacker.host, scene.attacker.own:
                    send_icmp(scene, source, kind, code, rest, quoted(scene, victim, seq))
    victim.speak()
    equal(victim.numbers()[2]["mss"], row["mss"], "segment size of the victim")
    still = [row for row in scene.daemon.connections(19) if row["id"] == busy["id"]]
    equal([row["mss"] for row in still], [busy["mss"]], "segment size of a busy connection")
    victim.close()


def icmp_in_flight(scene):
    """The attacker even knows what is in flight. A connection that makes progress is not killed, and its segments do
    not get so small that they are an attack of their own."""
    victim = Hostile(scene.attacker, 19)
    flight = victim.receive(0.2)
    check(flight, "something is in flight")
    for kind, code, rest in icmp_errors(scene):
        for segment in flight[:3]:
            quote = ip(scene.attacker.stack, scene.attacker.own, PROTOCOL_TCP, tcp(
                scene.attacker.stack, scene.attacker.own, victim.ends[::-1], segment.seq))[:68]
            send_icmp(scene, scene.attacker.host, kind, code, rest, quote)
    row = scene.daemon.connections(peer_port=victim.ends[0])
    equal([found["state"] for found in row], ["ESTABLISHED"], "the connection")
    check(row[0]["mss"] >= 500, f"segments of {row[0]['mss']} bytes")
    for _ in range(20):
        victim.send()
        victim.receive(0.02)
    check((victim.rcv_nxt - victim.syn_ack.seq) % MOD > 20000, "it goes on")
    victim.reset()
    return f"mss {row[0]['mss']}"


# Attacks on the stack as a whole.

def syn_flood(scene):
    """From sources that are there and that are not: who is honest still gets a connection, by cookie if need be."""
    attacker, before = scene.attacker, scene.daemon.ctl_json("counters")["cookies_sent"]
    options = option_mss(1460)
    far_away = address("198.51.100.1" if len(attacker.own) == 4 else "2001:db8:1::1")
    for number in range(8000 * LONGER):
        # A third each from the network, from the attacker itself, and from beyond the gateway.
        source = (attacker.own[:-1] + bytes([20 + number % 200]), attacker.own, far_away)[number % 3]
        attacker.send(source, (1024 + number // 3 % 60000, 7), scene.dice.randrange(MOD), flags=SYN, options=options)
        if number % 256 == 0:
            attacker.poll()
            attacker.segments.clear()
    return f"{scene.daemon.ctl_json('counters')['cookies_sent'] - before} cookies"


def land(scene):
    """A SYN from the stack to itself, and from addresses that nobody can have."""
    stack = scene.attacker.stack
    nobody = ("127.0.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "192.0.2.255") if len(stack) == 4 else \
        ("::1", "::", "ff02::1")
    sources = [stack, *map(address, nobody)]
    for _ in range(100 * LONGER):
        for source in sources:
            for flags in SYN, SYN | ACK, ACK, RST, FIN | ACK:
                scene.attacker.send(source, (7, 7), 1000, 1000, flags)
    equal([row for row in scene.daemon.connections(peer_port=7)], [], "connections of the stack with itself")


def sack_flood(scene):
    """100,000 holes of one byte in what the stack has sent: the scoreboard stays small, and so does its work."""
    hostile = Hostile(scene.attacker, 19, scale=7)

    def in_flight():
        hostile.send()
        row = scene.daemon.connections(peer_port=hostile.ends[0])[0]
        size = (row["snd_nxt"] - hostile.rcv_nxt) % MOD
        hostile.receive(0.01)
        return size if size > 100000 else None

    hostile.receive(0.1)
    size = wait_until(in_flight, "100,000 bytes in flight", 60)
    memory = scene.daemon.rss_kib()
    una = at = (scene.daemon.connections(peer_port=hostile.ends[0])[0]["snd_una"] + 1) % MOD
    for _ in range(25000 * LONGER):
        hostile.send(ack=una - 1, options=b"\1\1" + option_sack(
            *((at + 2 * block, at + 2 * block + 1) for block in range(4))))
        at = at + 8 if (at + 16 - una) % MOD < size else una
    grown = scene.daemon.rss_kib() - memory
    check(grown < 64 << 10, f"the daemon has grown by {grown} KiB")
    hostile.reset()
    return f"{size} bytes in flight, daemon + {grown} KiB"


def hole_flood(scene):
    """Single bytes with holes between them, all over the window: reassembly stays small."""
    hostile = Hostile(scene.attacker, 9)
    memory = scene.daemon.rss_kib()
    room = hostile.syn_ack.window - 4
    for number in range(12000 * LONGER):
        hostile.send(data=b"x", seq=hostile.seq + 2 + 2 * (number * 7919 % (room // 2)))
    row = scene.daemon.connections(peer_port=hostile.ends[0])[0]
    grown = scene.daemon.rss_kib() - memory
    check(grown < 64 << 10, f"the daemon has grown by {grown} KiB")
    hostile.reset()
    return f"{row['rcv_holes']} out of order, daemon + {grown} KiB"


def tiny_segments(scene):
    """One byte at a time, in order, to an echo; and a peer that wants segments of one byte."""
    hostile = Hostile(scene.attacker, 7)
    for _ in range(5000 * LONGER):
        hostile.say(b"x", PSH | ACK)
        hostile.receive()
    hostile.reset()
    least = Hostile(scene.attacker, 19, mss=1, sack=False)
    sizes = collections.Counter()
    for _ in range(500):
        sizes.update(len(segment.data) for segment in least.receive(0.001))
        least.send()
    least.reset()
    return f"a peer with an MSS of 1 gets segments of {sizes.most_common(1)[0][0]} bytes"


def optimistic_acks(scene):
    """ACKs of what has not arrived: of what was not even sent they count for nothing; of the rest, the attacker harms
    itself only."""
    hostile = Hostile(scene.attacker, 19, scale=7)
    ahead, unsent = hostile.rcv_nxt, 0
    for number in range(3000 * LONGER):
        segments = hostile.take()
        for segment in segments:
            if (segment.seq + segment.length - ahead) % MOD < 1 << 31:
                ahead = (segment.seq + segment.length) % MOD
        if number % 10:
            ahead = (ahead + 1448) % MOD
            hostile.send(ack=ahead)
        else:
            hostile.send(ack=ahead + (1 << 24))
            unsent += 1
    row = scene.daemon.connections(peer_port=hostile.ends[0])
    hostile.reset()
    return f"{unsent} of them of the unsent, cwnd {row[0]['cwnd'] if row else None}"


def divided_acks(scene):
    """One ACK for each byte: the window grows by what is acknowledged, not by ACKs (RFC 3465)."""
    hostile = Hostile(scene.attacker, 19, scale=7)
    hostile.receive(0.1)
    until, start = hostile.rcv_nxt, (hostile.syn_ack.seq + 1) % MOD
    before = scene.daemon.connections(peer_port=hostile.ends[0])[0]["cwnd"]
    size = (until - start) % MOD
    for place in range(1, size + 1):
        hostile.send(ack=start + place)
        if place % 200 == 0:
            hostile.take()
    grown = scene.daemon.connections(peer_port=hostile.ends[0])[0]["cwnd"] - before
    check(grown <= size + 1448, f"{size} bytes acknowledged in as many ACKs: cwnd grew by {grown}")
    hostile.reset()
    return f"{size} ACKs for {size} bytes: cwnd + {grown}"


def neighbour(scene):
    """An address of the network that nobody has."""
    return scene.attacker.own[:-1] + bytes([scene.dice.randrange(70, 250)])


def fragments(scene):
    """Fragments that overlap, end beyond 64 KiB, are tiny, never complete; a SYN hidden in them."""
    attacker, dice = scene.attacker, scene.dice
    if scene.family is not IPV4:
        return fragments_v6(scene)
    syn = tcp(attacker.own, attacker.stack, (55555, 7), 1, flags=SYN, options=option_mss(1460))

    def part(number, offset, more, data, source=attacker.own):
        attacker.send_ip(ipv4(source, attacker.stack, PROTOCOL_TCP, data, number, (0x2000 if more else 0) | offset))

    for number in range(1500 * LONGER):
        part(number, 0, True, bytes(16))
        part(number, 1, True, dice.randbytes(16))  # overlaps the first
        part(number, 0, True, dice.randbytes(8))  # again, and different
        part(number, 8189, False, bytes(64))  # beyond the largest packet
        part(number, 2, False, syn[16:])
        part(number + 1, 0, True, syn[:8])
        part(number + 1, 1, False, syn[8:])  # whole: a SYN in two parts
        part(dice.randrange(1 << 16), dice.randrange(1000), True, bytes(8), neighbour(scene))
    row = scene.daemon.ctl_json("counters")
    return f"{row['fragments_in']} fragments, {row['reassembled']} made whole"


def fragments_v6(scene):
    """As above, with the extension header (RFC 5722: what overlaps is thrown away)."""
    attacker, dice = scene.attacker, scene.dice
    syn = tcp(attacker.own, attacker.stack, (55555, 7), 1, flags=SYN, options=option_mss(1440))

    def part(number, offset, more, data, source=attacker.own):
        header = struct.pack("!BBHI", PROTOCOL_TCP, 0, offset << 3 | more, number)
        attacker.send_ip(ipv6(source, attacker.stack, PROTOCOL_FRAGMENT, header + data))

    for number in range(1500 * LONGER):
        part(number, 0, True, bytes(16))
        part(number, 1, True, dice.randbytes(16))
        part(number, 0, True, dice.randbytes(8))
        part(number, 8189, False, bytes(64))
        part(number, 2, False, syn[16:])
        part(number + (1 << 20), 0, True, syn[:8])
        part(number + (1 << 20), 1, False, syn[8:])
        part(dice.randrange(1 << 32), dice.randrange(1000), True, bytes(8), neighbour(scene))
    return None


def challenge(scene, hostile, count=400):
    """How many challenge ACKs the attacker's own connection gets for so many wrong RSTs."""
    hostile.take()
    for _ in range(count):
        hostile.send(RST, seq=hostile.seq + 100)
    return len(hostile.take(0.1))


def whole_second(offset=0.05):
    """Waits for the beginning of a second: limits are counted by them."""
    time.sleep(1 + offset - time.clock_gettime(time.CLOCK_MONOTONIC) % 1)


def challenge_counting(scene):
    """What an attacker's own connection is answered does not depend on what happens to another one, so that the limit
    of challenge ACKs tells nothing of that one's ports and numbers (RFC 5961 section 7, and what was wrong with it)."""
    victim, hostile = Victim(scene.daemon, scene.family), Hostile(scene.attacker, 7)
    whole_second()
    alone = challenge(scene, hostile)
    whole_second()
    forge(scene, victim, near(scene, 300), RST)
    forge(scene, victim, [0] * 300, PSH | ACK, [-(1 << 30)], b"x", b"\1\1" + option_timestamps(1))
    beside = challenge(scene, hostile)
    hostile.reset()
    victim.speak()
    victim.close()
    check(0 < alone < 400, f"{alone} challenge ACKs for 400 wrong RSTs")
    equal(beside, alone, "challenge ACKs while another connection is attacked")
    return f"{alone} challenge ACKs alone, {beside} beside another"


# And Fast Open, TCP-AO, SACK without a block, an experiment, User Timeout, AccECN.
KNOWN_OPTIONS = (option_mss(1460), option_window_scale(7), OPTION_SACK_PERMITTED, option_timestamps(1, 2),
                 option_sack((1, 2), (3, 4)), b"\x22\x0a" + bytes(8), b"\x1d\x12" + bytes(16), b"\x05\x02",
                 b"\xfe\x04\xf9\x89", b"\x1c\x04\0\1", b"\xac\x0b" + bytes(9))


def option_garbage(scene):
    """Each option cut short at each byte, with each length, under each data offset; on SYNs, on the attacker's own
    connection, and on the victim's."""
    victim, hostile = Victim(scene.daemon, scene.family), Hostile(scene.attacker, 7, timestamps=True)
    expected, sends, _ = victim.numbers()
    attacker = scene.attacker
    texts = [option[:cut] for option in KNOWN_OPTIONS for cut in range(1, len(option) + 1)]
    texts += [option[:1] + bytes([length]) + option[2:] for option in KNOWN_OPTIONS for length in range(0, 42)]
    texts += [bytes([length]) * 40 for length in (0, 1, 2, 5, 8, 255)]
    port = 30000
    for text in texts * LONGER:
        port += 1
        attacker.send(attacker.own, (port, 7), 1, flags=SYN, options=text)
        attacker.send(attacker.host, (victim.peer_port, 7), expected - 1, sends, data=b"p", options=text)
        hostile.send(data=b"own", options=text)
    for offset in range(16):
        for flags in SYN, ACK, FIN | ACK, RST, 0, 0xff:
            for data in b"", bytes(60):
                attacker.send(attacker.own, (port, 7), 1, flags=flags, offset=offset, data=data)
                attacker.send(attacker.host, (victim.peer_port, 7), expected + 7, sends, flags, offset=offset,
                              data=data)
                hostile.send(flags & ~RST & ~FIN, offset=offset, data=data)
    for cut in range(20):
        whole = tcp(attacker.own, attacker.stack, (port, 7), 1, flags=SYN)
        attacker.send_ip(ip(attacker.own, attacker.stack, PROTOCOL_TCP, whole[:cut]))
    attacker.poll()
    attacker.segments.clear()
    victim.speak()
    victim.close()
    hostile.reset()


def neighbour_flood(scene):
    """Questions from all addresses of the network, over and over; and answers that nobody has asked for."""
    if scene.family is not IPV4:
        return neighbour_flood_v6(scene)
    attacker = scene.attacker
    for number in range(3000 * LONGER):
        source = attacker.own[:3] + bytes([3 + number % 250])
        mac = b"\x02" + number.to_bytes(5, "big")
        if source != attacker.own:
            attacker.raw(ethernet(BROADCAST, mac, ETHER_ARP, arp(1 + number // 250 % 2, mac, source, bytes(6),
                                                                 attacker.stack)))
    return None


def neighbour_flood_v6(scene):
    attacker = scene.attacker
    group = b"\xff\x02" + bytes(9) + b"\x01\xff" + attacker.stack[13:]
    for number in range(3000 * LONGER):
        source = attacker.own[:8] + b"\1" + number.to_bytes(7, "big")
        mac = b"\x02" + number.to_bytes(5, "big")
        message = icmpv6(source, group, 135, 0, bytes(4), attacker.stack + b"\x01\x01" + mac)
        attacker.raw(ethernet(b"\x33\x33" + group[12:], mac, attacker.kind, ipv6(
            source, group, PROTOCOL_ICMPV6, message, hops=255)))


def slow_readers(scene):
    """Many connections that ask for much and take nothing: more than could all have what one may have."""
    hostiles = [Hostile(scene.attacker, 19, window=0) for _ in range(1500)]
    for _ in range(5):
        for hostile in hostiles:
            hostile.send(window=0)
            hostile.take()
    memory = scene.daemon.ctl_json("status")["stack"]["buffer_bytes"]
    for hostile in hostiles:
        hostile.reset()
    return f"{memory >> 10} KiB in buffers"


ATTACKS = (blind_reset, blind_syn, blind_data, old_timestamps, icmp_to_others, icmp_in_flight, syn_flood, land,
           sack_flood, hole_flood, tiny_segments, optimistic_acks, divided_acks, fragments, challenge_counting,
           option_garbage, neighbour_flood, slow_readers)


def test_attacks(env):
    seed = int(os.environ.get("TAPSTACK_LIVE_SEED", time.time_ns() & 0xffffffff))
    print(f"     seed {seed}; goodput before, during and after, of all honest connections together; at least "
          f"{DURING} of it during an attack, {AFTER} after it")
    for family in families():
        scene = Scene(env, family, seed)
        for attack in ATTACKS:
            scene.under_attack(attack.__name__, lambda attack=attack: attack(scene))
        check(scene.daemon.alive(), "the daemon lives")
        scene.honest.counts()
        scene.honest.kill()
        scene.daemon.stop()


if __name__ == "__main__":
    main()
