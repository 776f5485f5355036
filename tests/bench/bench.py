#!/usr/bin/env python3
"""What tapstackd reaches, side by side with the kernel's own TCP over a veth pair and with the null responder.

Everything runs in network namespaces of its own: the load generator (the kernel's TCP) on one core, the stack under
test on another. In every round each measurement is taken of each stack in turn; the table shows medians. Absolute
figures drift with the machine, the ratios are what counts."""
import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ECHO_PORTS = [7] + list(range(7001, 7008))
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
STARTUP_S = 10.0


class Measurement:
    def __init__(self, name, title, arguments, ports, goal, spin=False):
        self.name, self.title, self.arguments, self.ports, self.goal = name, title, arguments, ports, goal
        self.spin = spin  # with the stacks that look for a while before they sleep
        self.bulk = arguments[-1] in ("in", "out")

    def scale(self, value):
        return value * 8 / 1e9 if self.bulk else value

    def show(self, value):
        if value is None:
            return "-"
        return f"{value:.1f} Gb/s" if self.bulk else f"{value / 1000:.1f} k/s"


# goal: ratio to the kernel's own TCP
MEASUREMENTS = [
    Measurement("in1", "bulk in, 1 connection", ["--connections", "1", "in"], [9], 1.5),
    Measurement("in8", "bulk in, 8 connections", ["--connections", "8", "in"], [9], 1.5),
    Measurement("out1", "bulk out, 1 connection", ["--connections", "1", "out"], [19], 1.5),
    Measurement("out8", "bulk out, 8 connections", ["--connections", "8", "out"], [19], 1.5),
    Measurement("rr1", "request/response, 1 busy client", ["--busy", "rr"], [7], None),
    Measurement("rr1spin", "the same, stack spins 200 us", ["--busy", "rr"], [7], 3.0, spin=True),
    Measurement("rr64", "request/response, 64 clients", ["--connections", "64", "rr"], [7], 1.3),
    Measurement("crc", "connect, request, close", ["--connections", "32", "crc"], ECHO_PORTS, 2.3),
    Measurement("abort", "connect, request, abort", ["--connections", "32", "--abort", "crc"], ECHO_PORTS, 2.3),
]


