use super::*;
use crate::blueprints::{self, Blueprint, Found, PIECE, PlanTexts, State};
use crate::plugins::Package;
use crate::resource::{self, New, Origin};
use windlass_core::db::{Db, NativeDb};
use windlass_core::http::Method;
use windlass_core::list::ListQuery;
use windlass_core::{Request, Result, Scope, Visibility, params};

/// A database with the blueprint `bp` and deployments of it: `west` of everybody, `east` of Ann's alone,
/// `far` in another tenant.
async fn harbour() -> (NativeDb, Scope, Blueprint) {
    let db = crate::fresh_database().await;
    for sql in [
        "insert into tenants (name, created_at) values ('harbour', ''), ('quay', '')",
        "insert into blueprints (id, tenant_name, created_by, visibility, created_at, updated_at, state)
         values ('bp', 'harbour', 'ann', 'global', '', '', 'uploaded')",
        "insert into deployments (id, tenant_name, created_by, visibility, created_at, updated_at,
             blueprint_key, blueprint_id, display_name) values
         ('west', 'harbour', 'ann', 'tenant', '', '', 1, 'bp', 'west'),
         ('east', 'harbour', 'ann', 'private', '', '', 1, 'bp', 'east'),
         ('far', 'quay', 'ann', 'global', '', '', 1, 'bp', 'far')",
    ] {
        db.execute(sql, &[]).await.unwrap();
    }
    let scope = Scope::system("ann", "harbour");
    let blueprint = blueprints::find(&db, &scope, "bp").await.unwrap();
    (db, scope, blueprint)
}

fn found(stored: &str) -> Found {
    Found {
        description: Some("a gauge".to_owned()),
        plan: Some(PlanTexts {
            full: None,
            stored: stored.to_owned(),
            imports: vec!["base".to_owned()],
            packages: vec![Package {
                name: "tide".to_owned(),
                version: Some("2.0".to_owned()),
            }],
        }),
        ..Found::nothing(State::Uploaded)
    }
}

/// Stores a copy with this plan, and an update of that.
async fn update(
    db: &NativeDb,
    scope: &Scope,
    (blueprint, id): (&Blueprint, &str),
    stored: &str,
) -> Result<Running> {
    let (copy_id, found) = (format!("copy-{id}"), found(stored));
    let members = deployments_of(db, scope, blueprint).await?;
    db.transaction(async |tx| {
        let of = (blueprint, copy_id.as_str());
        let key = blueprints::insert_copy(tx, scope, of, None, &found).await?;
        let new = New {
            id: id.to_owned(),
            visibility: Visibility::Tenant,
            origin: Origin::default(),
        };
        let row = NewPluginsUpdate {
            blueprint,
            temp_blueprint_key: Some(key),
            temp_blueprint_id: Some(&copy_id),
            state: PluginsUpdateState::ExecutingWorkflow,
            execution_id: Some(id),
            forced: false,
            all_tenants: false,
        };
        let key = insert(tx, scope, &new, &row).await?;
        insert_members(tx, key, &members, MemberState::Waiting).await
    })
    .await?;
    let row: PluginsUpdate = resource::find(db, scope, id).await?;
    running(db, &row).await
}

fn query(text: &str) -> ListQuery {
    let request = Request::new(Method::GET, &format!("/plugins-updates?{text}"));
    ListQuery::parse(&PLUGINS_UPDATE, &request, &[]).unwrap()
}

#[test]
fn lists_and_lookups_follow_indexes() {
    pollster::block_on(async {
        let (db, scope, blueprint) = harbour().await;
        let running = update(&db, &scope, (&blueprint, "u"), "{}").await.unwrap();
        for (text, index) in [
            ("", "plugins_updates_by_tenant"),
            ("_sort=created_at", "plugins_updates_by_creation"),
            ("state=failed", "plugins_updates_by_state"),
            ("blueprint_id=bp", "plugins_updates_by_blueprint_id"),
        ] {
            let statement = PLUGINS_UPDATE.page_statement(&scope, &query(text));
            let plan = db.plan(&statement.sql, &statement.parameters).await;
            let plan = plan.unwrap().join("\n");
            assert!(plan.contains(index), "{text}: {plan}");
        }
        // What a trigger asks whenever any execution ends.
        let sql = "select 1 from plugins_update_deployments where execution_id = ?1";
        let plan = db.plan(sql, params!["x"]).await.unwrap().join("\n");
        assert!(
            plan.contains("plugins_update_deployments_by_execution"),
            "{plan}"
        );
        let sql = "select key from plugins_update_deployments
                   where update_key = ?1 and state = ?2 order by key limit 1";
        let plan = db.plan(sql, params![running.key, "waiting"]).await.unwrap();
        assert!(
            plan.iter().all(|line| !line.contains("TEMP B-TREE")),
            "{plan:?}"
        );
    });
}

