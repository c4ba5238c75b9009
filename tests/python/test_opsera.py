"""Opsera's APIs as teams use them, with running schedules: pipelines that deliver, their tools, what was
done, and the directory with what it tells.
"""

import collections
import os
import random
import time
import unittest

from opsera import Opsera, Refused, approval, webhook
from windlass import Recorder, Story, wait_until

ACCOUNT = "harbour"
ENDED = ("success", "failed", "stopped")
# Twenty take four minutes.
KILLS = int(os.environ.get("WINDLASS_KILLS") or 5)
STEPS = 6
RUNS = 4


class Team(Story):
    """People of one account, each with a client of their own."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client.tenants.create(ACCOUNT)

    def member(self, name, role, scopes=None, scheme="Bearer "):
        names = [user["username"] for user in self.client.users.list()]
        if name not in names:
            self.client.users.create(name, "hoist away", role="default")
            self.client.tenants.add_user(name, ACCOUNT, role)
        own = self.windlass.client(username=name, password="hoist away", tenant=ACCOUNT)
        body = {"scopes": scopes} if scopes else {}
        token = own._client.post("/tokens", data=body, expected_status_code=200)["value"]
        return Opsera(self.windlass.url, token, scheme)

    def recorder(self, answer=None):
        recorder = Recorder(answer)
        self.addCleanup(recorder.stop)
        return recorder

    def reached(self, client, pipeline, status, run=None):
        """What `status` says once a run is in this state."""
        more = {} if run is None else {"runCount": run}

        def told():
            answer = client.pipeline("status", pipeline, **more)
            if answer["status"] in ENDED and answer["status"] != status:
                raise AssertionError(f"{answer}: {client.pipeline('logs', pipeline, **more)[:2]}")
            return answer if answer["status"] == status else None

        return wait_until(f"{pipeline} is {status}", told)

    def refused(self, status, call, *arguments, **more):
        with self.assertRaises(Refused) as caught:
            call(*arguments, **more)
        self.assertEqual(caught.exception.status, status, caught.exception)
        return caught.exception


class Pipelines(Team):
    def test_a_delivery_from_its_tools_to_its_log(self):
        manager, user = self.member("mia", "manager"), self.member("ann", "user", ["pipeline"])
        receiver = self.recorder(lambda request: (200, {"build": 7, "asked": request.path}))
        tool = manager.registry(
            "create", name="Hooks", tool_identifier="webhook", configuration={"url": receiver.url, "token": "s3cr3t"}
        )
        self.assertEqual(tool["configuration"]["token"], "***")
        self.assertEqual([each["_id"] for each in manager.tools()], [tool["_id"]])
        self.assertEqual(self.refused(403, user.tools).message, "Forbidden")

        plan = [
            webhook("Build", f"{receiver.url}/build", body={"of": "{{ parameters.version }}"}, outputs={"n": "/build"}),
            approval("Ask"),
            webhook("Ship", receiver.url + "/ship/{{ steps.Build.outputs.n }}"),
        ]
        pipeline = user.create_pipeline("Deliver", plan)
        never = user.pipeline("status", pipeline)
        self.assertEqual(never, {"status": "idle", "message": "Pipeline: Deliver has not been run."})
        started = user.pipeline("run", pipeline, parameters={"version": "1.2"})
        self.assertEqual(
            started,
            {
                "status": "executed",
                "message": f"Run pipeline request submitted successfully for ({pipeline})",
                "runCount": 1,
            },
        )
        self.reached(user, pipeline, "paused")
        again = user.pipeline("run", pipeline)
        self.assertEqual(
            again,
            {
                "status": "failed",
                "message": f"Pipeline {pipeline} is currently in a paused state.  "
                "Will not start another job until this pending status is resolved.",
            },
        )
        user.pipeline("approve", pipeline)
        done = self.reached(user, pipeline, "success")
        self.assertEqual(done["message"], "Pipeline: Deliver's Run 1 was successful.")
        self.assertEqual([each.path for each in receiver.requests], ["/build", "/ship/7"])
        self.assertEqual(receiver.requests[0].json, {"of": "1.2"})

        logs = user.pipeline("logs", pipeline, runCount=1)
        self.assertEqual(logs[0]["action"], "end", "the newest is first")
        console = user.pipeline("logs", pipeline, runCount=1, type="console output")
        self.assertEqual([each["step_name"] for each in console], ["Ship", "Build"])
        self.assertIn('"build"', console[1]["api_response"])
        summary = user.pipeline("summary", pipeline)
        self.assertEqual(summary["workflow"]["last_run"]["completed_steps"], 3)
        self.assertIn(pipeline, [each["_id"] for each in user.pipelines()])

        reset = user.pipeline("reset", pipeline)
        self.assertEqual(reset, {"status": "success", "message": "The pipeline run status has been reset."})
        self.assertEqual(user.pipeline("status", pipeline)["status"], "idle")
        self.assertEqual(user.pipeline("status", pipeline, runCount=1)["status"], "success", "history stays")
        user.pipeline("run", pipeline, parameters={"version": "1.3"})
        self.reached(user, pipeline, "paused")
        stopped = user.pipeline("stop", pipeline)
        self.assertEqual(stopped, {"status": "success", "message": "The pipeline has been stopped."})
        self.assertEqual(user.pipeline("status", pipeline)["message"], "Pipeline: Deliver's Run 2 was stopped.")

        told = manager.activity("actions", type="pipeline")
        actions = [each["action"] for each in told["data"] if each["target_id"] == pipeline]
        self.assertEqual(actions[-1], "create")
        self.assertLessEqual({"start", "approve", "reset", "stop"}, set(actions))
        uses = wait_until(
            "uses of the token are told",
            lambda: [
                each
                for each in manager.activity("tokens", scope="pipeline")["data"]
                if each["target"] == "/v1/pipeline/run"
            ],
        )
        self.assertEqual(uses[0]["account"], ACCOUNT)

    def test_what_is_wrong_is_refused_in_words(self):
        user, guest = self.member("ann", "user"), self.member("vic", "viewer")
        pipeline = user.create_pipeline("Careful", [approval("Ask")])
        self.assertEqual(self.refused(403, guest.pipeline, "run", pipeline).message, "Forbidden")
        self.assertEqual(guest.pipeline("status", pipeline)["status"], "idle")
        unknown = "0123456789abcdef01234567"
        refusal = self.refused(404, user.pipeline, "run", unknown)
        self.assertEqual(refusal.answer, {"status": "failed", "message": f"Pipeline not found ({unknown})"})
        self.refused(400, user.pipeline, "status", pipeline, runCount="last")
        self.refused(400, user.pipeline, "status", "no id")
        self.refused(404, user.pipeline, "status", pipeline, runCount=9)
        circle = [dict(approval("A"), dependencies=["B"]), dict(approval("B"), dependencies=["A"])]
        self.refused(400, user.create_pipeline, "Round", circle)
        nobody = Opsera(self.windlass.url, "eyJhbGciOiJub25lIn0.e30.")
        self.assertEqual(self.refused(401, nobody.pipelines).message, "Unauthorized")
        other = self.windlass.client()
        other.tenants.create("quay")
        other.users.create("zoe", "hoist away", role="default")
        other.tenants.add_user("zoe", "quay", "manager")
        own = self.windlass.client(username="zoe", password="hoist away", tenant="quay")
        token = own._client.post("/tokens", data={}, expected_status_code=200)["value"]
        stranger = Opsera(self.windlass.url, token)
        self.refused(404, stranger.pipeline, "summary", pipeline)
        self.assertEqual(stranger.pipelines(), [])


class Directory(Team):
    def test_an_organisation_is_brought_in_and_asked_about(self):
        # The page of the second version sends the token as it is.
        api = self.member("mia", "manager", ["api"], scheme="")
        for parent, child, level in [("Port", "Docks", "department"), ("Docks", "Cranes", "team")]:
            link = api.write("org-hierarchy", parent=parent, parentType="root", child=child, childType=level)
            self.assertEqual((link["mappingType"], link["relationship"]), ("parent-child", "org-hierarchy"))
        person = api.write("people", firstName="Ann", email="Ann@harbour.example", team="Cranes")
        self.assertEqual(api.read("people/ann%40harbour.example"), person)
        duplicate = self.refused(409, api.write, "people", email="ann@HARBOUR.example")
        self.assertEqual(duplicate.message, "Duplicate email address")
        self.assertEqual(self.refused(400, api.write, "people", email="ann").message, "Invalid email format")
        missing = self.refused(400, api.write, "project", externalId="x")
        self.assertEqual(missing.message, "Missing required field(s): projectId, projectName")
        assets = [{"repositories": [{"name": "crane", "platform": "github", "url": "https://git.example/crane"}]}]
        project = api.write("project", projectId=17, projectName="Crane", team="Cranes", assets=assets)
        self.assertEqual((project["projectId"], project["assets"]), ("17", assets[0]))
        mapping = api.write("mapping", attribute1="17", attribute2="ann@harbour.example")
        self.assertEqual(api.read(f"mapping/{mapping['id']}"), mapping)
        self.assertEqual(api.read("mappings", mappingType="project-people")["data"], [mapping])
        for path in ("people", "projects"):
            self.assertEqual(api.read(path, under="Port")["count"], 1, path)
        tree = api.read("org-hierarchy", tree="true")["data"]
        self.assertEqual(tree[0]["children"][0]["children"][0]["name"], "Cranes")
        reader = self.member("ann", "user", ["api"], scheme="")
        self.refused(403, reader.write, "people", email="x@y.example")
        self.assertEqual(reader.read("people")["count"], 1)
        of_pipelines = self.member("ann", "user", ["pipeline"])
        self.refused(403, of_pipelines.read, "people")

        receiver = self.recorder(lambda request: (200 if request.path == "/good" else 500, {}))
        for path, status in [("good", "success"), ("bad", "failed")]:
            plan = [webhook("Ship", f"{receiver.url}/{path}")]
            pipeline = api.create_pipeline(path, plan, project="17")
            api.pipeline("run", pipeline)
            self.reached(api, pipeline, status)
        for by, group in [("project", "17"), ("team", "Cranes")]:
            told = api.ask("GET", "v2/insights/dora", params={"by": by})["data"]
            self.assertEqual([(each["group"], each["deployments"], each["failures"]) for each in told], [(group, 1, 1)])


class Killed(Team):
    def test_every_run_ends_through_kills_and_calls_each_step_with_one_key(self):
        seed = int(os.environ.get("WINDLASS_SEED") or random.SystemRandom().randrange(1 << 32))
        dice = random.Random(seed)
        print(f"seed {seed}", flush=True)

        # So slow that the kills find runs at work.
        def answer(_):
            time.sleep(0.2)
            return 200, {}

        receiver = self.recorder(answer)
        user = self.member("ann", "user")
        plan = [dict(webhook(f"s{n}", receiver.url + f"/{{{{ run.number }}}}/{n}"), retries=20) for n in range(STEPS)]
        pipelines = [user.create_pipeline(f"Deliver {n}", [dict(step) for step in plan]) for n in range(RUNS)]
        for n, pipeline in enumerate(pipelines):
            user.pipeline("run", pipeline)
        at_work = 0

        def have_ended():
            return all(user.pipeline("status", each)["status"] == "success" for each in pipelines)

        for number in range(KILLS):
            before = len(receiver.requests)

            def work_goes_on():
                # When all have ended, they begin again, so that every kill hits something.
                if have_ended():
                    for pipeline in pipelines:
                        user.pipeline("run", pipeline)
                return len(receiver.requests) > before

            wait_until(f"work goes on after {number} kills", work_goes_on, 120)
            at_work += not have_ended()
            time.sleep(dice.uniform(0, 0.2))
            self.windlass.kill()
            self.windlass.start()
        print(f"{at_work} of {KILLS} kills hit runs at work", flush=True)
        for pipeline in pipelines:
            self.reached(user, pipeline, "success")

        keys = collections.defaultdict(set)
        for request in receiver.requests:
            keys[request.headers["idempotency-key"]].add(request.path)
        runs = sum(user.pipeline("summary", each)["workflow"]["run_count"] for each in pipelines)
        self.assertEqual(len(keys), runs * STEPS, "each step of each run has one key, however often it was called")
        for key, paths in keys.items():
            self.assertEqual(len(paths), 1, f"{key} is one step's")
        self.assertGreaterEqual(at_work, KILLS // 2, "the kills were meant to hit runs at work")


if __name__ == "__main__":
    unittest.main()