def run(*command):
    subprocess.run(command, check=True)


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def on_core(core):
    """For preexec_fn: pins, goes before other work on the machine if it may, and dies with this program."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)

    def prepare():
        libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        os.sched_setaffinity(0, {core})
        try:
            os.setpriority(os.PRIO_PROCESS, 0, -20)
        except PermissionError:
            pass
    return prepare


class Stack:
    """One stack under test: a process, reachable at `address`."""

    def __init__(self, name, index):
        self.name = name
        self.host = f"192.0.2.{index * 4 + 1}"
        self.address = f"192.0.2.{index * 4 + 2}"
        self.interface = f"bench{index}"
        self.process = None

    def start(self, bench):
        command, before = self.command(bench)
        log = open(os.path.join(bench.directory, self.name + ".log"), "w", encoding="utf-8")
        with log:
            self.process = subprocess.Popen(before + command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=on_core(bench.options.stack_core))
        self.connect_interface(bench)
        deadline = time.monotonic() + STARTUP_S
        while True:
            try:
                socket.create_connection((self.address, 7), timeout=0.2).close()
                return
            except OSError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    with open(log.name, encoding="utf-8") as file:
                        sys.exit(f"bench: {self.name} does not answer ({error}):\n{file.read()}")
                time.sleep(0.01)

    def connect_interface(self, bench):
        pass

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Kernel(Stack):
    def command(self, bench):
        ports = [str(port) for port in [9, 19] + ECHO_PORTS]
        return [bench.program("kernel_server")] + ports, ["unshare", "-n"]

    def connect_interface(self, bench):
        """Waits until the process is in its own namespace, then lays the cable."""
        pid, deadline = str(self.process.pid), time.monotonic() + STARTUP_S
        mine = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{pid}/ns/net") == mine:
            if time.monotonic() > deadline:
                sys.exit("bench: no second network namespace")
            time.sleep(0.005)
        run("ip", "link", "add", self.interface, "type", "veth", "peer", "name", "veth0", "netns", pid)
        run("ip", "addr", "add", self.host + "/30", "dev", self.interface)
        run("ip", "link", "set", self.interface, "up")
        inside = ["nsenter", "-t", pid, "-n", "ip"]
        run(*inside, "addr", "add", self.address + "/30", "dev", "veth0")
        run(*inside, "link", "set", "veth0", "up")


class NullResponder(Stack):
    spin_us = 0

    def command(self, bench):
        return [bench.program("null_responder"), "--interface", self.interface, "--address", self.address,
                "--host", self.host + "/30", "--mtu", str(bench.options.mtu), "--spin-us", str(self.spin_us)], []


class Tapstackd(Stack):
    spin_us = 0

    def command(self, bench):
        directory = os.path.join(bench.directory, self.name)
        os.mkdir(directory)
        services = [("discard", 9), ("chargen", 19)] + [("echo", port) for port in ECHO_PORTS]
        lines = [
            "link:", "  backend: tap", f"  name: {self.interface}", f"  mtu: {bench.options.mtu}",
            f"  host_addresses: [{self.host}/30]",
            "stack:", f"  addresses: [{self.address}/30]",
            "shard:", f"  spin_max: {self.spin_us}us",
            f"state_directory: {directory}", f"runtime_directory: {directory}",
            "services:",
        ]
        for kind, port in services:
            lines += [f"  - name: {kind}{port}", f"    kind: {kind}", f"    port: {port}", "    backlog: 4096"]
        path = os.path.join(directory, "tapstack.yaml")
        write(path, "\n".join(lines + bench.options.yaml) + "\n")
        return bench.options.prefix + [bench.options.tapstackd, "-c", path], []


class SpinningNull(NullResponder):
    spin_us = 200


class SpinningTapstackd(Tapstackd):
    spin_us = 200


class Bench:
    def __init__(self, options):
        self.options = options
        self.directory = tempfile.mkdtemp(prefix="tapstack-bench-")
        self.stacks = {}  # (name, spin) -> Stack

    def program(self, name):
        return os.path.join(self.options.builddir, "tests", "bench", name)

    def start(self):
        run("ip", "link", "set", "lo", "up")
        write("/proc/sys/net/ipv4/ip_local_port_range", "1024 65535")
        write("/proc/sys/net/ipv4/tcp_tw_reuse", "1")
        if os.path.exists("/proc/sys/net/ipv6/conf/default/disable_ipv6"):
            write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")
        spins = {m.spin for m in self.options.measurements}
        kinds = {"kernel": (Kernel, None), "null": (NullResponder, SpinningNull),
                 "tapstackd": (Tapstackd, SpinningTapstackd)}
        index = 0
        for name in self.options.stacks:
            plain, spinning = kinds[name]
            if False in spins or not spinning:
                self.stacks[name, False] = plain(name, index)
            if True in spins and spinning:
                self.stacks[name, True] = spinning(name + "-spin", index + 1)
            if not spinning:
                self.stacks[name, True] = self.stacks[name, False]
            index += 2
        for stack in dict.fromkeys(self.stacks.values()):
            stack.start(self)

    def stop(self):
        for stack in dict.fromkeys(self.stacks.values()):
            stack.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def measure(self, measurement, stack):
        """Returns (value or None, share of a core that the stack's process used)."""
        command = [self.program("load"), "--address", stack.address, "--seconds", str(self.options.seconds)]
        for port in measurement.ports:
            command += ["--port", str(port)]
        cpu, begin = stack.cpu_seconds(), time.monotonic()
        result = subprocess.run(command + measurement.arguments, capture_output=True, text=True, check=False,
                                preexec_fn=on_core(self.options.load_core))
        share = (stack.cpu_seconds() - cpu) / (time.monotonic() - begin)
        if result.returncode != 0:
            print(f"bench: {measurement.name} on {stack.name}: {result.stderr.strip()}", file=sys.stderr)
            return None, share
        return measurement.scale(float(result.stdout)), share

    def run(self):
        """{measurement: {stack: {values, cpu, median, per_cpu}}}"""
        results = {m.name: {s: {"values": [], "cpu": []} for s in self.options.stacks}
                   for m in self.options.measurements}
        for number in range(self.options.rounds):
            for measurement in self.options.measurements:
                for name in self.options.stacks:
                    value, cpu = self.measure(measurement, self.stacks[name, measurement.spin])
                    results[measurement.name][name]["values"].append(value)
                    results[measurement.name][name]["cpu"].append(round(cpu, 2))
            if not self.options.json:
                print(f"round {number + 1} of {self.options.rounds} done", file=sys.stderr)
        for per_stack in results.values():
            for result in per_stack.values():
                values = [v for v in result["values"] if v is not None]
                result["median"] = statistics.median(values) if values else None
                rates = [v / c for v, c in zip(result["values"], result["cpu"]) if v is not None and c > 0]
                result["per_cpu"] = statistics.median(rates) if rates else None
        return results


def ratio(results, name, above, below, kind):
    a, b = (results[name].get(s, {}).get(kind) for s in (above, below))
    return a / b if a and b else None


def print_table(options, results):
    """The last column compares what the two get done in a second of their own CPU time: it holds when the client or
    the machine is the limit."""
    columns = [("tapstackd", "kernel", "median"), ("tapstackd", "null", "median"), ("null", "kernel", "median"),
               ("tapstackd", "null", "per_cpu")]
    columns = [c for c in columns if c[0] in options.stacks and c[1] in options.stacks]
    head = [""] + options.stacks + [f"{a}/{b}" + (" per CPU" if kind == "per_cpu" else "") for a, b, kind in columns]
    rows = [head + ["goal"]]
    for m in options.measurements:
        row = [m.title] + [m.show(results[m.name][s]["median"]) for s in options.stacks]
        for above, below, kind in columns:
            r = ratio(results, m.name, above, below, kind)
            row.append("-" if r is None else f"{r:.2f}")
        rows.append(row + [f"{m.goal:.1f} x kernel" if m.goal else ""])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(w) if i == 0 else cell.rjust(w)
                        for i, (cell, w) in enumerate(zip(row, widths))).rstrip())


