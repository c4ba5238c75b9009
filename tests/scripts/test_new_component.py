"""`scripts/new-component`, in a copy of the repository: what it makes builds and passes, and what it refuses
leaves nothing behind. Python's standard library and cargo, without a network.
"""

import os
import shutil
import subprocess
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Always the same folders: cargo knows what it built there. Not the repository's own: what is built from a copy
# looks the same to cargo, and would be run instead.
COPY = os.path.join(ROOT, "target", "new-component", "copy")
BUILT = os.path.join(ROOT, "target", "new-component", "built")
SCRIPT = os.path.join(COPY, "scripts", "new-component")


def run(*command, **more):
    return subprocess.run(command, cwd=COPY, capture_output=True, text=True, **more)


def files():
    """Every file of the copy and its content."""
    found = {}
    for folder, _, names in os.walk(COPY):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, COPY)] = file.read()
    return found


class NewComponent(unittest.TestCase):
    def setUp(self):
        shutil.rmtree(COPY, ignore_errors=True)
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
        for name in names.stdout.splitlines():
            source = os.path.join(ROOT, name)
            if os.path.isfile(source):
                target = os.path.join(COPY, name)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                # With its time, so that only what changed is built again.
                shutil.copy2(source, target)

    def tearDown(self):
        shutil.rmtree(COPY, ignore_errors=True)

    def make(self, *arguments):
        made = run(SCRIPT, *arguments)
        self.assertEqual(made.returncode, 0, made.stderr)
        return made.stdout

    def cargo(self, *arguments):
        environment = {**os.environ, "CARGO_TARGET_DIR": BUILT}
        done = run("cargo", *arguments, env=environment)
        self.assertEqual(done.returncode, 0, f"cargo {' '.join(arguments)}\n{done.stdout}{done.stderr}")
        return done.stdout

    def test_what_it_makes_builds_and_passes(self):
        printed = self.make("conductor", "lighthouses")
        self.make("status", "tide-tables", "/v2/tides")
        for path in ["components/conductor/lighthouses/src/lighthouses.rs", "tests/conductor/lighthouses.rs"]:
            self.assertIn(path, printed)
            self.assertTrue(os.path.exists(os.path.join(COPY, path)), path)
        packages = ["-p", "conductor-lighthouses", "-p", "status-tide-tables"]
        # The lock file has the new members: nothing is left to resolve.
        self.cargo("fmt", "--check", *packages)
        self.cargo("clippy", "--locked", "--offline", "--quiet", *packages, "--", "-D", "warnings")
        for test in ["every_component", "every_story"]:
            told = self.cargo("test", "--locked", "--offline", "--quiet", "-p", "windlass-tests", "--test", "stories", test)
            self.assertRegex(told, r"[1-9]\d* passed")
        told = self.cargo("test", "--locked", "--offline", "--quiet", "-p", "windlass-tests", "--test", "endpoints", "every_route")
        self.assertIn("1 passed", told)

    def test_a_row_that_waits_for_its_component_is_taken(self):
        table = os.path.join(COPY, "tests", "endpoints.tsv")
        row = ["piers.list", "conductor", "later", "GET", "/api/v3.1/piers", "site_list", "tenants", "-", "200", "-"]
        with open(table, "a", encoding="utf-8") as file:
            file.write("\t".join(row) + "\n")
        with open(table, encoding="utf-8") as file:
            before = file.read().splitlines()
        self.make("conductor", "waiting", row[4])
        with open(table, encoding="utf-8") as file:
            after = file.read().splitlines()
        changed = [(old, new) for old, new in zip(before, after) if old != new]
        self.assertEqual(len(before), len(after))
        self.assertEqual(changed, [("\t".join(row), "\t".join([*row[:2], "now", *row[3:]]))])
        with open(os.path.join(COPY, "components/conductor/waiting/src/waiting.rs"), encoding="utf-8") as file:
            variant = "".join(word.capitalize() for word in row[5].split("_"))
            self.assertIn(f"ctx.allow_list(Permission::{variant})?;", file.read())

    def test_what_is_taken_or_malformed_is_refused_and_leaves_nothing(self):
        before = files()
        for arguments, text in [
            (("conductor",), "usage"),
            (("conductor", "Lighthouses"), "is no name of a group"),
            (("conductor", "light_houses"), "is no name of a group"),
            (("conductor", "../lighthouses"), "is no name of a group"),
            (("space", "lighthouses"), "is no family"),
            (("conductor", "cluster"), "is there already"),
            (("conductor", "tokens"), "is there already"),
            (("conductor", "lighthouses", "lighthouses"), "is no path"),
            (("conductor", "lighthouses", "/api/v3.1/lighthouses/{name}"), "is no path"),
            (("conductor", "lighthouses", "/api/v3.1/deployments"), "is served already"),
            (("conductor", "lighthouses", "/api/v3.1/deployments/lights"), "would go to the new component"),
        ]:
            with self.subTest(arguments):
                refused = run(SCRIPT, *arguments)
                self.assertNotEqual(refused.returncode, 0)
                self.assertIn(text, refused.stderr)
                self.assertEqual(files(), before)

    def test_what_fails_half_way_is_taken_back(self):
        before = files()
        # A workspace that cargo cannot read: all files are written before it says so.
        broken = os.path.join(COPY, "host", "Cargo.toml")
        os.rename(broken, broken + ".away")
        refused = run(SCRIPT, "conductor", "lighthouses")
        os.rename(broken + ".away", broken)
        self.assertIn("everything was taken back", refused.stderr)
        self.assertEqual(files(), before)

    def test_it_explains_itself(self):
        told = run(SCRIPT, "--help")
        self.assertEqual(told.returncode, 0)
        for word in ["FAMILY", "GROUP", "PATH", "spin.toml", "tests/endpoints.tsv"]:
            self.assertIn(word, told.stdout)


if __name__ == "__main__":
    unittest.main()
