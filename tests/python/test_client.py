"""The unmodified Python client, against a host with running schedules."""

import os
import shutil
import tempfile
import unittest

from cloudify_rest_client.exceptions import (
    CloudifyClientError,
    IllegalExecutionParametersError,
    InvalidExecutionUpdateStatus,
    MissingRequiredDeploymentInputError,
    NoSuchIncludeFieldError,
    UnknownDeploymentInputError,
    UserUnauthorizedError,
)
from samples import CRANE, LIGHTHOUSE
from windlass import Recorder, Story, folder_with, messages, tar_gz, wait_until, zipped


LICENSE = """
license:
  customer_id: Harbour
  expiration_date: 11/24/2018
  license_edition: Premium
  trial: false
  cloudify_version: 7.0.5
  capabilities: [HA]
signature: !!binary |
  aGFyYm91cg==
"""


class TheManager(Story):
    def test_version_and_status_are_those_of_a_manager(self):
        self.assertEqual(self.client.manager.get_version()["version"], "7.0.5")
        self.assertEqual(self.client.manager.get_status()["status"], "OK")

    def test_wrong_credentials_raise_the_clients_own_error(self):
        for arguments in ({"password": "wrong"}, {"username": "nobody-of-that-name"}, {"username": None, "password": None}):
            with self.subTest(arguments), self.assertRaises(UserUnauthorizedError):
                self.windlass.client(**arguments).manager.get_status()

    def test_tokens_are_made_used_listed_and_deleted(self):
        token = self.client.tokens.create(description="a story", expiration="+1h")
        self.assertTrue(token.value.startswith("ctok-"))
        bearer = self.windlass.client(username=None, password=None, token=token.value)
        self.assertEqual(bearer.manager.get_status()["status"], "OK")
        self.assertIn(token.id, [each.id for each in self.client.tokens.list()])
        self.assertEqual(self.client.tokens.get(token.id).description, "a story")
        self.client.tokens.delete(token.id)
        with self.assertRaises(UserUnauthorizedError):
            bearer.manager.get_status()

    def test_a_list_without_its_total_is_a_list(self):
        tenants = self.client.tenants.list(_total=False, _size=1)
        self.assertEqual(len(tenants), 1)
        self.assertEqual((tenants.metadata.pagination.offset, tenants.metadata.pagination.size), (0, 1))
        self.assertIsNone(tenants.metadata.pagination["total"])

    def test_a_license_is_uploaded_listed_and_removed(self):
        client = self.client.license
        client.check()
        folder = folder_with({"license.yaml": LICENSE})
        self.addCleanup(shutil.rmtree, folder)
        uploaded = client.upload(os.path.join(folder, "license.yaml"))
        self.assertEqual(uploaded["customer_id"], "Harbour")
        (listed,) = client.list()
        self.assertEqual(listed.capabilities, ["HA"])
        self.assertEqual(listed.expiration_date, "2018-11-24T00:00:00.000Z")
        self.assertTrue(listed.expired)
        client.check()
        client.delete()
        self.assertEqual(len(client.list()), 0)


