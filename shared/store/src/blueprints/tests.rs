use super::*;
use crate::labels;
use crate::migrations;
use crate::resource;
use serde_json::json;
use windlass_core::caller::{AuthMethod, Caller, Reach};
use windlass_core::db::NativeDb;
use windlass_core::http::Method;
use windlass_core::list::{self, ListQuery};
use windlass_core::{Kind, Request, Timestamp};

async fn fresh() -> NativeDb {
    let db = NativeDb::in_memory();
    migrations::apply(&db).await.unwrap();
    for name in ["harbour", "quay"] {
        db.execute(
            "insert into tenants (name, created_at) values (?1, '2024')",
            params![name],
        )
        .await
        .unwrap();
    }
    db
}

fn admin(tenant: &str) -> Scope {
    Scope::system("admin", tenant)
}

fn user(name: &str, tenant: &str) -> Scope {
    let caller = Caller {
        user_id: 7,
        username: name.into(),
        role: "default".into(),
        method: AuthMethod::Basic,
        system: Default::default(),
        tenants: Default::default(),
        execution_id: None,
    };
    Scope::of(
        std::rc::Rc::new(caller),
        Reach::Tenant(tenant.into()),
        String::new(),
    )
}

fn archive(blob: &str) -> Archive {
    Archive {
        blob: blob.into(),
        format: "zip".into(),
        size: 3,
        sha256: "abc".into(),
    }
}

fn upload(id: &str, state: State) -> Upload {
    let failed = state.is_failed();
    Upload {
        id: id.into(),
        visibility: Visibility::Tenant,
        state,
        error: failed.then(|| "it broke".to_owned()),
        main_file_name: Some("blueprint.yaml".into()),
        description: Some("a crane".into()),
        requirements: Some(json!({ "secrets": [], "parent_capabilities": [] })),
        plan: (!failed).then(|| PlanTexts {
            full: json!({ "nodes": [] }).to_string(),
            stored: json!({ "sections": {}, "nodes": [], "shared": [] }).to_string(),
            imports: vec!["base".into()],
        }),
        labels: vec![("env".into(), "prod".into())],
        archive: Some(archive(id)),
        execution: Some(UploadExecution {
            started_at: Timestamp::now(),
            parameters: json!({ "blueprint_id": id }),
        }),
        created_at: None,
        created_by: None,
        goes_on: false,
    }
}

/// Says that a blob of this name was written.
async fn written(db: &impl Db, blob: &str) {
    db.execute(
        "insert or ignore into loose_blobs (id, chunks, touched_at) values (?1, 1, 0)",
        params![blob],
    )
    .await
    .unwrap();
}

/// Stores an upload whose blob was written before.
async fn insert(db: &impl Db, scope: &Scope, upload: &Upload) -> Result<Option<Archive>> {
    if let Some(archive) = &upload.archive {
        written(db, &archive.blob).await;
    }
    super::insert(db, scope, upload).await
}

/// The names of the blobs that no row names.
async fn loose(db: &NativeDb) -> Value {
    let sql = "select json_group_array(id) from (select id from loose_blobs order by id)";
    db.first_json(sql, &[]).await.unwrap().unwrap()
}

async fn shown(db: &NativeDb, scope: &Scope, id: &str) -> Value {
    let statement = BLUEPRINTS.find_statement(scope, None, "t.id = {}", [id.into()]);
    db.first_json(&statement.sql, &statement.parameters)
        .await
        .unwrap()
        .unwrap_or_default()
}

