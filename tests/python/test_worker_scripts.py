"""A web server that scripts of a blueprint make on a real worker: installed, fetched, healed, scaled, uninstalled."""

import os
import shutil
import signal
import tempfile
import unittest
import urllib.error
import urllib.request

from windlass import folder_with, wait_until
from workers import WithWorkers

BLUEPRINT = """
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
inputs:
  site: {}
node_types:
  web_server:
    derived_from: cloudify.nodes.Root
    properties:
      greeting: {default: ahoy}
node_templates:
  database:
    type: cloudify.nodes.Root
    interfaces:
      cloudify.interfaces.lifecycle:
        create:
          implementation: scripts/database.py
          inputs: {site: {get_input: site}}
  web:
    type: web_server
    interfaces:
      cloudify.interfaces.lifecycle:
        create:
          implementation: scripts/page.sh
          inputs: {site: {get_input: site}}
        start: scripts/start.py
        stop: scripts/stop.sh
        delete: scripts/delete.sh
      cloudify.interfaces.validation:
        check_status: scripts/check.py
    relationships:
      - type: cloudify.relationships.connected_to
        target: database
        source_interfaces:
          cloudify.interfaces.relationship_lifecycle:
            preconfigure: scripts/connect.py
"""

FILES = {
    "scripts/database.py": """
from cloudify import ctx
from cloudify.state import ctx_parameters

path = ctx_parameters["site"] + "/database"
open(path, "w").close()
ctx.instance.runtime_properties["address"] = "db://" + ctx.instance.id
""",
    "scripts/page.sh": """#!/bin/bash -e
id=$(ctx instance id)
folder="$site/$id"
mkdir -p "$folder"
ctx download-resource-and-render templates/page.html "@{\\"target_path\\": \\"$folder/index.html\\"}" > /dev/null
ctx logger info "wrote $folder/index.html"
ctx instance runtime-properties folder "$folder"
""",
    "templates/page.html": "{{ ctx.node.properties.greeting }} from {{ ctx.instance.id }}",
    "scripts/connect.py": """
from cloudify import ctx

address = ctx.target.instance.runtime_properties["address"]
ctx.source.instance.runtime_properties["database"] = address
""",
    "scripts/start.py": """
import os
import socket
import subprocess
import sys

from cloudify import ctx

properties = ctx.instance.runtime_properties
with open(os.path.join(properties["folder"], "database"), "w") as file:
    file.write(properties["database"])
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
server = subprocess.Popen(
    [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", properties["folder"]],
    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
)
properties["port"], properties["pid"] = port, server.pid
""",
    "scripts/check.py": """
import os

from cloudify import ctx
from cloudify.exceptions import NonRecoverableError

pid = ctx.instance.runtime_properties["pid"]
with open("/proc/%d/stat" % pid) if os.path.exists("/proc/%d" % pid) else open(os.devnull) as stat:
    state = (stat.read().rsplit(")", 1)[-1].split() or ["X"])[0]
if state in "XZ":
    raise NonRecoverableError("the server is gone")
""",
    "scripts/stop.sh": """#!/bin/bash
kill "$(ctx instance runtime-properties pid)" 2> /dev/null || true
""",
    "scripts/delete.sh": """#!/bin/bash -e
rm -r "$(ctx instance runtime-properties folder)"
""",
}


def fetch(port, path=""):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as answer:
        return answer.read().decode()


class WebServer(WithWorkers):
    def execute(self, workflow, **parameters):
        execution = self.client.executions.start("web", workflow, parameters=parameters)
        return self.finished(execution, 180)

    def servers(self):
        instances = self.client.node_instances.list(deployment_id="web", node_id="web")
        return {each["id"]: each["runtime_properties"] for each in instances if each["state"] == "started"}

    def answers(self, properties, path=""):
        def answer():
            try:
                return fetch(properties["port"], path)
            except (urllib.error.URLError, OSError):
                return None

        return wait_until("the server answers", answer, 20)

    def test_a_web_server_lives_and_dies(self):
        site = tempfile.mkdtemp(prefix="windlass-site-")
        self.addCleanup(shutil.rmtree, site, ignore_errors=True)
        self.worker()
        folder = folder_with({"web.yaml": BLUEPRINT, **FILES})
        self.addCleanup(shutil.rmtree, folder)
        self.client.blueprints.upload(os.path.join(folder, "web.yaml"), "web")
        self.client.deployments.create("web", "web", inputs={"site": site})

        self.execute("install")
        (name, first), = self.servers().items()
        self.assertEqual(self.answers(first), f"ahoy from {name}")
        self.assertTrue(fetch(first["port"], "database").startswith("db://database_"))

        os.kill(first["pid"], signal.SIGKILL)
        self.execute("heal", node_instance_id=name)
        (_, healed), = self.servers().items()
        self.assertNotEqual(healed["pid"], first["pid"])
        self.assertEqual(self.answers(healed), f"ahoy from {name}")

        self.execute("scale", scalable_entity_name="web", delta=1)
        servers = self.servers()
        self.assertEqual(len(servers), 2)
        for each, properties in servers.items():
            self.assertEqual(self.answers(properties), f"ahoy from {each}")

        self.execute("uninstall")
        self.assertEqual(os.listdir(site), ["database"])
        for properties in servers.values():
            with self.assertRaises(OSError):
                fetch(properties["port"])


if __name__ == "__main__":
    unittest.main()
