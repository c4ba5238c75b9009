"""`cfy plugins update` and what it tells afterwards, and the same by the Python client."""

import json

from cfy import CommandLine, tar_gz
from cloudify_rest_client.exceptions import CloudifyClientError

BLUEPRINT = """tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml, plugin:tide]
node_templates: {gauge: {type: tide.Gauge}}
"""


def wagon(version):
    about = {
        "archive_name": f"tide-{version}-py311-none-any.wgn",
        "package_name": "tide",
        "package_version": version,
        "package_source": "tide",
        "supported_platform": "any",
        "supported_python_versions": ["py311"],
        "build_server_os_properties": {"distribution": None, "distribution_version": None, "distribution_release": None},
        "wheels": [f"tide-{version}-py3-none-any.whl"],
    }
    return tar_gz({"tide/package.json": json.dumps(about), "tide/wheels/x.whl": "x"})


def yaml(version):
    """The file of a version, whose type has it in a property."""
    return f"""plugins:
  tide: {{executor: central_deployment_agent, package_name: tide, package_version: '{version}'}}
node_types:
  tide.Gauge:
    derived_from: cloudify.nodes.Root
    properties: {{version: {{default: '{version}'}}}}
    interfaces: {{cloudify.interfaces.lifecycle: {{create: tide.tasks.create}}}}
"""


class Plugins(CommandLine):
    """Newer plugins for deployments that are there."""

    def upload(self, *versions):
        for version in versions:
            self.file("tide.wgn", wagon(version))
            self.file("plugin.yaml", yaml(version))
            self.cfy("plugins upload tide.wgn -y plugin.yaml")

    def version(self, deployment):
        """The version that a deployment has, and its blueprint."""
        [node] = self.client.nodes.list(deployment_id=deployment)
        return node.properties["version"], self.client.deployments.get(deployment).blueprint_id

    def test_deployments_get_newer_plugins(self):
        self.upload("1.0")
        self.file("used/blueprint.yaml", BLUEPRINT)
        self.cfy("blueprints upload -b used used/blueprint.yaml")
        for name in ("west", "east"):
            self.cfy(f"deployments create -b used {name}")
        told = self.cfy("plugins update used")
        self.assertIn("Successfully updated plugins for blueprint used", told)
        self.assertEqual(self.version("west"), ("1.0", "used"))
        self.upload("1.5", "2.0")

        told = self.cfy("plugins update used --all-to-minor")
        self.assertIn("Executing deployment update for deployment east...", told)
        self.assertIn("Finalizing plugins update...", told)
        self.assertIn("Finished executing workflow 'update_plugin'", told)
        for name in ("west", "east"):
            self.assertEqual(self.version(name), ("1.5", "used"))
        told = self.cfy("plugins update --all-blueprints --plugin-name tide")
        self.assertIn("Successfully updated 1 blueprints.", told)
        for name in ("west", "east"):
            self.assertEqual(self.version(name), ("2.0", "used"))
        self.assertEqual([each["id"] for each in self.json("blueprints list")], ["used"])

        history = self.json("plugins history -b used --sort-by created_at")
        states = [each["state"] for each in history]
        self.assertEqual(states, ["no_changes_required", "successful", "successful"])
        self.assertEqual(self.json("plugins history -b other"), [])
        last = history[-1]["id"]
        shown = self.json(f"plugins get-update {last}")
        self.assertEqual((shown["blueprint_id"], shown["forced"]), ("used", False))
        self.assertEqual(shown["deployments_to_update"], ["east", "west"])
        self.assertIn(last, self.cfy("plugins list_updates --get-data"))
        self.refusals(
            ("plugins update nothing", "Requested `Blueprint` with ID `nothing` was not found"),
            ("plugins get-update nothing", "Requested `PluginsUpdate` with ID `nothing` was not found"),
        )
        self.by_the_client(last)

    def by_the_client(self, last):
        updates = self.client.plugins_update
        again = updates.update_plugins("used", plugin_names=["tide"])
        self.assertEqual((again.state, again.temp_blueprint_id), ("no_changes_required", None))
        self.assertEqual(updates.get(last, _include=["id"]), {"id": last})
        listed = updates.list(sort="created_at", is_descending=True, state="successful")
        self.assertEqual(listed[0].id, last)
        mapping = {"updates": [{"plugin:tide": {"plugin_name": "tide", "suggested_version": "1.5"}}]}
        with self.assertWarns(RuntimeWarning):
            update = updates.update_plugins("used", mapping=mapping)
        self.assertEqual(update.state, "executing_workflow")
        self.finished(self.client.executions.get(update.execution_id))
        self.assertEqual(self.version("west"), ("1.5", "used"))
        with self.assertRaises(CloudifyClientError) as refused:
            updates.finalize_plugins_update(update.id)
        self.assertEqual(refused.exception.error_code, "illegal_action_error")
        for restored in updates.dump([update.id]):
            restored = {**restored, "id": "restored"}
            updates.restore([restored], None)
        restored = updates.get("restored")
        self.assertEqual((restored.state, restored.deployments_to_update), ("successful", ["east", "west"]))
