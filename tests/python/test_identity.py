"""Tenants, users, groups and permissions, with the unmodified Python client."""

import http.client
import json
import threading
import unittest

from cloudify_rest_client.exceptions import CloudifyClientError, UserUnauthorizedError
from windlass import Story, basic


class IdentityStory(Story):
    def somebody(self, name, password="hoist away", tenant="default_tenant"):
        """A client for a user who is made if there is none."""
        try:
            self.client.users.create(name, password, "default")
        except CloudifyClientError as refused:
            if refused.error_code != "conflict_error":
                raise
        return self.windlass.client(username=name, password=password, tenant=tenant)

    def refused(self, status, code, call, *arguments, **keywords):
        with self.assertRaises(CloudifyClientError) as refused:
            call(*arguments, **keywords)
        self.assertEqual((refused.exception.status_code, refused.exception.error_code), (status, code))
        return str(refused.exception)


class Tenants(IdentityStory):
    def test_a_tenants_life(self):
        tenants = self.client.tenants
        self.assertEqual(tenants.create("harbour").users, 0)
        ann = self.somebody("ann", tenant="harbour")
        self.refused(403, "forbidden_error", ann.blueprints.list)
        self.assertEqual(tenants.add_user("ann", "harbour", "viewer").users, 1)
        self.assertEqual(len(ann.blueprints.list()), 0)
        self.assertEqual([each.name for each in ann.tenants.list()], ["harbour"])
        self.refused(403, "forbidden_error", ann.tenants.get, "harbour")
        tenants.update_user("ann", "harbour", "manager")
        self.assertEqual(ann.tenants.get("harbour").name, "harbour")
        detailed = tenants.get("harbour", _get_data=True)
        self.assertEqual(detailed.users, {"ann": {"tenant-role": "manager", "roles": ["manager"]}})
        self.assertEqual(detailed.direct_users, {"ann": "manager"})
        self.refused(409, "conflict_error", tenants.add_user, "ann", "harbour", "user")
        self.refused(409, "conflict_error", tenants.delete, "harbour")
        tenants.remove_user("ann", "harbour")
        self.refused(403, "forbidden_error", ann.blueprints.list)
        tenants.delete("harbour")
        self.refused(404, "not_found_error", tenants.get, "harbour")
        names = [each.name for each in tenants.list(_include=["name"], sort="name", is_descending=True)]
        self.assertIn("default_tenant", names)
        self.assertNotIn("harbour", names)

    def test_refusals_about_tenants(self):
        tenants = self.client.tenants
        self.refused(400, "bad_parameters_error", tenants.create, "1st")
        self.refused(400, "bad_parameters_error", tenants.create, "users")
        self.refused(409, "conflict_error", tenants.create, "default_tenant")
        self.refused(400, "illegal_action_error", tenants.delete, "default_tenant")
        text = self.refused(400, "bad_parameters_error", tenants.add_user, "admin", "default_tenant", "sys_admin")
        self.assertIn("Role `sys_admin` is a system_role", text)
        self.refused(404, "not_found_error", tenants.add_user, "nobody", "default_tenant", "user")
        self.refused(404, "not_found_error", tenants.remove_user_group, "nobodies", "default_tenant")


class Users(IdentityStory):
    def test_a_users_life(self):
        users = self.client.users
        bob = self.somebody("bob")
        self.assertEqual(bob.users.get_self().username, "bob")
        self.assertTrue(users.get("BOB").first_login_at)
        users.set_password("bob", "another one")
        with self.assertRaises(UserUnauthorizedError):
            bob.users.get_self()
        bob = self.windlass.client(username="bob", password="another one")
        bob.users.set_password("bob", "hoist away")
        bob = self.somebody("bob")
        self.assertEqual(bob.users.get("bob").role, "default")
        self.assertFalse(users.deactivate("bob").active)
        with self.assertRaises(UserUnauthorizedError):
            bob.users.get_self()
        self.assertTrue(users.activate("bob").active)
        self.assertEqual(bob.users.get_self(_get_data=True).tenants, {})
        self.assertEqual(users.set_role("bob", "sys_admin").role, "sys_admin")
        self.assertIn("bob", [each.username for each in bob.users.list()])
        self.assertFalse(users.set_show_getting_started("bob", False)["show_getting_started"])
        users.delete("bob")
        with self.assertRaises(UserUnauthorizedError):
            bob.users.get_self()

    def test_five_wrong_passwords_lock_until_somebody_unlocks(self):
        eve = self.somebody("eve")
        eve.users.get_self()
        for guess in range(5):
            with self.assertRaises(UserUnauthorizedError):
                self.windlass.client(username="eve", password=f"guess {guess}").users.get_self()
        with self.assertRaises(UserUnauthorizedError):
            eve.users.get_self()
        self.assertTrue(self.client.users.get("eve").is_locked)
        self.assertFalse(self.client.users.unlock("eve").is_locked)
        self.assertEqual(eve.users.get_self().username, "eve")

    def test_the_last_administrator_stays(self):
        users = self.client.users
        self.assertIn("Cannot modify the role of the last active sys_admin", self.refused(400, "illegal_action_error", users.set_role, "admin", "default"))
        self.assertIn("Cannot deactivate the last active sys_admin", self.refused(400, "illegal_action_error", users.deactivate, "admin"))
        self.assertIn("Cannot delete the last active sys_admin", self.refused(400, "illegal_action_error", users.delete, "admin"))

    def test_a_user_moves_with_the_hash_of_the_password(self):
        self.somebody("mover")
        dumped = self.client.users.list(username="mover", _include_hash=True, _include=["password_hash"])
        self.client.users.create("moved", dumped[0]["password_hash"], "default", is_prehashed=True, created_at="2020-01-01T00:00:00.000Z")
        moved = self.windlass.client(username="moved", password="hoist away").users.get_self()
        self.assertEqual(moved.created_at, "2020-01-01T00:00:00.000Z")

    def test_of_many_who_make_the_same_user_at_once_one_succeeds(self):
        statuses = []

        def make():
            connection = http.client.HTTPConnection("127.0.0.1", self.windlass.port, timeout=60)
            body = json.dumps({"username": "wanted", "password": "hoist away"})
            connection.request("PUT", "/api/v3.1/users", body, {"authorization": basic(), "content-type": "application/json"})
            statuses.append(connection.getresponse().status)

        threads = [threading.Thread(target=make) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(statuses), [201] + [409] * 5)

    def test_a_body_that_is_too_large_is_refused_and_nothing_is_made(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.windlass.port, timeout=60)
        body = json.dumps({"username": "large", "password": "x" * (10 << 20)})
        connection.request("PUT", "/api/v3.1/users", body, {"authorization": basic(), "content-type": "application/json"})
        self.assertEqual(connection.getresponse().status, 413)
        self.refused(404, "not_found_error", self.client.users.get, "large")


