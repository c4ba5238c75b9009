//! `/blueprints`.

use crate::samples::{self, CRANE, ids};
use windlass_tests::{Archive, Entry, Windlass, at_once, json};

#[test]
fn every_kind_of_archive_gives_the_same_plan() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    let archive = Archive::blueprint(&[("crane.yaml", CRANE)]);
    let mut plans = Vec::new();
    for (id, bytes) in [
        ("tar", archive.tar()),
        ("tgz", archive.tar_gz()),
        ("zip", archive.zip()),
    ] {
        let blueprint = admin
            .upload_archive(id, "crane.yaml", bytes.clone())
            .expect(201);
        assert_eq!(blueprint["state"], "uploaded", "{id}: {blueprint}");
        assert_eq!(blueprint["main_file_name"], "crane.yaml", "{id}");
        assert_eq!(blueprint["description"], "A crane and its host", "{id}");
        plans.push(blueprint["plan"].clone());

        let answer = admin
            .get(&format!("/blueprints/{id}/archive"))
            .expect_answer(200);
        assert_eq!(answer.body, bytes, "{id} comes back as it was sent");
        let disposition = answer.header("content-disposition").unwrap_or_default();
        assert!(
            disposition.contains(&format!("filename=\"{id}.")),
            "{disposition}"
        );
    }
    assert_eq!(plans[0], plans[1]);
    assert_eq!(plans[0], plans[2]);
    assert_eq!(plans[0]["nodes"].as_array().map(Vec::len), Some(2));
}

#[test]
fn an_old_client_uploads_raw_bytes_with_its_parameters_in_the_query() {
    let windlass = Windlass::start();
    let archive = Archive::blueprint(&[("crane.yaml", CRANE)]).tar_gz();
    let path = "/blueprints/crane?application_file_name=crane.yaml&visibility=private";
    let blueprint = windlass
        .admin()
        .raw("PUT", path, "application/json", archive)
        .expect(201);
    assert_eq!(blueprint["visibility"], "private");
    assert_eq!(blueprint["private_resource"], true);
}

#[test]
fn a_blueprint_in_use_cannot_be_deleted() {
    let windlass = Windlass::start();
    let operator = windlass.user("operator").in_tenant("harbour");
    samples::crane(operator, "crane");
    operator
        .put("/deployments/crane-1", json!({ "blueprint_id": "crane" }))
        .expect(201);
    windlass.run_pending_work();

    operator
        .delete("/blueprints/crane")
        .refused(400, "dependent_exists_error");
    // To a user of another tenant the blueprint does not even exist.
    windlass
        .user("stranger")
        .in_tenant("quay")
        .get("/blueprints/crane")
        .refused(404, "not_found_error");

    operator.delete("/deployments/crane-1").expect(204);
    windlass.run_pending_work();
    operator
        .get("/deployments/crane-1")
        .refused(404, "not_found_error");
    operator.delete("/blueprints/crane").expect(204);
    operator
        .get("/blueprints/crane")
        .refused(404, "not_found_error");
}

#[test]
fn two_uploads_of_one_id_at_once_make_one_blueprint() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    admin.get("/status").expect(200);
    for round in 0..5 {
        let id = format!("crane-{round}");
        let mut statuses = at_once(2, |_| {
            admin
                .upload(&id, "crane.yaml", &[("crane.yaml", CRANE)])
                .status()
        });
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "round {round}");
        assert_eq!(
            admin.get(&format!("/blueprints/{id}")).expect(200)["state"],
            "uploaded"
        );
    }
    assert_eq!(ids(&admin.get("/blueprints").expect(200)).len(), 5);
}

