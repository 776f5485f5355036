#!/usr/bin/env python3
"""README.md does not promise what is not there: its paths exist, its functions are defined where it says, its targets
of make are in a Makefile, and each part of the tree is on its map."""
import os
import re
import sys

ROOT = os.environ.get("TAPSTACK_SRCDIR", ".")
CORE = "daemon/core/tcp"
ON_THE_MAP = ("include", "daemon", "ctl", "plugins", "conf", "man", "systemd", "tests")


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def rows(text, title):
    """The cells of the table in this chapter."""
    chapter = re.search(rf"^## {title}\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)[1]
    table = [line.strip("|").split(" | ") for line in chapter.splitlines() if line.startswith("| ")]
    return table[2:]


def check_tree(text):
    """What the map of folders has that is not there, and the other way round."""
    named = {path.rstrip("/") for row in rows(text, "The tree") for path in re.findall(r"`([^`]+)`", row[0])}
    yield from (f"the tree has no {path}" for path in sorted(named) if not os.path.exists(os.path.join(ROOT, path)))
    parts = set(ON_THE_MAP) | {f"daemon/{name}" for name in os.listdir(os.path.join(ROOT, "daemon"))} | {
        f"{CORE}/../{name}" for name in os.listdir(os.path.join(ROOT, "daemon/core"))}
    for part in sorted(map(os.path.normpath, parts)):
        if os.path.isdir(os.path.join(ROOT, part)) and not any((name + "/").startswith(part + "/") for name in named):
            yield f"{part} is not on the map"


def check_functions(text):
    table = rows(text, "The map to RFC 9293")
    if len(table) < 15:
        yield f"the map to RFC 9293 is not understood: {len(table)} rows"
    for row in table:
        waiting = []
        for word in re.findall(r"`([^`]+)`", row[2]):
            if not word.endswith(".c"):
                waiting.append(word)
                continue
            path = os.path.normpath(os.path.join(CORE, word))
            source = read(path) if os.path.exists(os.path.join(ROOT, path)) else ""
            for name in waiting:
                if not re.search(rf"^[a-z].*\b{name}(\(.*[^;]$| = )", source, re.MULTILINE):
                    yield f"{path} has no {name}"
            waiting = []
        for name in waiting:
            yield f"no file is named for {name}"


def check_targets(text):
    makefiles = [read("Makefile.am")] + [
        read(os.path.join(folder, "local.mk")) for folder, _, names in os.walk(os.path.join(ROOT, "tests"))
        if "local.mk" in names]
    targets = set(re.findall(r"[\w-]+", " ".join(re.findall(r"^([\w -]+):", "\n".join(makefiles), re.MULTILINE))))
    targets |= {"check", "distcheck", "install", "uninstall"}  # automake's
    for name in sorted(set(re.findall(r"`make ([a-z-]+)", text))):
        if name not in targets:
            yield f"no Makefile has {name}"


def main():
    text = read("README.md")
    faults = [*check_tree(text), *check_functions(text), *check_targets(text)]
    for fault in faults:
        print(f"README.md: {fault}")
    print(f"{len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
