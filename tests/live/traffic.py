"""Bulk data with checksums, and counting clients, for the live tests."""
import contextlib
import hashlib
import os
import signal
import socket
import threading

from harness import HOST, Failed, Thread, check, connect, equal, read_exactly, wait_until

BULK_BYTES = int(os.environ.get("TAPSTACK_LIVE_BYTES", 1 << 30))
CHUNK = 1 << 20


def pattern(seed):
    """A megabyte that is not the same twice, from a seed."""
    return hashlib.shake_256(str(seed).encode()).digest(CHUNK)


def send_bulk(sock, size, seed=1):
    """Sends `size` bytes, each megabyte different from the one before; returns their digest."""
    digest = hashlib.blake2b()
    block = bytearray(pattern(seed))
    sent = 0
    while sent < size:
        block[:8] = sent.to_bytes(8, "big")
        part = memoryview(block)[:min(CHUNK, size - sent)]
        sock.sendall(part)
        digest.update(part)
        sent += len(part)
    return digest.hexdigest()


def receive_bulk(sock, size=None):
    """Until the peer closes, or `size` bytes; returns (bytes, digest)."""
    digest = hashlib.blake2b()
    buffer = memoryview(bytearray(CHUNK))
    received = 0
    while size is None or received < size:
        wanted = CHUNK if size is None else min(CHUNK, size - received)
        count = sock.recv_into(buffer[:wanted])
        if not count:
            break
        digest.update(buffer[:count])
        received += count
    return received, digest.hexdigest()


def echo_bulk(sock, size, seed=1):
    """Through an echo: what comes back must be what was sent, and then the end."""
    sock.settimeout(60)
    receiver = Thread(receive_bulk, sock)
    sent = send_bulk(sock, size, seed)
    sock.shutdown(socket.SHUT_WR)
    received, digest = receiver.result()
    equal(received, size, "bytes that came back")
    equal(digest, sent, "digest of what came back")


class Child:
    """A process of its own that runs function(*arguments), to be killed in the midst of it."""

    def __init__(self, env, function, *arguments):
        self.pid = os.fork()
        if self.pid == 0:
            try:
                function(*arguments)
            finally:
                os._exit(1)
        env.cleanup(self.kill)

    def kill(self):
        """kill -9, and waits for its end; once."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = None


def send_for_ever(port):
    """And reads nothing of what comes back."""
    send_bulk(connect(port, None), 1 << 50)


def receive_for_ever(port):
    receive_bulk(connect(port, None))


def under_way(daemon, port, size=64 << 10):
    """Waits for a transfer on this port of the stack, in either direction; returns the peer's port."""
    def ports():
        # A half-open connection has no counters yet.
        return [row["peer_port"] for row in daemon.connections(port)
                if max(row.get("bytes_received", 0), row.get("bytes_acked", 0)) > size]
    return wait_until(ports, "a transfer")[0]


class Server:
    """A TCP or Unix server with a thread for each connection; `handler(sock)` runs there."""

    def __init__(self, handler, address=("127.0.0.1", 0)):
        self.sock = self.listener(address)
        self.handler = handler
        self.accepted = 0
        self.threads = []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    @staticmethod
    def listener(address):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        if family == socket.AF_INET:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(1024)
        return sock

    @property
    def target(self):
        return self.target_of(self.sock)

    @staticmethod
    def target_of(listener):
        name = listener.getsockname()
        return f"unix:{name}" if isinstance(name, str) else f"tcp:{name[0]}:{name[1]}"

    def run(self):
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            self.accepted += 1
            self.threads.append(Thread(self.serve, sock))

    def serve(self, sock):
        with sock:
            return self.handler(sock)

    def results(self):
        """What the handlers returned, in the order of their connections, of which there is at least one."""
        wait_until(lambda: self.threads, "a connection at the server")
        return [thread.result() for thread in self.threads]

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


class Load:
    """Clients that connect, exchange a few bytes with an echo, and close, over and over, until stop(). Every
    connection has a source port of its own, which no other Load of this program uses again, so that the test can
    look up each single one: `outcome` says of each port how far its client got."""

    FAILED, ESTABLISHED, ANSWERED, COMPLETED = range(4)
    ports = iter(range(10000, 65536))

    def __init__(self, env, port, clients=8):
        env.cleanup(self.stop)
        self.port = port
        self.lock = threading.Lock()
        self.pause = threading.Event()
        self.outcome = {}
        self.completed = 0
        self.threads = [Thread(self.client) for _ in range(clients)]

    def client(self):
        while not self.pause.is_set():
            with self.lock:
                source = next(self.ports)
                self.outcome[source] = self.FAILED
            with contextlib.suppress(OSError, Failed):
                self.talk(source)
            if self.outcome[source] == self.COMPLETED:
                with self.lock:
                    self.completed += 1
            else:
                self.pause.wait(0.01)  # a daemon that is not there is not asked too often

    def talk(self, source):
        with connect(self.port, 5, (HOST, source)) as sock:
            self.outcome[source] = self.ESTABLISHED
            sock.sendall(b"0123456789")
            equal(read_exactly(sock, 10), b"0123456789", "the echo")
            self.outcome[source] = self.ANSWERED
            sock.shutdown(socket.SHUT_WR)
            check(not sock.recv(1), "nothing follows")
            self.outcome[source] = self.COMPLETED

    def wait_for(self, count, seconds=60.0):
        """`count` more are completed."""
        wanted = self.completed + count
        wait_until(lambda: self.completed >= wanted or not any(thread.is_alive() for thread in self.threads),
                   f"{count} more connections", seconds)
        check(self.completed >= wanted, "the clients have ended by themselves")

    def with_outcome(self, *outcomes):
        return {port for port, outcome in self.outcome.items() if outcome in outcomes}

    def stop(self):
        self.pause.set()
        for thread in self.threads:
            thread.result(30)
