"""Writes a plugin as a file, for pages that upload one: a wagon and its YAML in a zip. Usage: wagon.py FILE."""

import io
import json
import sys
import tarfile
import zipfile

ABOUT = {
    "archive_name": "cloud-1.0-py311-none-any.wgn",
    "package_name": "cloud",
    "package_version": "1.0",
    "package_source": "cloud",
    "supported_platform": "any",
    "supported_python_versions": ["py311"],
    "build_server_os_properties": {"distribution": None, "distribution_version": None, "distribution_release": None},
    "wheels": ["cloud-1.0-py3-none-any.whl"],
}
PLUGIN = "plugins: {cloud: {executor: central_deployment_agent, package_name: cloud, package_version: '1.0'}}\n"

wagon = io.BytesIO()
with tarfile.open(fileobj=wagon, mode="w:gz") as tar:
    for name, text in (("cloud/package.json", json.dumps(ABOUT)), ("cloud/wheels/cloud-1.0-py3-none-any.whl", "x")):
        entry = tarfile.TarInfo(name)
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text.encode()))
with zipfile.ZipFile(sys.argv[1], "w") as archive:
    archive.writestr(ABOUT["archive_name"], wagon.getvalue())
    archive.writestr("plugin.yaml", PLUGIN)
