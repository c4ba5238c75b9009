"""What a release is made of, for programs that look for known faults in it: a bill of materials in CycloneDX.

    python3 scripts/sbom.py FILE

Reads what cargo knows of the dependencies, for the host and for WebAssembly: libraries that are linked in, with where they come
from, their checksum in Cargo.lock, their licence, and which of them needs which. The same sources give the same file.
"""

import json
import os
import sys
import tomllib
import uuid

from licenses import ROOT, linked, metadata, this_machine

REGISTRY = "registry+"


def purl(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def checksums():
    with open(os.path.join(ROOT, "Cargo.lock"), "rb") as file:
        lock = tomllib.load(file)
    return {(each["name"], each["version"]): each.get("checksum") for each in lock["package"]}


def component(package, known):
    is_ours = package["source"] is None
    item = {
        "type": "application" if is_ours and package["name"] == "windlass-host" else "library",
        "bom-ref": purl(package),
        "name": package["name"],
        "version": package["version"],
    }
    if package["description"]:
        item["description"] = package["description"].strip()
    if package["license"]:
        # Cargo still takes the slash that SPDX never had.
        item["licenses"] = [{"expression": " OR ".join(part.strip() for part in package["license"].split("/"))}]
    if not is_ours:
        item["purl"] = purl(package)
        checksum = known.get((package["name"], package["version"]))
        if checksum:
            item["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package["repository"]:
        item["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return item


def bill():
    packages, needs = {}, {}
    for platform in (this_machine(), "wasm32-wasip2"):
        known = metadata(platform)
        by_id = {package["id"]: package for package in known["packages"]}
        wanted = linked(known)
        for node in known["resolve"]["nodes"]:
            if node["id"] not in wanted:
                continue
            package = by_id[node["id"]]
            packages[purl(package)] = package
            of = needs.setdefault(purl(package), set())
            of.update(purl(by_id[each["pkg"]]) for each in node["deps"] if each["pkg"] in wanted)
    with open(os.path.join(ROOT, "Cargo.toml"), "rb") as file:
        version = tomllib.load(file)["workspace"]["package"]["version"]
    known = checksums()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": "urn:uuid:" + str(uuid.uuid5(uuid.NAMESPACE_OID, "\n".join(sorted(packages)))),
        "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": "windlass", "name": "windlass", "version": version}},
        "components": [component(packages[key], known) for key in sorted(packages)],
        "dependencies": [
            {"ref": "windlass", "dependsOn": sorted(key for key, package in packages.items() if package["source"] is None)},
            *({"ref": key, "dependsOn": sorted(needs[key])} for key in sorted(needs)),
        ],
    }


def main():
    made = bill()
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(made, file, indent=1, sort_keys=True)
        file.write("\n")
    print(f"    a bill of {len(made['components'])} materials", file=sys.stderr)


if __name__ == "__main__":
    main()
