"""One operation: a process of its own, in which cloudify-common's dispatcher runs the plugin's function."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from . import plugins

# How long a process has to end after it was asked to.
GRACE = 10
# How much of what a process prints is kept for a failure that says nothing else.
TAIL = 4000
PR_SET_PDEATHSIG = 1


class Operation:
    """A leased operation. `run` is called once; `stop` from any thread."""

    # How often its lease is kept at least, in seconds.
    every = 200

    def __init__(self, lease, settings):
        self.lease = lease
        self.settings = settings
        self.context = lease["context"]
        self.begun = time.monotonic()
        self.stopped_because = None
        self._process = None
        self._lock = threading.Lock()

    def __str__(self):
        where = self.lease.get("node_instance_id") or self.context.get("workflow_id") or ""
        return f"{self.lease['name']} of {where}" if where else self.lease["name"]

    def command(self, python, folder):
        """The program that runs it, and its arguments."""
        return [python, "-u", "-m", "cloudify.dispatch", folder]

    @property
    def seconds(self):
        """How long it may take; none for ever."""
        return self.context.get("timeout") or self.settings.operation_timeout or None

    def run(self):
        """Runs it to its end. The result as the control plane takes it."""
        folder = tempfile.mkdtemp(prefix="operation-", dir=folder_of(self.settings, "running"))
        try:
            python = plugins.interpreter(self.lease, self.settings)
            return self._run_in(folder, python)
        except plugins.NotInstalled as problem:
            return failure(str(problem), "PluginInstallationError", recoverable=problem.recoverable)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def stop(self, reason, grace=GRACE):
        """Asks the process to end, and ends it when it does not. The operation fails for this reason."""
        with self._lock:
            self.stopped_because = self.stopped_because or reason
            process = self._process
        if process is not None and process.poll() is None:
            _signal(process, signal.SIGTERM)
            threading.Thread(target=self._kill_later, args=(process, grace), daemon=True).start()

    def _kill_later(self, process, grace):
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            _signal(process, signal.SIGKILL)

    def _run_in(self, folder, python):
        with open(os.path.join(folder, "input.json"), "w") as file:
            json.dump({"cloudify_context": self.context, "args": [], "kwargs": self.lease["kwargs"]}, file)
        with open(os.path.join(folder, "output.log"), "w+b") as log:
            with self._lock:
                if self.stopped_because:
                    return failure(self.stopped_because, "OperationStopped")
                self._process = subprocess.Popen(
                    self.command(python, folder), stdin=subprocess.DEVNULL, stdout=log,
                    stderr=subprocess.STDOUT, cwd=folder_of(self.settings, "work"), env=self._environment(folder),
                    start_new_session=True, preexec_fn=_die_with_the_worker,
                )
            seconds = self.seconds
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.stop(f"The operation took more than {seconds} seconds")
                self._process.wait()
                return failure(
                    self.stopped_because, "OperationTimeout", recoverable=bool(self.context.get("timeout_recoverable"))
                )
            # One that ended by itself when it was asked to has something to say.
            if self.stopped_because and self._process.returncode != 0:
                return failure(self.stopped_because, "OperationStopped")
            return self._outcome(folder, log)

    def _environment(self, folder):
        """The dispatcher finds its way to the control plane by these, as on an agent."""
        settings = self.settings
        certificates = settings.ca_file or _system_certificates()
        return {
            **os.environ,
            "REST_HOST": settings.host,
            "REST_PORT": str(settings.port),
            "REST_PROTOCOL": settings.protocol,
            "MANAGER_FILE_SERVER_SCHEME": settings.protocol,
            "LOCAL_REST_CERT_FILE": certificates,
            "AGENT_NAME": settings.name,
            "AGENT_WORK_DIR": folder_of(settings, "work"),
            "CFY_PLUGINS_ROOT": settings.work_dir,
            "CFY_EXEC_TEMPDIR": folder,
            "AGENT_LOG_LEVEL": settings.log_level.upper(),
        }

    def _outcome(self, folder, log):
        try:
            with open(os.path.join(folder, "output.json")) as file:
                output = json.load(file)
        except (OSError, ValueError):
            log.seek(0)
            said = log.read()[-TAIL:].decode(errors="replace").strip()
            status = self._process.returncode
            ended = f"by signal {-status}" if status < 0 else f"with {status}"
            return failure(f"The operation's process ended {ended} and told no result. It said: {said or 'nothing'}",
                           "ProcessExecutionError")
        payload = output["payload"]
        if output["type"] == "result":
            return {"status": "succeeded", "result": payload}
        return _failed(payload)


def failure(message, kind, recoverable=True, retry_after=None, traceback=None):
    """A result that says what went wrong."""
    error = {"message": message, "type": kind, "recoverable": recoverable}
    if retry_after is not None:
        error["retry_after"] = retry_after
    if traceback:
        error["traceback"] = traceback
    return {"status": "failed", "error": error}


def given_back():
    """The result of an operation that another worker is to take, because this one stops."""
    return {
        "status": "rescheduled",
        "error": {"message": "The worker is being stopped", "type": "WorkerStopped", "retry_after": 0},
    }


def _failed(payload):
    """What the dispatcher says of an exception, in the words of the control plane."""
    known = payload.get("known_exception_type")
    arguments = payload.get("known_exception_type_args") or []
    retry_after = arguments[0] if known in ("OperationRetry", "RecoverableError") and arguments else None
    result = failure(
        payload.get("message") or payload.get("exception_type") or "The operation failed",
        payload.get("exception_type"), known != "NonRecoverableError", retry_after, payload.get("traceback"),
    )
    if known == "OperationRetry":
        result["status"] = "rescheduled"
    return result


def folder_of(settings, name):
    """A folder of the worker's, made when it is needed, for its user alone."""
    path = os.path.join(settings.work_dir, name)
    os.makedirs(path, mode=0o700, exist_ok=True)
    return path


def _system_certificates():
    """What the client trusts without a file of its own; it wants to be told one."""
    import certifi

    return certifi.where()


def _die_with_the_worker():
    """Runs in the new process: it ends when the thread that began it does, however that happens."""
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        # Not on Linux. What is left behind fails at its next call: its lease is another's.
        pass


def _signal(process, number):
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass
