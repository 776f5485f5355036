"""What the live tests share: a network namespace of their own, and a tapstackd in it.

A test program calls main(); every function of it whose name begins with test_ gets a fresh directory and, in it, as
many daemons as it starts. Nothing outlives the test: daemons are killed by their pids, directories removed.

The host has 192.0.2.1/24 on the TAP, the stack 192.0.2.2; with TAPSTACK_LIVE_FAMILY=IPv6 2001:db8::1/64 and
2001:db8::2. Only the standard library is used.
"""
import contextlib
import dataclasses
import fcntl
import functools
import inspect
import json
import os
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

SKIP = 77

BUILD = os.environ.get("TAPSTACK_BUILDDIR", ".")
TAPSTACKD = os.environ.get("TAPSTACKD", os.path.join(BUILD, "daemon/tapstackd"))
TAPSTACKCTL = os.environ.get("TAPSTACKCTL", os.path.join(BUILD, "ctl/tapstackctl"))


@dataclasses.dataclass(frozen=True)
class Family:
    """Addresses of one family, of the host's end and of the stack's."""
    name: str
    host: str
    stack: str
    prefix: int
    domain: int

    def bytes(self, address):
        return socket.inet_pton(self.domain, address)

    @property
    def host_network(self):
        return f"{self.host}/{self.prefix}"

    @property
    def stack_network(self):
        return f"{self.stack}/{self.prefix}"


IPV4 = Family("IPv4", "192.0.2.1", "192.0.2.2", 24, socket.AF_INET)
IPV6 = Family("IPv6", "2001:db8::1", "2001:db8::2", 64, socket.AF_INET6)
# The one that a test is run over which does not choose by itself (over_ipv6.sh).
FAMILY = IPV6 if os.environ.get("TAPSTACK_LIVE_FAMILY") == "IPv6" else IPV4
HOST, STACK = FAMILY.host, FAMILY.stack


class Failed(Exception):
    """The test has failed; the message says why."""


def check(condition, message):
    if not condition:
        raise Failed(message)