#[test]
fn an_upload_is_stored_whole() {
    pollster::block_on(async {
        let db = fresh().await;
        let scope = admin("harbour");
        assert_eq!(
            insert(&db, &scope, &upload("crane", State::Uploaded))
                .await
                .unwrap(),
            None
        );
        let found = find(&db, &scope, "crane").await.unwrap();
        assert_eq!(
            (found.state, found.visibility),
            (State::Uploaded, Visibility::Tenant)
        );
        assert_eq!(found.archive, Some(archive("crane")));
        assert_eq!(plan(&db, found.key).await.unwrap()["shared"], json!([]));
        assert_eq!(plan(&db, found.key + 1).await.unwrap(), Value::Null);
        let shown = shown(&db, &scope, "crane").await;
        assert_eq!(shown["plan"], json!({ "nodes": [] }));
        assert_eq!(shown["labels"][0]["value"], "prod");
        assert_eq!(shown["is_hidden"], false);
        let execution = &shown["upload_execution"];
        assert_eq!(execution["status"], "terminated");
        assert_eq!(execution["status_display"], "completed");
        assert_eq!(execution["parameters"]["blueprint_id"], "crane");
        assert_eq!(execution["is_system_workflow"], false);
        assert_eq!(execution["error"], Value::Null);
        let audited = "select count(*) from audit_log where target_id = 'crane'";
        assert_eq!(
            db.first(audited, &[])
                .await
                .unwrap()
                .unwrap()
                .integer(0)
                .unwrap(),
            1
        );
    });
}

#[test]
fn an_id_is_taken_unless_its_upload_failed_here() {
    pollster::block_on(async {
        let db = fresh().await;
        let (harbour, quay) = (admin("harbour"), admin("quay"));
        insert(&db, &harbour, &upload("good", State::Uploaded))
            .await
            .unwrap();
        insert(&db, &harbour, &upload("bad", State::Invalid))
            .await
            .unwrap();
        let mut everywhere = upload("everywhere", State::Uploaded);
        everywhere.visibility = Visibility::Global;
        insert(&db, &quay, &everywhere).await.unwrap();
        for (scope, id, visibility, free) in [
            (&harbour, "good", Visibility::Tenant, false),
            (&harbour, "bad", Visibility::Tenant, true),
            (&harbour, "everywhere", Visibility::Tenant, false),
            (&quay, "good", Visibility::Tenant, true),
            (&quay, "good", Visibility::Global, false),
            (&quay, "new", Visibility::Global, true),
        ] {
            let got = demand_free(&db, scope, id, visibility).await;
            assert_eq!(
                got.is_ok(),
                free,
                "{id} {visibility} in {}: {got:?}",
                scope.tenant()
            );
        }
        let refusal = insert(&db, &harbour, &upload("good", State::Uploaded))
            .await
            .unwrap_err();
        assert_eq!(refusal.kind(), Kind::Conflict);
        assert_eq!(
            refusal.message(),
            "blueprint with id=good already exists on tenant harbour or with global visibility"
        );
        let mut again = upload("bad", State::Uploaded);
        again.archive = Some(archive("second"));
        assert_eq!(
            insert(&db, &harbour, &again).await.unwrap(),
            Some(archive("bad"))
        );
        assert_eq!(
            find(&db, &harbour, "bad").await.unwrap().archive,
            Some(archive("second"))
        );
        assert_eq!(shown(&db, &harbour, "bad").await["error"], Value::Null);
    });
}

#[test]
fn another_tenants_blueprint_does_not_exist() {
    pollster::block_on(async {
        let db = fresh().await;
        let mut private = upload("private", State::Uploaded);
        private.visibility = Visibility::Private;
        let mut everywhere = upload("everywhere", State::Uploaded);
        everywhere.visibility = Visibility::Global;
        let ann = user("ann", "harbour");
        for upload in [&private, &everywhere, &upload("plain", State::Uploaded)] {
            insert(&db, &ann, upload).await.unwrap();
        }
        let (bob, quentin) = (user("bob", "harbour"), user("quentin", "quay"));
        for (scope, id, visible) in [
            (&ann, "private", true),
            (&bob, "private", false),
            (&admin("harbour"), "private", true),
            (&bob, "plain", true),
            (&quentin, "plain", false),
            (&quentin, "everywhere", true),
        ] {
            let got = find(&db, scope, id).await.map_err(|error| error.kind());
            assert_eq!(got.is_ok(), visible, "{id} for {}", scope.username());
        }
        let refusal = find_own(&db, &quentin, "everywhere").await.unwrap_err();
        assert_eq!(refusal.kind(), Kind::IllegalAction);
        assert!(find_own(&db, &bob, "everywhere").await.is_ok());
        assert!(exists_elsewhere(&db, &quentin, "plain").await.unwrap());
        assert!(!exists_elsewhere(&db, &bob, "plain").await.unwrap());
    });
}

