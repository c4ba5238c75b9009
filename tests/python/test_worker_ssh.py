"""Operations that reach another machine: a real sshd, by a script with `ssh`, and by Fabric in a plugin's wagon."""

import os
import shutil
import tempfile
import unittest
import zipfile

from sshd import Sshd
from test_worker_plugins import wagon, wheel
from windlass import REPOSITORY, folder_with, messages, wait_until
from workers import WithWorkers

# Fabric and what it needs, as `scripts/setup --tests` downloads them.
WHEELS = os.path.join(REPOSITORY, ".windlass", "fabric")

INPUTS = "{host: 127.0.0.1, port: {get_input: port}, user: {get_input: user}, key: {get_secret: quay_key}, place: {get_input: place}}"

BLUEPRINT = """
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml%s]
inputs: {port: {}, user: {}, place: {}}
node_templates:
  quay:
    type: cloudify.nodes.Root
    interfaces:
      cloudify.interfaces.lifecycle:
        create: {implementation: %s, max_retries: 0, inputs: %s}
        delete: {implementation: %s, max_retries: 0, inputs: %s}
"""

# A script that puts a page where it is told to, over there.
PUT = """#!/bin/bash -e
umask 077
cat > key <<< "$key"
ssh -i key -p "$port" -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=known "$user@$host" \\
  "mkdir -p '$place' && echo 'made by $INSTANCE' > '$place/page' && uname -s" > system
ctx instance runtime-properties system "$(cat system)"
"""
TAKE = """#!/bin/bash -e
umask 077
cat > key <<< "$key"
ssh -i key -p "$port" -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=known "$user@$host" "rm -r '$place'"
"""

PLUGIN = """
import io

from cloudify import ctx
from cloudify.exceptions import NonRecoverableError
from fabric import Connection
from paramiko import Ed25519Key


def connection(host, port, user, key):
    return Connection(host, user=user, port=port, connect_kwargs={
        "pkey": Ed25519Key.from_private_key(io.StringIO(key)), "look_for_keys": False, "allow_agent": False})


def put(host, port, user, key, place, **_):
    with connection(host, port, user, key) as there:
        there.run(f"mkdir -p {place}", hide=True)
        there.put(io.StringIO(f"made by {ctx.instance.id}\\n"), f"{place}/page")
        ctx.instance.runtime_properties["system"] = there.run("uname -s", hide=True).stdout.strip()


def take(host, port, user, key, place, **_):
    with connection(host, port, user, key) as there:
        there.run(f"rm -r {place}", hide=True)


def stumble(host, port, user, key, **_):
    with connection(host, port, user, key) as there:
        ended = there.run("echo no such crane >&2; exit 3", warn=True, hide=True)
    raise NonRecoverableError(f"it ended with {ended.exited}: {ended.stderr.strip()}")
"""
YAML = """
plugins:
  deckhand: {executor: central_deployment_agent, package_name: deckhand, package_version: "1.0"}
"""


class OverThere(WithWorkers):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sshd = Sshd()
        cls.addClassCleanup(cls.sshd.stop)
        with open(cls.sshd.key) as key:
            cls.client.secrets.create("quay_key", key.read())

    def deployed(self, name, text, **files):
        folder = folder_with({"b.yaml": text, **{f"scripts/{file}.sh": script for file, script in files.items()}})
        self.addCleanup(shutil.rmtree, folder)
        self.client.blueprints.upload(os.path.join(folder, "b.yaml"), name)
        place = os.path.join(tempfile.mkdtemp(prefix="windlass-quay-"), "site")
        self.addCleanup(shutil.rmtree, os.path.dirname(place))
        inputs = {"port": self.sshd.port, "user": self.sshd.user, "place": place}
        self.client.deployments.create(name, name, inputs=inputs)
        return place

    def lives_and_dies(self, name, place):
        self.finished(self.client.executions.start(name, "install"), 180)
        [instance] = self.client.node_instances.list(deployment_id=name)
        self.assertEqual(instance["runtime_properties"]["system"], os.uname().sysname)
        with open(os.path.join(place, "page")) as page:
            self.assertIn("made by ", page.read())
        self.finished(self.client.executions.start(name, "uninstall"), 60)
        self.assertFalse(os.path.exists(place))

    def registered(self):
        """A plugin with its dependencies, compiled ones among them, in the registry."""
        if not os.path.isdir(WHEELS):
            raise AssertionError(f"{WHEELS} is missing: scripts/setup --tests downloads it")
        wheels = {"deckhand-1.0-py3-none-any.whl": wheel("deckhand", "1.0", {"deckhand.py": PLUGIN}, ["fabric"])}
        for file in os.listdir(WHEELS):
            if file.endswith(".whl"):
                with open(os.path.join(WHEELS, file), "rb") as content:
                    wheels[file] = content.read()
        folder = folder_with({"plugin.yaml": YAML})
        self.addCleanup(shutil.rmtree, folder)
        packed = os.path.join(folder, "deckhand.zip")
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("deckhand.wgn", wagon("deckhand", "1.0", wheels))
            archive.write(os.path.join(folder, "plugin.yaml"), "plugin.yaml")
        self.client.plugins.upload(packed)

    def test_a_script_works_over_there(self):
        self.worker()
        text = BLUEPRINT % ("", "scripts/put.sh", INPUTS, "scripts/take.sh", INPUTS)
        place = self.deployed("by-script", text, put=PUT, take=TAKE)
        self.lives_and_dies("by-script", place)
        self.assertGreaterEqual(self.sshd.said().count("Accepted publickey"), 2)

    def test_fabric_works_over_there(self):
        self.worker()
        self.registered()
        text = BLUEPRINT % (', "plugin:deckhand"', "deckhand.deckhand.put", INPUTS, "deckhand.deckhand.take", INPUTS)
        self.lives_and_dies("by-fabric", self.deployed("by-fabric", text))
        text = BLUEPRINT % (', "plugin:deckhand"', "deckhand.deckhand.stumble", INPUTS, "deckhand.deckhand.take", INPUTS)
        self.deployed("stumbling", text)
        execution = self.client.executions.start("stumbling", "install")
        wait_until("it failed", lambda: self.client.executions.get(execution["id"])["status"] == "failed")
        told = messages(self.client.events.list(execution_id=execution["id"], include_logs=False, _size=1000))
        self.assertTrue([text for text in told if "it ended with 3: no such crane" in text], told)


if __name__ == "__main__":
    unittest.main()
