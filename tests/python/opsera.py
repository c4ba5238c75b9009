"""A client of Opsera's APIs as a team writes one for itself: `requests`, a token, the paths of the pages
that document them, and nothing that knows Windlass.
"""

import requests


class Refused(Exception):
    """An answer other than 200, with what it says."""

    def __init__(self, response):
        super().__init__(f"{response.request.method} {response.url}: {response.status_code} {response.text}")
        self.status = response.status_code
        self.answer = response.json()
        self.message = self.answer["message"]


class Opsera:
    """`scheme` is what stands before the token: pages of the first version say `Bearer`, of the second nothing."""

    def __init__(self, url, token, scheme="Bearer "):
        self.url = url
        self.session = requests.Session()
        self.session.headers["Authorization"] = scheme + token

    def ask(self, method, path, **arguments):
        response = self.session.request(method, f"{self.url}/api/{path}", timeout=30, **arguments)
        if response.status_code != 200:
            raise Refused(response)
        return response.json()

    def pipeline(self, what, pipeline, **more):
        return self.ask("POST", f"v1/pipeline/{what}", json={"pipelineId": pipeline, **more})

    def create_pipeline(self, name, plan, **more):
        made = self.ask("POST", "v1/pipeline/create", json={"name": name, "workflow": {"plan": plan}, **more})
        return made["_id"]

    def pipelines(self, **query):
        return self.ask("GET", "v1/pipeline/pipelines", params=query)

    def registry(self, what, **body):
        return self.ask("POST", f"v1/registry/{what}", json=body)

    def tools(self):
        return self.ask("GET", "v1/registry/tools")

    def activity(self, what, **query):
        return self.ask("GET", f"v1/logs/user/{what}", params=query)

    def read(self, path, **query):
        return self.ask("GET", f"v2/data/{path}", params=query)

    def write(self, path, **record):
        return self.ask("POST", f"v2/data/{path}", json=record)


def webhook(name, url, **configuration):
    """A step that calls a URL."""
    return {"name": name, "tool": {"tool_identifier": "webhook", "configuration": {"url": url, **configuration}}}


def approval(name):
    """A step that waits for somebody."""
    return {"name": name, "tool": {"tool_identifier": "approval"}}
