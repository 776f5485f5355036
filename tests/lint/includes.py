#!/usr/bin/env python3
"""Who may include whom: the arrows of the architecture, and nothing besides.

base <- wire <- tcp <- stack.h <- {link, shard, services, audit, control} <- main
"""
import os
import re
import sys

ROOT = os.environ.get("TAPSTACK_SRCDIR", ".")

# The parts, most special first: a file belongs to the first whose prefix it has.
PARTS = (
    ("include/tapstack/congestion.h", "congestion-api"),
    ("include/tapstack/", "api"),
    ("daemon/core/base/", "base"),
    ("daemon/core/wire/frame_filter.h", "filter"),
    ("daemon/core/wire/", "wire"),
    ("daemon/core/tcp/state.h", "states"),
    ("daemon/core/tcp/", "tcp"),
    ("daemon/core/", "stack"),
    ("daemon/capture/", "capture"),
    ("daemon/link/", "link"),
    ("daemon/shard/", "shard"),
    ("daemon/services/status_http", "status"),
    ("daemon/services/", "services"),
    ("daemon/audit/", "audit"),
    ("daemon/config/", "config"),
    ("daemon/plugin/", "plugin"),
    ("daemon/control/", "control"),
    ("daemon/log.", "log"),
    ("daemon/main", "main"),
    ("ctl/", "ctl"),
    ("plugins/", "plugins"),
)

# What everything outside the core may see of it: values (filters of frames are one), the names of states and causes,
# and the stack's face.
FACE = {"base", "filter", "states", "stack", "congestion-api", "api", "log"}

# A part always sees itself.
ALLOWED = {
    "congestion-api": {"api"},
    "api": {"congestion-api"},
    "base": set(),
    "states": {"base"},
    "filter": {"base"},
    "wire": {"base", "filter"},
    "tcp": {"base", "wire", "states", "stack", "congestion-api", "api"},
    "stack": {"base", "wire", "states", "tcp", "congestion-api", "api"},
    "link": FACE | {"wire"},
    "capture": FACE,
    "shard": FACE | {"capture", "link", "services"},
    "services": FACE,
    "status": FACE | {"services", "shard"},
    "audit": FACE,
    "config": FACE | {"capture"},
    "plugin": FACE | {"capture"},
    "control": FACE | {"capture", "shard", "config", "plugin"},
    "log": set(),
    "ctl": {"api", "congestion-api"},
    "plugins": {"api", "congestion-api"},
}

# The core knows no system: these headers have types and memory functions only.
CORE = {"base", "filter", "states", "wire", "tcp", "stack"}
CORE_SYSTEM = {
    "endian.h", "errno.h", "limits.h", "stdalign.h", "stdatomic.h", "stdbool.h", "stddef.h", "stdint.h", "string.h",
    "sodium/crypto_shorthash.h", "sodium/crypto_shorthash_siphash24.h", "sodium.h", "sys/types.h", "sys/uio.h",
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')


def part_of(path):
    return next((part for prefix, part in PARTS if path.startswith(prefix)), None)


def resolve(includer, name):
    """The file a quoted name stands for, as the compiler's search path finds it."""
    for base in (os.path.dirname(includer), "daemon", "include"):
        path = os.path.normpath(os.path.join(base, name))
        if os.path.exists(os.path.join(ROOT, path)):
            return path
    return None


def sources():
    for top in ("include", "daemon", "ctl", "plugins"):
        for folder, _, names in os.walk(os.path.join(ROOT, top)):
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(folder, name), ROOT)


def complaints(path):
    part = part_of(path)
    if part is None:
        yield 0, "belongs to no part that this test knows"
        return
    with open(os.path.join(ROOT, path), encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            quote, name = match.groups()
            if quote == "<":
                if part in CORE and name not in CORE_SYSTEM:
                    yield number, f"the core may not include <{name}>"
                continue
            target = resolve(path, name)
            if target is None:
                yield number, f'"{name}" is not a file of this tree'
                continue
            other = part_of(target)
            if part != "main" and other != part and other not in ALLOWED[part]:
                yield number, f'{part} may not see {other}: "{name}"'


def main():
    seen = bad = 0
    for path in sources():
        seen += 1
        for number, what in complaints(path):
            bad += 1
            print(f"{path}:{number}: {what}")
    print(f"{seen} files, {bad} wrong includes")
    return 1 if bad or not seen else 0


if __name__ == "__main__":
    sys.exit(main())
