"""Logging in through a directory: a real slapd, and the unmodified Python client."""

import itertools
import subprocess
import unittest

from cloudify_rest_client.exceptions import CloudifyClientError, UserUnauthorizedError
from directory import ADMIN, ADMIN_PASSWORD, BASE, Directory
from windlass import Story, Windlass

ANN = "hoist away"


class LdapStory(Story):
    @classmethod
    def setUpClass(cls):
        cls.directory = Directory()
        cls.addClassCleanup(cls.directory.stop)
        # Each login comes from an address of its own: that one address must not fail too often is
        # another story.
        cls.addresses = itertools.count(1)
        cls.windlass = Windlass(ldap_hosts=f"tcp://127.0.0.1:{cls.directory.port}", trust_forwarded_for="true")
        cls.addClassCleanup(cls.windlass.stop)
        cls.client = cls.windlass.client()

    def set_ldap(self, **settings):
        """Sets the directory, which also forgets whom it recognised."""
        values = {
            "ldap_server": self.directory.url,
            "ldap_domain": "harbour.example",
            "ldap_username": ADMIN,
            "ldap_password": ADMIN_PASSWORD,
            "ldap_is_active_directory": False,
            "ldap_dn_extra": None,
            **settings,
        }
        return self.client.ldap.set(**values)

    def login(self, name, password, tenant="default_tenant", address=None):
        """A client that comes from an address, or from one of its own."""
        headers = {"X-Forwarded-For": address or f"192.0.2.{next(self.addresses)}"}
        return self.windlass.client(username=name, password=password, tenant=tenant, headers=headers)

    def refused(self, status, call, *arguments, **keywords):
        with self.assertRaises(CloudifyClientError) as refused:
            call(*arguments, **keywords)
        self.assertEqual(refused.exception.status_code, status, refused.exception)
        return str(refused.exception)

    def refused_login(self, name, password, address=None):
        with self.assertRaises(UserUnauthorizedError) as refused:
            self.login(name, password, address=address).users.get_self()
        return str(refused.exception)


class Settings(LdapStory):
    def test_settings_are_tried_before_they_are_kept(self):
        self.assertEqual(self.client.ldap.get_status(), "disabled")
        text = self.refused(400, self.set_ldap, ldap_password="another")
        self.assertIn("Failed setting LDAP authenticator: Invalid parameters provided", text)
        text = self.refused(400, self.set_ldap, ldap_server="ldap://127.0.0.1:1")
        self.assertIn("Unable to connect to LDAP Server ldap://127.0.0.1:1", text)
        self.assertIn("allowed_outbound_hosts", text)
        text = self.refused(400, self.set_ldap, ldap_server=self.directory.url.replace("ldap:", "ldaps:"), ldap_ca_path=self.directory.configuration)
        self.assertIn("ldaps:// is not offered", text)
        self.assertEqual(self.client.ldap.get_status(), "disabled")
        shown = self.set_ldap()
        self.assertEqual((shown["ldap_server"], shown["ldap_username"]), (self.directory.url, ADMIN))
        self.assertNotIn("ldap_password", shown)
        self.assertEqual(self.client.ldap.get_status(), "enabled")
        # Nowhere as it is: neither in the settings nor in the database.
        self.assertNotIn(ADMIN_PASSWORD, str(self.client.manager.get_config()))
        found = subprocess.run(["grep", "-rlaF", ADMIN_PASSWORD, self.windlass.state], capture_output=True, text=True)
        self.assertEqual(found.stdout, "")


