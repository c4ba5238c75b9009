"""The demonstration of `scripts/up --demo`: upload, deploy, install, and where to look.

Usage: demo.py URL [FILE_WITH_PASSWORD]. Python's standard library only. The password comes from the
file, else from WINDLASS_PASSWORD.
"""

import base64
import io
import json
import os
import sys
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request

BLUEPRINT = "harbour"
FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "examples", BLUEPRINT)


class Refused(Exception):
    def __init__(self, status, answer):
        super().__init__(f"{status}: {answer.get('message', answer)}")
        self.status = status


class Windlass:
    def __init__(self, url, password):
        self.url = url
        secret = base64.b64encode(f"admin:{password}".encode()).decode()
        self.headers = {"Authorization": f"Basic {secret}", "Tenant": "default_tenant"}

    def call(self, method, path, body=None):
        data, headers = body, dict(self.headers)
        if body is not None and not isinstance(body, bytes):
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(f"{self.url}/api/v3.1{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=150) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            text = error.read()
            try:
                answer = json.loads(text)
            except ValueError:
                answer = {"message": text.decode(errors="replace")}
            raise Refused(error.code, answer) from None


def archive():
    """The example as the archive that an upload takes: one folder with the blueprint in it."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        tar.add(FOLDER, arcname=BLUEPRINT)
    return file.getvalue()


def unless_there(step, *arguments):
    """Demonstrations may be repeated: what is there already is used."""
    try:
        return step(*arguments)
    except Refused as error:
        if error.status != 409:
            raise
        return None


def finished(windlass, execution):
    for _ in range(600):
        execution = windlass.call("GET", f"/executions/{execution['id']}")
        if execution["status"] in ("terminated", "failed", "cancelled"):
            return execution
        time.sleep(0.1)
    return execution


def demonstrate(windlass):
    say(f"uploading the blueprint {BLUEPRINT} of examples/{BLUEPRINT}")
    query = urllib.parse.urlencode({"application_file_name": "blueprint.yaml"})
    unless_there(windlass.call, "PUT", f"/blueprints/{BLUEPRINT}?{query}", archive())

    number = windlass.call("GET", "/deployments?_size=0")["metadata"]["pagination"]["total"] + 1
    deployment = f"{BLUEPRINT}-{number}"
    say(f"creating the deployment {deployment}")
    body = {"blueprint_id": BLUEPRINT, "inputs": {"port": 8081}}
    windlass.call("PUT", f"/deployments/{deployment}", body)

    say("installing it")
    begun = time.monotonic()
    execution = {"deployment_id": deployment, "workflow_id": "install"}
    execution = finished(windlass, windlass.call("POST", "/executions", execution))
    say(f"the execution is {execution['status']} after {time.monotonic() - begun:.1f} s")
    if execution["status"] != "terminated":
        note(f"error: {execution['error']}")
        return

    events = windlass.call("GET", f"/events?execution_id={execution['id']}&_size=1000")["items"]
    for event in events[:4] + events[-2:]:
        note(f"{event['timestamp']}  {event['node_instance_id'] or '-':16}  {event['message']}")
    note(f"... {len(events)} events in all")
    outputs = windlass.call("GET", f"/deployments/{deployment}/outputs")["outputs"]
    note(f"outputs: {json.dumps(outputs)}")

    curl = f"curl -u admin:PASSWORD -H 'Tenant: default_tenant' '{windlass.url}/api/v3.1"
    say("look at it:")
    note(f"{curl}/deployments/{deployment}'")
    note(f"{curl}/node-instances?deployment_id={deployment}'")
    note(f"{curl}/events?execution_id={execution['id']}'")
    note(f"{curl}/deployments/{deployment}/outputs'")
    say("or with the Python client (pip install cloudify-common==7.0.5):")
    host = urllib.parse.urlsplit(windlass.url)
    note("from cloudify_rest_client import CloudifyClient")
    note(f"client = CloudifyClient(host='{host.hostname}', port={host.port}, username='admin',")
    note("                        password='PASSWORD', tenant='default_tenant')")
    note(f"client.executions.start('{deployment}', 'uninstall')")


def say(text):
    print(f"\033[1m==>\033[0m {text}", file=sys.stderr)


def note(text):
    print(f"    {text}", file=sys.stderr)


def main():
    url, file = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    password = ""
    if file:
        # The server prints the password in the moment it first answers; it may come by way of a pipe.
        for _ in range(60):
            with open(file) as lines:
                password = lines.readline().strip()
            if password:
                break
            time.sleep(0.05)
    password = password or os.environ.get("WINDLASS_PASSWORD", "")
    if not password:
        say("the demonstration needs the administrator's password, which was made in an earlier start:")
        note("WINDLASS_PASSWORD=... scripts/up --demo, or begin anew with --state-dir DIR")
        return 1
    try:
        demonstrate(Windlass(url, password))
    except (Refused, OSError) as error:
        say(f"the demonstration stopped: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
