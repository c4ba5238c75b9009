use super::rules::parse;
use super::selection;
use super::*;
use crate::deployments::DEPLOYMENT;
use serde_json::{Value as Json, json};
use windlass_core::Kind;
use windlass_core::db::NativeDb;
use windlass_core::list::ListQuery;

fn rule(kind: &str, key: &str, operator: &str, values: Json) -> Json {
    json!({ "key": key, "values": values, "operator": operator, "type": kind })
}

/// Deployments of one blueprint, numbered; each third is in the port, each has a number as a label.
async fn harbour(count: usize) -> NativeDb {
    let db = crate::fresh_database().await;
    let numbers = format!(
        "with recursive n (k) as (select 1 union all select k + 1 from n where k < {count})"
    );
    for sql in [
        "insert into blueprints (key, id, tenant_name, created_by, visibility, created_at, updated_at, state)
         values (1, 'crane', 'default_tenant', 'ann', 'global', '', '', 'uploaded')".to_owned(),
        format!(
            "{numbers} insert into deployments (key, id, tenant_name, created_by, visibility, created_at,
                 updated_at, blueprint_key, blueprint_id, display_name, site_name)
             select k, 'd' || k, 'default_tenant', 'ann', iif(k % 10 = 0, 'private', 'tenant'), '', '', 1, 'crane',
                 'Deployment ' || k, iif(k = 2, 'pier', null) from n"
        ),
        format!(
            "{numbers} insert into deployment_labels (deployment_key, key, value, created_at, created_by)
             select k, 'number', k, '', 'ann' from n
             union all select k, 'place', iif(k % 3 = 0, 'port', 'sea'), '', 'ann' from n where k <> 1
             union all select 2, 'place', 'port', '', 'ann'"
        ),
    ] {
        db.execute(&sql, params![]).await.unwrap();
    }
    db
}

async fn selected(db: &NativeDb, scope: &Scope, rules: &[Json]) -> (Vec<String>, i64) {
    let rules = parse(Target::Deployments, rules).unwrap();
    let mut query = ListQuery::everything();
    query.paging.all_results = false;
    query.include = DEPLOYMENT.parse_include(Some("id")).unwrap();
    selection::apply(db, Target::Deployments, &rules, &mut query)
        .await
        .unwrap();
    let page = DEPLOYMENT.page(db, scope, &query).await.unwrap();
    let ids: Vec<Json> = page.parse().unwrap();
    let ids = ids.iter().map(|one| one["id"].as_str().unwrap().to_owned());
    (ids.collect(), page.total.unwrap())
}

#[test]
fn rules_select_by_labels_and_attributes() {
    pollster::block_on(async {
        let db = harbour(9).await;
        let scope = Scope::system("ann", "default_tenant");
        let label = |operator: &str, values: Json| rule("label", "Place", operator, values);
        let id = |operator: &str, values: Json| rule("attribute", "id", operator, values);
        let site = |operator: &str, values: Json| rule("attribute", "site_name", operator, values);
        for (rules, want) in [
            (vec![label("any_of", json!(["port"]))], "2 3 6 9"),
            (
                vec![label("any_of", json!(["port", "sea"]))],
                "2 3 4 5 6 7 8 9",
            ),
            (vec![label("not_any_of", json!(["port"]))], "2 4 5 7 8"),
            (vec![label("is_not", json!(["port"]))], "1 4 5 7 8"),
            (vec![label("is_not", json!(["port", "sea"]))], "1"),
            (vec![label("is_null", json!([]))], "1"),
            (vec![label("is_not_null", json!([]))], "2 3 4 5 6 7 8 9"),
            (
                vec![
                    label("any_of", json!(["port"])),
                    id("not_any_of", json!(["d3", "d9"])),
                ],
                "2 6",
            ),
            (vec![id("any_of", json!(["d4", "d8", "x"]))], "4 8"),
            (vec![id("contains", json!(["4", "9"]))], "4 9"),
            (vec![id("contains", json!(["D"]))], ""),
            (vec![id("not_contains", json!(["4", "9"]))], "1 2 3 5 6 7 8"),
            (vec![id("starts_with", json!(["D"]))], "1 2 3 4 5 6 7 8 9"),
            (vec![id("ends_with", json!(["1", "5"]))], "1 5"),
            (vec![id("starts_with", json!(["_"]))], ""),
            (vec![site("is_not_empty", json!([]))], "2"),
            (vec![site("not_any_of", json!(["pier"]))], "1 3 4 5 6 7 8 9"),
            (
                vec![rule(
                    "attribute",
                    "display_name",
                    "contains",
                    json!(["ment 7"]),
                )],
                "7",
            ),
            (
                vec![rule("attribute", "schedules", "is_not_empty", json!([]))],
                "",
            ),
        ] {
            let (ids, total) = selected(&db, &scope, &rules).await;
            let numbers: Vec<&str> = ids.iter().map(|id| &id[1..]).collect();
            assert_eq!(numbers.join(" "), want, "{rules:?}");
            assert_eq!(total, i64::try_from(numbers.len()).unwrap(), "{rules:?}");
        }
    });
}

