use super::*;
use crate::events::EventKind;
use crate::testing;
use crate::testing::NewIncident;
use crate::version;
use windlass_core::db::NativeDb;

fn entry(name: &str, region: &str) -> Entry {
    let attributes = [("region", region), ("category", "Storage")].map(|(name, value)| Attribute {
        name: name.into(),
        value: value.into(),
    });
    Entry {
        name: name.into(),
        attributes: attributes.into(),
    }
}

fn scope() -> Scope {
    Scope::system("ann", "default_tenant")
}

async fn database() -> NativeDb {
    let db = NativeDb::in_memory();
    windlass_store::migrations::apply(&db).await.unwrap();
    db
}

async fn listed(db: &NativeDb) -> Vec<(String, String)> {
    let list: Vec<Value> = serde_json::from_str(&list_json(db).await.unwrap()).unwrap();
    list.iter()
        .map(|item| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            assert_eq!(item["attributes"]["category"], "Storage");
            (text(&item["name"]), text(&item["attributes"]["region"]))
        })
        .collect()
}

#[test]
fn the_same_catalogue_twice_changes_nothing() {
    pollster::block_on(async {
        let db = database().await;
        let entries = [entry("A", "EU"), entry("A", "US"), entry("B", "EU")];
        let first = replace(&db, &scope(), &entries).await.unwrap();
        assert_eq!((first.created, first.unchanged), (3, 0));
        let before = version(&db).await.unwrap();
        let again = replace(&db, &scope(), &entries).await.unwrap();
        assert_eq!((again.created, again.unchanged), (0, 3));
        assert_eq!(version(&db).await.unwrap(), before);
        let row = db
            .first("select count(*) from audit_log", &[])
            .await
            .unwrap();
        assert_eq!(row.unwrap().integer(0).unwrap(), 1);
        let row = db
            .first(
                "select region, category from status_components where id = 2",
                &[],
            )
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (row.text(0).unwrap(), row.text(1).unwrap()),
            ("US", "Storage")
        );
    });
}

#[test]
fn what_is_gone_is_deleted_or_retired_and_may_come_back() {
    pollster::block_on(async {
        let db = database().await;
        let all = [entry("A", "EU"), entry("B", "EU"), entry("C", "EU")];
        replace(&db, &scope(), &all).await.unwrap();
        let new = NewIncident {
            kind: EventKind::Incident,
            title: "x",
            description: None,
            impact: 1,
            started_at: Timestamp::now(),
            ended_at: None,
            is_system: true,
            status: "analysing",
            contact_email: None,
            components: &[2],
        };
        testing::insert(&db, &new, "ann", Timestamp::now())
            .await
            .unwrap();

        let only_c = [entry("C", "EU")];
        let changes = replace(&db, &scope(), &only_c).await.unwrap();
        let want = Changes {
            moved: 1,
            retired: 1,
            deleted: 1,
            ..Changes::default()
        };
        assert_eq!(changes, want);
        assert_eq!(listed(&db).await, [("C".into(), "EU".into())]);
        // Nothing is left to do for the one that is retired already.
        let again = replace(&db, &scope(), &only_c).await.unwrap();
        assert_eq!(again.unchanged, 1);
        assert_eq!(again.retired, 0);

        let changes = replace(&db, &scope(), &all).await.unwrap();
        let want = Changes {
            created: 1,
            returned: 1,
            moved: 1,
            ..Changes::default()
        };
        assert_eq!(changes, want);
        let names: Vec<String> = listed(&db)
            .await
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["A", "B", "C"]);
        let row = db
            .first(
                "select id from status_components where name = 'B' and retired_at is null",
                &[],
            )
            .await
            .unwrap();
        assert_eq!(row.unwrap().integer(0).unwrap(), 2, "its past is its own");
    });
}

#[test]
fn the_order_of_attributes_makes_no_other_component() {
    pollster::block_on(async {
        let db = database().await;
        replace(&db, &scope(), &[entry("A", "EU")]).await.unwrap();
        let mut turned = entry("A", "EU");
        turned.attributes.reverse();
        let changes = replace(&db, &scope(), &[turned]).await.unwrap();
        assert_eq!((changes.moved, changes.created, changes.deleted), (1, 0, 0));
        let changes = replace(&db, &scope(), &[]).await.unwrap();
        assert_eq!(changes.deleted, 1);
        assert_eq!(list_json(&db).await.unwrap(), "[]");
    });
}

#[test]
fn ten_thousand_components_are_a_few_statements() {
    pollster::block_on(async {
        let db = database().await;
        let many = |count: usize| -> Vec<Entry> {
            (0..count)
                .map(|number| entry(&format!("C{number}"), "EU"))
                .collect()
        };
        let changes = replace(&db, &scope(), &many(10_000)).await.unwrap();
        assert_eq!(changes.created, 10_000);
        let changes = replace(&db, &scope(), &many(9_000)).await.unwrap();
        assert_eq!((changes.deleted, changes.unchanged), (1_000, 9_000));
        assert_eq!(listed(&db).await.len(), 9_000);
    });
}
