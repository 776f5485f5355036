#!/usr/bin/env python3
"""The same seeded scripts of segments to this stack and to the kernel's TCP; what they answer is compared by meaning:
reset or not, what is acknowledged, what is sent, which blocks are reported, which timestamp is echoed.

Where they may differ, EXPLAINED says so and why; anything else is a failure, which prints the seed and the script.

TAPSTACK_LIVE_SEED=N starts from a seed, TAPSTACK_LIVE_SCRIPTS=N sets how many are played."""
import collections
import os
import random
import time

from differential import BYE, DISCARD, ECHO, NOBODY, Script, Side, Step, kernel, settle, tapstack
from frames import ACK, FIN, PSH, RST, SYN, URG
from harness import IPV4, IPV6, check, families, main

SCRIPTS = int(os.environ.get("TAPSTACK_LIVE_SCRIPTS", 600))
BATCH = 150  # that are played side by side
SHOWN = 20  # examples of differences, each of another kind


class Writer:
    """Makes up a script. It keeps to what a peer could do and to what it could not: `sent` is the end of what was sent
    in order, `ahead` what lies beyond a hole."""

    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.port = self.dice.choice((ECHO, ECHO, ECHO, DISCARD, BYE))
        self.agreed = {name for name in ("mss", "sack", "wscale", "ts") if self.dice.random() < 0.7}
        self.steps = []
        self.sent = 1
        self.ahead = []
        self.closed = False

    def add(self, kind, flags, seq, ack=None, **more):
        self.steps.append(Step(kind, flags, seq, ack, **more))

    def write(self, seed):
        opening = self.dice.choices((self.open, self.open_oddly, self.knock), (12, 3, 2))[0]
        if opening():
            for _ in range(self.dice.randrange(3, 10)):
                if self.dice.choices((self.ordinary, self.hostile, self.closing), (6, 5, 1))[0]():
                    break
            # What it has come to: one more byte shows the state.
            self.add("a last byte", PSH | ACK, self.sent, length=1)
            self.add("a last ACK", ACK, self.sent + 1)
        return Script(seed, self.port, self.agreed, self.steps)

    # ---- openings; True: the connection is there

    def open(self):
        self.add("SYN", SYN, 0)
        if self.dice.random() < 0.2:
            self.sent += (length := self.dice.randrange(1, 1000))
            self.add("text with the ACK of the SYN", PSH | ACK, 1, length=length)
        else:
            self.add("ACK of the SYN", ACK, 1)
        return True

    def open_oddly(self):
        """Something happens before the handshake is complete."""
        self.add("SYN", SYN, 0)
        odd = self.dice.choice(("again", "other", "reset", "reset off", "reset far", "wrong ack", "old ack", "fin",
                                "no ack", "syn ack", "early"))
        if odd == "again":
            self.add("SYN again", SYN, 0, timestamp="new")
        elif odd == "other":
            self.add("another SYN in the window", SYN, 500)
        elif odd == "reset":
            self.add("RST, exact", RST, 1)
            self.add("ACK after the RST", ACK, 1, 1)
            return False
        elif odd == "reset off":
            self.add("RST in the window", RST, 100)
        elif odd == "reset far":
            self.add("RST far away", RST, 1 << 30)
        elif odd == "wrong ack":
            self.add("ACK of the unsent in SYN-RECEIVED", ACK, 1, 5000)
        elif odd == "old ack":
            self.add("old ACK in SYN-RECEIVED", ACK, 1, -5000)
        elif odd == "fin":
            self.add("FIN with the ACK of the SYN", FIN | ACK, 1)
            self.sent, self.closed = 2, True
        elif odd == "no ack":
            self.add("text without ACK in SYN-RECEIVED", PSH, 1, length=10)
        elif odd == "syn ack":
            self.add("SYN-ACK in SYN-RECEIVED", SYN | ACK, 0, 1)
        elif odd == "early":
            self.add("text ahead of the ACK of the SYN", PSH | ACK, 101, 1, length=10)
            self.ahead.append((101, 111))
        self.add("ACK of the SYN", ACK, self.sent, 1)
        return True

    def knock(self):
        """Segments for which there is nothing."""
        self.port = self.dice.choice((NOBODY, ECHO))
        for flags in self.dice.sample((SYN, ACK, RST, FIN, FIN | ACK, RST | ACK, SYN | ACK, SYN | RST, PSH, 0,
                                       SYN | FIN, FIN | PSH | URG, SYN | FIN | RST | ACK), 3):
            # A SYN to a listener opens a connection: of that there are other scripts.
            if self.port == NOBODY or not flags & SYN or flags & (RST | ACK):
                self.add("to nobody", flags, 10, self.dice.choice((0, 77)), length=self.dice.choice((0, 5)))
        return False

    # ---- ordinary; True: the end

    def ordinary(self):
        dice = self.dice
        kind = dice.choice(("text", "text", "text", "ahead", "ahead", "fill", "again", "overlap", "ack", "half ack",
                            "urgent", "shut", "push nothing"))
        if self.closed:
            kind = dice.choice(("ack", "again"))
        if kind == "text":
            length = dice.choice((1, 10, 100, 536, 1000))
            self.add("text", PSH | ACK, self.sent, length=length)
            self.advance(length)
        elif kind == "ahead":
            at = self.sent + dice.choice((1, 100, 1000, 3000))
            length = dice.choice((1, 100, 1000))
            self.add("text ahead", PSH | ACK, at, length=length)
            self.ahead.append((at, at + length))
        elif kind == "fill" and self.ahead:
            length = min(start for start, _ in self.ahead) - self.sent
            if 0 < length <= 1400:
                self.add("text that fills a hole", PSH | ACK, self.sent, length=length)
                self.advance(length)
        elif kind == "again" and self.sent > 1:
            start = dice.randrange(max(1, self.sent - 1000), self.sent)
            self.add("text again", PSH | ACK, start, length=dice.randrange(1, self.sent - start + 1))
        elif kind == "overlap" and self.sent > 1:
            start = dice.randrange(max(1, self.sent - 400), self.sent)
            self.add("text again and new", PSH | ACK, start, length=self.sent - start + 50)
            self.advance(50)
        elif kind == "ack":
            self.add("ACK", ACK, self.sent)
        elif kind == "half ack":
            self.add("ACK of the first byte", ACK, self.sent, 1 if self.port != ECHO or self.sent < 3 else 2)
        elif kind == "urgent":
            self.add("urgent text", PSH | ACK | URG, self.sent, length=20, urgent=dice.choice((1, 5, 20, 500)))
            self.advance(20)
        elif kind == "shut":
            self.add("text with a closed window", PSH | ACK, self.sent, length=100, window=0)
            self.advance(100)
            self.add("the window opens", ACK, self.sent, window=30000)
        else:
            self.add("PSH of nothing", PSH | ACK, self.sent)
        return False

    def advance(self, length):
        self.sent += length
        for start, end in sorted(self.ahead):
            if start <= self.sent < end:
                self.sent = end
        self.ahead = [(start, end) for start, end in self.ahead if end > self.sent]

    # ---- what a peer does not do

    def hostile(self):
        dice, sent = self.dice, self.sent
        far = dice.choice((1 << 29, 3 << 29, -(1 << 28), 1 << 31))
        kind, flags, seq, ack, more = dice.choice((
            ("RST in the window", RST, sent + dice.choice((1, 100, 5000)), 0, {}),
            ("RST before the window", RST, sent - 1, 0, {}),
            ("RST far away", RST, sent + far, 0, {}),
            ("RST, exact", RST, sent, 0, {}),
            ("RST with ACK, exact", RST | ACK, sent, None, {}),
            ("RST with an ACK of the unsent, in the window", RST | ACK, sent + 7, 1 << 30, {}),
            ("SYN in the window", SYN, sent + 10, 0, {}),
            ("SYN, exact", SYN, sent, 0, {}),
            ("SYN before the window", SYN, sent - 1, 0, {}),
            ("SYN far away", SYN, sent + far, 0, {}),
            ("SYN-ACK", SYN | ACK, 0, 1, {}),
            ("SYN-ACK in the window", SYN | ACK, sent + 20, None, {}),
            ("text far away", PSH | ACK, sent + far, None, {"length": 10}),
            ("FIN far away", FIN | ACK, sent + far, None, {}),
            ("nothing far away", ACK, sent + far, None, {}),
            ("nothing before the window", ACK, sent - 1, None, {}),
            ("nothing in the window", ACK, sent + 50, None, {}),
            ("ACK of the unsent", ACK, sent, 100000, {}),
            ("ACK of far unsent", ACK, sent, 1 << 30, {}),
            ("text with an ACK of the unsent", PSH | ACK, sent, 100000, {"length": 10}),
            ("a very old ACK", ACK, sent, -(1 << 29), {}),
            ("text with a very old ACK", PSH | ACK, sent, -(1 << 29), {"length": 10}),
            ("a byte of the past as a probe", ACK, sent - 1, None, {"length": 1}),
            ("text without ACK", PSH, sent, 0, {"length": 10}),
            ("FIN without ACK", FIN, sent, 0, {}),
            ("no flags", 0, sent, 0, {}),
            ("all flags", SYN | FIN | RST | PSH | ACK | URG, sent + 3, None, {}),
            ("SYN and FIN", SYN | FIN, sent, 0, {}),
            ("SYN and RST in the window", SYN | RST, sent + 3, 0, {}),
            ("a bad checksum", PSH | ACK, sent, None, {"length": 10, "bad_checksum": True}),
            ("an old timestamp", PSH | ACK, sent, None, {"length": 10, "timestamp": "old"}),
            ("nothing, with an old timestamp", ACK, sent, None, {"timestamp": "old"}),
            ("RST, exact, with an old timestamp", RST, sent, 0, {"timestamp": "old"}),
            ("FIN with an old timestamp", FIN | ACK, sent, None, {"timestamp": "old"}),
            ("no timestamp", PSH | ACK, sent, None, {"length": 10, "timestamp": None}),
            ("RST without timestamp in the window", RST, sent + 9, 0, {"timestamp": None}),
        ))
        if "ts" not in self.agreed and (more.get("timestamp") or "timestamp" in more):
            return False
        if self.closed and more.get("length"):
            return False
        self.add(kind, flags, seq, ack, **more)
        return "exact" in kind and kind.startswith("RST")

    # ---- ends

    def closing(self):
        if self.closed or self.ahead:
            return False
        kind = self.dice.choice(("fin", "fin with text", "fin ahead", "fin again"))
        if kind == "fin ahead":
            self.add("FIN beyond a hole", FIN | ACK, self.sent + 10)
            self.add("text that fills the hole before the FIN", PSH | ACK, self.sent, length=10)
            self.sent += 11
        elif kind == "fin with text":
            self.add("text and FIN", FIN | PSH | ACK, self.sent, length=25)
            self.sent += 26
        else:
            self.add("FIN", FIN | ACK, self.sent)
            self.sent += 1
            if kind == "fin again":
                self.add("FIN again", FIN | ACK, self.sent - 1)
        self.closed = True
        self.add("ACK after the FIN", ACK, self.sent)
        return self.dice.random() < 0.5


