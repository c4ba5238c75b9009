"""One workflow: a process of its own, in which cloudify-common's dispatcher runs the workflow's function."""

import os

from .operation import Operation

# What the process runs: a file by its path, so that the environment of a plugin need not have this package.
PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "workflow_process.py")
RUN = "import runpy, sys; runpy.run_path(sys.argv.pop(1), run_name='__main__')"


class Workflow(Operation):
    """A leased workflow. It tells the control plane itself how its execution stands."""

    # Who stops an execution by force takes the lease away, which is noticed so soon.
    every = 5

    def __str__(self):
        return f"workflow {self.context.get('workflow_id')} of {self.context.get('deployment_id')}"

    def command(self, python, folder):
        """The program that runs it, and its arguments."""
        return [python, "-u", "-c", RUN, PROGRAM, folder]

    @property
    def seconds(self):
        """A workflow takes as long as it takes."""
        return None
