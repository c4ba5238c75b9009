use super::*;
use serde_json::json;
use std::rc::Rc;
use windlass_core::caller::{AuthMethod, Reach};
use windlass_core::db::NativeDb;
use windlass_core::permission::PermissionSet;

async fn fresh() -> NativeDb {
    crate::fresh_database().await
}

fn caller(role: &str) -> Caller {
    Caller {
        user_id: 7,
        username: "ann".into(),
        role: role.into(),
        method: AuthMethod::Basic,
        system: PermissionSet::default(),
        tenants: Default::default(),
        execution_id: None,
    }
}

fn scope(role: &str) -> Scope {
    Scope::of(Rc::new(caller(role)), Reach::Nowhere, String::new())
}

#[test]
fn settings_are_found_by_name_or_scope_and_name() {
    pollster::block_on(async {
        let db = fresh().await;
        let scope = scope("default");
        for (name, want) in [
            ("task_retries", Ok(json!(60))),
            ("workflow.task_retries", Ok(json!(60))),
            ("agent.max_workers", Ok(json!(5))),
            ("max_workers", Err(Kind::AmbiguousName)),
            ("agent.task_retries", Err(Kind::NotFound)),
            ("colour", Err(Kind::NotFound)),
            ("", Err(Kind::NotFound)),
        ] {
            let got = find(&db, &scope, name).await;
            let got = got
                .map(|setting| setting.value)
                .map_err(|error| error.kind());
            assert_eq!(got, want, "{name}");
        }
        let workflow = list(&db, &scope, Some("workflow")).await.unwrap();
        let names: Vec<&str> = workflow
            .iter()
            .map(|setting| setting.name.as_str())
            .collect();
        assert_eq!(
            names,
            ["subgraph_retries", "task_retries", "task_retry_interval"]
        );
        assert!(list(&db, &scope, None).await.unwrap().len() > 20);
        assert!(list(&db, &scope, Some("nowhere")).await.unwrap().is_empty());
    });
}

#[test]
fn every_default_is_what_its_schema_allows() {
    pollster::block_on(async {
        let db = fresh().await;
        for setting in list(&db, &scope("default"), None).await.unwrap() {
            let accepted = schema::accept(&setting.schema, setting.value.clone());
            assert_eq!(accepted.as_ref(), Ok(&setting.value), "{}", setting.name);
        }
    });
}

#[test]
fn a_change_is_checked_in_the_documented_order() {
    pollster::block_on(async {
        let db = fresh().await;
        for (name, role, value, force, want) in [
            (
                "ldap_server",
                "default",
                json!(1),
                false,
                Err(Kind::Unauthorized),
            ),
            (
                "ldap_server",
                "sys_admin",
                json!(1),
                false,
                Err(Kind::Conflict),
            ),
            (
                "service_management",
                "sys_admin",
                json!("x"),
                false,
                Err(Kind::Conflict),
            ),
            (
                "service_management",
                "sys_admin",
                json!("x"),
                true,
                Ok(json!("x")),
            ),
            ("task_retries", "default", json!("7"), false, Ok(json!(7))),
            (
                "task_retry_interval",
                "default",
                json!(7 * 86_400),
                false,
                Ok(json!(7 * 86_400)),
            ),
            (
                "task_retry_interval",
                "default",
                json!(366 * 86_400),
                false,
                Err(Kind::Conflict),
            ),
            (
                "task_retries",
                "default",
                json!("-7"),
                true,
                Err(Kind::Conflict),
            ),
        ] {
            let setting = find(&db, &scope(role), name).await.unwrap();
            let got = setting
                .changed(&caller(role), value, force)
                .map_err(|error| error.kind());
            assert_eq!(got, want, "{name} by {role}");
        }
    });
}

#[test]
fn a_saved_setting_tells_who_and_when_and_is_masked_for_others() {
    pollster::block_on(async {
        let db = fresh().await;
        let scope = scope("sys_admin");
        let setting = find(&db, &scope, "ldap_server").await.unwrap();
        assert_eq!((&setting.updated_at, &setting.updater_name), (&None, &None));
        db.transaction(async |tx| save(tx, &scope, &setting, &json!("ldap://one")).await)
            .await
            .unwrap();
        let setting = find(&db, &scope, "rest.ldap_server").await.unwrap();
        assert_eq!(setting.updater_name.as_deref(), Some("ann"));
        assert!(setting.updated_at.is_some());
        assert_eq!(
            setting.clone().shown_to(&caller("sys_admin")).value,
            "ldap://one"
        );
        assert_eq!(setting.shown_to(&caller("default")).value, "********");
        let row = db
            .first("select target_id from audit_log", &[])
            .await
            .unwrap()
            .unwrap();
        assert_eq!(row.text(0).unwrap(), "rest.ldap_server");
    });
}

#[test]
fn whole_numbers_are_read_and_nothing_else_counts_as_one() {
    pollster::block_on(async {
        let db = fresh().await;
        for (stored, want) in [
            ("30", Some(30)),
            ("4.0", Some(4)),
            ("\"x\"", None),
            ("null", None),
        ] {
            db.execute(
                "update config set value = ?1 where name = 'account_lock_period'",
                params![stored],
            )
            .await
            .unwrap();
            assert_eq!(
                integer(&db, "account_lock_period").await.unwrap(),
                want,
                "{stored}"
            );
        }
        assert_eq!(integer(&db, "colour").await.unwrap(), None);
        assert_eq!(number(&db, "task_retries").await.unwrap(), Some(60.0));
        assert_eq!(number(&db, "log_level").await.unwrap(), None);
        let sql = "select value from config where name = ?1 order by scope limit 1";
        let plan = db.plan(sql, params!["x"]).await.unwrap().join("\n");
        assert!(
            plan.contains("config_by_name") && !plan.contains("TEMP"),
            "{plan}"
        );
    });
}

#[test]
fn authorization_lists_roles_and_who_holds_what() {
    pollster::block_on(async {
        let db = fresh().await;
        let told = authorization(&db, &scope("default")).await.unwrap();
        assert_eq!(told["roles"][0]["name"], "sys_admin");
        assert_eq!(told["permissions"]["all_tenants"], json!(["sys_admin"]));
        assert_eq!(
            told["permissions"]["manager_config_put"],
            json!(["sys_admin", "manager"])
        );
    });
}
