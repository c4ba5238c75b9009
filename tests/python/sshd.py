"""A real SSH server for a story: OpenSSH's `sshd`, on a port and in a folder of its own, for this user alone.

`scripts/setup --tests` installs it. Standard library only.
"""

import getpass
import os
import shutil
import socket
import subprocess
import tempfile

from windlass import free_port, wait_until

CONFIGURATION = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
PidFile none
AuthorizedKeysFile {folder}/user.pub
AuthenticationMethods publickey
PermitRootLogin prohibit-password
UsePAM no
StrictModes no
Subsystem sftp internal-sftp
"""


class Sshd:
    """A running sshd that lets in whoever has `key`."""

    def __init__(self):
        self.port = free_port()
        self.user = getpass.getuser()
        self.folder = tempfile.mkdtemp(prefix="windlass-sshd-")
        self.key = os.path.join(self.folder, "user")
        for name in ("host", "user"):
            path = os.path.join(self.folder, name)
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
        self.log = open(os.path.join(self.folder, "log"), "ab")
        self._start()

    def _start(self):
        program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if program is None:
            raise AssertionError("sshd is missing: scripts/setup --tests installs it")
        if os.getuid() == 0:
            # Where root's sshd goes before anybody has logged in.
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        path = os.path.join(self.folder, "sshd_config")
        with open(path, "w") as file:
            file.write(CONFIGURATION.format(port=self.port, folder=self.folder))
        # With -D it stays in the foreground, with -e it says there what happens.
        command = [program, "-D", "-e", "-f", path]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        wait_until("the SSH server answers", self._answers, 30)

    def _answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"sshd ended with {self.process.returncode}:\n{self.said()}")
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as probe:
                return probe.recv(4) == b"SSH-"
        except OSError:
            return False

    def said(self):
        with open(self.log.name, errors="replace") as log:
            return log.read()

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
