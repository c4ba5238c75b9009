"""Every command of the command line is in a story, or there is a reason why not."""

import glob
import os
import re
import subprocess
import tempfile
import unittest

from cfy import CFY

# Prints the commands, as words. Those of a manager are there once a profile names one.
LIST = """
import click
from cloudify_cli import env
env.is_manager_active = lambda: True
from cloudify_cli.main import _make_cfy

def walk(command, path):
    for lazy in ("_get_group", "_get_command"):
        command = getattr(command, lazy, lambda: command)()
    if not isinstance(command, click.Group):
        print(*path)
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        walk(command.get_command(context, name), [*path, name])

walk(_make_cfy(), [])
"""

WITHOUT_A_STORY = {
    "agents install": "runs a workflow, as agents validate does",
    "blueprints create-requirements": "local: for plugins from pip",
    "certificates generate-replace-config": "local: for managers with ssh",
    "certificates replace": "local: for managers with ssh",
    "cluster db-nodes list": "as db-nodes list",
    "cluster db-nodes update": "as db-nodes update",
    "cluster managers list": "as managers list",
    "cluster remove": "of a manager that there is only one of",
    "init": "local",
    "plugins set-global": "as plugins set-visibility",
    "plugins validate": "local: it installs the wagon",
    "profiles set-cluster": "for managers with ssh",
    "profiles unset": "local",
    "secrets set-global": "as secrets set-visibility",
}


class Commands(unittest.TestCase):
    def test_every_command_has_a_story(self):
        with tempfile.TemporaryDirectory(prefix="windlass-cfy-") as home:
            listed = subprocess.run(
                [os.path.join(os.path.dirname(CFY), "python"), "-W", "ignore", "-c", LIST],
                capture_output=True, text=True, timeout=60, check=True, env={**os.environ, "CFY_WORKDIR": home},
            )
        commands = listed.stdout.splitlines()
        self.assertGreater(len(commands), 200)
        told = ""
        for name in glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "test_cfy*.py")):
            if name != os.path.abspath(__file__):
                with open(name, encoding="utf-8") as story:
                    told += story.read()
        # Commands stand as a line, or as words with quotes and commas between them.
        told = re.sub(r"[^\w-]+", " ", told)
        without = [command for command in commands if not re.search(rf"\b{command}\b", told)]
        self.assertEqual(sorted(set(without) - set(WITHOUT_A_STORY)), [], "commands in no story")
        self.assertEqual(sorted(set(WITHOUT_A_STORY) - set(without)), [], "these have a story by now")
