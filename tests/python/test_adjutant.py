"""Tasks, with the unmodified Python client of Adjutant."""

import json
import re
import unittest

from adjutantclient import client as adjutant
from adjutantclient import exc
from keystoneauth1 import session, token_endpoint
from windlass import Recorder, Story, Windlass, wait_until


class AdjutantStory(Story):
    @classmethod
    def setUpClass(cls):
        cls.mails = Recorder()
        cls.addClassCleanup(cls.mails.stop)
        cls.windlass = Windlass(mail_url=f"{cls.mails.url}/send", mail_from="desk@example.com")
        cls.addClassCleanup(cls.windlass.stop)
        cls.base = f"{cls.windlass.url}/v1"
        cls.anybody = adjutant.Client(1, cls.base)
        cls.admin = cls.of_token(cls.windlass.client().tokens.create()["value"])

    @classmethod
    def of_token(cls, token):
        return adjutant.Client(1, session=session.Session(auth=token_endpoint.Token(cls.base, token)))

    def mailed_token(self, to, count):
        """The token in the mail of this number to an address."""

        def tokens():
            texts = [mail.json["text"] for mail in list(self.mails.requests) if mail.json["to"] == to]
            found = [found[1] for text in texts if (found := re.search(r"/account/token/(\w+)", text))]
            return found[count - 1] if len(found) >= count else None

        return wait_until(f"a mail to {to}", tokens)

    def newcomer(self, email, project):
        """A client for somebody who signed up, was approved and chose a password."""
        self.anybody.signup.post(None, email, project, False)
        task = self.admin.tasks.list()[0]
        self.admin.tasks.approve(task.uuid)
        self.anybody.tokens.submit(self.mailed_token(email, 1), {"password": "correct horse"})
        conductor = self.windlass.client(username=email, password="correct horse", tenant=project)
        self.assertEqual(len(conductor.blueprints.list()), 0)
        return self.of_token(conductor.tokens.create()["value"])


class Accounts(AdjutantStory):
    def test_a_sign_up_becomes_an_account(self):
        bob = self.newcomer("bob@example.com", "pier")
        self.assertEqual([each.name for each in bob.users.list()], ["bob@example.com"])
        self.assertEqual([each.name for each in bob.managed_roles.list()], ["project_admin", "project_mod", "member"])
        with self.assertRaises(exc.HTTPForbidden):
            bob.tasks.list()
        with self.assertRaises(exc.HTTPUnauthorized):
            self.anybody.tasks.list()

    def test_an_invitation_is_reissued_and_accepted(self):
        zoe = self.newcomer("zoe@example.com", "mole")
        zoe.users.invite(None, "eve@example.com", ["member"])
        invited = [each for each in zoe.users.list() if each.cohort == "Invited"]
        self.assertEqual([(each.email, each.status) for each in invited], [("eve@example.com", "Invited")])
        first = self.mailed_token("eve@example.com", 1)
        zoe.tokens.reissue(invited[0].id)
        second = self.mailed_token("eve@example.com", 2)
        with self.assertRaises(exc.HTTPNotFound):
            self.anybody.tokens.submit(first, {"password": "correct horse"})
        self.anybody.tokens.submit(second, {"password": "correct horse"})
        eve = next(each for each in zoe.users.list() if each.email == "eve@example.com")
        zoe.user_roles.add(eve.id, roles=["project_mod"])
        eve = next(each for each in zoe.users.list() if each.email == "eve@example.com")
        self.assertEqual(eve.roles, ["project_mod", "member"])
        zoe.user_roles.remove(eve.id, roles=["project_mod", "member"])
        self.assertNotIn("eve@example.com", [each.email for each in zoe.users.list()])
        zoe.users.invite(None, "max@example.com", ["member"])
        invited = [each for each in zoe.users.list() if each.cohort == "Invited"]
        zoe.users.cancel(invited[0].id)
        self.assertEqual([each for each in zoe.users.list() if each.cohort == "Invited"], [])

    def test_a_forgotten_password_is_replaced(self):
        self.newcomer("ann@example.com", "jetty")
        self.anybody.users.password_forgot("ann@example.com")
        self.anybody.users.password_forgot("nobody@example.com")
        self.anybody.tokens.submit(self.mailed_token("ann@example.com", 2), {"password": "another horse"})
        conductor = self.windlass.client(username="ann@example.com", password="another horse", tenant="jetty")
        self.assertEqual(len(conductor.blueprints.list()), 0)
        self.admin.users.password_force_reset("ann@example.com")
        self.anybody.tokens.submit(self.mailed_token("ann@example.com", 3), {"password": "a third horse"})

    def test_a_quota_is_shown_and_changed(self):
        tim = self.newcomer("tim@example.com", "buoy")
        quota = tim.quota.get()
        self.assertEqual(quota["regions"][0]["current_quota_size"], "small")
        self.assertEqual(tim.quota.update("medium").status_code, 200)
        self.assertEqual(tim.quota.update("large").status_code, 202)
        quota = tim.quota.get()
        self.assertEqual(quota["regions"][0]["current_quota_size"], "medium")


class Tasks(AdjutantStory):
    def test_administrators_see_change_and_call_off(self):
        self.anybody.signup.post(None, "kim@example.com", "dock", False)
        filters = json.dumps({"action__action_data": {"contains": "dock"}})
        task = self.admin.tasks.list(filters=filters)[0]
        self.assertEqual(task.task_type, "create_project_and_user")
        data = {"email": "kim@example.com", "project_name": "wharf", "region": "RegionOne"}
        self.admin.tasks.update(task.uuid, data)
        changed = self.admin.tasks.get(task.uuid)
        self.assertEqual(changed.actions[0]["data"]["project_name"], "wharf")
        notes = [each for each in self.admin.notifications.list() if each.task == task.uuid]
        self.admin.notifications.acknowledge(note_list=[each.uuid for each in notes])
        self.assertEqual([each for each in self.admin.notifications.list() if each.task == task.uuid], [])
        self.admin.tasks.cancel(task.uuid)
        self.assertTrue(self.admin.tasks.get(task.uuid).cancelled)
        with self.assertRaises(exc.HTTPBadRequest):
            self.admin.tasks.approve(task.uuid)
        self.admin.tokens.clear_expired()
        self.assertIn("error_notifications", self.admin.status.get().json())


if __name__ == "__main__":
    unittest.main()