def only_duplicates(_, __, difference, *histories):
    """Blocks that report what had come before, and what lies outside the window, aside, both report the same."""
    if set(difference) != {"sack"} or None in difference["sack"]:
        return False
    plain = []
    for history in histories:
        blocks, ack = history[-1]["sack"], history[-1]["ack"]
        plain.append({(start, end) for start, end in blocks if ack < end < 1 << 24 and not any(
            (left, right) != (start, end) and left <= start and end <= right for left, right in blocks)})
    return plain[0] == plain[1]


def before_the_window(steps, number, _, __, ours):
    """The segment lies wholly before the window; or one did since we have sent a FIN, which its ACK may cover."""
    closed = next((index for index, answer in enumerate(ours) if "FIN" in answer), number)
    return any(lies_before(steps, index, ours) for index in (*range(closed, number), number))


def lies_before(steps, number, ours):
    step, acked = steps[number], max((answer["ack"] for answer in ours[:number] if "ack" in answer), default=1)
    end = step.seq + step.length + bool(step.flags & FIN)
    return not step.flags & (SYN | RST) and step.seq < acked and end <= acked


def fin_was_beyond_a_hole(steps, number, *_):
    """A FIN for which there was no place yet has come, and nothing in order since then but what is now at hand."""
    return any(step.kind == "FIN beyond a hole" for step in steps[max(0, number - 1):number + 1])


