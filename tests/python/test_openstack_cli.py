"""All 29 commands that Adjutant's plugin gives the unmodified `openstack` command, by each role, and what each refusal says."""

import functools
import importlib.metadata
import json
import re
import unittest

from adjutantclient import client as adjutant
from command_line import CommandLine
from keystoneauth1 import session, token_endpoint
from windlass import PASSWORD, Recorder, Story, Windlass, wait_until

# Who may use a command, and what others are told.
ANYBODY = None
MODERATORS = "Must have one of the following roles: ['project_admin', 'project_mod', 'admin']"
ADMINISTRATORS = "Must have one of the following roles: ['admin']"
NOBODY = "Credentials incorrect or none given."

# Each command with its arguments, who may, and a part of what it prints. In this order: one makes what another takes.
COMMANDS = [
    ("adjutant status", [], ADMINISTRATORS, '"error_notifications"'),
    ("admin task list", ["--limit", "20"], ADMINISTRATORS, "{signup}"),
    ("admin task show", ["{request}"], MODERATORS, "update_quota"),
    ("admin task update", ["{request}", "{smaller}"], MODERATORS, "medium"),
    ("project quota tasks", [], MODERATORS, "{request}"),
    ("admin task cancel", ["{request}"], MODERATORS, "| cancelled | True |"),
    ("admin task approve", ["{signup}"], ADMINISTRATORS, "| approved | True |"),
    ("admin task notification list", [], ADMINISTRATORS, "{note}"),
    ("admin task notification show", ["{note}"], ADMINISTRATORS, "task needs approval."),
    ("admin task notification acknowledge", ["{note}"], ADMINISTRATORS, "Success Notifications acknowledged."),
    ("admin task token list", [], ADMINISTRATORS, "{invitation}"),
    ("admin task token show", ["{token}"], ANYBODY, "NewUserAction"),
    ("admin task token submit", ["{token}", "{password}"], ANYBODY, "Success Token submitted successfully."),
    ("admin task token reissue", ["{invitation}"], MODERATORS, "Success Token reissued."),
    ("admin task tokens clear", [], ADMINISTRATORS, "Success. Deleted all expired tokens."),
    ("project user list", [], MODERATORS, "{guest}"),
    ("project user show", ["dot@example.com"], MODERATORS, "dot@example.com"),
    ("project user invite", ["{other}", "member"], MODERATORS, "User invited"),
    ("project user invite cancel", ["{guest}", "{other}"], MODERATORS, "Invite(s) Cancelled"),
    ("project user role list", ["dot@example.com"], MODERATORS, "member"),
    ("project user role add", ["dot@example.com", "project_mod"], MODERATORS, "Role added"),
    ("project user role remove", ["dot@example.com", "project_mod"], MODERATORS, "Role removed"),
    ("project manageable roles", [], MODERATORS, "project_mod"),
    ("project quota show", [], MODERATORS, "RegionOne"),
    ("project quota sizes", [], MODERATORS, "large"),
    ("project quota update", ["large"], MODERATORS, "requires admin approval before executing."),
    ("password reset", ["dot@example.com"], ADMINISTRATORS, "Task has been sucessfully submitted."),
    ("password forgot", ["dot@example.com"], ANYBODY, "Task has been sucessfully submitted."),
    ("signup", ["{stranger}", "{project}"], ANYBODY, "task created"),
]

# Who is which of them.
MAY = {
    "admin": (ANYBODY, MODERATORS, ADMINISTRATORS),
    "ann": (ANYBODY, MODERATORS),
    "bob": (ANYBODY, MODERATORS),
    "eve": (ANYBODY,),
    "nobody": (ANYBODY,),
}


def words(*arguments):
    return list(arguments)


def errors(told):
    """How the command shows a refusal: the answer as it came."""
    return f"ERROR: {told if isinstance(told, dict) else {'errors': [told]}}"


