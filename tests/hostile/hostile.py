"""Calls every endpoint with what nobody would send, made from the application's own description by schemathesis.

    tests/hostile/hostile.py SECONDS

As an administrator, as a user of one tenant and as nobody, each family in its own way to log in. What must not
happen: an answer of 500 or more, a status that the description does not name, an answer that breaks its schema.
Short runs try examples and random values; from ten minutes on also every boundary of every parameter.

Not called: what only the application itself calls, maintenance, which would refuse all that comes after it,
streams, which do not end, and logins, whose failures lock the address out.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HOST = os.environ.get("WINDLASS_HOST", os.path.join(REPOSITORY, "target/release/windlass-host"))
MANIFEST = os.environ.get("WINDLASS_MANIFEST", os.path.join(REPOSITORY, "spin.toml"))
PASSWORD = "correct horse battery staple"
CHECKS = "not_a_server_error,status_code_conformance,response_schema_conformance"
LEFT_OUT = r"maintenance|/stream|/auth/tokens|/api/v3\.1/tokens|/password|/api/v3\.1/ldap"
# Each family, and the header that its clients log in with.
FAMILIES = {
    "conductor": "Authentication-Token: {}",
    "adjutant": "X-Auth-Token: {}",
    "keystone": "X-Auth-Token: {}",
    "opsera": "Authorization: Bearer {}",
    "status": "Authorization: Bearer {}",
}
# Conductor's endpoints are most of all.
SHARES = {"conductor": 6, "adjutant": 2, "keystone": 1, "opsera": 2, "status": 1}


class Application:
    """A host in a process and a folder of its own."""

    def __init__(self):
        self.state = tempfile.mkdtemp(prefix="windlass-hostile-")
        self.log = open(os.path.join(self.state, "log"), "wb")
        command = [HOST, "up", "--from", MANIFEST, "--listen", "127.0.0.1:0", "--state-dir", self.state]
        command += ["--no-cron", "--variable", f"admin_password={PASSWORD}"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        for line in self.process.stdout:
            if line.startswith("Serving "):
                self.url = line.split()[1]
                return
        raise SystemExit("the host did not start:\n" + self.tail())

    def call(self, method, path, body=None, token=None):
        headers = {"content-type": "application/json", "tenant": "default_tenant"}
        if token:
            headers["authentication-token"] = token
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def token(self, username, password):
        basic = base64.b64encode(f"{username}:{password}".encode()).decode()
        request = urllib.request.Request(
            self.url + "/api/v3.1/tokens", b"{}",
            {"content-type": "application/json", "authorization": f"Basic {basic}", "tenant": "default_tenant"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())["value"]

    def tail(self):
        with open(self.log.name, errors="replace") as log:
            return "".join(log.readlines()[-20:])

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()
        shutil.rmtree(self.state, ignore_errors=True)


def people(application):
    """Who calls, with the token of each."""
    admin = application.token("admin", PASSWORD)
    user = {"username": "mallory", "password": PASSWORD, "role": "default"}
    application.call("PUT", "/api/v3.1/users", user, admin)
    place = {"tenant_name": "default_tenant", "username": "mallory", "role": "user"}
    application.call("PUT", "/api/v3.1/tenants/users", place, admin)
    return {"administrator": admin, "user": application.token("mallory", PASSWORD), "nobody": None}


def attack(application, family, token, seconds, is_long):
    """Runs schemathesis for some seconds; whether everything was as described."""
    command = [
        os.path.join(os.path.dirname(sys.executable), "schemathesis"), "run",
        os.path.join(REPOSITORY, "docs/openapi.json"), "--url", application.url, "--checks", CHECKS,
        "--phases", "examples,coverage,fuzzing" if is_long else "examples,fuzzing",
        "--max-examples", "50" if is_long else "3", "--max-time", str(seconds), "--request-timeout", "60",
        "--include-tag", family, "--exclude-path-regex", LEFT_OUT, "--continue-on-failure", "--warnings", "off",
        "--suppress-health-check", "all", "--no-color",
    ]
    if token:
        command += ["--header", FAMILIES[family].format(token)]
    if family == "conductor":
        command += ["--header", "Tenant: default_tenant"]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=application.state)
    lines = ended.stdout.splitlines()
    cases = next((line.strip() for line in lines if "generated" in line), "nothing was generated")
    print(f"    {cases}", flush=True)
    if ended.returncode != 0:
        print(ended.stdout[-20000:] + ended.stderr[-2000:], flush=True)
    return ended.returncode == 0


def main():
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        raise SystemExit(__doc__)
    seconds = int(sys.argv[1])
    application = Application()
    failed = 0
    runs = 0
    try:
        for name, token in people(application).items():
            for family in FAMILIES:
                share = max(2, seconds * SHARES[family] // (3 * sum(SHARES.values())))
                print(f"{family} as {name}, {share} s at most", flush=True)
                begun = time.monotonic()
                runs += 1
                failed += not attack(application, family, token, share, seconds >= 600)
                if application.process.poll() is not None:
                    raise SystemExit(f"the host ended after {time.monotonic() - begun:.0f} s:\n{application.tail()}")
    finally:
        application.stop()
    print(f"\nRan {runs} tests in {seconds}s\n\n" + (f"FAILED (failures={failed})" if failed else "OK"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
