//! What filters and searches cost in a small installation and in one ten times as large, in steps of SQLite:
//! those are the same on every machine.

use super::*;
use crate::deployments::DEPLOYMENT_LIST;
use windlass_core::Request;
use windlass_core::http::Method;

const SMALL: usize = 2_000;
const LARGE: usize = 20_000;

/// What is selected: rules, or what a list is asked for besides.
enum Selected {
    Rules(Vec<Json>),
    Query(&'static str),
}

fn label(key: &str, operator: &str, values: Json) -> Json {
    rule("label", key, operator, values)
}

fn attribute(key: &str, operator: &str, values: Json) -> Json {
    rule("attribute", key, operator, values)
}

/// Selections of many rows: half of them, a third, a tenth.
fn selections() -> Vec<Selected> {
    use Selected::{Query, Rules};
    let port = || label("place", "any_of", json!(["port"]));
    vec![
        Rules(vec![port()]),
        Rules(vec![label("place", "is_not", json!(["port"]))]),
        Rules(vec![label("place", "any_of", json!(["port", "sea"]))]),
        Rules(vec![
            port(),
            attribute("display_name", "contains", json!(["1"])),
        ]),
        Rules(vec![
            port(),
            attribute("blueprint_id", "any_of", json!(["crane"])),
        ]),
        Rules(vec![
            port(),
            attribute("installation_status", "any_of", json!(["inactive"])),
        ]),
        Rules(vec![port(), label("number", "is_not", json!(["7"]))]),
        Rules(vec![attribute("site_name", "any_of", json!(["pier"]))]),
        Rules(vec![attribute("id", "starts_with", json!(["d"]))]),
        Query("created_by=ann"),
        Query("_search=d1"),
    ]
}

/// The steps of a page of 20.
async fn steps(db: &NativeDb, selected: &Selected, more: &str) -> i64 {
    let scope = Scope::in_name_of("bob", "default_tenant");
    let (rules, text) = match selected {
        Selected::Rules(rules) => (parse(Target::Deployments, rules).unwrap(), ""),
        Selected::Query(text) => (Vec::new(), *text),
    };
    let path = format!("/deployments?_size=20&_include=id&{text}{more}");
    let request = Request::new(Method::GET, &path);
    let mut query = ListQuery::parse(DEPLOYMENT_LIST, &request, &[]).unwrap();
    db.steps();
    if !rules.is_empty() {
        selection::apply(db, Target::Deployments, &rules, &mut query)
            .await
            .unwrap();
    }
    let page = DEPLOYMENT.page(db, &scope, &query).await.unwrap();
    let ids: Vec<Json> = page.parse().unwrap();
    assert_eq!(ids.len(), 20, "{path} {rules:?}");
    db.steps()
}

fn named(selected: &Selected) -> String {
    match selected {
        Selected::Rules(rules) => Json::from(rules.as_slice()).to_string(),
        Selected::Query(text) => (*text).to_owned(),
    }
}

async fn of_both() -> [NativeDb; 2] {
    let both = [harbour(SMALL).await, harbour(LARGE).await];
    for db in &both {
        for sql in [
            "update deployments set site_name = 'pier' where key % 10 < 5",
            // No deployment has two labels of a key.
            "delete from deployment_labels where deployment_key = 2 and value = 'port'",
        ] {
            db.execute(sql, params![]).await.unwrap();
        }
    }
    both
}

#[test]
fn a_page_that_comes_again_and_one_without_a_total_cost_the_same_in_a_large_installation() {
    pollster::block_on(async {
        let [small, large] = of_both().await;
        for selected in selections() {
            for more in ["&_total=false", ""] {
                // An instance has one database: what it remembers of another one does not count.
                let mut again = Vec::new();
                for db in [&small, &large] {
                    steps(db, &selected, more).await;
                    again.push(steps(db, &selected, more).await);
                }
                let (few, many) = (again[0], again[1]);
                // Candidates of searches and of labels are read up to a limit.
                assert!(many <= 3 * few, "{}{more}: {few}, {many}", named(&selected));
            }
        }
    });
}

#[test]
fn what_one_label_selects_is_never_counted() {
    pollster::block_on(async {
        let [small, large] = of_both().await;
        for selected in &selections()[..3] {
            let few = steps(&small, selected, "").await;
            let many = steps(&large, selected, "").await;
            assert!(many <= 3 * few, "{}: {few}, {many}", named(selected));
        }
    });
}

/// A third has the label: those are looked at, not all of them.
#[test]
fn a_label_with_something_else_is_counted_along_the_label() {
    pollster::block_on(async {
        let [_, large] = of_both().await;
        let selected = &selections()[3];
        let without = steps(&large, selected, "&_total=false").await;
        let with = steps(&large, selected, "").await;
        let labelled = i64::try_from(LARGE / 3).unwrap();
        let each = (with - without) / labelled;
        assert!((1..=14).contains(&each), "{each}");
    });
}

/// What triggers add when a deployment with two labels is written, in steps.
#[test]
fn versions_cost_a_write_next_to_nothing() {
    pollster::block_on(async {
        let db = harbour(100).await;
        let write = async |first: usize| {
            let numbers = format!(
                "with recursive n (k) as (select {first} union all select k + 1 from n where k < {first} + 99)"
            );
            db.steps();
            for sql in [
                format!("{numbers} insert into deployments (key, id, tenant_name, created_by, visibility, created_at, updated_at,
                     blueprint_key, blueprint_id, display_name) select k, 'd' || k, 'default_tenant', 'ann', 'tenant', '', '', 1, 'crane', 'D' from n"),
                format!("{numbers} insert into deployment_labels (deployment_key, key, value, created_at, created_by)
                     select k, 'a', 'x', '', 'ann' from n union all select k, 'b', 'y', '', 'ann' from n"),
            ] {
                db.execute(&sql, params![]).await.unwrap();
            }
            db.steps()
        };
        let with = write(1_001).await;
        for name in [
            "deployments_version_grows",
            "deployment_labels_version_grows",
        ] {
            db.execute(&format!("drop trigger {name}"), params![])
                .await
                .unwrap();
        }
        let without = write(2_001).await;
        assert!(
            with * 100 <= without * 108,
            "{with} steps, {without} without versions"
        );
    });
}
