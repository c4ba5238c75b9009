//! The directory, by who may and what is kept.

#[path = "tests/files.rs"]
mod files;
#[path = "tests/links.rs"]
mod links;
#[path = "tests/organisation.rs"]
mod organisation;

use super::import::{Format, Records};
use super::*;
use crate::testing::{asker, database, plan};
use serde_json::json;
use windlass_core::db::NativeDb;

const ALL: Paging = Paging {
    limit: 1000,
    offset: 0,
};

fn object(value: Json) -> Map<String, Json> {
    value.as_object().unwrap().clone()
}

fn status<T>(result: Result<T>) -> u16 {
    result.map_or_else(|error| error.kind().wire().0, |_| 200)
}

async fn read(listed: Listed, db: &NativeDb) -> Json {
    let body = listed
        .respond_counted(db)
        .made
        .unwrap()
        .read()
        .await
        .unwrap();
    serde_json::from_slice(&body).unwrap()
}

async fn person(db: &NativeDb, who: &str, value: Json) -> Result<Json> {
    let asker = asker(who);
    let text = db
        .transaction(async |tx| people::insert(tx, &asker, &object(value)).await)
        .await?;
    Ok(serde_json::from_str(&text).unwrap())
}

async fn project(db: &NativeDb, who: &str, value: Json) -> Result<Json> {
    let asker = asker(who);
    let text = db
        .transaction(async |tx| projects::insert(tx, &asker, &object(value)).await)
        .await?;
    Ok(serde_json::from_str(&text).unwrap())
}

async fn mapping(db: &NativeDb, who: &str, value: Json) -> Result<Json> {
    let asker = asker(who);
    let text = db
        .transaction(async |tx| mappings::insert(tx, &asker, &object(value)).await)
        .await?;
    Ok(serde_json::from_str(&text).unwrap())
}

async fn link(db: &NativeDb, parent: &str, child: &str) -> Result<Json> {
    let mia = asker("mia");
    let value = object(json!({ "parent": parent, "child": child, "childType": "Team" }));
    let text = db
        .transaction(async |tx| hierarchy::insert(tx, &mia, &value).await)
        .await?;
    Ok(serde_json::from_str(&text).unwrap())
}

async fn import(db: &NativeDb, kind: Records, format: Format, file: &str) -> Result<usize> {
    let mia = asker("mia");
    let lines = import::read(format, file.as_bytes())?;
    db.transaction(async |tx| import::store(tx, &mia, kind, lines).await)
        .await
}

#[test]
fn people_are_known_by_their_address() {
    pollster::block_on(async {
        let db = database().await;
        let ann = person(&db, "mia", json!({ "email": " Ann@Example.org ", "team": "Cranes", "unknown": 7, "firstName": null }))
            .await
            .unwrap();
        assert_eq!(ann["email"], "Ann@Example.org");
        assert_eq!(
            ann.as_object().unwrap().len(),
            5,
            "absent stays absent: {ann}"
        );
        let vic = asker("vic");
        let shown = people::show(&db, &vic, "aNN@example.ORG").await.unwrap();
        assert_eq!(serde_json::from_str::<Json>(&shown).unwrap(), ann);
        for (who, value, want, text) in [
            (
                "mia",
                json!({ "email": "ann@EXAMPLE.org" }),
                409,
                "Duplicate email address",
            ),
            (
                "mia",
                json!({ "firstName": "A" }),
                400,
                "Missing required field(s): email",
            ),
            (
                "mia",
                json!({ "email": "a@b" }),
                400,
                "Invalid email format",
            ),
            (
                "mia",
                json!({ "email": "a b@c.example" }),
                400,
                "Invalid email format",
            ),
            ("mia", json!({ "email": 7 }), 400, "email must be a text"),
            (
                "mia",
                json!({ "email": "a@b.example", "team": "x".repeat(257) }),
                400,
                "team has more than 256",
            ),
            (
                "mia",
                json!({ "email": "a@b.example", "team": "x\u{0}" }),
                400,
                "team has control characters",
            ),
            ("ann", json!({ "email": "a@b.example" }), 403, "too little"),
        ] {
            let refusal = person(&db, who, value.clone()).await.unwrap_err();
            assert_eq!(refusal.kind().wire().0, want, "{value}");
            assert!(refusal.message().contains(text), "{refusal:?}");
        }
        person(&db, "root@quay", json!({ "email": "ann@example.org" }))
            .await
            .unwrap();
        assert_eq!(
            status(people::show(&db, &vic, "nobody@example.org").await),
            404
        );
        assert_eq!(status(people::show(&db, &vic, "nobody").await), 400);
        let listed = read(people::list(&db, &vic, None, ALL).await.unwrap(), &db).await;
        assert_eq!(listed, json!({ "count": 1, "data": [ann] }));
        let mia = asker("mia");
        let change = async |value: Json| {
            db.transaction(async |tx| {
                people::update(tx, &mia, "ann@example.org", &object(value)).await
            })
            .await
        };
        change(json!({ "team": null, "group": "Docks", "displayName": "A" }))
            .await
            .unwrap();
        assert_eq!(status(change(json!({ "email": null })).await), 400);
        let shown: Json =
            serde_json::from_str(&people::show(&db, &vic, "ann@example.org").await.unwrap())
                .unwrap();
        assert_eq!(
            (&shown["group"], shown.get("team")),
            (&json!("Docks"), None)
        );
        db.transaction(async |tx| people::delete(tx, &mia, "ann@example.org").await)
            .await
            .unwrap();
        assert_eq!(
            status(people::show(&db, &vic, "ann@example.org").await),
            404
        );
        let left = db
            .first("select count(*) from directory_places", &[])
            .await
            .unwrap()
            .unwrap();
        assert_eq!(left.integer(0).unwrap(), 0);
    });
}

