"""How results reach the control plane: at once when there is one, together when several wait."""

import threading
import unittest

from standin import wait_until
from test_worker import Story
from windlass_worker.control_plane import ControlPlane, LeaseLost, Refused, Unreachable
from windlass_worker.reporter import BYTES, Reporter
from windlass_worker.settings import read

DONE = {"status": "succeeded", "result": 1}


class Reports(Story):
    def setUp(self):
        super().setUp()
        settings = read(["--url", self.control_plane.url, "--token", "secret"], {})
        self.reporter = Reporter(ControlPlane(settings), 10)
        self.outcomes = {}

    def report(self, lease, result=None):
        """Reports from a thread of its own; what came of it is kept."""

        def run():
            try:
                self.reporter.report(lease, result or DONE)
                self.outcomes[lease] = None
            except (LeaseLost, Refused, Unreachable) as problem:
                self.outcomes[lease] = problem

        threading.Thread(target=run, daemon=True).start()

    def while_one_is_told(self, *reports):
        """Reports these while another is on its way."""
        self.control_plane.holds_results.set()
        self.addCleanup(self.control_plane.holds_results.clear)
        self.report("first")
        wait_until(lambda: self.control_plane.told)
        for count, report in enumerate(reports, 1):
            self.report(*report)
            wait_until(lambda: len(self.reporter._waiting) == count)
        self.control_plane.holds_results.clear()
        wait_until(lambda: len(self.outcomes) == len(reports) + 1)

    def test_what_waits_is_told_in_one_call(self):
        self.while_one_is_told(*[(f"l{number}",) for number in range(7)])
        self.assertEqual(self.control_plane.told, [1, 7])
        self.assertEqual(set(self.outcomes.values()), {None})
        self.assertEqual({key: list(value) for key, value in self.control_plane.results.items()},
                         {lease: [DONE] for lease in self.outcomes})

    def test_each_hears_what_came_of_its_own(self):
        self.control_plane.lost.add("gone")
        self.while_one_is_told(("kept",), ("gone",))
        self.assertIsNone(self.outcomes["kept"])
        self.assertIsInstance(self.outcomes["gone"], LeaseLost)
        self.assertIn("not this worker's any more", str(self.outcomes["gone"]))

    def test_one_that_is_refused_does_not_take_others_with_it(self):
        self.control_plane.largest = 1000
        large = {"status": "succeeded", "result": "x" * 2000}
        self.while_one_is_told(("small",), ("large", large))
        self.assertIsNone(self.outcomes["small"])
        self.assertIsInstance(self.outcomes["large"], Refused)

    def test_large_results_do_not_share_a_call(self):
        large = {"status": "succeeded", "result": "x" * (BYTES // 2 + 1)}
        self.while_one_is_told(("a", large), ("b", large), ("c", large))
        self.assertEqual(self.control_plane.told, [1, 1, 1, 1])

    def test_what_was_not_heard_is_told_again(self):
        self.while_one_is_told()
        self.control_plane.failures = 1
        self.report("again")
        wait_until(lambda: "again" in self.outcomes)
        self.assertIsNone(self.outcomes["again"])

    def test_operations_that_end_together_are_told_together(self):
        self.control_plane.holds_results.set()
        self.addCleanup(self.control_plane.holds_results.clear)
        first = self.control_plane.offer_step("true")
        others = [self.control_plane.offer_step("sleep 1") for _ in range(5)]
        self.worker(shell_steps=True, concurrency=6)
        running = wait_until(lambda: len(self.control_plane.told) == 1)
        self.assertTrue(running)
        wait_until(lambda: set(others) <= set(self.control_plane.printed) | set(self.control_plane.heartbeats))
        threading.Event().wait(3)
        self.control_plane.holds_results.clear()
        for lease in [first, *others]:
            self.assertEqual(self.control_plane.result(lease)["status"], "succeeded")
        self.assertEqual(self.control_plane.told, [1, 5])


if __name__ == "__main__":
    unittest.main()
