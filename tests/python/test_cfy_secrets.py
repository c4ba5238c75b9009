"""The unmodified `cfy`: secrets and where they are kept, sites."""

import json
import os

from cfy import CommandLine


class Secrets(CommandLine):
    def test_secrets_are_made_shown_changed_and_deleted(self):
        self.cfy("secrets create key -s hunter2")
        self.cfy("secrets create key -s hunter3 -u")
        self.assertEqual(self.json("secrets get key")["value"], "hunter3")
        self.cfy("secrets update key -s hunter4 -l global")
        self.assertIn("hunter4", self.cfy("secrets get key"))
        self.file("text", "from a file")
        self.cfy("secrets create of-file -f text")
        self.assertEqual(self.json("secrets get of-file")["value"], "from a file")
        self.cfy("secrets create hidden -s x --hidden-value -l private")
        self.cfy("secrets set-visibility hidden -l tenant")
        self.cfy("secrets set-owner hidden -s admin")
        listed = {each["key"]: each for each in self.json("secrets list")}
        self.assertTrue(listed["hidden"]["is_hidden_value"])
        self.assertNotIn("value", listed["key"])
        self.assertIn("was not found", self.cfy("secrets get nothing"))
        self.refusals(
            ("secrets create key -s x", "409: <Secret id=`key` tenant=`default_tenant`> already exists"),
            ("secrets create 'a key' -s x", "illegal characters"),
        )
        for key in ("key", "of-file", "hidden"):
            self.cfy(f"secrets delete {key}")
        self.assertIn("was not found", self.cfy("secrets delete key"))

    def test_values_have_the_shape_that_their_schema_says(self):
        schema = json.dumps({"type": "object", "required": ["b"]})
        self.cfy("secrets", "create", "shaped", "-s", '{"b": 1}', "--schema", schema)
        self.assertEqual(self.json("secrets get shaped")["value"], {"b": 1})
        self.cfy("secrets", "create", "many", "-s", '{"b": 1}', "--dict")
        self.cfy("secrets", "create", "some", "-s", "[1]", "--list")
        refused = self.refused("secrets", "create", "other", "-s", '{"a": 1}', "--schema", schema)
        self.assertIn("Error validating secret value", refused)
        self.assertIn("not of type 'array'", self.refused("secrets create other -s x --list"))
        for key in ("shaped", "many", "some"):
            self.cfy(f"secrets delete {key}")

    def test_secrets_are_taken_elsewhere(self):
        self.cfy("secrets create travels -s luggage")
        self.cfy("secrets export -p a-passphrase -o sealed.json")
        self.cfy("secrets export --non-encrypted -o plain.json")
        with open(os.path.join(self.home, "sealed.json")) as sealed, open(os.path.join(self.home, "plain.json")) as plain:
            self.assertNotIn("luggage", sealed.read())
            self.assertIn("luggage", plain.read())
        self.assertIn("collided", self.cfy("secrets import -i sealed.json -p a-passphrase"))
        self.assertIn("cannot be decrypted", self.cfy("secrets import -i sealed.json -p another-one"))
        self.assertIn("overridden", self.cfy("secrets import -i plain.json --non-encrypted --override-collisions"))
        self.cfy("secrets delete travels")
        self.cfy("secrets import -i sealed.json -p a-passphrase")
        self.assertEqual(self.json("secrets get travels")["value"], "luggage")
        self.refusals(("secrets export", "Please provide one of the options"))
        self.cfy("secrets delete travels")

    def test_providers_are_tried_when_they_are_made(self):
        self.assertIn("Connected to the Secrets Provider successfully", self.cfy("secrets providers create here -y local"))
        self.assertIn("successfully", self.cfy("secrets providers test here"))
        nowhere = json.dumps({"url": "http://127.0.0.1:1", "token": "t", "path": "secret/x"})
        refused = self.refused("secrets", "providers", "create", "vault", "-y", "vault", "-c", nowhere)
        self.assertIn("127.0.0.1:1` refused the connection", refused)
        self.cfy("secrets", "providers", "create", "unasked", "-y", "vault", "-s", "-c", nowhere)
        self.assertEqual({each["name"] for each in self.json("secrets providers list")}, {"here", "vault", "unasked"})
        self.assertIn("local", self.cfy("secrets providers get here"))
        self.cfy("secrets providers update here -l global")
        self.cfy("secrets create kept -p here -s x")
        self.assertEqual([each["key"] for each in self.json("secrets list -p here")], ["kept"])
        self.refusals(
            ("secrets providers create here -y local", "already exists"),
            ("secrets providers create other -y paper", "Invalid secrets provider type: `paper`"),
            ("secrets providers test vault", "refused the connection"),
            ("secrets providers test nowhere", "`nowhere` was not found"),
            ("secrets providers delete here", "the secret `kept` is kept there"),
            ("secrets create other -p nowhere -s x", "`nowhere` was not found"),
        )
        self.cfy("secrets delete kept")
        for name in ("here", "vault", "unasked"):
            self.cfy(f"secrets providers delete {name}")

    def test_sites_are_made_moved_and_deleted(self):
        self.cfy("sites create pier --location 34.7,-1")
        self.cfy("sites update pier -n quay --location 1,2 -l global")
        self.assertEqual(self.json("sites get quay")["location"], "1.0, 2.0")
        self.assertIn("quay", [each["name"] for each in self.json("sites list --search qu")])
        self.assertIn("was not found", self.cfy("sites get pier"))
        self.refusals(
            ("sites create quay", "409: <Site name=`quay` tenant=`default_tenant`> already exists"),
            ("sites create bad --location x", "Invalid location `x`"),
        )
        self.cfy("sites delete quay")
        self.assertIn("was not found", self.cfy("sites delete quay"))