#[test]
fn changes_touch_what_they_name_and_the_time_of_update() {
    pollster::block_on(async {
        let db = fresh().await;
        let scope = admin("harbour");
        insert(&db, &scope, &upload("crane", State::Uploading))
            .await
            .unwrap();
        db.execute("update blueprints set updated_at = '2001'", &[])
            .await
            .unwrap();
        let crane = find(&db, &scope, "crane").await.unwrap();
        let changes = Changes {
            state: Some(State::Uploaded),
            description: Some("taller".into()),
            plan: Some(PlanTexts {
                full: json!({ "nodes": [], "inputs": {} }).to_string(),
                stored: json!({}).to_string(),
                imports: vec![],
            }),
            ..Changes::default()
        };
        save(&db, &scope, &crane, &changes).await.unwrap();
        let after = shown(&db, &scope, "crane").await;
        assert_eq!(after["state"], "uploaded");
        assert_eq!(after["description"], "taller");
        assert_eq!(after["plan"]["inputs"], json!({}));
        assert_eq!(after["main_file_name"], "blueprint.yaml");
        assert_ne!(after["updated_at"], "2001");
        written(&db, "new").await;
        save_archive(&db, &scope, &crane, &archive("new"), "blueprint_upload")
            .await
            .unwrap();
        assert_eq!(
            find(&db, &scope, "crane").await.unwrap().archive,
            Some(archive("new"))
        );
    });
}

#[test]
fn visibility_widens_only_where_the_id_is_free() {
    pollster::block_on(async {
        let db = fresh().await;
        let (harbour, quay) = (admin("harbour"), admin("quay"));
        for (scope, id) in [(&harbour, "crane"), (&quay, "crane"), (&harbour, "winch")] {
            insert(&db, scope, &upload(id, State::Uploaded))
                .await
                .unwrap();
        }
        let ann = user("ann", "harbour");
        for (scope, id, next, want) in [
            (&harbour, "crane", Visibility::Tenant, Ok(())),
            (
                &harbour,
                "crane",
                Visibility::Private,
                Err(Kind::IllegalAction),
            ),
            (&harbour, "crane", Visibility::Global, Err(Kind::Conflict)),
            (&ann, "winch", Visibility::Global, Err(Kind::Forbidden)),
            (&harbour, "winch", Visibility::Global, Ok(())),
            (
                &harbour,
                "winch",
                Visibility::Tenant,
                Err(Kind::IllegalAction),
            ),
        ] {
            let blueprint = find(&db, scope, id).await.unwrap();
            let got = set_visibility(&db, scope, &blueprint, next).await;
            assert_eq!(got.map_err(|error| error.kind()), want, "{id} -> {next}");
        }
        assert_eq!(
            find(&db, &quay, "winch").await.unwrap().visibility,
            Visibility::Global
        );
    });
}

