"""Workflows in Python, of a blueprint's plugin, on a real worker: what they read, write and say; the operations that
they send; how they are cancelled, fail, and go on on another worker."""

import os
import shutil
import unittest

from windlass import folder_with, wait_until
from workers import WithWorkers

BLUEPRINT = """
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
plugins:
  harbour: {executor: central_deployment_agent, install: false}
node_types:
  boat:
    derived_from: cloudify.nodes.Root
    interfaces:
      boats:
        paint: {implementation: harbour.harbour.paint, inputs: {colour: {default: red}}, max_retries: 3, retry_interval: 1}
        sink: {implementation: harbour.harbour.sink, max_retries: 0}
        ring: {implementation: windlass-http.request, inputs: {url: {default: "http://127.0.0.1:1/"}}, max_retries: 0}
      cloudify.interfaces.lifecycle:
        create: {implementation: harbour.harbour.paint, inputs: {colour: {default: grey}}}
node_templates:
  ketch: {type: boat}
  yawl:
    type: boat
    instances: {deploy: 2}
    relationships: [{type: cloudify.relationships.depends_on, target: ketch}]
workflows:
  count: {mapping: harbour.harbour.count, parameters: {least: {default: 1}}}
  paint_all: {mapping: harbour.harbour.paint_all, parameters: {colour: {default: blue}}}
  paint_some: {mapping: harbour.harbour.paint_some}
  sink_all: {mapping: harbour.harbour.sink_all}
  ring_all: {mapping: harbour.harbour.ring_all}
  wait: {mapping: harbour.harbour.wait}
  steps: {mapping: harbour.harbour.steps, parameters: {folder: {}}}
  stubborn: {mapping: harbour.harbour.stubborn, parameters: {folder: {}}}
  nothing: {mapping: harbour.harbour.nowhere}
"""

HARBOUR = '''
import os
import time

from cloudify import ctx as operation_ctx
from cloudify.decorators import operation, workflow
from cloudify.exceptions import NonRecoverableError, RecoverableError
from cloudify.workflows import api, ctx as workflow_ctx


@operation(resumable=True)
def paint(ctx, colour, **_):
    properties = ctx.instance.runtime_properties
    properties["tries"] = properties.get("tries", 0) + 1
    ctx.instance.update()
    properties = ctx.instance.runtime_properties
    if colour == "wet" and properties["tries"] < 2:
        raise RecoverableError("still wet", retry_after=1)
    properties["colour"] = colour
    properties["painted"] = time.time()
    return colour + " " + ctx.instance.id


@operation
def sink(ctx, **_):
    raise NonRecoverableError("it floats")


@workflow
def count(ctx, least, **_):
    instances = list(ctx.node_instances)
    if len(instances) < least:
        raise NonRecoverableError("only %d boats" % len(instances))
    for instance in instances:
        instance.send_event("counted " + instance.id).get()
        instance.set_state("counted").get()
    ctx.logger.info("there are %d", len(instances))
    ctx.send_event("all are counted").get()
    return len(instances)


@workflow
def paint_all(ctx, colour, **_):
    graph = ctx.graph_mode()
    subgraphs = {}
    for instance in ctx.node_instances:
        subgraph = subgraphs[instance.id] = graph.subgraph("paint " + instance.id)
        sequence = subgraph.sequence()
        sequence.add(
            instance.send_event("painting"),
            instance.execute_operation("boats.paint", kwargs={"colour": colour}, allow_kwargs_override=True),
            instance.set_state("painted"),
        )
    for instance in ctx.node_instances:
        for relationship in instance.relationships:
            graph.add_dependency(subgraphs[instance.id], subgraphs[relationship.target_id])
    graph.execute()


@workflow
def paint_some(ctx, **_):
    said = []
    for instance in sorted(ctx.node_instances, key=lambda each: each.id):
        said.append(instance.execute_operation("boats.paint").get())
    ctx.logger.info("painted: %s", ", ".join(said))


@workflow
def sink_all(ctx, **_):
    for instance in ctx.node_instances:
        instance.execute_operation("boats.sink").get()


@workflow
def ring_all(ctx, **_):
    next(iter(ctx.node_instances)).execute_operation("boats.ring").get()


@workflow
def wait(ctx, **_):
    ctx.send_event("waiting").get()
    while not api.has_cancel_request():
        time.sleep(0.1)
    raise api.ExecutionCancelled()


@workflow(resumable=True)
def steps(ctx, folder, **_):
    from cloudify.workflows.tasks_graph import make_or_get_graph

    @make_or_get_graph
    def made(ctx, name=None):
        graph = ctx.graph_mode()
        sequence = graph.sequence()
        for instance in sorted(ctx.node_instances, key=lambda each: each.id):
            sequence.add(instance.execute_operation("boats.paint"))
        return graph

    with open(os.path.join(folder, "runs"), "a") as file:
        file.write("run\\n")
    graph = made(ctx, name="steps")
    if not ctx.resume:
        # Whoever kills the worker does it here, or later.
        open(os.path.join(folder, "stored"), "w").close()
        while not os.path.exists(os.path.join(folder, "go")):
            time.sleep(0.1)
    graph.execute()


@workflow
def stubborn(ctx, folder, **_):
    with open(os.path.join(folder, "pid"), "w") as file:
        file.write(str(os.getpid()))
    time.sleep(300)
'''


