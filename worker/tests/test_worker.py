"""The worker against the stand-in: what runs, what fails and how, leases, stops, plugins."""

import base64
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import zipfile

from standin import PACKAGE, ControlPlane, Running, wait_until


def is_alive(number):
    """Whether a process runs; one that ended and was not asked about does not."""
    try:
        with open(f"/proc/{number}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Story(unittest.TestCase):
    def setUp(self):
        self.control_plane = ControlPlane()
        self.addCleanup(self.control_plane.stop)

    def worker(self, **more):
        running = Running(self.control_plane, **more)
        self.addCleanup(running.stop)
        return running

    def sleeping(self, **context):
        """An operation that sleeps, once it does: its lease and the processes."""
        file = os.path.join(tempfile.mkdtemp(), "told")
        lease = self.control_plane.offer("harbour.sleep", {"file": file}, **context)
        wait_until(lambda: os.path.exists(file))
        with open(file) as told:
            return lease, [int(number) for number in told.read().split()]


class Results(Story):
    def test_what_a_function_returns_and_logs_arrives(self):
        lease = self.control_plane.offer("harbour.greet", {"name": "ann"})
        self.worker()
        self.assertEqual(self.control_plane.result(lease), {"status": "succeeded", "result": {"greeting": "hello ann"}})
        (token, events), = self.control_plane.events
        self.assertEqual(token, "token-of-e")
        self.assertEqual(events["logs"][0]["message"]["text"], "greeting ann")
        self.assertEqual(events["agent_name"], "north")
        login, asked = self.control_plane.asked[0]
        self.assertEqual(login, "secret")
        self.assertEqual((asked["worker"], asked["queues"]), ("north", ["central_deployment_agent"]))

    def test_failures_are_told_as_they_were_raised(self):
        offer = self.control_plane.offer
        never, later, plain = (offer("harbour.fail", {"kind": kind}) for kind in ("never", "later", "plain"))
        again, gone, strange, missing = offer("harbour.retry"), offer("harbour.vanish"), offer("harbour.strange"), offer("harbour.no")
        self.worker(concurrency=2)
        result = self.control_plane.result
        error = result(never)["error"]
        self.assertEqual((error["message"], error["recoverable"]), ("it will never work", False))
        self.assertIn("NonRecoverableError", error["traceback"])
        error = result(later)["error"]
        self.assertEqual((error["recoverable"], error["retry_after"]), (True, 7))
        error = result(plain)["error"]
        self.assertEqual((error["type"], error["recoverable"]), ("ValueError", True))
        self.assertEqual(result(again)["status"], "rescheduled")
        self.assertEqual(result(again)["error"]["retry_after"], 3)
        self.assertIn("last words", result(gone)["error"]["message"])
        self.assertEqual(result(strange)["status"], "failed")
        self.assertIs(result(missing)["error"]["recoverable"], False)

    def test_a_result_is_told_until_it_is_taken(self):
        lease = self.control_plane.offer("harbour.greet", {"name": "ann"})
        self.worker()
        wait_until(lambda: self.control_plane.asked)
        self.control_plane.failures = 2
        self.assertEqual(self.control_plane.result(lease)["status"], "succeeded")
        self.assertEqual(len(self.control_plane.results[lease]), 1)

    def test_a_result_that_is_not_taken_fails_for_good(self):
        self.control_plane.largest = 1000
        lease = self.control_plane.offer("harbour.greet", {"name": "n" * 2000})
        self.worker()
        error = self.control_plane.result(lease)["error"]
        self.assertIs(error["recoverable"], False)
        self.assertIn("a value is too large", error["message"])

    def test_what_an_operation_leaves_running_keeps_its_folder(self):
        file = os.path.join(tempfile.mkdtemp(), "where")
        lease = self.control_plane.offer("harbour.moor", {"file": file})
        self.worker()
        self.assertEqual(self.control_plane.result(lease)["status"], "succeeded")
        wait_until(lambda: os.path.exists(file))

    def test_an_operation_that_takes_too_long_fails(self):
        lease = self.control_plane.offer("harbour.sleep", {"file": os.path.join(tempfile.mkdtemp(), "told")}, timeout=2)
        self.worker()
        error = self.control_plane.result(lease)["error"]
        self.assertEqual((error["type"], error["recoverable"]), ("OperationTimeout", False))


class Leases(Story):
    def test_a_lease_is_kept_while_the_operation_runs(self):
        self.worker()
        lease, _ = self.sleeping()
        wait_until(lambda: self.control_plane.heartbeats.count(lease) >= 2)

    def test_a_cancelled_operation_ends_with_what_it_began(self):
        self.worker()
        lease, processes = self.sleeping()
        self.control_plane.cancelled.add(lease)
        self.assertIn("cancelled", self.control_plane.result(lease)["error"]["message"])
        wait_until(lambda: not any(map(is_alive, processes)))

    def test_an_operation_whose_lease_is_lost_ends_and_nothing_is_told(self):
        self.worker()
        lease, processes = self.sleeping()
        self.control_plane.lost.add(lease)
        wait_until(lambda: not any(map(is_alive, processes)))
        self.assertNotIn(lease, self.control_plane.results)

    def test_a_worker_takes_no_more_than_it_has_room_for(self):
        worker = self.worker(concurrency=2)
        self.sleeping()
        self.sleeping()
        self.control_plane.offer("harbour.greet", {"name": "ann"})
        time.sleep(1.5)
        self.assertEqual(len(self.control_plane.offered), 1)
        self.assertEqual(max(asked["max"] for _, asked in self.control_plane.asked), 2)
        worker.stop_grace = 0


class Ends(Story):
    def test_what_ends_well_when_it_is_asked_to_is_told_as_such(self):
        worker = self.worker(stop_grace=0)
        file = os.path.join(tempfile.mkdtemp(), "told")
        lease = self.control_plane.offer("harbour.finish", {"file": file})
        wait_until(lambda: os.path.exists(file))
        worker.worker.stop()
        self.assertEqual(self.control_plane.result(lease), {"status": "succeeded", "result": "finished"})

    def test_what_does_not_end_in_time_is_given_back(self):
        worker = self.worker(stop_grace=0)
        lease, processes = self.sleeping()
        worker.worker.stop()
        result = self.control_plane.result(lease)
        self.assertEqual((result["status"], result["error"]["retry_after"]), ("rescheduled", 0))
        worker.thread.join(20)
        self.assertFalse(any(map(is_alive, processes)))

    def test_who_is_not_let_in_says_so_and_ends(self):
        self.control_plane.refuse_with = 403
        worker = self.worker()
        worker.thread.join(20)
        self.assertIn("no permission", str(worker.ended))

    def test_an_answer_that_nobody_understands_ends_no_worker(self):
        self.control_plane.blanks = 2
        self.worker()
        lease = self.control_plane.offer("harbour.greet", {"name": "ann"})
        self.assertEqual(self.control_plane.result(lease)["status"], "succeeded")

    def test_a_killed_worker_leaves_no_operation_behind(self):
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "PYTHONPATH": f"{PACKAGE}:{os.path.dirname(os.path.abspath(__file__))}"}
            worker = subprocess.Popen(
                [sys.executable, "-m", "windlass_worker", "--url", self.control_plane.url, "--token", "secret",
                 "--work-dir", folder], env=environment, stderr=subprocess.DEVNULL,
            )
            _, processes = self.sleeping()
            worker.send_signal(signal.SIGKILL)
            worker.wait()
            # What the operation itself began outside of its process is its own business.
            wait_until(lambda: not is_alive(processes[0]))
            if is_alive(processes[1]):
                os.kill(processes[1], signal.SIGKILL)


