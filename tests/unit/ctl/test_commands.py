#!/usr/bin/env python3
"""tapstackctl as a program, against a server that answers what a test tells it: exit codes, messages, output."""
import json
import os
import pty
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

CTL = os.environ.get("TAPSTACKCTL", "ctl/tapstackctl")
MANUAL = os.path.join(os.environ.get("TAPSTACK_BUILDDIR", "."), "man/tapstackctl.1")
INTERFACE = "org.tapstack.control"
OK, REFUSED, USAGE, UNREACHABLE, NOT_PERMITTED, NO_MATCH, TIMED_OUT = range(7)


class Server(threading.Thread):
    """Takes one connection after the other; answers each message with what `script` returns: a list of dicts, bytes to
    send as they are, or None to say nothing."""

    def __init__(self, path, script):
        super().__init__(daemon=True)
        self.script, self.calls = script, []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                try:
                    self.serve(connection)
                except OSError:
                    pass

    def serve(self, connection):
        data = b""
        while True:
            part = connection.recv(65536)
            if not part:
                return
            data += part
            while b"\0" in data:
                message, data = data.split(b"\0", 1)
                call = json.loads(message)
                self.calls.append(call)
                answers = self.script(call)
                if answers is None:
                    continue
                if isinstance(answers, bytes):
                    connection.sendall(answers)
                    if not answers.endswith(b"\0"):
                        return
                    continue
                for answer in answers:
                    connection.sendall(json.dumps(answer).encode() + b"\0")

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.join()


def reply(**parameters):
    return lambda call: [{"parameters": parameters}]


def error(name, **parameters):
    return lambda call: [{"error": name, "parameters": parameters}]


CONNECTIONS = [
    {"id": 1, "state": "ESTABLISHED", "local": "192.0.2.2", "local_port": 80, "peer": "192.0.2.1", "peer_port": 4000,
     "service": "web", "rtt": 1.25, "opts": ["ts", "sack"], "orphan": False},
    {"id": 22, "state": "TIME-WAIT", "local": "192.0.2.2", "local_port": 80, "peer": "2001:db8::1", "peer_port": 1,
     "service": "a \"b\",\n\x1b[31mred", "rtt": None},
]


def listing(call):
    return [{"parameters": {"connections": [c]}, "continues": True} for c in CONNECTIONS] + [
        {"parameters": {"connections": [], "complete": True}}]


