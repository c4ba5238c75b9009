use super::*;
use crate::migrations;
use windlass_core::Request;
use windlass_core::caller::{AuthMethod, Caller, Reach};
use windlass_core::db::NativeDb;
use windlass_core::http::Method;
use windlass_core::list::ListQuery;

fn pairs(labels: &[(&str, &str)]) -> Vec<Label> {
    labels
        .iter()
        .map(|(key, value)| Label::new(*key, *value))
        .collect()
}

#[test]
fn labels_are_read_in_both_forms() {
    for (given, want) in [
        (json!([]), &[][..]),
        (json!([{"Env": "Prod"}]), &[("env", "Prod")]),
        (
            json!([{"a": ["1", "2"]}, {"b": "x"}]),
            &[("a", "1"), ("a", "2"), ("b", "x")],
        ),
        (json!([{"key": "K", "value": "v"}]), &[("k", "v")]),
        (
            json!([{"value": "v", "key": "k"}, {"x": "y"}]),
            &[("k", "v"), ("x", "y")],
        ),
        (json!([{"key": "v"}]), &[("key", "v")]),
        (
            json!([{"key": "k", "value": "v", "created_at": "2024", "creator_id": 0}]),
            &[("k", "v")],
        ),
        (
            json!([{"csys-obj-type": "Environment"}]),
            &[("csys-obj-type", "environment")],
        ),
        (
            json!([{"csys-location-lat": "-90"}]),
            &[("csys-location-lat", "-90")],
        ),
        (json!([{"a": "ﬁ"}]), &[("a", "fi")]),
    ] {
        assert_eq!(parse(&given).unwrap(), pairs(want), "{given}");
    }
}

#[test]
fn labels_of_another_shape_are_refused() {
    let long = "a".repeat(257);
    let many: Vec<serde_json::Value> = (0..1001).map(|n| json!({ format!("k{n}"): "v" })).collect();
    for (given, part) in [
        (
            json!({"a": "b"}),
            "Labels must be a list of 1-entry dictionaries",
        ),
        (json!(null), "Labels must be a list of 1-entry dictionaries"),
        (
            json!(["a"]),
            "Labels must be a list of 1-entry dictionaries",
        ),
        (json!([{}]), "Labels must be a list of 1-entry dictionaries"),
        (
            json!([{"a": "b", "c": "d"}]),
            "Labels must be a list of 1-entry dictionaries",
        ),
        (
            json!([{"a": 1}]),
            "Labels must be a list of 1-entry dictionaries",
        ),
        (
            json!([{"a": [["b"]]}]),
            "Labels must be a list of 1-entry dictionaries",
        ),
        (
            json!([{"key": 1, "value": "v"}]),
            "Labels must be a list of 1-entry dictionaries",
        ),
        (json!([{"": "b"}]), "is empty"),
        (
            json!([{"ok": "c"}, {"a b": "c"}]),
            "The label key `a b` contains illegal characters. Only letters, digits",
        ),
        (json!([{long.as_str(): "c"}]), "is too long"),
        (
            json!([{"a": long}]),
            "The value of the label `a` is too long",
        ),
        (json!([{"a": "b\n"}]), "Control characters"),
        (json!([{"a": "\""}]), "Control characters"),
        (json!([{"a": "＂"}]), "Control characters"),
        (json!([{"csys-mine": "b"}]), "reserved for internal use"),
        (json!([{"csys-location-lat": "90.1"}]), "between -90 and 90"),
        (
            json!([{"csys-location-long": "NaN"}]),
            "between -180 and 180",
        ),
        (
            json!([{"A": "b"}, {"a": "b"}]),
            "You cannot define the same label twice",
        ),
        (
            json!([{"csys-obj-type": ["X", "x"]}]),
            "You cannot define the same label twice",
        ),
        (json!(many), "at most 1000 labels"),
    ] {
        let refusal = parse(&given).unwrap_err();
        assert!(refusal.message().contains(part), "{given}: {refusal:?}");
    }
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

/// Three blueprints with labels: one of `harbour`, a private one there, a global one of `quay`;
/// and a deployment of the first.
async fn labelled() -> (NativeDb, Scope) {
    let db = NativeDb::in_memory();
    migrations::apply(&db).await.unwrap();
    let scope = Scope::system("admin", "harbour");
    for name in ["harbour", "quay"] {
        db.execute(
            "insert into tenants (name, created_at) values (?1, '2024')",
            params![name],
        )
        .await
        .unwrap();
    }
    for (key, tenant, visibility) in [
        (1, "harbour", "tenant"),
        (2, "harbour", "private"),
        (3, "quay", "global"),
        (4, "quay", "tenant"),
    ] {
        db.execute(
            "insert into blueprints (key, id, tenant_name, created_by, visibility, created_at,
                 updated_at, state) values (?1, 'b' || ?1, ?2, 'ann', ?3, '2024', '2024', 'uploaded')",
            params![key, tenant, visibility],
        )
        .await
        .unwrap();
        let labels = pairs(&[("all", &format!("v{key}")), (&format!("only{key}"), "x")]);
        let blueprint = Labelled::new(LabelOwner::Blueprint, key);
        db.transaction(async |tx| add(tx, &scope, blueprint, &labels).await)
            .await
            .unwrap();
    }
    db.execute(
        "insert into deployments (key, id, tenant_name, created_by, visibility, created_at,
             updated_at, blueprint_key, blueprint_id, display_name)
         values (5, 'd', 'harbour', 'ann', 'tenant', '2024', '2024', 1, 'b1', 'd')",
        &[],
    )
    .await
    .unwrap();
    (db, scope)
}