def wheel(name, version, modules, requires=()):
    """A wheel of pure Python modules, which needs other packages."""
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {other}\n" for other in requires)
    files = {**modules, f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
             f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    digest = lambda text: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    record = [f"{path},sha256={digest(text)},{len(text)}" for path, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"]) + "\n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return packed.getvalue()


def wagon(name, version, modules, requires=(), others=()):
    """The same in a wagon, with the wheels of others."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"{name}/package.json", json.dumps({"package_name": name, "package_version": version}))
        archive.writestr(f"{name}/wheels/{name}-{version}-py3-none-any.whl", wheel(name, version, modules, requires))
        for other, of_other, files in others:
            archive.writestr(f"{name}/wheels/{other}-{of_other}-py3-none-any.whl", wheel(other, of_other, files))
    return packed.getvalue()


class Plugins(Story):
    def test_two_versions_of_a_plugin_run_side_by_side(self):
        leases = {}
        for version in ("1.0", "2.0"):
            module = f"def work(**_):\n    return 'version {version}'\n"
            path = f"/api/v3.1/plugins/p-{version}/archive"
            self.control_plane.files[path] = wagon("crane", version, {"crane.py": module})
        for version in ("1.0", "2.0", "1.0"):
            self.control_plane.plugins = [{"id": f"p-{version}", "package_name": "crane", "package_version": version,
                                           "archive_name": "crane.wgn"}]
            plugin = {"name": "crane", "package_name": "crane", "package_version": version}
            lease = self.control_plane.offer("crane.work", plugin=plugin)
            if not leases:
                self.worker()
            self.assertEqual(self.control_plane.result(lease, 90).get("result"), f"version {version}",
                             self.control_plane.results)
            leases[lease] = version
        states = [(path[-5:], body["state"]) for path, body in self.control_plane.states]
        self.assertEqual(states, [("p-1.0", "installing"), ("p-1.0", "installed"),
                                  ("p-2.0", "installing"), ("p-2.0", "installed")])

    def test_a_plugin_may_pin_what_cloudify_common_wants_newer(self):
        import urllib3

        folder = os.path.dirname(urllib3.__file__)
        paths = [os.path.join(path, file) for path, _, files in os.walk(folder) for file in files if file.endswith(".py")]
        older = {}
        for path in paths:
            with open(path) as file:
                older[os.path.relpath(path, os.path.dirname(folder))] = file.read()
        module = "import importlib.metadata\n\n\ndef work(**_):\n    return importlib.metadata.version('urllib3')\n"
        self.control_plane.files["/api/v3.1/plugins/p/archive"] = wagon(
            "crane", "1.0", {"crane.py": module}, ["urllib3==1.26.16", "cloudify-common>=4.5"],
            [("urllib3", "1.26.16", older)],
        )
        self.control_plane.plugins = [{"id": "p", "package_name": "crane", "package_version": "1.0",
                                       "archive_name": "crane.wgn"}]
        lease = self.control_plane.offer("crane.work", plugin={"name": "crane", "package_name": "crane"})
        self.worker()
        self.assertEqual(self.control_plane.result(lease, 90).get("result"), "1.26.16", self.control_plane.results)

    def test_what_cannot_be_installed_fails_with_its_reason(self):
        self.control_plane.files["/api/v3.1/plugins/p/archive"] = b"no archive at all"
        self.control_plane.plugins = [{"id": "p", "package_name": "crane", "package_version": "1.0",
                                       "archive_name": "crane.wgn"}]
        lease = self.control_plane.offer("crane.work", plugin={"name": "crane", "package_name": "crane"})
        self.worker()
        error = self.control_plane.result(lease)["error"]
        self.assertEqual((error["type"], error["recoverable"]), ("PluginInstallationError", False))
        self.assertEqual(self.control_plane.states[-1][1]["state"], "error")


if __name__ == "__main__":
    unittest.main()