def measure_memory(options):
    """Bytes per idle connection, from the program that drives the core without a link."""
    result = subprocess.run([os.path.join(options.builddir, "tests", "bench", "memory"), "--json"],
                            capture_output=True, text=True, check=False)
    if result.returncode != 0:
        print(f"bench: memory: {result.stderr.strip()}", file=sys.stderr)
        return None
    return json.loads(result.stdout)


def parse_options():
    names = [m.name for m in MEASUREMENTS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(names + ["memory"]),
                        help="measurements, separated by commas: " + ", ".join(names) + ", memory")
    parser.add_argument("--stacks", default="kernel,null,tapstackd", help="which stacks, separated by commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each single measurement")
    parser.add_argument("--mtu", type=int, default=1500)
    parser.add_argument("--load-core", type=int, default=0)
    parser.add_argument("--stack-core", type=int, default=min(1, os.cpu_count() - 1))
    parser.add_argument("--yaml", action="append", default=[], help="one more line for tapstackd's configuration")
    parser.add_argument("--prefix", default="", help="put before tapstackd, e.g. 'perf record -g -o /tmp/perf.data'")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--builddir", default=os.environ.get("TAPSTACK_BUILDDIR", os.getcwd()))
    parser.add_argument("--tapstackd", default=os.environ.get("TAPSTACKD"))
    options = parser.parse_args()
    wanted = options.only.split(",")
    unknown = set(wanted) - set(names) - {"memory"}
    options.stacks = options.stacks.split(",")
    unknown |= set(options.stacks) - {"kernel", "null", "tapstackd"}
    if unknown or options.rounds < 1:
        parser.error("unknown: " + ", ".join(sorted(unknown)) if unknown else "at least one round")
    options.measurements = [m for m in MEASUREMENTS if m.name in wanted]
    options.memory = "memory" in wanted
    options.prefix = options.prefix.split()
    options.tapstackd = options.tapstackd or os.path.join(options.builddir, "daemon", "tapstackd")
    return options


def main():
    options = parse_options()
    if os.environ.get("TAPSTACK_BENCH_INSIDE") != "1":
        flags = "-n" if os.geteuid() == 0 else "-Urn"
        os.environ["TAPSTACK_BENCH_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", flags, sys.executable, os.path.abspath(__file__)] + sys.argv[1:])
    if os.getloadavg()[0] > 0.5 * os.cpu_count():
        print(f"bench: the machine is busy (load {os.getloadavg()[0]:.1f}): expect noise", file=sys.stderr)
    memory = measure_memory(options) if options.memory else None
    results = {}
    if options.measurements:
        bench = Bench(options)
        try:
            bench.start()
            results = bench.run()
        finally:
            bench.stop()
    if options.json:
        print(json.dumps({"measurements": results, "memory": memory}, indent=1))
    else:
        if results:
            print_table(options, results)
        for kind, size in (memory or {}).items():
            print(f"memory, {kind}: {size:.0f} bytes each")
    complete = all(s["median"] is not None for m in results.values() for s in m.values())
    return 0 if complete and (memory or not options.memory) else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