#[test]
fn what_depends_on_a_blueprint_is_found() {
    pollster::block_on(async {
        let db = fresh().await;
        let (harbour, quay) = (admin("harbour"), admin("quay"));
        insert(&db, &harbour, &upload("base", State::Uploaded))
            .await
            .unwrap();
        let base = find(&db, &harbour, "base").await.unwrap();
        insert(&db, &quay, &upload("foreign", State::Uploaded))
            .await
            .unwrap();
        assert!(
            !is_imported(&db, &base).await.unwrap(),
            "its own row and another tenant's"
        );
        let mut everywhere = base.clone();
        everywhere.visibility = Visibility::Global;
        assert!(is_imported(&db, &everywhere).await.unwrap());
        insert(&db, &harbour, &upload("crane", State::Uploaded))
            .await
            .unwrap();
        assert!(is_imported(&db, &base).await.unwrap());

        assert!(dependent_deployments(&db, &base).await.unwrap().is_empty());
        db.execute(
            "insert into deployments (id, tenant_name, created_by, visibility, created_at,
                 updated_at, blueprint_key, blueprint_id, display_name)
             values ('d1', 'harbour', 'ann', 'tenant', '2024', '2024', ?1, 'base', 'd1')",
            params![base.key],
        )
        .await
        .unwrap();
        assert_eq!(dependent_deployments(&db, &base).await.unwrap(), ["d1"]);
        db.execute("delete from deployments", &[]).await.unwrap();

        delete(&db, &harbour, &base).await.unwrap();
        assert_eq!(
            find(&db, &harbour, "base").await.unwrap_err().kind(),
            Kind::NotFound
        );
        let left = labels::find(&db, LabelOwner::Blueprint, base.key)
            .await
            .unwrap();
        assert!(left.is_empty());
        assert_eq!(plan(&db, base.key).await.unwrap(), Value::Null);
    });
}

#[test]
fn lists_and_lookups_follow_indexes() {
    pollster::block_on(async {
        let db = fresh().await;
        let ann = user("ann", "harbour");
        for (query, index) in [
            ("", "blueprints_by_tenant"),
            ("_sort=-created_at", "blueprints_by_creation"),
            ("_sort=updated_at", "blueprints_by_update"),
            ("id=crane", "(tenant_name=? AND id=?)"),
        ] {
            let request = Request::new(Method::GET, &format!("/blueprints?{query}&_include=id"));
            let mut parsed = ListQuery::parse(&BLUEPRINTS, &request, &[]).unwrap();
            parsed.and(NOT_HIDDEN, []);
            let statement = BLUEPRINTS.page_statement(&ann, &parsed);
            let plan = db
                .plan(&statement.sql, &statement.parameters)
                .await
                .unwrap()
                .join("\n");
            assert!(plan.contains(index), "{query}: {plan}");
            let scans = plan.lines().filter(|line| line.starts_with("SCAN t"));
            assert!(
                scans.into_iter().all(|line| line.contains("global")),
                "{query}: {plan}"
            );
        }
        let sql = format!(
            "select {COLUMNS} from blueprints where id = ?4 and {}",
            Scope::VISIBLE
        );
        let plan = db
            .plan(&sql, &ann.with(&["crane".into()]))
            .await
            .unwrap()
            .join("\n");
        assert!(plan.contains("blueprints_by_id"), "{plan}");
    });
}

#[test]
fn lists_leave_hidden_blueprints_out() {
    pollster::block_on(async {
        let db = fresh().await;
        let scope = admin("harbour");
        for id in ["crane", "temporary"] {
            insert(&db, &scope, &upload(id, State::Uploaded))
                .await
                .unwrap();
        }
        let hide = "update blueprints set is_hidden = 1 where id = 'temporary'";
        db.execute(hide, &[]).await.unwrap();
        let request = Request::new(Method::GET, "/blueprints");
        let mut query = ListQuery::parse(&BLUEPRINTS, &request, &[]).unwrap();
        query.and(NOT_HIDDEN, []);
        let page = list::page(&db, &BLUEPRINTS.page_statement(&scope, &query))
            .await
            .unwrap();
        assert_eq!(page.total, 1);
    });
}

#[test]
fn states_are_read_by_name() {
    for state in State::ALL {
        assert_eq!(State::parse(state.name()).unwrap(), state);
        assert!(!(state.is_failed() && state.is_usable()));
    }
    let refusal = State::parse("done").unwrap_err();
    assert!(
        refusal
            .message()
            .starts_with("Invalid state: `done`. Valid blueprint state values are: ['pending',")
    );
}

