"""Keystone v3, with the unmodified `openstack` command, keystoneauth1 and keystonemiddleware."""

import json
import threading
import unittest
import warnings

from command_line import CommandLine
from keystoneauth1 import discover, session
from keystoneauth1.exceptions import http as refusals
from keystoneauth1.identity import v3
from keystonemiddleware import auth_token
from webob import Request
from windlass import PASSWORD, Story

FORBIDDEN = "You are not authorized to perform the requested action: identity:"
UNAUTHORIZED = "The request you have made requires authentication."


class KeystoneStory(Story):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client.tenants.create("harbour")
        cls.client.tenants.create("quay")
        for name, role in [("ann", "manager"), ("bob", "project_mod"), ("eve", "viewer")]:
            cls.client.users.create(name, "hoist away", "default")
            cls.client.tenants.add_user(name, "harbour", role)
        cls.client.user_groups.create("deck", "default")
        cls.client.user_groups.add_user("eve", "deck")

    def openstack(self, name, *arguments, project="harbour", password=None, status=0, **settings):
        """What the command prints, for somebody who logs in as people do."""
        password = password or (PASSWORD if name == "admin" else "hoist away")
        command = CommandLine.of_password(self.windlass, name, password, project, **settings)
        answer, printed, told = command.run(*arguments)
        self.assertEqual(answer, status, f"{arguments}\n{printed}\n{told}\n{self.windlass.tail()}")
        return printed if status == 0 else told.strip()

    def asked(self, name, *arguments, **options):
        """The same, read as JSON."""
        return json.loads(self.openstack(name, *arguments, "-f", "json", **options))

    def test_a_token_is_issued_and_revoked(self):
        for url in ("/v3", "/v3/", ""):
            token = self.asked("ann", "token", "issue", OS_AUTH_URL=self.windlass.url + url)
            self.assertEqual(token["project_id"], "harbour")
            self.assertRegex(token["id"], "^stok-[0-9a-f]{16}-[a-z0-9]{40}$")
        by_token = {"OS_AUTH_TYPE": "token", "OS_TOKEN": token["id"], "OS_USERNAME": None, "OS_PASSWORD": None}
        by_token["OS_USER_DOMAIN_NAME"] = None
        again = self.asked("ann", "token", "issue", **by_token)
        self.assertEqual((again["user_id"], again["project_id"]), (token["user_id"], "harbour"))
        self.assertLessEqual(again["expires"], token["expires"])
        self.openstack("ann", "token", "revoke", token["id"])
        refusal = self.openstack("ann", "token", "issue", status=1, **by_token)
        self.assertIn(UNAUTHORIZED, refusal)
        self.assertIn("401", refusal)

    def test_the_catalog_tells_where_everything_is(self):
        catalog = {service["Type"]: service for service in self.asked("eve", "catalog", "list")}
        self.assertEqual(sorted(catalog), ["admin-logic", "conductor", "identity", "status-dashboard"])
        urls = {endpoint["url"] for endpoint in catalog["admin-logic"]["Endpoints"]}
        self.assertEqual(urls, {self.windlass.url + "/v1"})
        shown = self.asked("eve", "catalog", "show", "identity")
        self.assertIn(self.windlass.url + "/v3", str(shown["endpoints"]))
        # A login without a project is about the only one, if there is one.
        self.client.users.create("loner", "hoist away", "default")
        self.assertEqual(self.asked("ann", "token", "issue", project=None)["project_id"], "harbour")
        self.assertNotIn("project_id", self.asked("loner", "token", "issue", project=None))

    def test_projects_are_those_that_one_is_in(self):
        def names(*arguments, **options):
            return sorted(project["Name"] for project in self.asked(*arguments, **options))

        everything = names("admin", "project", "list", project="default_tenant")
        self.assertLessEqual({"default_tenant", "harbour", "quay"}, set(everything))
        for name in ("ann", "bob", "eve"):
            self.assertEqual(names(name, "project", "list"), ["harbour"])
        self.assertEqual(names("eve", "project", "list", "--my-projects"), ["harbour"])
        shown = self.asked("eve", "project", "show", "harbour")
        self.assertEqual((shown["id"], shown["domain_id"], shown["enabled"]), ("harbour", "default", True))
        self.assertIn("No Project found for quay", self.openstack("ann", "project", "show", "quay", status=1))
        self.assertEqual(self.asked("admin", "project", "show", "quay", project="default_tenant")["name"], "quay")

    def test_users_and_groups_are_for_administrators(self):
        users = self.asked("admin", "user", "list", "--long", project="default_tenant")
        self.assertLessEqual({"admin", "ann", "bob", "eve"}, {user["Name"] for user in users})
        shown = self.asked("admin", "user", "show", "eve", project="default_tenant")
        self.assertEqual((shown["name"], shown["enabled"], shown["domain_id"]), ("eve", True, "default"))
        self.assertIn("No User found for nobody", self.openstack("admin", "user", "show", "nobody", project="default_tenant", status=1))
        groups = self.asked("admin", "group", "list", project="default_tenant")
        self.assertEqual([group["Name"] for group in groups], ["deck"])
        members = self.asked("admin", "user", "list", "--group", "deck", project="default_tenant")
        self.assertEqual([user["Name"] for user in members], ["eve"])
        members = self.asked("admin", "user", "list", "--project", "harbour", project="default_tenant")
        self.assertLessEqual({"ann", "bob", "eve"}, {user["Name"] for user in members})
        for name, command, action in [
            ("ann", "user", "list_users"),
            ("ann", "group", "list_groups"),
            ("bob", "user", "list_users"),
            ("eve", "user", "list_users"),
        ]:
            refusal = self.openstack(name, command, "list", status=1)
            self.assertIn(f"{FORBIDDEN}{action}.", refusal)
            self.assertIn("403", refusal)
        self.assertEqual(self.asked("eve", "user", "show", "eve")["name"], "eve")

    def test_roles_and_who_has_them(self):
        for name, project in [("admin", "default_tenant"), ("eve", "harbour")]:
            roles = {role["Name"] for role in self.asked(name, "role", "list", project=project)}
            self.assertEqual(roles, {"admin", "member", "project_admin", "project_mod", "service"})
        domains = self.asked("eve", "domain", "list")
        self.assertEqual([(domain["ID"], domain["Name"]) for domain in domains], [("default", "Default")])

        def told(name, *arguments, project="harbour"):
            assignments = self.asked(name, "role", "assignment", "list", "--names", *arguments, project=project)
            return {(one["User"] or one["Group"], one["Role"], one["Project"]) for one in assignments}

        everything = told("admin", project="default_tenant")
        for user, role in [("ann", "project_admin"), ("bob", "project_mod"), ("eve", "member")]:
            self.assertIn((f"{user}@Default", role, "harbour@Default"), everything)
        of_ann = told("admin", "--user", "ann", "--project", "harbour", project="default_tenant")
        self.assertEqual({role for _, role, _ in of_ann}, {"project_admin", "member"})
        self.assertIn("ann@Default", {user for user, _, _ in told("ann", "--project", "harbour")})
        self.assertIn(f"{FORBIDDEN}list_role_assignments.", self.openstack("eve", "role", "assignment", "list", status=1))

    def test_a_user_chooses_another_password(self):
        self.client.users.create("dot", "hoist away", "default")
        self.client.tenants.add_user("dot", "harbour", "user")
        change = ["user", "password", "set", "--original-password"]
        refusal = self.openstack("dot", *change, "guess", "--password", "let it down", status=1)
        self.assertIn(UNAUTHORIZED, refusal)
        refusal = self.openstack("dot", *change, "hoist away", "--password", "four", status=1)
        self.assertIn("The password must have 5 to 256 characters", refusal)
        self.openstack("dot", *change, "hoist away", "--password", "let it down")
        self.assertIn(UNAUTHORIZED, self.openstack("dot", "token", "issue", status=1))
        self.asked("dot", "token", "issue", password="let it down")

    def test_a_program_shows_its_token_as_application_credential(self):
        client = self.windlass.client(username="ann", password="hoist away", tenant="harbour")
        made = client.tokens.create()
        _, id, secret = made["value"].split("-")
        credential = {
            "OS_AUTH_TYPE": "v3applicationcredential",
            "OS_APPLICATION_CREDENTIAL_ID": id,
            "OS_APPLICATION_CREDENTIAL_SECRET": secret,
            "OS_USERNAME": None,
            "OS_USER_DOMAIN_NAME": None,
            "OS_PROJECT_DOMAIN_NAME": None,
        }
        token = self.asked("ann", "token", "issue", project=None, **credential)
        self.assertEqual(token["project_id"], "harbour")
        client.tokens.delete(id)
        refusal = self.openstack("ann", "token", "issue", project=None, status=1, **credential)
        self.assertIn(UNAUTHORIZED, refusal)

    def test_refusals_are_shown_in_keystones_words(self):
        self.assertIn(UNAUTHORIZED, self.openstack("ann", "token", "issue", project="quay", status=1))
        self.assertIn(UNAUTHORIZED, self.openstack("nobody", "token", "issue", status=1))

    def password(self, name, **options):
        options = {"project_name": "harbour", "project_domain_id": "default", **options}
        return v3.Password(self.windlass.url + "/v3", username=name, password="hoist away", user_domain_id="default", **options)

    def service(self, name):
        """A user that looks after a service, who is made once."""
        if "services" not in [tenant["name"] for tenant in self.client.tenants.list()]:
            self.client.tenants.create("services")
        self.client.users.create(name, "hoist away", "default")
        self.client.tenants.add_user(name, "services", "service")

    def test_another_service_lets_in_whoever_has_logged_in_here(self):
        def application(environment, start):
            start("200 OK", [("content-type", "text/plain")])
            names = ("IDENTITY_STATUS", "USER_NAME", "PROJECT_ID", "ROLES")
            return [" ".join(environment.get(f"HTTP_X_{name}", "-") for name in names).encode()]

        self.service("depot")
        settings = {
            "auth_type": "password",
            "auth_url": self.windlass.url + "/v3",
            "www_authenticate_uri": self.windlass.url + "/v3",
            "username": "depot",
            "password": "hoist away",
            "user_domain_id": "default",
            "project_name": "services",
            "project_domain_id": "default",
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            guarded = auth_token.filter_factory({}, **settings)(application)

        def call(token):
            request = Request.blank("/")
            if token:
                request.headers["X-Auth-Token"] = token
            return request.get_response(guarded)

        answer = call(session.Session(auth=self.password("bob")).get_token())
        self.assertEqual((answer.status_int, answer.text), (200, "Confirmed bob harbour project_mod,member"))
        for token in ("stok-0000000000000007-guess", None):
            answer = call(token)
            self.assertEqual(answer.status_int, 401, token)
            self.assertIn(self.windlass.url, answer.headers["WWW-Authenticate"])

    def test_the_library_finds_the_version_and_validates_tokens(self):
        for url in ("", "/v3"):
            found = discover.Discover(session.Session(), self.windlass.url + url)
            self.assertEqual(found.version_data()[-1]["url"], self.windlass.url + "/v3/")
        self.service("ferry")
        self.client.users.create("cleo", "hoist away", "default")
        self.client.tenants.add_user("cleo", "harbour", "manager")
        cleo = session.Session(auth=self.password("cleo"))
        ferry = session.Session(auth=self.password("ferry", project_name="services"))
        bob = session.Session(auth=self.password("bob"))
        ask = {"headers": {"X-Subject-Token": cleo.get_token()}, "endpoint_filter": {"service_type": "identity"}}
        answer = ferry.get("/auth/tokens", **ask).json()["token"]
        self.assertEqual((answer["user"]["name"], answer["project"]["name"]), ("cleo", "harbour"))
        self.assertEqual([role["name"] for role in answer["roles"]], ["project_admin", "member"])
        with self.assertRaisesRegex(refusals.Forbidden, f"{FORBIDDEN}validate_token"):
            bob.get("/auth/tokens", **ask)
        self.client.users.deactivate("cleo")
        with self.assertRaisesRegex(refusals.NotFound, "Failed to validate token"):
            ferry.get("/auth/tokens", **ask)
        self.client.users.activate("cleo")
        with self.assertRaisesRegex(refusals.NotFound, "Failed to validate token"):
            ferry.get("/auth/tokens", **ask)

    def test_many_log_in_at_once(self):
        refused = []

        def log_in():
            for _ in range(10):
                try:
                    self.password("bob").get_access(session.Session())
                except Exception as error:
                    refused.append(error)

        threads = [threading.Thread(target=log_in) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(refused, [])


if __name__ == "__main__":
    unittest.main()