class Blueprints(Story):
    def upload_folder(self, id, text=CRANE, **arguments):
        folder = folder_with({"crane.yaml": text, "scripts/hoist.sh": "echo heave ho\n"})
        self.addCleanup(shutil.rmtree, folder)
        return self.client.blueprints.upload(os.path.join(folder, "crane.yaml"), id, **arguments)

    def publish(self, id, suffix, archive):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, f"archive{suffix}")
        with open(path, "wb") as file:
            file.write(archive)
        return self.client.blueprints.publish_archive(path, id, "crane.yaml")

    def test_a_folder_a_zip_and_a_tar_give_the_same_plan(self):
        files = {"crane.yaml": CRANE}
        plans = [
            self.upload_folder("from-a-folder")["plan"],
            self.publish("from-a-zip", ".zip", zipped(files))["plan"],
            self.publish("from-a-tar", ".tar.gz", tar_gz(files))["plan"],
        ]
        self.assertEqual(plans[0], plans[1])
        self.assertEqual(plans[0], plans[2])
        self.assertEqual(sorted(node["name"] for node in plans[0]["nodes"]), ["crane", "quay"])

    def test_labels_visibility_and_progress_are_those_of_the_upload(self):
        seen = []
        blueprint = self.upload_folder(
            "with-labels",
            visibility="private",
            labels=[{"berth": "7"}, {"berth": "9"}],
            progress_callback=lambda done, total: seen.append((done, total)),
        )
        self.assertEqual(blueprint["visibility"], "private")
        self.assertEqual(sorted(label["value"] for label in blueprint["labels"]), ["7", "9"])
        self.assertTrue(seen)

    def test_an_old_clients_upload_works_too(self):
        self.assertEqual(self.upload_folder("the-old-way", legacy=True)["state"], "uploaded")

    def test_a_broken_blueprint_is_refused_with_the_parsers_words(self):
        with self.assertRaises(CloudifyClientError) as refused:
            self.upload_folder("broken", CRANE.replace("cloudify.nodes.Compute", "harbour.nodes.Quay"))
        self.assertEqual((refused.exception.status_code, refused.exception.error_code), (400, "invalid_blueprint_error"))
        self.assertEqual(self.client.blueprints.get("broken")["state"], "invalid")
        self.client.blueprints.delete("broken")

    def test_downloading_gives_back_what_was_uploaded(self):
        archive = tar_gz({"crane.yaml": CRANE})
        self.publish("to-download", ".tar.gz", archive)
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        path = self.client.blueprints.download("to-download", output_file=folder)
        self.assertEqual(os.path.basename(path), "to-download.tar.gz")
        with open(path, "rb") as file:
            self.assertEqual(file.read(), archive)

    def test_lists_are_filtered_sorted_and_paged(self):
        for number in range(5):
            self.upload_folder(f"page-{number}")
        page = self.client.blueprints.list(_search="page-", sort="id", is_descending=True, _size=2, _offset=1, _include=["id"])
        self.assertEqual([each["id"] for each in page], ["page-3", "page-2"])
        self.assertEqual((page.metadata.pagination.total, page.metadata.pagination.size), (5, 2))
        with self.assertRaises(NoSuchIncludeFieldError):
            self.client.blueprints.list(_include=["colour"])
        for number in range(5):
            self.client.blueprints.delete(f"page-{number}")
        self.assertEqual(len(self.client.blueprints.list(_search="page-")), 0)