/// Where a deployment has two labels of a key, the sum of both would count it twice.
#[test]
fn totals_of_several_values_are_those_of_deployments() {
    pollster::block_on(async {
        let db = harbour(4_000).await;
        let admin = Scope::system("ann", "default_tenant");
        let ann = Scope::in_name_of("bob", "default_tenant");
        for has_two in [true, false] {
            if !has_two {
                let sql =
                    "delete from deployment_labels where deployment_key = 2 and value = 'port'";
                db.execute(sql, params![]).await.unwrap();
            }
            let port = 1_333 + i64::from(has_two);
            for (operator, values, wanted) in [
                ("any_of", json!(["port"]), port),
                ("any_of", json!(["port", "sea", "port"]), 3_999),
                ("not_any_of", json!(["port"]), 2_666),
                ("not_any_of", json!(["port", "sea"]), 0),
                ("is_not", json!(["port", "x"]), 4_000 - port),
                ("is_not", json!(["port", "sea"]), 1),
                ("is_null", json!([]), 1),
                ("is_not_null", json!([]), 3_999),
            ] {
                let rules = [rule("label", "place", operator, values.clone())];
                let (_, total) = selected(&db, &admin, &rules).await;
                assert_eq!(total, wanted, "{operator} {values}, two: {has_two}");
                // A tenth is private: who does not see it has it in no total.
                let (ids, total) = selected(&db, &ann, &rules).await;
                let all = ids.len() < 1000;
                assert!(!all || total == ids.len() as i64, "{operator} {values}");
                assert!(total <= wanted, "{operator} {values}");
            }
        }
    });
}

/// Beyond what is few, totals are kept numbers and lists are walked: both must say the same.
#[test]
fn many_and_few_are_counted_alike() {
    pollster::block_on(async {
        let db = harbour(16_000).await;
        let admin = Scope::system("ann", "default_tenant");
        for (operator, total, first) in [("any_of", 5_334, "d2"), ("is_not", 10_666, "d1")] {
            let place = rule("label", "place", operator, json!(["port"]));
            let (ids, counted) = selected(&db, &admin, &[place]).await;
            assert_eq!(
                (counted, ids[0].as_str(), ids.len()),
                (total, first, 1000),
                "{operator}"
            );
        }
        let (ids, total) = selected(
            &db,
            &admin,
            &[rule("label", "number", "any_of", json!(["77"]))],
        )
        .await;
        assert_eq!((ids, total), (vec!["d77".to_owned()], 1));
        let both = [
            rule("label", "place", "any_of", json!(["port"])),
            rule("label", "number", "any_of", json!(["3", "4", "6"])),
        ];
        assert_eq!(
            selected(&db, &admin, &both).await,
            (vec!["d3".to_owned(), "d6".to_owned()], 2)
        );
    });
}