EMBRYO = ("another SYN in the window", "RST in the window", "text without ACK in SYN-RECEIVED",
          "SYN-ACK in SYN-RECEIVED")


def before_the_handshake_was_complete(steps, number, *_):
    """Something came to a half-open connection that the two see differently: at once, or with the ACK that follows."""
    return number <= 2 and any(step.kind in EMBRYO for step in steps[1:number + 1]) and steps[0].kind == "SYN"


def echo_of_an_unacceptable_ack(steps, number, difference, *_):
    return set(difference) == {"echo"} and "old ACK" in steps[number].kind


def text_with_an_old_ack(steps, number, difference, theirs, ours):
    """The kernel takes it, we challenge it."""
    return "very old ACK" in steps[number].kind and theirs[-1].get("ack", 0) > ours[-1].get("ack", 1 << 31)


def has_ended(steps, number, ours):
    """Both sides have sent a FIN before this step."""
    return any("FIN" in answer for answer in ours[:number]) and any(step.flags & FIN for step in steps[:number])


def compact_fin_wait_2(steps, number, difference, theirs, ours):
    """Our FIN is acknowledged and the service is gone: the kernel keeps little more than of TIME-WAIT."""
    closed = next((index for index, answer in enumerate(ours) if "FIN" in answer), number)
    acked = any(step.flags & ACK for step in steps[closed + 1:number])
    quiet = all(set(answers[-1]) <= {"ack", "window", "echo", "sack"} for answers in (theirs, ours))
    step = steps[number]
    return acked and (step.ack is not None or set(difference) == {"echo"} or
                      quiet and step.length == 0 and not step.flags & FIN and "ack" in difference)


