"""Plugins of the registry on a real worker: each version in an environment of its own, and what the registry tells of it."""

import base64
import hashlib
import io
import json
import os
import shutil
import unittest
import zipfile

from cfy import tar_gz
from windlass import folder_with, wait_until
from workers import WithWorkers

MODULE = """
from cloudify import ctx


def work(**_):
    ctx.instance.runtime_properties["version"] = "VERSION"
"""
YAML = """
plugins:
  winch:
    executor: central_deployment_agent
    package_name: winch
    package_version: "VERSION"
"""
BLUEPRINT = """
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml, "plugin:winch?version=VERSION"]
node_templates:
  deck:
    type: cloudify.nodes.Root
    interfaces:
      cloudify.interfaces.lifecycle:
        create: {implementation: winch.winch.work, max_retries: 0}
"""


def wheel(name, version, modules, requires=()):
    """A wheel of pure Python modules, which needs other packages."""
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {other}\n" for other in requires)
    files = {**modules, f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
             f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    digest = lambda text: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    record = [f"{path},sha256={digest(text)},{len(text)}" for path, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"]) + "\n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return packed.getvalue()


def wagon(name, version, wheels):
    """The wheels in a wagon, as the tool of that name packs them."""
    about = {
        "archive_name": f"{name}-{version}-py3-none-any.wgn", "package_name": name, "package_version": version,
        "package_source": name, "supported_platform": "any", "supported_python_versions": ["py3"],
        "build_server_os_properties": {"distribution": None, "distribution_version": None, "distribution_release": None},
        "wheels": list(wheels),
    }
    return tar_gz({f"{name}/package.json": json.dumps(about), **{f"{name}/wheels/{file}": text for file, text in wheels.items()}})


class Plugins(WithWorkers):
    def uploaded(self, version, content=None):
        """The plugin in the registry, with a blueprint that uses it, deployed."""
        file = f"winch-{version}-py3-none-any.whl"
        content = content or wheel("winch", version, {"winch.py": MODULE.replace("VERSION", version)})
        folder = folder_with({"plugin.yaml": YAML.replace("VERSION", version), "b.yaml": BLUEPRINT.replace("VERSION", version)})
        self.addCleanup(shutil.rmtree, folder)
        packed = os.path.join(folder, "winch.zip")
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("winch.wgn", wagon("winch", version, {file: content}))
            archive.write(os.path.join(folder, "plugin.yaml"), "plugin.yaml")
        plugin = self.client.plugins.upload(packed)
        name = f"winch-{version}"
        self.client.blueprints.upload(os.path.join(folder, "b.yaml"), name)
        self.client.deployments.create(name, name)
        return plugin["id"], name

    def states(self, plugin):
        found = self.client.plugins.get(plugin)["installation_state"]
        return [(each["agent"], each["state"]) for each in found if each.get("agent")]

    def version_of(self, deployment):
        return self.client.node_instances.list(deployment_id=deployment)[0]["runtime_properties"].get("version")

    def test_versions_of_a_plugin_run_side_by_side_and_the_registry_tells_where(self):
        self.worker(name="north")
        for version in ("1.0", "2.0"):
            plugin, deployment = self.uploaded(version)
            self.assertEqual(self.states(plugin), [])
            self.finished(self.client.executions.start(deployment, "install"), 120)
            self.assertEqual(self.version_of(deployment), version)
            self.assertEqual(self.states(plugin), [("north", "installed")])

    def test_what_cannot_be_installed_fails_with_its_reason(self):
        self.worker(name="south")
        plugin, deployment = self.uploaded("3.0", content="no wheel at all")
        execution = self.client.executions.start(deployment, "install")
        wait_until("it failed", lambda: self.client.executions.get(execution["id"])["status"] == "failed", 90)
        self.assertIn("winch 3.0 cannot be installed", self.client.executions.get(execution["id"])["error"])
        self.assertEqual(self.states(plugin), [("south", "error")])
        [state] = [each for each in self.client.plugins.get(plugin)["installation_state"] if each.get("agent")]
        self.assertIn("cannot be installed", state["error"])


if __name__ == "__main__":
    unittest.main()