#[test]
fn selections_follow_indexes() {
    pollster::block_on(async {
        let db = crate::fresh_database().await;
        let scope = Scope::system("ann", "default_tenant");
        for (rules, indexes) in [
            (
                rule("label", "place", "any_of", json!(["port"])),
                &["PRIMARY KEY (deployment_key=? AND key=?"][..],
            ),
            (
                rule("label", "place", "is_null", json!([])),
                &["PRIMARY KEY (deployment_key=? AND key=?"],
            ),
            (
                rule("attribute", "blueprint_id", "any_of", json!(["a"])),
                &["deployments_by_blueprint_id"],
            ),
            (
                rule("attribute", "site_name", "any_of", json!(["pier"])),
                &[
                    "deployments_by_site (site_name=? AND tenant_name=?)",
                    "deployments_global_by_site (site_name=?)",
                ],
            ),
        ] {
            let rules = parse(Target::Deployments, &[rules]).unwrap();
            let mut query = ListQuery::everything();
            selection::add(Target::Deployments, &rules, &mut query);
            let statement = DEPLOYMENT.page_statement(&scope, &query);
            let plan = db
                .plan(&statement.sql, &statement.parameters)
                .await
                .unwrap();
            let plan = plan.join("\n");
            for index in indexes {
                assert!(plan.contains(index), "{rules:?}: {plan}");
            }
            assert!(
                !plan.contains("SCAN t\n") && !plan.contains("SCAN l"),
                "{plan}"
            );
            // Nothing is sorted that the whole list would not sort.
            let sorts = |plan: &str| plan.matches("TEMP B-TREE").count();
            let all = DEPLOYMENT.page_statement(&scope, &ListQuery::everything());
            let all = db.plan(&all.sql, &all.parameters).await.unwrap().join("\n");
            assert_eq!(sorts(&plan), sorts(&all), "{plan}");
            if let Some((sql, values)) =
                selection::owners("deployment_labels", "deployment_key", &rules[0])
            {
                let plan = db.plan(&sql, &values).await.unwrap().join("\n");
                assert!(
                    plan.contains("COVERING INDEX deployment_labels_by_key"),
                    "{plan}"
                );
            }
        }
    });
}

#[test]
fn what_is_no_rule_is_refused_with_the_reason() {
    let label = |key: &str, operator: &str, values: Json| rule("label", key, operator, values);
    for (target, given, reason) in [
        (
            Target::Deployments,
            json!(7),
            "The filter rule is not a dictionary",
        ),
        (
            Target::Deployments,
            json!({ "key": "a" }),
            "At least one of the entries in the filter rule is missing",
        ),
        (
            Target::Deployments,
            json!({ "key": "a", "values": [], "operator": "is_null", "type": "label", "x": 1 }),
            "At least one of the entries in the filter rule is missing",
        ),
        (
            Target::Deployments,
            label("a", "any_of", json!("b")),
            "The filter rule values must be a list",
        ),
        (
            Target::Deployments,
            label("a", "contains", json!(["b"])),
            "The operator for filtering by labels must be one of any_of, not_any_of, is_null, is_not_null, is_not",
        ),
        (
            Target::Deployments,
            label("a", "any_of", json!([])),
            "Values list must include at least one item if the operator is any_of",
        ),
        (
            Target::Deployments,
            label("a", "is_null", json!(["b"])),
            "Values list must be empty if the operator is is_null",
        ),
        (
            Target::Deployments,
            label("a b", "is_null", json!([])),
            "The label key `a b` contains illegal characters",
        ),
        (
            Target::Deployments,
            label("csys-x", "is_null", json!([])),
            "reserved for internal use",
        ),
        (
            Target::Deployments,
            label("a", "any_of", json!(["\""])),
            "illegal characters",
        ),
        (
            Target::Deployments,
            label("a", "any_of", json!([1])),
            "Values list must include strings only",
        ),
        (
            Target::Deployments,
            rule("tag", "a", "any_of", json!(["b"])),
            "Filter rule type must be one of label, attribute",
        ),
        (
            Target::Nodes,
            label("a", "any_of", json!(["b"])),
            "Filter rule type must be one of attribute",
        ),
        (
            Target::Deployments,
            rule("attribute", "a", "any_of", json!(["b"])),
            "Allowed attributes to filter deployments by are id, blueprint_id, created_by, site_name, schedules, tenant_name, display_name, installation_status",
        ),
        (
            Target::Secrets,
            rule("attribute", "value", "any_of", json!(["b"])),
            "Allowed attributes to filter secrets by are key, provider_name",
        ),
        (
            Target::Deployments,
            rule("attribute", "id", "is_null", json!([])),
            "The operator for filtering by attributes must be one of any_of, not_any_of, contains, not_contains, starts_with, ends_with, is_not_empty",
        ),
        (
            Target::Deployments,
            rule("attribute", "schedules", "any_of", json!(["b"])),
            "must be one of is_not_empty",
        ),
        (
            Target::Deployments,
            rule("attribute", "id", "any_of", json!(["a/b"])),
            "The `filter rule value` argument contains illegal characters",
        ),
    ] {
        let refusal = parse(target, std::slice::from_ref(&given)).unwrap_err();
        assert_eq!(refusal.kind(), Kind::InvalidFilterRule);
        assert_eq!(refusal.extras()["err_filter_rule"], given);
        let told = refusal.extras()["err_reason"].as_str().unwrap();
        assert!(told.contains(reason), "{given}: {told}");
    }
    let twice = [
        label("A", "any_of", json!(["b", "b"])),
        label("a", "any_of", json!(["b"])),
    ];
    let rules = parse(Target::Blueprints, &twice).unwrap();
    assert_eq!(
        json!(rules),
        json!([rule("label", "a", "any_of", json!(["b"]))])
    );
}