class Commands(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="tapstack-ctl-")
        self.path = os.path.join(self.directory.name, "s")
        self.server = None

    def tearDown(self):
        if self.server:
            self.server.stop()
        self.directory.cleanup()

    def serve(self, script):
        if self.server:
            self.server.stop()
            os.unlink(self.path)
        self.server = Server(self.path, script)

    def ctl(self, *args, timeout="2"):
        return subprocess.run([CTL, "--socket", self.path, "--timeout", timeout, *args], capture_output=True,
                              timeout=30, env={**os.environ, "LC_ALL": "C"})

    def expect(self, code, *args, says="", timeout="2"):
        done = self.ctl(*args, timeout=timeout)
        self.assertEqual(done.returncode, code, f"{args}: {done.stderr.decode()}")
        self.assertIn(says, done.stderr.decode())
        if code in (USAGE, UNREACHABLE, NOT_PERMITTED, TIMED_OUT):
            self.assertEqual(done.stdout, b"")
            self.assertNotEqual(done.stderr, b"")
        return done.stdout.decode()

    # ---- exit codes

    def test_usage(self):
        for args, says in [
            ([], "Usage"),
            (["nothing"], 'no command "nothing"'),
            (["show"], "tapstackctl show ID"),
            (["show", "1", "2"], "tapstackctl show ID"),
            (["show", "x"], "no connection's number"),
            (["show", "0"], "no connection's number"),
            (["close", "-1"], '"-1" is neither an option nor a connection\'s number'),
            (["show", "-12", "--json"], '"-12" is neither an option nor a connection\'s number'),
            (["status", "extra"], "the command is: tapstackctl status\n"),
            (["status", "-x"], 'unrecognized option "-x"'),
            (["status", "-xy"], 'unrecognized option "-x"'),
            (["status", "--json=yes"], "--json takes no argument"),
            (["status", "--jso"], 'ambiguous'),
            (["status", "-c"], "--columns requires an argument"),
            (["status", "--json", "--csv"], "one of --json, --jsonl and --csv"),
            (["status", "--csv", "--csv", "--jsonl"], "one of --json, --jsonl and --csv"),
            (["close", "99999999999999999999"], "no connection's number"),
            (["status", "--abort"], "--abort goes with close"),
            (["status", "--move"], "--move goes with plugin reload and plugin tune only"),
            (["plugin", "unload", "x", "--move"], "--move goes with plugin reload and plugin tune only"),
            (["plugin"], "tapstackctl plugin ACTION"),
            (["plugin", "eat"], '"eat" is neither available, load, unload, reload nor tune'),
            (["plugin", "load"], "tapstackctl plugin load PLUGIN [as INSTANCE] [PARAM=VALUE...]"),
            (["plugin", "load", "x", "as"], 'missing behind "as"'),
            (["plugin", "tune", "x"], "tapstackctl plugin tune INSTANCE PARAM=VALUE..."),
            (["plugin", "tune", "x", "beta"], '"beta" is not PARAM=VALUE'),
            (["plugin", "tune", "x", "=1"], '"=1" is not PARAM=VALUE'),
            (["plugin", "tune", "x", "a=1", "a=2"], "parameter a is given twice"),
            (["status", "--bad"], 'unrecognized option "--bad"'),
            (["status", "--columns"], "requires an argument"),
            (["connections", "--columns", "idd"], "columns of connections are: id "),
            (["connections", "--columns", ","], "--columns"),
            (["connections", "--limit", "0"], "--limit 0 is not valid"),
            (["connections", "nothing=1"], "fields are: id "),
            (["connections", "state"], "conditions look like"),
            (["connections", "state=nothing"], "ESTABLISHED"),
            (["connections", "peer=192.0.2.0/33"], "192.0.2.0/24"),
            (["connections", "peer>192.0.2.1"], "= and != only"),
            (["connections", "cause=RECEIVED_FIN"], "no field"),
            (["history", "orphan=yes"], "in the history"),
            (["help", "nothing"], "no command"),
            (["--socket", "x" * 200, "status"], "at most 107 bytes"),
        ]:
            with self.subTest(args=args):
                self.expect(USAGE, *args, says=says)
        for seconds in ("0", "-1", "nan", "x", "1e9"):
            self.expect(USAGE, "status", timeout=seconds, says="--timeout")

    def test_unreachable(self):
        self.expect(UNREACHABLE, "status", says="No such file")
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(self.path)
        stale.close()
        self.expect(UNREACHABLE, "status", says="Connection refused")
        os.unlink(self.path)
        self.serve(lambda call: b"{}")  # no NUL, then closed
        self.expect(UNREACHABLE, "status", says="closed the connection without an answer")
        self.serve(lambda call: b"SSH-2.0\0")
        self.expect(UNREACHABLE, "status", says="is this tapstackd's control socket?")

    def test_not_permitted(self):
        self.serve(error("org.varlink.service.PermissionDenied", needed="operate", role="observe"))
        self.expect(NOT_PERMITTED, "close", "1", says='needs the role "operate", yours is "observe"')

    def test_no_match(self):
        self.serve(error(INTERFACE + ".NoSuchConnection", id=7))
        self.expect(NO_MATCH, "show", "7", says="tapstackctl history 7")
        self.expect(NO_MATCH, "close", "7", says="not live")
        self.serve(error(INTERFACE + ".AlreadyClosing", id=7))
        self.expect(REFUSED, "close", "7", says="connection 7 has been closed already and is in TIME-WAIT")
        self.serve(error(INTERFACE + ".HandshakeIncomplete", id=7))
        self.expect(REFUSED, "close", "7", says="connection 7: its handshake is not complete")
        self.serve(reply(connections=[], complete=True))
        self.expect(NO_MATCH, "connections", "dport=1")
        self.expect(OK, "connections")

    def test_refused(self):
        for name, parameters, says in [
            (INTERFACE + ".TooManyClients", {"limit": 64}, "64"),
            (INTERFACE + ".PluginRefused", {"errors": ["no plugin of this name"]}, "no plugin of this name"),
            (INTERFACE + ".InvalidConfiguration", {"errors": ["f.yaml:3:1: no such key"]}, "f.yaml:3:1"),
            ("org.varlink.service.InvalidParameter", {"parameter": "filter", "reason": "too long"}, "too long"),
            ("org.varlink.service.MethodNotFound", {"method": "Reload"}, "MethodNotFound"),
            ("odd\x1b[1mname", {"a": [1, {"b": None}]}, "odd\\x1b"),
            ("odd", None, "odd"),
        ]:
            self.serve(error(name, **(parameters or {})))
            self.expect(REFUSED, "reload", says=says)

    def test_other_version(self):
        self.serve(reply())
        for command in (["counters"], ["show", "1"], ["services"]):
            self.expect(REFUSED, *command, says="another version")

    def test_refused_at_once(self):
        """The server says why and closes before it has read the call."""
        self.serve(lambda call: None)
        self.server.stop()
        os.unlink(self.path)
        self.server = None
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        listener.listen()

        def refuse():
            connection, _ = listener.accept()
            connection.sendall(json.dumps({"error": INTERFACE + ".TooManyClients", "parameters": {}}).encode() + b"\0")
            connection.close()

        thread = threading.Thread(target=refuse)
        thread.start()
        self.expect(REFUSED, "status", says="TooManyClients")
        thread.join()
        listener.close()

    def test_timed_out(self):
        self.serve(lambda call: None)
        self.expect(TIMED_OUT, "status", timeout="0.2", says="no answer")

    def test_output_lost(self):
        self.serve(reply(version="1"))
        with open("/dev/full", "w") as full:
            done = subprocess.run([CTL, "--socket", self.path, "status"], stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, REFUSED)
        self.assertIn(b"can't write", done.stderr)

    # ---- what is sent

    def test_calls(self):
        self.serve(reply(counters={}, connection={}, connections=[{"id": 1}], services=[], plugins=[], files=[], neighbours=[],
                         instance="x",
                         addresses=[], routers=[], paths=[],
                         config=[]))
        for args, method, parameters in [
            (["status"], "Status", None),
            (["counters", "--all"], "Counters", {"all": True}),
            (["counters"], "Counters", {"all": False}),
            (["show", "17"], "Show", {"id": 17}),
            (["close", "17"], "Close", {"id": 17, "abort": False}),
            (["close", "--abort", "17"], "Close", {"id": 17, "abort": True}),
            (["services"], "Services", None),
            (["plugins"], "Plugins", None),
            (["plugin", "available"], "PluginFiles", None),
            (["plugin", "load", "cubic"], "PluginLoad", {"plugin": "cubic", "instance": "cubic", "params": {}}),
            (["plugin", "load", "cubic", "as", "b", "beta=0.8", "x=a=b"], "PluginLoad",
             {"plugin": "cubic", "instance": "b", "params": {"beta": "0.8", "x": "a=b"}}),
            (["plugin", "unload", "b"], "PluginUnload", {"instance": "b"}),
            (["plugin", "reload", "b"], "PluginReload", {"instance": "b", "move": False}),
            (["plugin", "tune", "--move", "b", "beta=1"], "PluginTune",
             {"instance": "b", "params": {"beta": "1"}, "move": True}),
            (["neighbours"], "Neighbours", None),
            (["addresses"], "Addresses", None),
            (["routers"], "Routers", None),
            (["paths"], "Paths", None),
            (["config"], "Config", None),
            (["config", "tcp"], "Config", {"key": "tcp"}),
            (["reload"], "Reload", None),
            (["stop"], "Stop", None),
            (["connections", "--columns", "id,state", "--limit", "3", "state=estab dport=80,443", "rtt>=1s"],
             "Connections", {"fields": ["id", "state"], "limit": 3, "filter": [
                 {"field": "state", "operator": "=", "values": ["ESTABLISHED"]},
                 {"field": "peer_port", "operator": "=", "values": ["80", "443"]},
                 {"field": "rtt", "operator": ">=", "values": ["1000.000"]}]}),
            (["connections", "--json"], "Connections", {"filter": []}),
        ]:
            with self.subTest(args=args):
                self.expect(OK, *args)
                call = self.server.calls[-1]
                self.assertEqual(call["method"], f"{INTERFACE}.{method}")
                self.assertEqual(call.get("parameters"), parameters)
                self.assertEqual(call.get("more", False), method == "Connections")

    # ---- what is shown

    def test_table(self):
        self.serve(listing)
        lines = self.expect(OK, "connections", "--columns", "id,state,peer,service,rtt,opts,orphan").splitlines()
        self.assertEqual(lines[0].split(), ["ID", "STATE", "PEER", "SERVICE", "RTT", "OPTS", "ORPHAN"])
        self.assertEqual(lines[1].split(), ["1", "ESTABLISHED", "192.0.2.1", "web", "1.25", "ts,sack", "no"])
        self.assertEqual(len(lines), 3)
        self.assertIn('22  TIME-WAIT    2001:db8::1  a "b",\\x0a\\x1b[31mred', lines[2])
        self.assertEqual(lines[0].index("STATE"), lines[2].index("TIME-WAIT"))
        self.assertNotIn("\x1b", "".join(lines))
        bare = self.expect(OK, "connections", "--no-header", "--columns", "id").split()
        self.assertEqual(bare, ["1", "22"])

    def test_json(self):
        self.serve(listing)
        self.assertEqual(json.loads(self.expect(OK, "connections", "--json")), CONNECTIONS)
        lines = self.expect(OK, "connections", "--jsonl").splitlines()
        self.assertEqual([json.loads(line) for line in lines], CONNECTIONS)
        self.assertEqual(json.loads(self.expect(OK, "connections", "--json", "--columns", "id,rtt")),
                         [{"id": 1, "rtt": 1.25}, {"id": 22, "rtt": None}])
        self.serve(reply(connections=[]))
        self.assertEqual(json.loads(self.expect(OK, "connections", "--json")), [])
        self.assertEqual(self.expect(OK, "connections", "--jsonl"), "")
        self.serve(reply(version="1", stack={"connections": 3}))
        self.assertEqual(json.loads(self.expect(OK, "status", "--json")), {"version": "1", "stack": {"connections": 3}})

    def test_csv(self):
        self.serve(listing)
        text = subprocess.run([CTL, "--socket", self.path, "connections", "--csv", "--columns", "id,service,rtt,opts"],
                              capture_output=True, check=True).stdout
        self.assertEqual(text, b'id,service,rtt,opts\r\n1,web,1.25,"ts,sack"\r\n'
                               b'22,"a ""b"",\\x0a\\x1b[31mred",,\r\n')

    def test_objects(self):
        self.serve(reply(version="1", stack={"connections": 3, "states": {"LISTEN": 1}}, shards=[{"index": 0}]))
        lines = [line.split() for line in self.expect(OK, "status", "--no-header").splitlines()]
        self.assertEqual(lines, [["version", "1"], ["stack.connections", "3"], ["stack.states.LISTEN", "1"],
                                 ["shards.0.index", "0"]])
        self.serve(reply(connection=CONNECTIONS[0]))
        lines = [line.split() for line in self.expect(OK, "show", "1").splitlines()]
        self.assertEqual(lines[0], ["FIELD", "VALUE", "UNIT"])
        self.assertIn(["rtt", "1.25", "ms"], lines)
        self.assertIn(["opts", "ts,sack", "-"], lines)

    def test_reload(self):
        self.serve(reply(changed=["tcp.msl"], needs_restart=["link.mtu"]))
        self.assertEqual(self.expect(OK, "reload"), "changed: tcp.msl\ntakes effect after a restart: link.mtu\n")
        self.serve(reply(changed=[], needs_restart=[]))
        self.assertEqual(self.expect(OK, "reload"), "nothing has changed\n")

    def test_many_rows(self):
        """More than the table looks at before it decides on widths; in messages of many sizes."""
        rows = [{"id": i, "service": "x" * (i % 9)} for i in range(1, 3001)]

        def stream(call):
            at, size = 0, 1
            while at < len(rows):
                yield {"parameters": {"connections": rows[at:at + size]}, "continues": True}
                at, size = at + size, size % 400 + 37
            yield {"parameters": {"connections": [], "complete": True}}

        self.serve(stream)
        self.assertEqual(self.expect(OK, "connections", "--columns", "id", "--no-header").split(),
                         [str(row["id"]) for row in rows])
        self.assertEqual(json.loads(self.expect(OK, "connections", "--json")), rows)

    def test_emphasis(self):
        """Only for terminals, and not with NO_COLOR."""
        self.serve(listing)
        for no_color, bold in [("", True), ("1", False)]:
            master, slave = pty.openpty()
            subprocess.run([CTL, "--socket", self.path, "connections"], stdout=slave, check=True,
                           env={**os.environ, "NO_COLOR": no_color})
            os.close(slave)
            self.assertEqual(b"\x1b[1m" in os.read(master, 65536), bold)
            os.close(master)

    # ---- help

    def test_help(self):
        overview = self.expect(OK, "help")
        with open(MANUAL, encoding="ascii") as file:
            manual = file.read().replace("\\-", "-")
        for command in ("status", "connections", "show", "history", "counters", "close", "services", "plugins",
                        "plugin", "neighbours", "addresses", "routers", "paths", "config", "reload", "stop", "help", "version"):
            self.assertIn(f"\n  {command} ", overview)
            self.assertIn(f"\n\\fB{command}\\fR", manual)
            self.assertIn(f"tapstackctl {command}", self.expect(OK, "help", command))
        for option in ("socket", "database", "json", "jsonl", "csv", "no-header", "columns", "limit", "abort", "move", "timeout"):
            self.assertIn(f"--{option}", overview)
            self.assertIn(f"--{option}", manual)
        for code in range(7):
            self.assertIn(f"\n  {code}  ", overview)
            self.assertIn(f"\n\\fB{code}\\fR\n", manual)
        self.assertIn("retrans_total", self.expect(OK, "help", "connections"))
        self.assertEqual(self.expect(OK, "--help"), overview)
        self.assertTrue(self.expect(OK, "version").startswith("tapstackctl "))


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=1))
