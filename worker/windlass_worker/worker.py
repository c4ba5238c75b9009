"""The worker: takes operations while it has room, keeps their leases, reports what came of them."""

import threading
import time

from .control_plane import ControlPlane, LeaseLost, Refused, Unreachable, pauses
from .keeping import NOT_OURS, Keeping
from .operation import Operation, failure, given_back
from .reporter import Reporter
from .shell_step import ShellStep
from .workflow import Workflow

# How long one call for operations waits for some: as long as the control plane allows.
LONGEST_WAIT = 25
STOPPED = "The worker is being stopped"


# Whose workers run workflows.
CENTRAL = "central_deployment_agent"


class Room:
    """How many of a kind may run at once."""

    def __init__(self, kind, size):
        self.kind = kind
        self.size = size
        self._free = threading.Semaphore(size)

    def take(self):
        """How many more may run: waits for one place, takes all that are free."""
        if not self._free.acquire(timeout=1):
            return 0
        places = 1
        while places < self.size and self._free.acquire(blocking=False):
            places += 1
        return places

    def give(self, places=1):
        """So many run no longer, or never did."""
        for _ in range(places):
            self._free.release()


class Worker:
    """Runs operations until it is stopped."""

    def __init__(self, settings, console):
        self.settings = settings
        self.console = console
        self.control_plane = ControlPlane(settings)
        self.stopping = threading.Event()
        self.reporter = Reporter(self.control_plane, settings.lease_seconds, self.stopping.is_set)
        # Workflows wait for operations, so they must not take their places.
        self._rooms = [Room("operation", settings.concurrency)]
        if settings.workflows and CENTRAL in settings.queues:
            self._rooms.append(Room("workflow", settings.workflows))
        self._running = set()
        self._lock = threading.Lock()
        self._refusal = None

    def run(self):
        """Works until `stop`. Raises `Refused` when the control plane does not let it in."""
        queues = ", ".join(self.settings.queues)
        self.console.say(f"{self.settings.name} takes operations of {queues} from {self.settings.url}")
        # A call that waits for operations cannot be interrupted, so the one who stops does not wait for it.
        for room in self._rooms:
            threading.Thread(target=self._take, args=(room,), daemon=True).start()
        self.stopping.wait()
        self._finish()
        if self._refusal:
            raise self._refusal

    def _take(self, room):
        waits = pauses()
        while not self.stopping.is_set():
            places = room.take()
            if not places:
                continue
            leases = []
            try:
                leases = self.control_plane.lease(places, LONGEST_WAIT, room.kind)
                waits = pauses()
            except Unreachable as problem:
                pause = next(waits)
                self.console.say(f"{problem}; again in {pause:.0f} s", "warning")
                self.stopping.wait(pause)
            except (Refused, LeaseLost) as problem:
                self._refusal = problem
                self.stopping.set()
            except Exception as problem:  # noqa: BLE001 - a worker that takes nothing any more is of no use
                pause = next(waits)
                self.console.say(f"the answer cannot be understood ({problem!r}); again in {pause:.0f} s", "warning")
                self.stopping.wait(pause)
            room.give(places - len(leases))
            for lease in leases:
                self._begin(lease, room)

    def stop(self):
        """Takes nothing more; `run` ends when what runs has ended, or was given back."""
        self.stopping.set()

    def _begin(self, lease, room):
        kind = lease.get("kind")
        if kind == "shell":
            operation = ShellStep(lease, self.settings, self.control_plane)
        elif kind == "workflow":
            operation = Workflow(lease, self.settings)
        else:
            operation = Operation(lease, self.settings)
        with self._lock:
            self._running.add(operation)
        if self.stopping.is_set():
            operation.stop(STOPPED)
        threading.Thread(target=self._run, args=(operation, room), name=str(operation)).start()

    def _run(self, operation, room):
        self.console.began(operation)
        keeping = Keeping(self.control_plane, operation, self.settings.lease_seconds, self.console.say)
        keeping.begin()
        try:
            try:
                result = operation.run()
            except Exception as error:  # noqa: BLE001 - whatever it is, the control plane must learn of it
                result = failure(f"The worker could not run it: {error!r}", type(error).__name__)
            if operation.stopped_because == STOPPED and result["status"] != "succeeded":
                result = given_back()
            if operation.stopped_because in NOT_OURS:
                self.console.ended(operation, "lost", operation.stopped_because)
            else:
                self._report(operation, result)
        finally:
            keeping.end()
            with self._lock:
                self._running.discard(operation)
            room.give()

    def _report(self, operation, result):
        text = (result.get("error") or {}).get("message", "")
        try:
            self.reporter.report(operation.lease["lease_id"], result)
            self.console.ended(operation, result["status"], text)
        except LeaseLost:
            self.console.ended(operation, "lost", "the result came too late, another worker has it")
        except Unreachable as problem:
            self.console.ended(operation, "failed", f"the result could not be reported: {problem}")
        except Refused as problem:
            self._report_refusal(operation, problem)

    def _report_refusal(self, operation, problem):
        """Fails an operation whose result is not taken: left alone, it would run again for nothing."""
        self.console.ended(operation, "failed", f"the result was refused: {problem}")
        result = failure(f"The result was refused: {str(problem)[:2000]}", "ResultRefused", recoverable=False)
        try:
            self.reporter.report_once(operation.lease["lease_id"], result)
        except (LeaseLost, Unreachable, Refused) as again:
            self.console.say(f"the failure of {operation} could not be reported: {again}", "warning")

    def _finish(self):
        """Waits for what runs as long as was allowed, then gives back what does not end."""
        with self._lock:
            left = len(self._running)
        if left:
            self.console.say(f"waiting {self.settings.stop_grace} s at most for {left} operations")
        end = time.monotonic() + self.settings.stop_grace
        while self._running and time.monotonic() < end:
            time.sleep(0.1)
        with self._lock:
            running = list(self._running)
        for operation in running:
            operation.stop(STOPPED)
        while self._running:
            time.sleep(0.1)
        self.console.say("stopped")

