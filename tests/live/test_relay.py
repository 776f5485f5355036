#!/usr/bin/env python3
"""The relay: the kernel's TCP on one side, a local server on the other, and nothing lost in between."""
import os
import signal
import socket
import struct
import time

from harness import (FAMILY, HOST, IPV6, STACK, Thread, check, connect, equal, main, read_all, read_exactly, reset, wait_until)
from traffic import (BULK_BYTES, Child, Server, echo_bulk, pattern, receive_bulk, send_bulk, send_for_ever, under_way)


def relay(target, **options):
    return {"name": "relay", "kind": "relay", "port": 80, "target": target, **options}


def echo_server(sock):
    while data := sock.recv(1 << 20):
        sock.sendall(data)


def both_kinds(env):
    """Addresses for a server."""
    return os.path.join(env.directory, "server"), ("127.0.0.1", 0)


def how_it_ends(sock):
    """Reads on: "end" or "reset"."""
    try:
        sock.sendall(b"x")
        while sock.recv(65536):
            pass
        return "end"
    except ConnectionResetError:
        return "reset"


def check_reset(sock):
    try:
        equal(sock.recv(1), None, "a reset")
    except ConnectionResetError:
        pass


def in_states(daemon, states):
    wait_until(lambda: {row["state"] for row in daemon.connections(80)} <= states, f"state {states}")


def path(daemon, peer_port):
    """States after ESTABLISHED."""
    states = [to for _, to, _ in daemon.story(peer_port)]
    return states[states.index("ESTABLISHED") + 1:]


def test_bulk_through_relay(env):
    for address in both_kinds(env):
        server = Server(echo_server, address)
        env.cleanup(server.close)
        daemon = env.daemon(services=[relay(server.target)])
        began = time.monotonic()
        with connect(80, 60) as sock:
            echo_bulk(sock, BULK_BYTES)
        took = time.monotonic() - began
        print(f"     {BULK_BYTES >> 20} MiB each way over {server.target.split(':')[0]} in {took:.1f} s: "
              f"{BULK_BYTES * 8 / took / 1e9:.2f} Gb/s each way")
        daemon.stop()


def test_two_hundred_at_once(env):
    server = Server(echo_server)
    env.cleanup(server.close)
    daemon = env.daemon(services=[relay(server.target)])
    before = daemon.open_descriptors()
    socks = [connect(80) for _ in range(200)]
    threads = [Thread(echo_bulk, sock, 100000 + number, number) for number, sock in enumerate(socks)]
    for thread in threads:
        thread.result()
    for sock in socks:
        sock.close()
    wait_until(lambda: daemon.open_descriptors() == before, "all descriptors are closed again")
    equal(server.accepted, 200, "connections to the server")


def test_half_close_by_the_client(env):
    """The server answers only after it has seen the end."""
    def count(sock):
        size, digest = receive_bulk(sock)
        sock.sendall(f"{size} {digest}".encode())

    for address in both_kinds(env):
        server = Server(count, address)
        env.cleanup(server.close)
        daemon = env.daemon(services=[relay(server.target)])
        with connect(80) as sock:
            port = sock.getsockname()[1]
            digest = send_bulk(sock, 5000000)
            in_states(daemon, {"ESTABLISHED", "CLOSE-WAIT"})
            sock.shutdown(socket.SHUT_WR)
            equal(read_all(sock).decode(), f"5000000 {digest}", "the server's answer")
        daemon.stop()
        equal(path(daemon, port), ["CLOSE-WAIT", "LAST-ACK", "CLOSED"], "the close in the audit")


def test_half_close_by_the_server(env):
    """The server closes its direction at once and goes on reading."""
    def say_and_listen(sock):
        sock.sendall(b"goodbye")
        sock.shutdown(socket.SHUT_WR)
        return receive_bulk(sock)

    for address in both_kinds(env):
        server = Server(say_and_listen, address)
        env.cleanup(server.close)
        daemon = env.daemon(services=[relay(server.target)], config={"tcp": {"msl": "100ms"}})
        with connect(80) as sock:
            port = sock.getsockname()[1]
            equal(read_all(sock), b"goodbye", "all that the server said")
            in_states(daemon, {"FIN-WAIT-2"})
            digest = send_bulk(sock, 3000000)
            in_states(daemon, {"FIN-WAIT-2"})
        equal(server.results(), [(3000000, digest)], "what the server got after its FIN")
        wait_until(lambda: not daemon.connections(80), "TIME-WAIT is over")
        daemon.stop()
        equal(path(daemon, port), ["FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSED"], "the close in the audit")


def test_reset_is_carried_to_the_server(env):
    server = Server(how_it_ends)
    env.cleanup(server.close)
    daemon = env.daemon(services=[relay(server.target)])
    sock = connect(80)
    read_exactly(sock, 1)
    port = sock.getsockname()[1]
    reset(sock)
    equal(server.results(), ["reset"], "what the server saw")
    equal(daemon.last_transition(port), ("ESTABLISHED", "CLOSED", "RECEIVED_RST"), "the end in the audit")


def test_reset_is_carried_to_the_client(env):
    def reset_at_once(sock):
        sock.recv(1)
        reset(sock)

    server = Server(reset_at_once)
    env.cleanup(server.close)
    daemon = env.daemon(services=[relay(server.target)])
    with connect(80) as sock:
        sock.sendall(b"x")
        check_reset(sock)
        equal(daemon.last_transition(sock.getsockname()[1]), ("ESTABLISHED", "CLOSED", "LOCAL_ABORT"),
              "the end in the audit")


