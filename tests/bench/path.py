#!/usr/bin/env python3
"""Goodput over bad paths: tapstackd's sender beside the kernel's, to the same receiver (the kernel's TCP).

A program in user space carries frames between two network namespaces, and impairs them with the code that the
simulator uses: rate, queue, delay, loss, reordering, the same seed for both senders. Real time: a busy machine makes
noise. The ratio is what counts; 1.0 is as good as the kernel."""
import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
STARTUP_S = 10.0
CLIENT, SERVER = "192.0.2.1", "192.0.2.2"
CHARGEN = "19"


class Path:
    def __init__(self, name, mbit, rtt_ms, loss=0.0, buffer=1.0, burst=1, reorder=0.0, flags=()):
        self.name, self.rate = name, int(mbit * 125000)
        self.rtt_ms, self.loss, self.burst, self.reorder, self.flags = rtt_ms, loss, burst, reorder, list(flags)
        self.queue = max(15000, int(self.rate * rtt_ms / 1000 * buffer))

    def options(self):
        return ["--rate", str(self.rate), "--queue", str(self.queue), "--delay-us", str(int(self.rtt_ms * 500)),
                "--loss", str(int(self.loss * 10000)), "--burst", str(self.burst),
                "--reorder", str(int(self.reorder * 10000))] + self.flags


PATHS = [
    Path("20 Mb/s, 20 ms", 20, 20),
    Path("20 Mb/s, 20 ms, 0.1 %", 20, 20, 0.1),
    Path("20 Mb/s, 20 ms, 1 %", 20, 20, 1.0),
    Path("20 Mb/s, 20 ms, 3 %", 20, 20, 3.0),
    Path("20 Mb/s, 100 ms", 20, 100),
    Path("20 Mb/s, 100 ms, 0.1 %", 20, 100, 0.1),
    Path("20 Mb/s, 100 ms, 1 %", 20, 100, 1.0),
    Path("20 Mb/s, 20 ms, 1 % in bursts of 8", 20, 20, 1.0, burst=8),
    Path("20 Mb/s, 20 ms, 10 % reordered", 20, 20, reorder=10.0),
    Path("20 Mb/s, 50 ms, buffer of 10 ms", 20, 50, buffer=0.2),
    Path("20 Mb/s, 50 ms, CoDel", 20, 50, buffer=8, flags=["--codel"]),
    Path("100 Mb/s, 10 ms, 0.1 %", 100, 10, 0.1),
]


def run(*command):
    subprocess.run(command, check=True)


def die_with_me():
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class NotThere(Exception):
    """This machine's kernel does not have it."""


def wait_for(what, condition):
    deadline = time.monotonic() + STARTUP_S
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"path: no {what}")
        time.sleep(0.005)


