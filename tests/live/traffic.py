"""Bulk data with checksums, and counting clients, for the live tests."""
import hashlib
import os
import socket
import threading

from harness import Failed, Thread, check, connect, equal, read_exactly

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


class Server:
    """A TCP or Unix server with a thread for each connection; `handler(sock)` runs there."""

    def __init__(self, handler, address=("127.0.0.1", 0)):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if family == socket.AF_INET:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(address)
        self.sock.listen(1024)
        self.handler = handler
        self.accepted = 0
        self.threads = []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    @property
    def target(self):
        name = self.sock.getsockname()
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
        """What the handlers returned, in the order of their connections."""
        return [thread.result() for thread in self.threads]

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


class Load:
    """Clients that connect, exchange a few bytes with an echo, and close, over and over, until stop(). Counts what
    each of them knows for sure: connections that were established, and those that ended well."""

    def __init__(self, port, clients=8):
        self.port = port
        self.lock = threading.Lock()
        self.stopping = False
        self.established = self.completed = self.failed = 0
        self.ports = set()
        self.threads = [Thread(self.client) for _ in range(clients)]

    def client(self):
        while not self.stopping:
            try:
                sock = connect(self.port, 5)
            except (OSError, Failed):
                with self.lock:
                    self.failed += 1
                continue
            with sock:
                with self.lock:
                    self.established += 1
                    self.ports.add(sock.getsockname()[1])
                try:
                    sock.sendall(b"0123456789")
                    read_exactly(sock, 10)
                    sock.shutdown(socket.SHUT_WR)
                    check(not sock.recv(1), "nothing follows")
                    with self.lock:
                        self.completed += 1
                except (OSError, Failed):
                    with self.lock:
                        self.failed += 1

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.result(30)
