#!/usr/bin/env python3
"""The manual pages say everything that the programs know, and groff (mandoc too, where it is) reads them without a
complaint. What is compared is what a reader sees."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

BUILD = os.environ.get("TAPSTACK_BUILDDIR", ".")
TAPSTACKD = os.environ.get("TAPSTACKD", "daemon/tapstackd")
PAGES = ("tapstackctl.1", "tapstack.yaml.5", "tapstackd.8", "tapstack-plugin.7")
KINDS = ("echo", "discard", "chargen", "relay", "http")


def run(*command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def flat(text):
    """Without the way lines are broken."""
    return " ".join(text.split())


class Manual:
    def __init__(self):
        self.bad, self.options = 0, 0
        self.raw, self.text = {}, {}

    def complain(self, page, what):
        self.bad += 1
        print(f"{page}: {what}")

    def expect(self, page, *texts):
        for text in texts:
            if flat(text) not in flat(self.text[page]):
                self.complain(page, f"does not say: {flat(text)}")

    def read(self, page):
        path = os.path.join(BUILD, "man", page)
        done = run("groff", "-ww", "-man", "-Tascii", "-P-cbou", "-rLL=200n", "-rHY=0", "-dAD=l", path)
        self.raw[page] = open(path, encoding="ascii").read()
        self.text[page] = done.stdout
        if done.returncode != 0 or done.stderr:
            self.complain(page, done.stderr)
        if shutil.which("mandoc"):
            # An empty date is ours: pages are made by a build, and builds are the same on every day.
            complaints = [line for line in run("mandoc", "-Tlint", "-Wwarning", path).stdout.splitlines()
                          if "missing date" not in line]
            for line in complaints:
                self.complain(page, line)

    def check_options(self, page):
        """Each line of --help, up to the end of a table."""
        done = run(TAPSTACKD, "--help")
        rows = re.findall(r"^  +(\S.*?)  +(\S.*)$", done.stdout, re.MULTILINE)
        if len(rows) < 10:
            self.complain(page, "tapstackd --help is not understood")
        for left, text in rows:
            self.expect(page, f"{left} {text}")

    def check_keys(self, page):
        """Each key of the printed file, with what is said about it there."""
        section, comment, count = "", [], 0
        for line in run(TAPSTACKD, "--print-config").stdout.splitlines():
            if match := re.match(r" *#(?: (.*))?", line):
                comment.append(match[1] or "")
                continue
            match = re.match(r"( *)([a-z0-9_]+):(.*)", line)
            if match and not match[1] and not match[3] and not comment:
                section = match[2] + "."
            elif match and comment:
                self.check_key(page, (section if match[1] else "") + match[2], comment, match[3].strip())
                count += 1
            comment = []
        if count < 50 or self.options < 10:
            self.complain(page, f"tapstackd --print-config is not understood: {count} keys, {self.options} options")

    def check_key(self, page, key, comment, value):
        valid, when = re.fullmatch(r"(.*); ((?:live|restart)(?:, per service)?)(?:; example, .*)?", comment[1]).groups()
        if match := re.search(r"; example, the default is (.*)", comment[1]):
            value = match[1]
        self.expect(page, f"{key} {comment[0]} Value: {valid}; default {value}; {when}")
        options = "\n".join(comment[2:])
        for option, what, valid in re.findall(r"^  ([a-z_]+) +(.*)\n {10,}(.*?)(?:; only .*)?$", options, re.MULTILINE):
            self.expect(page, f"{option} {what} Value: {valid}")
            self.options += 1

    def check_example(self, page):
        """The daemon takes the example as it stands, with the plugins of this build."""
        section = self.raw[page].split(".SH EXAMPLES")[1]
        lines = re.search(r"\.nf\n(.*?)\.fi", section, re.DOTALL)[1].replace("\\-", "-")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "example.yaml")
            with open(path, "w", encoding="ascii") as file:
                file.write(lines)
            for kind, name in (("congestion", "cubic"), ("logging", "jsonl"), ("logging", "pcapng")):
                shutil.copy(os.path.join(BUILD, "plugins", kind, ".libs", name + ".so"), folder)
            done = run(TAPSTACKD, "--check", "-c", path, "--set", "plugins.directory=" + folder)
            if done.returncode != 0:
                self.complain(page, f"its example is refused: {done.stderr}")


def main():
    if not shutil.which("groff"):
        print("groff is not installed")
        return 77
    manual = Manual()
    for page in PAGES:
        manual.read(page)
    manual.check_options("tapstackd.8")
    manual.expect("tapstackd.8", "SYNOPSIS tapstackd [OPTION]...", "audit.db", "control.sock", "tapstackd.service")
    manual.check_keys("tapstack.yaml.5")
    manual.expect("tapstack.yaml.5", *(f"{kind} " for kind in KINDS))
    manual.check_example("tapstack.yaml.5")
    print(f"{len(PAGES)} pages, {manual.bad} faults")
    return 1 if manual.bad else 0


if __name__ == "__main__":
    sys.exit(main())
