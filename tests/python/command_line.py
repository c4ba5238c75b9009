"""The unmodified `openstack` command, for somebody: who logs in by name, who shows a token, or nobody."""

import contextlib
import io
import json
import os
import subprocess
import sys
import unittest.mock

from openstackclient import shell
from osc_lib import clientmanager as clients

PROGRAM = os.path.join(os.path.dirname(sys.executable), "openstack")


class CommandLine:
    """Runs the command with the settings that people keep in their environment."""

    def __init__(self, **settings):
        self.settings = settings

    @classmethod
    def of_password(cls, windlass, name, password, project="harbour", **settings):
        """Logs in through Keystone's API, as people do."""
        settings = {
            "OS_AUTH_URL": windlass.url + "/v3",
            "OS_USERNAME": name,
            "OS_PASSWORD": password,
            "OS_USER_DOMAIN_NAME": "Default",
            "OS_PROJECT_DOMAIN_NAME": "Default",
            "OS_IDENTITY_API_VERSION": "3",
            "OS_PROJECT_NAME": project,
            **settings,
        }
        return cls(**settings)

    @classmethod
    def of_token(cls, windlass, token):
        """Shows a token to Adjutant, without Keystone."""
        return cls(OS_AUTH_TYPE="admin_token", OS_TOKEN=token, OS_ENDPOINT=windlass.url + "/v1")

    def environment(self):
        known = {key: value for key, value in self.settings.items() if value is not None}
        usual = {key: os.environ.get(key, "") for key in ("PATH", "HOME", "LANG")}
        return {**usual, **known}

    def run(self, *arguments):
        """Its exit status, what it printed, and what it complained about.

        It runs in this process: starting Python for it takes ten times as long as the command.
        """
        # A process is one command to it: it keeps the clients of the first one, with who they log in as.
        for kept in vars(clients.ClientManager).values():
            if isinstance(kept, clients.ClientCache):
                kept._handle = None
        printed, told = io.StringIO(), io.StringIO()
        with (
            unittest.mock.patch.dict(os.environ, self.environment(), clear=True),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(told),
        ):
            status = shell.main(list(arguments))
        return status, printed.getvalue(), told.getvalue()

    def executed(self, *arguments):
        """The same by the program itself."""
        done = subprocess.run([PROGRAM, *arguments], env=self.environment(), capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def __call__(self, *arguments):
        """What it prints when it goes well."""
        status, printed, told = self.run(*arguments)
        if status != 0:
            raise AssertionError(f"{arguments} ended with {status}\n{printed}\n{told}")
        return printed

    def read(self, *arguments):
        """The same, read as JSON."""
        return json.loads(self(*arguments, "-f", "json"))

    def refused(self, *arguments):
        """What it says when it does not go well."""
        status, printed, told = self.run(*arguments)
        if status == 0:
            raise AssertionError(f"{arguments} went well\n{printed}\n{told}")
        return told.strip()
