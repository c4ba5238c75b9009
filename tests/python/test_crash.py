"""An install whose host is killed twenty times.

The moments are random, from a seed that is printed: WINDLASS_SEED=<number> repeats a run.
"""

import collections
import os
import random
import shutil
import time
import unittest

from samples import FLEET, FLEET_STEPS as STEPS
from windlass import ENDED, Recorder, Story, folder_with, messages, wait_until

KILLS = 20
SHIPS = 50


class Killed(Story):
    def test_an_install_survives_twenty_kills(self):
        seed = int(os.environ.get("WINDLASS_SEED") or random.SystemRandom().randrange(1 << 32))
        dice = random.Random(seed)
        print(f"seed {seed}", flush=True)

        # So slow that twenty kills find it at work.
        def answer(_):
            time.sleep(0.1)
            return 200, {"afloat": True}

        recorder = Recorder(answer)
        self.addCleanup(recorder.stop)
        folder = folder_with({"fleet.yaml": FLEET})
        self.addCleanup(shutil.rmtree, folder)
        self.client.blueprints.upload(os.path.join(folder, "fleet.yaml"), "fleet")
        self.client.deployments.create("fleet", "fleet", inputs={"url": recorder.url})
        execution = self.client.executions.start("fleet", "install")

        at_work = 0
        for number in range(KILLS):
            # Not sooner than the work goes on, so that every kill hits something.
            before = len(recorder.requests)
            status = self.client.executions.get(execution["id"])["status"]
            if status not in ENDED:
                moved = lambda: len(recorder.requests) > before or self.ended(execution)
                wait_until(f"work goes on after {number} kills", moved, 30)
                at_work += not self.ended(execution)
            time.sleep(dice.uniform(0, 0.2))
            self.windlass.kill()
            self.windlass.start()
        print(f"{at_work} of {KILLS} kills hit the execution at work", flush=True)
        self.finished(execution, 180)

        keys = collections.defaultdict(set)
        for request in recorder.requests:
            keys[(request.json["instance"], request.path.strip("/"))].add(request.headers["idempotency-key"])
        self.assertEqual(len(keys), SHIPS * len(STEPS), "every operation's effect arrived")
        for operation, used in keys.items():
            self.assertEqual(len(used), 1, f"{operation} came with one key, however often it came")
        self.assertEqual(len(set.union(*keys.values())), SHIPS * len(STEPS), "and with a key of its own")

        instances = self.client.node_instances.list(deployment_id="fleet")
        self.assertEqual(collections.Counter(each["state"] for each in instances), {"started": SHIPS})
        events = self.client.events.list(execution_id=execution["id"], include_logs=False, _size=10000)
        told = collections.Counter(
            (event["node_instance_id"], event["event_type"], event["operation"], event["message"])
            for event in events
        )
        self.assertEqual([event for event, count in told.items() if count > 1], [], "no event is told twice")
        succeeded = [event for event in events if event["message"].startswith("Task succeeded")]
        self.assertEqual(len(succeeded), SHIPS * len(STEPS))
        self.assertEqual(messages(events)[-1], "'install' workflow execution succeeded")
        self.assertGreaterEqual(at_work, KILLS // 2, "the kills were meant to hit an execution at work")

    def ended(self, execution):
        return self.client.executions.get(execution["id"])["status"] in ENDED


if __name__ == "__main__":
    unittest.main()