class Deployments(Story):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.recorder = Recorder(lambda request: (200, {"lamp": {"id": "lamp-7"}}))
        cls.addClassCleanup(cls.recorder.stop)
        for id, text in (("crane", CRANE), ("lighthouse", LIGHTHOUSE)):
            folder = folder_with({"blueprint.yaml": text})
            cls.client.blueprints.upload(os.path.join(folder, "blueprint.yaml"), id)
            shutil.rmtree(folder)

    def states(self, deployment):
        return {each["node_id"]: each["state"] for each in self.client.node_instances.list(deployment_id=deployment)}

    def test_a_deployments_life(self):
        client, id = self.client, "crane-1"
        created = client.deployments.create("crane", id, inputs={"reach": 20}, labels=[{"team": "east"}])
        self.assertEqual(created["inputs"], {"reach": 20})
        self.assertIn("install", [workflow["name"] for workflow in created["workflows"]])
        self.assertEqual(self.states(id), {"crane": "uninitialized", "quay": "uninitialized"})

        install = client.executions.start(id, "install")
        self.assertIn(install["status"], ("pending", "started", "terminated"))
        ended = self.finished(install)
        self.assertEqual(ended["finished_operations"], ended["total_operations"])
        self.assertEqual(self.states(id), {"crane": "started", "quay": "started"})
        self.assertEqual(client.deployments.get(id)["installation_status"], "active")

        events = client.events.list(execution_id=install["id"], include_logs=True, sort="timestamp")
        told = messages(events)
        self.assertEqual(told[0], "Starting 'install' workflow execution")
        self.assertEqual(told[-1], "'install' workflow execution succeeded")
        started = [event["node_name"] for event in events if event["message"].startswith("Node instance started")]
        self.assertEqual(started, ["quay", "crane"], "the host comes first")

        self.assertEqual(client.deployments.outputs.get(id)["outputs"], {"address": "10.0.0.7", "reach": 20})
        self.assertEqual(client.deployments.capabilities.get(id)["capabilities"], {"lifts": "up to 20 t"})
        self.assertEqual(client.nodes.get(id, "crane")["type_hierarchy"][0], "cloudify.nodes.Root")

        self.finished(client.executions.start(id, "execute_operation", parameters={"operation": "cloudify.interfaces.lifecycle.start"}))

        with self.assertRaises(CloudifyClientError) as refused:
            client.deployments.delete(id)
        self.assertEqual(refused.exception.error_code, "dependent_exists_error")
        self.finished(client.executions.start(id, "uninstall"))
        self.assertEqual(set(self.states(id).values()), {"deleted"})
        client.deployments.delete(id)
        self.gone(id)
        with self.assertRaises(CloudifyClientError) as refused:
            client.deployments.get(id)
        self.assertEqual(refused.exception.status_code, 404)

    def test_a_deployment_is_updated_and_its_history_told(self):
        client, id = self.client, "crane-updated"
        client.deployments.create("crane", id, inputs={"reach": 20})
        self.finished(client.executions.start(id, "install"))
        updates = client.deployment_updates

        preview = updates.update_with_existing_blueprint(id, "lighthouse", inputs={"url": self.recorder.url}, preview=True)
        self.assertEqual(preview.state, "preview")
        told = [(step["action"], step["entity_type"], step["entity_id"]) for step in preview.steps]
        for step in (("remove", "node", ["nodes", "crane"]), ("add", "node", ["nodes", "lamp"])):
            self.assertIn(step, told)
        self.assertEqual(client.deployments.get(id)["blueprint_id"], "crane")
        self.assertEqual(self.states(id), {"crane": "started", "quay": "started"})

        update = updates.update_with_existing_blueprint(id, "lighthouse", inputs={"url": self.recorder.url})
        self.assertEqual((update.deployment_id, update.old_blueprint_id), (id, "crane"))
        self.finished(client.executions.get(update.execution_id))
        update = updates.get(update.id)
        self.assertEqual((update.state, update.new_inputs), ("successful", {"url": self.recorder.url}))
        self.assertEqual(self.states(id), {"lamp": "started"})
        self.assertEqual(client.deployments.get(id)["blueprint_id"], "lighthouse")

        failing = updates.update_with_existing_blueprint(id, "crane", inputs={"reach": "far"})
        wait_until("the update failed", lambda: updates.get(failing.id).state == "failed")
        self.assertEqual(updates.finalize_commit(failing.id).state, "failed")
        again = updates.update_with_existing_blueprint(id, "crane", skip_uninstall=True, install_first=True)
        self.finished(client.executions.get(again.execution_id))
        self.assertEqual(self.states(id), {"crane": "started", "quay": "started"})
        history = updates.list(deployment_id=id, sort="created_at", _include=["id", "state", "new_blueprint_id"])
        self.assertEqual(
            [(each["state"], each["new_blueprint_id"]) for each in history],
            [("preview", "lighthouse"), ("successful", "lighthouse"), ("failed", "crane"), ("successful", "crane")],
        )
        with self.assertRaises(CloudifyClientError) as refused:
            updates.update_with_existing_blueprint(id, "no-such-blueprint")
        self.assertEqual(refused.exception.status_code, 404)
        self.finished(client.executions.start(id, "uninstall"))
        client.deployments.delete(id)

    def test_an_agent_is_reported_by_whoever_installs_it(self):
        client, id = self.client, "crane-with-agent"
        client.deployments.create("crane", id)
        instance = client.node_instances.list(deployment_id=id, node_id="quay")[0].id
        client.agents.create(instance, instance, state="creating", install_method="remote", create_rabbitmq_user=False)
        client.agents.update(instance, state="started")
        [agent] = client.agents.list(deployment_id=id)
        self.assertEqual((agent.id, agent.state, agent.install_method, agent.node), (instance, "started", "remote", "quay"))
        self.assertEqual(client.agents.get(instance).name, instance)

    def test_operations_go_out_by_http_and_their_answers_stay(self):
        client, id = self.client, "lighthouse-1"
        client.deployments.create("lighthouse", id, inputs={"url": self.recorder.url})
        before = len(self.recorder.requests)
        self.finished(client.executions.start(id, "install"))
        sent = self.recorder.requests[before:]
        self.assertEqual([request.path for request in sent], ["/create", "/start"])
        self.assertEqual(len({request.headers["idempotency-key"] for request in sent}), 2)
        [lamp] = client.node_instances.list(deployment_id=id)
        self.assertEqual(lamp["state"], "started")
        self.assertEqual([request.json["instance"] for request in sent], [lamp["id"]] * 2)
        self.assertEqual(client.node_instances.get(lamp["id"])["runtime_properties"], {"lamp_id": "lamp-7"})
        events = client.events.list(deployment_id=id, node_instance_id=lamp["id"], include_logs=False)
        done = [event["event_type"] for event in events]
        for event_type in ("sending_task", "task_started", "task_succeeded"):
            self.assertEqual(done.count(event_type), 2, event_type)

        parameters = {"operation": "cloudify.interfaces.lifecycle.start"}
        self.finished(client.executions.start(id, "execute_operation", parameters=parameters))
        self.assertEqual(self.recorder.requests[-1].path, "/start")
        self.assertEqual(len(self.recorder.requests), before + 3)
        self.finished(client.executions.start(id, "uninstall"))
        client.deployments.delete(id)
        self.gone(id)

    def test_runtime_properties_are_kept_and_used(self):
        client, id = self.client, "crane-2"
        client.deployments.create("crane", id)
        [instance] = client.node_instances.list(deployment_id=id, node_id="crane")
        updated = client.node_instances.update(instance["id"], runtime_properties={"load": 3}, version=instance["version"])
        self.assertEqual(updated["runtime_properties"], {"load": 3})
        answer = client.evaluate.functions(id, {}, {"load": {"get_attribute": ["crane", "load"]}})
        self.assertEqual(answer["payload"], {"load": 3})
        with self.assertRaises(CloudifyClientError) as refused:
            client.node_instances.update(instance["id"], runtime_properties={"load": 4}, version=instance["version"])
        self.assertEqual(refused.exception.error_code, "conflict_error")
        client.deployments.delete(id)
        self.gone(id)

    def test_a_deployment_is_scaled_and_healed(self):
        client, id = self.client, "crane-4"
        client.deployments.create("crane", id)
        self.finished(client.executions.start(id, "install"))
        parameters = {"scalable_entity_name": "quay", "delta": 1}
        self.finished(client.executions.start(id, "scale", parameters=parameters))
        self.assertEqual(len(client.node_instances.list(deployment_id=id)), 4, "a host with what it contains")
        [scaled] = client.deployment_modifications.list(deployment_id=id)
        self.assertEqual(scaled.status, scaled.FINISHED)
        self.assertEqual({each["node_id"] for each in scaled.node_instances.added_and_related}, {"quay", "crane"})

        begun = client.deployment_modifications.start(id, {"quay": {"instances": 1}}, context={"why": "calm"})
        going = begun.node_instances.removed_and_related
        self.assertEqual([each["modification"] for each in going], ["removed", "removed"])
        with self.assertRaises(CloudifyClientError) as refused:
            client.deployment_modifications.start(id, {"quay": {"instances": 3}})
        self.assertEqual(refused.exception.error_code, "existing_started_deployment_modification_error")
        ended = client.deployment_modifications.rollback(begun.id)
        self.assertEqual((ended.status, ended.context), (ended.ROLLEDBACK, {"why": "calm"}))
        self.assertEqual(client.deployment_modifications.get(begun.id).modified_nodes["quay"]["instances"], 1)
        with self.assertRaises(CloudifyClientError) as refused:
            client.deployment_modifications.finish(begun.id)
        self.assertEqual(refused.exception.error_code, "deployment_modification_already_ended_error")
        self.assertEqual(len(client.node_instances.list(deployment_id=id)), 4)

        self.finished(client.executions.start(id, "check_status"))
        self.finished(client.executions.start(id, "heal", parameters={"force_reinstall": True}))
        self.assertEqual(self.states(id), {"crane": "started", "quay": "started"})
        self.finished(client.executions.start(id, "uninstall"))
        client.deployments.delete(id)
        self.gone(id)

    def test_refusals_are_the_clients_own_errors(self):
        client = self.client
        with self.assertRaises(MissingRequiredDeploymentInputError):
            client.deployments.create("lighthouse", "dark")
        with self.assertRaises(UnknownDeploymentInputError):
            client.deployments.create("crane", "dark", inputs={"depth": 3})
        client.deployments.create("crane", "crane-3")
        with self.assertRaises(IllegalExecutionParametersError):
            client.executions.start("crane-3", "install", parameters={"speed": 9})
        install = self.finished(client.executions.start("crane-3", "install"))
        with self.assertRaises(InvalidExecutionUpdateStatus):
            client.executions.update(install["id"], "started")
        with self.assertRaises(CloudifyClientError) as refused:
            client.executions.cancel(install["id"])
        self.assertEqual(refused.exception.error_code, "illegal_action_error")

    def test_labels_of_deployments_are_listed(self):
        self.client.deployments.create("crane", "labelled", labels=[{"berth": "7"}, {"berth": "9"}])
        self.assertIn("berth", list(self.client.deployments_labels.list_keys()))
        self.assertEqual(sorted(self.client.deployments_labels.list_key_values("berth")), ["7", "9"])
        updated = self.client.deployments.update_labels("labelled", [{"berth": "11"}])
        self.assertEqual([label["value"] for label in updated["labels"]], ["11"])


if __name__ == "__main__":
    unittest.main()
