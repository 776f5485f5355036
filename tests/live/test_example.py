#!/usr/bin/env python3
"""What somebody does who writes a plugin: installs tapstack, copies examples/plugin to a folder of his own, builds it by
its Makefile with nothing but what was installed, installs it, and loads it into the installed daemon."""
import os
import shutil
import subprocess

from harness import BUILD, check, connect, equal, main, read_exactly, wait_until

SOURCE = os.environ.get("TAPSTACK_SRCDIR", ".")


def run(*command, cwd=None, **variables):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, **variables})
    equal(done.returncode, 0, f"exit code of {' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def installed(env):
    """Into a folder of its own, as a package is made; the prefix is what configure was given."""
    root = os.path.join(env.directory, "root")
    run("make", "-s", "-C", BUILD, "install", f"DESTDIR={root}", MAKEFLAGS="", MFLAGS="")
    return root


def find(root, name):
    for folder, _, files in os.walk(root):
        if name in files:
            return os.path.join(folder, name)
    check(False, f"{name} was installed")
    return None


def test_example_is_built_out_of_the_tree(env):
    root = installed(env)
    config = os.path.dirname(find(root, "tapstack-plugin.pc"))
    package = {"PKG_CONFIG_PATH": config, "PKG_CONFIG_SYSROOT_DIR": root}
    plugins = root + run("pkg-config", "--variable=plugindir", "tapstack-plugin", PKG_CONFIG_PATH=config)
    check(os.path.exists(os.path.join(plugins, "cubic.so")), "plugindir is where plugins were installed")
    mine = os.path.join(env.directory, "mine")
    os.mkdir(mine)
    for name in os.listdir(os.path.join(SOURCE, "examples/plugin")):
        shutil.copyfile(os.path.join(SOURCE, "examples/plugin", name), os.path.join(mine, name))
    run("make", "-C", mine, "CC=cc", **package, CFLAGS="-Werror", MAKEFLAGS="", MFLAGS="")
    # DESTDIR is in front of what pkg-config says, so it must not be there already.
    run("make", "-C", mine, "install", f"DESTDIR={root}", PKG_CONFIG_PATH=config, MAKEFLAGS="", MFLAGS="")
    os.chmod(plugins, 0o755)

    daemon = env.daemon(
        services=[{"name": "echo", "kind": "echo", "port": 7, "congestion": "fixed"}],
        config={"plugins": {"directory": plugins,
                            "congestion": [{"plugin": "fixed", "params": {"window": 100000}}],
                            "logging": ["endings"]}}, start=False)
    daemon.command = [find(root, "tapstackd")]
    daemon.start()
    with connect(7) as sock:
        sock.sendall(b"x")
        equal(read_exactly(sock, 1), b"x", "echo")
        shown = daemon.connections(7)[0]
        equal((shown["cong"], shown["cwnd"]), ("fixed", 100000), "algorithm and its window")
    wait_until(lambda: "has ended in" in daemon.log(), "the log has heard of the end")
    daemon.stop()


if __name__ == "__main__":
    main()
