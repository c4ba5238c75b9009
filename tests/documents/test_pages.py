"""How pages are read and judged."""

import os
import re
import subprocess
import unittest

from pages import REPOSITORY, blocks, headings, links, matches, names, read, refusals_expected, statuses_promised

PAGE = """
<!-- test: skip, it builds -->
```sh
make
```

<!-- test: before prepare \\
  --all -->
```sh
run   # 201
```

<!-- test: output -->
```json
{"id": "..."}
```
"""


class Pages(unittest.TestCase):
    def test_blocks_know_their_lines_and_markers(self):
        found = [(block.line, block.language, block.marker, block.argument, block.before) for block in blocks(PAGE)]
        self.assertEqual(found, [
            (3, "sh", "skip", "it builds", ""),
            (9, "sh", "", "", "prepare \\\n  --all"),
            (14, "json", "output", "", ""),
        ])
        self.assertEqual(blocks(PAGE)[1].text, "run   # 201\n")

    def test_a_marker_that_means_nothing_is_a_mistake(self):
        for page in ("<!-- test: later -->\n```sh\n```\n", "<!-- test: output -->\ntext\n```sh\n```\n"):
            with self.assertRaises(ValueError):
                blocks(page)

    def test_statuses_are_read_from_comments(self):
        self.assertEqual(statuses_promised("run   # 201, made\nrun # 20 of them\n"), [201])
        self.assertEqual(refusals_expected("# 400 {..}\nrun 404\nrun # or 503\n"), {400, 503})

    def test_dots_stand_for_anything(self):
        self.assertTrue(matches('{"id": "..."}\n', '{"id": "x"}   \n'))
        self.assertFalse(matches('{"id": "..."}', '{"name": "x"}'))

    def test_links_lead_somewhere(self):
        for name in names():
            for place, anchor in links(read(name)):
                path = os.path.normpath(os.path.join(os.path.dirname(name), place)) if place else name
                with self.subTest(f"{name}: {place}#{anchor}"):
                    self.assertTrue(os.path.exists(os.path.join(REPOSITORY, path)), "there is no such file")
                    if anchor:
                        self.assertIn(anchor, headings(read(path)))

    def test_log_lines_of_the_troubleshooting_page_are_written_by_something(self):
        rows = re.findall(r"^\|[^|]*\| `([^`|]+)` \|", read("docs/troubleshooting.md"), re.MULTILINE)
        self.assertGreater(len(rows), 5)
        for text in rows:
            with self.subTest(text):
                found = subprocess.run(
                    ["grep", "-rqF", "--include=*.rs", text, "shared", "components", "host/src"], cwd=REPOSITORY, check=False
                )
                self.assertEqual(found.returncode, 0, "no source has this text")
