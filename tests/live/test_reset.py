#!/usr/bin/env python3
"""A reset in every state that a passive connection can be in: the state before it is the one wanted, the connection
is gone after it, and the audit says how it went. The peer is made by hand, on the unix link."""
import os

from harness import check, equal, main, wait_until
from peer import ACK, FIN, PSH, RST, SYN, Connection, Wire
from traffic import Server


def states_of(daemon, local_port):
    return [row["state"] for row in daemon.ctl_json("connections") if row.get("peer_port") == local_port]


def in_state(daemon, connection, state):
    wait_until(lambda: states_of(daemon, connection.local_port) == [state], f"state {state}")


def is_gone(daemon, connection):
    wait_until(lambda: not states_of(daemon, connection.local_port), "the connection is gone")


class Setup:
    """A daemon on a unix link with an echo, and a relay to a server that does what the test says."""

    def __init__(self, env, config=None, handler=None):
        path = os.path.join(env.directory, "link")
        services = [{"name": "echo", "kind": "echo", "port": 7}]
        if handler:
            server = Server(handler)
            env.cleanup(server.close)
            services.append({"name": "relay", "kind": "relay", "port": 80, "target": server.target})
        self.daemon = env.daemon(services=services, config={
            "link": {"backend": "unix:" + path, "host_addresses": []}, **(config or {})})
        self.wire = Wire(path)
        env.cleanup(self.wire.close)

    def connection(self, port=7, **options):
        Setup.next_port = getattr(Setup, "next_port", 40000) + 1
        return Connection(self.wire, port, Setup.next_port, **options)

    def last_transition(self, connection):
        """(from, to, cause) of the connection's end, once the recorder has stored it."""
        def stored():
            return self.daemon.sql("SELECT from_state, to_state, cause FROM transitions AS t JOIN connections AS c "
                                   "ON c.connection = t.connection WHERE c.remote LIKE ? "
                                   "ORDER BY t.connection DESC, t.n DESC LIMIT 1", f"%:{connection.local_port}")
        return wait_until(stored, "its last transition")[0]


def finish(setup, connection, state):
    """In `state`: a reset ends it, and is recorded."""
    in_state(setup.daemon, connection, state)
    connection.reset()
    is_gone(setup.daemon, connection)
    wait_until(lambda: setup.last_transition(connection)[1] == "CLOSED", "the end in the audit")
    equal(setup.last_transition(connection), (state, "CLOSED", "RECEIVED_RST"), "last transition")


def at_once(sock):
    """A server that closes as soon as it is asked."""
    sock.recv(1)


def wait_for_reset(sock):
    """Until the relay gives the reset on: writing fails then."""
    def is_reset():
        try:
            sock.send(b"y")
            return False
        except ConnectionError:
            return True
    wait_until(is_reset, "the reset at the server")


def test_listen(env):
    setup = Setup(env)
    connection = setup.connection()
    connection.send(RST)
    connection.quiet()
    connection.open()
    connection.send(PSH | ACK, b"hello")
    equal(connection.expect(PSH).data, b"hello", "echo, afterwards")


def test_syn_received(env):
    setup = Setup(env)
    finish(setup, setup.connection().half_open(), "SYN-RECEIVED")


def test_established(env):
    setup = Setup(env)
    finish(setup, setup.connection().open(), "ESTABLISHED")


def test_reset_outside_the_window_is_ignored(env):
    """RFC 5961: only exactly RCV.NXT resets; in the window it is challenged, elsewhere dropped."""
    setup = Setup(env)
    connection = setup.connection().open()
    here = connection.snd_nxt
    connection.send(RST, seq=(here - 1) % (1 << 32))
    connection.quiet()
    connection.send(RST, seq=(here + 100) % (1 << 32))
    challenge = connection.expect(ACK)
    equal(challenge.ack, here, "acknowledgement number of the challenge")
    in_state(setup.daemon, connection, "ESTABLISHED")
    connection.send(RST, seq=here)
    is_gone(setup.daemon, connection)


