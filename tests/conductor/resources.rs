//! Resources: the files of blueprints, as operations of plugins download them.

use windlass_tests::{Windlass, json};

const BLUEPRINT: &str = "tosca_definitions_version: cloudify_dsl_1_4\n";

#[test]
fn a_file_of_a_blueprint_is_read_out_of_its_archive() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    let files = [
        ("crane.yaml", BLUEPRINT),
        ("scripts/start.sh", "#!/bin/sh\n"),
        ("scripts/deep/stop.sh", "exit 0\n"),
    ];
    admin.upload("crane", "crane.yaml", &files).expect(201);
    let at = |path: &str| format!("/resources/blueprints/default_tenant/crane/{path}");
    for (path, wanted) in [
        ("crane.yaml", BLUEPRINT),
        ("scripts/start.sh", "#!/bin/sh\n"),
        ("scripts/deep/../start.sh", "#!/bin/sh\n"),
    ] {
        let found = admin.at_root().get(&at(path)).expect_answer(200);
        assert_eq!(found.body, wanted.as_bytes(), "{path}");
    }
    let names = admin.at_root().get(&at("scripts")).expect(200);
    let wanted = json!({ "scripts/start.sh": true, "scripts/deep/stop.sh": true });
    assert_eq!(names, wanted, "a directory answers the names of its files");
    for path in ["scripts/run.sh", "scripts/../../crane/crane.yaml"] {
        let found = admin.at_root().get(&at(path));
        found.refused(404, "not_found_error");
    }
    let elsewhere = "/resources/blueprints/quay/crane/crane.yaml";
    let found = admin.at_root().get(elsewhere);
    found.refused(404, "not_found_error");
    let state = "update blueprints set state = 'extracting'";
    let database = windlass.open_database();
    database.execute_batch(state).expect("a row");
    admin
        .at_root()
        .get(&at("crane.yaml"))
        .refused(404, "not_found_error");
    let nobody = windlass.nobody().at_root();
    nobody
        .get(&at("crane.yaml"))
        .refused(401, "unauthorized_error");
}