class CommandLineStory(Story):
    @classmethod
    def setUpClass(cls):
        cls.mails = Recorder()
        cls.addClassCleanup(cls.mails.stop)
        cls.windlass = Windlass(mail_url=f"{cls.mails.url}/send", mail_from="desk@example.com")
        cls.addClassCleanup(cls.windlass.stop)
        cls.base = cls.windlass.url + "/v1"
        cls.client = cls.windlass.client()
        cls.client.tenants.create("harbour")
        cls.passwords = {"admin": PASSWORD}
        for name, role in [("ann", "manager"), ("bob", "project_mod"), ("eve", "user")]:
            cls.make_user(name, role)
        cls.anybody = adjutant.Client(1, cls.base)
        cls.admin = cls.library("admin")
        cls.ann = cls.library("ann")
        cls.ann.users.invite(None, "dot@example.com", ["member"])
        cls.anybody.tokens.submit(cls.mailed_token("dot@example.com"), {"password": "hoist away"})

    @classmethod
    def make_user(cls, name, role):
        cls.client.users.create(name, "hoist away", "default")
        cls.client.tenants.add_user(name, "harbour", role)
        cls.passwords[name] = "hoist away"

    @classmethod
    def plain_token(cls, name):
        """A token that a user makes for a program, about the project."""
        client = cls.windlass.client(username=name, password=cls.passwords[name])
        return client._client.post("/tokens", data={"tenant_name": "harbour"})["value"]

    @classmethod
    def library(cls, name):
        auth = token_endpoint.Token(cls.base, cls.plain_token(name))
        return adjutant.Client(1, session=session.Session(auth=auth))

    @classmethod
    def mailed_token(cls, to):
        """The newest token that was mailed to an address."""

        def found():
            texts = [mail.json["text"] for mail in list(cls.mails.requests) if mail.json["to"] == to]
            tokens = [match[1] for text in texts if (match := re.search(r"/account/token/(\w+)", text))]
            return tokens[-1] if tokens else None

        return wait_until(f"a mail to {to}", found)

    def by_password(self, name):
        return CommandLine.of_password(self.windlass, name, self.passwords[name])

    def by_token(self, name):
        return CommandLine.of_token(self.windlass, self.plain_token(name))

    def newest(self, task_type):
        filters = json.dumps({"task_type": {"exact": task_type}})
        return self.admin.tasks.list(filters=filters)[0].uuid

    def waiting(self, name):
        """What the commands are about, of which each tour has its own."""
        at = f"{name}@tour.example.com"
        self.anybody.signup.post(None, f"new-{at}", f"pier-{name}", False)
        signup = self.newest("create_project_and_user")
        self.ann.quota.update("large")
        for guest in (f"first-{at}", f"second-{at}"):
            self.ann.users.invite(None, guest, ["member"])
        notes = [each for each in self.admin.notifications.list() if each.task == signup]
        return {
            "signup": signup,
            "request": self.newest("update_quota"),
            "smaller": json.dumps({"size": "medium", "regions": ["RegionOne"], "project_id": "harbour"}),
            "note": notes[0].uuid,
            "invitation": self.newest("invite_user_to_project"),
            "guest": f"second-{at}",
            "token": self.mailed_token(f"first-{at}"),
            "password": json.dumps({"password": "hoist away"}),
            "other": f"third-{at}",
            "stranger": f"fourth-{at}",
            "project": f"mole-{name}",
        }


class Tours(CommandLineStory):
    def test_these_are_all_commands_of_the_plugin(self):
        entries = importlib.metadata.distribution("python-adjutantclient").entry_points
        commands = [entry.name.replace("_", " ") for entry in entries if entry.group == "openstack.admin_logic.v1"]
        self.assertEqual(sorted(commands), sorted(command for command, *_ in COMMANDS))
        self.assertEqual(len(commands), 29)

    def tour(self, name, way, openstack, refusal=None):
        waiting = self.waiting(f"{name}-{way}")
        for command, arguments, who, text in COMMANDS:
            words = command.split() + [argument.format(**waiting) for argument in arguments]
            with self.subTest(name=name, way=way, command=command):
                if who in MAY[name]:
                    # However wide the columns of a table are.
                    printed = re.sub(" +", " ", openstack(*words))
                    self.assertIn(text.format(**waiting), printed)
                else:
                    told = openstack.refused(*words)
                    self.assertEqual(told, errors(refusal or who))

    def test_by_password(self):
        for name in ("admin", "ann", "bob", "eve"):
            self.tour(name, "password", self.by_password(name))

    def test_by_plain_token(self):
        for name in ("admin", "ann", "bob", "eve"):
            self.tour(name, "token", self.by_token(name))

    def test_by_name_and_password_with_each_request(self):
        for name in ("ann", "eve"):
            settings = {"OS_USERNAME": name, "OS_PASSWORD": self.passwords[name], "OS_ENDPOINT": self.base}
            self.tour(name, "basic", CommandLine(OS_AUTH_TYPE="http_basic", **settings))

    def test_by_nobody(self):
        nobody = CommandLine(OS_AUTH_TYPE="none", OS_ENDPOINT=self.base)
        self.tour("nobody", "none", nobody, refusal=NOBODY)

    def test_the_program_itself(self):
        status, printed, _ = CommandLine().executed("signup", "kim@example.com", "wharf", "--bypass-url", self.base)
        self.assertEqual((status, json.loads(printed)), (0, {"notes": ["task created"]}))
        status, printed, told = self.by_password("admin").executed("admin", "task", "list", "-f", "json")
        self.assertEqual(status, 0, told)
        self.assertIn("create_project_and_user", {task["Task Type"] for task in json.loads(printed)})
        status, printed, told = self.by_token("eve").executed("project", "user", "list")
        self.assertEqual((status, printed), (1, ""))
        self.assertEqual(told.strip(), errors(MODERATORS))


