"""Times the original parser: `original_parser.py DIRECTORY RESOURCES` parses DIRECTORY/blueprint.yaml once
and prints the seconds it took. The built-in types are read from RESOURCES."""

import os
import sys
import time

from dsl_parser import tasks

directory, resources = sys.argv[1:3]
begun = time.perf_counter()
plan = tasks.parse_dsl(os.path.join(directory, "blueprint.yaml"), resources_base_path=resources)
seconds = time.perf_counter() - begun
assert len(plan["nodes"]) >= 2000, "the whole blueprint was parsed"
print(seconds)