class Logins(LdapStory):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        directory = cls.directory
        cls.ann = directory.add_user("ann", ANN, "Ann")
        cls.zofie = directory.add_user("zofie", "kolik váží kotva", "Žofie Černá")
        cls.escaped = directory.add_user("quay, north", "mind the comma", "North", rdn="uid=quay\\, north")
        cls.deck = directory.add_group("Deck", cls.ann, cls.zofie)
        cls.crew = directory.add_group("Posádka", cls.deck)
        client = cls.client
        client.tenants.create("harbour")
        client.user_groups.create("deck", "default", ldap_group_dn=cls.deck.lower())
        client.user_groups.create("crew", "default", ldap_group_dn=cls.crew)
        client.tenants.add_user_group("deck", "harbour", "viewer")
        client.tenants.add_user_group("crew", "harbour", "manager")

    def setUp(self):
        self.set_ldap()

    def test_a_directory_user_logs_in_and_has_the_roles_of_the_groups(self):
        ann = self.login("ann", ANN, "harbour")
        self.assertEqual(len(ann.blueprints.list()), 0)
        shown = self.client.users.get("ann", _get_data=True)
        self.assertEqual(shown.tenants, {"harbour": {"tenant-role": None, "roles": ["viewer"]}})
        self.assertEqual((shown.groups, shown.role), (["deck"], "default"))
        self.assertTrue(shown.last_login_at)
        self.refused(403, ann.blueprints.delete, "crane")
        self.refused_login("ann", "another")
        self.refused_login("ann", "")
        self.refused_login("stranger", ANN)
        # Names and passwords of any letters, and names that would mean something else unescaped.
        self.assertEqual(self.login("zofie", "kolik váží kotva").users.get_self().username, "zofie")
        self.assertEqual(self.login("quay, north", "mind the comma").users.get_self().username, "quay, north")
        for name in ["a*", "ann)(uid=*", f"ann,ou=users,{BASE}", "ann "]:
            self.refused_login(name, ANN)
        self.assertEqual(self.login("ANN", ANN).users.get_self().username, "ann")
        names = {each.username for each in self.client.users.list()}
        self.assertEqual(names - {"carl", "eve"}, {"admin", "ann", "quay, north", "zofie"})

    def test_a_token_is_made_with_a_password_of_the_directory_and_outlives_it(self):
        value = self.login("zofie", "kolik váží kotva").tokens.create(expiration="+1h").value
        bearer = self.windlass.client(username=None, password=None, token=value, tenant="harbour")
        self.assertEqual(len(bearer.blueprints.list()), 0)

    def test_who_leaves_a_group_loses_what_it_gave(self):
        ann = self.login("ann", ANN, "harbour")
        ann.blueprints.list()
        self.directory.change_member("delete", self.deck, self.ann)
        self.set_ldap()
        self.refused(403, ann.blueprints.list)
        self.directory.change_member("add", self.deck, self.ann)
        self.set_ldap()
        ann.blueprints.list()

    def test_groups_in_groups_count_as_deep_as_the_settings_say(self):
        ann = self.login("ann", ANN, "harbour")
        ann.users.get_self()
        self.assertEqual(self.client.users.get("ann", _get_data=True).groups, ["deck"])
        self.set_ldap(ldap_nested_levels=2)
        ann.users.get_self()
        self.assertEqual(self.client.users.get("ann", _get_data=True).groups, ["crew", "deck"])

    def test_other_ways_of_binding_and_searching(self):
        for settings in [
            {"ldap_username": None, "ldap_password": None},
            {"ldap_bind_format": "{username}", "ldap_user_filter": "uid={username}", "ldap_base_dn": BASE},
            {"ldap_bind_format": "\n{username}\n", "ldap_user_filter": "(&(objectClass=inetOrgPerson)(uid={username}))"},
            {"ldap_domain": None, "ldap_base_dn": BASE, "ldap_group_dn": "ou=groups,{base_dn}", "ldap_group_member_filter": "'uniqueMember={object_dn}"},
        ]:
            with self.subTest(settings):
                self.set_ldap(**settings)
                self.refused_login("ann", "another")
                self.client.users.unlock("ann")
                self.assertEqual(self.login("ann", ANN).users.get_self().username, "ann")
                self.assertIn("deck", self.client.users.get("ann", _get_data=True).groups)

    def test_users_are_not_made_here_and_the_administrator_still_gets_in(self):
        self.refused(405, self.client.users.create, "bob", "hoist away", "default")
        self.refused(405, self.client.tenants.add_user, "admin", "harbour", "user")
        self.assertEqual(self.client.users.get_self().username, "admin")
        self.directory.add_user("admin", "not the one", "Admin")
        self.refused_login("admin", "not the one")
        self.client.users.unlock("admin")

    def test_five_failures_lock_until_somebody_unlocks(self):
        self.directory.add_user("eve", ANN, "Eve")
        here = "203.0.113.7"
        eve = self.login("eve", ANN, address=here)
        eve.users.get_self()
        for guess in range(5):
            self.refused_login("eve", f"guess {guess}", here)
        self.assertIn("locked account", self.refused_login("eve", ANN, here))
        self.assertTrue(self.client.users.get("eve").is_locked)
        # Who guesses locks nobody else out.
        self.login("eve", ANN).users.get_self()
        self.client.users.unlock("eve")
        eve.users.get_self()
        self.client.users.deactivate("eve")
        self.refused_login("eve", ANN)

    def test_a_directory_that_is_down_locks_nobody_out(self):
        self.directory.add_user("carl", ANN, "Carl")
        carl = self.login("carl", ANN)
        token = carl.tokens.create().value
        self.directory.kill()
        try:
            # Whoever was recognised a moment ago goes on.
            carl.users.get_self()
            for guess in range(7):
                self.refused(503, self.login("carl", f"guess {guess}").users.get_self)
            self.assertEqual(self.client.users.get_self().username, "admin")
            bearer = self.windlass.client(username=None, password=None, token=token)
            self.assertEqual(bearer.users.get_self().username, "carl")
            # Settings of a server that cannot be asked are not taken.
            self.refused(400, self.set_ldap, ldap_dn_extra="ou=elsewhere")
        finally:
            self.directory.start()
        self.set_ldap()
        self.assertEqual(carl.users.get_self().username, "carl")
        self.assertFalse(self.client.users.get("carl").is_locked)


if __name__ == "__main__":
    unittest.main()