#[test]
fn a_fresh_application_has_its_own_filters() {
    pollster::block_on(async {
        let db = crate::fresh_database().await;
        let scope = Scope::system("ann", "default_tenant");
        for id in ["csys-environment-filter", "csys-service-filter"] {
            let rules = find_rules::<DeploymentsFilter>(&db, &scope, id)
                .await
                .unwrap();
            assert_eq!(rules.len(), 2, "{id}");
            let filter: DeploymentsFilter = resource::find(&db, &scope, id).await.unwrap();
            let changed = db
                .transaction(async |tx| save(tx, &scope, &filter, None, &rules).await)
                .await;
            assert_eq!(
                changed.unwrap_err().message(),
                "Cannot update a system filter"
            );
            let gone = db
                .transaction(async |tx| delete(tx, &scope, &filter).await)
                .await;
            assert_eq!(gone.unwrap_err().kind(), Kind::IllegalAction);
        }
        let elsewhere = find_rules::<BlueprintsFilter>(&db, &scope, "csys-service-filter").await;
        assert_eq!(elsewhere.unwrap_err().kind(), Kind::NotFound);
    });
}

#[test]
fn lists_and_lookups_of_filters_follow_indexes() {
    pollster::block_on(async {
        let db = crate::fresh_database().await;
        let scope = Scope::system("ann", "harbour");
        for (resource, name) in [
            (&BLUEPRINTS_FILTERS, "blueprints_filters"),
            (&DEPLOYMENTS_FILTERS, "deployments_filters"),
        ] {
            for (sort, index) in [("", "by_tenant"), ("created_at", "by_creation")] {
                let path = format!("/filters?_sort={sort}");
                let request = Request::new(windlass_core::http::Method::GET, &path);
                let query = ListQuery::parse(resource, &request, &[]).unwrap();
                let statement = resource.page_statement(&scope, &query);
                let plan = db
                    .plan(&statement.sql, &statement.parameters)
                    .await
                    .unwrap()
                    .join("\n");
                assert!(plan.contains(&format!("{name}_{index}")), "{plan}");
                assert!(plan.contains(&format!("{name}_global")), "{plan}");
            }
            let one = resource.named_statement(&scope, None, "a");
            let plan = db.plan(&one.sql, &one.parameters).await.unwrap().join("\n");
            assert!(plan.contains(&format!("{name}_by_id")), "{plan}");
        }
    });
}

#[path = "tests/growth.rs"]
mod growth;
