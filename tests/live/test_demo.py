#!/usr/bin/env python3
"""The demo says what it promises, and leaves nothing behind."""
import os
import signal
import subprocess

from harness import BUILD, check, equal, main

SOURCE = os.environ.get("TAPSTACK_SRCDIR", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))


def demo(env, *arguments):
    """The running demo, with its temporary files where the test can see them."""
    process = subprocess.Popen([os.path.join(SOURCE, "tests/demo/demo.sh"), *arguments], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
                               env={**os.environ, "TMPDIR": env.directory})
    env.cleanup(lambda: process.poll() is None and os.killpg(process.pid, signal.SIGKILL))
    return process


def test_demo(env):
    process = demo(env, BUILD)
    output = process.communicate(timeout=120)[0]
    equal(process.returncode, 0, f"exit code of the demo, which said:\n{output}")
    for text in ("A real server", "still here", "ESTABLISHED", "RECEIVED_ACK_OF_SYN", "TIMEOUT_2MSL", "DAEMON_STOP"):
        check(text in output, f"{text!r} is not in the demo's output:\n{output}")
    equal(os.listdir(env.directory), [], "what is left in TMPDIR")


def test_failure_is_loud(env):
    """Of a build that is not there, and of a daemon that cannot start."""
    build = os.path.join(env.directory, "build")
    for program in ("daemon/tapstackd", "ctl/tapstackctl", "plugins/none/.libs/none.so"):
        path = os.path.join(build, program)
        os.makedirs(os.path.dirname(path))
        with open(path, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\necho the build is broken >&2\nexit 1\n")
        os.chmod(path, 0o755)
    for arguments, text in (([], "usage"), ([os.path.join(env.directory, "nowhere")], "nowhere"),
                            ([build], "the build is broken")):
        process = demo(env, *arguments)
        output = process.communicate(timeout=120)[0]
        check(process.returncode != 0 and text in output, f"the demo with {arguments} said:\n{output}")
    equal(os.listdir(env.directory), ["build"], "what is left in TMPDIR")


if __name__ == "__main__":
    main()
