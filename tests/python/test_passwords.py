"""Nodes that are secrets with a password made at random, from `install` to `uninstall`."""

import os
import shutil

from cloudify_rest_client.exceptions import CloudifyClientError
from windlass import ENDED, Story, folder_with, wait_until

HEAD = """
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
"""

ANCHOR = HEAD + """
node_templates:
  plain:
    type: cloudify.nodes.PasswordSecret
  long:
    type: cloudify.nodes.PasswordSecret
    properties: { secret_name: anchor-password, length: 24, uppercase: -1, lowercase: 3, digits: 20, symbols: -1 }
outputs:
  password:
    value: { get_attribute: [long, password] }
"""


def one_node(**properties):
    """A blueprint of one password with these properties."""
    given = ", ".join(f"{name}: {value}" for name, value in properties.items())
    return HEAD + f"node_templates: {{ word: {{ type: cloudify.nodes.PasswordSecret, properties: {{ {given} }} }} }}\n"


class Passwords(Story):
    def deployed(self, name, blueprint):
        folder = folder_with({"blueprint.yaml": blueprint})
        self.addCleanup(shutil.rmtree, folder)
        self.client.blueprints.upload(os.path.join(folder, "blueprint.yaml"), name)
        self.client.deployments.create(name, name)

    def runs(self, deployment, workflow, **more):
        return self.finished(self.client.executions.start(deployment, workflow, **more))

    def refused(self, deployment):
        """What a failed `install` says of why it failed."""
        execution = self.client.executions.start(deployment, "install")

        def ended():
            now = self.client.executions.get(execution["id"])
            return now if now["status"] in ENDED else None

        now = wait_until(f"{deployment} is refused", ended)
        self.assertEqual(now["status"], "failed")
        return now["error"]

    def secrets(self):
        return sorted(each.key for each in self.client.secrets.list())

    def value(self, key):
        return self.client.secrets.get(key).value

    def test_install_makes_the_secrets_and_uninstall_deletes_them(self):
        self.deployed("anchor", ANCHOR)
        self.runs("anchor", "install")
        (plain,) = self.client.node_instances.list(deployment_id="anchor", node_id="plain")
        named = f"ps_anchor_{plain.id}"
        self.assertEqual(plain.runtime_properties["secret_name"], named)
        self.assertEqual(plain.runtime_properties["password"], {"get_secret": named})
        self.assertEqual(len(self.value(named)), 8)
        long = self.value("anchor-password")
        self.assertRegex(long, "^[a-z0-9]{24}$")
        self.assertGreaterEqual(sum(each.isdigit() for each in long), 20)
        self.assertGreaterEqual(sum(each.islower() for each in long), 3)
        self.assertEqual(self.client.deployments.outputs.get("anchor")["outputs"], {"password": long})
        self.runs("anchor", "uninstall")
        self.assertFalse({named, "anchor-password"} & set(self.secrets()))
        self.runs("anchor", "install")
        self.assertNotEqual(self.value("anchor-password"), long)
        self.runs("anchor", "uninstall")

    def test_a_secret_that_was_there_is_used_where_that_is_wanted_and_stays(self):
        self.client.secrets.create("shared-password", "hunter2")
        self.deployed("using", one_node(secret_name="shared-password", use_secret_if_exists="true"))
        self.runs("using", "install")
        self.assertEqual(self.value("shared-password"), "hunter2")
        self.deployed("taking", one_node(secret_name="shared-password"))
        self.assertIn("shared-password", self.refused("taking"))
        self.assertEqual(self.value("shared-password"), "hunter2")
        for deployment in ("using", "taking"):
            self.runs(deployment, "uninstall", parameters={"ignore_failure": True})
            self.assertEqual(self.value("shared-password"), "hunter2")
        self.client.secrets.delete("shared-password")

    def test_what_no_password_can_be_fails_the_install_and_leaves_no_secret(self):
        for name, properties, said in (
            ("short", {"length": 5}, "at least 6 characters"),
            ("endless", {"length": 5000}, "at most 4096 characters"),
            ("crowded", {"digits": 5, "symbols": 4}, "larger than the password length"),
            ("empty", {"uppercase": -1, "lowercase": -1, "digits": -1, "symbols": -1}, "at least one character group"),
            ("odd", {"digits": -2}, "greater than 0, or -1"),
            ("nameless", {"use_secret_if_exists": "true"}, "without providing a secret_name"),
        ):
            with self.subTest(name):
                if name != "nameless":
                    properties = {"secret_name": f"of-{name}", **properties}
                self.deployed(name, one_node(**properties))
                self.assertIn(said, self.refused(name))
                with self.assertRaises(CloudifyClientError):
                    self.client.secrets.get(f"of-{name}")