def equal(got, wanted, what):
    check(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


def wait_until(condition, what, seconds=10.0):
    """Polls until the condition holds and returns what it returned; fails after `seconds`."""
    give_up = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        check(time.monotonic() < give_up, f"not within {seconds} s: {what}")
        time.sleep(0.002)


class Daemon:
    """One tapstackd with its own directories. `config` is laid over a working default, section by section."""

    def __init__(self, directory, config=None, services=(), name="tapstackd", arguments=()):
        self.directory = directory
        self.name = name
        self.arguments = list(arguments)
        self.command = [TAPSTACKD]
        self.path = os.path.join(directory, name + ".yaml")
        self.log_path = os.path.join(directory, name + ".log")
        self.state = os.path.join(directory, "state")
        self.run = os.path.join(directory, "run")
        self.database = os.path.join(self.state, "audit.db")
        self.control = os.path.join(self.run, "control.sock")
        self.config = {
            "link": {"backend": "tap", "name": "tap0", "host_addresses": [FAMILY.host_network]},
            # Both ends are ours alone: nobody else can have the address.
            "stack": {"addresses": [FAMILY.stack_network], "dad_transmits": 0},
            "state_directory": self.state,
            "runtime_directory": self.run,
            "audit": {"ring_size": 16 * 1024 * 1024},
            "log": {"level": "debug"},
            "services": list(services),
        }
        for section, values in (config or {}).items():
            if isinstance(values, dict):
                self.config.setdefault(section, {}).update(values)
            else:
                self.config[section] = values
        self.process = None
        self.notify = None
        self.notified = {}
        self.ready_ms = None

    def write_config(self):
        # JSON is YAML too.
        with open(self.path, "w", encoding="utf-8") as file:
            json.dump(self.config, file, indent=1)

    def start(self, ready=True, seconds=10.0):
        self.write_config()
        notify_path = os.path.join(self.directory, self.name + ".notify")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(notify_path)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(notify_path)
        os.chmod(notify_path, 0o666)
        self.notify.setblocking(False)
        self.notified = {}
        began = time.monotonic()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*self.command, "-c", self.path, *self.arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "NOTIFY_SOCKET": notify_path})
        if ready:
            wait_until(lambda: self.poll_notify().get("READY") or self.process.poll() is not None,
                       f"{self.name} is ready", seconds)
            check(self.process.poll() is None, f"{self.name} ended with code {self.process.returncode}")
            self.ready_ms = (time.monotonic() - began) * 1000
        return self

    def poll_notify(self):
        """What the daemon has told systemd so far; the last value of each."""
        while True:
            try:
                message = self.notify.recv(4096).decode()
            except BlockingIOError:
                return self.notified
            for line in message.splitlines():
                key, _, value = line.partition("=")
                self.notified[key] = value
                self.notified.setdefault("all", []).append(line)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        os.kill(self.process.pid, number)

    def wait(self, seconds=15.0):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} did not end within {seconds} s") from None

    def stop(self, seconds=15.0):
        """SIGTERM; the exit code must be 0."""
        self.signal(signal.SIGTERM)
        equal(self.wait(seconds), 0, f"exit code of {self.name}")

    def kill(self):
        """kill -9, and no complaint when it is dead already."""
        if self.alive():
            self.process.kill()
        if self.process is not None:
            self.process.wait()
        if self.notify is not None:
            self.notify.close()
            self.notify = None

    def log(self):
        with contextlib.suppress(FileNotFoundError):
            with open(self.log_path, encoding="utf-8", errors="replace") as file:
                return file.read()
        return ""

    def wait_log(self, text, seconds=10.0):
        wait_until(lambda: text in self.log(), f"{text!r} in the log of {self.name}", seconds)

    def sql(self, query, *parameters):
        """Rows of the audit."""
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)) as database:
            return database.execute(query, parameters).fetchall()

    def ctl(self, *arguments, code=0):
        """Output of tapstackctl."""
        done = subprocess.run([TAPSTACKCTL, "--socket", self.control, *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=30, check=False)
        equal(done.returncode, code, f"tapstackctl {' '.join(arguments)}: {done.stderr.strip()}: exit code")
        return done.stdout

    def ctl_error(self, *arguments, code=1):
        """What tapstackctl says when the daemon refuses."""
        done = subprocess.run([TAPSTACKCTL, "--socket", self.control, *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=30, check=False)
        equal(done.returncode, code, f"tapstackctl {' '.join(arguments)}: {done.stdout.strip()}: exit code")
        return done.stderr

    def ctl_json(self, *arguments):
        return json.loads(self.ctl(*arguments, "--json"))

    def connections(self, port=None, peer_port=None):
        """What ctl lists, without the listeners; only those of a port of ours or of the peer's."""
        return [row for row in self.ctl_json("connections") if row["state"] != "LISTEN"
                and port in (None, row["local_port"]) and peer_port in (None, row["peer_port"])]

    def story(self, peer_port):
        """(from, to, cause) of each transition of each connection from this port, as far as the recorder has come."""
        return self.sql("SELECT t.from_state, t.to_state, t.cause FROM transitions AS t JOIN connection AS c "
                        "ON c.id = t.connection WHERE c.remote_port = ? ORDER BY c.id, t.n", peer_port)

    def last_transition(self, peer_port, seconds=10.0):
        """How the connection from this port ended, once that is recorded."""
        wait_until(lambda: any(to == "CLOSED" for _, to, _ in self.story(peer_port)),
                   f"the end of the connection from port {peer_port} in the audit", seconds)
        return self.story(peer_port)[-1]

    def rss_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))

    def open_descriptors(self):
        # This is logged after the socket has been closed that systemd was told over.
        self.wait_log(" is ready on ")
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


class Environment:
    """What a test function gets."""

    def __init__(self, directory):
        self.directory = directory
        self.daemons = []
        self.cleanups = []

    def daemon(self, *arguments, start=True, **options):
        daemon = Daemon(self.directory, *arguments, **options)
        self.daemons.append(daemon)
        return daemon.start() if start else daemon

    def cleanup(self, function):
        self.cleanups.append(function)

    def close(self):
        for daemon in self.daemons:
            daemon.kill()
        for function in reversed(self.cleanups):
            with contextlib.suppress(Exception):
                function()


