"""Every command of README.md and docs/ runs as it is written, from the top of its page to the bottom.

Each page has an application of its own, with running schedules, and a shell for all of its blocks. Every request
of `curl` has to succeed, unless the block says which refusal it shows. Addresses and passwords are those of the
test: `127.0.0.1:3000` is replaced, `PASSWORD=...` is not run.
"""

import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "python"))

from pages import REPOSITORY, RUN, blocks, matches, names, read, refusals_expected, statuses_promised
from windlass import HOST, Recorder, Windlass, free_port

PASSWORD = "correct-horse-battery"
SECRET = "a secret of the operator's monitors, long enough"
TICK_TOKEN = "what-a-tick-has-to-carry"
CFY = os.environ.get("CFY", os.path.join(os.path.dirname(sys.prefix), "cfy/bin/cfy"))
# A page takes seconds; one that waits for something that never comes ends here.
SECONDS = 100

# Tells the statuses of answers beside what the page shows. A stream goes on until it is left.
CURL = """#!/usr/bin/env bash
limit=()
case "$*" in *stream*) limit=(--max-time 2) ;; esac
"$REAL_CURL" "${limit[@]}" -w '%{stderr}::status %{http_code}\\n' "$@"
ended=$?
if [ "$ended" = 28 ] && [ "${#limit[@]}" != 0 ]; then exit 0; fi
exit "$ended"
"""

# The same for a command that follows.
COMMAND_LINE = """#!/usr/bin/env bash
case "$*" in *--follow*) timeout 5 "$REAL_CFY" "$@"; exit 0 ;; esac
exec "$REAL_CFY" "$@"
"""