class Workflows(WithWorkers):
    files = {"harbour.py": HARBOUR}

    def setUp(self):
        super().setUp()
        self.folder = folder_with({"harbour.yaml": BLUEPRINT})
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        name = self.id().rsplit(".", 1)[-1]
        self.client.blueprints.upload(os.path.join(self.folder, "harbour.yaml"), name)
        self.client.deployments.create(name, name)
        self.deployment = name
        self.wait_for_environment()

    def wait_for_environment(self):
        def is_there():
            return len(self.client.node_instances.list(deployment_id=self.deployment)) == 3

        wait_until("the deployment is made", is_there, 60)

    def start(self, workflow, **parameters):
        return self.client.executions.start(self.deployment, workflow, parameters=parameters)

    def ended(self, execution, seconds=120):
        def is_over():
            found = self.client.executions.get(execution["id"])
            return found if found["status"] in ("terminated", "failed", "cancelled") else None

        return wait_until("the execution ends", is_over, seconds)

    def run_one(self, workflow, status="terminated", **parameters):
        execution = self.ended(self.start(workflow, **parameters))
        self.assertEqual(execution["status"], status, execution["error"])
        return execution

    def instances(self):
        return {each["id"]: each for each in self.client.node_instances.list(deployment_id=self.deployment)}

    def told(self, execution):
        events = self.client.events.list(execution_id=execution["id"], include_logs=True, _size=500)
        return [event["message"] for event in events]

    def is_there(self, name):
        path = os.path.join(self.folder, name)
        return wait_until(f"{name} is there", lambda: os.path.exists(path) and path, 60)

    def test_a_workflow_reads_writes_and_says(self):
        self.worker()
        execution = self.run_one("count", least=2)
        self.assertEqual({each["state"] for each in self.instances().values()}, {"counted"})
        told = self.told(execution)
        wanted = ["Starting 'count' workflow execution", "there are 3", "all are counted"]
        wanted += [f"counted {name}" for name in self.instances()]
        wanted += ["'count' workflow execution succeeded"]
        for text in wanted:
            self.assertEqual(told.count(text), 1, (text, told))

    def test_a_workflow_fails_with_its_own_words(self):
        self.worker()
        self.assertIn("only 3 boats", self.run_one("count", "failed", least=4)["error"])
        self.assertIn("nowhere", self.run_one("nothing", "failed")["error"])
        self.assertIn("it floats", self.run_one("sink_all", "failed")["error"])

    def test_operations_of_a_graph_run_in_its_order(self):
        self.worker()
        self.worker(name="south")
        execution = self.run_one("paint_all", colour="wet")
        found = self.instances()
        self.assertEqual({each["state"] for each in found.values()}, {"painted"})
        painted = {name: each["runtime_properties"]["painted"] for name, each in found.items()}
        self.assertEqual({each["runtime_properties"]["colour"] for each in found.values()}, {"wet"})
        self.assertEqual({each["runtime_properties"]["tries"] for each in found.values()}, {2})
        self.assertEqual(min(painted, key=painted.get).split("_")[0], "ketch")
        told = self.told(execution)
        again = [text for text in told if text.startswith("Task started 'harbour.paint'")]
        self.assertEqual(len(again), 6, told)
        self.assertEqual(len([text for text in told if text.startswith("Task failed 'harbour.paint'")]), 3, told)

    def test_operations_answer_one_after_the_other(self):
        # One place for operations is enough: workflows have their own.
        self.worker(concurrency=1)
        execution = self.run_one("paint_some")
        said = ", ".join(f"red {name}" for name in sorted(self.instances()))
        self.assertIn("painted: " + said, self.told(execution))

    def test_operations_of_http_are_run_without_a_worker(self):
        self.worker()
        self.assertIn("127.0.0.1", self.run_one("ring_all", "failed")["error"])

    def test_a_dry_run_changes_nothing(self):
        self.worker()
        execution = self.client.executions.start(self.deployment, "paint_all", dry_run=True)
        self.assertEqual(self.ended(execution)["status"], "terminated")
        self.assertEqual([each["runtime_properties"] for each in self.instances().values()], [{}] * 3)

    def test_a_cancelled_workflow_ends_itself(self):
        self.worker()
        execution = self.start("wait")
        wait_until("it waits", lambda: "waiting" in self.told(execution), 60)
        self.client.executions.cancel(execution["id"])
        self.assertEqual(self.ended(execution)["status"], "cancelled")
        self.assertEqual(self.told(execution).count("'wait' workflow execution cancelled"), 1)

    def test_one_that_does_not_listen_is_ended_by_force(self):
        self.worker()
        execution = self.start("stubborn", folder=self.folder)
        with open(self.is_there("pid")) as file:
            pid = int(file.read() or 0)
        self.client.executions.cancel(execution["id"], force=True)
        self.assertEqual(self.ended(execution)["status"], "cancelled")
        wait_until("its process has ended", lambda: not os.path.exists(f"/proc/{pid}"), 40)

    def test_another_worker_goes_on_when_one_is_killed(self):
        north = self.worker()
        execution = self.start("steps", folder=self.folder)
        self.is_there("stored")
        self.worker(name="south")
        north.kill()
        self.assertEqual(self.ended(execution)["status"], "terminated", self.client.executions.get(execution["id"]))
        with open(os.path.join(self.folder, "runs")) as file:
            self.assertEqual(file.read(), "run\n" * 2)
        self.assertIn("Resuming 'steps' workflow execution", self.told(execution))
        tries = [each["runtime_properties"]["tries"] for each in self.instances().values()]
        self.assertEqual(tries, [1] * 3)

    def test_one_that_cannot_be_resumed_fails_when_its_worker_is_killed(self):
        north = self.worker()
        execution = self.start("stubborn", folder=self.folder)
        self.is_there("pid")
        self.worker(name="south")
        north.kill()
        ended = self.ended(execution)
        self.assertEqual(ended["status"], "failed")
        self.assertIn("Cannot resume - workflow not resumable", ended["error"])


if __name__ == "__main__":
    unittest.main()
