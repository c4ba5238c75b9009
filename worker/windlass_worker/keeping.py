"""How the lease of an operation is kept, and what happens to one whose lease can be kept no longer."""

import threading
import time

from .control_plane import LeaseLost, Refused, Unreachable
from .operation import GRACE
from .shell_step import LOST

CANCELLED = "The execution was cancelled"
RAN_OUT = "The lease ran out while the control plane could not be reached"
# Whoever has been stopped for one of these reports nothing: another worker has the operation.
NOT_OURS = (LOST, RAN_OUT)
# The longest pause before a lease that could not be kept is tried again.
LONGEST_PAUSE = 2


class Keeping:
    """Keeps the lease of an operation until `end`; ends the operation before another worker can begin it.

    A lease is good for its length from when the last heartbeat that was answered was sent. Only clocks that
    nobody moves say how long that is.
    """

    def __init__(self, control_plane, operation, seconds, say):
        self._control_plane = control_plane
        self._operation = operation
        self._seconds = seconds
        self._say = say
        self._kept_at = time.monotonic()
        self._done = threading.Event()
        # A heartbeat may take longer than the lease, so that time is up is not left to who sends them.
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._keep, self._watch)]

    def begin(self):
        """From now on the lease is kept."""
        for thread in self._threads:
            thread.start()

    def end(self):
        """The operation is over. Does not wait for a heartbeat that nobody answers."""
        self._done.set()

    def _keep(self):
        every = min(self._seconds / 4, self._operation.every)
        pause = every
        while not self._done.wait(pause):
            sent = time.monotonic()
            pause = min(every, LONGEST_PAUSE)
            try:
                cancelled = self._control_plane.heartbeat(self._operation.lease["lease_id"])
                self._kept_at, pause = sent, every
                if cancelled:
                    self._operation.stop(CANCELLED)
            except LeaseLost:
                self._operation.stop(LOST)
                return
            except (Unreachable, Refused) as problem:
                self._say(f"the lease of {self._operation} could not be kept: {problem}", "warning")

    def _watch(self):
        grace = min(GRACE, self._seconds / 6)
        left = self._seconds - grace
        while not self._done.wait(left):
            left = self._kept_at + self._seconds - grace - time.monotonic()
            if left <= 0:
                self._operation.stop(RAN_OUT, grace)
                return
