"""The process of a workflow: cloudify-common's dispatcher, with the control plane in the place of a message broker.

It runs in the environment of the workflow's plugin, so it needs nothing but what cloudify-common needs. The first
argument is the folder with `input.json`, as `cloudify.dispatch` has it.
"""

import logging
import os
import sys
import threading
import time
import types

import requests
from cloudify import dispatch, exceptions
from cloudify.error_handling import deserialize_known_exception
from cloudify.manager import get_bootstrap_context
from cloudify.state import current_workflow_ctx
from cloudify.workflows import tasks, workflow_context
from cloudify_rest_client.exceptions import CloudifyClientError

CENTRAL = "central_deployment_agent"
# How long one call for results waits for some, and an answer may take beyond that, in seconds.
LONGEST_WAIT = 25
PATIENCE = 30
# How long an operation is tried to be sent while the control plane does not answer.
SENDING = 120
LONGEST_PAUSE = 15
# What is no business of other processes, or is made anew for each.
LEFT_OUT = ("execution_token", "rest_token", "workflow_parameters")

log = logging.getLogger("dispatch")


class TaskDispatcher:
    """Sends a workflow's operations to the control plane, and waits for what comes of them."""

    def __init__(self, workflow_ctx):
        self._ctx = workflow_ctx
        self._waiting = {}
        self._early = {}
        self._told = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._listener = None
        root = f"{os.environ['REST_PROTOCOL']}://{os.environ['REST_HOST']}:{os.environ['REST_PORT']}"
        self._url = f"{root}/api/v3.1/executions/{workflow_ctx.execution_id}/sent-operations"
        self._verify = os.environ.get("LOCAL_REST_CERT_FILE") or True
        self._headers = {"Execution-Token": workflow_ctx.execution_token, "Tenant": workflow_ctx.tenant_name}

    def send_task(self, task, target, queue):
        """Sends an operation, until it has arrived: the control plane knows one that comes twice."""
        try:
            self._send(task, queue)
        except exceptions.NonRecoverableError:
            with self._lock:
                self._waiting.pop(task.id, None)
            raise

    def wait_for_result(self, task, target):
        """Sees to it that the task is told what comes of its operation."""
        was_sent = task.get_state() not in (tasks.TASK_PENDING, tasks.TASK_SENDING)
        with self._lock:
            outcome = self._early.pop(task.id, None)
            if outcome is None:
                self._waiting[task.id] = task
            if self._listener is None:
                self._listener = threading.Thread(target=self._listen, name="Results", daemon=True)
                self._listener.start()
        if outcome is not None:
            self._settle(task, outcome)
        elif was_sent:
            # Of a workflow that was resumed: whether it arrived before, only the control plane knows.
            self.send_task(task, target, task.queue)

    def cleanup(self):
        """Nobody waits any longer."""
        self._stopping.set()

    def _send(self, task, queue):
        body = {
            "operation_id": task.id, "name": task.name, "type": task.task_type, "dependencies": [],
            "parameters": parameters_of(task), "queue": queue,
        }
        end = time.monotonic() + SENDING
        for pause in pauses():
            try:
                answer = requests.post(
                    self._url, json=body, headers=self._headers, verify=self._verify, timeout=(10, PATIENCE)
                )
            except (TypeError, ValueError) as error:
                raise exceptions.NonRecoverableError(f"The inputs of {task.short_description} are no JSON: {error}")
            except requests.RequestException as error:
                problem = str(error)
            else:
                if answer.ok:
                    return
                problem = message_of(answer)
                if answer.status_code < 500 and answer.status_code != 429:
                    raise exceptions.NonRecoverableError(f"{task.short_description} was not sent: {problem}")
            if time.monotonic() > end:
                raise exceptions.NonRecoverableError(f"{task.short_description} could not be sent: {problem}")
            time.sleep(pause)

    def _listen(self):
        waits = pauses()
        while not self._stopping.is_set():
            try:
                answer = requests.get(
                    self._url, params={"after": self._told, "wait": LONGEST_WAIT}, headers=self._headers,
                    verify=self._verify, timeout=(10, LONGEST_WAIT + PATIENCE),
                )
                answer.raise_for_status()
                for item in answer.json()["items"]:
                    self._take(item)
                waits = pauses()
            except Exception as error:  # noqa: BLE001 - whatever it is, the workflow still waits for results
                log.warning("Results of operations could not be fetched: %r", error)
                self._stopping.wait(next(waits))

    def _take(self, item):
        with self._lock:
            self._told = item["number"]
            task = self._waiting.pop(item["operation_id"], None)
            if task is None:
                self._early[item["operation_id"]] = item
        if task is not None:
            self._settle(task, item)

    def _settle(self, task, outcome):
        """Tells a task what came of it, as the original does with an answer of the broker."""
        if task.is_terminated:
            return
        if outcome["status"] == "succeeded":
            result = outcome.get("result")
            state, said = tasks.TASK_SUCCEEDED, {"result": result}
        else:
            task.error = known_error(outcome)
            result = deserialize_known_exception(known_error(outcome))
            is_again = isinstance(result, exceptions.OperationRetry)
            state, said = tasks.TASK_RESCHEDULED if is_again else tasks.TASK_FAILED, {"exception": result}
        try:
            with current_workflow_ctx.push(task.workflow_context):
                task.set_state(state, **said)
        except Exception:  # noqa: BLE001 - what is written about it must not keep the workflow from going on
            log.exception("The state of %s could not be written", task)
            task.is_terminated = True
        task.async_result.result = result


