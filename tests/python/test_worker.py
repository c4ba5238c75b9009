"""A blueprint whose plugin's functions run on real workers: `windlass-worker` processes beside the host."""

import os
import shutil
import tempfile
import unittest

from windlass import folder_with, messages, wait_until
from workers import WithWorkers, Worker

# What the blueprints call; the worker finds it by PYTHONPATH, as it finds what is installed beside it.
PLUGIN = '''
import os
import time

from cloudify import ctx
from cloudify.exceptions import NonRecoverableError, RecoverableError


def build(length, **_):
    ctx.logger.info("building %s", ctx.instance.id)
    ctx.instance.runtime_properties["length"] = length
    ctx.instance.runtime_properties["tries"] = ctx.operation.retry_number
    return "built"


def stumble(**_):
    if ctx.operation.retry_number < 2:
        raise RecoverableError("not yet", retry_after=1)
    ctx.instance.runtime_properties["tries"] = ctx.operation.retry_number


def ask_again(**_):
    if ctx.operation.retry_number < 1:
        return ctx.operation.retry(message="come back", retry_after=1)


def give_up(**_):
    raise NonRecoverableError("never")


def linger(file, **_):
    with open(file, "a") as begun:
        begun.write(f"{os.getpid()}\\n")
    while not os.path.exists(file + ".go"):
        time.sleep(0.05)
    ctx.instance.runtime_properties["lingered"] = True


def moor(**_):
    ctx.source.instance.runtime_properties["berth"] = ctx.target.instance.runtime_properties["length"]

'''



def blueprint(*nodes):
    """A blueprint of these nodes, which call the plugin `yard`."""
    return "\n".join([
        "tosca_definitions_version: cloudify_dsl_1_4",
        "imports: [cloudify/types/types.yaml]",
        "plugins:",
        "  yard: {executor: central_deployment_agent, install: false}",
        "inputs: {file: {default: ''}}",
        "node_templates:",
        *nodes,
    ])


def node(name, create, inputs="{}", more=()):
    return "\n".join([
        f"  {name}:",
        "    type: cloudify.nodes.Root",
        "    interfaces:",
        "      cloudify.interfaces.lifecycle:",
        f"        create: {{implementation: yard.yard.{create}, inputs: {inputs}, max_retries: 3, retry_interval: 1}}",
        *more,
    ])


class Yard(WithWorkers):
    """Deployments whose nodes call the plugin."""

    files = {"yard.py": PLUGIN}

    def deployed(self, name, text, **inputs):
        folder = folder_with({"yard.yaml": text})
        self.addCleanup(shutil.rmtree, folder)
        self.client.blueprints.upload(os.path.join(folder, "yard.yaml"), name)
        self.client.deployments.create(name, name, inputs=inputs)

    def properties(self, deployment):
        instances = self.client.node_instances.list(deployment_id=deployment)
        return {each["node_id"]: each["runtime_properties"] for each in instances}

    def events(self, execution, logs=False):
        return self.client.events.list(execution_id=execution["id"], include_logs=logs, _size=1000)


