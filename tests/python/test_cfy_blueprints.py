"""The unmodified `cfy`: blueprints from a folder to an installed application and back."""

import os
import urllib.request

from cfy import CommandLine, tar_gz
from samples import CRANE
from windlass import REPOSITORY

MAST = "tosca_definitions_version: cloudify_dsl_1_4\nimports: [cloudify/types/types.yaml]\nnode_templates: {mast: {type: mast}}\n"
# The smallest picture.
ICON = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63606060000000040001f61738550000000049454e44ae426082"
)


class Blueprints(CommandLine):
    def setUp(self):
        self.file("crane/blueprint.yaml", CRANE)
        self.file("mast/blueprint.yaml", MAST)

    def upload(self, blueprint, *more):
        return self.cfy("blueprints", "upload", "-b", blueprint, "crane/blueprint.yaml", *more)

    def test_blueprints_are_validated_with_the_types_that_the_application_hands_out(self):
        self.assertIn("Unable to open import url", self.refused("blueprints validate crane/blueprint.yaml"))
        for name in ("types.yaml", "types_1_4.yaml"):
            url = f"{self.windlass.url}/resources/cloudify/types/{name}"
            # `cfy` looks for them in the folder that it runs in, so that no upload takes them along.
            with urllib.request.urlopen(url) as types:
                path = self.file(f"cloudify/types/{name}", types.read())
            self.addCleanup(os.remove, path)
            for example in ("harbour", "hello-wasm", "http-service", "notify"):
                blueprint = os.path.join(REPOSITORY, "examples", example, "blueprint.yaml")
                self.assertIn("validated successfully", self.cfy("blueprints", "validate", blueprint))
            self.assertIn("validated successfully", self.cfy("blueprints validate crane/blueprint.yaml"))
            self.assertIn("Could not locate node type: 'mast'", self.refused("blueprints validate mast/blueprint.yaml"))
        self.cfy("blueprints upload -b validated crane/blueprint.yaml --validate")
        self.assertIn("already exists", self.refused("blueprints upload -b validated crane/blueprint.yaml --validate"))

    def test_blueprints_are_uploaded_in_every_way(self):
        shown = self.cfy(*"blueprints upload -b labelled crane/blueprint.yaml --labels team:red,tier:one".split())
        self.assertIn("blueprint.yaml |####", shown)
        self.assertIn("Blueprint uploaded. The blueprint's id is labelled", shown)
        self.cfy("blueprints package crane/blueprint.yaml -o packed")
        self.cfy("blueprints upload -b packed packed.tar.gz -n blueprint.yaml")
        self.upload("private", "-l", "private")
        self.upload("later", "-a")
        listed = {each["id"]: each for each in self.json("blueprints list")}
        self.assertEqual(listed["private"]["visibility"], "private")
        self.assertEqual(listed["labelled"]["labels"], '"team:red,tier:one"')
        self.assertEqual([each["id"] for each in self.json("blueprints list --search pack")], ["packed"])
        page = self.json("blueprints list --sort-by id --descending -s 1")
        self.assertEqual([each["id"] for each in page], [max(listed)])
        self.assertEqual(self.json("blueprints get packed")["state"], "uploaded")
        self.assertEqual(self.json("blueprints inputs packed"), [{"name": "reach", "type": "integer", "default": 12, "description": "-"}])
        self.cfy("blueprints download packed -o down.tar.gz")
        self.refusals(
            ("blueprints upload -b packed crane/blueprint.yaml", "409: blueprint with id=packed already exists"),
            ("blueprints upload -b mast mast/blueprint.yaml", "Could not locate node type: 'mast'"),
            ("blueprints upload -b url http://127.0.0.1:1/x.tgz", "`127.0.0.1:1` refused the connection"),
            ("blueprints upload -b x packed.tar.gz -n nothing.yaml", "Could not find `nothing.yaml`"),
            ("blueprints get nothing", "Requested `Blueprint` with ID `nothing` was not found"),
            ("blueprints delete nothing", "Requested `Blueprint` with ID `nothing` was not found"),
            ("blueprints download nothing", "Requested `Blueprint` with ID `nothing` was not found"),
        )
        # What is wrong with it stays to be seen.
        self.assertIn("Could not locate node type", self.cfy("blueprints list"))

    def test_who_sees_and_owns_a_blueprint_is_changed(self):
        self.upload("owned", "-l", "private")
        self.cfy("blueprints set-visibility owned -l tenant")
        self.cfy("blueprints set-global owned")
        self.cfy("blueprints set-owner owned -s admin")
        self.file("icon.png", ICON)
        self.cfy("blueprints set-icon owned -i icon.png")
        self.cfy("blueprints set-icon owned")
        self.refusals(
            ("blueprints set-owner owned -s nobody", "User nobody does not exist"),
            ("blueprints set-visibility owned -l private", "Invalid visibility"),
        )
        self.cfy("blueprints delete owned")

    def test_labels_and_filters_find_blueprints(self):
        self.upload("found", "--labels", "side:port")
        self.cfy("blueprints labels add side:starboard,deck:a found")
        self.assertEqual(self.json("blueprints labels list found"), {"side": ["port", "starboard"], "deck": ["a"]})
        self.cfy("blueprints labels delete side:port found")
        self.cfy("blueprints labels delete deck found")
        self.assertIn("No labels were deleted", self.cfy("blueprints labels delete nothing found"))
        self.cfy("blueprints filters create sided -lr side=starboard -ar created_by=admin")
        self.assertEqual([each["id"] for each in self.json("blueprints list --filter-id sided")], ["found"])
        self.assertIn("hidden by filter", self.cfy("blueprints list -lr side=starboard"))
        self.cfy("blueprints", "filters", "update", "sided", "-lr", "side is null", "-l", "global")
        self.assertNotIn("found", [each["id"] for each in self.json("blueprints list --filter-id sided")])
        self.assertIn("side is null", self.cfy("blueprints filters get sided"))
        self.assertIn("sided", [each["id"] for each in self.json("blueprints filters list")])
        self.refusals(
            ("blueprints filters create sided -lr a=b", "409: <BlueprintsFilter id=`sided`"),
            ("blueprints filters create other -ar mood=b", "Allowed attributes to filter blueprints by are"),
            ("blueprints filters create other -lr a", "is not in the right format"),
            ("blueprints list --filter-id nothing", "Requested `BlueprintsFilter` with ID `nothing` was not found"),
        )
        self.cfy("blueprints filters delete sided")
        [summed] = self.json("blueprints summary tenant_name")
        self.assertEqual(summed["tenant_name"], "default_tenant")
        self.cfy("blueprints summary tenant_name visibility")

    def test_an_application_is_installed_updated_and_uninstalled_by_one_command_each(self):
        self.assertIn("'install' workflow execution succeeded", self.cfy("install", "crane/blueprint.yaml", "-b", "whole", "-i", '{"reach": 7}'))
        self.assertEqual(self.json("deployments outputs whole")["reach"]["value"], 7)
        self.assertIn("409", self.refused("install crane/blueprint.yaml -b whole"))
        self.assertIn("succeeded", self.cfy("uninstall whole"))
        self.gone("whole")
        self.assertNotIn("whole", [each["id"] for each in self.json("blueprints list")])

    def test_an_application_is_applied_twice(self):
        first = self.cfy("apply", "--blueprint-path", "crane/blueprint.yaml", "-d", "applied", "-i", '{"reach": 7}')
        self.assertIn("'install' workflow execution succeeded", first)
        second = self.cfy("apply", "--blueprint-path", "crane/blueprint.yaml", "-d", "applied", "-i", '{"reach": 8}')
        self.assertIn("Successfully updated deployment applied", second)
        self.assertEqual(self.json("deployments outputs applied")["reach"]["value"], 8)
        self.assertEqual(self.json("deployments history -d applied")[0]["state"], "successful")
        self.cfy("uninstall applied")
        self.gone("applied")

    def test_a_group_is_installed_by_one_command(self):
        self.upload("grouped")
        self.file("archive.tar.gz", tar_gz({"crane/blueprint.yaml": CRANE}))
        self.cfy("deployments groups create several -b grouped")
        self.cfy("deployments groups extend several --count 2")
        self.assertIn("Finished executing workflow install", self.cfy("executions groups start install -g several --concurrency 1"))
        # One command makes the deployments and installs them at once, while they are still being made.
        done = self.cfy("install crane/blueprint.yaml -b heap -g heap --count 3")
        self.assertIn("Finished executing workflow install", done)
        self.assertEqual(len(self.json("deployments list --group-id heap")), 3)
