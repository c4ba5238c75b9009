"""A shell step of a pipeline: a script in a process group of its own, which ends with it or with the worker."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading

from . import keeper
from .control_plane import LeaseLost, Unreachable
from .operation import GRACE, failure, folder_of, given_back
from .script_console import ScriptConsole

# The most bytes that outputs may have.
OUTPUTS = 64 << 10
LOST = "The lease was lost"


class ShellStep:
    """A leased step. `run` is called once; `stop` from any thread."""

    # How often its lease is kept, in seconds: so soon it hears that it is to stop.
    every = 5

    def __init__(self, lease, settings, control_plane):
        self.lease = lease
        self.settings = settings
        self.control_plane = control_plane
        self.stopped_because = None
        self._process = None
        self._pipe = None
        self._lock = threading.Lock()

    def __str__(self):
        return f"{self.lease['step_name']} of {self.lease['pipeline_name']}, run {self.lease['run_count']}"

    def run(self):
        """Runs it to its end. The result as the control plane takes it."""
        try:
            # Says that it begins. What is not said is not begun: another worker takes it then.
            self.control_plane.heartbeat(self.lease["lease_id"])
        except LeaseLost:
            self.stopped_because = LOST
            return failure(LOST, "LeaseLost")
        except Unreachable:
            return given_back()
        folder = tempfile.mkdtemp(prefix="step-", dir=folder_of(self.settings, "running"))
        try:
            return self._run_in(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def stop(self, reason, grace=GRACE):
        """Asks the script to end, and ends it when it does not. The step fails for this reason."""
        with self._lock:
            self.stopped_because = self.stopped_because or reason
            process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            threading.Thread(target=self._kill_later, args=(process, grace), daemon=True).start()

    def _kill_later(self, process, grace):
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            self._close_pipe()

    def _close_pipe(self):
        with self._lock:
            pipe, self._pipe = self._pipe, None
        if pipe is not None:
            os.close(pipe)

    def _run_in(self, folder):
        place, outputs = os.path.join(folder, "work"), os.path.join(folder, "outputs")
        os.mkdir(place)
        open(outputs, "w").close()
        reading, writing = os.pipe()
        try:
            with self._lock:
                if self.stopped_because:
                    os.close(writing)
                    return failure(self.stopped_because, "StepStopped")
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", keeper.__file__, str(reading), *self._command(folder)],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=place,
                    env=self._environment(outputs), pass_fds=(reading,), start_new_session=True,
                )
                self._pipe = writing
        finally:
            os.close(reading)
        console = ScriptConsole(self.control_plane, self.lease, self._process.stdout, lambda: self.stop(LOST))
        seconds = self.lease.get("timeout")
        is_late = False
        try:
            self._process.wait(seconds or None)
        except subprocess.TimeoutExpired:
            is_late = True
            self.stop(f"The script took more than {seconds} seconds")
            self._process.wait()
        self._close_pipe()
        console.finish()
        if self.stopped_because and (is_late or self._process.returncode != 0):
            return failure(self.stopped_because, "StepTimeout" if is_late else "StepStopped", recoverable=not is_late)
        return self._outcome(outputs)

    def _command(self, folder):
        """How the script is run: as its first line says, or by the shell."""
        script = self.lease["script"]
        path = os.path.join(folder, "script")
        with open(path, "w") as file:
            file.write(script)
        if script.startswith("#!"):
            os.chmod(path, 0o700)
            return [path]
        return ["/bin/sh", path]

    def _environment(self, outputs):
        """What the worker found itself, but for what it was told: its token is not the script's."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("WINDLASS_")}
        return {
            **inherited,
            **self.lease["environment"],
            "WINDLASS_OUTPUT": outputs,
            "WINDLASS_PIPELINE": self.lease["pipeline_id"],
            "WINDLASS_RUN": str(self.lease["run_count"]),
            "WINDLASS_STEP": self.lease["step_name"],
        }

    def _outcome(self, path):
        code = self._process.returncode
        expected = self.lease["expected_exit_codes"]
        if code not in expected:
            wanted = " or ".join(str(one) for one in expected)
            return failure(f"The script ended with {code}, not {wanted}", "ExitCode")
        try:
            outputs = read_outputs(path)
        except ValueError as problem:
            return failure(f"The outputs cannot be read: {problem}", "Outputs", recoverable=False)
        return {"status": "succeeded", "result": {"exit_code": code, "outputs": outputs}}


def read_outputs(path):
    """What a script has written for later steps: `NAME=value` lines, `NAME<<END` up to a line `END`, or one JSON object."""
    with open(path, "rb") as file:
        data = file.read(OUTPUTS + 1)
    if len(data) > OUTPUTS:
        raise ValueError(f"they have more than {OUTPUTS} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise ValueError("they are no UTF-8") from None
    if text.lstrip().startswith("{"):
        return json.loads(text)
    outputs = {}
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        if not line.strip():
            continue
        found = re.fullmatch(r"([A-Za-z_][A-Za-z0-9_.-]*)(=|<<)(.*)", line)
        if not found:
            raise ValueError(f"line {number} is no NAME=value")
        name, mark, value = found.groups()
        if mark == "<<":
            value = _block(lines, value, name)
        outputs[name] = value
    return outputs


def _block(lines, end, name):
    block = []
    for _, line in lines:
        if line == end:
            return "\n".join(block)
        block.append(line)
    raise ValueError(f"nothing ends the block of {name}")