#[test]
fn a_validation_leaves_nothing_but_its_execution() {
    pollster::block_on(async {
        let db = fresh().await;
        let scope = admin("harbour");
        let mut failing = upload("crane", State::Invalid);
        failing.archive = None;
        let shown = insert_validation(&db, &scope, &failing).await.unwrap();
        assert_eq!(shown["state"], "validating");
        assert_eq!(shown["upload_execution"]["status"], "failed");
        assert_eq!(shown["upload_execution"]["error"], "it broke");
        for (table, left) in [
            ("blueprints", 0),
            ("blueprint_labels", 0),
            ("executions", 1),
        ] {
            let row = db
                .first(&format!("select count(*) from {table}"), &[])
                .await
                .unwrap();
            assert_eq!(row.unwrap().integer(0).unwrap(), left, "{table}");
        }
        insert(&db, &scope, &failing).await.unwrap();
        let refusal = insert_validation(&db, &scope, &failing).await.unwrap_err();
        assert_eq!(
            refusal.kind(),
            Kind::Conflict,
            "not even a failed one is replaced"
        );
        let refusal = demand_absent(&db, &scope, "crane", Visibility::Tenant)
            .await
            .unwrap_err();
        assert_eq!(refusal.kind(), Kind::Conflict);
        assert!(
            demand_absent(&db, &scope, "winch", Visibility::Tenant)
                .await
                .is_ok()
        );
    });
}

#[test]
fn what_an_update_refers_to_has_to_exist() {
    pollster::block_on(async {
        let db = fresh().await;
        let (harbour, quay) = (admin("harbour"), admin("quay"));
        insert(&db, &harbour, &upload("crane", State::Uploaded))
            .await
            .unwrap();
        let shown = shown(&db, &harbour, "crane").await;
        let execution = shown["upload_execution"]["id"].as_str().unwrap();
        assert!(demand_execution(&db, &harbour, execution).await.is_ok());
        let refusal = demand_execution(&db, &quay, execution).await.unwrap_err();
        assert_eq!(refusal.kind(), Kind::NotFound);
        let sql = "insert into users (id, username, password_hash, role, created_at)
             values (9, 'Ann', '', 'default', '2024')";
        db.execute(sql, &[]).await.unwrap();
        let username = resource::username;
        assert_eq!(username(&db, "ANN").await.unwrap(), "Ann");
        let refusal = username(&db, "bob").await.unwrap_err();
        assert_eq!(refusal.message(), "User bob does not exist.");
        let crane = find(&db, &harbour, "crane").await.unwrap();
        let same = resource::demand_widening(&db, &harbour, &crane, Visibility::Tenant).await;
        assert!(same.is_ok());
        let narrower = resource::demand_widening(&db, &harbour, &crane, Visibility::Private).await;
        assert_eq!(narrower.unwrap_err().kind(), Kind::IllegalAction);
    });
}

#[test]
fn blobs_are_nobodys_until_a_row_names_them_and_again_when_none_does() {
    pollster::block_on(async {
        let db = fresh().await;
        let scope = admin("harbour");
        let refusal = super::insert(&db, &scope, &upload("crane", State::Uploaded)).await;
        assert_eq!(
            refusal.unwrap_err().kind(),
            Kind::Unavailable,
            "it was swept"
        );
        insert(&db, &scope, &upload("crane", State::Uploaded))
            .await
            .unwrap();
        assert_eq!(loose(&db).await, json!([]));
        let crane = find(&db, &scope, "crane").await.unwrap();
        written(&db, "new").await;
        save_archive(&db, &scope, &crane, &archive("new"), "blueprint_icon")
            .await
            .unwrap();
        assert_eq!(loose(&db).await, json!(["crane"]));
        let crane = find(&db, &scope, "crane").await.unwrap();
        delete(&db, &scope, &crane).await.unwrap();
        assert_eq!(loose(&db).await, json!(["crane", "new"]));
    });
}

