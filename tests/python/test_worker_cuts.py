"""Workers whose network is cut: within the lease nothing is lost, after it nothing runs twice at once."""

import os
import shutil
import tempfile
import time
import unittest

from cut import Network
from test_worker import Yard, blueprint, node
from windlass import messages, wait_until


class Cuts(Yard):
    def network(self):
        network = Network(self.windlass.port)
        self.addCleanup(network.stop)
        return network

    def lingering(self, name):
        """An execution whose operation says in a file that it began, and waits for another."""
        file = os.path.join(tempfile.mkdtemp(prefix="windlass-yard-"), "begun")
        self.addCleanup(shutil.rmtree, os.path.dirname(file))
        self.deployed(name, blueprint(node(name, "linger", "{file: {get_input: file}}")), file=file)
        return self.client.executions.start(name, "install"), file

    def begun(self, file, times):
        def numbers():
            with open(file) as told:
                lines = told.read().split()
            return lines if len(lines) == times else None

        return [int(number) for number in wait_until(f"it began {times} times", lambda: os.path.exists(file) and numbers())]

    def test_a_cut_of_half_a_minute_loses_nothing(self):
        network = self.network()
        self.worker(name="first", url=network.url, lease_seconds=60)
        execution, file = self.lingering("cut")
        self.begun(file, 1)
        network.cut()
        time.sleep(30)
        network.mend()
        self.worker(name="second")
        time.sleep(5)
        open(file + ".go", "w").close()
        self.finished(execution)
        self.begun(file, 1)
        told = messages(self.events(execution))
        self.assertEqual([text for text in told if "Task failed" in text], [])

    def test_what_a_cut_off_worker_runs_has_ended_when_another_begins_it(self):
        network = self.network()
        self.worker(name="first", url=network.url)
        execution, file = self.lingering("lone")
        first, = self.begun(file, 1)
        network.cut()
        self.worker(name="second")
        self.begun(file, 2)
        self.assertFalse(os.path.exists(f"/proc/{first}"), "the first goes on")
        open(file + ".go", "w").close()
        self.finished(execution)
        network.mend()
        told = messages(self.events(execution))
        self.assertEqual(len([text for text in told if text.startswith("Task succeeded")]), 1)


if __name__ == "__main__":
    unittest.main()
