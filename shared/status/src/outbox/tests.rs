use super::*;
use crate::Page;
use crate::events::{EventKind, NewUpdate};
use crate::subscriptions::Channel;
use crate::subscriptions::tests::{confirmed, delete, stage};
use crate::testing;
use crate::testing::NewIncident;
use serde_json::json;
use windlass_core::db::{Db as _, NativeDb};
use windlass_core::{Kind, Scope, params};

async fn fan_out(
    db: &NativeDb,
    incident: i64,
    payload: &serde_json::Value,
    now: Timestamp,
) -> Result<usize> {
    db.transaction(async |tx| super::fan_out(tx, incident, payload, now).await)
        .await
}

/// Tries one again, or all; how many that were.
async fn redrive(db: &NativeDb, id: Option<&str>, now: Timestamp) -> Result<usize> {
    let scope = Scope::system("ann", crate::TENANT);
    db.transaction(async |tx| {
        let Some(id) = id else {
            return redrive_all(tx, &scope, now).await;
        };
        match find_failed(tx, &scope, id).await {
            Ok(delivery) => super::redrive(tx, &scope, &delivery, now).await,
            Err(refusal) if refusal.kind() == Kind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    })
    .await
}

fn incident(components: &[i64]) -> NewIncident<'_> {
    NewIncident {
        kind: EventKind::Incident,
        title: "Disks are slow",
        description: None,
        impact: 1,
        started_at: Timestamp::now(),
        ended_at: None,
        is_system: true,
        status: "analysing",
        contact_email: None,
        components,
    }
}

async fn update(db: &NativeDb, incident: i64, text: &str) {
    let now = Timestamp::now();
    let update = NewUpdate {
        status: "fixing",
        text,
        is_markup: false,
        at: now,
    };
    testing::add_update(db, incident, &update, "ann", now)
        .await
        .unwrap();
}

/// Does what the queue says about events; the names of what was told, and to how many.
async fn told(db: &NativeDb) -> Vec<(String, usize)> {
    let rows = db
        .query(
            "delete from queue where kind = 'status_notification' returning subject, payload",
            &[],
        )
        .await
        .unwrap();
    let mut told = Vec::new();
    for row in rows {
        let incident = row.text(0).unwrap().parse().unwrap();
        let payload: serde_json::Value = row.json(1).unwrap();
        let count = fan_out(db, incident, &payload, Timestamp::now())
            .await
            .unwrap();
        let sql =
            "select event from status_notices where incident_id = ?1 order by id desc limit 1";
        let event = db.first(sql, params![incident]).await.unwrap();
        let event = event.map_or(String::new(), |row| row.text(0).unwrap().to_owned());
        told.push((event, count));
    }
    told
}

