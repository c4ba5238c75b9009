"""scripts/sbom.py tells what a release is made of, as CycloneDX wants it; and all of it may be in a release."""

import json
import os
import subprocess
import sys
import tempfile
import tomllib
import unittest

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from license_expression import get_spdx_licensing

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

with open(os.path.join(ROOT, "deny.toml"), "rb") as file:
    ALLOWED = tomllib.load(file)["licenses"]["allow"]


def may_be_linked(expression):
    """Whether one of the ways to read a licence expression is allowed as a whole."""
    licensing = get_spdx_licensing()
    parsed = licensing.parse(expression, validate=True).simplify()
    allowed = {licensing.parse(each) for each in ALLOWED}

    def holds(part):
        if part in allowed:
            return True
        if part.__class__.__name__ == "AND":
            return all(holds(each) for each in part.args)
        return part.__class__.__name__ == "OR" and any(holds(each) for each in part.args)

    return holds(parsed)


class BillOfMaterials(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory(prefix="windlass-sbom-") as folder:
            cls.texts = []
            for name in ("one", "two"):
                path = os.path.join(folder, name)
                subprocess.run([sys.executable, "scripts/sbom.py", path], cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
                with open(path, encoding="utf-8") as file:
                    cls.texts.append(file.read())
        cls.bill = json.loads(cls.texts[0])

    def test_it_is_cyclonedx_and_the_same_each_time(self):
        self.assertIsNone(JsonStrictValidator(SchemaVersion.V1_6).validate_str(self.texts[0]))
        self.assertEqual(*self.texts)

    def test_it_holds_what_is_linked_and_nothing_else(self):
        names = {each["name"] for each in self.bill["components"]}
        self.assertLess({"windlass-host", "wasmtime", "rusqlite", "windlass-engine", "internal-scheduler"}, names)
        self.assertEqual({"windlass-tests", "windlass-bench", "proptest"} & names, set())
        known = {each["bom-ref"] for each in self.bill["components"]} | {"windlass"}
        for each in self.bill["dependencies"]:
            self.assertLessEqual({each["ref"], *each["dependsOn"]}, known)

    def test_everything_comes_from_the_registry_with_its_checksum(self):
        for each in self.bill["components"]:
            with self.subTest(each["name"]):
                self.assertTrue("hashes" in each or not each.get("purl"))

    def test_every_licence_may_be_in_a_release(self):
        for each in self.bill["components"]:
            with self.subTest(each["name"]):
                self.assertTrue(may_be_linked(each["licenses"][0]["expression"]))
        self.assertFalse(may_be_linked("GPL-3.0-only OR AGPL-3.0-only"))
        self.assertFalse(may_be_linked("MIT AND GPL-3.0-only"))
        self.assertTrue(may_be_linked("MIT OR GPL-3.0-only"))


if __name__ == "__main__":
    unittest.main()