@functools.cache
def families():
    """Those that the daemon speaks: a version that refuses IPv6 addresses is tested with IPv4 only."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump({"stack": {"addresses": [IPV4.stack_network, IPV6.stack_network]}}, file)
        file.flush()
        both = subprocess.run([TAPSTACKD, "--check", "-c", file.name], capture_output=True, check=False).returncode == 0
    if both:
        # The host's addresses are ours alone: there is nothing to detect, and no second to wait.
        for scope in "all", "default":
            with open(f"/proc/sys/net/ipv6/conf/{scope}/accept_dad", "w", encoding="ascii") as file:
                file.write("0")
    return (IPV4, IPV6) if both else (IPV4,)


def connect(port, seconds=10.0, source=None, address=STACK):
    return socket.create_connection((address, port), timeout=seconds, source_address=source)


def read_all(sock, limit=1 << 62):
    """Until the peer closes."""
    parts = []
    size = 0
    while size < limit:
        part = sock.recv(min(1 << 20, limit - size))
        if not part:
            break
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def read_exactly(sock, size):
    data = read_all(sock, size)
    equal(len(data), size, "bytes before the peer closed")
    return data


def reset(sock):
    """Closes with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Thread(threading.Thread):
    """A thread whose failure is the test's: result() raises what was raised in it."""

    def __init__(self, function, *arguments):
        super().__init__(daemon=True)
        self.function, self.arguments = function, arguments
        self.value = self.error = None
        self.start()

    def run(self):
        try:
            self.value = self.function(*self.arguments)
        except BaseException as error:  # pylint: disable=broad-except
            self.error = error

    def result(self, seconds=300.0):
        self.join(seconds)
        check(not self.is_alive(), f"{self.function.__name__} did not end within {seconds} s")
        if self.error is not None:
            raise self.error
        return self.value


def interface_up(name):
    """As `ip link set NAME up`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sH14x", name.encode(), 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(sock, 0x8913, request))[1]
        fcntl.ioctl(sock, 0x8914, struct.pack("16sH14x", name.encode(), flags | 1))


def interface_exists(name):
    """Here; /sys would show those of the namespace in which it was mounted."""
    return any(existing == name for _, existing in socket.if_nameindex())


def enter_namespace():
    """Runs this program again in a network namespace of its own."""
    if os.environ.get("TAPSTACK_LIVE_NAMESPACE") == "inside":
        interface_up("lo")
        return
    for needed in (TAPSTACKD, "/dev/net/tun"):
        if not os.access(needed, os.R_OK):
            print(f"skipped: {needed} is not there")
            sys.exit(SKIP)
    unshare = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    if subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        print("skipped: this user may not make a network namespace")
        sys.exit(SKIP)
    os.environ["TAPSTACK_LIVE_NAMESPACE"] = "inside"
    os.execvp(unshare[0], [*unshare, sys.executable, *sys.argv])


def run_test(name, function):
    directory = tempfile.mkdtemp(prefix="tapstack-live-")
    environment = Environment(directory)
    began = time.monotonic()
    try:
        function(environment)
        print(f"ok   {name} ({time.monotonic() - began:.2f} s)", flush=True)
        return True
    except Exception as error:  # pylint: disable=broad-except
        print(f"FAIL {name}: {error}", flush=True)
        if not isinstance(error, Failed):
            traceback.print_exc(file=sys.stdout)
        else:
            frame = traceback.extract_tb(error.__traceback__)[1]
            print(f"     at {frame.filename}:{frame.lineno}: {frame.line}")
        for daemon in {daemon.log_path: daemon for daemon in environment.daemons}.values():
            lines = daemon.log().splitlines()
            print(f"     log of {daemon.name}, last of {len(lines)} lines:")
            print("".join(f"       {line}\n" for line in lines[-40:]), end="", flush=True)
        return False
    finally:
        environment.close()
        shutil.rmtree(directory, ignore_errors=True)


def main():
    enter_namespace()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    module = sys.modules["__main__"]
    tests = [(name, function) for name, function in vars(module).items()
             if name.startswith("test_") and inspect.isfunction(function)]
    wanted = sys.argv[1:]
    failed = 0
    ran = 0
    for name, function in tests:
        if wanted and not any(part in name for part in wanted):
            continue
        ran += 1
        failed += not run_test(name, function)
    # In the words of cmocka, so that tests/run-count.sh counts the cases.
    print(f"[  PASSED  ] {ran - failed} test(s).")
    if failed:
        print(f"[  FAILED  ] {failed} test(s)")
    sys.exit(1 if failed or not ran else 0)