#[test]
fn a_change_is_told_once_to_whom_it_concerns() {
    pollster::block_on(async {
        let db = stage().await;
        let now = Timestamp::now();
        let old = testing::insert(&db, &incident(&[1]), "m", now)
            .await
            .unwrap();
        update(&db, old, "before anybody listened").await;
        assert_eq!(told(&db).await, [], "there is nobody to tell");
        for (target, region, components) in [
            ("a@example.com", None, &[][..]),
            ("b@example.com", Some("EU"), &[]),
            ("c@example.com", Some("US"), &[]),
            ("d@example.com", None, &[2, 3]),
            ("e@example.com", None, &[1]),
        ] {
            confirmed(&db, Channel::Email, target, region, components).await;
        }
        let new = testing::insert(&db, &incident(&[1]), "m", Timestamp::now())
            .await
            .unwrap();
        update(&db, new, "first").await;
        assert_eq!(
            told(&db).await,
            [("incident.opened".to_owned(), 3)],
            "a, b and e"
        );
        let sql = "select content from status_notices order by id desc limit 1";
        let notice: Notice = db.first_json(sql, &[]).await.unwrap().unwrap();
        let texts: Vec<&str> = notice.updates.iter().map(|one| one.text.as_str()).collect();
        assert_eq!(texts, ["first"]);
        assert_eq!(notice.components[0].region.as_deref(), Some("EU"));
        assert_eq!(told(&db).await, [], "nothing is new");
        // A row that is there without a change behind it tells nothing.
        let again = json!({ "opened": 0, "since": "2000-01-01" });
        assert_eq!(
            fan_out(&db, new, &again, Timestamp::now()).await.unwrap(),
            0
        );
        testing::add_component(&db, new, 2).await.unwrap();
        update(&db, new, "Disk (US) added").await;
        assert_eq!(
            told(&db).await,
            [("incident.updated".to_owned(), 5)],
            "c and d too"
        );
        testing::set_impact(&db, new, 3, Timestamp::now())
            .await
            .unwrap();
        assert_eq!(told(&db).await, [("incident.updated".to_owned(), 5)]);
        let end = Timestamp::now();
        testing::close(&db, new, end, end).await.unwrap();
        assert_eq!(told(&db).await, [("incident.closed".to_owned(), 5)]);
        // Of what is older than the subscriptions, only what is new.
        std::thread::sleep(std::time::Duration::from_millis(3));
        update(&db, old, "news").await;
        assert_eq!(told(&db).await, [("incident.updated".to_owned(), 3)]);
        let notice: Notice = db.first_json(sql, &[]).await.unwrap().unwrap();
        let texts: Vec<&str> = notice.updates.iter().map(|one| one.text.as_str()).collect();
        assert_eq!(texts, ["news"]);
        assert_eq!(
            fan_out(&db, 99, &json!({}), end).await.unwrap(),
            0,
            "it was deleted"
        );
    });
}

#[test]
fn what_waits_for_a_review_is_told_when_it_is_planned() {
    pollster::block_on(async {
        let db = stage().await;
        confirmed(&db, Channel::Email, "a@example.com", None, &[]).await;
        let now = Timestamp::now();
        let maintenance = |status| NewIncident {
            kind: EventKind::Maintenance,
            impact: 0,
            started_at: now.plus_seconds(3600),
            ended_at: Some(now.plus_seconds(7200)),
            status,
            ..incident(&[1])
        };
        let id = testing::insert(&db, &maintenance("pending_review"), "ann", now)
            .await
            .unwrap();
        update(&db, id, "proposed").await;
        assert_eq!(told(&db).await, [(String::new(), 0)]);
        let set = "update status_incidents set status = ?2, updated_at = ?3 where id = ?1";
        for (status, event) in [
            ("planned", "maintenance.planned"),
            ("modified", "maintenance.updated"),
            ("in_progress", "maintenance.started"),
            ("completed", "maintenance.completed"),
        ] {
            db.execute(set, params![id, status, Timestamp::now()])
                .await
                .unwrap();
            assert_eq!(told(&db).await, [(event.to_owned(), 1)]);
        }
        let other = testing::insert(&db, &maintenance("pending_review"), "ann", now)
            .await
            .unwrap();
        db.execute(set, params![other, "cancelled", now])
            .await
            .unwrap();
        assert_eq!(
            told(&db).await,
            [(String::new(), 0)],
            "nobody had heard of it"
        );
    });
}