def parameters_of(task):
    """What another process needs to run a task, in the shape in which stored graphs have it."""
    kwargs = dict(task.kwargs)
    context = {key: value for key, value in task.cloudify_context.items() if key not in LEFT_OUT}
    kwargs["__cloudify_context"] = context
    return {
        "current_retries": task.current_retries, "total_retries": task.total_retries,
        "retry_interval": task.retry_interval, "send_task_events": task.send_task_events, "info": task.info,
        "task_kwargs": {"kwargs": kwargs},
    }


def known_error(outcome):
    """A failure as cloudify-common writes those that cross a process."""
    error = outcome.get("error") or {}
    kind, arguments = "RecoverableError", [error.get("retry_after")]
    if outcome["status"] == "rescheduled":
        kind = "OperationRetry"
    elif not error.get("recoverable", True):
        kind, arguments = "NonRecoverableError", []
    causes = [{
        "message": error.get("message"), "type": error.get("type"), "traceback": error.get("traceback") or "",
    }]
    known = {
        "exception_type": error.get("type"), "message": error.get("message"), "known_exception_type": kind,
        "known_exception_type_args": arguments, "known_exception_type_kwargs": {"causes": causes},
        "append_message": False,
    }
    if error.get("traceback"):
        known["traceback"] = error["traceback"]
    return known


def queue_of(task):
    """Whose workers run a task: the queue twice, no account of a broker, and where the control plane answers."""
    context = task.cloudify_context
    instance = task.workflow_context.get_node_instance(context.get("node_id"))
    host = instance and instance._node_instance.host_id
    queue = CENTRAL
    if host and (context.get("executor") == "host_agent" or context.get("executor") == "auto" and has_agent(instance)):
        queue = host
    return queue, queue, None, task.workflow_context.rest_host


def has_agent(instance):
    """Whether an instance is a host with a worker of its own."""
    if "cloudify.nodes.Compute" not in instance.node.type_hierarchy:
        return False
    properties = instance.node.properties
    if isinstance(properties.get("install_agent"), bool):
        return properties["install_agent"]
    config = properties.get("agent_config") or {}
    return config.get("install_method", "none") != "none"


def bootstrap_context():
    """The settings of the original's installation, where somebody has stored them; the lease has those that count."""
    try:
        return get_bootstrap_context()
    except CloudifyClientError as error:
        if error.status_code == 404:
            return {}
        raise


def message_of(answer):
    """Why a call was refused."""
    try:
        return answer.json()["message"]
    except (ValueError, KeyError, TypeError):
        return answer.text[:200] or answer.reason


def pauses():
    """How long to wait before each further try."""
    pause = 0.5
    while True:
        yield pause
        pause = min(LONGEST_PAUSE, pause * 2)


def main():
    """Runs the workflow to its end."""
    # Imported by the first task that is sent: neither it nor a broker's client is needed.
    broker = types.ModuleType("cloudify.workflows.amqp_dispatcher")
    broker.TaskDispatcher = TaskDispatcher
    sys.modules[broker.__name__] = broker
    tasks.RemoteWorkflowTask._get_queue_kwargs = queue_of
    workflow_context.get_bootstrap_context = bootstrap_context
    dispatch.main()


if __name__ == "__main__":
    main()