def timestamp_of_time_wait(steps, number, difference, _, ours):
    return set(difference) == {"echo"} and has_ended(steps, number, ours)


def ahead_of_nobody(steps, number, difference, theirs, ours):
    """Text beyond a hole, for a service that has closed: the kernel resets at once."""
    return "RST" in theirs[-1] and "RST" not in ours[-1] and any("FIN" in answer for answer in ours[:number]) and \
        steps[number].seq > ours[-1].get("ack", 1 << 31)


def fin_for_a_closed_service(steps, number, _, theirs, ours):
    step = steps[number]
    closed = any("FIN" in answer for answer in ours[:number])
    return closed and "RST" in theirs[-1] and step.flags & FIN and step.length > 0


def below_the_highest(steps, number, difference, *_):
    """The window closes in a segment that lies below one that came before."""
    here = steps[number].seq
    return not set(difference) - {"data", "sack"} and any(
        here < step.seq < here + 65536 for step in steps[:number] if not step.flags & (SYN | RST))


def echo_after_an_old_ack(steps, number, difference, *_):
    """A segment before this one acknowledged less than one before it did."""
    return set(difference) == {"echo"} and any(step.kind == "ACK of the first byte" for step in steps[:number + 1])


def without_timestamp(steps, number, *_):
    return steps[number].timestamp is None and not steps[number].flags & RST


SAME_STATE = "D-SACK"
# (name, whether it explains a difference, reference and reason). What is explained ends the comparison of its script,
# since the two connections are not in the same state any more; but for the first one.
EXPLAINED = (
    (SAME_STATE, only_duplicates,
     "RFC 2883: the kernel reports every duplicate, and text outside the window too."),
    ("no timestamp", without_timestamp,
     "RFC 7323 section 3.2: where timestamps were agreed on, a segment without (RST aside) SHOULD be dropped silently. "
     "We do; the kernel takes it."),
    ("before the window", before_the_window,
     "RFC 9293 section 3.10.7.4, first: what is not acceptable is answered with an ACK, and nothing more of it is "
     "looked at. The kernel calls a segment acceptable that ends at RCV.NXT, and takes its ACK."),
    ("FIN beyond a hole", fin_was_beyond_a_hole,
     "RFC 9293 section 3.10.7.4: what comes out of order SHOULD be held. The kernel holds and reports a FIN alone too; "
     "we hold text, and a FIN with it, and have a FIN that came alone sent again."),
    ("half-open", before_the_handshake_was_complete,
     "RFC 5961 sections 3.2 and 4.2: a RST or SYN in the window that is not exact is challenged, also in SYN-RECEIVED. "
     "The kernel ends a half-open connection for a SYN, and repeats its challenge."),
    ("timestamp of an unacceptable ACK", echo_of_an_unacceptable_ack,
     "RFC 5961 section 5: a segment whose ACK is too old may be forged, so its timestamp is not kept. The kernel "
     "does."),
    ("text with a very old ACK", text_with_an_old_ack,
     "RFC 5961 section 5.2: it is dropped and challenged; the kernel's fast path does not look."),
    ("timestamp in TIME-WAIT", timestamp_of_time_wait,
     "RFC 9293 section 3.10.7.4: all that can arrive in TIME-WAIT is the FIN again. The kernel goes on keeping "
     "timestamps of other segments; we echo the FIN's."),
    ("compact FIN-WAIT-2", compact_fin_wait_2,
     "RFC 9293 section 3.10.7.4, fifth, and RFC 7323 section 4.3: ACKs and timestamps count in FIN-WAIT-2 as they do "
     "before. The kernel does not look at them any more when the service is gone, and answers a RST."),
    ("text ahead for nobody", ahead_of_nobody,
     "RFC 9293 section 3.6.1: text that nobody can read any more is answered with a reset. The kernel resets for text "
     "beyond a hole; we ask for what is missing first, since a FIN may lie in it."),
    ("text and FIN for nobody", fin_for_a_closed_service,
     "As above; but our service is a relay, which finds its server gone when it hands the text on. With the FIN in the "
     "same segment the connection has come to its end by then, and there is nothing left to reset."),
    ("window of a segment below the highest", below_the_highest,
     "RFC 9293 section 3.10.7.4, fifth: a window is taken from a segment whose number is not below SND.WL1, even where "
     "that came ahead of a hole. The kernel also takes it from one that acknowledges something new."),
    ("timestamp of an old ACK", echo_after_an_old_ack,
     "RFC 7323 section 4.3: the sequence number decides whether a timestamp is kept. The kernel keeps none of a "
     "segment whose ACK is below SND.UNA."),
)


