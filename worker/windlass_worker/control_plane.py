"""The control plane as a worker sees it: a few calls over HTTP."""

import random

import requests

from . import __version__

# How long an answer may take beyond what it was asked to wait.
PATIENCE = 30
# The longest pause between two tries.
LONGEST_PAUSE = 30


class Refused(Exception):
    """The control plane answers, and does not take this: the worker, or what it sent. Trying again changes nothing."""


class LeaseLost(Exception):
    """The operation is not this worker's any more."""


class Unreachable(Exception):
    """No answer, or one that says: later."""


class ControlPlane:
    """Leases operations, keeps the leases, reports results. One object for all threads."""

    def __init__(self, settings):
        self.settings = settings
        self.root = settings.url + "/api/v3.1"
        self.headers = {
            "Authentication-Token": settings.token,
            "Tenant": settings.tenant,
            "User-Agent": f"windlass-worker/{__version__}",
        }
        self.verify = settings.ca_file or True

    def lease(self, most, wait, kind="operation"):
        """Up to so many operations, or workflows, or none after `wait` seconds."""
        body = {
            "worker": self.settings.name, "queues": list(self.settings.queues), "max": most, "wait": wait,
            "lease_seconds": self.settings.lease_seconds, "version": __version__,
        }
        if kind != "operation":
            body["kind"] = kind
        elif self.settings.shell_steps:
            body["shell_steps"] = True
        return self._post("/operations/lease", body, wait)["items"]

    def heartbeat(self, lease_id):
        """Keeps a lease. Whether the operation is to be stopped. Raises `LeaseLost`."""
        return bool((self._post(f"/operations/leases/{lease_id}/heartbeat", {}, 0) or {}).get("cancel"))

    def print(self, lease_id, offset, text):
        """Tells what a script has printed after so many bytes. How many more are kept. Raises `LeaseLost`."""
        body = {"offset": offset, "text": text}
        return (self._post(f"/operations/leases/{lease_id}/console", body, 0) or {}).get("room", 0)

    def report(self, lease_id, result):
        """Says what came of an operation, once. Raises `LeaseLost`, which is no harm: another has it."""
        self._post(f"/operations/leases/{lease_id}/result", result, 0)

    def report_all(self, results):
        """The same of several, pairs of a lease and a result. What went wrong, by lease."""
        body = {"results": [{**result, "lease_id": lease_id} for lease_id, result in results]}
        items = self._post("/operations/leases/results", body, 0)["items"]
        return {item["lease_id"]: self._problem(item["status"], item.get("message")) for item in items}

    def _problem(self, status, text):
        """What an answer that says no means to the one who asked; nothing, when it says yes."""
        if status == 409:
            return LeaseLost(text)
        if status in (400, 401, 403, 404, 413):
            return Refused(f"{self.settings.url} refuses ({status}): {text}")
        if status >= 400:
            return Unreachable(f"{self.settings.url} answers {status}: {text}")

    def _post(self, path, body, wait):
        try:
            answer = requests.post(
                self.root + path, json=body, headers=self.headers, verify=self.verify, timeout=(10, wait + PATIENCE)
            )
        except requests.exceptions.SSLError as error:
            raise Refused(f"the certificate of {self.settings.url} is not trusted ({error}); see --ca-file") from None
        except requests.RequestException as error:
            raise Unreachable(f"{self.settings.url} does not answer: {error}") from None
        if not answer.ok:
            raise self._problem(answer.status_code, _message(answer))
        try:
            return answer.json() if answer.content else None
        except ValueError:
            raise Unreachable(f"{self.settings.url} answers no JSON; is it a Windlass?") from None


def _message(answer):
    try:
        return answer.json()["message"]
    except (ValueError, KeyError, TypeError):
        return answer.text[:200] or answer.reason


def pauses():
    """How long to wait before each further try: longer and longer, and never all workers at once."""
    pause = 1
    while True:
        yield pause * random.uniform(0.5, 1)
        pause = min(LONGEST_PAUSE, pause * 2)