def test_client_is_killed_in_mid_transfer(env):
    """There is something unread then, so its kernel resets; the server must not take that for the end."""
    server = Server(how_it_ends)
    env.cleanup(server.close)
    daemon = env.daemon(services=[relay(server.target)])
    descriptors = daemon.open_descriptors()
    client = Child(env, send_for_ever, 80)
    port = under_way(daemon, 80)
    client.kill()
    equal(server.results(), ["reset"], "what the server saw")
    equal(daemon.last_transition(port), ("ESTABLISHED", "CLOSED", "RECEIVED_RST"), "the end in the audit")
    wait_until(lambda: daemon.open_descriptors() == descriptors, "all descriptors are closed again")


def test_server_is_killed_in_mid_transfer(env):
    """Its client learns it, and the service works again when the server does."""
    def stop_reading(listener):
        with listener.accept()[0] as sock:
            sock.recv(1)
            sock.sendall(b"!")
            signal.pause()

    def echo(listener):
        with listener.accept()[0] as sock:
            echo_server(sock)

    for address in both_kinds(env):
        with Server.listener(address) as listener:
            daemon = env.daemon(services=[relay(Server.target_of(listener))])
            descriptors = daemon.open_descriptors()
            child = Child(env, stop_reading, listener)
            with connect(80, 30) as sock:
                sender = Thread(send_bulk, sock, 1 << 50)
                port = under_way(daemon, 80)
                # Killed before it has accepted, it would leave the connection to the listener's queue.
                equal(read_exactly(sock, 1), b"!", "the server is there")
                child.kill()
                try:
                    sender.result(30)
                except ConnectionError:
                    pass
                equal(daemon.last_transition(port), ("ESTABLISHED", "CLOSED", "LOCAL_ABORT"), "the end in the audit")
            wait_until(lambda: daemon.open_descriptors() == descriptors, "all descriptors are closed again")
            child = Child(env, echo, listener)
            with connect(80) as sock:
                echo_bulk(sock, 100000)
            child.kill()
            daemon.stop()


def test_back_pressure(env):
    """A server that does not read stops the client, and the daemon's memory stays where it is."""
    go_on = []

    def lazy(sock):
        wait_until(lambda: go_on, "the test's word", 60)
        return receive_bulk(sock)

    server = Server(lazy)
    env.cleanup(server.close)
    daemon = env.daemon(services=[relay(server.target)])
    before = daemon.rss_kib()
    with connect(80, 60) as sock:
        size = 256 << 20
        sender = Thread(send_bulk, sock, size)
        time.sleep(1.0)  # time enough to swallow it all
        check(sender.is_alive(), "the client is held back")
        grown = daemon.rss_kib() - before
        check(grown < 64 * 1024, f"the daemon has grown by {grown} KiB")
        go_on.append(True)
        digest = sender.result()
    equal(server.results(), [(size, digest)], "what the server got")


def test_server_is_not_there(env):
    env.daemon(services=[relay("unix:" + os.path.join(env.directory, "nobody"))])
    try:
        with connect(80) as sock:
            sock.sendall(b"x")
            check_reset(sock)
    except ConnectionError:
        pass


def test_idle_timeout(env):
    server = Server(echo_server)
    env.cleanup(server.close)
    env.daemon(services=[relay(server.target, idle_timeout="1s")])
    with connect(80) as sock:
        # Never idle for so long, but longer than that in all.
        enough = time.monotonic() + 1.5
        while time.monotonic() < enough:
            sock.sendall(b"x")
            read_exactly(sock, 1)
            last = time.monotonic()
            time.sleep(0.05)
        try:
            equal(sock.recv(1), b"", "after the end")
        except ConnectionError:
            pass
        took = time.monotonic() - last
        check(took > 0.8, f"idle connection ended after {took:.2f} s")


def test_proxy_protocol(env):
    server = Server(lambda sock: read_exactly(sock, 16 + 2 * len(FAMILY.bytes(HOST)) + 4 + 5))
    env.cleanup(server.close)
    env.daemon(services=[relay(server.target, proxy_protocol="v2")])
    with connect(80) as sock:
        sock.sendall(b"hello")
        port = sock.getsockname()[1]
        wait_until(lambda: server.threads, "the server's connection")
        header = server.results()[0]
    signature = b"\r\n\r\n\0\r\nQUIT\n"
    ends = FAMILY.bytes(HOST) + FAMILY.bytes(STACK) + struct.pack("!HH", port, 80)
    wanted = signature + struct.pack("!BBH", 0x21, 0x21 if FAMILY is IPV6 else 0x11, len(ends)) + ends + b"hello"
    equal(header, wanted, "header and data")


def test_connect_timeout(env):
    """A server whose queue is full does not answer: the client is not kept waiting for ever."""
    with socket.socket(socket.AF_UNIX) as full:
        full.bind(os.path.join(env.directory, "full"))
        full.listen(0)
        others = []
        while True:
            other = socket.socket(socket.AF_UNIX)
            other.setblocking(False)
            others.append(other)
            try:
                other.connect(full.getsockname())
            except BlockingIOError:
                break
        env.daemon(services=[relay("unix:" + full.getsockname(), connect_timeout="300ms")])
        with connect(80) as sock:
            began = time.monotonic()
            try:
                sock.sendall(pattern(1)[:100])
                sock.recv(1)
            except ConnectionError:
                pass
            took = time.monotonic() - began
            check(took < 8, f"the client waited {took:.1f} s")
        for other in others:
            other.close()


if __name__ == "__main__":
    main()
