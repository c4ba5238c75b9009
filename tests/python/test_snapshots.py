"""Snapshots with the unmodified Python client: made, downloaded, uploaded, restored while schedules run."""

import os
import shutil
import tempfile

from cloudify_rest_client.exceptions import CloudifyClientError
from samples import CRANE
from windlass import Story, folder_with, wait_until


class Snapshots(Story):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="windlass-snapshots-")
        self.addCleanup(shutil.rmtree, self.folder)

    def made(self, name):
        execution = self.client.snapshots.create(name, include_credentials=False)
        self.assertEqual(execution["workflow_id"], "create_snapshot")
        self.finished(execution)
        self.assertEqual(self.client.snapshots.get(name).status, "created")

    def test_a_state_is_carried_away_and_comes_back(self):
        client = self.client
        folder = folder_with({"crane.yaml": CRANE})
        self.addCleanup(shutil.rmtree, folder)
        client.blueprints.upload(os.path.join(folder, "crane.yaml"), "crane")
        client.deployments.create("crane", "north")
        client.secrets.create("word", "swordfish")
        self.made("night")
        archive = os.path.join(self.folder, "night.zip")
        client.snapshots.download("night", archive)
        client.snapshots.upload(archive, "again")
        self.assertEqual(client.snapshots.get("again").status, "uploaded")
        client.deployments.create("crane", "south")
        client.secrets.delete("word")
        refused = client.snapshots.restore("again", force=False)
        wait_until("it is refused", lambda: client.executions.get(refused["id"])["status"] == "failed")
        self.assertIn("`force`", client.executions.get(refused["id"])["error"])
        self.assertEqual(client.snapshots.get_status()["status"], "not-running")
        self.finished(client.snapshots.restore("again", force=True))
        self.assertEqual([each.id for each in client.deployments.list()], ["north"])
        self.assertEqual(client.secrets.get("word").value, "swordfish")
        kept = sorted(each.id for each in client.snapshots.list())
        self.assertEqual(kept, ["again", "night"])
        for name in kept:
            client.snapshots.delete(name)
        self.assertEqual(len(client.snapshots.list()), 0)

    def test_what_is_no_snapshot_is_refused(self):
        path = os.path.join(self.folder, "other.zip")
        with open(path, "wb") as file:
            file.write(b"PK\x05\x06" + bytes(18))
        with self.assertRaises(CloudifyClientError) as raised:
            self.client.snapshots.upload(path, "other")
        self.assertEqual(raised.exception.error_code, "bad_parameters_error")
        self.assertEqual(self.client.snapshots.list(_include=["id"]).items, [])
