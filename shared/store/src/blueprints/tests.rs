use super::*;
use crate::labels::{self, Label};
use crate::migrations;
use serde_json::{Value, json};
use windlass_core::caller::{AuthMethod, Caller, Reach};
use windlass_core::db::{Db, NativeDb};
use windlass_core::http::Method;
use windlass_core::list::{self, ListQuery};
use windlass_core::{Kind, Request, Result, Scope, Timestamp, Visibility, params};

mod under_way;
mod update;

pub(super) async fn fresh() -> NativeDb {
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

pub(super) fn admin(tenant: &str) -> Scope {
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

fn found(state: State) -> Found {
    let failed = state.is_failed();
    Found {
        state,
        error: failed.then(|| "it broke".to_owned()),
        description: Some("a crane".into()),
        requirements: Some(json!({ "secrets": [], "parent_capabilities": [] })),
        plan: (!failed).then(|| PlanTexts {
            full: Some(json!({ "nodes": [] }).to_string()),
            stored: json!({ "sections": {}, "nodes": [], "shared": [] }).to_string(),
            imports: vec!["base".into()],
            packages: Vec::new(),
        }),
        labels: vec![Label::new("own", "yes")],
    }
}

pub(super) fn upload(id: &str, state: State) -> Upload {
    Upload {
        id: id.into(),
        visibility: Visibility::Tenant,
        main_file_name: Some("blueprint.yaml".into()),
        labels: vec![Label::new("env", "prod")],
        found: found(state),
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
pub(super) async fn insert(db: &NativeDb, scope: &Scope, upload: &Upload) -> Result<()> {
    if let Some(archive) = &upload.archive {
        written(db, &archive.blob).await;
    }
    db.transaction(async |tx| super::insert(tx, scope, upload).await)
        .await
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
        insert(&db, &scope, &upload("crane", State::Uploaded))
            .await
            .unwrap();
        let found = find(&db, &scope, "crane").await.unwrap();
        assert_eq!(
            (found.state, found.visibility),
            (State::Uploaded, Visibility::Tenant)
        );
        assert_eq!(found.archive, Some(archive("crane")));
        assert_eq!(plan(&db, &found).await.unwrap()["shared"], json!([]));
        let mut other = found.clone();
        other.key += 1;
        assert_eq!(plan(&db, &other).await.unwrap(), Value::Null);
        let shown = shown(&db, &scope, "crane").await;
        assert_eq!(shown["plan"], format!("/plan/{}", found.key));
        let full = PlanText::Full(json!({ "nodes": [] }).to_string());
        assert_eq!(text_to_show(&db, found.key).await.unwrap(), Some(full));
        assert_eq!(shown["labels"][0]["value"], "prod");
        assert_eq!(shown["is_hidden"], false);
        let execution = &shown["upload_execution"];
        assert_eq!(execution["status"], "terminated");
        assert_eq!(execution["status_display"], "completed");
        assert_eq!(execution["parameters"]["blueprint_id"], "crane");
        assert_eq!(execution["is_system_workflow"], false);
        assert_eq!(execution["error"], "");
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
        insert(&db, &harbour, &again).await.unwrap();
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
        let plan = db
            .plan(&row::find_sql(), &ann.with(&["crane".into()]))
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
        assert_eq!(page.total, Some(1));
    });
}

#[test]
fn a_validation_leaves_nothing_but_its_execution() {
    pollster::block_on(async {
        let db = fresh().await;
        let scope = admin("harbour");
        let mut failing = upload("crane", State::Invalid);
        failing.archive = None;
        let validate = async || {
            db.transaction(async |tx| insert_validation(tx, &scope, &failing).await)
                .await
        };
        let shown = validate().await.unwrap();
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
        let refusal = validate().await.unwrap_err();
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
fn blobs_are_nobodys_until_a_row_names_them_and_again_when_none_does() {
    pollster::block_on(async {
        let db = fresh().await;
        let scope = admin("harbour");
        let swept = upload("crane", State::Uploaded);
        let refusal = db
            .transaction(async |tx| super::insert(tx, &scope, &swept).await)
            .await;
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
        db.transaction(async |tx| {
            save_archive(tx, &scope, &crane, &archive("new"), "blueprint_icon").await
        })
        .await
        .unwrap();
        assert_eq!(loose(&db).await, json!(["crane"]));
        let crane = find(&db, &scope, "crane").await.unwrap();
        db.transaction(async |tx| delete(tx, &scope, &crane).await)
            .await
            .unwrap();
        assert_eq!(loose(&db).await, json!(["crane", "new"]));
    });
}

#[test]
fn a_blueprint_takes_its_uploads_along() {
    pollster::block_on(async {
        let db = fresh().await;
        let scope = admin("harbour");
        let uploads = async || {
            let sql = "select count(*) from executions where workflow_id = 'upload_blueprint'";
            let row = db.first(sql, &[]).await.unwrap().unwrap();
            row.integer(0).unwrap()
        };
        for (id, state) in [("other", State::Uploaded), ("crane", State::Invalid)] {
            insert(&db, &scope, &upload(id, state)).await.unwrap();
        }
        assert_eq!(uploads().await, 2);
        // The failed one is replaced, with its execution.
        let mut again = upload("crane", State::Uploaded);
        again.archive = Some(archive("second"));
        insert(&db, &scope, &again).await.unwrap();
        assert_eq!(uploads().await, 2);
        let crane = find(&db, &scope, "crane").await.unwrap();
        db.transaction(async |tx| delete(tx, &scope, &crane).await)
            .await
            .unwrap();
        assert_eq!(uploads().await, 1);
    });
}