#[test]
fn replacing_labels_keeps_what_stays() {
    pollster::block_on(async {
        let (db, scope) = labelled().await;
        let created =
            "select created_at from blueprint_labels where blueprint_key = 1 and key = 'all'";
        db.execute("update blueprint_labels set created_at = '2001'", &[])
            .await
            .unwrap();
        let labels = pairs(&[("all", "v1"), ("new", "n")]);
        let [one, two] = [1, 2].map(|key| Labelled::new(LabelOwner::Blueprint, key));
        db.transaction(async |tx| replace(tx, &scope, one, &labels).await)
            .await
            .unwrap();
        assert_eq!(find(&db, one).await.unwrap(), labels);
        let mut oldest_first = find_oldest_first(&db, one).await.unwrap();
        oldest_first.sort();
        assert_eq!(oldest_first, labels);
        let row = db.first(created, &[]).await.unwrap().unwrap();
        assert_eq!(row.text(0).unwrap(), "2001");
        db.transaction(async |tx| replace(tx, &scope, one, &[]).await)
            .await
            .unwrap();
        assert!(find(&db, one).await.unwrap().is_empty());
        assert_eq!(find(&db, two).await.unwrap().len(), 2);
    });
}

#[test]
fn a_deployments_consumer_label_is_the_servers_own() {
    pollster::block_on(async {
        let (db, scope) = labelled().await;
        let deployment = Labelled::new(LabelOwner::Deployment, 5);
        db.transaction(async |tx| {
            let labels = pairs(&[(CONSUMER_ID, "c"), ("a", "b")]);
            add(tx, &scope, deployment, &labels).await?;
            let labels = pairs(&[(CONSUMER_ID, "mine"), ("x", "y")]);
            replace(tx, &scope, deployment, &labels).await
        })
        .await
        .unwrap();
        assert_eq!(
            find(&db, deployment).await.unwrap(),
            pairs(&[(CONSUMER_ID, "c"), ("x", "y")])
        );
        let gone = pairs(&[(CONSUMER_ID, "c"), ("not", "there")]);
        db.transaction(async |tx| remove(tx, deployment, &gone).await)
            .await
            .unwrap();
        assert_eq!(find(&db, deployment).await.unwrap(), pairs(&[("x", "y")]));
    });
}