class Page:
    """A page under test: its folder, its application and its shell."""

    def __init__(self, name):
        self.name = name
        self.blocks = blocks(read(name))
        # For what a page starts itself.
        self.port = free_port()
        self.folder = tempfile.mkdtemp(prefix="windlass-page-")
        for part in ("examples", "docs", "scripts", "shared", "spin.toml", "target"):
            os.symlink(os.path.join(REPOSITORY, part), os.path.join(self.folder, part))

    def replaced(self, text, windlass):
        """A text of the page with the addresses, folders and passwords of the test."""
        for written, here in (
            ("127.0.0.1:3000", f"127.0.0.1:{windlass.port}"),
            ("--rest-port 3000", f"--rest-port {windlass.port}"),
            ("port=3000,", f"port={windlass.port},"),
            ("8090", str(self.port)),
            ("password='...'", f"password='{PASSWORD}'"),
            ("--state-dir .spin", f"--state-dir '{windlass.state}'"),
            (" .spin/", f" {windlass.state}/"),
        ):
            text = text.replace(written, here)
        return re.sub(r"^(export )?(PASSWORD|SECRET|TICK_TOKEN)=\.\.\.", ": ", text, flags=re.MULTILINE)

    def script(self, windlass):
        """All blocks as one program, with a line before each that tells where it is."""
        lines = ["set -euo pipefail", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"]
        for number, block in enumerate(self.blocks):
            told = f"printf '\\n::block {number}\\n' | tee /dev/stderr"
            if block.before:
                lines += [told, self.replaced(block.before, windlass)]
            if block.marker == "file":
                path = os.path.join(self.folder, block.argument)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(self.replaced(block.text, windlass))
            elif block.marker in ("skip", "output") or block.language not in RUN:
                continue
            elif block.language == "python":
                lines += [told, f"python - <<'END_OF_BLOCK'\n{self.replaced(block.text, windlass)}END_OF_BLOCK"]
            else:
                lines += [told, self.replaced(block.text, windlass)]
        lines.append("printf '\\n::end\\n' | tee /dev/stderr")
        return "\n".join(lines) + "\n"

    def tools(self):
        """A folder with the programs that pages name, before all others."""
        tools = os.path.join(self.folder, ".tools")
        os.mkdir(tools)
        os.symlink(HOST, os.path.join(tools, "windlass-host"))
        installed = os.path.dirname(sys.executable)
        for name, text in (
            ("curl", CURL),
            ("cfy", COMMAND_LINE),
            # A link would lose the environment that Python finds by its own path.
            ("python", f'#!/bin/sh\nexec "{installed}/python" -W ignore "$@"\n'),
            ("openstack", f'#!/bin/sh\nexec "{installed}/openstack" "$@"\n'),
        ):
            with open(os.path.join(tools, name), "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(os.path.join(tools, name), 0o755)
        return tools

    def run(self, windlass):
        """What the page's blocks printed and were answered, by their number, and how the last one ended."""
        environment = {
            **os.environ,
            "PATH": f"{self.tools()}:{os.environ['PATH']}",
            "REAL_CURL": shutil.which("curl"),
            "REAL_CFY": CFY,
            "HOME": self.folder,
            "CFY_WORKDIR": self.folder,
            "LC_ALL": "C.UTF-8",
            "PASSWORD": PASSWORD,
            "SECRET": SECRET,
            "TICK_TOKEN": TICK_TOKEN,
            # For preparations.
            "SERVER": str(windlass.process.pid),
            "WAGON": os.path.join(HERE, "wagon.py"),
        }
        shell = subprocess.Popen(
            ["bash", "-c", self.script(windlass)], cwd=self.folder, env=environment, text=True, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )
        try:
            printed, told = shell.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, signal.SIGKILL)
            printed, told = shell.communicate()
        return by_block(printed), by_block(told), shell.returncode


def by_block(text):
    """A shell's output, cut at the lines that tell where it is. Preparations count for their block."""
    found = {}
    for part in text.split("\n::block ")[1:]:
        number, _, rest = part.partition("\n")
        found[int(number)] = found.get(int(number), "") + rest.split("\n::end\n")[0]
    return found


class Documents(unittest.TestCase):
    maxDiff = None

    def follow(self, name):
        page = Page(name)
        self.addCleanup(shutil.rmtree, page.folder, True)
        # What is mailed, and what calls of a page want, is answered by this one.
        hooks = Recorder()
        self.addCleanup(hooks.stop)
        windlass = Windlass(
            admin_password=PASSWORD, status_jwt_secret=SECRET, tick_token=TICK_TOKEN,
            mail_url=hooks.url, mail_from="windlass@harbour.example",
        )
        self.addCleanup(self.remove, windlass)
        printed, told, ended = page.run(windlass)
        if not page.blocks:
            return
        last = max(printed, default=0)
        where = f"{name}, line {page.blocks[last].line}"
        self.assertEqual(ended, 0, f"{where}\n{page.blocks[last].text}\n{printed.get(last)}\n{told.get(last)}")
        shown = None
        for number, block in enumerate(page.blocks):
            with self.subTest(f"{name}, line {block.line}"):
                if block.marker == "output":
                    expected = block.text.replace("8090", str(page.port))
                    self.assertTrue(matches(expected, shown or ""), f"the page shows\n{expected}\nand was told\n{shown}")
                elif number in printed:
                    shown = printed[number]
                    self.judge(block, shown, told.get(number, ""))

    @staticmethod
    def remove(windlass):
        """Ends it, and removes its state with what a restore kept beside it."""
        windlass.stop()
        for folder in glob.glob(f"{windlass.state}*"):
            shutil.rmtree(folder, True)

    def judge(self, block, printed, told):
        """Every answer is a success, or a refusal that the block shows, and what it promises has come."""
        statuses = [int(status) for status in re.findall(r"::status (\d+)", told)]
        for status in statuses:
            if status >= 400:
                self.assertIn(status, refusals_expected(block.text), f"{block.text}\n{printed}\n{told}")
        for status in statuses_promised(block.text):
            self.assertIn(status, statuses, f"{block.text}\n{printed}\n{told}")


def story(name):
    return lambda self: self.follow(name)


for name in names():
    setattr(Documents, "test_" + re.sub(r"\W+", "_", name.removesuffix(".md")), story(name))

if __name__ == "__main__":
    unittest.main()
