"""Shell steps of pipelines on real workers: `windlass-worker` processes beside the host."""

import os
import shutil
import tempfile
import unittest

from opsera import Opsera, Refused
from windlass import wait_until
from workers import WithWorkers

ENDED = ("success", "failed", "stopped")


def shell(name, script, environment=None, **more):
    """A step that runs a script."""
    configuration = {"script": script, "queue": "build", "environment": environment or {}}
    configuration |= {key: more.pop(key) for key in ("expected_exit_codes",) if key in more}
    return {"name": name, "tool": {"tool_identifier": "shell", "configuration": configuration}, **more}


class Steps(WithWorkers):
    # Says so, and waits until it may go on.
    LINGER = 'echo begun >> "$FILE"\nwhile [ ! -e "$FILE.go" ]; do sleep 0.1; done\necho ended >> "$FILE"\n'

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.opsera = Opsera(cls.windlass.url, cls.client.tokens.create(description="opsera")["value"])
        cls.opsera.session.headers["Tenant"] = "default_tenant"

    def worker(self, **more):
        return super().worker(**{"queue": "build", "shell_steps": True, **more})

    def file(self):
        file = os.path.join(tempfile.mkdtemp(prefix="windlass-steps-"), "begun")
        self.addCleanup(shutil.rmtree, os.path.dirname(file))
        return file

    def lines(self, file):
        return open(file).read().split() if os.path.exists(file) else []

    def run_of(self, *plan, **parameters):
        pipeline = self.opsera.create_pipeline("Deliver", list(plan))
        self.opsera.pipeline("run", pipeline, parameters=parameters)
        return pipeline

    def ended(self, pipeline, status="success", seconds=60):
        told = lambda: self.opsera.pipeline("status", pipeline)["status"] in ENDED
        wait_until("the run ended", told, seconds)
        logs = self.opsera.pipeline("logs", pipeline)
        self.assertEqual(self.opsera.pipeline("status", pipeline)["status"], status, logs)
        return logs

    def console(self, pipeline, step):
        logs = self.opsera.pipeline("logs", pipeline, type="console output")
        return "".join(each["api_response"] for each in reversed(logs) if each["step_name"] == step)

    def test_scripts_build_hand_on_and_hide_their_secrets(self):
        self.client.secrets.create("registry_key", self.windlass.secret("hush-hush-7"))
        self.worker()
        pipeline = self.run_of(
            shell("Build", 'echo "building $VERSION with $KEY"\necho "artifact=app-$VERSION" >> "$WINDLASS_OUTPUT"\n'
                           'echo "key=$KEY" >> "$WINDLASS_OUTPUT"\n',
                  {"VERSION": "{{ parameters.version }}", "KEY": "{{ secrets.registry_key }}"}),
            shell("Test", 'echo "testing $ARTIFACT"\nexit 3\n', {"ARTIFACT": "{{ steps.Build.outputs.artifact }}"},
                  expected_exit_codes=[3]),
            version="1.2 $(touch never)",
        )
        self.ended(pipeline)
        self.assertEqual(self.console(pipeline, "Build"), "building 1.2 $(touch never) with ***\n")
        self.assertEqual(self.console(pipeline, "Test"), "testing app-1.2 $(touch never)\n")
        self.assertNotIn("hush-hush", str(self.opsera.pipeline("logs", pipeline)))

    def test_the_console_is_there_while_the_script_runs(self):
        file = self.file()
        self.worker()
        pipeline = self.run_of(shell("Build", "echo first line\n" + self.LINGER, {"FILE": file}))
        wait_until("its first line is in the log", lambda: self.console(pipeline, "Build") == "first line\n")
        self.assertEqual(self.opsera.pipeline("status", pipeline)["status"], "running")
        open(file + ".go", "w").close()
        self.ended(pipeline)

    def test_a_million_lines_are_cut_with_a_line_that_says_so(self):
        self.worker()
        pipeline = self.run_of(shell("Build", "seq 1 1000000"))
        logs = self.ended(pipeline, seconds=120)
        cut = [each["message"] for each in logs if each["action"] == "console output left out"]
        self.assertEqual(cut, ["The script printed more than 4194304 bytes: the rest is left out."])
        self.assertEqual(len(self.console(pipeline, "Build")), 4 << 20)

    def test_a_killed_worker_fails_the_step_or_another_runs_it(self):
        for retries in (0, 1):
            file = self.file()
            first = self.worker(name="first")
            pipeline = self.run_of(shell("Build", self.LINGER, {"FILE": file}, retries=retries, retry_seconds=0))
            wait_until("the first worker runs it", lambda: self.lines(file) == ["begun"])
            first.kill()
            second = self.worker(name="second")
            if not retries:
                logs = self.ended(pipeline, "failed")
                self.assertIn("The worker `first` did not keep its lease", str(logs))
                # It would take what the next one is to begin.
                second.stop()
                continue
            wait_until("the second worker runs it", lambda: self.lines(file) == ["begun", "begun"])
            open(file + ".go", "w").close()
            self.ended(pipeline)
            self.assertEqual(self.lines(file), ["begun", "begun", "ended"], "what the first had begun was ended")

    def test_a_killed_server_loses_nothing(self):
        file = self.file()
        self.worker()
        pipeline = self.run_of(shell("Build", self.LINGER + 'echo "made=7" > "$WINDLASS_OUTPUT"', {"FILE": file}),
                               shell("Next", "echo $MADE", {"MADE": "{{ steps.Build.outputs.made }}"}))
        wait_until("the worker runs it", lambda: self.lines(file) == ["begun"])
        self.windlass.kill()
        open(file + ".go", "w").close()
        wait_until("it ended", lambda: self.lines(file) == ["begun", "ended"])
        self.windlass.start()
        self.ended(pipeline)
        self.assertEqual(self.console(pipeline, "Next"), "7\n")
        self.assertEqual(self.lines(file), ["begun", "ended"])

    def test_a_forced_stop_ends_the_script(self):
        file = self.file()
        self.worker()
        pipeline = self.run_of(shell("Build", self.LINGER, {"FILE": file}))
        wait_until("the worker runs it", lambda: self.lines(file) == ["begun"])
        self.opsera.pipeline("stop", pipeline)
        self.assertEqual(self.opsera.pipeline("status", pipeline)["status"], "stopping")
        worker = self.worker(name="watch")
        self.opsera.pipeline("stop", pipeline, force=True)
        self.ended(pipeline, "stopped")
        running = lambda: [each for each in os.listdir("/proc") if each.isdigit() and self.environment(each, file)]
        wait_until("no process of the script is left", lambda: not running(), 30)
        self.assertEqual(self.lines(file), ["begun"])
        self.assertIsNone(worker.process.poll())

    @staticmethod
    def environment(process, file):
        """Whether a process is one of the script's."""
        try:
            with open(f"/proc/{process}/environ", "rb") as told:
                return f"FILE={file}".encode() in told.read()
        except OSError:
            return False

    def test_a_script_that_takes_too_long_fails(self):
        file = self.file()
        self.worker()
        pipeline = self.run_of(shell("Build", self.LINGER, {"FILE": file}, timeout_seconds=1))
        logs = self.ended(pipeline, "failed")
        self.assertIn("The script took more than 1 seconds", str(logs))

    def test_workers_that_do_not_opt_in_are_given_none(self):
        file = self.file()
        worker = super().worker(queue="build", name="plain")
        pipeline = self.run_of(shell("Build", 'echo begun > "$FILE"', {"FILE": file}, timeout_seconds=3))
        logs = self.ended(pipeline, "failed")
        self.assertIn("no worker of the queue `build` took it within 3 seconds", str(logs))
        self.assertFalse(os.path.exists(file))
        self.assertIsNone(worker.process.poll())

    def test_who_may_run_pipelines_writes_no_scripts(self):
        self.client.users.create("ann", "hoist away", role="default")
        self.client.tenants.add_user("ann", "default_tenant", "user")
        ann = self.windlass.client(username="ann", password="hoist away")
        ann = Opsera(self.windlass.url, ann.tokens.create(description="opsera")["value"])
        with self.assertRaises(Refused) as caught:
            ann.create_pipeline("Mine", [shell("Build", "true")])
        self.assertEqual(caught.exception.status, 403)
        self.assertEqual(caught.exception.message, "Forbidden")


if __name__ == "__main__":
    unittest.main()