class Groups(IdentityStory):
    def test_a_group_brings_its_users_along(self):
        groups, tenants = self.client.user_groups, self.client.tenants
        tenants.create("pier")
        self.assertEqual(groups.create("deck", "default").users, 0)
        carl = self.somebody("carl", tenant="pier")
        tenants.add_user_group("deck", "pier", "viewer")
        self.assertEqual(groups.add_user("carl", "deck").users, 1)
        self.assertEqual(len(carl.blueprints.list()), 0)
        self.refused(403, "forbidden_error", carl.tenants.get, "pier")
        tenants.update_user_group("deck", "pier", "manager")
        self.assertEqual(carl.tenants.get("pier").users, 1)
        detailed = groups.get("deck", _get_data=True)
        self.assertEqual((detailed.users, detailed.tenants), (["carl"], {"pier": "manager"}))
        pier = tenants.get("pier", _get_data=True)
        self.assertEqual(pier.group_users, {"deck": {"role": "manager", "users": ["carl"]}})
        user = self.client.users.get("carl", _get_data=True)
        self.assertEqual(user.group_tenants, {"pier": {"manager": ["deck"]}})
        self.refused(403, "forbidden_error", carl.users.list)
        self.assertEqual(groups.set_role("deck", "sys_admin").role, "sys_admin")
        self.assertGreater(len(carl.users.list()), 1)
        groups.remove_user("carl", "deck")
        self.refused(403, "forbidden_error", carl.blueprints.list)
        tenants.remove_user_group("deck", "pier")
        groups.delete("deck")
        self.assertNotIn("deck", [each.name for each in groups.list()])
        tenants.delete("pier")

    def test_names_of_groups_differ_in_more_than_case(self):
        groups = self.client.user_groups
        groups.create("bay", "default", "cn=bay,dc=harbour")
        for name, dn in (("BAY", None), ("cove", "CN=bay,dc=harbour")):
            self.assertIn("already exists, `bay`", self.refused(409, "conflict_error", groups.create, name, "default", dn))
        self.refused(400, "bad_parameters_error", groups.create, "users", "default")
        self.assertEqual(groups.get("Bay").ldap_dn, "cn=bay,dc=harbour")


class Permissions(IdentityStory):
    def test_a_permission_counts_from_the_next_request_on(self):
        permissions, dora = self.client.permissions, self.somebody("dora")
        self.refused(403, "forbidden_error", dora.users.list)
        permissions.add("user_list", "default")
        self.assertGreater(len(dora.users.list()), 1)
        self.refused(409, "conflict_error", permissions.add, "user_list", "default")
        self.assertIn("user_list", [each["permission"] for each in permissions.list("default")])
        permissions.delete("user_list", "default")
        self.refused(403, "forbidden_error", dora.users.list)
        self.refused(404, "not_found_error", permissions.delete, "user_list", "default")
        self.refused(404, "not_found_error", permissions.list, "captain")
        with self.assertRaises(UserUnauthorizedError):
            dora.permissions.add("user_list", "default")
        with self.assertRaises(UserUnauthorizedError):
            dora.permissions.list()
        self.assertGreater(len(permissions.list()), 400)


if __name__ == "__main__":
    unittest.main()
