"""The unmodified `cfy`: deployments, their executions and events, groups, schedules, nodes."""

import json
import os
import time

from cfy import CommandLine
from samples import CRANE, LIGHTHOUSE
from windlass import Recorder, wait_until

HIGHER = CRANE.replace("default: 12", "default: 14").replace("outputs:", "outputs:\n  more: { value: 1 }")


class Deployments(CommandLine):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name, text in (("crane", CRANE), ("higher", HIGHER), ("lighthouse", LIGHTHOUSE)):
            cls.file(f"{name}/blueprint.yaml", text)
            status, printed, told = cls.run_cfy(f"blueprints upload -b {name} {name}/blueprint.yaml")
            assert status == 0, printed + told

    def deployed(self, name, *more):
        self.cfy("deployments", "create", "-b", "crane", name, *more)

    def installed(self, name):
        self.deployed(name)
        self.cfy(f"executions start install -d {name}")

    def test_a_deployment_is_made_with_all_that_can_be_said_of_it(self):
        self.cfy("sites create pier --location 34.7,-1")
        self.deployed("made", "-i", '{"reach": 20}', "-s", "pier", "--labels", "env:prod", "-n", "Crane one")
        self.deployed("quiet", "-l", "private")
        self.assertIn("Deployment `", self.cfy("deployments create -b crane --generate-id"))
        [made] = self.json("deployments list --search made")
        self.assertEqual((made["display_name"], made["site_name"], made["labels"]), ("Crane one", "pier", '"env:prod"'))
        for line in ("--search-name Crane -b crane", "-lr env=prod", "-ar 'display_name contains Crane'"):
            self.assertEqual([each["id"] for each in self.json(f"deployments list {line}")], ["made"], line)
        self.assertEqual(self.json("deployments inputs made"), {"reach": 20})
        self.assertEqual(self.json("deployments outputs made")["reach"]["value"], 20)
        self.assertEqual(self.json("deployments capabilities made")["lifts"]["value"], "up to 20 t")
        self.assertIn("made", self.cfy("deployments status-list"))
        self.assertEqual(self.json("deployments list --dependencies-of made"), [])
        self.cfy("deployments set-site quiet -s pier")
        self.cfy("deployments set-site quiet -d")
        self.cfy("deployments set-visibility quiet -l tenant")
        self.cfy("deployments set-owner quiet -s admin")
        self.refusals(
            ("deployments create -b crane made", "409: <Deployment id=`made` tenant=`default_tenant`> already exists"),
            ("deployments create -b nothing x", "Requested `Blueprint` with ID `nothing` was not found"),
            ("deployments create -b crane x -i nothing=1", "unknown inputs: nothing"),
            ("deployments create -b crane y -i reach=far", "Property type validation failed in 'reach'"),
            ("deployments create -b crane x -s nowhere", "Requested `Site` with ID `nowhere` was not found"),
            ("deployments outputs x", "Requested `Deployment` with ID `x` was not found"),
            ("deployments delete x", "Requested `Deployment` with ID `x` was not found"),
        )
        self.cfy("deployments delete quiet")

    def test_a_deployment_is_updated_and_its_history_told(self):
        self.installed("updated")
        self.assertIn("outputs: more", self.cfy("deployments update updated -b higher --preview"))
        self.assertEqual(self.json("deployments update updated -b higher --preview")["state"], "preview")
        done = self.cfy("deployments", "update", "updated", "-b", "higher", "-i", '{"reach": 30}')
        self.assertIn("Successfully updated deployment updated", done)
        self.assertEqual(self.json("deployments outputs updated")["more"]["value"], 1)
        [update] = [each for each in self.json("deployments history -d updated") if each["state"] == "successful"]
        self.assertEqual(update["new_blueprint_id"], "higher")
        self.assertEqual(self.json(f"deployments get-update {update['id']}")["new_inputs"]["reach"], 30)
        self.refusals(
            ("deployments update updated -b nothing", "Requested `Blueprint` with ID `nothing` was not found"),
            ("deployments update updated -i reach=far", "the defined type is 'integer'"),
            ("deployments get-update nothing", "Requested `DeploymentUpdate` with ID `nothing` was not found"),
        )

    def test_labels_and_filters_find_deployments(self):
        self.deployed("found")
        self.cfy("deployments labels add side:port,side:starboard found")
        self.cfy("deployments labels delete side:port found")
        self.assertEqual(self.json("deployments labels list found"), {"side": ["starboard"]})
        self.cfy("deployments filters create sided -lr side=starboard")
        self.cfy("deployments filters update sided -ar blueprint_id=crane")
        self.assertEqual([each["id"] for each in self.json("deployments list --filter-id sided")], ["found"])
        self.assertIn("csys-environment-filter", [each["id"] for each in self.json("deployments filters list")])
        self.assertIn("side=starboard", self.cfy("deployments filters get sided"))
        self.assertTrue(self.json("deployments summary blueprint_id"))
        self.cfy("deployments summary blueprint_id visibility")
        self.refusals(
            ("deployments labels add csys-x:b found", "reserved for internal use"),
            ("deployments labels add 'a key:b' found", "contains illegal characters"),
            ("deployments list --filter-id nothing", "404"),
        )
        # A group takes what a filter or rules find.
        self.cfy("deployments groups create sided -b crane")
        self.assertIn("contains 1 deployments", self.cfy("deployments groups extend sided --filter-id sided"))
        self.assertIn("now has 0 deployments", self.cfy("deployments groups shrink sided -lr side=starboard"))
        self.assertIn("contains 1 deployments", self.cfy("deployments groups extend sided -lr side=starboard"))
        self.assertEqual(self.json("deployments summary blueprint_id --group-id sided")[0]["deployments"], 1)
        self.assertIn("`nothing` was not found", self.refused("deployments groups extend sided --filter-id nothing"))
        self.cfy("deployments groups delete sided")
        self.cfy("deployments filters delete sided")

    def test_executions_are_started_listed_and_refused(self):
        self.deployed("run")
        started = self.cfy("executions start install -d run --include-logs")
        self.assertIn("'install' workflow execution succeeded", started)
        self.cfy("executions start execute_operation -d run -p operation=cloudify.interfaces.lifecycle.start")
        self.cfy("executions start check_status -d run --timeout 30")
        self.cfy("executions start restart -d run --dry-run")
        self.cfy("executions start restart -d run --queue --wait-after-fail 10")
        [install] = [each for each in self.json("executions list -d run") if each["workflow_id"] == "install"]
        id = install["id"]
        self.assertEqual(self.json(f"executions get {id}")["status"], "completed")
        self.assertEqual(self.json(f"executions graphs list {id}")[0]["name"], "install")
        self.assertTrue(self.json(f"executions operations list {id}"))
        self.assertTrue(self.json("executions summary status workflow_id"))
        page = self.json("executions list -d run -s 1 --sort-by created_at --descending --include-system-workflows")
        self.assertEqual([each["workflow_id"] for each in page], ["restart"])
        self.assertIn("install", [each["name"] for each in self.json("workflows list -d run --all")])
        self.assertIn("node_ids", self.cfy("workflows get install -d run"))
        self.cfy("groups list -d run")
        self.refusals(
            ("executions start nothing -d run", "Workflow nothing does not exist in the deployment run"),
            ("executions start install -d nothing", "Requested `Deployment` with ID `nothing` was not found"),
            ("executions start install -d run", "Workflow not available: install"),
            ("executions start execute_operation -d run", "must be provided with the following parameters to execute: operation"),
            ("executions start stop -d run -p x=1", "does not have the following parameters declared: x"),
            ("executions get nothing", "Execution nothing not found"),
            (f"executions cancel {id}", f"Can't cancel execution {id} because it's in status terminated"),
            (f"executions cancel {id} -k", f"Can't kill execution {id}"),
            (f"executions resume {id}", "Cannot resume execution"),
            ("executions cancel nothing -f", "Requested `Execution` with ID `nothing` was not found"),
            ("executions operations get nothing", "Requested `Operation` with ID `nothing` was not found"),
            ("workflows get nothing -d run", "nothing"),
        )
        self.assertIn("Deleted", self.cfy("executions delete --keep-last 2"))

    def test_a_failed_execution_is_told_cancelled_and_resumed(self):
        self.cfy("deployments", "create", "-b", "lighthouse", "dark", "-i", '{"url": "http://127.0.0.1:1"}')
        self.cfy("config update task_retries=0")
        try:
            failed = self.refused("executions start install -d dark")
            self.assertIn("127.0.0.1:1` refused the connection", failed)
            [install] = [each for each in self.json("executions list -d dark") if each["workflow_id"] == "install"]
            self.cfy(f"executions resume {install['id']} --reset-operations")
            self.assertIn("refused the connection", self.cfy(f"events list {install['id']}"))
        finally:
            self.cfy("config update task_retries=60")
        wait_until("the resumed execution failed too", lambda: self.json(f"executions get {install['id']}")["status"] == "failed")
        self.cfy("deployments delete dark -f")

    def test_a_running_execution_is_followed_and_cancelled(self):
        def slow(_):
            time.sleep(1.5)
            return 200, {"lamp": {"id": "L"}}

        server = Recorder(slow)
        self.addCleanup(server.stop)
        self.cfy("deployments", "create", "-b", "lighthouse", "slow", "-i", json.dumps({"url": server.url}))
        id = self.client.executions.start("slow", "install")["id"]
        self.assertIn("currently running for this deployment", self.refused("executions start install -d slow"))
        self.assertIn("A cancel request for execution", self.cfy(f"executions cancel {id}"))
        wait_until("it is cancelled", lambda: self.json(f"executions get {id}")["status"] == "cancelled")
        self.assertIn("workflow execution cancelled", self.cfy(f"events list {id}"))
        self.cfy(f"executions resume {id}")
        # It is told as it goes on, until the end.
        self.assertIn("'install' workflow execution succeeded", self.cfy(f"events list {id} --tail"))

    def test_events_are_listed_by_what_they_are_about_and_deleted(self):
        self.installed("told")
        [install] = [each for each in self.json("executions list -d told") if each["workflow_id"] == "install"]
        id = install["id"]
        self.assertIn("Showing 2 of", self.cfy(f"events list {id} -s 2 -o 1"))
        self.assertIn("'install' workflow execution succeeded", self.cfy(f"events list {id}"))
        self.assertIn("Finished executing workflow install", self.cfy(f"events list {id} --tail"))
        self.assertIn("quay", self.cfy(f"events list {id} --node quay --include-logs --from 2020-01-01"))
        self.assertIn("404", self.refused("events list nothing"))
        self.assertIn("No events to delete", self.cfy("events delete told --before '1 hours ago'"))
        self.assertIn("Deleted", self.cfy("events delete told --store-before -o kept.txt"))
        with open(os.path.join(self.home, "kept.txt")) as kept:
            self.assertIn("'install' workflow execution succeeded", kept.read())
        self.assertIn("No events to delete", self.cfy("events delete told"))
        self.assertIn("404", self.refused("events delete nothing"))

    def test_a_group_is_filled_installed_updated_and_deleted(self):
        self.deployed("joins")
        self.cfy("deployments", "groups", "create", "fleet", "-b", "crane", "-i", '{"reach": 3}', "--description", "all")
        self.cfy("deployments groups extend fleet -d joins")
        self.assertIn("contains 3 deployments", self.cfy("deployments groups extend fleet --count 2"))
        self.cfy("deployments groups labels add team:red fleet")
        self.assertEqual(self.json("deployments groups labels list fleet"), {"team": ["red"]})
        self.cfy("deployments groups labels delete team:red fleet")
        self.cfy("deployments groups update fleet --description some")
        self.assertIn("some", self.cfy("deployments groups list"))
        self.assertEqual(len(self.json("deployments list -g fleet")), 3)
        self.assertIn("now has 2", self.cfy("deployments groups shrink fleet -d joins"))
        started = self.cfy("executions groups start install -g fleet --concurrency 1")
        self.assertIn("Finished executing workflow install", started)
        [group] = [each["id"] for each in self.json("executions groups list") if each["workflow_id"] == "install"]
        self.assertEqual(self.json(f"executions groups get {group}")["deployment_group_id"], "fleet")
        self.assertIn("terminated", self.cfy(f"executions groups details {group}"))
        self.assertIn("terminated", self.cfy(f"executions summary status --group-id {group}"))
        self.cfy(f"events list -g {group}")
        self.cfy(f"executions groups set-concurrency {group} 3")
        self.cfy("deployments groups create good -b crane")
        self.cfy(f"executions groups set-success-group {group} good")
        self.cfy(f"executions groups cancel {group}")
        self.cfy(f"executions groups resume {group}")
        self.cfy("deployments groups update-deployments fleet -b higher --concurrency 2")
        self.refusals(
            ("deployments groups extend fleet --from-group nothing", "Requested `DeploymentGroup` with ID `nothing` was not found"),
            ("executions groups get nothing", "Requested `ExecutionGroup` with ID `nothing` was not found"),
            (f"executions groups set-failure-group {group} nothing", "`nothing` was not found"),
            ("deployments groups update-deployments fleet -b nothing", "`nothing` was not found"),
            ("executions groups start install -g nothing", "`nothing` was not found"),
        )
        self.cfy("deployments groups delete fleet --delete-deployments -f")
        self.refusals(("deployments groups delete fleet", "`fleet` was not found"))

    def test_schedules_are_made_changed_and_deleted(self):
        self.installed("timed")
        self.cfy("deployments schedule create timed check_status -s +1d -r '1 day' -n daily")
        self.cfy("deployments schedule create timed check_status -s '2037-01-01 10:00' --tz EST --weekdays MO,TU -r 1w -c 3 -n few")
        self.assertEqual([each["id"] for each in self.json("deployments schedule list timed")], ["daily", "few"])
        self.assertIn("upcoming occurrences", self.cfy("deployments schedule get timed daily --preview 3"))
        self.cfy("deployments schedule update timed daily -r '2 days'")
        self.cfy("deployments schedule disable timed daily")
        self.assertFalse(self.json("deployments schedule list timed")[0]["enabled"])
        self.cfy("deployments schedule enable timed daily")
        self.assertIn("2 days", self.cfy("deployments schedule summary deployment_id"))
        self.refusals(
            ("deployments schedule create timed check_status -s +1d -r '1 day' -n daily", "409: Execution schedule with ID `daily`"),
            ("deployments schedule create timed nothing -s +1d", "Workflow nothing does not exist in the deployment timed"),
        )
        self.cfy("deployments schedule delete timed daily")
        self.refusals(("deployments schedule delete timed daily", "`daily` was not found"))

    def test_nodes_are_shown_scaled_and_changed(self):
        self.installed("scaled")
        self.cfy("executions start scale -d scaled -p scalable_entity_name=quay -p delta=1")
        [modification] = self.json("deployments modifications list scaled")
        self.assertEqual(modification["status"], "finished")
        self.assertIn("Added node instances", self.cfy(f"deployments modifications get {modification['id']}"))
        quay = self.json("nodes get quay -d scaled --evaluate-functions")
        self.assertEqual(quay["properties"]["ip"], "10.0.0.7")
        self.assertEqual({each["id"]: each["number_of_instances"] for each in self.json("nodes list -d scaled")}, {"crane": 2, "quay": 2})
        self.cfy("nodes list -d scaled --run-checks")
        self.assertTrue(self.json("nodes summary deployment_id"))
        instances = self.json("node-instances list -d scaled -n quay")
        self.assertEqual([each["state"] for each in instances], ["started", "started"])
        one = instances[0]["id"]
        self.assertIn("{'b': '1'}", self.cfy(f"node-instances update-runtime {one} -p a.b=1"))
        self.assertEqual(self.json(f"node-instances get {one} --evaluate-functions")["runtime_properties"], {"a": {"b": "1"}})
        self.cfy(f"node-instances delete-runtime {one} -p a.b")
        self.cfy("node-instances summary deployment_id state")
        self.cfy("agents validate --deployment-id scaled")
        # Whoever installs an agent reports it.
        self.client.agents.create(one, one, state="started", install_method="remote", create_rabbitmq_user=False)
        [agent] = self.json("agents list --deployment-id scaled")
        self.assertEqual((agent["id"], agent["state"], agent["node"], agent["install_method"]), (one, "started", "quay", "remote"))
        self.assertEqual(len(self.json(f"agents list --node-instance-id {one} --all-tenants")), 1)
        self.assertEqual(self.json("agents list --node-id crane"), [])
        self.refusals(
            (f"deployments modifications rollback {modification['id']}", "It is already in finished status"),
            ("deployments modifications get nothing", "`nothing` was not found"),
            ("node-instances update-runtime nothing -p a=1", "Requested `NodeInstance` with ID `nothing` was not found"),
        )
