"""docs/security.md names files and tests: each of them exists, and each row names a test or says that there is none."""

import os
import re
import unittest

from pages import REPOSITORY

NAMED = re.compile(r"`([^`\s]+)`")
# What begins so is a file of the repository.
FOLDERS = ("components/", "deploy/", "docs/", "fuzz/", "host/", "scripts/", "shared/", "tests/", "worker/")
FILES = ("Cargo.lock", "clippy.toml", "deny.toml", "spin.toml")


def rows(text):
    """The rows of the tables about points, as their cells."""
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 3 and cells[0] != "point":
            found.append(cells)
    return found


def missing(name):
    """What is wrong with a name, or nothing."""
    path, _, test = name.partition("::")
    if not (path.startswith(FOLDERS) or path in FILES):
        return None
    place = os.path.join(REPOSITORY, path)
    if not os.path.exists(place):
        return f"there is no {path}"
    if test:
        with open(place, encoding="utf-8") as file:
            if not re.search(rf"^\s*(async )?(fn|def) {re.escape(test)}\(", file.read(), re.MULTILINE):
                return f"{path} has no test {test}"
    return None


class Security(unittest.TestCase):
    def setUp(self):
        with open(os.path.join(REPOSITORY, "docs/security.md"), encoding="utf-8") as file:
            self.text = file.read()

    def test_each_file_and_test_that_the_page_names_exists(self):
        names = NAMED.findall(self.text)
        self.assertGreater(len(names), 200)
        self.assertEqual([wrong for wrong in map(missing, names) if wrong], [])

    def test_each_point_has_its_test_or_says_that_it_has_none(self):
        points = rows(self.text)
        self.assertGreater(len(points), 90)
        silent = [cells[0] for cells in points if "::" not in cells[2] and not cells[2].startswith(("no test", "`"))]
        self.assertEqual(silent, [])

    def test_a_name_that_leads_nowhere_is_found(self):
        self.assertEqual(missing("tests/nowhere.rs"), "there is no tests/nowhere.rs")
        self.assertIn("has no test", missing("tests/sources.rs::nothing"))
        self.assertIsNone(missing("tests/sources.rs::every_story_is_formatted"))
        self.assertEqual(rows("| point | x | y |\n|---|---|---|\n| a | b | no test |"), [["a", "b", "no test"]])
