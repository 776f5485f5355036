#!/usr/bin/env python3
"""A reset in every state that a passive connection can be in: the state before it is the one wanted, the connection
is gone after it, and the audit says how it went. The peer is made by hand, on the unix link."""
import select

from harness import check, equal, main, read_all, wait_until
from peer import ACK, FIN, PSH, RST, SYN, Setup, in_state

# What comes again would come in between.
CONFIG = {"tcp": {"rto_initial": "10s", "rto_min": "10s"}}


def finish(setup, connection, state):
    """In `state`: a reset ends it at once and without an answer, and is recorded."""
    daemon = setup.daemon
    in_state(daemon, connection, state)
    connection.reset()
    connection.send(ACK)
    equal(connection.answer(RST).seq, connection.rcv_nxt, "sequence number of the answer to the first segment after it")
    equal(daemon.connections(peer_port=connection.local_port), [], "what is left of it")
    equal(daemon.last_transition(connection.local_port), (state, "CLOSED", "RECEIVED_RST"), "last transition")
    rows = daemon.sql("SELECT state, last_cause, last_speaker FROM connections WHERE remote LIKE ?",
                      f"%:{connection.local_port}")
    equal(rows, [("CLOSED", "RECEIVED_RST", "peer")], "its record")
    counters = daemon.ctl_json("counters")
    equal(counters["attempt_fails"], state == "SYN-RECEIVED", "attempts that failed")
    equal(counters["established_resets"], state in ("ESTABLISHED", "CLOSE-WAIT"), "resets of what was established")


def at_once(sock):
    """A server that closes as soon as it is asked."""
    sock.recv(1)


def wait_for_reset(sock):
    """A server that has seen the end, and does nothing until the relay gives the reset on."""
    equal(read_all(sock), b"x", "what the server is sent")
    poller = select.poll()
    poller.register(sock, 0)
    check(poller.poll(10000), "a reset at the server")


def test_listen(env):
    setup = Setup(env, CONFIG)
    connection = setup.connection()
    connection.send(RST)
    connection.quiet()
    connection.open()
    connection.send(PSH | ACK, b"hello")
    equal(connection.expect(PSH).data, b"hello", "echo, afterwards")


def test_syn_received(env):
    setup = Setup(env, CONFIG)
    finish(setup, setup.connection().half_open(), "SYN-RECEIVED")


def test_established(env):
    setup = Setup(env, CONFIG)
    finish(setup, setup.connection().open(), "ESTABLISHED")


def test_reset_outside_the_window_is_ignored(env):
    """RFC 5961: only exactly RCV.NXT resets; in the window it is challenged, elsewhere dropped."""
    setup = Setup(env, CONFIG)
    connection = setup.connection().open()
    here = connection.snd_nxt
    connection.send(RST, seq=(here - 1) % (1 << 32))
    connection.quiet()
    connection.send(RST, seq=(here + 100) % (1 << 32))
    challenge = connection.expect(ACK)
    equal(challenge.ack, here, "acknowledgement number of the challenge")
    in_state(setup.daemon, connection, "ESTABLISHED")
    connection.snd_nxt = here
    finish(setup, connection, "ESTABLISHED")


def test_syn_in_established_is_challenged(env):
    setup = Setup(env, CONFIG)
    connection = setup.connection().open()
    here = connection.snd_nxt
    connection.send(SYN, seq=(here + 5) % (1 << 32))
    equal(connection.expect(ACK).ack, here, "acknowledgement number of the challenge")
    in_state(setup.daemon, connection, "ESTABLISHED")


def test_fin_wait_1(env):
    setup = Setup(env, CONFIG, at_once)
    connection = setup.connection(80).open()
    connection.send(PSH | ACK, b"x")
    connection.expect(FIN)
    finish(setup, connection, "FIN-WAIT-1")


def test_fin_wait_2(env):
    setup = Setup(env, CONFIG, at_once)
    connection = setup.connection(80).open()
    connection.send(PSH | ACK, b"x")
    connection.expect(FIN)
    connection.send(ACK)
    finish(setup, connection, "FIN-WAIT-2")


def test_closing(env):
    """Both have closed, and neither has been acknowledged: our FIN crosses theirs."""
    setup = Setup(env, CONFIG, at_once)
    connection = setup.connection(80).open()
    connection.send(PSH | ACK, b"x")
    fin = connection.expect(FIN)
    connection.send(FIN | ACK, ack=fin.seq)
    connection.acknowledged()
    finish(setup, connection, "CLOSING")


def test_close_wait(env):
    """We have closed, and the server has not yet: it waits for the reset."""
    setup = Setup(env, CONFIG, wait_for_reset)
    connection = setup.connection(80).open()
    connection.send(PSH | ACK, b"x")
    connection.send(FIN | ACK)
    connection.acknowledged()
    finish(setup, connection, "CLOSE-WAIT")
    setup.server.results()


def test_last_ack(env):
    setup = Setup(env, CONFIG)
    connection = setup.connection().open()
    connection.send(FIN | ACK)
    connection.expect(FIN)
    finish(setup, connection, "LAST-ACK")


def test_time_wait(env):
    """RFC 1337: a reset may not end TIME-WAIT early, or an old duplicate could. It ends by itself after 2 MSL."""
    setup = Setup(env, {"tcp": {"msl": "1s", **CONFIG["tcp"]}}, at_once)
    connection = setup.connection(80).open()
    connection.send(PSH | ACK, b"x")
    fin = connection.expect(FIN)
    connection.send(FIN | ACK)
    connection.answer(ACK)
    in_state(setup.daemon, connection, "TIME-WAIT")
    connection.reset()
    connection.send(FIN | ACK, seq=connection.snd_nxt - 1)
    equal(connection.answer(ACK).seq, fin.seq + 1, "sequence number of the ACK of the FIN that came again")
    in_state(setup.daemon, connection, "TIME-WAIT")
    check(setup.daemon.ctl_json("counters")["verdicts"]["DROP_RST_SEQ"], "the reset is counted as refused")
    equal(setup.daemon.last_transition(connection.local_port), ("TIME-WAIT", "CLOSED", "TIMEOUT_2MSL"), "its end")


def test_reset_for_nobody(env):
    """A segment for no connection is answered with a reset, a reset for no connection with nothing."""
    setup = Setup(env, CONFIG)
    connection = setup.connection()
    connection.send(ACK, ack=12345)
    equal(connection.expect(RST).seq, 12345, "its sequence number")
    connection.send(RST | ACK)
    connection.quiet()
    connection = setup.connection(port=4444)
    connection.send(SYN)
    answer = connection.expect(RST | ACK)
    equal(answer.ack, connection.snd_nxt, "its acknowledgement number")


if __name__ == "__main__":
    main()