#[test]
fn deployments_are_those_of_the_tenant_that_the_caller_sees() {
    pollster::block_on(async {
        let (db, scope, blueprint) = harbour().await;
        let ids = async |scope: &Scope| {
            let found = deployments_of(&db, scope, &blueprint).await.unwrap();
            let ids = found.into_iter().map(|one| one.deployment_id);
            ids.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(ids(&scope).await, "east west");
        assert_eq!(ids(&Scope::in_name_of("bob", "harbour")).await, "west");
        assert_eq!(ids(&Scope::in_name_of("bob", "quay")).await, "far");
        let others = other_tenants(&db, &scope, &blueprint).await.unwrap();
        assert_eq!(others, ["quay"]);
        // One that came later, as its creator's colleagues see it.
        let running = update(&db, &scope, (&blueprint, "u"), "{}").await.unwrap();
        db.execute("delete from plugins_update_deployments", &[])
            .await
            .unwrap();
        let bob = Scope::in_name_of("bob", "harbour");
        let new = newcomers(&db, &bob, &running).await.unwrap();
        assert_eq!(new.len(), 1);
        assert_eq!(new[0].deployment_id, "west");
    });
}

#[test]
fn the_plan_of_the_copy_becomes_the_blueprints_however_large_it_is() {
    pollster::block_on(async {
        for length in [10, 3 * PIECE] {
            let (db, scope, blueprint) = harbour().await;
            let stored = format!("{{\"nodes\":[],\"text\":\"{}\"}}", "x".repeat(length));
            let running = update(&db, &scope, (&blueprint, "u"), &stored)
                .await
                .unwrap();
            let moved = "update deployments set blueprint_id = 'copy-u', blueprint_key = ?1
                         where id = 'west'";
            let copy = running.temp_blueprint_key;
            db.execute(moved, params![copy]).await.unwrap();
            db.transaction(async |tx| adopt(tx, &running).await)
                .await
                .unwrap();
            let plan = blueprints::plan(&db, &blueprint).await.unwrap();
            assert_eq!(plan["text"].as_str().map(str::len), Some(length));
            let sql = "select group_concat(id || ':' || blueprint_key || blueprint_id, ' ')
                       || (select count(*) from blueprints)
                       || (select package_name || package_version from blueprint_plugins)
                       || (select imported_id from blueprint_imports)
                       from (select * from deployments order by id)";
            let row = db.first(sql, &[]).await.unwrap().unwrap();
            let text = row.text(0).unwrap();
            assert_eq!(text, "east:1bp far:1bp west:1bp1tide2.0base");
        }
    });
}

#[test]
fn a_copy_goes_unless_a_deployment_has_it() {
    pollster::block_on(async {
        let (db, scope, blueprint) = harbour().await;
        let there = async || {
            let sql = "select group_concat(id || is_hidden, ' ') from (select * from blueprints order by key)";
            let row = db.first(sql, &[]).await.unwrap().unwrap();
            row.text(0).unwrap().to_owned()
        };
        let first = update(&db, &scope, (&blueprint, "u"), "{}").await.unwrap();
        assert_eq!(there().await, "bp0 copy-u1");
        db.transaction(async |tx| let_go(tx, &first).await)
            .await
            .unwrap();
        assert_eq!(there().await, "bp0");
        let second = update(&db, &scope, (&blueprint, "v"), "{}").await.unwrap();
        let moved = "update deployments set blueprint_key = ?1 where id = 'west'";
        db.execute(moved, params![second.temp_blueprint_key])
            .await
            .unwrap();
        db.transaction(async |tx| let_go(tx, &second).await)
            .await
            .unwrap();
        assert_eq!(there().await, "bp0 copy-v0");
        let description = "select description from blueprints where id = 'copy-v'";
        let row = db.first(description, &[]).await.unwrap().unwrap();
        let text = row.text(0).unwrap();
        assert!(text.starts_with("a gauge\ncopied from bp at "), "{text}");
    });
}

#[test]
fn one_that_only_looks_active_is_failed_when_somebody_looks_again() {
    pollster::block_on(async {
        let (db, scope, blueprint) = harbour().await;
        update(&db, &scope, (&blueprint, "u"), "{}").await.unwrap();
        let count = async || active(&db, blueprint.key, None).await.unwrap();
        assert_eq!(count().await, ["u"]);
        let execution = "insert into executions (id, tenant_name, created_by, visibility, created_at,
             workflow_id, status) values ('u', 'harbour', 'ann', 'tenant', '', 'update_plugin', ?1)";
        db.execute(execution, params!["started"]).await.unwrap();
        db.transaction(async |tx| reevaluate(tx, &blueprint).await)
            .await
            .unwrap();
        assert_eq!(count().await, ["u"]);
        // However its execution ends, the update ends with it.
        db.execute("update executions set status = 'cancelled'", &[])
            .await
            .unwrap();
        assert!(count().await.is_empty());
        db.execute("update plugins_updates set state = 'updating'", &[])
            .await
            .unwrap();
        db.execute("delete from executions", &[]).await.unwrap();
        db.transaction(async |tx| reevaluate(tx, &blueprint).await)
            .await
            .unwrap();
        assert!(count().await.is_empty());
    });
}

#[test]
fn a_copy_is_shown_when_its_update_goes_with_the_blueprint() {
    pollster::block_on(async {
        let (db, scope, blueprint) = harbour().await;
        let running = update(&db, &scope, (&blueprint, "u"), "{}").await.unwrap();
        let moved = "update deployments set blueprint_key = ?1";
        db.execute(moved, params![running.temp_blueprint_key])
            .await
            .unwrap();
        db.execute("delete from blueprints where id = 'bp'", &[])
            .await
            .unwrap();
        let sql = "select group_concat(id || is_hidden) || (select count(*) from plugins_updates)
                   from blueprints";
        let row = db.first(sql, &[]).await.unwrap().unwrap();
        assert_eq!(row.text(0).unwrap(), "copy-u00");
    });
}