#[test]
fn the_labels_of_a_row_are_json_with_both_names_of_their_creator() {
    pollster::block_on(async {
        let (db, _) = labelled().await;
        db.execute(
            "insert into users (id, username, password_hash, role, created_at)
             values (9, 'admin', '', 'default', '2024')",
            &[],
        )
        .await
        .unwrap();
        let sql = format!(
            "select {} from blueprints t where key = 1",
            LabelOwner::Blueprint.json_sql()
        );
        let labels: serde_json::Value = db.first_json(&sql, &[]).await.unwrap().unwrap();
        assert_eq!(labels[0]["key"], "all");
        assert_eq!(labels[0]["created_by"], "admin");
        assert_eq!(labels[0]["creator_id"], 9);
        let sql = format!(
            "select {} from deployments t",
            LabelOwner::Deployment.json_sql()
        );
        let labels: serde_json::Value = db.first_json(&sql, &[]).await.unwrap().unwrap();
        assert_eq!(labels, json!([]));
    });
}

#[test]
fn keys_and_values_are_those_of_visible_owners() {
    pollster::block_on(async {
        let (db, admin) = labelled().await;
        let ann = user("ann", "harbour");
        let bob = user("bob", "harbour");
        for (scope, path, want, total) in [
            (&ann, "", json!(["all", "only1", "only2", "only3"]), 4),
            (&bob, "", json!(["all", "only1", "only3"]), 3),
            (&admin, "", json!(["all", "only1", "only2", "only3"]), 4),
            (&bob, "_size=1&_offset=1", json!(["only1"]), 3),
            (&bob, "_search=ONLY", json!(["only1", "only3"]), 2),
            (&bob, "_search=_", json!([]), 0),
            (
                &bob,
                "_get_all_results=true&_size=1",
                json!(["all", "only1", "only3"]),
                3,
            ),
        ] {
            let request = Request::new(Method::GET, &format!("/labels/blueprints?{path}"));
            let (_, page) = keys(&db, LabelOwner::Blueprint, scope, &request)
                .await
                .unwrap();
            assert_eq!(page.items, want.to_string(), "{} {path}", scope.username());
            assert_eq!(page.total, Some(total), "{path}");
        }
        let request = Request::new(Method::GET, "/labels/blueprints/all");
        let (_, page) = values(&db, LabelOwner::Blueprint, &bob, "all", &request)
            .await
            .unwrap();
        assert_eq!(page.items, r#"["v1","v3"]"#);
        let (_, page) = keys(&db, LabelOwner::Deployment, &bob, &request)
            .await
            .unwrap();
        assert_eq!((page.items.as_str(), page.total), ("[]", Some(0)));
        let request = Request::new(Method::GET, "/labels/blueprints?_total=false&_size=1");
        let (_, page) = keys(&db, LabelOwner::Blueprint, &bob, &request)
            .await
            .unwrap();
        assert_eq!((page.items.as_str(), page.total), (r#"["all"]"#, None));
    });
}

#[test]
fn listing_keys_follows_indexes() {
    pollster::block_on(async {
        let (db, _) = labelled().await;
        let scope = user("bob", "harbour");
        let query = ListQuery::everything();
        for owner in [LabelOwner::Blueprint, LabelOwner::Deployment] {
            let statement = list::statement(owner, &scope, "l.key", &query);
            let plan = db.plan(&statement.sql, &statement.parameters).await;
            let plan = plan.unwrap().join("\n");
            assert!(
                plan.contains("SEARCH row_counts USING PRIMARY KEY (counts=? AND tenant_name=?)"),
                "{plan}"
            );
            assert!(plan.contains("row_counts_global (counts=?)"), "{plan}");
        }
    });
}

#[test]
fn reserved_keys_are_listed_in_pages() {
    pollster::block_on(async {
        let (db, _) = labelled().await;
        let request = Request::new(
            Method::GET,
            "/labels/blueprints?_reserved=true&_search=OBJ&_size=2&_offset=1",
        );
        let scope = user("bob", "harbour");
        let (_, page) = keys(&db, LabelOwner::Blueprint, &scope, &request)
            .await
            .unwrap();
        assert_eq!(page.items, r#"["csys-obj-parent","csys-obj-type"]"#);
        assert_eq!(page.total, Some(3));
    });
}