#[test]
fn a_failed_upload_stays_visible_and_the_next_one_replaces_it() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    for (what, text, state) in [
        ("no version", "node_templates: {}", "invalid"),
        ("not YAML", "tosca_definitions_version: [", "invalid"),
        (
            "an unknown section",
            "tosca_definitions_version: cloudify_dsl_1_4\ncranes: {}",
            "invalid",
        ),
        (
            "an unknown input",
            "tosca_definitions_version: cloudify_dsl_1_4\noutputs: {o: {value: {get_input: zz}}}",
            "failed_parsing",
        ),
    ] {
        let refusal = admin.upload("crane", "crane.yaml", &[("crane.yaml", text)]);
        refusal.refused(400, "invalid_blueprint_error");
        let blueprint = admin.get("/blueprints/crane").expect(200);
        assert_eq!(blueprint["state"], state, "{what}: {}", blueprint["error"]);
        assert!(
            blueprint["error"]
                .as_str()
                .is_some_and(|error| !error.is_empty()),
            "{what}"
        );
    }
    let deployment = json!({ "blueprint_id": "crane" });
    admin
        .put("/deployments/crane", deployment)
        .refused(400, "deployment_creation_error");
    samples::crane(admin, "crane");
    assert_eq!(
        admin.get("/blueprints/crane").expect(200)["state"],
        "uploaded"
    );
}

#[test]
fn hostile_archives_are_refused_and_nothing_of_them_is_used() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    let main = || Entry::File("blueprint/crane.yaml".into(), CRANE.as_bytes().to_vec());
    let file = |name: &str| Entry::File(name.into(), b"gotcha".to_vec());
    let link = |name: &str, to: &str| Entry::Link(name.into(), to.into());
    let many = (0..10_500)
        .map(|number| file(&format!("blueprint/{number}")))
        .collect::<Vec<_>>();
    let zeros = |megabytes: usize| Entry::File("blueprint/zeros".into(), vec![0; megabytes << 20]);

    let cases: Vec<(&str, Vec<u8>)> = vec![
        (
            "two folders",
            Archive::of([main(), file("second/file")]).tar_gz(),
        ),
        ("no folder", Archive::of([file("crane.yaml")]).tar_gz()),
        (
            "no main file",
            Archive::of([file("blueprint/other.yaml")]).zip(),
        ),
        (
            "up and out, tar",
            Archive::of([main(), file("blueprint/../../../etc/cron.d/x")]).tar_gz(),
        ),
        (
            "up and out, zip",
            Archive::of([main(), file("blueprint/../../../etc/cron.d/x")]).zip(),
        ),
        (
            "from the root, tar",
            Archive::of([main(), file("/etc/cron.d/x")]).tar(),
        ),
        (
            "from the root, zip",
            Archive::of([main(), file("/etc/cron.d/x")]).zip(),
        ),
        (
            "a main file that is a link out",
            Archive::of([link("blueprint/crane.yaml", "/etc/passwd")]).tar_gz(),
        ),
        (
            "a main file that is a link out, zip",
            Archive::of([link("blueprint/crane.yaml", "../../etc/passwd")]).zip(),
        ),
        ("too many files", Archive::of(many).and(main()).tar_gz()),
        ("a bomb, tar", Archive::of([main(), zeros(600)]).tar_gz()),
        ("a bomb, zip", Archive::of([main(), zeros(600)]).zip()),
        ("half of a tar.gz", cut(Archive::of([main()]).tar_gz())),
        ("half of a zip", cut(Archive::of([main()]).zip())),
    ];
    for (what, bytes) in cases {
        let reply = admin.upload_archive("crane", "crane.yaml", bytes);
        let status = reply.status();
        assert!(
            (400..500).contains(&status),
            "{what}: {status} {}",
            reply.text()
        );
        let text = reply.text();
        assert!(
            !text.contains("root:"),
            "{what}: nothing of the machine is shown: {text}"
        );
        // A row that stays says what was wrong; it has no plan.
        let left = admin.get("/blueprints/crane");
        if left.status() == 200 {
            let left = left.expect(200);
            assert!(left["plan"].is_null(), "{what}: {left}");
            assert_ne!(left["state"], "uploaded", "{what}");
        }
    }
    // And the application is as well as before.
    samples::crane(admin, "crane");
}

fn cut(mut archive: Vec<u8>) -> Vec<u8> {
    archive.truncate(archive.len() / 2);
    archive
}

