use super::*;
use crate as status;
use crate::TENANT;
use crate::components::list as catalogue;
use crate::lifecycle::Patch;
use crate::testing;
use serde_json::{Value as Json, json};
use windlass_core::db::{Db as _, NativeDb};
use windlass_core::{Result, Scope, Timestamp, params};
use windlass_store::queue::{self, Work};

mod lists;
mod moves;
mod people;
mod windows;

async fn open(
    db: &NativeDb,
    scope: &Scope,
    new: &NewEvent<'_>,
    is_operator: bool,
    now: Timestamp,
) -> Result<Opened> {
    db.transaction(async |tx| super::open(tx, scope, new, is_operator, now).await)
        .await
}

async fn change(
    db: &NativeDb,
    scope: &Scope,
    id: i64,
    patch: &Patch<'_>,
    version: Option<i64>,
    is_operator: bool,
    now: Timestamp,
) -> Result<()> {
    db.transaction(async |tx| {
        let event = find(tx, scope, id).await?;
        super::change(tx, scope, &event, patch, version, is_operator, now).await
    })
    .await
}

async fn extract(
    db: &NativeDb,
    scope: &Scope,
    id: i64,
    components: &[i64],
    now: Timestamp,
) -> Result<i64> {
    db.transaction(async |tx| {
        let event = find(tx, scope, id).await?;
        let part = super::extract(tx, scope, &event, components, now).await?;
        Ok(part.id)
    })
    .await
}

async fn rewrite_update(
    db: &NativeDb,
    scope: &Scope,
    id: i64,
    place: Option<i64>,
    text: &str,
    now: Timestamp,
) -> Result<String> {
    db.transaction(async |tx| {
        let event = find(tx, scope, id).await?;
        super::rewrite_update(tx, scope, &event, place, text, now).await
    })
    .await
}

async fn advance(db: &NativeDb, id: i64, now: Timestamp) -> Result<()> {
    db.transaction(async |tx| super::advance(tx, id, now).await)
        .await
}

/// A database with four components, and the moment at which all of this happens.
struct Stage {
    db: NativeDb,
    now: Timestamp,
    scope: Scope,
}

impl Stage {
    async fn set() -> Self {
        let db = NativeDb::in_memory();
        windlass_store::migrations::apply(&db).await.unwrap();
        let stage = Self {
            db,
            now: Timestamp::parse("now", "2026-05-06T12:00:00Z").unwrap(),
            scope: Scope::system("anna", TENANT),
        };
        for name in ["Volumes", "Images", "<Names>", "Queues"] {
            stage
                .db
                .transaction(async |tx| {
                    catalogue::insert(tx, &stage.scope, name, &[], stage.now).await
                })
                .await
                .unwrap();
        }
        stage
    }

    fn at(&self, minutes: i64) -> Timestamp {
        self.now.plus_seconds(minutes * 60)
    }

    async fn open(&self, new: NewEvent<'_>) -> i64 {
        let opened = open(&self.db, &self.scope, &new, true, self.now).await;
        match opened.unwrap() {
            Opened::Taken(placed) => placed[0].incident_id.unwrap(),
            Opened::UnderMaintenance(placed) => panic!("{placed:?}"),
        }
    }

    async fn incident(&self, title: &str, components: &[i64]) -> i64 {
        self.open(NewEvent {
            kind: EventKind::Incident,
            title,
            description: None,
            impact: 2,
            started_at: self.at(-30),
            ended_at: None,
            contact_email: None,
            components,
        })
        .await
    }

    async fn maintenance(&self, from: i64, to: i64) -> i64 {
        self.open(NewEvent {
            kind: EventKind::Maintenance,
            title: "New disks",
            description: Some("Disks are exchanged"),
            impact: 0,
            started_at: self.at(from),
            ended_at: Some(self.at(to)),
            contact_email: Some("anna@example.com"),
            components: &[1, 2],
        })
        .await
    }

    async fn event(&self, id: i64) -> Json {
        let body = find_json(&self.db, &self.scope, id).await.unwrap();
        serde_json::from_str(&body).unwrap()
    }

    async fn list(&self, scope: &Scope, filter: Filter) -> Vec<i64> {
        let page = list(&self.db, scope, &filter, 50, 0, self.now)
            .await
            .unwrap();
        let events: Vec<Json> = serde_json::from_str(&page.items).unwrap();
        assert_eq!(page.total, events.len() as i64);
        events
            .iter()
            .map(|event| event["id"].as_i64().unwrap())
            .collect()
    }

    async fn say(&self, id: i64, patch: Patch<'_>, minutes: i64) -> Result<()> {
        let patch = Patch {
            message: "As we have just seen.",
            update_date: Some(self.at(minutes)),
            ..patch
        };
        let version = self.event(id).await["version"].as_i64();
        change(
            &self.db,
            &self.scope,
            id,
            &patch,
            version,
            true,
            self.at(minutes),
        )
        .await
    }

    /// When the clock looks at an event next, in minutes.
    async fn next(&self, id: i64) -> Option<i64> {
        let row = self
            .db
            .first(
                "select not_before from queue where kind = ?1 and subject = ?2",
                params![Work::StatusMaintenance, id.to_string()],
            )
            .await
            .unwrap();
        row.map(|row| (row.integer(0).unwrap() - self.now.millis()) / 60_000)
    }
}

fn texts(event: &Json) -> Vec<(&str, &str)> {
    let updates = event["updates"].as_array().unwrap();
    let text = |update: &'_ Json, key: &str| update[key].as_str().map(str::to_owned);
    assert!(updates.iter().all(|u| text(u, "text").is_some()));
    updates
        .iter()
        .map(|u| (u["status"].as_str().unwrap(), u["text"].as_str().unwrap()))
        .collect()
}