def test_syn_in_established_is_challenged(env):
    setup = Setup(env)
    connection = setup.connection().open()
    here = connection.snd_nxt
    connection.send(SYN, seq=(here + 5) % (1 << 32))
    equal(connection.expect(ACK).ack, here, "acknowledgement number of the challenge")
    in_state(setup.daemon, connection, "ESTABLISHED")


def test_fin_wait_1(env):
    setup = Setup(env, handler=at_once)
    connection = setup.connection(80).open()
    connection.send(PSH | ACK, b"x")
    connection.expect(FIN)
    finish(setup, connection, "FIN-WAIT-1")


def test_fin_wait_2(env):
    setup = Setup(env, handler=at_once)
    connection = setup.connection(80).open()
    connection.send(PSH | ACK, b"x")
    connection.expect(FIN)
    connection.send(ACK)
    finish(setup, connection, "FIN-WAIT-2")


def test_closing(env):
    """Both have closed, and neither has been acknowledged: our FIN crosses theirs."""
    setup = Setup(env, handler=at_once)
    connection = setup.connection(80).open()
    connection.send(PSH | ACK, b"x")
    fin = connection.expect(FIN)
    connection.send(FIN | ACK, ack=fin.seq)
    finish(setup, connection, "CLOSING")


def test_close_wait(env):
    """We have closed, and the server has not yet: it waits for the reset."""
    setup = Setup(env, handler=lambda sock: [sock.recv(1), sock.recv(1), wait_for_reset(sock)])
    connection = setup.connection(80).open()
    connection.send(PSH | ACK, b"x")
    connection.send(FIN | ACK)
    finish(setup, connection, "CLOSE-WAIT")


def test_last_ack(env):
    setup = Setup(env)
    connection = setup.connection().open()
    connection.send(FIN | ACK)
    connection.expect(FIN)
    finish(setup, connection, "LAST-ACK")


def test_time_wait(env):
    """RFC 1337: a reset may not end TIME-WAIT early, or an old duplicate could. It ends by itself after 2 MSL."""
    setup = Setup(env, config={"tcp": {"msl": "500ms"}}, handler=at_once)
    connection = setup.connection(80).open()
    connection.send(PSH | ACK, b"x")
    connection.expect(FIN)
    connection.send(FIN | ACK)
    connection.expect(ACK)
    in_state(setup.daemon, connection, "TIME-WAIT")
    connection.reset()
    is_gone(setup.daemon, connection)
    wait_until(lambda: setup.last_transition(connection)[1] == "CLOSED", "the end in the audit")
    check(setup.last_transition(connection)[2] in ("TIMEOUT_2MSL", "RECEIVED_RST"), "how it ended")


def test_reset_for_nobody(env):
    """A segment for no connection is answered with a reset, a reset for no connection with nothing."""
    setup = Setup(env)
    connection = setup.connection()
    connection.send(ACK, ack=12345)
    equal(connection.expect(RST).seq, 12345, "its sequence number")
    connection.send(RST | ACK)
    connection.quiet()
    connection = setup.connection(port=4444)
    connection.send(SYN)
    answer = connection.expect(RST | ACK)
    equal(answer.ack, connection.snd_nxt, "its acknowledgement number")


def test_silence_before_the_handshake_is_complete(env):
    """An old duplicate SYN never makes a connection: without the third step there is only a half-open record."""
    setup = Setup(env, config={"tcp": {"half_open_timeout": "500ms"}})
    connection = setup.connection().half_open()
    in_state(setup.daemon, connection, "SYN-RECEIVED")
    is_gone(setup.daemon, connection)
    rows = setup.daemon.sql("SELECT count(*) FROM transitions WHERE to_state = 'ESTABLISHED'")
    equal(rows[0][0], 0, "connections that were established")


if __name__ == "__main__":
    main()
