"""The unmodified `cfy`: snapshots, from making one to what is restored."""

from cfy import CommandLine
from samples import CRANE
from windlass import wait_until


class Snapshots(CommandLine):
    def states(self):
        return {each["id"]: each["status"] for each in self.json("snapshots list")}

    def test_a_snapshot_is_made_taken_elsewhere_and_restored(self):
        self.file("crane/blueprint.yaml", CRANE)
        self.cfy("blueprints upload -b crane crane/blueprint.yaml")
        self.cfy("deployments create -b crane kept")
        self.cfy("secrets create token -s hunter2")
        self.assertIn("Successfully created snapshot one", self.cfy("snapshots create one --wait-for-status"))
        self.cfy("snapshots create lean --exclude-logs --exclude-events --exclude-credentials --queue")
        wait_until("both are made", lambda: self.states() == {"one": "created", "lean": "created"})
        self.cfy("snapshots download one -o one.zip")
        self.cfy("snapshots upload one.zip -s two")
        self.assertEqual(self.states()["two"], "uploaded")
        self.cfy("deployments delete kept")
        self.gone("kept")
        self.cfy("secrets delete token")
        self.assertIn("Started workflow execution", self.cfy("snapshots restore two --force"))
        wait_until("it is restored", lambda: [each["id"] for each in self.json("deployments list")] == ["kept"])
        wait_until("nothing runs", lambda: "No snapshot is currently being restored" in self.cfy("snapshots status"))
        self.assertEqual(self.json("secrets get token")["value"], "hunter2")
        self.file("junk.zip", "no snapshot")
        self.refusals(
            ("snapshots create one", "409"),
            ("snapshots upload junk.zip -s junk", "400"),
            ("snapshots restore nothing", "Requested `Snapshot` with ID `nothing` was not found"),
            ("snapshots download nothing", "Requested `Snapshot` with ID `nothing` was not found"),
            ("snapshots delete nothing", "Requested `Snapshot` with ID `nothing` was not found"),
        )
        for name in ("one", "lean", "two"):
            self.cfy(f"snapshots delete {name}")
        self.assertEqual(self.states(), {})
