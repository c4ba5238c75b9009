"""What the Python stories are told with: a Windlass in a process of its own, its clients, and a server
that records what it is sent.

The schedules run here, as in production: nothing is ticked by hand, and a story waits for a state by
asking for it. Standard library only, but for the client that is under test.
"""

import base64
import collections
import contextlib
import http.client
import http.server
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import unittest
import urllib.parse
import zipfile

from cloudify_rest_client import CloudifyClient

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HOST = os.environ.get("WINDLASS_HOST", os.path.join(REPOSITORY, "target/release/windlass-host"))
MANIFEST = os.environ.get("WINDLASS_MANIFEST", os.path.join(REPOSITORY, "spin.toml"))
PASSWORD = "correct horse battery staple"
ENDED = ("terminated", "failed", "cancelled")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(what, question, seconds=60):
    """Asks until the answer is true, and answers it. Fails the story when the time is over."""
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds} s still not: {what}")
        time.sleep(0.05)


# What the clients of each port showed as proof, and what a story says is a secret.
SECRETS = collections.defaultdict(set)
# Shorter ones stand in a log by chance.
SHORTEST_SECRET = 8
PROOFS = ("authorization", "authentication-token", "execution-token", "x-auth-token", "x-subject-token")
put_header = http.client.HTTPConnection.putheader


def learn(connection, name, *values):
    """Learns the passwords and tokens of each request that is sent in this process, whatever the client."""
    name = name.decode("latin-1") if isinstance(name, bytes) else name
    if name.lower() in PROOFS:
        for value in values:
            value = value.decode("latin-1") if isinstance(value, bytes) else str(value)
            SECRETS[connection.port].update(secrets_of(value))
    return put_header(connection, name, *values)


http.client.HTTPConnection.putheader = learn


def secrets_of(proof):
    """The parts of a header that no log may hold: the id of a token is no secret."""
    scheme, _, rest = proof.partition(" ")
    shown = rest or proof
    yield shown.rpartition("-")[2] if "tok-" in shown else shown
    if scheme.lower() == "basic":
        with contextlib.suppress(ValueError):
            yield base64.b64decode(rest).decode("utf-8", "replace").partition(":")[2]


def lines_with(log, secrets):
    """The lines of a log that hold a secret, as it is, as JSON writes it or as a URL does."""
    spellings = set()
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET and "*" not in secret:
            spellings |= {secret, json.dumps(secret, ensure_ascii=False)[1:-1], urllib.parse.quote(secret, safe="")}
    return [line for line in log.splitlines() if any(spelling in line for spelling in spellings)]


class Windlass:
    """A host process on a port and a state folder of its own, which outlive a restart."""

    def __init__(self, **variables):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.state = tempfile.mkdtemp(prefix="windlass-python-")
        self.log = open(os.path.join(self.state, "log"), "a+b")
        self.variables = {
            "admin_password": PASSWORD,
            "self_url": self.url,
            # The recording server of a story is on this machine.
            "outbound_allow_private": "true",
            **variables,
        }
        # Ports are given out again.
        SECRETS[self.port] = {
            value for name, value in self.variables.items() if any(word in name for word in ("password", "token", "secret", "key"))
        }
        self.process = None
        self.start()

    def start(self):
        command = [HOST, "up", "--from", MANIFEST, "--listen", f"127.0.0.1:{self.port}", "--state-dir", self.state]
        for name, value in self.variables.items():
            command += ["--variable", f"{name}={value}"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        try:
            wait_until("the application answers", self.answers, 180)
        except AssertionError:
            print(self.tail(), file=sys.stderr)
            # Whoever wanted it gets no object to stop it by.
            self.kill()
            raise

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the host ended with {self.process.returncode}:\n{self.tail()}")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", "/api/v3.1/ok")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def kill(self):
        """SIGKILL: the process gets no chance to say or write anything."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
        # The file may be elsewhere by now: a restore puts the folder of the state away.
        self.log.seek(0)
        told = lines_with(self.log.read().decode(errors="replace"), SECRETS.pop(self.port, ()))
        self.log.close()
        shutil.rmtree(self.state, ignore_errors=True)
        if told:
            raise AssertionError("the log holds secrets:\n" + "\n".join(told[:5]))

    def secret(self, text):
        """A text that the log must not hold, such as the value of a secret. Proofs of requests are known anyway."""
        SECRETS[self.port].add(text)
        return text

    def tail(self, lines=20):
        with open(self.log.name, errors="replace") as log:
            return "".join(log.readlines()[-lines:])

    def client(self, **arguments):
        arguments = {"username": "admin", "password": PASSWORD, "tenant": "default_tenant", **arguments}
        return CloudifyClient(host="127.0.0.1", port=self.port, protocol="http", **arguments)


class Story(unittest.TestCase):
    """Stories that share one Windlass; each uses ids of its own."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.windlass = Windlass()
        cls.addClassCleanup(cls.windlass.stop)
        cls.client = cls.windlass.client()

    def finished(self, execution, seconds=60):
        """The execution when it has ended, which it is expected to do well."""

        def ended():
            now = self.client.executions.get(execution["id"])
            return now if now["status"] in ENDED else None

        now = wait_until(f"execution {execution['id']} ended", ended, seconds)
        self.assertEqual(now["status"], "terminated", f"{now['error']}\n{self.windlass.tail()}")
        return now

    def gone(self, deployment):
        def is_gone():
            return deployment not in [each["id"] for each in self.client.deployments.list(_include=["id"])]

        wait_until(f"deployment {deployment} is gone", is_gone)


Request = collections.namedtuple("Request", "method path headers json at")


class Recorder:
    """A server that answers 200 to everything and remembers it."""

    def __init__(self, answer=None):
        self.requests = []
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                if self.headers.get("transfer-encoding") == "chunked":
                    body = b""
                    while size := int(self.rfile.readline().strip() or b"0", 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                with contextlib.suppress(ValueError):
                    body = json.loads(body)
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, self.path, headers, body, time.monotonic())
                recorder.requests.append(request)
                status, reply = answer(request) if answer else (200, {})
                text = json.dumps(reply).encode()
                # The other side may have been killed meanwhile.
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    self.send_header("content-type", "application/json")
                    self.send_header("content-length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 256

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def folder_with(files):
    """A temporary folder with these files; the caller removes it."""
    folder = tempfile.mkdtemp(prefix="windlass-blueprint-")
    for name, text in files.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
    return folder


def tar_gz(files, top="blueprint"):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return archive.getvalue()


def zipped(files, top="blueprint"):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in files.items():
            packed.writestr(f"{top}/{name}", text)
    return archive.getvalue()


def basic(username="admin", password=PASSWORD):
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def messages(events):
    return [event["message"] for event in events]