class Refusals(CommandLineStory):
    def test_logins(self):
        wrong = CommandLine.of_password(self.windlass, "ann", "guess")
        text = "The request you have made requires authentication. (HTTP 401)"
        self.assertIn(text, wrong.refused("project", "user", "list"))
        wrong = CommandLine.of_token(self.windlass, "guess")
        self.assertEqual(wrong.refused("project", "user", "list"), errors(NOBODY))

    def refusals(self, name, rows):
        for command, want in rows:
            with self.subTest(name=name, command=command):
                self.assertEqual(self.by_token(name).refused(*command), errors(want))

    def test_tasks_that_are_not_there_or_over(self):
        waiting = self.waiting("over")
        none, signup = "0" * 32, waiting["signup"]
        task = functools.partial(words, "admin", "task")
        self.refusals(
            "admin",
            [
                (task("show", none), "No task with this id."),
                (task("approve", none), "No task with this id."),
                (task("cancel", none), "No task with this id."),
                (task("update", none, "{}"), "No task with this id."),
                (task("token", "reissue", none), "No task with this id."),
                (task("token", "reissue", signup), "This task has not been approved."),
                (task("update", waiting["invitation"], "{}"), "This task has already been approved."),
                (task("token", "show", none), "This token does not exist or has expired."),
                (task("token", "submit", none, "{}"), "This token does not exist or has expired."),
                (task("token", "submit", waiting["token"], "[]"), "Improperly formated json. Should be a key-value object."),
                (task("token", "submit", waiting["token"], "{}"), {"errors": {"password": ["This field is required."]}}),
                (
                    task("token", "submit", waiting["token"], '{"password": ""}'),
                    {"errors": {"password": ["This field may not be blank."]}},
                ),
                (task("notification", "show", none), "No notification with this id."),
            ],
        )
        self.refusals("ann", [(task("show", signup), "No task with this id."), (task("cancel", signup), "No task with this id.")])
        self.admin.tasks.cancel(signup)
        over = "This task has been cancelled."
        self.refusals("admin", [(task("cancel", signup), over), (task("approve", signup), over), (task("update", signup, "{}"), over)])
        self.anybody.tokens.submit(waiting["token"], {"password": "hoist away"})
        filters = json.dumps({"task_type": {"exact": "invite_user"}, "completed": {"exact": True}})
        done, over = self.admin.tasks.list(filters=filters)[0].uuid, "This task has already been completed."
        self.refusals("admin", [(task("cancel", done), over), (task("approve", done), over), (task("token", "reissue", done), over)])

    def test_filters_and_pages(self):
        listed = functools.partial(words, "admin", "task", "list")
        form = "Filters incorrectly formatted. Required format: {'filters': {'fieldname': { 'operation': 'value'}}"
        lookup = "Unsupported lookup 'nolookup' for CharField or join on the field not permitted."
        self.refusals(
            "admin",
            [
                (listed("--limit", "none"), "tasks_per_page must be a positive integer"),
                (listed("--filters", "x"), form),
                (listed("--filters", '{"uuid": {"nolookup": "x"}}'), lookup),
            ],
        )
        told = self.by_token("admin").refused(*listed("--filters", '{"nofield": {"exact": "x"}}'))
        self.assertIn("Cannot resolve keyword 'nofield' into field. Choices are: action, ", told)

    def test_people(self):
        user = functools.partial(words, "project", "user")
        self.by_token("ann")(*user("invite", "twice@example.com", "member"))
        self.refusals(
            "ann",
            [
                (user("invite", "twice@example.com", "member"), "This Task already exists."),
                (user("invite", "nonsense", "member"), {"errors": {"email": ["Enter a valid email address."]}}),
                (user("invite", "x@example.com", "admin"), {"errors": {"roles": ['"admin" is not a valid choice.']}}),
                (
                    user("invite", "cancel", "dot@example.com"),
                    "Revoking keystone users not implemented. Try removing all roles instead.",
                ),
            ],
        )
        for command in (user("show", "nobody"), user("role", "list", "nobody"), user("role", "add", "nobody", "member")):
            told = self.by_token("ann").refused(*command)
            self.assertEqual(told, "No user with a name or ID of 'nobody' exists.")
        self.refusals("bob", [(user("invite", "x@example.com", "project_admin"), "actions invalid")])
        told = self.by_token("bob").refused(*user("role", "add", "dot@example.com", "project_admin"))
        self.assertIn("project_admin", told)
        told = self.by_token("ann").refused(*user("invite", "cancel", "nobody"))
        self.assertIn("nobody", told)
        # The command says what is wrong and ends as if nothing were.
        status, printed, told = self.by_token("bob").run(*user("role", "remove", "ann", "member"))
        self.assertIn("actions invalid", printed + told)

    def test_quotas_and_accounts(self):
        self.by_token("eve")("signup", "sam@example.com", "slip")
        self.refusals(
            "ann",
            [
                (["project", "quota", "update", "huge"], {"errors": {"size": ["Quota size: huge is not valid"]}}),
                (["project", "quota", "update", "small", "--regions", "Mars"], "Invalid regions: Mars"),
                (["project", "quota", "show", "--region", "Mars"], {"ERROR": ["Region: Mars is not valid"]}),
                (["signup", "sam@example.com", "slip"], "This Task already exists."),
                (["signup", "nonsense", "slip"], {"errors": {"email": ["Enter a valid email address."]}}),
                (["password", "forgot", "nonsense"], {"errors": {"email": ["Enter a valid email address."]}}),
            ],
        )
        self.refusals("admin", [(["password", "reset", "nobody@example.com"], "actions invalid")])


if __name__ == "__main__":
    unittest.main()
