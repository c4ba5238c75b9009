"""Groups of deployments and of executions, and dependencies, with the unmodified Python client."""

import os
import shutil
import unittest

from cloudify_rest_client.exceptions import CloudifyClientError
from samples import CRANE
from windlass import Story, folder_with, wait_until


class Groups(Story):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = folder_with({"crane.yaml": CRANE})
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.client.blueprints.upload(os.path.join(folder, "crane.yaml"), "crane")

    def made(self, group, count):
        def all_made():
            members = self.client.deployments.list(deployment_group_id=group)
            done = [each for each in members if each["latest_execution_status"] == "completed"]
            return members if len(done) == count else None

        return wait_until(f"{count} deployments of {group} are made", all_made)

    def ended(self, group):
        def has_ended():
            now = self.client.execution_groups.get(group["id"])
            return now if now.status in ("terminated", "failed") else None

        return wait_until(f"execution group {group['id']} ended", has_ended)

    def test_a_group_is_made_installed_and_deleted(self):
        groups = self.client.deployment_groups
        groups.put("fleet", blueprint_id="crane", default_inputs={"reach": 8}, labels=[{"team": "red"}])
        groups.add_deployments("fleet", count=3)
        group = groups.add_deployments("fleet", new_deployments=[{"id": "tug-{count}", "inputs": {"reach": 9}}])
        self.assertEqual(len(group.deployment_ids), 4)
        self.assertIn("tug-0", group.deployment_ids)
        self.assertEqual(group.default_blueprint_id, "crane")
        members = {each["id"]: each for each in self.made("fleet", 4)}
        self.assertEqual(members["tug-0"]["inputs"], {"reach": 9})
        self.assertEqual(members["tug-0"]["deployment_groups"], ["fleet"])
        self.assertEqual([label["value"] for label in members["tug-0"]["labels"]], ["red"])
        self.assertIn("install", [each["name"] for each in self.client.workflows.list(deployment_group_id="fleet")])

        groups.put("good")
        started = self.client.execution_groups.start("fleet", "install", concurrency=2)
        self.assertEqual(started.concurrency, 2)
        self.client.execution_groups.set_target_group(started.id, success_group="good")
        ended = self.ended(started)
        self.assertEqual(ended.status, "terminated")
        self.assertEqual(len(ended.execution_ids), 4)
        self.assertEqual(len(self.client.executions.list(_group_id=started.id)), 4)
        self.assertEqual(sorted(groups.get("good").deployment_ids), sorted(members))

        removed = groups.remove_deployments("good", deployment_ids=["tug-0"])
        self.assertNotIn("tug-0", removed.deployment_ids)
        with self.assertRaises(CloudifyClientError) as refused:
            groups.delete("fleet", delete_deployments=True)
        self.assertEqual(refused.exception.error_code, "dependent_exists_error")
        self.ended(self.client.execution_groups.start("fleet", "uninstall"))
        answer = groups.delete("fleet", delete_deployments=True)
        self.assertTrue(answer["execution_group_id"])
        self.gone("tug-0")
        groups.delete("good")
        self.assertEqual(len(groups.list()), 0)

    def test_a_group_of_executions_is_paused_cancelled_and_resumed(self):
        groups = self.client.deployment_groups
        groups.put("pair", blueprint_id="crane", new_deployments=[{}, {}])
        self.made("pair", 2)
        started = self.client.execution_groups.start("pair", "install", concurrency=0)
        self.assertEqual(started.status, "queued")
        cancelled = self.client.execution_groups.cancel(started.id)
        self.assertEqual(cancelled.status, "terminated")
        statuses = {each["status"] for each in self.client.executions.list(_group_id=started.id)}
        self.assertEqual(statuses, {"cancelled"})
        self.client.execution_groups.resume(started.id)
        self.client.execution_groups.set_concurrency(started.id, 5)
        self.assertEqual(self.ended(started).status, "terminated")
        self.assertIn(started.id, [each.id for each in self.client.execution_groups.list(deployment_group_id="pair")])

    def test_dependencies_are_made_listed_and_removed(self):
        for id in ("shop", "database"):
            self.client.deployments.create("crane", id)
        dependencies = self.client.inter_deployment_dependencies
        made = dependencies.create("billing", "shop", target_deployment="database")
        self.assertEqual((made.source_deployment_id, made.target_deployment_id), ("shop", "database"))
        with self.assertRaises(CloudifyClientError) as refused:
            dependencies.create("billing", "database", target_deployment="shop")
        self.assertEqual(refused.exception.error_code, "conflict_error")
        self.assertEqual([each.id for each in dependencies.list(source_deployment_id="shop")], [made.id])
        with self.assertRaises(CloudifyClientError) as refused:
            self.client.deployments.delete("database")
        self.assertIn("Deployment `shop` uses capabilities of", str(refused.exception))
        several = [{"dependency_creator": creator, "target_deployment": "database"} for creator in ("a", "b")]
        self.assertEqual(len(dependencies.create_many("shop", several)), 2)
        self.assertEqual(len(dependencies.update_all("shop", several)), 2)
        dependencies.delete("a", "shop", target_deployment="database")
        self.assertEqual([each["dependency_creator"] for each in dependencies.list(source_deployment_id="shop")], ["b"])
        self.client.deployments.delete("shop")
        self.gone("shop")
        self.client.deployments.delete("database")
        self.gone("database")


if __name__ == "__main__":
    unittest.main()
