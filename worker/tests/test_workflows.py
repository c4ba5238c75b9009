"""What stands in the place of a broker for workflows: operations that are sent, and what comes of them."""

import http.server
import json
import os
import threading
import types
import unittest
from urllib.parse import parse_qs, urlsplit

from cloudify import exceptions
from cloudify.workflows import tasks
from standin import wait_until
from windlass_worker.workflow_process import TaskDispatcher, queue_of

PATH = "/api/v3.1/executions/e/sent-operations"


class ControlPlane(http.server.ThreadingHTTPServer):
    """Takes operations, and tells what a test says came of them."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.sent, self.ended, self.answers, self.tokens = [], [], [], set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def end(self, operation_id, status, **more):
        self.ended.append({"operation_id": operation_id, "number": len(self.ended) + 1, "status": status, **more})


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.tokens.add(self.headers["Execution-Token"])
        status, text = self.server.answers.pop(0) if self.server.answers else (204, "")
        if status == 204:
            self.server.sent.append(body)
        self.answer(status, {"message": text} if text else None)

    def do_GET(self):
        url = urlsplit(self.path)
        assert url.path == PATH, url.path
        after = int(parse_qs(url.query)["after"][0])
        try:
            wait_until(lambda: len(self.server.ended) > after, 0.5)
        except AssertionError:
            pass
        self.answer(200, {"items": self.server.ended[after:]})

    def answer(self, status, body):
        content = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


class Sending(unittest.TestCase):
    def setUp(self):
        self.control_plane = ControlPlane()
        self.addCleanup(self.control_plane.server_close)
        self.addCleanup(self.control_plane.shutdown)
        os.environ.update({
            "REST_PROTOCOL": "http", "REST_HOST": "127.0.0.1", "REST_PORT": str(self.control_plane.server_port),
        })
        os.environ.pop("LOCAL_REST_CERT_FILE", None)
        self.context = types.SimpleNamespace(
            execution_id="e", execution_token="token-of-e", tenant_name="harbour", rest_host="127.0.0.1",
            internal=types.SimpleNamespace(send_task_event=lambda *_: None), get_node_instance=lambda _: None,
        )
        self.dispatcher = TaskDispatcher(self.context)
        self.addCleanup(self.dispatcher.cleanup)

    def task(self, name="a", **more):
        context = {
            "task_name": "paint", "node_id": "boat_1", "operation": {"name": "boats.paint"},
            "execution_token": "token-of-e", "rest_token": "secret", "executor": "central_deployment_agent", **more,
        }
        kwargs = {"colour": "red", "__cloudify_context": context}
        return tasks.RemoteWorkflowTask(kwargs, context, self.context, task_id=name)

    def sent(self, task):
        """As a task does it that is run."""
        self.dispatcher.wait_for_result(task, "central_deployment_agent")
        task._state = tasks.TASK_SENT
        self.dispatcher.send_task(task, "central_deployment_agent", "central_deployment_agent")
        return task

    def result(self, task):
        return wait_until(lambda: task.is_terminated and task.async_result.result)

    def test_an_operation_is_sent_without_tokens_and_its_result_comes(self):
        task = self.sent(self.task())
        (body,) = self.control_plane.sent
        self.assertEqual((body["operation_id"], body["name"], body["type"]), ("a", "paint", "RemoteWorkflowTask"))
        kwargs = body["parameters"]["task_kwargs"]["kwargs"]
        self.assertEqual(kwargs["colour"], "red")
        self.assertEqual(kwargs["__cloudify_context"]["node_id"], "boat_1")
        self.assertNotIn("token-of-e", json.dumps(body))
        self.assertNotIn("secret", json.dumps(body))
        self.assertEqual(self.control_plane.tokens, {"token-of-e"})
        self.control_plane.end("a", "succeeded", result="red boat")
        self.assertEqual(self.result(task), "red boat")
        self.assertEqual(task.get_state(), tasks.TASK_SUCCEEDED)

    def test_failures_come_as_what_plugins_raise(self):
        error = {"message": "wet", "type": "Rain", "traceback": "line 1"}
        for name, status, more, kind, state in (
            ("a", "failed", {"recoverable": True, "retry_after": 7}, exceptions.RecoverableError, tasks.TASK_FAILED),
            ("b", "failed", {"recoverable": False}, exceptions.NonRecoverableError, tasks.TASK_FAILED),
            ("c", "rescheduled", {"retry_after": 7}, exceptions.OperationRetry, tasks.TASK_RESCHEDULED),
        ):
            with self.subTest(name):
                task = self.sent(self.task(name))
                self.control_plane.end(name, status, error={**error, **more})
                result = self.result(task)
                self.assertIs(type(result), kind)
                self.assertIn("wet", str(result))
                self.assertEqual(task.get_state(), state)
                self.assertEqual(task.error["traceback"], "line 1")
                if "retry_after" in more:
                    self.assertEqual(result.retry_after, 7)

    def test_it_is_sent_until_it_has_arrived(self):
        self.control_plane.answers = [(503, "later"), (503, "later")]
        self.sent(self.task())
        self.assertEqual(len(self.control_plane.sent), 1)

    def test_what_is_refused_fails_with_the_reason(self):
        self.control_plane.answers = [(400, "no components")]
        with self.assertRaisesRegex(exceptions.NonRecoverableError, "no components"):
            self.sent(self.task())

    def test_inputs_that_are_no_json_fail(self):
        task = self.task()
        task.kwargs["colour"] = object()
        with self.assertRaisesRegex(exceptions.NonRecoverableError, "no JSON"):
            self.sent(task)

    def test_a_resumed_one_is_sent_again_and_finds_what_came_before_it_asked(self):
        self.control_plane.end("a", "succeeded", result="red boat")
        first = self.sent(self.task("b"))
        self.control_plane.end("b", "succeeded", result="x")
        self.result(first)
        sent = len(self.control_plane.sent)
        for name, again in (("a", 0), ("c", 1)):
            task = self.task(name)
            task._state = tasks.TASK_STARTED
            self.dispatcher.wait_for_result(task, "central_deployment_agent")
            self.assertEqual(len(self.control_plane.sent), sent + again, name)
            if not again:
                self.assertEqual(self.result(task), "red boat")

    def test_a_hosts_operations_go_to_the_hosts_queue(self):
        def instance(method, kind="cloudify.nodes.Compute"):
            node = types.SimpleNamespace(
                type_hierarchy=["cloudify.nodes.Root", kind], properties={"agent_config": {"install_method": method}}
            )
            return types.SimpleNamespace(node=node, _node_instance=types.SimpleNamespace(host_id="vm_1"))

        central = "central_deployment_agent"
        for executor, found, queue in (
            (central, instance("remote"), central), ("host_agent", instance("none", "app"), "vm_1"),
            ("auto", instance("remote"), "vm_1"), ("auto", instance("none"), central),
            ("auto", instance("remote", "app"), central), ("host_agent", None, central),
        ):
            self.context.get_node_instance = lambda _, found=found: found
            self.assertEqual(queue_of(self.task(executor=executor))[:2], (queue, queue), executor)


if __name__ == "__main__":
    unittest.main()
