#!/usr/bin/env python3
"""A peer that is gone without a word, in each state: how long the daemon hopes, and the reason it records. The peer is
made by hand, on the unix link, with time-outs of a fraction of a second."""
import select
import time

from harness import check, equal, main, wait_until
from peer import ACK, FIN, PSH, SYN, Setup, in_state

CONFIG = {"tcp": {"rto_initial": "40ms", "rto_min": "20ms", "rto_max": "80ms", "retransmit_timeout": "600ms",
                  "half_open_timeout": "600ms", "fin_wait_2_timeout": "600ms", "msl": "300ms"}}


def at_once(sock):
    """A server that closes as soon as it is asked."""
    sock.recv(1)


def finish(setup, connection, state, cause, least=0.5):
    """From `state` silence leads to CLOSED, for this cause and not at once; nothing is left behind."""
    daemon = setup.daemon
    equal(daemon.last_transition(connection.local_port), (state, "CLOSED", cause), "last transition")
    duration, last_cause = daemon.sql("SELECT duration_s, last_cause FROM connections WHERE remote LIKE ?",
                                      f"%:{connection.local_port}")[0]
    equal(last_cause, cause, "last cause")
    check(duration > least, f"it was given up after {duration} s")
    equal(daemon.connections(), [], "what is left")
    equal(daemon.ctl_json("status")["stack"]["buffer_bytes"], 0, "bytes left in buffers")


def test_syn_received(env):
    """An old duplicate SYN never makes a connection: without the third step there is only a half-open record."""
    setup = Setup(env, CONFIG)
    connection = setup.connection().half_open()
    connection.expect(SYN | ACK)  # again
    finish(setup, connection, "SYN-RECEIVED", "TIMEOUT_SYN")
    equal(setup.daemon.story(connection.local_port)[0], ("LISTEN", "SYN-RECEIVED", "RECEIVED_SYN"), "first transition")
    equal(len(setup.daemon.story(connection.local_port)), 2, "transitions")


def test_established(env):
    setup = Setup(env, CONFIG)
    connection = setup.connection().open()
    connection.send(PSH | ACK, b"hello")
    first = connection.expect(PSH)
    again = connection.expect(PSH)
    equal((again.seq, again.data), (first.seq, b"hello"), "what is sent again")
    finish(setup, connection, "ESTABLISHED", "TIMEOUT_RETRANSMIT")


def test_established_and_idle(env):
    """With nothing under way there is nothing to miss: the connection stays."""
    setup = Setup(env, CONFIG)
    idle = setup.connection().open()
    busy = setup.connection().open()
    busy.send(PSH | ACK, b"hello")
    equal(setup.daemon.last_transition(busy.local_port)[2], "TIMEOUT_RETRANSMIT", "the end of the busy one")
    in_state(setup.daemon, idle, "ESTABLISHED")
    idle.send(PSH | ACK, b"still there?")
    equal(idle.expect(PSH).data, b"still there?", "echo")


def test_closed_window(env):
    """A peer that answers probes may keep its window closed for longer than any time-out; a silent one may not."""
    setup = Setup(env, CONFIG)
    connection = setup.connection().open()
    connection.send(PSH | ACK, b"hello", window=0)
    nothing_taken = connection.rcv_nxt
    give_up = time.monotonic() + 1.5
    while time.monotonic() < give_up:
        connection.expect(ACK)
        connection.send(ACK, ack=nothing_taken, window=0)
    finish(setup, connection, "ESTABLISHED", "TIMEOUT_ZERO_WINDOW", 2.0)


def test_fin_wait_1(env):
    setup = Setup(env, CONFIG, at_once)
    connection = setup.connection(80).open()
    connection.send(PSH | ACK, b"x")
    fin = connection.expect(FIN)
    equal(connection.expect(FIN).seq, fin.seq, "sequence number of the FIN that comes again")
    finish(setup, connection, "FIN-WAIT-1", "TIMEOUT_RETRANSMIT")


def test_fin_wait_2(env):
    """As long as the relay holds it, this may last; it lets go after its idle time."""
    setup = Setup(env, CONFIG, at_once, idle_timeout="400ms")
    connection = setup.connection(80).open()
    connection.send(PSH | ACK, b"x")
    connection.expect(FIN)
    connection.send(ACK)
    finish(setup, connection, "FIN-WAIT-2", "TIMEOUT_FIN_WAIT_2", 0.9)


def test_closing(env):
    setup = Setup(env, CONFIG, at_once)
    connection = setup.connection(80).open()
    connection.send(PSH | ACK, b"x")
    fin = connection.expect(FIN)
    connection.send(FIN | ACK, ack=fin.seq)
    finish(setup, connection, "CLOSING", "TIMEOUT_RETRANSMIT")


def test_close_wait(env):
    """The server has the last word, and nobody to say it to."""
    words = []

    def speak_late(sock):
        sock.recv(1)
        wait_until(lambda: words, "the word")
        sock.sendall(words[0])
        poller = select.poll()
        poller.register(sock, 0)
        poller.poll(10000)

    setup = Setup(env, CONFIG, speak_late)
    connection = setup.connection(80).open()
    connection.send(PSH | ACK, b"x")
    connection.send(FIN | ACK)
    connection.acknowledged()
    words.append(b"too late")
    equal(connection.expect(PSH).data, b"too late", "the last word")
    finish(setup, connection, "CLOSE-WAIT", "TIMEOUT_RETRANSMIT")


def test_last_ack(env):
    setup = Setup(env, CONFIG)
    connection = setup.connection().open()
    connection.send(FIN | ACK)
    fin = connection.expect(FIN)
    equal(connection.expect(FIN).seq, fin.seq, "sequence number of the FIN that comes again")
    finish(setup, connection, "LAST-ACK", "TIMEOUT_RETRANSMIT")


def test_time_wait(env):
    setup = Setup(env, CONFIG, at_once)
    connection = setup.connection(80).open()
    connection.send(PSH | ACK, b"x")
    connection.expect(FIN)
    connection.send(FIN | ACK)
    connection.acknowledged()
    finish(setup, connection, "TIME-WAIT", "TIMEOUT_2MSL")


if __name__ == "__main__":
    main()
