#!/usr/bin/env python3
"""Nothing grows past what a reader can hold: 100 lines a function, 800 lines a file."""
import os
import sys

ROOT = os.environ.get("TAPSTACK_SRCDIR", ".")
FUNCTION_MAX = 100
FILE_MAX = 800
TOPS = ("include", "daemon", "ctl", "plugins", "conf", "man", "tests")


def sources():
    for top in TOPS:
        for folder, _, names in os.walk(os.path.join(ROOT, top)):
            for name in sorted(names):
                if name.endswith((".c", ".h", ".py", ".sh")):
                    yield os.path.relpath(os.path.join(folder, name), ROOT)


def c_functions(lines):
    """(first line, length) of each body; the code style puts a function's braces, and no others, in column 0."""
    start = None
    for number, line in enumerate(lines, 1):
        text = line.rstrip()
        if text == "{":
            start = number
        elif text == "}" and start is not None:
            yield start, number - start + 1
            start = None


def main():
    seen = bad = 0
    for path in sources():
        seen += 1
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            lines = file.readlines()
        if len(lines) > FILE_MAX:
            bad += 1
            print(f"{path}: {len(lines)} lines, at most {FILE_MAX} are allowed")
        if not path.endswith((".c", ".h")):
            continue
        for start, length in c_functions(lines):
            if length > FUNCTION_MAX:
                bad += 1
                print(f"{path}:{start}: a function of {length} lines, at most {FUNCTION_MAX} are allowed")
    print(f"{seen} files, {bad} too long")
    return 1 if bad or not seen else 0


if __name__ == "__main__":
    sys.exit(main())
