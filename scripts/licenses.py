"""The licences of every library that is linked into a release: a list of them, and each text once.

    python3 scripts/licenses.py FOLDER

Reads what cargo knows of the dependencies, and the texts from the sources that cargo unpacked. A library that comes without
a text is listed with the name of its licence.
"""

import hashlib
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TEXTS = re.compile(r"^(licen[cs]e|copying|notice|unlicense)", re.IGNORECASE)


def metadata(platform):
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", platform]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


def linked(known):
    """The ids of the packages that the host and the components link: no tests, no build scripts."""
    nodes = {node["id"]: node for node in known["resolve"]["nodes"]}
    names = {package["id"]: package["name"] for package in known["packages"]}
    folders = ("/host", "/components/")
    begin = [
        package["id"]
        for package in known["packages"]
        if package["source"] is None and any(part in package["manifest_path"][len(ROOT):] for part in folders)
    ]
    seen, left = set(), begin
    while left:
        package = left.pop()
        if package in seen or names[package].endswith("-tests"):
            continue
        seen.add(package)
        for dependency in nodes[package]["deps"]:
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                left.append(dependency["pkg"])
    return seen


def texts(package):
    folder = os.path.dirname(package["manifest_path"])
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if TEXTS.match(name) and os.path.isfile(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                yield file.read().strip() + "\n"


def this_machine():
    """The target that the compiler builds for when it is not told."""
    told = subprocess.run(["rustc", "-vV"], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return next(line.split(": ", 1)[1] for line in told if line.startswith("host: "))


def main():
    target = sys.argv[1]
    packages = {}
    for platform in (this_machine(), "wasm32-wasip2"):
        known = metadata(platform)
        wanted = linked(known)
        for package in known["packages"]:
            if package["id"] in wanted and package["source"] is not None:
                packages[package["name"], package["version"]] = package
    lines, written = [], {}
    for (name, version), package in sorted(packages.items()):
        files = []
        for text in texts(package):
            digest = hashlib.sha256(text.encode()).hexdigest()[:12]
            files.append(written.setdefault(digest, f"{digest}.txt"))
            with open(os.path.join(target, written[digest]), "w", encoding="utf-8") as file:
                file.write(text)
        license = package["license"] or "see its text"
        lines.append(f"{name} {version}: {license}" + (f" ({', '.join(files)})" if files else ""))
    with open(os.path.join(target, "README.txt"), "w", encoding="utf-8") as file:
        file.write("Libraries that Windlass is made of, their licences, and the files here that hold the texts.\n\n")
        file.write("\n".join(lines) + "\n")
    print(f"    licences of {len(lines)} libraries in {len(written)} texts", file=sys.stderr)


if __name__ == "__main__":
    main()
