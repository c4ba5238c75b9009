"""The same with curl, in the words of the API's documentation."""

import json
import os
import shutil
import subprocess
import unittest

from samples import CRANE
from windlass import PASSWORD, Story, folder_with, tar_gz, wait_until

USER = ("-u", f"admin:{PASSWORD}")
TENANT = ("--header", "Tenant: default_tenant")
JSON = ("--header", "Content-Type: application/json")


@unittest.skipUnless(shutil.which("curl"), "curl is not installed")
class Curl(Story):
    def curl(self, *arguments, status):
        """Runs curl; the answer as JSON. The last argument is the URL's path."""
        *options, path = arguments
        command = ["curl", "-s", "-w", "\n%{http_code}", *options, self.windlass.url + path]
        output = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        body, _, got = output.rpartition("\n")
        self.assertEqual(int(got), status, f"{command}: {body}\n{self.windlass.tail(5)}")
        return json.loads(body) if body else None

    def test_the_documented_calls(self):
        status = self.curl("-X", "GET", *TENANT, *USER, "/api/v3.1/status?_include=status", status=200)
        self.assertEqual(status["status"], "OK")

        folder = folder_with({})
        self.addCleanup(shutil.rmtree, folder)
        archive = os.path.join(folder, "crane.tar.gz")
        with open(archive, "wb") as file:
            file.write(tar_gz({"crane.yaml": CRANE}))
        params = json.dumps(
            {"application_file_name": "crane.yaml", "visibility": "tenant", "labels": [{"key": "berth", "value": "7"}]}
        )
        blueprint = self.curl(
            *("-X", "PUT", *TENANT, *USER, "-F", f"blueprint_archive=@{archive}", "-F", f"params={params}"),
            *("/api/v3.1/blueprints/crane",),
            status=201,
        )
        self.assertEqual((blueprint["state"], blueprint["labels"][0]["value"]), ("uploaded", "7"))
        listed = self.curl("-X", "GET", *TENANT, *USER, "/api/v3.1/blueprints?_include=id,created_at&id=crane", status=200)
        self.assertEqual([sorted(item) for item in listed["items"]], [["created_at", "id"]])

        body = json.dumps({"blueprint_id": "crane", "inputs": {"reach": 9}, "visibility": "tenant"})
        path = "/api/v3.1/deployments/crane-1?_include=id"
        created = self.curl("-X", "PUT", *TENANT, *JSON, *USER, "-d", body, path, status=201)
        self.assertEqual(created, {"id": "crane-1"})

        body = json.dumps({"deployment_id": "crane-1", "workflow_id": "install"})
        execution = self.curl("-X", "POST", *TENANT, *JSON, *USER, "-d", body, "/api/v3.1/executions", status=201)
        path = f"/api/v3.1/executions/{execution['id']}?_include=id,status"

        def terminated():
            return self.curl("-X", "GET", *TENANT, *USER, path, status=200)["status"] == "terminated"

        wait_until("the install ended", terminated)
        events = self.curl("-X", "GET", *TENANT, *USER, "/api/v3.1/events?_size=4&_offset=1&_include=timestamp", status=200)
        self.assertEqual([list(item) for item in events["items"]], [["timestamp"]] * 4)
        outputs = self.curl("-X", "GET", *TENANT, *USER, "/api/v3.1/deployments/crane-1/outputs", status=200)
        self.assertEqual(outputs, {"deployment_id": "crane-1", "outputs": {"address": "10.0.0.7", "reach": 9}})

        body = json.dumps({"deployment_id": "crane-1", "workflow_id": "uninstall"})
        execution = self.curl("-X", "POST", *TENANT, *JSON, *USER, "-d", body, "/api/v3.1/executions", status=201)
        path = f"/api/v3.1/executions/{execution['id']}?_include=id,status"
        wait_until("the uninstall ended", terminated)
        self.curl("-X", "DELETE", *TENANT, *USER, "/api/v3.1/deployments/crane-1?delete_logs=True", status=204)

        def gone():
            return not self.curl("-X", "GET", *TENANT, *USER, "/api/v3.1/deployments?id=crane-1&_include=id", status=200)["items"]

        wait_until("the deployment is gone", gone)
        downloaded = os.path.join(folder, "downloaded")
        self.curl("-X", "GET", *TENANT, *USER, "-o", downloaded, "/api/v3.1/blueprints/crane/archive", status=200)
        with open(archive, "rb") as sent, open(downloaded, "rb") as received:
            self.assertEqual(sent.read(), received.read())
        self.curl("-X", "DELETE", *TENANT, *USER, "/api/v3.1/blueprints/crane?force=false", status=204)

    def test_refusals_have_the_documented_shape(self):
        for status, code, arguments in (
            (401, "unauthorized_error", (*TENANT, "/api/v3.1/blueprints")),
            (403, "forbidden_error", (*USER, "/api/v3.1/blueprints")),
            (404, "not_found_error", (*TENANT, *USER, "/api/v3.1/blueprints/zz")),
            (404, "not_found_error", (*TENANT, *USER, "/api/v3.1/zz")),
            (405, "method_not_allowed_error", ("-X", "DELETE", *TENANT, *USER, "/api/v3.1/status")),
        ):
            with self.subTest(arguments=arguments):
                answer = self.curl(*arguments, status=status)
                self.assertEqual((answer["error_code"], answer["server_traceback"]), (code, None))


if __name__ == "__main__":
    unittest.main()