def differences(theirs, ours):
    """Fields in which the answers differ, {name: (kernel's, ours)}. Whether a reset also acknowledges is no matter when
    its sequence number is the one that counts."""
    if theirs.get("RST") and ours.get("RST") and theirs["RST"][0] == ours["RST"][0]:
        theirs, ours = {**theirs, "RST": None}, {**ours, "RST": None}
    found = {name: (theirs.get(name), ours.get(name)) for name in set(theirs) | set(ours)
             if theirs.get(name) != ours.get(name)}
    return found


def play(subjects, scripts, first_port, quiet):
    """Plays all of them side by side; yields (script, number of the step, differences, answers of both so far, names of
    explanations)."""
    games = [(script, [Side(subject, script, first_port + index) for subject in subjects])
             for index, script in enumerate(scripts)]
    longest = max((len(script.steps) for script in scripts), default=0)
    for number in range(longest):
        live = [(script, sides) for script, sides in games if number < len(script.steps)]
        for script, sides in live:
            for side in sides:
                side.play(script.steps[number])
        settle(subjects, quiet)
        for script, sides in live:
            theirs, ours = (side.meaning() for side in sides)
            difference = differences(theirs, ours)
            answers = [side.history for side in sides]
            names = [name for name, holds, _ in EXPLAINED
                     if difference and holds(script.steps, number, difference, *answers)]
            # What comes after the end, or to another connection with the same ports, is not what the script is about.
            over = number >= 2 and ("RST" in ours or "SYN" in ours)
            if over or difference and names[:1] != [SAME_STATE]:
                games.remove((script, sides))
            if difference:
                yield script, number, difference, answers, names


def describe(script, number, difference, answers):
    lines = [f"seed {script.seed}, port {script.port}, options {sorted(script.agreed)}: differ in {sorted(difference)}"]
    for step, theirs, ours in zip(script.steps[:number + 1], *answers):
        lines += [f"   {step}"] + [f"      {name} {answer}" for name, answer in (("kernel", theirs), ("ours  ", ours))]
    return "\n".join(lines)


def test_differential_ipv4(env):
    compare(env, IPV4, SCRIPTS)


def test_differential_ipv6(env):
    """The same machine, other headers: a part of the scripts will do."""
    if IPV6 in families():
        compare(env, IPV6, SCRIPTS // 3)


def compare(env, family, count):
    first = int(os.environ.get("TAPSTACK_LIVE_SEED", time.time_ns() & 0xffffff))
    print(f"     {family.name}: seeds {first} to {first + count - 1}")
    subjects = kernel(env, family), tapstack(env, family)
    explained, wrong, steps = collections.Counter(), [], 0

    def compare_all(scripts, first_port, quiet):
        for script, number, difference, answers, names in play(subjects, scripts, first_port, quiet):
            if names:
                explained[names[0]] += 1
            else:
                wrong.append((script, number, difference, answers))

    for start in range(first, first + count, BATCH):
        scripts = [Writer(seed).write(seed) for seed in range(start, min(start + BATCH, first + count))]
        scripts = [script for script in scripts if script.steps]
        steps += sum(len(script.steps) for script in scripts)
        compare_all(scripts, 2000 + (start - first) % 48000, 0.05)
    for patience in 0.1, 0.2:
        # An answer that a busy machine has kept waiting looks like none: what differs has to do so again.
        again, wrong[:] = [script for script, *_ in wrong], []
        for start in range(0, len(again), BATCH):
            compare_all(again[start:start + BATCH], int(50000 + 20000 * patience + start % 1500), patience)
    print(f"     {count} scripts, {steps} segments to each; explained differences: {dict(explained) or 'none'}")
    shown = {example[0].steps[example[1]].kind: example for example in wrong}
    for example in list(shown.values())[:SHOWN]:
        print(describe(*example))
    check(not wrong, f"{len(wrong)} differences without an explanation: " + str(collections.Counter(
        script.steps[number].kind for script, number, _, _ in wrong)))


if __name__ == "__main__":
    main()