#[test]
fn projects_have_assets_in_either_form() {
    pollster::block_on(async {
        let db = database().await;
        let repository = json!({ "name": "crane", "platform": "github", "url": "git@github.com:harbour/crane.git" });
        let service = json!({ "name": "api", "identifier": "a1", "dependencies": { "db": "pg" } });
        let given = json!({ "projectId": 7, "projectName": "Crane", "projectOwner": { "email": "a@b.example", "x": 1 },
            "assets": [{ "repositories": [repository] }, { "services": [service] }] });
        let stored = project(&db, "mia", given).await.unwrap();
        assert_eq!(stored["projectId"], "7");
        assert_eq!(
            stored["assets"],
            json!({ "repositories": [repository], "services": [service] })
        );
        assert_eq!(stored["projectOwner"], json!({ "email": "a@b.example" }));
        for (more, text) in [
            (
                json!({ "projectId": null }),
                "Missing required field(s): projectId",
            ),
            (json!({ "projectId": "7" }), "Duplicate projectId"),
            (
                json!({ "projectOwner": "me" }),
                "projectOwner must be an object",
            ),
            (
                json!({ "projectOwner": { "email": "x" } }),
                "Invalid email format",
            ),
            (json!({ "assets": 7 }), "assets must be an object"),
            (
                json!({ "assets": { "repositories": [7] } }),
                "must be a list of objects",
            ),
            (
                json!({ "assets": { "repositories": [{ "url": "javascript:alert(1)" }] } }),
                "must be a URL",
            ),
            (
                json!({ "assets": { "services": [{ "dependencies": [] }] } }),
                "dependencies must be an object",
            ),
        ] {
            let mut value = json!({ "projectId": "8", "projectName": "n" });
            for (name, field) in more.as_object().unwrap() {
                value[name] = field.clone();
            }
            let refusal = project(&db, "mia", value).await.unwrap_err();
            assert!(refusal.message().contains(text), "{more}: {refusal:?}");
        }
        let mia = asker("mia");
        let renamed = db
            .transaction(async |tx| {
                projects::update(tx, &mia, "7", &object(json!({ "projectId": "9" }))).await
            })
            .await
            .unwrap();
        assert!(renamed.contains("crane.git"));
        assert_eq!(status(projects::show(&db, &mia, "7").await), 404);
        db.transaction(async |tx| projects::delete(tx, &mia, "9").await)
            .await
            .unwrap();
        assert_eq!(
            status(
                db.transaction(async |tx| projects::delete(tx, &mia, "9").await)
                    .await
            ),
            404
        );
    });
}
