"""The mixed load: each family's clients, workers, pipelines and mail, with a ledger for each kind of write."""

import time

from ledger import Ledger, Unknown, Writer
from opsera import webhook
from samples import by_http, posting
from windlass import tar_gz

STEPS = ("create", "start")
BOAT = by_http("boat", *(posting(step, "          max_retries: 50", "          retry_interval: 1") for step in STEPS), instances=2)
YARD = """
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
plugins:
  yard: {executor: central_deployment_agent, install: false}
node_templates:
  keel:
    type: cloudify.nodes.Root
    interfaces:
      cloudify.interfaces.lifecycle:
        create: {implementation: yard.yard.build, max_retries: 50, retry_interval: 1}
"""
PLUGIN = """
from cloudify import ctx


def build(**_):
    ctx.instance.runtime_properties["built"] = True
"""
RUN_STEPS = 3
ENDED = ("terminated", "failed", "cancelled")


class Load:
    """`admin` is the administrator of Conductor, `team` a user of Opsera, `people` are strangers."""

    def __init__(self, admin, team, writer_of_page, receiver, ending):
        self.admin, self.team, self.page = admin, team, writer_of_page
        self.receiver, self.ending = receiver, ending
        kinds = ("sites", "deleted sites", "secrets", "incidents", "sign-ups", "deployments", "executions", "worked", "runs")
        self.ledgers = {kind: Ledger(kind) for kind in kinds}
        # The values that a secret may have: the last one that was acknowledged, and what came after it.
        self.values = {}
        self.component = None
        self.pipelines = []

    def prepare(self):
        for name, text in (("boat", BOAT), ("yard", YARD)):
            archive = tar_gz({f"{name}.yaml": text})
            path = f"/api/v3.1/blueprints/{name}?application_file_name={name}.yaml"
            demand(self.admin.ask("PUT", path, archive, content_type="application/octet-stream"))
        attributes = [{"name": "type", "value": "sea"}, {"name": "region", "value": "EU"}, {"name": "category", "value": "Soak"}]
        made = demand(self.page.ask("POST", "/v2/components", {"name": "Sea", "attributes": attributes}))
        self.component = made["id"]
        hook = {"kind": "webhook", "url": f"{self.receiver.url}/status", "region": None, "components": []}
        demand(self.page.ask("POST", "/status/subscriptions", hook))
        for number in range(2):
            plan = [
                dict(webhook(f"s{step}", f"{self.receiver.url}/run/{number}/{{{{ run.number }}}}/{step}"), retries=20)
                for step in range(RUN_STEPS)
            ]
            body = {"name": f"Deliver {number}", "workflow": {"plan": plan}}
            self.pipelines.append(demand(self.team.ask("POST", "/api/v1/pipeline/create", body))["_id"])

    def start(self):
        steps = [
            ("sites", self.site, 0.02), ("secrets", self.secret, 0.03), ("incidents", self.incident, 0.2),
            ("sign-ups", self.sign_up, 0.2), ("deployments", self.deployment("boat", "executions"), 0.1),
            ("worked", self.deployment("yard", "worked"), 0.3), ("runs", self.run, 0.2),
        ]
        writers = [Writer(self.ledgers[kind], step, pause, self.ending) for kind, step, pause in steps]
        for writer in writers:
            writer.start()
        return writers

    def site(self, number):
        name = f"site-{number}"
        path = f"/api/v3.1/sites/{name}"
        ledger, deleted = self.ledgers["sites"], self.ledgers["deleted sites"]
        ledger.write(name, lambda: self.admin.ask("PUT", path, {"location": f"1,{number % 90}"}))
        other = f"site-{number - 5}"
        if number % 3 == 0 and other in ledger.told:
            deleted.write(other, lambda: self.admin.ask("DELETE", f"/api/v3.1/sites/{other}"))

    def secret(self, number):
        key = f"secret-{number % 40}"
        ledger = self.ledgers["secrets"]
        value = f"the value of {number}"
        self.values.setdefault(key, []).append(value)
        path = f"/api/v3.1/secrets/{key}"
        body = {"value": value, "update_if_exists": True}
        if ledger.write((key, value), lambda: self.admin.ask("PUT", path, body)):
            self.values[key] = self.values[key][-1:]

    def incident(self, number):
        title = f"Heavy swell {number}"
        ledger = self.ledgers["incidents"]
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        body = {
            "title": title, "description": "Looking.", "type": "incident", "impact": 1,
            "components": [self.component], "start_date": now,
        }
        ledger.write(title, lambda: self.page.ask("POST", "/v2/events", body))

    def sign_up(self, number):
        email = f"sailor-{number}@example.com"
        body = {"email": email, "project_name": f"deck-{number}", "setup_network": False}
        address = f"198.51.{number // 250 % 250}.{number % 250}"
        ledger = self.ledgers["sign-ups"]
        path = "/v1/openstack/sign-up"
        ledger.write(email, lambda: self.page.ask("POST", path, body, **{"x-forwarded-for": address}))

    def deployment(self, blueprint, kind):
        def step(number):
            name = f"{blueprint}-{number}"
            made, run = self.ledgers["deployments"], self.ledgers[kind]
            inputs = {"url": f"{self.receiver.url}/boat"} if blueprint == "boat" else {}
            body = {"blueprint_id": blueprint, "inputs": inputs}
            if made.write(name, lambda: self.admin.ask("PUT", f"/api/v3.1/deployments/{name}", body)) is None:
                return
            body = {"deployment_id": name, "workflow_id": "install"}
            begun = run.write(name, lambda: self.admin.ask("POST", "/api/v3.1/executions", body))
            if begun is not None and number % 2:
                self.ended(begun["id"], 60)
        return step

    def ended(self, execution, seconds):
        """Waits for an execution as long as it takes, or until the end."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.ending.wait(0.2):
            try:
                _, now = self.admin.ask("GET", f"/api/v3.1/executions/{execution}")
            except Unknown:
                continue
            if isinstance(now, dict) and now.get("status") in ENDED:
                return

    def run(self, number):
        pipeline = self.pipelines[number % len(self.pipelines)]
        ledger = self.ledgers["runs"]
        body = {"pipelineId": pipeline}
        # One run at a time: another one is refused.
        _, now = self.team.ask("POST", "/api/v1/pipeline/status", body)
        if now.get("status") in ("running", "paused", "stopping"):
            return
        ledger.write(number, lambda: self.team.ask("POST", "/api/v1/pipeline/run", body))


def demand(told):
    status, answer = told
    if status >= 300:
        raise AssertionError(f"{status}: {answer}")
    return answer
