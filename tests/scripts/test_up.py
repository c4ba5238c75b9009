"""`scripts/up --demo`: it finds the password wherever the server prints it, and keeps it to its owner. Spin is
played by the embedded host, which prints on standard error then, as Spin does. Needs what `scripts/test build` builds.
"""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HOST = os.environ.get("WINDLASS_HOST", os.path.join(ROOT, "target", "release", "windlass-host"))
SPIN = f"""#!/bin/sh
case "$1" in
  --version) echo "spin 4.1.0 (played)" ;;
  plugins) echo "trigger-cron 0.3.0 [installed]" ;;
  up) exec {HOST} "$@" 1>&2 ;;
esac
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Up(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        spin = os.path.join(self.folder, "spin")
        with open(spin, "w") as file:
            file.write(SPIN)
        os.chmod(spin, 0o755)

    def tearDown(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def demonstrate(self, server):
        """Runs the demonstration to its end; what was said, and the folder of the state."""
        state = os.path.join(self.folder, f"state{server}")
        environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"}
        environment.pop("WINDLASS_PASSWORD", None)
        listen = f"127.0.0.1:{free_port()}"
        command = ["scripts/up", server, "--no-build", "--demo", "--listen", listen, "--state-dir", state]
        # A usual umask: what is private is so by the script.
        up = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, umask=0o022)
        watch = threading.Timer(120, up.kill)
        watch.start()
        said = ""
        try:
            for line in up.stdout:
                said += line
                if "look at it" in line or "demonstration" in line:
                    break
        finally:
            watch.cancel()
            up.send_signal(signal.SIGTERM)
            up.communicate(timeout=30)
        return said, state

    def test_the_demonstration_runs_to_its_end(self):
        for server in ["--host", "--spin"]:
            with self.subTest(server):
                said, state = self.demonstrate(server)
                self.assertIn("the execution is terminated", said)
                self.assertEqual(len(re.findall("with the password: ", said)), 1, said)
                for path in [state, *(os.path.join(state, name) for name in os.listdir(state))]:
                    mode = stat.S_IMODE(os.stat(path).st_mode)
                    self.assertEqual(mode & 0o077, 0, f"{path} is {mode:o}")

    def test_a_port_that_is_taken_is_told_before_anything_else(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            listen = f"127.0.0.1:{other.getsockname()[1]}"
            command = [os.path.join(ROOT, "scripts/up"), "--host", "--no-build", "--demo", "--listen", listen]
            up = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60)
            self.assertEqual(up.returncode, 1, up.stderr)
            self.assertEqual(up.stdout, "")
            self.assertIn(f"{listen} is already in use", up.stderr)
            self.assertNotIn("answers", up.stderr)

    def test_a_relative_folder_is_where_it_was_said(self):
        listen = f"127.0.0.1:{free_port()}"
        command = [os.path.join(ROOT, "scripts/up"), "--host", "--no-build", "--listen", listen, "--state-dir", "here"]
        up = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        watch = threading.Timer(120, up.kill)
        watch.start()
        try:
            said = next(line for line in up.stdout if "answers on" in line)
            self.assertIn(listen, said)
        finally:
            watch.cancel()
            up.send_signal(signal.SIGTERM)
            up.communicate(timeout=30)
        self.assertTrue(os.path.isfile(os.path.join(self.folder, "here", "sqlite_db.db")))

    def test_a_missing_program_is_named(self):
        bash = shutil.which("bash")
        for name in ["dirname", "sed", "printf", "tr"]:
            os.symlink(shutil.which(name), os.path.join(self.folder, name))
        os.remove(os.path.join(self.folder, "spin"))
        command = [bash, os.path.join(ROOT, "scripts/up"), "--host", "--no-build"]
        up = subprocess.run(command, env={"PATH": self.folder}, capture_output=True, text=True, timeout=60)
        self.assertEqual(up.returncode, 1)
        self.assertIn("error: curl is missing: install it", up.stderr)


if __name__ == "__main__":
    unittest.main()
