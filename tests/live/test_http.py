#!/usr/bin/env python3
"""The status page, and what HTTP does to connections: closed after each response, kept, pipelined, closed when idle."""
import json
import socket
import subprocess
import time

from harness import FAMILY, IPV6, STACK, check, connect, equal, main, read_all

HTTP = {"name": "status", "kind": "http", "port": 80}
CLOSED_BY_SERVER, CLOSED_BY_CLIENT = ("FIN-WAIT-1", "LOCAL_CLOSE"), ("CLOSE-WAIT", "RECEIVED_FIN")


def curl(*arguments):
    done = subprocess.run(["curl", "--silent", "--show-error", "--max-time", "10", *arguments], capture_output=True,
                          text=True, timeout=20, check=False)
    equal(done.returncode, 0, f"curl {arguments}: {done.stderr}")
    return done.stdout


def url(path="/"):
    return f"http://[{STACK}]{path}" if FAMILY is IPV6 else f"http://{STACK}{path}"


def first_to_close(daemon):
    """Of each connection, by the audit."""
    return daemon.sql("SELECT to_state, cause FROM transitions WHERE n = 2 ORDER BY connection")


def test_http_1_0_closes_after_each_response(env):
    daemon = env.daemon(services=[HTTP])
    for _ in range(3):
        check("tapstack" in curl("--http1.0", url()), "the page")
    equal(curl("--http1.0", "-o/dev/null", "-o/dev/null", "-w%{num_connects} ", url(), url("/metrics")), "1 1 ",
          "connections that curl made, one for each response")
    with connect(80) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = read_all(sock)  # until the server closes
        check(answer.startswith(b"HTTP/1.") and b" 200 " in answer[:20], f"status line of {answer[:40]}")
    daemon.stop()
    # curl knows the length of the answer and may close in the same moment.
    equal(len(first_to_close(daemon)), 6, "connections")
    equal(first_to_close(daemon)[-1], CLOSED_BY_SERVER, "who closed first")


def test_http_1_1_keeps_the_connection(env):
    daemon = env.daemon(services=[HTTP])
    equal(curl("-o/dev/null", "-o/dev/null", "-o/dev/null", "-w%{num_connects} ", url(), url("/connections"),
               url("/metrics")), "1 0 0 ", "connections that curl made, all on the first one")
    with connect(80) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        check(read_all(sock).startswith(b"HTTP/1.1 200 "), "an answer")
    daemon.stop()
    equal(first_to_close(daemon), [CLOSED_BY_CLIENT, CLOSED_BY_SERVER], "who closed first")


def test_pipelined_requests_are_answered_in_order(env):
    env.daemon(services=[HTTP])
    paths = ["/connections", "/metrics", "/", "/no-such-page", "/connections"]
    with connect(80) as sock:
        sock.sendall(b"".join(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for path in paths[:-1]) +
                     f"GET {paths[-1]} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answers = read_all(sock).split(b"HTTP/1.1 ")[1:]
    equal([answer[:3] for answer in answers], [b"200", b"200", b"200", b"404", b"200"], "status codes")
    check(b"json" in answers[0] and b"json" in answers[4], "JSON first and last")
    check(b"# EOF" in answers[1], "metrics second")
    check(b"<html" in answers[2].lower(), "the page third")


def test_idle_connection_is_closed_by_the_server(env):
    daemon = env.daemon(services=[{**HTTP, "idle_timeout": "500ms"}])
    with connect(80) as idle, connect(80) as sock:
        sock.sendall(b"GET /connections HTTP/1.1\r\nHost: x\r\n\r\n")
        began = time.monotonic()
        answer = read_all(sock)
        took = time.monotonic() - began
        check(answer.startswith(b"HTTP/1.1 200 "), f"an answer, not {answer[:40]}")
        check(took > 0.4, f"closed after {took:.2f} s")
        equal(read_all(idle), b"", "what is said to a client that asks nothing")
    daemon.stop()
    equal(first_to_close(daemon), [CLOSED_BY_SERVER] * 2, "who closed first")


def test_what_the_pages_say(env):
    env.daemon(services=[HTTP, {"name": "echo", "kind": "echo", "port": 7}])
    with connect(7) as sock:
        sock.sendall(b"x")
        sock.recv(1)
        listing = json.loads(curl(url("/connections")))
        rows = listing["connections"] if isinstance(listing, dict) else listing
        mine = [row for row in rows if row["peer_port"] == sock.getsockname()[1]]
        equal(len(mine), 1, "our connection in the listing")
        equal(mine[0]["state"], "ESTABLISHED", "its state")
        equal(mine[0]["service"], "echo", "its service")
        metrics = curl(url("/metrics"))
        check(metrics.endswith("# EOF\n"), "the end mark of OpenMetrics")
        check("tapstack_" in metrics, "metrics of ours")


def test_garbage_is_refused(env):
    env.daemon(services=[HTTP])
    with connect(80) as sock:
        sock.sendall(b"\0\1\2 nonsense\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        try:
            answer = read_all(sock)
            check(not answer.startswith(b"HTTP/1.1 200"), f"no success: {answer[:60]}")
        except ConnectionError:
            pass
    check("tapstack" in curl(url()), "the page, afterwards")


if __name__ == "__main__":
    main()
