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


if __name__ == "__main__":
    unittest.main()
