"""Secrets, filters, searches and summaries with the unmodified Python client."""

import json
import os
import shutil

from cloudify_rest_client.exceptions import CloudifyClientError, InvalidFilterRule
from samples import CRANE
from windlass import Story, folder_with


def rule(kind, key, operator, *values):
    return {"key": key, "values": list(values), "operator": operator, "type": kind}


class Secrets(Story):
    def refused(self, code, call, *arguments, **more):
        with self.assertRaises(CloudifyClientError) as raised:
            call(*arguments, **more)
        self.assertEqual(raised.exception.error_code, code)
        return str(raised.exception)

    def test_secrets_are_made_read_changed_and_deleted(self):
        client = self.client.secrets
        client.create("pw", "hunter2", is_hidden_value=True)
        self.assertEqual(client.get("pw").value, "hunter2")
        self.refused("conflict_error", client.create, "pw", "other")
        client.create("pw", "other", update_if_exists=True)
        self.assertTrue(client.get("pw").is_hidden_value)
        client.update("pw", value="third", is_hidden_value=False)
        self.assertEqual(client.get("pw").value, "third")
        self.assertEqual([each.key for each in client.list(_search="P")], ["pw"])
        self.assertEqual(client.set_visibility("pw", "global")["visibility"], "global")
        schema = {"type": "object", "required": ["user"]}
        client.create("login", {"user": "ann"}, schema=schema)
        self.assertEqual(client.get("login").value, {"user": "ann"})
        text = self.refused("conflict_error", client.update, "login", value={"name": 1})
        self.assertIn("Error validating secret value", text)
        rules = [rule("attribute", "key", "starts_with", "lo")]
        self.assertEqual([each.key for each in client.list(filter_rules=rules)], ["login"])
        constraints = {"name_pattern": {"contains": "w"}}
        self.assertEqual([each.key for each in client.list(constraints=constraints)], ["pw"])
        for key in ("pw", "login"):
            client.delete(key)
        self.refused("not_found_error", client.get, "pw")

    def test_every_read_of_a_value_is_told_of_after_a_kill(self):
        self.client.secrets.create("watched", self.windlass.secret("swordfish"))
        for _ in range(5):
            self.assertEqual(self.client.secrets.get("watched").value, "swordfish")
        self.windlass.kill()
        self.windlass.start()
        told = self.client.auditlog.list(get_all=True, order_by="id", desc="True", size=100)
        read = [each for each in told if each["ref_id"] == "watched" and each["operation"] != "create"]
        self.assertEqual(len(read), 5, told[:10])
        self.client.secrets.delete("watched")

    def test_secrets_are_exported_and_imported(self):
        client = self.client.secrets
        client.create("pw", "hunter2")
        exported = client.export(_passphrase="correct horse")
        self.assertNotIn("hunter2", json.dumps(exported))
        client.update("pw", value="later")
        wanted = {"secrets_list": exported, "passphrase": "correct horse"}
        self.assertEqual(client.import_secrets(**wanted)["colliding_secrets"], {"default_tenant": ["pw"]})
        self.assertEqual(client.get("pw").value, "later")
        client.import_secrets(override_collisions=True, **wanted)
        self.assertEqual(client.get("pw").value, "hunter2")
        broken = client.import_secrets([{"key": "x"}])
        self.assertIn("missing secret fields", broken["secrets_errors"]["0"])
        client.delete("pw")

    def test_providers_are_made_tried_and_used(self):
        client = self.client.secrets_providers
        client.check("", "local")
        client.create("here", "local")
        self.assertEqual(client.get("here").type, "local")
        self.client.secrets.create("pw", "hunter2", provider_name="here")
        self.assertEqual(self.client.secrets.get("pw").value, "hunter2")
        self.refused("conflict_error", client.delete, "here")
        self.client.secrets.delete("pw")
        client.update("here", "local", {"a": "b"})
        self.assertEqual([each.name for each in client.list()], ["here"])
        client.delete("here")
        self.refused("bad_parameters_error", client.create, "far", "vault")


class Selections(Story):
    def setUp(self):
        super().setUp()
        folder = folder_with({"crane.yaml": CRANE})
        self.addCleanup(shutil.rmtree, folder)
        client = self.client
        if not client.blueprints.list(id="chosen"):
            client.blueprints.upload(os.path.join(folder, "crane.yaml"), "chosen", labels=[{"kind": "crane"}])
            for name, place in (("one", "port"), ("two", "sea"), ("three", "port")):
                client.deployments.create("chosen", f"chosen-{name}", labels=[{"place": place}])

    def test_filters_select_deployments_and_blueprints(self):
        client = self.client
        in_port = [rule("label", "place", "any_of", "port")]
        client.deployments_filters.create("in-port", in_port)
        ids = lambda found: sorted(each.id for each in found)
        both = ["chosen-one", "chosen-three"]
        self.assertEqual(ids(client.deployments.list(_filter_id="in-port")), both)
        self.assertEqual(ids(client.deployments.list(filter_rules=in_port)), both)
        constraints = {"labels": [{"place": "port"}], "name_pattern": {"ends_with": "three"}}
        self.assertEqual(ids(client.deployments.list(constraints=constraints)), ["chosen-three"])
        rules = client.deployments_filters.update("in-port", [rule("attribute", "id", "contains", "one")])
        self.assertEqual(len(rules.labels_filter_rules), 1)
        self.assertEqual(ids(client.deployments.list(_filter_id="in-port")), ["chosen-one"])
        kinds = [rule("label", "kind", "is_not_null")]
        client.blueprints_filters.create("kinds", kinds)
        self.assertEqual(ids(client.blueprints.list(_filter_id="kinds")), ["chosen"])
        self.assertEqual(ids(client.blueprints.list(filter_rules=kinds)), ["chosen"])
        self.assertTrue(client.workflows.list(filter_rules=in_port))
        with self.assertRaises(InvalidFilterRule) as raised:
            client.deployments_filters.create("bad", [{"key": "a"}])
        self.assertIn("missing", raised.exception.err_reason)
        client.deployments_filters.delete("in-port")
        client.blueprints_filters.delete("kinds")

    def test_parts_of_a_deployment_are_searched_through(self):
        client = self.client
        found = client.nodes.list(constraints={"deployment_id": "chosen-one", "name_pattern": {"starts_with": "cr"}})
        self.assertEqual([each.id for each in found], ["crane"])
        (capabilities,) = client.deployments.capabilities.list("chosen-one")
        self.assertEqual(list(capabilities["capabilities"][0]), ["lifts"])
        self.assertEqual(len(client.deployments.scaling_groups.list("chosen")), 0)

    def test_summaries_count(self):
        client = self.client.summary
        (of_blueprint,) = client.deployments.get("blueprint_id", blueprint_id="chosen")
        self.assertEqual(of_blueprint, {"blueprint_id": "chosen", "deployments": 3})
        (pairs,) = client.nodes.get("tenant_name", "visibility")
        self.assertEqual(pairs["by visibility"][0]["nodes"], pairs["nodes"])
        self.assertTrue(client.executions.get("status"))
        self.assertTrue(client.blueprints.get("visibility"))
        self.assertTrue(client.node_instances.get("state"))
