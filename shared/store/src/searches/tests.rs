use super::*;
use crate::node_instances::NODE_INSTANCE;
use crate::nodes::NODE;
use serde_json::json;
use windlass_core::http::Method;

fn body(value: Json) -> Body {
    Body::inner(&value, "body").unwrap()
}

fn wanted(searched: Searched, given: Json) -> Result<Wanted> {
    pollster::block_on(async {
        let db = crate::fresh_database().await;
        let scope = Scope::system("ann", "default_tenant");
        let request = Request::new(Method::POST, "/searches");
        Wanted::read(&db, &scope, searched, &request, &body(given)).await
    })
}

#[test]
fn a_search_says_what_and_where_in_one_way() {
    let rules =
        json!([{ "key": "id", "values": ["a"], "operator": "any_of", "type": "attribute" }]);
    for (searched, given, text) in [
        (
            Searched::Deployments,
            json!({ "filter_rules": rules, "constraints": { "tenants": ["a"] } }),
            "either filter_id/filter_rules or DSL constraints, not both",
        ),
        (
            Searched::Deployments,
            json!({ "filter_rules": {} }),
            "expected to be of type list",
        ),
        (
            Searched::Deployments,
            json!({ "constraints": [] }),
            "expected to be of type dict",
        ),
        (
            Searched::Deployments,
            json!({ "constraints": { "filter_id": "none" } }),
            "Requested `DeploymentsFilter` with ID `none`",
        ),
        (
            Searched::Deployments,
            json!({ "constraints": { "size": 1 } }),
            "Unknown constraints: ['size']",
        ),
        (
            Searched::Nodes,
            json!({ "constraints": { "name_pattern": { "like": "a" } } }),
            "Unknown operator `like` in name_pattern",
        ),
        (
            Searched::Nodes,
            json!({ "constraints": { "name_pattern": { "contains": 1 } } }),
            "contains parameter is expected to be of type str",
        ),
    ] {
        let refusal = wanted(searched, given.clone()).err().unwrap();
        assert!(refusal.message().contains(text), "{given}: {refusal:?}");
    }
    let empty = wanted(
        Searched::Deployments,
        json!({ "filter_rules": [], "constraints": {} }),
    );
    assert!(empty.unwrap().is_everything());
}

#[test]
fn parts_are_those_of_one_deployment_or_blueprint() {
    let deployment = |id: &str| Ok(Some(SearchedIn::Deployment(id.into())));
    for (searched, given, query, want) in [
        (
            Searched::Nodes,
            json!({}),
            "deployment_id=a",
            deployment("a"),
        ),
        (
            Searched::Nodes,
            json!({ "deployment_id": "a" }),
            "",
            deployment("a"),
        ),
        (
            Searched::Nodes,
            json!({}),
            "blueprint_id=b",
            Ok(Some(SearchedIn::Blueprint("b".into()))),
        ),
        (
            Searched::Nodes,
            json!({}),
            "",
            Err("Please provide a valid 'blueprint_id' or 'deployment_id' parameter"),
        ),
        (
            Searched::Nodes,
            json!({ "deployment_id": "a" }),
            "deployment_id=b",
            Err("not both"),
        ),
        (
            Searched::Nodes,
            json!({ "deployment_id": "a" }),
            "blueprint_id=b",
            Err("not both"),
        ),
        (Searched::NodeInstances, json!({}), "", Ok(None)),
        (
            Searched::NodeInstances,
            json!({ "valid_values": ["a"] }),
            "",
            Err("Please provide"),
        ),
    ] {
        let request = Request::new(Method::POST, &format!("/searches?{query}"));
        let wanted = wanted(searched, json!({ "constraints": given })).unwrap();
        match (wanted.owner(&request), want) {
            (Ok(got), Ok(want)) => assert_eq!(got, want, "{query}"),
            (Err(got), Err(want)) => assert!(got.message().contains(want), "{got:?}"),
            (got, want) => panic!("{query}: {got:?} instead of {want:?}"),
        }
    }
}

#[test]
fn a_pattern_means_the_same_here_and_in_the_database() {
    pollster::block_on(async {
        let db = crate::fresh_database().await;
        for given in [
            json!({ "contains": "an" }),
            json!({ "starts_with": "cr", "ends_with": "e" }),
            json!({ "ends_with": "" }),
            json!({ "equals_to": "crane" }),
            json!({ "contains": "N" }),
            json!({ "starts_with": "ane" }),
        ] {
            let pattern = NamePattern::read(&body(json!({ "p": given })), "p").unwrap();
            for name in ["crane", "Crane", "cranes", "", "ane"] {
                let mut query = ListQuery::everything();
                pattern.add(&format!("'{name}'"), &mut query);
                let (condition, values) = query.conditions.pop().unwrap();
                let mut sql = format!("select {condition}");
                for number in 1..=values.len() {
                    sql = sql.replacen("{}", &format!("?{number}"), 1);
                }
                let row = db.first(&sql, &values).await.unwrap().unwrap();
                assert_eq!(
                    row.integer(0).unwrap() == 1,
                    pattern.allows(name),
                    "{given} {name}"
                );
            }
        }
    });
}

#[test]
fn parts_of_a_deployment_are_found_by_an_index() {
    pollster::block_on(async {
        let db = crate::fresh_database().await;
        let scope = Scope::system("ann", "default_tenant");
        for (resource, searched) in [
            (&NODE, Searched::Nodes),
            (&NODE, Searched::NodeTypes),
            (&NODE_INSTANCE, Searched::NodeInstances),
        ] {
            let constraints = json!({ "constraints": { "deployment_id": "d", "valid_values": ["a"],
                "name_pattern": { "contains": "a" } } });
            let wanted = wanted(searched, constraints).unwrap();
            let mut query = ListQuery::everything();
            query.and("t.deployment_key = {}", [7.into()]);
            wanted.apply(&db, &mut query).await.unwrap();
            let statement = resource.page_statement(&scope, &query);
            let plan = db
                .plan(&statement.sql, &statement.parameters)
                .await
                .unwrap();
            let plan = plan.join("\n");
            assert!(plan.contains("deployment_key=?"), "{searched:?}: {plan}");
            assert!(!plan.contains("SCAN t"), "{searched:?}: {plan}");
        }
    });
}
