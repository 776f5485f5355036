#!/usr/bin/env python3
"""Each source is named in a Makefile fragment, or is what a program named there is made of. One that is not is missing
from the distribution; of a header nobody notices, before somebody builds from there."""
import os
import re
import sys

ROOT = os.environ.get("TAPSTACK_SRCDIR", ".")
TOPS = ("include", "daemon", "ctl", "plugins", "conf", "man", "systemd", "tests")
SOURCES = (".c", ".h", ".py", ".sh", ".def", ".txt", ".in")


def files():
    for top in TOPS:
        for folder, _, names in os.walk(os.path.join(ROOT, top)):
            for name in sorted(names):
                yield os.path.relpath(os.path.join(folder, name), ROOT)


def main():
    everything = list(files())
    named = set()
    for path in (*everything, "Makefile.am"):
        if os.path.basename(path) in ("local.mk", "Makefile.am") and os.path.exists(os.path.join(ROOT, path)):
            with open(os.path.join(ROOT, path), encoding="utf-8") as file:
                named.update(re.findall(r"[\w./-]+", file.read()))
    sources = [path for path in everything if path.endswith(SOURCES)]
    missing = [path for path in sources if path not in named and path.removesuffix(".c") not in named]
    for path in missing:
        print(f"{path}: no fragment of the Makefile names it, so it is not distributed")
    print(f"{len(sources)} files, {len(missing)} not named")
    return 1 if missing or not sources else 0


if __name__ == "__main__":
    sys.exit(main())
