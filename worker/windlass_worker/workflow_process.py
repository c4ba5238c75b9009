"""The process of a workflow: cloudify-common's dispatcher, with the control plane in the place of a message broker.

It runs in the environment of the workflow's plugin, so it needs nothing but what cloudify-common needs. The first
argument is the folder with `input.json`, as `cloudify.dispatch` has it.
"""

import sys
import types

from cloudify import dispatch, exceptions

NO_OPERATIONS = "The workflow sends the operation {0}, which this control plane does not take from workflows in Python"


class TaskDispatcher:
    """What workflows send operations by: none are taken."""

    def __init__(self, workflow_ctx):
        pass

    def wait_for_result(self, task, target):
        """Refuses a task of a plugin's function."""
        raise exceptions.NonRecoverableError(NO_OPERATIONS.format(task.short_description))

    def send_task(self, task, target, queue):
        """The same."""
        self.wait_for_result(task, target)

    def cleanup(self):
        """There is nothing to clean up."""


def main():
    """Runs the workflow to its end."""
    # Imported by the first task that is sent: neither it nor a broker's client is needed.
    broker = types.ModuleType("cloudify.workflows.amqp_dispatcher")
    broker.TaskDispatcher = TaskDispatcher
    sys.modules[broker.__name__] = broker
    dispatch.main()


if __name__ == "__main__":
    main()
