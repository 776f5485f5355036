#!/usr/bin/env python3
"""The kernel's TCP against echo, discard and chargen: bulk, many at once, half-closed, cut off."""
import socket
import subprocess
import time

from harness import (FAMILY, STACK, Thread, check, connect, equal, main, read_all, read_exactly, reset, wait_until)
from traffic import BULK_BYTES, CHUNK, Child, echo_bulk, pattern, receive_for_ever, send_for_ever, under_way

SERVICES = [{"name": "echo", "kind": "echo", "port": 7}, {"name": "discard", "kind": "discard", "port": 9},
            {"name": "chargen", "kind": "chargen", "port": 19}]


def test_bulk_through_echo(env):
    env.daemon(services=SERVICES)
    began = time.monotonic()
    with connect(7, 60) as sock:
        echo_bulk(sock, BULK_BYTES)
    took = time.monotonic() - began
    print(f"     {BULK_BYTES >> 20} MiB each way in {took:.1f} s: {BULK_BYTES * 8 / took / 1e9:.2f} Gb/s each way")


def test_beyond_the_sequence_space(env):
    """Positions come round again after 2^32 bytes, and comparisons change sides after 2^31, in both directions."""
    daemon = env.daemon(services=SERVICES)
    size = min(BULK_BYTES * 9 // 2, 9 << 29)
    block = bytearray(CHUNK)
    with connect(19, 60) as sock:
        received = 0
        while received < size:
            count = sock.recv_into(block)
            check(count > 0, f"the end after {received} bytes")
            received += count
        reset(sock)
    with connect(9, 60) as sock:
        for _ in range(size // CHUNK):
            sock.sendall(block)
        sock.shutdown(socket.SHUT_WR)
        equal(read_all(sock), b"", "the end")
    daemon.stop()
    retransmitted = daemon.sql("SELECT sum(bytes_retransmitted) FROM connection")[0][0]
    check(retransmitted < size // 100, f"{retransmitted} of {size} bytes were sent again")


def test_two_hundred_at_once(env):
    daemon = env.daemon(services=SERVICES)
    before = daemon.open_descriptors()
    socks = [connect(7) for _ in range(200)]
    wait_until(lambda: [row["state"] for row in daemon.connections(7)] == ["ESTABLISHED"] * 200, "200 established")
    threads = [Thread(echo_bulk, sock, 256 * 1024 + number, number) for number, sock in enumerate(socks)]
    for thread in threads:
        thread.result()
    for sock in socks:
        sock.close()
    equal(daemon.open_descriptors(), before, "descriptors of the daemon")
    daemon.stop()
    count = daemon.sql("SELECT count(*) FROM connection")[0][0]
    equal(count, 200, "connections in the audit")


def test_half_close(env):
    """Whoever closes first, the other direction goes on for as long as it likes."""
    daemon = env.daemon(services=SERVICES)
    with connect(7) as sock:
        sock.sendall(b"all that I have to say")
        sock.shutdown(socket.SHUT_WR)
        equal(read_all(sock), b"all that I have to say", "what came back after our FIN")
    with connect(9) as sock:
        sock.sendall(pattern(3))
        sock.shutdown(socket.SHUT_WR)
        equal(read_all(sock), b"", "discard's answer")
    with connect(19) as sock:
        equal(len(read_exactly(sock, 4 * CHUNK)), 4 * CHUNK, "bytes of chargen")
        sock.shutdown(socket.SHUT_WR)
        read_all(sock)  # what was under way, and then its FIN
    daemon.stop()


def test_slow_reader(env):
    """A closed window is opened again, and nothing is lost in between."""
    env.daemon(services=SERVICES)
    with socket.socket(FAMILY.domain) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sock.settimeout(30)
        sock.connect((STACK, 7))
        data = pattern(4) * 4
        sender = Thread(lambda: (sock.sendall(data), sock.shutdown(socket.SHUT_WR)))
        time.sleep(0.5)  # lets every buffer fill: this is what is tested
        equal(read_all(sock), data, "what came back")
        sender.result()


def test_half_close_by_a_real_client(env):
    """nc -N closes its direction at the end of its input, and ends when the other one is closed."""
    daemon = env.daemon(services=SERVICES)
    data = pattern(5) * 8
    done = subprocess.run(["nc", "-N", STACK, "7"], input=data, capture_output=True, timeout=60, check=False)
    equal(done.returncode, 0, f"exit code of nc: {done.stderr.decode()}")
    check(done.stdout == data, "what came back is what was sent")
    daemon.stop()
    equal(daemon.sql("SELECT to_state, cause FROM transitions WHERE n > 1 ORDER BY n"),
          [("CLOSE-WAIT", "RECEIVED_FIN"), ("LAST-ACK", "LOCAL_CLOSE"), ("CLOSED", "RECEIVED_ACK_OF_FIN")],
          "the four-way close in the audit")
    equal(daemon.sql("SELECT bytes_received, bytes_acked FROM connection"), [(len(data), len(data))], "bytes")


def kill_in_mid_transfer(env, daemon, port, transfer):
    """Returns the states and causes after ESTABLISHED."""
    client = Child(env, transfer, port)
    peer_port = under_way(daemon, port)
    client.kill()
    wait_until(lambda: not daemon.connections(port), "the connection is gone", 30)
    daemon.last_transition(peer_port)
    return [(to, cause) for _, to, cause in daemon.story(peer_port)][2:]


def test_client_is_killed_in_mid_transfer(env):
    """Its kernel resets where something is unread or still arrives, and closes where there is nothing of it."""
    daemon = env.daemon(services=SERVICES)
    descriptors = daemon.open_descriptors()
    for _ in range(3):
        equal(kill_in_mid_transfer(env, daemon, 7, send_for_ever), [("CLOSED", "RECEIVED_RST")], "end of the echo")
        equal(kill_in_mid_transfer(env, daemon, 9, send_for_ever),
              [("CLOSE-WAIT", "RECEIVED_FIN"), ("LAST-ACK", "LOCAL_CLOSE"), ("CLOSED", "RECEIVED_ACK_OF_FIN")],
              "end of the discard")
        # A FIN may come first, if what is unread has been read in the moment of the kill.
        equal(kill_in_mid_transfer(env, daemon, 19, receive_for_ever)[-1], ("CLOSED", "RECEIVED_RST"),
              "end of the chargen")
    equal(daemon.ctl_json("status")["stack"]["buffer_bytes"], 0, "bytes left in buffers")
    wait_until(lambda: daemon.open_descriptors() == descriptors, "all descriptors are closed again")
    with connect(7) as sock:
        sock.sendall(b"hello")
        equal(read_exactly(sock, 5), b"hello", "echo, afterwards")
    daemon.stop()


def test_refused(env):
    env.daemon(services=SERVICES)
    try:
        connect(10).close()
        check(False, "nothing listens on port 10")
    except ConnectionRefusedError:
        pass


if __name__ == "__main__":
    main()
