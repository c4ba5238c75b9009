//! Blueprints whose plans are larger than any value that goes through SQL.

use super::*;
use windlass_core::db::Value as SqlValue;

/// A blueprint of so many nodes of one type.
fn fleet(count: usize) -> Vec<u8> {
    let mut yaml = String::from(
        "tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
description: a fleet
node_templates:
",
    );
    for number in 0..count {
        yaml.push_str(&format!("  n{number}: {{type: cloudify.nodes.Root}}\n"));
    }
    archive(&yaml)
}

/// The bytes of the largest value in a table of plans.
async fn largest(application: &Application) -> i64 {
    let sql = "select max(bytes) from (
                   select max(length(plan), length(stored)) as bytes from blueprint_plans
                   union all select length(text) from blueprint_plan_pieces)";
    let row = application.db.first(sql, &[]).await.unwrap().unwrap();
    row.integer(0).unwrap()
}

#[test]
fn a_large_plan_is_shown_whole_and_lists_answer() {
    pollster::block_on(async {
        let application = Application::start().await;
        for id in ["east", "west"] {
            let path = format!("/blueprints/{id}");
            let shown = application
                .expect("quentin", Method::PUT, &path, &fleet(60), 201)
                .await;
            assert_eq!(shown["plan"]["nodes"].as_array().unwrap().len(), 60);
        }
        application
            .expect(
                "quentin",
                Method::PUT,
                "/blueprints/small",
                &archive(CRANE),
                201,
            )
            .await;
        assert!(largest(&application).await <= 512 << 10);

        let get = async |path: &str| {
            application
                .expect("quentin", Method::GET, path, b"", 200)
                .await
        };
        let one = get("/blueprints/east").await;
        let names: Vec<&str> = one
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(names[..3], ["id", "main_file_name", "plan"]);
        let list = get("/blueprints").await;
        assert_eq!(list["items"].as_array().unwrap().len(), 3);
        assert_eq!(list["items"][0], one);
        assert_eq!(list["items"][1]["plan"]["nodes"][59]["name"], "n59");
        assert_eq!(list["items"][2]["plan"]["nodes"][0]["name"], "arm");
        let slim = get("/blueprints?_include=id,state").await;
        assert!(slim["items"][0].get("plan").is_none());

        let validated = application
            .expect(
                "quentin",
                Method::PUT,
                "/blueprints/new/validate",
                &fleet(60),
                201,
            )
            .await;
        assert_eq!(validated["plan"], one["plan"]);
        // What deployments are made from is whole, too.
        let scope = windlass_core::Scope::system("quentin", "quay");
        let found = windlass_store::blueprints::find(&application.db, &scope, "east").await;
        let stored = windlass_store::blueprints::plan(&application.db, &found.unwrap()).await;
        let plan = windlass_blueprint::Plan::from_stored(stored.unwrap()).unwrap();
        assert_eq!(plan.to_value(), one["plan"]);
    });
}

#[test]
fn a_large_plan_that_a_client_gave_is_shown_as_it_was_given() {
    pollster::block_on(async {
        let application = Application::start().await;
        application
            .expect(
                "quentin",
                Method::PUT,
                "/blueprints/given",
                &archive(CRANE),
                201,
            )
            .await;
        // `remarks` are nothing that plans know of.
        let node = json!({ "name": "a", "remarks": "Größe ".repeat(200_000), "properties": {} });
        let plan = json!({ "inputs": {}, "nodes": [node], "description": "\\/plan\\/1" });
        let body = json!({ "plan": plan, "description": "\"\\/plan\\/1\"" }).to_string();
        let shown = application
            .expect(
                "quentin",
                Method::PATCH,
                "/blueprints/given",
                body.as_bytes(),
                200,
            )
            .await;
        assert_eq!(shown["plan"], plan);
        assert_eq!(shown["description"], "\"\\/plan\\/1\"");
        assert!(largest(&application).await <= 512 << 10);
    });
}

#[test]
fn plans_of_an_older_schema_are_shown_as_before() {
    pollster::block_on(async {
        let application = Application::start().await;
        application
            .expect("quentin", Method::PUT, "/blueprints/old", &fleet(100), 201)
            .await;
        let before = application
            .expect("quentin", Method::GET, "/blueprints/old", b"", 200)
            .await;
        // As it was: both in one row, whatever their size.
        let db = &application.db;
        let full = before["plan"].to_string();
        db.execute("delete from blueprint_plan_pieces", &[])
            .await
            .unwrap();
        let (half, rest) = full.split_at(full.floor_char_boundary(full.len() / 2));
        let both = "update blueprint_plans set plan = ?1 || ?2";
        let halves = [half, rest].map(|text| SqlValue::Text(text.to_owned()));
        db.execute(both, &halves).await.unwrap();
        let schema = include_str!("../../../../../shared/store/schema/014_plan_pieces.sql");
        let moves = schema.split_once("insert into").unwrap().1;
        for statement in format!("insert into{moves}").split(';') {
            if statement.trim().is_empty() {
                continue;
            }
            db.execute(statement, &[]).await.unwrap();
        }
        assert!(largest(&application).await <= 512 << 10);
        let after = application
            .expect("quentin", Method::GET, "/blueprints/old", b"", 200)
            .await;
        assert_eq!(after["plan"], before["plan"]);
    });
}