class Workers(Yard):
    def test_plugins_do_what_they_do_elsewhere(self):
        self.worker()
        self.deployed("yard", blueprint(
            node("quay", "build", "{length: 12}"),
            node("crane", "stumble"),
            node("lock", "ask_again"),
            node("ship", "build", "{length: {get_attribute: [quay, length]}}", [
                "    relationships:",
                "      - type: cloudify.relationships.connected_to",
                "        target: quay",
                "        source_interfaces:",
                "          cloudify.interfaces.relationship_lifecycle:",
                "            establish: {implementation: yard.yard.moor}",
            ]),
        ))
        execution = self.client.executions.start("yard", "install")
        self.finished(execution, 120)
        found = self.properties("yard")
        self.assertEqual(found["quay"], {"length": 12, "tries": 0})
        self.assertEqual(found["crane"], {"tries": 2})
        self.assertEqual((found["ship"]["length"], found["ship"]["berth"]), (12, 12))
        told = messages(self.events(execution))
        self.assertEqual(told.count("Task succeeded 'yard.build' - built"), 2)
        self.assertEqual(told.count("Task started 'yard.build'"), 2)
        self.assertIn("Task failed 'yard.stumble' -> not yet [retry_after=1]", told)
        self.assertIn("Task failed 'yard.stumble' -> not yet [retry_after=1] [retry 1/3]", told)
        self.assertIn("Task succeeded 'yard.stumble' [retry 2/3]", told)
        self.assertIn("Task rescheduled 'yard.ask_again' -> come back [retry_after=1]", told)
        logs = [each["message"] for each in self.events(execution, True) if each["type"] == "cloudify_log"]
        self.assertTrue([text for text in logs if text.startswith("building quay_")], logs)

    def test_what_fails_for_good_is_not_tried_again(self):
        self.worker()
        self.deployed("wreck", blueprint(node("wreck", "give_up")))
        execution = self.client.executions.start("wreck", "install")
        ended = lambda: self.client.executions.get(execution["id"])["status"] == "failed"
        wait_until("it failed", ended)
        self.assertIn("never", self.client.executions.get(execution["id"])["error"])
        told = messages(self.events(execution))
        self.assertEqual(len([text for text in told if text.startswith("Task failed")]), 1)

    def test_neither_a_killed_worker_nor_a_killed_server_loses_an_operation(self):
        file = os.path.join(tempfile.mkdtemp(prefix="windlass-yard-"), "begun")
        self.addCleanup(shutil.rmtree, os.path.dirname(file))
        self.deployed("slow", blueprint(node("slow", "linger", "{file: {get_input: file}}")), file=file)
        first = self.worker(name="first")
        execution = self.client.executions.start("slow", "install")
        begun = lambda: os.path.exists(file) and len(open(file).readlines())
        wait_until("the first worker runs it", lambda: begun() == 1)
        first.kill()
        self.worker(name="second")
        wait_until("the second worker has it", lambda: begun() == 2)
        self.windlass.kill()
        self.windlass.start()
        open(file + ".go", "w").close()
        self.finished(execution)
        self.assertTrue(self.properties("slow")["slow"]["lingered"])
        told = messages(self.events(execution))
        self.assertIn("Task failed 'yard.linger' -> The worker `first` did not keep its lease: it may be gone", told)
        self.assertEqual(len([text for text in told if text.startswith("Task succeeded")]), 1)

    def test_a_worker_that_is_stopped_gives_back_what_it_has(self):
        file = os.path.join(tempfile.mkdtemp(prefix="windlass-yard-"), "begun")
        self.addCleanup(shutil.rmtree, os.path.dirname(file))
        self.deployed("handed", blueprint(node("handed", "linger", "{file: {get_input: file}}")), file=file)
        first = self.worker(name="first", stop_grace=1)
        execution = self.client.executions.start("handed", "install")
        wait_until("the first worker runs it", lambda: os.path.exists(file))
        self.assertEqual(first.stop(), 0)
        open(file + ".go", "w").close()
        self.worker(name="second")
        self.finished(execution)
        self.assertIn("Task rescheduled 'yard.linger' -> The worker is being stopped", messages(self.events(execution)))

    def test_a_cancelled_execution_stops_its_operations(self):
        file = os.path.join(tempfile.mkdtemp(prefix="windlass-yard-"), "begun")
        self.addCleanup(shutil.rmtree, os.path.dirname(file))
        self.deployed("stopped", blueprint(node("stopped", "linger", "{file: {get_input: file}}")), file=file)
        worker = self.worker(name="first")
        execution = self.client.executions.start("stopped", "install")
        wait_until("the worker runs it", lambda: os.path.exists(file))
        self.client.executions.cancel(execution["id"])
        wait_until("the worker stopped it", lambda: "The execution was cancelled" in worker.said(), 30)
        self.assertEqual(self.client.executions.get(execution["id"])["status"], "cancelled")

    def test_a_worker_is_listed_with_its_version_and_queues(self):
        self.worker(name="lookout", queue="tower")

        def listed():
            return [each for each in self.client.agents.list() if each["name"] == "lookout"]

        [agent] = wait_until("it is listed", listed)
        self.assertEqual((agent["version"], agent["queues"]), ("0.1.0", ["tower"]))
        self.assertEqual((agent["state"], agent["created_by"], agent["node"]), ("started", "docker", None))

    def test_who_may_not_lease_is_told_so(self):
        self.client.users.create("tourist", "tourist's long password", "default")
        self.client.tenants.add_user("tourist", "default_tenant", "viewer")
        tourist = self.windlass.client(username="tourist", password="tourist's long password")
        token = tourist.tokens.create(description="worker")["value"]
        worker = Worker(self.windlass, token, name="tourist")
        self.assertEqual(worker.process.wait(30), 3, worker.said())
        worker.stop()


if __name__ == "__main__":
    unittest.main()
