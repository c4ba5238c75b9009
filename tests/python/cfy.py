"""The unmodified command line `cfy` with a profile and a home of its own, for stories."""

import contextlib
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile

from windlass import PASSWORD, Story

# It has an environment of its own beside that of the clients.
CFY = os.environ.get("CFY", os.path.join(os.path.dirname(sys.prefix), "cfy/bin/cfy"))
PROCESS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cfy_process.py")


def tar_gz(files):
    """A tar.gz of texts and bytes by their names, the same for the same files."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in files.items():
            content = content if isinstance(content, bytes) else content.encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


class CommandLine(Story):
    """Stories that share a Windlass and a profile of its administrator."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.home = tempfile.mkdtemp(prefix="windlass-cfy-")
        cls.addClassCleanup(shutil.rmtree, cls.home, True)
        used = cls.executed(*cls.use("admin", PASSWORD))
        assert used.returncode == 0, used.stdout + used.stderr
        cls.used = used.stdout + used.stderr
        python = os.path.join(os.path.dirname(CFY), "python")
        cls.commands = subprocess.Popen(
            [python, "-W", "ignore", PROCESS],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=cls.environment(),
        )
        cls.addClassCleanup(cls.commands.stdout.close)
        cls.addClassCleanup(cls.commands.wait)
        cls.addClassCleanup(cls.commands.stdin.close)

    @classmethod
    def use(cls, name, password, tenant="default_tenant"):
        """The arguments of the command that begins to work with this Windlass."""
        at = ("127.0.0.1", "--rest-port", str(cls.windlass.port))
        return ("profiles", "use", *at, "-u", name, "-p", password, "-t", tenant)

    @contextlib.contextmanager
    def profile(self, name):
        """Works with another profile for a while, which is there."""
        self.cfy(f"profiles use {name}")
        try:
            yield
        finally:
            self.cfy("profiles use 127.0.0.1")

    @classmethod
    def environment(cls):
        return {**os.environ, "CFY_WORKDIR": cls.home, "HOME": cls.home, "LC_ALL": "C.UTF-8", "LANG": "C.UTF-8"}

    @classmethod
    def executed(cls, *arguments, seconds=120):
        """A command by the program itself."""
        return subprocess.run(
            [CFY, *arguments], capture_output=True, text=True, timeout=seconds, env=cls.environment(), cwd=cls.home
        )

    @classmethod
    def run_cfy(cls, *arguments):
        """Its exit status, what it printed, and what it complained about. A single argument is a whole line."""
        if len(arguments) == 1:
            arguments = shlex.split(arguments[0])
        files = [os.path.join(cls.home, name) for name in ("printed", "told")]
        request = {"arguments": arguments, "folder": cls.home, "printed": files[0], "told": files[1]}
        cls.commands.stdin.write(json.dumps(request) + "\n")
        cls.commands.stdin.flush()
        status = int(cls.commands.stdout.readline())
        texts = []
        for name in files:
            with open(name, encoding="utf-8") as file:
                texts.append(file.read())
        return status, *texts

    def cfy(self, *arguments):
        """What a command prints when it goes well."""
        status, printed, told = self.run_cfy(*arguments)
        self.assertEqual(status, 0, f"cfy {' '.join(arguments)}\n{printed}\n{told}\n{self.windlass.tail()}")
        return printed + told

    def json(self, *arguments):
        """The same, read as JSON."""
        line = arguments if len(arguments) > 1 else shlex.split(arguments[0])
        status, printed, told = self.run_cfy(*line, "--json")
        self.assertEqual(status, 0, f"cfy {' '.join(line)}\n{printed}\n{told}\n{self.windlass.tail()}")
        return json.loads(printed)

    def refused(self, *arguments):
        """What a command says when it does not go well."""
        status, printed, told = self.run_cfy(*arguments)
        self.assertNotEqual(status, 0, f"cfy {' '.join(arguments)}\n{printed}\n{told}")
        return printed + told

    def refusals(self, *table):
        """Commands that do not go well, each with a part of what the user is told."""
        for line, text in table:
            with self.subTest(line):
                self.assertIn(text, self.refused(line))

    @classmethod
    def file(cls, name, content):
        """A file in the folder that commands run in."""
        path = os.path.join(cls.home, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return path
