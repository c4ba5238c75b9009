"""How long a worker goes on without the control plane: as long as its lease, by a clock that nobody moves."""

import os
import tempfile
import time
import unittest
from unittest import mock

from standin import wait_until
from test_shell_steps import Lingering, numbers
from test_worker import is_alive


class Cut(Lingering):
    """Leases of ten seconds."""

    def gone(self, processes, seconds):
        wait_until(lambda: not any(map(is_alive, processes)), seconds)

    def test_a_script_ends_with_its_lease_when_the_network_is_cut(self):
        lease, file = self.lingering()
        self.worker(shell_steps=True)
        processes = numbers(file)
        self.control_plane.silence.set()
        begun = time.monotonic()
        self.addCleanup(self.control_plane.silence.clear)
        self.gone(processes, 11)
        self.assertGreater(time.monotonic() - begun, 4, "the lease was still good")
        self.control_plane.silence.clear()
        self.assertNotIn(lease, self.control_plane.results)

    def test_an_operation_ends_with_its_lease_when_the_network_is_cut(self):
        worker = self.worker()
        lease, processes = self.sleeping()
        self.control_plane.silence.set()
        self.addCleanup(self.control_plane.silence.clear)
        self.gone(processes, 11)
        self.control_plane.silence.clear()
        wait_until(lambda: "lost" in open(worker.said.name).read())
        self.assertNotIn(lease, self.control_plane.results)

    def test_a_script_ends_with_its_lease_when_the_token_is_revoked(self):
        lease, file = self.lingering()
        self.worker(shell_steps=True, stop_grace=60)
        processes = numbers(file)
        self.control_plane.refuse_with = 401
        self.gone(processes, 12)
        self.assertNotIn(lease, self.control_plane.results)

    def test_a_cut_that_ends_within_the_lease_costs_nothing(self):
        lease = self.control_plane.offer_step("sleep 12; echo done")
        self.worker(shell_steps=True)
        wait_until(lambda: lease in self.control_plane.heartbeats)
        self.control_plane.silence.set()
        self.addCleanup(self.control_plane.silence.clear)
        time.sleep(4.5)
        self.control_plane.silence.clear()
        self.assertEqual(self.control_plane.result(lease)["status"], "succeeded")
        self.assertEqual(self.control_plane.console(lease), "done\n")

    def test_a_clock_that_is_moved_changes_nothing(self):
        real = time.time
        with mock.patch("time.time", lambda: real() + self.moved):
            self.moved = 0
            lease = self.control_plane.offer("harbour.finish", {"file": os.path.join(tempfile.mkdtemp(), "told")})
            script = self.control_plane.offer_step("sleep 4")
            worker = self.worker(shell_steps=True, stop_grace=0)
            for self.moved in (86_400, -86_400):
                before = self.control_plane.heartbeats.count(lease)
                wait_until(lambda: self.control_plane.heartbeats.count(lease) > before, 8)
            self.assertEqual(self.control_plane.result(script)["status"], "succeeded")
            worker.worker.stop()
            self.assertEqual(self.control_plane.result(lease)["status"], "succeeded")


if __name__ == "__main__":
    unittest.main()
