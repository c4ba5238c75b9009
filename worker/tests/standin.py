"""A stand-in for the control plane: it speaks the protocol of leases, takes events, and keeps what it is told.

It knows nothing of executions; tests/python runs workers against the real one.
"""

import collections
import http.server
import json
import os
import re
import sys
import tempfile
import threading
import time

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, PACKAGE)

from windlass_worker.console import Console  # noqa: E402
from windlass_worker.settings import read  # noqa: E402
from windlass_worker.worker import Worker  # noqa: E402


def wait_until(question, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = question()
        if answer:
            return answer
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s")


class ControlPlane(http.server.ThreadingHTTPServer):
    """Hands out what `offer` was given; a test says what else it answers by changing the attributes."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.offered, self.workflows = collections.deque(), collections.deque()
        self.asked, self.heartbeats, self.results, self.events, self.states = [], [], {}, [], []
        self.cancelled, self.lost = set(), set()
        self.printed, self.room = {}, 4 << 20
        self.files = {}
        self.plugins = []
        self.refuse_with = None
        # While it is set, calls come in and are not answered, as when the network is cut.
        self.silence = threading.Event()
        self.failures = 0
        # How many calls are answered with nothing where something is expected.
        self.blanks = 0
        self.largest = None
        # How many results came in each call that told of some; while `holds_results` is set they wait.
        self.told = []
        self.holds_results = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def offer(self, task, kwargs=None, lease_id=None, **context):
        lease_id = lease_id or f"lease-{len(self.asked)}-{len(self.offered)}-{time.monotonic_ns()}"
        context = {
            "type": "operation", "task_name": task, "task_id": lease_id, "task_target": "central_deployment_agent",
            "operation": {"name": "create", "retry_number": 0, "max_retries": 3}, "tenant": {"name": "default_tenant"},
            "deployment_id": "d", "blueprint_id": "b", "execution_id": "e", "workflow_id": "install",
            "execution_token": "token-of-e", "rest_token": None, "plugin": {"name": "p"}, **context,
        }
        self.offered.append({
            "lease_id": lease_id, "expires_at": "2999-01-01T00:00:00.000Z", "operation_id": "o", "execution_id": "e",
            "tenant_name": "default_tenant", "queue": "central_deployment_agent", "name": "create",
            "node_instance_id": "n_1", "execution_token": "token-of-e", "context": context, "kwargs": kwargs or {},
        })
        return lease_id

    def offer_step(self, script, lease_id=None, **more):
        lease_id = lease_id or f"shell-{time.monotonic_ns()}"
        self.offered.append({
            "kind": "shell", "lease_id": lease_id, "expires_at": "2999-01-01T00:00:00.000Z", "queue": "build",
            "timeout": 3600, "script": script, "environment": {}, "expected_exit_codes": [0], "secrets": [],
            "step_id": "s", "step_name": "Build", "pipeline_id": "p", "pipeline_name": "Deliver", "run_count": 3,
            "tenant_name": "default_tenant", **more,
        })
        return lease_id

    def console(self, lease_id):
        return "".join(text for _, text in self.printed.get(lease_id, []))

    def result(self, lease_id, seconds=30):
        return wait_until(lambda: self.results.get(lease_id), seconds)[0]

    def stop(self):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.path.split("?")[0]
        if path in self.server.files:
            return self.answer(200, content=self.server.files[path])
        if path == "/api/v3.1/plugins":
            return self.answer(200, {"items": self.server.plugins, "metadata": {}})
        self.answer(404, {"message": "nothing is here", "error_code": "not_found_error"})

    def do_PUT(self):
        body = self.body()
        if ("agent" in body) == ("manager" in body):
            return self.answer(409, {"message": "Expected agent or manager, but not both", "error_code": "conflict_error"})
        self.server.states.append((self.path, body))
        self.answer(200, {})

    def do_POST(self):
        body, server = self.body(), self.server
        if self.path == "/api/v3.1/events":
            server.events.append((self.headers["Execution-Token"], body))
            return self.answer(201, {})
        if server.silence.is_set():
            wait_until(lambda: not server.silence.is_set(), 120)
            # What was sent into the silence is gone.
            self.close_connection = True
            return
        if server.refuse_with:
            return self.answer(server.refuse_with, {"message": "no permission", "error_code": "forbidden_error"})
        if server.failures:
            server.failures -= 1
            return self.answer(503, {"message": "later", "error_code": "unavailable"})
        if server.blanks:
            server.blanks -= 1
            return self.answer(200)
        if self.path == "/api/v3.1/operations/lease":
            kind = body.get("kind", "operation")
            if kind == "operation":
                server.asked.append((self.headers["Authentication-Token"], body))
            offered = server.offered if kind == "operation" else server.workflows
            end = time.monotonic() + min(body["wait"], 1)
            while not offered and time.monotonic() < end:
                time.sleep(0.01)
            items = [offered.popleft() for _ in range(min(body["max"], len(offered)))]
            return self.answer(200, {"items": items})
        if self.path == "/api/v3.1/operations/leases/results":
            return self.take_results(body["results"])
        lease_id, call = re.fullmatch(r"/api/v3.1/operations/leases/([^/]+)/(\w+)", self.path).groups()
        if lease_id in server.lost:
            return self.answer(409, {"message": "not this worker's any more", "error_code": "conflict_error"})
        if call == "heartbeat":
            server.heartbeats.append(lease_id)
            return self.answer(200, {"expires_at": "x", "cancel": lease_id in server.cancelled})
        if call == "console":
            kept = server.printed.setdefault(lease_id, [])
            kept.append((body["offset"], body["text"]))
            return self.answer(200, {"room": max(0, server.room - body["offset"] - len(body["text"].encode()))})
        if self.is_too_large():
            return
        self.count(1)
        server.results.setdefault(lease_id, []).append(body)
        self.answer(204)

    def take_results(self, results):
        if self.is_too_large():
            return
        self.count(len(results))
        items = []
        for result in results:
            lease_id = result.pop("lease_id")
            item = {"lease_id": lease_id, "status": 204}
            if lease_id in self.server.lost:
                item.update(status=409, error_code="conflict_error", message="not this worker's any more")
            else:
                self.server.results.setdefault(lease_id, []).append(result)
            items.append(item)
        self.answer(200, {"items": items})

    def is_too_large(self):
        if not self.server.largest or int(self.headers["content-length"]) <= self.server.largest:
            return False
        self.answer(413, {"message": "a value is too large", "error_code": "payload_too_large"})
        return True

    def count(self, results):
        self.server.told.append(results)
        wait_until(lambda: not self.server.holds_results.is_set(), 60)

    def body(self):
        length = int(self.headers.get("content-length") or 0)
        return json.loads(self.rfile.read(length) or b"null")

    def answer(self, status, body=None, content=None):
        content = content if content is not None else (b"" if body is None else json.dumps(body).encode())
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


class Running:
    """A worker in this process, in a folder of its own."""

    def __init__(self, control_plane, **more):
        self.folder = tempfile.TemporaryDirectory(prefix="windlass-worker-")
        arguments = ["--url", control_plane.url, "--token", "secret", "--work-dir", self.folder.name, "--name", "north"]
        for name, value in {"lease_seconds": 10, "stop_grace": 5, **more}.items():
            arguments += ["--" + name.replace("_", "-")] + ([] if value is True else [str(value)])
        # Operations find the plugin of the tests.
        os.environ["PYTHONPATH"] = os.path.dirname(os.path.abspath(__file__))
        self.said = open(os.path.join(self.folder.name, "said"), "w+")
        self.worker = Worker(read(arguments, {}), Console(stream=self.said))
        self.ended = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            self.worker.run()
        except Exception as error:
            self.ended = error

    def stop(self):
        self.worker.stop()
        self.thread.join(30)
        self.said.close()
        self.folder.cleanup()
