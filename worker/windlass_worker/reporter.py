"""Results on their way to the control plane: what is ready while a call runs goes together in the next."""

import json
import threading
import time

from .control_plane import LeaseLost, Refused, Unreachable, pauses

# The most results of one call, and about how many bytes they may have where there are several.
MOST = 100
BYTES = 256 << 10


class Reporter:
    """Tells results for all threads of a worker. A single one goes at once."""

    def __init__(self, control_plane, seconds, stop=lambda: False):
        self._control_plane = control_plane
        # How long a result is told again: what comes after its lease has run out is another's to report.
        self._seconds = seconds
        self._stop = stop
        self._waiting = []
        self._sends = False
        self._turn = threading.Condition()

    def report(self, lease_id, result):
        """Tells a result until it is acknowledged. Raises `LeaseLost`, `Refused`, or `Unreachable` at the end."""
        end = time.monotonic() + self._seconds
        for pause in pauses():
            try:
                return self.report_once(lease_id, result)
            except Unreachable:
                if time.monotonic() > end or self._stop():
                    raise
                time.sleep(pause)

    def report_once(self, lease_id, result):
        """The same, once."""
        one = _Waiting(lease_id, result)
        with self._turn:
            self._waiting.append(one)
        while not one.is_told:
            with self._turn:
                self._turn.wait_for(lambda: one.is_told or not self._sends)
                if one.is_told:
                    break
                self._sends = True
                some = self._next()
            try:
                self._send(some)
            finally:
                with self._turn:
                    self._sends = False
                    self._turn.notify_all()
        if one.problem:
            raise one.problem

    def _next(self):
        """What goes together, the longest waiting first; at least one."""
        count = size = 0
        for one in self._waiting[:MOST]:
            size += one.size
            if count and size > BYTES:
                break
            count += 1
        some, self._waiting = self._waiting[:count], self._waiting[count:]
        return some

    def _send(self, some):
        if len(some) == 1:
            return self._send_alone(some[0])
        try:
            problems = self._control_plane.report_all([(one.lease_id, one.result) for one in some])
        except Refused:
            # Something among them is wrong, or the control plane knows no such call.
            for one in some:
                self._send_alone(one)
        except Exception as problem:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            for one in some:
                one.end(problem)
        else:
            for one in some:
                one.end(problems.get(one.lease_id))

    def _send_alone(self, one):
        try:
            self._control_plane.report(one.lease_id, one.result)
            one.end(None)
        except Exception as problem:  # noqa: BLE001 - as above
            one.end(problem)


class _Waiting:
    """A result that somebody wants told."""

    def __init__(self, lease_id, result):
        self.lease_id = lease_id
        self.result = result
        self.size = len(json.dumps(result))
        self.is_told = False
        self.problem = None

    def end(self, problem):
        self.problem = problem
        self.is_told = True
