"""Plugins of the registry: each version in a virtual environment of its own, made once.

An archive is a wagon (a tar.gz or zip with `package.json` and `wheels/`), or a wheel. What a blueprint uses and
the registry does not have runs in the worker's own environment, as `script` does, which is in cloudify-common.
"""

import fcntl
import json
import os
import shutil
import site
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile

import requests

# What an installation printed last, which says why it failed.
TAIL = 2000


class NotInstalled(Exception):
    """A plugin that cannot be installed here."""

    def __init__(self, text, recoverable=False):
        super().__init__(text)
        self.recoverable = recoverable


def interpreter(lease, settings):
    """The Python that runs an operation: the one of its plugin's environment. Raises `NotInstalled`."""
    plugin = lease["context"].get("plugin") or {}
    name, version = plugin.get("package_name"), plugin.get("package_version")
    if not name:
        return sys.executable
    place = os.path.join(settings.work_dir, "plugins", lease["tenant_name"], name, version or "newest")
    python = os.path.join(place, "bin", "python")
    if os.path.exists(os.path.join(place, "plugin.id")):
        return python
    registry = Registry(lease, settings)
    found = registry.find(name, version)
    if found is None:
        return sys.executable
    os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
    # Several operations of a new plugin may begin at once, in several workers of this machine.
    with open(place + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(place, "plugin.id")):
            registry.tell(found, "installing")
            try:
                _install(registry, found, place)
            except NotInstalled as problem:
                registry.tell(found, "error", str(problem))
                raise
            registry.tell(found, "installed")
    return python


class Registry:
    """The plugins of the control plane, as the execution may see them."""

    def __init__(self, lease, settings):
        self.root = settings.url + "/api/v3.1/plugins"
        self.verify = settings.ca_file or True
        self.headers = {"Execution-Token": lease["execution_token"], "Tenant": lease["tenant_name"]}
        self.worker = settings.name

    def find(self, name, version):
        """The newest of this package, or this version; nothing if the registry does not have it."""
        wanted = {"package_name": name, "_sort": "-uploaded_at", "_size": 1}
        if version:
            wanted["package_version"] = version
        items = self._call("GET", "", params=wanted).json()["items"]
        return items[0] if items else None

    def download(self, plugin, target):
        """Writes the archive into a file."""
        with self._call("GET", f"/{plugin['id']}/archive", stream=True) as answer, open(target, "wb") as file:
            for part in answer.iter_content(1 << 20):
                file.write(part)

    def tell(self, plugin, state, error=None):
        """Says how far the installation is. Who may not say so installs all the same."""
        body = {"agent": self.worker, "state": state}
        if error:
            body["error"] = error[-TAIL:]
        try:
            self._call("PUT", f"/{plugin['id']}", json=body)
        except NotInstalled:
            pass

    def _call(self, method, path, **more):
        try:
            answer = requests.request(
                method, self.root + path, headers=self.headers, verify=self.verify, timeout=(10, 300), **more
            )
        except requests.RequestException as error:
            raise NotInstalled(f"The plugin registry does not answer: {error}", recoverable=True) from None
        if not answer.ok:
            raise NotInstalled(f"The plugin registry answers {answer.status_code}: {answer.text[:300]}",
                               recoverable=answer.status_code >= 500)
        return answer


def _install(registry, plugin, place):
    """Makes the environment beside its place, and puts it there when it is whole."""
    shutil.rmtree(place, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        archive = os.path.join(folder, os.path.basename(plugin.get("archive_name") or "plugin.wgn"))
        registry.download(plugin, archive)
        wheels, package = _unpack(archive, folder)
        _run([sys.executable, "-m", "venv", place], "the virtual environment")
        try:
            _share_our_packages(place)
            python = os.path.join(place, "bin", "python")
            pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
            pip += ["--find-links", wheels]
            what = f"{plugin['package_name']} {plugin['package_version']}"
            try:
                _run([*pip, package], what)
            except NotInstalled:
                # Plugins pin what they were made with, which cloudify-common may want newer; they run all the same.
                packed = _packed(wheels)
                if not packed:
                    raise
                _run([*pip, "--no-deps", *packed], what)
            with open(os.path.join(place, "plugin.id"), "w") as file:
                file.write(plugin["id"])
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise


def _unpack(archive, folder):
    """The folder with the wheels of an archive, and what to install of them."""
    if archive.endswith(".whl"):
        return folder, archive
    target = os.path.join(folder, "unpacked")
    try:
        if tarfile.is_tarfile(archive):
            with tarfile.open(archive) as packed:
                packed.extractall(target, filter="data")
        else:
            with zipfile.ZipFile(archive) as packed:
                packed.extractall(target)
    except (tarfile.TarError, zipfile.BadZipFile, OSError) as error:
        raise NotInstalled(f"The plugin's archive cannot be read: {error}") from None
    for path, _, files in os.walk(target):
        if "package.json" in files:
            with open(os.path.join(path, "package.json")) as file:
                described = json.load(file)
            wanted = f"{described['package_name']}=={described['package_version']}"
            return os.path.join(path, "wheels"), wanted
        wheel = next((name for name in files if name.endswith(".whl")), None)
        if wheel:
            return path, os.path.join(path, wheel)
    raise NotInstalled("The plugin's archive holds neither a wagon nor a wheel")


def _packed(wheels):
    """All that an archive holds but cloudify-common, which is shared; nothing for a plugin without others."""
    found = {tuple(name.split("-")[:2]) for name in os.listdir(wheels) if name.endswith(".whl")}
    found = {pair for pair in found if len(pair) == 2 and pair[0] != "cloudify_common"}
    return [f"{name}=={version}" for name, version in sorted(found)] if len(found) > 1 else []


def _share_our_packages(place):
    """Lets the environment import what the worker has, cloudify-common above all; its own packages go first."""
    own = sysconfig.get_path("purelib", vars={"base": place, "platbase": place})
    ours = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()}
    with open(os.path.join(own, "windlass_worker.pth"), "w") as file:
        file.write("\n".join(sorted(ours)) + "\n")


def _run(command, what):
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if ended.returncode != 0:
        said = (ended.stdout + ended.stderr).strip()[-TAIL:]
        raise NotInstalled(f"{what} cannot be installed: {said}")
