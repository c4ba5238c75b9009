"""Workers of the Python stories: `windlass-worker` processes beside the host."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile

from windlass import REPOSITORY, Story


class Worker:
    """A `windlass-worker` process, in a folder of its own, from which its operations import `files`."""

    def __init__(self, windlass, token, name="north", files=(), url=None, **more):
        self.folder = tempfile.mkdtemp(prefix="windlass-worker-story-")
        for file_name, text in dict(files).items():
            with open(os.path.join(self.folder, file_name), "w") as file:
                file.write(text)
        self.log = open(os.path.join(self.folder, "log"), "w+")
        command = [sys.executable, "-m", "windlass_worker", "--token", token, "--name", name]
        command += ["--url", url or windlass.url]
        for option, value in {"lease_seconds": 10, "work_dir": self.folder, "stop_grace": 5, **more}.items():
            command += ["--" + option.replace("_", "-")] + ([] if value is True else [str(value)])
        path = [os.path.join(REPOSITORY, "worker"), self.folder]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd=self.folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path), "PYTHONDONTWRITEBYTECODE": "1"},
        )

    def said(self):
        self.log.flush()
        with open(self.log.name) as log:
            return log.read()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Stops it in order; answers how it ended."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
            status = None
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        return status


class WithWorkers(Story):
    """Stories with workers that log in as a user whose only role is `worker`."""

    # What workers find to import, by the names of the files.
    files = {}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client.users.create("docker", "docker's long password", "default")
        cls.client.tenants.add_user("docker", "default_tenant", "worker")
        docker = cls.windlass.client(username="docker", password="docker's long password")
        cls.token = docker.tokens.create(description="worker")["value"]

    def worker(self, **more):
        worker = Worker(self.windlass, self.token, files=self.files, **more)
        self.addCleanup(worker.stop)
        return worker