#[test]
fn a_delivery_ends_well_or_can_be_tried_again() {
    pollster::block_on(async {
        let db = stage().await;
        let now = Timestamp::now();
        confirmed(&db, Channel::Webhook, "https://example.com/a", None, &[]).await;
        confirmed(&db, Channel::Webhook, "https://example.com/b", None, &[]).await;
        testing::insert(&db, &incident(&[1]), "m", now)
            .await
            .unwrap();
        assert_eq!(told(&db).await, [("incident.opened".to_owned(), 2)]);
        let rows = db
            .query(
                "select subject from queue where kind = ?1",
                params![Work::StatusDelivery],
            )
            .await;
        let ids: Vec<String> = rows
            .unwrap()
            .iter()
            .map(|row| row.text(0).unwrap().to_owned())
            .collect();
        assert_eq!(ids.len(), 2);
        let delivery = find_pending(&db, &ids[0]).await.unwrap().unwrap();
        assert_eq!(
            (delivery.attempts, delivery.notice.title.as_str()),
            (0, "Disks are slow")
        );
        postponed(&db, &delivery, "503").await.unwrap();
        assert_eq!(
            find_pending(&db, &ids[0]).await.unwrap().unwrap().attempts,
            1
        );
        failed(&db, &delivery, "503 again", now).await.unwrap();
        let second = find_pending(&db, &ids[1]).await.unwrap().unwrap();
        delivered(&db, &second, now).await.unwrap();
        assert!(find_pending(&db, &ids[0]).await.unwrap().is_none());
        assert!(find_pending(&db, &ids[1]).await.unwrap().is_none());
        let engine = Scope::engine();
        let stats = stats(&db, &engine).await.unwrap();
        let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
        assert_eq!(
            (&stats["failed"], &stats["delivered"]),
            (&json!(1), &json!(1))
        );
        assert_eq!(stats["subscriptions"]["active"], 2);
        assert!(list_failed(&db, &Scope::public(), 10, 0).await.is_err());
        let page = list_failed(&db, &engine, 10, 0).await;
        let Page { items, total } = page.unwrap();
        assert_eq!(total, 1);
        assert!(items.contains("503 again"), "{items}");
        // The path of a room's URL is a key.
        let room = "update status_subscriptions set format = 'slack', target = 'https://hooks.example.com/T/KEY'";
        db.execute(room, &[]).await.unwrap();
        let Page { items, .. } = list_failed(&db, &engine, 10, 0).await.unwrap();
        assert!(
            items.contains("https://hooks.example.com/...") && !items.contains("KEY"),
            "{items}"
        );
        db.execute("delete from queue", &[]).await.unwrap();
        assert_eq!(redrive(&db, Some("dlv_unknown"), now).await.unwrap(), 0);
        assert_eq!(redrive(&db, Some(&ids[0]), now).await.unwrap(), 1);
        assert_eq!(redrive(&db, None, now).await.unwrap(), 0);
        assert_eq!(
            find_pending(&db, &ids[0]).await.unwrap().unwrap().attempts,
            0
        );
        // Ending the subscription takes what waits for it along.
        assert!(delete(&db, &delivery.subscription).await.unwrap());
        assert!(find_pending(&db, &ids[0]).await.unwrap().is_none());
        let left = db.query("select 1 from queue", &[]).await.unwrap();
        assert!(left.is_empty());
        // Old ones are forgotten with a later notice.
        forget_old(&db, now.plus_seconds(29 * 86_400))
            .await
            .unwrap();
        let kept = db.query("select 1 from status_deliveries", &[]).await;
        assert!(!kept.unwrap().is_empty(), "too soon");
        forget_old(&db, now.plus_seconds(30 * 86_400 + 60))
            .await
            .unwrap();
        let left = db
            .query("select 1 from status_deliveries", &[])
            .await
            .unwrap();
        assert!(left.is_empty());
    });
}

#[test]
fn of_notices_so_many_are_kept_as_the_setting_says() {
    pollster::block_on(async {
        let db = stage().await;
        let now = Timestamp::parse("", "2026-03-02").unwrap();
        let id = testing::insert(&db, &incident(&[1]), "m", now).await;
        let id = id.unwrap();
        db.execute("delete from status_notices", &[]).await.unwrap();
        for minute in 0..5 {
            db.execute(
                "insert into status_notices (incident_id, event, content, created_at)
                 values (?1, 'incident.updated', '{}', ?2)",
                params![id, now.plus_seconds(60 * minute)],
            )
            .await
            .unwrap();
        }
        // Numbers that are gone are no notices.
        db.execute(
            "update status_notices set id = id + 9 where created_at = ?1",
            params![now.plus_seconds(240)],
        )
        .await
        .unwrap();
        for (most, left) in [(0, 5), (7, 5), (2, 2)] {
            let sql = "update config set value = ?1 where name = 'notice_retention_count'";
            db.execute(sql, params![most.to_string()]).await.unwrap();
            forget_old(&db, now.plus_seconds(600)).await.unwrap();
            let rows = db.query("select 1 from status_notices", &[]).await.unwrap();
            assert_eq!(rows.len(), left, "{most}");
        }
    });
}
