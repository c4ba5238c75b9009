"""What scripts/soak compares afterwards: a write that is lost or there twice is found."""

import os
import sqlite3
import subprocess
import sys
import types
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests/soak"), os.path.join(ROOT, "tests/python")]

from audit import compare, effects
from ledger import Ledger
from load import Load, RUN_STEPS

TABLES = """
create table sites (name text);
create table status_incidents (title text);
create table deployments (key integer, id text);
create table executions (id text, status text, workflow_id text, deployment_key integer);
create table adjutant_actions (action_data text);
create table pipeline_runs (number integer, state text);
create table node_instances (id text, state text);
insert into sites values ('pier'), ('mole');
insert into status_incidents values ('Heavy swell');
insert into deployments values (1, 'boat');
insert into executions values ('e1', 'terminated', 'install', 1);
insert into adjutant_actions values ('{"email": "ann@example.com"}');
insert into pipeline_runs values (1, 'success');
"""


def stage():
    """A store and ledgers that agree with it."""
    load = Load(None, None, None, None, None)
    load.ledgers["sites"].told = {"pier": {}, "mole": {}, "gone": {}}
    load.ledgers["deleted sites"].told = {"gone": {}}
    load.ledgers["incidents"].told = {"Heavy swell": {}}
    load.ledgers["deployments"].told = {"boat": {}}
    load.ledgers["executions"].told = {"boat": {"id": "e1"}}
    load.ledgers["sign-ups"].told = {"ann@example.com": {}}
    load.ledgers["runs"].told = {1: {}}
    store = sqlite3.connect(":memory:")
    store.executescript(TABLES)
    return load, store


class Soak(unittest.TestCase):
    def test_a_store_that_holds_what_was_told_is_right(self):
        self.assertEqual(compare(*stage()), [])

    def test_what_is_lost_doubled_or_half_done_is_found(self):
        for change, wanted in {
            "delete from sites where name = 'pier'": "sites: pier was acknowledged and is lost",
            "insert into sites values ('gone')": "gone was deleted and is there",
            "insert into sites values ('reef')": "sites: nobody asked for reef",
            "insert into status_incidents values ('Heavy swell')": "incidents: Heavy swell is there 2 times",
            "delete from adjutant_actions": "sign-ups: ann@example.com was acknowledged and is lost",
            "update executions set status = 'failed'": "executions: the install of boat is failed",
            "insert into executions values ('e2', 'terminated', 'install', 1)": "installs: boat 2 times",
            "update pipeline_runs set state = 'running'": "run 1 is running",
            "delete from pipeline_runs": "1 runs were acknowledged, there are 0",
        }.items():
            with self.subTest(change):
                load, store = stage()
                store.execute(change)
                self.assertIn(wanted, compare(load, store))

    def test_what_nobody_knows_may_be_there_or_not(self):
        load, store = stage()
        load.ledgers["sites"].unknown = {"reef", "shoal"}
        store.execute("insert into sites values ('reef')")
        self.assertEqual(compare(load, store), [])

    def test_a_step_that_came_with_two_keys_is_found(self):
        _, store = stage()

        def asked(step, key):
            headers = {"idempotency-key": key}
            return types.SimpleNamespace(path=f"/run/0/1/{step}", json={}, headers=headers)

        receiver = types.SimpleNamespace(requests=[asked(step, f"k{step}") for step in range(RUN_STEPS)])
        self.assertEqual(effects(store, receiver, 1), [])
        # The same key again is the same step again, which is promised; another key is another step.
        receiver.requests.append(asked(0, "k0"))
        self.assertEqual(effects(store, receiver, 1), [])
        receiver.requests.append(asked(0, "another"))
        self.assertIn("came with 2 keys", effects(store, receiver, 1)[0])

    def test_refusals_of_good_requests_are_problems(self):
        ledger = Ledger("sites")
        ledger.write("pier", lambda: (400, "no"))
        self.assertEqual(ledger.problems, ["pier: 400 no"])
        ledger.write("mole", lambda: (201, {}))
        self.assertEqual(ledger.told, {"mole": {}})

    def test_it_explains_itself(self):
        told = subprocess.run(["scripts/soak", "--help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        self.assertIn("--seconds", told)


if __name__ == "__main__":
    unittest.main()