def end(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Bench:
    def __init__(self, options):
        self.options = options
        self.directory = tempfile.mkdtemp(prefix="tapstack-path-")
        self.server = None
        self.log = None       # of the server
        self.missing = set()  # (stack, algorithm)

    def program(self, name):
        return os.path.join(self.options.builddir, "tests", "bench", name)

    def start(self, *command):
        handle, self.log = tempfile.mkstemp(dir=self.directory, suffix=".log")
        with os.fdopen(handle, "w") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    preexec_fn=die_with_me)

    def said(self, word):
        """Has the server that was started last said so?"""
        with open(self.log, encoding="utf-8") as file:
            return word in file.read()

    def start_kernel(self, algorithm):
        """The server, in a namespace of its own, with the congestion control wanted there."""
        self.server = self.start("unshare", "-n", "sh", "-c",
                                 "echo 1 >/proc/sys/net/ipv4/tcp_no_metrics_save; "
                                 f"exec {self.program('kernel_server')} --congestion {algorithm} {CHARGEN}")
        wait_for("kernel server", lambda: self.server.poll() is not None or self.said("ready"))
        if self.server.poll() is not None:
            raise NotThere(f"the kernel has no {algorithm} for us")
        return f"tap:tap0@{self.server.pid}"

    def start_tapstackd(self, algorithm):
        directory = tempfile.mkdtemp(dir=self.directory)
        socket = os.path.join(directory, "link")
        config = os.path.join(directory, "tapstack.yaml")
        lines = ["link:", f"  backend: unix:{socket}", "stack:", f"  addresses: [{SERVER}/24]",
                 f"state_directory: {directory}", f"runtime_directory: {directory}",
                 "services:", "  - name: chargen", "    kind: chargen", f"    port: {CHARGEN}",
                 f"    congestion: {algorithm}"] + self.options.yaml
        if algorithm != "reno":
            lines += ["plugins:",
                      "  directory: " + os.path.join(self.options.builddir, "plugins", "congestion", ".libs"),
                      f"  congestion: [{algorithm}]"]
        with open(config, "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
        self.server = self.start(self.options.tapstackd, "-c", config)
        wait_for(f"tapstackd (see {self.directory})",
                 lambda: os.path.exists(socket) or self.server.poll() is not None)
        return f"unix:{socket}"

    def measure(self, stack, algorithm, path, seed):
        """kB/s"""
        side = self.start_kernel(algorithm) if stack == "kernel" else self.start_tapstackd(algorithm)
        emulator = subprocess.Popen(
            [self.program("path")] + path.options() +
            ["--seed", str(seed), "--seconds", str(int(self.options.seconds) + 20), "tap:tap0", side],
            stdout=subprocess.PIPE, text=True, preexec_fn=die_with_me)
        try:
            if emulator.stdout.readline() != "ready\n":
                sys.exit("path: the emulator does not start")
            run("ip", "addr", "add", CLIENT + "/24", "dev", "tap0")
            run("ip", "link", "set", "tap0", "up", "txqueuelen", "1000")
            if stack == "kernel":
                inside = ["nsenter", "-t", str(self.server.pid), "-n", "ip"]
                run(*inside, "addr", "add", SERVER + "/24", "dev", "tap0")
                run(*inside, "link", "set", "tap0", "up")
            result = subprocess.run(
                [self.program("load"), "--address", SERVER, "--port", CHARGEN, "--connections", "1", "--warmup", "0",
                 "--seconds", str(self.options.seconds), "out"],
                capture_output=True, text=True, check=False, timeout=self.options.seconds + 15)
            if result.returncode != 0:
                print(f"path: {stack}, {path.name}: {result.stderr.strip()}", file=sys.stderr)
                return None
            return float(result.stdout) / 1000
        finally:
            end(emulator)
            end(self.server)

    def row(self, algorithm, path):
        """{stack: kB/s}, the mean over the seeds; None where it did not work."""
        row = {}
        for stack in ("kernel", "tapstackd"):
            if (stack, algorithm) in self.missing:
                row[stack] = None
                continue
            try:
                values = [self.measure(stack, algorithm, path, seed + 1) for seed in range(self.options.seeds)]
            except NotThere as error:
                print(f"path: {error}", file=sys.stderr)
                self.missing.add((stack, algorithm))
                values = [None]
            row[stack] = None if None in values else statistics.mean(values)
        return row


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each transfer")
    parser.add_argument("--seeds", type=int, default=1, help="transfers for each number")
    parser.add_argument("--algorithms", default="reno,cubic")
    parser.add_argument("--only", default="", help="paths whose name has this in it")
    parser.add_argument("--yaml", action="append", default=[], help="one more line for tapstackd's configuration")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--builddir", default=os.environ.get("TAPSTACK_BUILDDIR", os.getcwd()))
    parser.add_argument("--tapstackd", default=os.environ.get("TAPSTACKD"))
    options = parser.parse_args()
    options.tapstackd = options.tapstackd or os.path.join(options.builddir, "daemon", "tapstackd")
    return options


def main():
    options = parse_options()
    if os.environ.get("TAPSTACK_BENCH_INSIDE") != "1":
        flags = "-n" if os.geteuid() == 0 else "-Urn"
        os.environ["TAPSTACK_BENCH_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", flags, sys.executable, os.path.abspath(__file__)] + sys.argv[1:])
    if os.getloadavg()[0] > 0.5 * os.cpu_count():
        print(f"path: the machine is busy (load {os.getloadavg()[0]:.1f}): expect noise", file=sys.stderr)
    bench = Bench(options)
    rows = {}
    if not options.json:
        print(f"{'goodput in kB/s':<44} {'kernel':>9} {'tapstackd':>9} {'ratio':>6}")
    try:
        for algorithm in options.algorithms.split(","):
            for path in PATHS:
                if options.only not in path.name:
                    continue
                row = rows[f"{algorithm}, {path.name}"] = bench.row(algorithm, path)
                if not options.json:
                    kernel, ours = row["kernel"], row["tapstackd"]
                    ratio = f"{ours / kernel:6.2f}" if kernel and ours else "     -"
                    cells = " ".join("        -" if v is None else f"{v:9.1f}" for v in (kernel, ours))
                    print(f"{algorithm + ', ' + path.name:<44} {cells} {ratio}", flush=True)
    finally:
        shutil.rmtree(bench.directory, ignore_errors=True)
    if options.json:
        print(json.dumps(rows, indent=1))
    return 0 if all(row["tapstackd"] is not None for row in rows.values()) else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
