"""The unmodified command line `cfy`, against a host with running schedules."""

import json
import os
import shutil
import subprocess
import threading
import time

from cfy import CFY, CommandLine, tar_gz
from samples import CRANE
from windlass import folder_with


USES_CLOUD = """tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml, plugin:cloud]
node_templates: {mast: {type: cloudify.nodes.Root}}
"""


def wagon(package, version):
    """A wagon as a file: a package of code with nothing in it."""
    about = {
        "archive_name": f"{package}-{version}-py311-none-any.wgn",
        "package_name": package,
        "package_version": version,
        "package_source": package,
        "supported_platform": "any",
        "supported_python_versions": ["py311"],
        "build_server_os_properties": {"distribution": None, "distribution_version": None, "distribution_release": None},
        "wheels": [f"{package}-{version}-py3-none-any.whl"],
    }
    return tar_gz({f"{package}/package.json": json.dumps(about), f"{package}/wheels/x.whl": "x"})


class TheCommandLine(CommandLine):
    """What it does about the manager, with the program itself where it goes on by itself."""

    def test_a_profile_is_used_without_complaints(self):
        self.assertNotIn("lower than", self.used)
        self.assertIn("127.0.0.1", self.cfy("profiles", "list"))
        self.assertIn("127.0.0.1", self.cfy("profiles", "show-current"))

    def test_the_status_is_that_of_a_manager(self):
        self.assertIn("PostgreSQL", self.cfy("status"))
        self.assertEqual(self.json("status")["status"], "OK")
        self.assertIn("Current cluster status is OK", self.cfy("cluster", "status"))
        self.assertEqual(self.json("cluster", "status")["status"], "OK")

    def test_nodes_of_the_cluster_are_listed_added_and_removed(self):
        self.assertEqual(self.json("managers", "list")[0]["hostname"], "windlass")
        self.assertEqual(self.json("db-nodes", "list")[0]["name"], "windlass")
        self.cfy("db-nodes", "update")
        self.cfy("cluster", "brokers", "add", "rabbit", "192.0.2.7")
        self.assertIn("rabbit", [each["name"] for each in self.json("cluster", "brokers", "list")])
        self.cfy("cluster", "brokers", "update", "rabbit", "--networks", '{"north": "192.0.2.8"}')
        self.assertIn("192.0.2.8", self.cfy("cluster", "brokers", "get", "rabbit"))
        self.cfy("cluster", "brokers", "remove", "rabbit")
        self.assertNotIn("rabbit", self.cfy("cluster", "brokers", "list"))

    def test_plugins_come_and_go(self):
        packed = wagon("cloud", "1.0")
        path = self.file("cloud.wgn", packed)
        yaml = self.file("plugin.yaml", "plugins:\n  cloud:\n    executor: central_deployment_agent\n    package_name: cloud\n")
        self.cfy("plugins", "upload", path, "-y", yaml, "--title", "Clouds", "--visibility", "private")
        [plugin] = self.json("plugins", "list")
        self.assertEqual((plugin["package_name"], plugin["visibility"]), ("cloud", "private"))
        self.assertEqual(plugin["yaml_url_path"], "plugin:cloud?version=1.0")
        self.assertEqual(self.json("plugins", "get", plugin["id"])["package_version"], "1.0")
        self.cfy("plugins", "set-visibility", plugin["id"], "-l", "tenant")
        down = os.path.join(self.home, "down.wgn")
        self.cfy("plugins", "download", plugin["id"], "-o", down)
        with open(down, "rb") as file:
            self.assertEqual(file.read(), packed)
        self.cfy("plugins", "download_yaml", plugin["id"], "-o", os.path.join(self.home, "down.yaml"))
        self.cfy("plugins", "set-owner", plugin["id"], "-s", "admin")
        self.labels_of_a_plugin(plugin["id"])
        bundle = tar_gz({
            "bundle/METADATA": json.dumps({"f/f.wgn": "f/plugin.yaml"}),
            "bundle/f/f.wgn": wagon("fabric", "2.0"),
            "bundle/f/plugin.yaml": "plugins: {}",
        })
        self.cfy("plugins", "bundle-upload", "-p", self.file("bundle.tgz", bundle))
        self.assertEqual(len(self.json("plugins", "list")), 2)
        for each in self.json("plugins", "list"):
            self.cfy("plugins", "delete", each["id"])
        self.assertEqual(self.json("plugins", "list"), [])

    def labels_of_a_plugin(self, id):
        """What its blueprints and deployments are labelled with, and the tags of what it makes."""
        self.cfy(f"plugins blueprint-labels add team:red,team:blue {id}")
        self.assertEqual(self.json(f"plugins blueprint-labels list {id}"), {"team": ["red", "blue"]})
        self.cfy(f"plugins deployment-labels add tier:one {id}")
        self.file("used/blueprint.yaml", USES_CLOUD)
        self.cfy("blueprints upload -b used used/blueprint.yaml")
        self.assertEqual(self.json("blueprints labels list used"), {"team": ["blue", "red"]})
        self.cfy("deployments create -b used used")
        self.assertEqual(self.json("deployments labels list used"), {"tier": ["one"]})
        self.assertEqual(self.json(f"plugins deployment-labels list {id}"), {"tier": ["one"]})
        self.cfy(f"plugins blueprint-labels delete team:red {id}")
        self.cfy(f"plugins deployment-labels delete tier {id}")
        self.cfy(f"plugins resource-tags add owner:harbour {id}")
        self.assertIn("harbour", self.cfy(f"plugins resource-tags list {id}"))
        self.cfy(f"plugins resource-tags delete owner {id}")
        self.refusals(
            ("plugins get nothing", "Requested `Plugin` with ID `nothing` was not found"),
            ("plugins download nothing", "Requested `Plugin` with ID `nothing` was not found"),
            ("plugins upload cloud.wgn -y plugin.yaml", "409: a plugin archive by the name of"),
            (f"plugins install {id} --timeout 1", "Timed out waiting for plugin"),
        )

    def test_maintenance_begins_and_ends(self):
        self.cfy("maintenance-mode", "activate", "--wait", "--timeout", "60")
        try:
            self.assertIn("activated", self.cfy("maintenance-mode", "status"))
            self.assertIn("Maintenance mode is activated", self.cfy("status"))
            self.assertIn("currently in maintenance mode", self.refused("blueprints list"))
            again = self.executed("maintenance-mode", "activate")
            self.assertIn("Nothing to modify", again.stdout + again.stderr)
        finally:
            self.cfy("maintenance-mode", "deactivate")
        self.cfy("blueprints", "list")

    def test_the_audit_log_is_listed_followed_and_truncated(self):
        self.cfy("sites", "create", "audited")
        logs = self.json("auditlog", "list", "--sort-by", "created_at", "--pagination-size", "1000")
        self.assertIn("sites", [each["ref_table"] for each in logs])
        self.assertIn("sites:audited", self.cfy("auditlog", "list", "--pagination-size", "1000").replace("default_tenant:", ""))
        following = subprocess.Popen(
            [CFY, "auditlog", "list", "--follow", "--timeout", "20"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**self.environment(), "PYTHONUNBUFFERED": "1"},
        )
        self.addCleanup(following.stdout.close)
        self.addCleanup(following.wait)
        self.addCleanup(following.kill)
        time.sleep(4)
        self.cfy("sites", "delete", "audited")
        said = []
        reader = threading.Thread(target=lambda: said.extend(iter(following.stdout.readline, "")), daemon=True)
        reader.start()
        end = time.monotonic() + 15
        while time.monotonic() < end and not any("DELETED sites audited" in line for line in said):
            time.sleep(0.1)
        self.assertTrue(any("DELETED sites audited" in line for line in said), said)
        self.assertIn("have been truncated", self.cfy("auditlog", "truncate", "-b", "now", "-c", "nobody-at-all"))

    def test_a_bundle_of_logs_is_made_and_downloaded(self):
        self.cfy("log-bundles", "create", "trouble")
        self.assertEqual(self.json("log-bundles", "list")[0]["status"], "created")
        self.cfy("log-bundles", "download", "trouble", "-o", os.path.join(self.home, "trouble.tar.gz"))
        self.cfy("log-bundles", "delete", "trouble")

    def test_what_else_is_asked_about_the_manager(self):
        self.cfy("license", "list")
        self.assertIn("local", self.cfy("idp", "get"))
        self.assertIn("task_retries", self.cfy("config", "list"))
        self.cfy("license", "remove")
        registered = self.cfy(
            "community", "register", "-f", "Ann", "-l", "Pier", "-e", "ann@example.com", "-p", "1", "--accept-eula"
        )
        self.assertIn("COMMUNITY-", registered)
        self.cfy("license", "remove")

    def test_a_blueprint_is_uploaded_installed_and_taken_away(self):
        folder = folder_with({"blueprint.yaml": CRANE})
        self.addCleanup(shutil.rmtree, folder)
        self.cfy("blueprints", "upload", "-b", "cfy-crane", os.path.join(folder, "blueprint.yaml"))
        self.cfy("deployments", "create", "-b", "cfy-crane", "cfy-crane", "-i", '{"reach": 20}')
        self.cfy("executions", "start", "install", "-d", "cfy-crane")
        self.assertIn("20", self.cfy("deployments", "outputs", "cfy-crane"))
        self.cfy("executions", "start", "uninstall", "-d", "cfy-crane")
        self.cfy("deployments", "delete", "cfy-crane")
        self.gone("cfy-crane")
        self.cfy("blueprints", "delete", "cfy-crane")
