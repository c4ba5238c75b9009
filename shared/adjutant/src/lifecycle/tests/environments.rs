//! The deployment that a new project begins with: what is looked at, and what is ordered.

use crate::environments::{self, Order};
use crate::task_type::TaskType;
use crate::testing::World;
use serde_json::json;
use windlass_core::Timestamp;
use windlass_core::db::Db;
use windlass_store::queue::{self, Leased};

async fn world(different: serde_json::Value) -> World {
    let mut world = World::new().await;
    let of = json!({
        "additional_actions": ["NewDeploymentAction"],
        "actions": { "NewDeploymentAction": different },
    });
    world
        .set(json!({ "tasks": { "create_project_and_user": of } }))
        .await;
    world
}

async fn upload(world: &World, visibility: &str, state: &str) {
    let sql = "insert into blueprints (id, tenant_name, created_by, visibility, created_at,
                   updated_at, state)
               values ('crane', 'quay', 'admin', ?1, '', '', ?2)
               on conflict do update set visibility = excluded.visibility, state = excluded.state";
    let values = [visibility.into(), state.into()];
    world.db.execute(sql, &values).await.unwrap();
}

async fn leased(world: &World) -> Vec<Leased> {
    // Rows are due by the time of the world, which is over.
    let found = queue::lease(&world.db, "me", 10, 1000, Timestamp::now()).await;
    let mut found = found.unwrap();
    found.retain(|row| row.work == queue::Work::AdjutantDeployment);
    found
}

#[test]
fn the_blueprint_has_to_be_there_for_all() {
    pollster::block_on(async {
        for (blueprint, visibility, state, note) in [
            ("crane", "global", "uploaded", "Blueprint: 'crane' exists."),
            (
                "crane",
                "tenant",
                "uploaded",
                "ERROR: Blueprint: 'crane' is not there for all tenants.",
            ),
            (
                "crane",
                "global",
                "parsing",
                "ERROR: Blueprint: 'crane' is not there for all tenants.",
            ),
            (
                "crab",
                "global",
                "uploaded",
                "ERROR: Blueprint: 'crab' is not there for all tenants.",
            ),
        ] {
            let world = world(json!({ "blueprint": blueprint })).await;
            upload(&world, visibility, state).await;
            world.sign_up().await.unwrap();
            let notes = world.notes().await;
            assert!(notes.iter().any(|one| one == note), "{notes:?}");
            assert_eq!(
                world.task().await.is_valid(),
                !note.starts_with("ERROR"),
                "{note}"
            );
        }
        let world = world(json!({})).await;
        world.sign_up().await.unwrap();
        assert!(!world.task().await.is_valid(), "no blueprint is named");
        let world = self::world(json!({ "blueprint": "crane", "deployment": "a b" })).await;
        upload(&world, "global", "uploaded").await;
        world.sign_up().await.unwrap();
        assert!(!world.task().await.is_valid(), "no such name");
    });
}

#[test]
fn what_begins_no_project_has_no_deployment() {
    pollster::block_on(async {
        let mut world = World::new().await;
        let of = json!({ "additional_actions": ["NewDeploymentAction"] });
        world.set(json!({ "tasks": { "update_quota": of } })).await;
        let ann = world.ann().await;
        let body = json!({ "project_id": "harbour", "size": "small", "regions": ["RegionOne"] });
        let _ = world.ask(TaskType::UpdateQuota, body, Some(&ann)).await;
        let text = "ERROR: Only new projects begin with a deployment.";
        assert!(world.notes().await.iter().any(|note| note == text));
    });
}

#[test]
fn it_is_ordered_once_and_again_when_it_failed() {
    pollster::block_on(async {
        let inputs = json!({ "who": ["{{email}}", 3], "where": { "at": "{{project_name}}" } });
        let world = world(json!({ "blueprint": "crane", "inputs": inputs })).await;
        upload(&world, "global", "uploaded").await;
        world.sign_up().await.unwrap();
        assert!(leased(&world).await.is_empty(), "nobody has approved it");
        world.approve().await.unwrap();
        world.approve().await.unwrap();
        let rows = leased(&world).await;
        assert_eq!(rows.len(), 1);
        let order = Order::read(&rows[0]).unwrap();
        let want = json!({
            "project": "pier", "owner": "bob@example.com", "blueprint": "crane",
            "deployment": "pier", "install": true,
            "inputs": { "who": ["bob@example.com", 3], "where": { "at": "pier" } },
        });
        assert_eq!(serde_json::to_value(&order).unwrap(), want);
        let finished = queue::finishing(&world.db, "me", &rows[0], async |tx| {
            environments::tell_failure(tx, &rows[0], &order, "no room", world.now).await
        });
        finished.await.unwrap();
        let text = "Error: 'no room' while creating deployment 'pier' in project pier";
        assert!(world.notes().await.iter().any(|note| note == text));
        let told = "select count(*) from adjutant_notifications where error = 1";
        assert_eq!(world.number(told).await, 1);
        world.approve().await.unwrap();
        let rows = leased(&world).await;
        assert_eq!(rows.len(), 1);
        let finished = queue::finishing(&world.db, "me", &rows[0], async |tx| {
            environments::tell_made(tx, &rows[0], &order, world.now).await
        });
        finished.await.unwrap();
        world.approve().await.unwrap();
        assert!(leased(&world).await.is_empty());
        let notes = world.notes().await;
        assert!(
            notes
                .iter()
                .any(|note| note == "Deployment already ordered.")
        );
    });
}