#[test]
fn bytes_that_are_no_archive_are_refused() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("text", b"hello".to_vec()),
        (
            "noise",
            (0..50_000_u32)
                .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
                .collect(),
        ),
        ("a gzip of text", windlass_tests::gzip(b"hello")),
    ] {
        let reply = admin.upload_archive("crane", "crane.yaml", bytes);
        assert_eq!(reply.status(), 400, "{what}: {}", reply.text());
    }
}

#[test]
fn a_page_shows_the_part_that_was_asked_for() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    for id in ["b3", "b1", "b2"] {
        samples::crane(admin, id);
    }
    for (query, want) in [
        ("", vec!["b3", "b1", "b2"]),
        ("?_sort=id", vec!["b1", "b2", "b3"]),
        ("?_sort=-id&_size=2", vec!["b3", "b2"]),
        ("?_sort=id&_size=2&_offset=2", vec!["b3"]),
        ("?id=b1&id=b2&_include=id,created_at", vec!["b1", "b2"]),
        ("?_search=2", vec!["b2"]),
        ("?_size=0", vec![]),
    ] {
        let page = admin.get(&format!("/blueprints{query}")).expect(200);
        assert_eq!(ids(&page), want, "{query}");
    }
    let page = admin.get("/blueprints?_size=1&_offset=1").expect(200);
    assert_eq!(
        page["metadata"]["pagination"],
        json!({ "total": 3, "offset": 1, "size": 1 })
    );
    let page = admin.get("/blueprints?_include=id,created_at").expect(200);
    let fields: Vec<_> = page["items"][0]
        .as_object()
        .expect("an object")
        .keys()
        .cloned()
        .collect();
    assert_eq!(fields, ["id", "created_at"]);
}

const BASE: &str = "tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
node_types: {beam: {derived_from: cloudify.nodes.Root}}
node_templates: {girder: {type: beam}}
";

/// A blueprint that imports these.
fn importing(ids: &[&str]) -> String {
    let imports: String = ids
        .iter()
        .map(|id| format!(", 'n{}--blueprint:{id}'", id.replace(['-', '.'], "")))
        .collect();
    format!(
        "tosca_definitions_version: cloudify_dsl_1_4\n\
         imports: [cloudify/types/types.yaml{imports}]\n\
         node_templates: {{own: {{type: cloudify.nodes.Root}}}}\n"
    )
}

#[test]
fn a_blueprint_imports_what_its_uploader_sees_in_any_format() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    let operator = windlass.user("operator").in_tenant("harbour");
    let stranger = windlass.user("stranger").in_tenant("quay");
    let archive = Archive::blueprint(&[("base.yaml", BASE)]);
    for (id, bytes) in [
        ("t", archive.tar()),
        ("g", archive.tar_gz()),
        ("z", archive.zip()),
    ] {
        operator.upload_archive(id, "base.yaml", bytes).expect(201);
    }
    let params = json!({ "application_file_name": "base.yaml", "visibility": "global" });
    admin
        .upload_form("shared", &params, archive.tar_gz())
        .expect(201);
    let params = json!({ "application_file_name": "base.yaml", "visibility": "private" });
    operator
        .upload_form("mine", &params, archive.tar_gz())
        .expect(201);

    let all = importing(&["t", "g", "z", "shared", "mine"]);
    let user = operator
        .upload("user", "user.yaml", &[("user.yaml", &all)])
        .expect(201);
    assert_eq!(user["plan"]["nodes"].as_array().map(Vec::len), Some(6));
    assert_eq!(
        user["plan"]["imported_blueprints"],
        json!(["t", "g", "z", "shared", "mine"])
    );
    // Imports of imports come along.
    let further = importing(&["user"]);
    operator
        .upload("further", "a.yaml", &[("a.yaml", &further)])
        .expect(201);

    // What somebody cannot see cannot be imported: it is as if it were not there.
    let colleague = windlass.user("colleague").in_tenant("harbour");
    for (caller, id) in [
        (stranger, "t"),
        (colleague, "mine"),
        (operator, "nothing"),
        (operator, "itself"),
    ] {
        let text = importing(&[id]);
        let message = caller
            .upload("itself", "a.yaml", &[("a.yaml", &text)])
            .refused(400, "invalid_blueprint_error");
        assert!(message.contains(&format!("blueprint:{id}")), "{message}");
        caller.delete("/blueprints/itself").expect(204);
    }
    stranger
        .upload("ok", "a.yaml", &[("a.yaml", &importing(&["shared"]))])
        .expect(201);

    // What is imported can be deleted by force only, and then no longer be imported.
    for id in ["t", "user"] {
        operator
            .delete(&format!("/blueprints/{id}"))
            .refused(405, "blueprint_in_use");
    }
    admin
        .delete("/blueprints/shared")
        .refused(405, "blueprint_in_use");
    operator.delete("/blueprints/t?force=True").expect(204);
    operator
        .upload("late", "a.yaml", &[("a.yaml", &importing(&["t"]))])
        .refused(400, "invalid_blueprint_error");
}