/// The row of the queue about an upload that goes on, lent to this holder.
async fn lent(db: &NativeDb, holder: &str) -> crate::queue::Leased {
    let now = Timestamp::now().plus_seconds(60);
    let mut rows = crate::queue::lease(db, holder, 10, 1000, now)
        .await
        .unwrap();
    rows.pop().unwrap()
}

#[test]
fn an_upload_that_goes_on_is_ended_by_whoever_holds_it() {
    pollster::block_on(async {
        let db = fresh().await;
        let scope = user("ann", "harbour");
        let mut begun = upload("crane", State::Pending);
        begun.goes_on = true;
        begun.plan = None;
        begun.labels = Vec::new();
        begun.archive = None;
        begun.execution.as_mut().unwrap().parameters = json!({ "url": "http://a/b" });
        insert(&db, &scope, &begun).await.unwrap();
        let row = lent(&db, "one").await;
        assert_eq!(row.kind, UPLOAD_WORK);
        assert_eq!(find_under_way(&db, "two", row.key).await.unwrap(), None);
        let under_way = find_under_way(&db, "one", row.key).await.unwrap().unwrap();
        assert_eq!(under_way.url.as_deref(), Some("http://a/b"));
        assert!(!under_way.has_labels && !under_way.sees_private);
        let key = under_way.blueprint.key;
        advance(&db, key, State::Uploading).await.unwrap();
        assert!(take_archive(&db, key, &archive("blob")).await.unwrap());
        assert!(!take_archive(&db, 99, &archive("blob")).await.unwrap());
        let after = find_under_way(&db, "one", row.key).await.unwrap().unwrap();
        assert_eq!(after.blueprint.state, State::Extracting);
        assert_eq!(after.blueprint.archive, Some(archive("blob")));

        let found = upload("crane", State::Uploaded);
        let ended = end(&db, &scope, "two", row.key, &after, &found).await;
        assert!(!ended.unwrap(), "it is not theirs");
        assert!(
            end(&db, &scope, "one", row.key, &after, &found)
                .await
                .unwrap()
        );
        let shown = shown(&db, &scope, "crane").await;
        assert_eq!(shown["state"], "uploaded");
        assert_eq!(shown["labels"][0]["key"], "env");
        assert_eq!(shown["upload_execution"]["status"], "terminated");
        assert_eq!(shown["plan"], json!({ "nodes": [] }));
        let again = end(&db, &scope, "one", row.key, &after, &found).await;
        assert!(!again.unwrap(), "it has ended");
    });
}

#[test]
fn an_upload_that_goes_on_can_fail_and_be_given_up() {
    pollster::block_on(async {
        let db = fresh().await;
        let scope = admin("harbour");
        for (id, is_given_up, state) in [
            ("crane", false, "invalid"),
            ("winch", true, "failed_uploading"),
        ] {
            let mut begun = upload(id, State::Uploading);
            begun.goes_on = true;
            insert(&db, &scope, &begun).await.unwrap();
            let row = lent(&db, "one").await;
            let under_way = find_under_way(&db, "one", row.key).await.unwrap().unwrap();
            assert!(under_way.has_labels && under_way.sees_private);
            if is_given_up {
                give_up(&db, "one", &row, "it broke").await.unwrap();
            } else {
                let found = upload(id, State::Invalid);
                end(&db, &scope, "one", row.key, &under_way, &found)
                    .await
                    .unwrap();
            }
            let shown = shown(&db, &scope, id).await;
            assert_eq!(shown["state"], state);
            assert_eq!(shown["error"], "it broke");
            assert_eq!(shown["upload_execution"]["status"], "failed");
            assert_eq!(find(&db, &scope, id).await.unwrap().archive, None);
        }
        assert_eq!(loose(&db).await, json!(["crane", "winch"]));
    });
}
