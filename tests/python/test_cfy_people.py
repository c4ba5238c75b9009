"""The unmodified `cfy`: profiles, tenants, users and groups, permissions, tokens, settings, the directory."""

from cfy import CommandLine
from windlass import PASSWORD


class People(CommandLine):
    def test_profiles_are_used_changed_kept_and_brought_back(self):
        port = self.windlass.port
        self.cfy(*self.use("admin", PASSWORD), "--profile-name", "second")
        names = [each["name"] for each in self.json("profiles list")]
        self.assertEqual(names, ["127.0.0.1", "*second"])
        self.assertIn("Credentials validated", self.cfy(f"profiles set -u admin -p '{PASSWORD}'"))
        self.assertEqual(self.json("profiles show-current")["rest_port"], port)
        self.cfy("profiles export -o kept.tar.gz")
        self.cfy("profiles use 127.0.0.1")
        self.cfy("profiles delete second")
        self.cfy("profiles import kept.tar.gz")
        self.assertIn("second", self.cfy("profiles list"))
        self.cfy("profiles use 127.0.0.1")
        self.assertIn("Profile is up to date", self.cfy("cluster update-profile"))
        use = f"profiles use 127.0.0.1 --profile-name third --rest-port {port} -u admin"
        self.refusals(
            ("profiles set -u admin -p wrong", "401: User unauthorized"),
            (f"{use} -p wrong -t default_tenant", "401: User unauthorized"),
            (f"{use} -p '{PASSWORD}' -t nowhere", "invalid tenant name: nowhere"),
        )

    def test_tenants_have_users_and_groups(self):
        self.cfy("tenants create harbour")
        self.cfy("users create bob -p bobs-password -r default -t harbour -l manager")
        self.cfy("user-groups create deck -r default")
        self.cfy("user-groups add-user bob -g deck")
        self.cfy("tenants add-user-group deck -t harbour -r viewer")
        self.cfy("tenants update-user-group deck -t harbour -r user")
        self.cfy("tenants update-user bob -t harbour -r operations")
        self.assertIn({"name": "harbour", "groups": 1, "users": 1}, self.json("tenants list"))
        self.assertIn("'bob': 'operations'", self.json("tenants get harbour --get-data")["direct users"])
        self.assertEqual(self.json("users get bob --get-data")["groups"], ["deck"])
        self.assertIn("deck", [each["name"] for each in self.json("user-groups list --get-data")])
        self.assertIn("already associated", self.cfy("tenants add-user bob -t harbour -r user"))
        self.assertIn("already associated", self.cfy("user-groups add-user bob -g deck"))
        self.refusals(
            ("tenants create harbour", "409: The tenant `harbour` already exists"),
            ("tenants create 9x", "must begin with a letter"),
            ("tenants get nowhere", "Requested `Tenant` with ID `nowhere` was not found"),
            ("tenants update-user bob -t harbour -r nope", "Invalid role: `nope`"),
            ("tenants delete harbour", "Cannot delete the tenant `harbour`: it still has"),
            ("user-groups create deck", "already exists"),
            ("user-groups get nowhere", "404"),
        )
        self.cfy("tenants remove-user-group deck -t harbour")
        self.cfy("tenants remove-user bob -t harbour")
        self.assertIn("is not associated", self.cfy("tenants remove-user bob -t harbour"))
        self.cfy("user-groups remove-user bob -g deck")
        self.cfy("user-groups set-role deck -r sys_admin")
        self.cfy("user-groups delete deck")
        self.cfy("users delete bob")
        self.cfy("tenants delete harbour")

    def test_users_are_changed_locked_out_and_deleted(self):
        self.cfy("users create eve -p eves-password")
        self.cfy("users set-role eve -r sys_admin")
        self.cfy("users set-role eve -r default")
        self.cfy("users set-password eve -p another-one")
        self.cfy("users deactivate eve")
        self.assertIn("already inactive", self.cfy("users deactivate eve"))
        self.cfy("users activate eve")
        self.assertIn("already active", self.cfy("users activate eve"))
        self.cfy("users unlock eve")
        [eve] = [each for each in self.json("users list") if each["username"] == "eve"]
        self.assertEqual((eve["system wide role"], eve["active"]), ("default", True))
        self.refusals(
            ("users create eve -p eves-password", "409: The user `eve` already exists"),
            ("users create x -p x", "The password must have 5 to 256 characters"),
            ("users create x -p a-good-one -r nope", "Invalid role: `nope`"),
            ("users get nobody", "Requested `User` with ID `nobody` was not found"),
            ("users unlock nobody", "404"),
            ("users delete admin", "Cannot delete"),
        )
        self.cfy("users delete eve")

    def test_who_is_no_administrator_is_told_what_they_may_not(self):
        self.cfy("users create ann -p anns-password -t default_tenant -l viewer")
        self.cfy(*self.use("ann", "anns-password"), "--profile-name", "ann")
        with self.profile("ann"):
            self.cfy("blueprints list")
            self.cfy("status")
            self.refusals(
                ("users list", "403: User `ann` is not permitted to perform the action user_list"),
                ("tenants create pier", "403: User `ann` is not permitted to perform the action tenant_create"),
                ("config update task_retries=1", "403"),
                ("auditlog list", "40"),
                ("permissions allow --role viewer --permission blueprint_upload", "40"),
                ("license remove", "403"),
            )

    def test_permissions_of_roles_are_changed(self):
        change = "--role viewer --permission blueprint_upload"
        self.assertIn("viewer", self.cfy("permissions list"))
        self.cfy(f"permissions allow {change}")
        self.assertIn("blueprint_upload", [each["permission"] for each in self.json("permissions list --role viewer")])
        self.refusals(
            (f"permissions allow {change}", "409: The role `viewer` already has the permission"),
            ("permissions allow --role nope --permission x", "Requested `Role` with ID `nope` was not found"),
        )
        self.cfy(f"permissions disallow {change}")
        self.refusals((f"permissions disallow {change}", "does not have the permission"))

    def test_tokens_are_made_shown_and_deleted(self):
        token = self.json("tokens create -d nightly -e '+30 days'")
        self.assertTrue(token["value"].startswith("ctok-"))
        self.assertIn(token["id"], [each["id"] for each in self.json("tokens list")])
        self.assertIn("nightly", self.cfy(f"tokens get {token['id']}"))
        self.cfy("profiles", "use", "127.0.0.1", "--profile-name", "by-token", "--rest-port", str(self.windlass.port),
                 "-T", token["value"], "-t", "default_tenant")
        try:
            self.cfy("tenants list")
            self.cfy(f"tokens delete {token['id']}")
            self.refusals(("tenants list", "401: User unauthorized"))
        finally:
            self.cfy("profiles use 127.0.0.1")
        self.refusals(
            ("tokens get nothing", "404: Could not find token nothing"),
            ("tokens delete nothing", "404: Could not find token nothing"),
            ("tokens create -e yesterday", "yesterday is not a legal time format"),
        )

    def test_settings_are_changed(self):
        def value():
            [found] = [each for each in self.json("config list") if each["name"] == "task_retries"]
            return found["value"]

        before = value()
        self.cfy("config update task_retries=5")
        self.assertEqual(value(), 5)
        self.cfy("config", "update", '{"workflow.task_retries": %d}' % before)
        self.assertEqual(value(), before)
        self.refusals(
            ("config update workflow.task_retries=abc", "409: Error in value of task_retries: it must be of type integer"),
            ("config update nothing=1", "Requested `Config` with ID `nothing` was not found"),
            ("config update max_workers=6", "2 settings are named max_workers"),
        )

    def test_a_directory_is_set_and_the_provider_told(self):
        self.assertIn("disabled", self.cfy("ldap status"))
        self.assertIn("local", self.cfy("idp get"))
        self.assertIn("400", self.refused("ldap set -s ldaps://127.0.0.1:1 -d example.org"))
        self.cfy("ldap set -s ldap://127.0.0.1:1 -d example.org")
        try:
            self.assertIn("enabled", self.cfy("ldap status"))
            self.assertIn("405", self.refused("users create zed -p zeds-password"))
        finally:
            self.cfy("config update rest.ldap_server=''")
        self.assertIn("disabled", self.cfy("ldap status"))

    def test_licenses_are_not_needed(self):
        self.assertIn("Manager is licensed", self.cfy("license check"))
        self.assertEqual(self.json("license list"), [])
        self.assertIn("count: 0", self.cfy("license environments count"))
        self.assertEqual(self.json("license environments list"), [])
        self.file("license.yaml", "license: {customer_id: Harbour}\n")
        self.assertIn("could not be verified", self.refused("license upload license.yaml"))