#[test]
fn plugins_that_nobody_uploaded_cannot_be_imported() {
    let windlass = Windlass::start();
    let text = "tosca_definitions_version: cloudify_dsl_1_4\nimports: ['plugin:cloudify-crane-plugin?version= >=1']\n";
    let message = windlass
        .admin()
        .upload("crane", "a.yaml", &[("a.yaml", text)])
        .refused(400, "invalid_blueprint_error");
    assert!(message.contains("cloudify-crane-plugin"), "{message}");
}

#[test]
fn a_validation_leaves_its_execution_and_nothing_else() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    for (text, status) in [(CRANE, "terminated"), ("node_templates: {}", "failed")] {
        let archive = Archive::blueprint(&[("crane.yaml", text)]).tar_gz();
        let path = "/blueprints/crane/validate?application_file_name=crane.yaml";
        let answer = admin
            .raw("PUT", path, "application/json", archive)
            .expect(201);
        assert_eq!(answer["state"], "validating");
        assert_eq!(answer["upload_execution"]["status"], status, "{answer}");
        assert_eq!(answer["status"], status);
        assert_eq!(answer["workflow_id"], "upload_blueprint");
        let id = answer["upload_execution"]["id"].as_str().expect("an id");
        let execution = admin.get(&format!("/executions/{id}")).expect(200);
        assert_eq!(execution["status"], status);
        admin
            .get("/blueprints/crane")
            .refused(404, "not_found_error");
    }
    samples::crane(admin, "crane");
    let archive = Archive::blueprint(&[("crane.yaml", CRANE)]).tar_gz();
    admin
        .raw(
            "PUT",
            "/blueprints/crane/validate",
            "application/json",
            archive,
        )
        .refused(409, "conflict_error");
}

#[test]
fn an_icon_is_set_and_removed_and_the_archive_can_be_restored() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    let archive = Archive::blueprint(&[("crane.yaml", CRANE)]).zip();
    admin
        .upload_archive("crane", "crane.yaml", archive.clone())
        .expect(201);
    let download = || {
        let answer = admin.get("/blueprints/crane/archive").expect_answer(200);
        let name = answer.header("content-disposition").unwrap_or_default();
        (name.to_owned(), answer.body)
    };
    let path = "/blueprints/crane/icon";
    for (icon, name) in [("a picture", "crane.tar.gz"), ("", "crane.tar.gz")] {
        admin
            .raw("PATCH", path, "application/json", icon)
            .expect(200);
        let (disposition, bytes) = download();
        assert!(disposition.contains(name), "{disposition}");
        let mut text = Vec::new();
        let mut decoder = flate2::read::GzDecoder::new(bytes.as_slice());
        std::io::Read::read_to_end(&mut decoder, &mut text).expect("it is gzip");
        let has_icon = text.windows(8).any(|eight| eight == b"icon.png");
        assert_eq!(has_icon, !icon.is_empty());
    }
    admin
        .raw(
            "PUT",
            "/blueprints/crane/archive",
            "application/json",
            "text",
        )
        .refused(400, "bad_parameters_error");
    let put = admin.raw(
        "PUT",
        "/blueprints/crane/archive",
        "application/json",
        archive.clone(),
    );
    put.expect(200);
    let (disposition, bytes) = download();
    assert!(disposition.contains("crane.zip"), "{disposition}");
    assert_eq!(bytes, archive);
}
