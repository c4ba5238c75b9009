use super::*;
use crate::events::NewUpdate;
use crate::testing;
use crate::testing::NewIncident;
use windlass_core::app::Identity as _;
use windlass_core::db::NativeDb;

const NOON: &str = "2026-05-10T12:00:00.000Z";

fn at(text: &str) -> Timestamp {
    Timestamp::parse("time", text).unwrap()
}

async fn fresh() -> NativeDb {
    let db = NativeDb::in_memory();
    windlass_identity::Identity::prepare(&db).await.unwrap();
    for (id, name, region, retired) in [
        (1, "Volumes", Some("EU-DE"), None),
        (2, "Volumes", Some("EU-NL"), None),
        (3, "Portal", None, None),
        (4, "Fax", None, Some(NOON)),
    ] {
        db.execute(
            "insert into status_components (id, name, attributes, attributes_key, region, category,
                 position, created_at, retired_at)
             values (?1, ?2, '[]', ?1, ?3, 'Storage', -?1, '2026-01-01T00:00:00.000Z', ?4)",
            params![id, name, region, retired],
        )
        .await
        .unwrap();
    }
    db
}

#[derive(Clone, Copy)]
struct Told<'a> {
    kind: EventKind,
    impact: i64,
    from: &'a str,
    until: Option<&'a str>,
    status: &'a str,
    components: &'a [i64],
}

async fn tell(db: &NativeDb, title: &str, told: Told<'_>) -> i64 {
    let new = NewIncident {
        kind: told.kind,
        title,
        description: Some("what it is about"),
        impact: told.impact,
        started_at: at(told.from),
        ended_at: told.until.map(at),
        is_system: false,
        status: told.status,
        contact_email: Some("private@example.org"),
        components: told.components,
    };
    testing::insert(db, &new, "tester", at(NOON)).await.unwrap()
}

async fn update(db: &NativeDb, id: i64, text: &str, when: &str, is_markup: bool) {
    let update = NewUpdate {
        status: "analysing",
        text,
        is_markup,
        at: at(when),
    };
    testing::add_update(db, id, &update, "tester", at(NOON))
        .await
        .unwrap();
}

fn titles(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.title.as_str()).collect()
}

#[test]
fn components_are_in_the_order_of_the_catalogue_without_retired_ones() {
    pollster::block_on(async {
        let db = fresh().await;
        let found = components(&db).await.unwrap();
        let ids: Vec<i64> = found.iter().map(|component| component.id).collect();
        assert_eq!(ids, [3, 2, 1]);
        assert_eq!(found[1].region.as_deref(), Some("EU-NL"));
        assert_eq!(found[0].region, None);
    });
}

#[test]
fn what_goes_on_is_told_apart_by_the_clock() {
    pollster::block_on(async {
        let db = fresh().await;
        use EventKind::{Incident, Info, Maintenance};
        for (title, kind, impact, from, until, status) in [
            ("slow", Incident, 1, "2026-05-10 09:00", None, "analysing"),
            ("down", Incident, 3, "2026-05-10 08:00", None, "fixing"),
            (
                "down again",
                Incident,
                3,
                "2026-05-10 10:00",
                None,
                "fixing",
            ),
            (
                "over",
                Incident,
                3,
                "2026-05-09 08:00",
                Some("2026-05-10 12:00"),
                "resolved",
            ),
            (
                "under review",
                Incident,
                2,
                "2026-05-10 08:00",
                None,
                "pending_review",
            ),
            (
                "of the future",
                Incident,
                2,
                "2026-05-10 12:01",
                None,
                "analysing",
            ),
            (
                "discs",
                Maintenance,
                0,
                "2026-05-10 12:00",
                Some("2026-05-10 14:00"),
                "planned",
            ),
            (
                "cables",
                Maintenance,
                0,
                "2026-05-10 11:00",
                Some("2026-05-10 13:00"),
                "in_progress",
            ),
            (
                "later",
                Maintenance,
                0,
                "2026-05-12 12:00",
                Some("2026-05-12 13:00"),
                "planned",
            ),
            (
                "sooner",
                Maintenance,
                0,
                "2026-05-11 12:00",
                Some("2026-05-11 13:00"),
                "planned",
            ),
            (
                "not at all",
                Maintenance,
                0,
                "2026-05-12 12:00",
                Some("2026-05-12 13:00"),
                "cancelled",
            ),
            ("good to know", Info, 0, "2026-05-01 12:00", None, "active"),
        ] {
            let told = Told {
                kind,
                impact,
                from,
                until,
                status,
                components: &[1],
            };
            tell(&db, title, told).await;
        }
        let found = current(&db, &Scope::public(), at(NOON)).await.unwrap();
        assert_eq!(titles(&found.incidents), ["down again", "down", "slow"]);
        assert_eq!(titles(&found.maintenances), ["cables", "discs"]);
        assert_eq!(titles(&found.planned), ["sooner", "later"]);
        assert_eq!(titles(&found.information), ["good to know"]);
    });
}

#[test]
fn an_event_carries_what_was_told_the_latest_first() {
    pollster::block_on(async {
        let db = fresh().await;
        let told = Told {
            kind: EventKind::Incident,
            impact: 2,
            from: "2026-05-10 09:00",
            until: None,
            status: "analysing",
            components: &[1, 4, 3],
        };
        let id = tell(&db, "slow \"volumes\"", told).await;
        update(&db, id, "second", "2026-05-10 10:00", false).await;
        update(&db, id, "first", "2026-05-10 09:30", false).await;
        update(&db, id, "third", "2026-05-10 10:00", true).await;

        let event = find(&db, &Scope::public(), id).await.unwrap().unwrap();
        let texts: Vec<&str> = event.updates.iter().map(|u| u.text.as_str()).collect();
        assert_eq!(texts, ["third", "second", "first"]);
        assert!(event.updates[0].is_markup && !event.updates[1].is_markup);
        // One that is out of the catalogue is still what the event was about.
        let names: Vec<&str> = event.components.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["Fax", "Portal", "Volumes"]);
        assert_eq!(event.title, "slow \"volumes\"");

        let open = current(&db, &Scope::public(), at(NOON)).await.unwrap();
        assert_eq!(open.incidents[0].updates.len(), 1);
        assert_eq!(open.incidents[0].updates[0].text, "third");
        assert!(find(&db, &Scope::public(), id + 1).await.unwrap().is_none());
    });
}

#[test]
fn what_is_under_review_is_not_there() {
    pollster::block_on(async {
        let db = fresh().await;
        for status in ["pending_review", "reviewed"] {
            let told = Told {
                kind: EventKind::Incident,
                impact: 2,
                from: "2026-05-09 09:00",
                until: Some("2026-05-09 10:00"),
                status,
                components: &[1],
            };
            let id = tell(&db, "not yet", told).await;
            assert!(find(&db, &Scope::public(), id).await.unwrap().is_none());
        }
        let (from, until) = (at("2026-05-01"), at("2026-06-01"));
        let (events, _) = ended(&db, &Scope::public(), from, until, at(NOON), 0)
            .await
            .unwrap();
        assert!(events.is_empty());
        assert_eq!(
            ends_around(&db, &Scope::public(), until, from, at(NOON))
                .await
                .unwrap(),
            (None, None)
        );
        assert!(
            incidents_since(&db, &Scope::public(), from, at(NOON))
                .await
                .unwrap()
                .is_empty()
        );
    });
}

#[test]
fn the_state_of_a_component_is_its_maintenance_or_the_worst_of_its_incidents() {
    pollster::block_on(async {
        let db = fresh().await;
        use EventKind::{Incident, Maintenance};
        assert_eq!(
            current(&db, &Scope::public(), at(NOON))
                .await
                .unwrap()
                .overall(),
            State::Available
        );
        for (kind, impact, until, components) in [
            (Maintenance, 0, Some("2026-05-10 14:00"), &[3][..]),
            (Incident, 1, None, &[1, 2]),
            (Incident, 3, None, &[2, 3]),
            (Incident, 2, None, &[2]),
        ] {
            let told = Told {
                kind,
                impact,
                from: "2026-05-10 09:00",
                until,
                status: "active",
                components,
            };
            tell(&db, "event", told).await;
            let overall = current(&db, &Scope::public(), at(NOON))
                .await
                .unwrap()
                .overall();
            match kind {
                Maintenance => assert_eq!(overall, State::Maintenance),
                _ => assert!(overall >= State::of_impact(impact), "{overall:?}"),
            }
        }
        let states = current(&db, &Scope::public(), at(NOON))
            .await
            .unwrap()
            .states();
        assert_eq!(states.get(&1), Some(&State::Minor));
        assert_eq!(states.get(&2), Some(&State::Outage));
        assert_eq!(states.get(&3), Some(&State::Maintenance));
        let counts = incidents_since(&db, &Scope::public(), at("2026-05-01"), at(NOON))
            .await
            .unwrap();
        assert_eq!(counts, BTreeMap::from([(1, 1), (2, 3), (3, 1)]));
    });
}

#[test]
fn the_history_has_pages() {
    pollster::block_on(async {
        let db = fresh().await;
        for day in 1..=2 {
            for number in 0..30 {
                let ended = format!("2026-0{day}-03 10:{number:02}");
                let told = Told {
                    kind: EventKind::Incident,
                    impact: 1,
                    from: "2026-01-01",
                    until: Some(&ended),
                    status: "resolved",
                    components: &[1],
                };
                tell(&db, &ended, told).await;
            }
        }
        let (from, until) = (at("2026-01-01"), at("2026-03-01"));
        let (events, are_more) = ended(&db, &Scope::public(), from, until, at(NOON), 0)
            .await
            .unwrap();
        assert_eq!(events.len(), PAGE);
        assert!(are_more);
        assert_eq!(events[0].title, "2026-02-03 10:29");
        let (events, are_more) = ended(&db, &Scope::public(), from, until, at(NOON), 50)
            .await
            .unwrap();
        assert_eq!(events.len(), 10);
        assert!(!are_more);
        assert_eq!(events[9].title, "2026-01-03 10:00");
        let public = Scope::public();
        let found = ends_around(&db, &public, at("2026-02-01"), at("2026-02-01"), at(NOON));
        assert_eq!(
            found.await.unwrap(),
            (Some(at("2026-01-03 10:29")), Some(at("2026-02-03 10:00")))
        );
    });
}

#[test]
fn no_page_reads_all_that_ever_happened() {
    pollster::block_on(async {
        let db = fresh().await;
        let conditions = [
            (
                events_statement(&Scope::public(), CURRENT, CURRENT_ORDER, "limit 1"),
                params![at(NOON)].to_vec(),
            ),
            (
                events_statement(
                    &Scope::public(),
                    ENDED,
                    "i.ended_at desc, i.id desc limit 51 offset ?4",
                    "",
                ),
                params![at(NOON), at(NOON), at(NOON), 0].to_vec(),
            ),
        ];
        for (sql, parameters) in conditions {
            let plan = db.plan(&sql, &parameters).await.unwrap();
            let scans: Vec<&String> = plan
                .iter()
                .filter(|step| step.starts_with("SCAN") && step.contains(" i"))
                .collect();
            assert!(scans.is_empty(), "{plan:#?}");
        }
    });
}

/// What is read may be more than a database takes as one value; the native one refuses it.
#[test]
fn a_large_catalogue_and_a_long_story_are_read_in_pieces() {
    pollster::block_on(async {
        let db = fresh().await;
        db.execute(
            "with recursive n (id) as (select 10 union all select id + 1 from n where id < 3010)
             insert into status_components (id, name, attributes, attributes_key, region, category,
                 position, created_at)
             select id, printf('%s %.*c', id, 400, 'n'), '[]', id, null, 'Storage', id,
                 '2026-01-01T00:00:00.000Z' from n",
            &[],
        )
        .await
        .unwrap();
        let components = components(&db).await.unwrap();
        assert_eq!(components.len(), 3004);
        assert!(components[3003].name.starts_with("3010 n"));

        let told = Told {
            kind: EventKind::Incident,
            impact: 3,
            from: NOON,
            until: None,
            status: "analysing",
            components: &[10, 11],
        };
        for number in 0..300 {
            let title = format!("{number} {}", "t".repeat(4000));
            tell(&db, &title, told).await;
        }
        let now = at("2026-05-10T13:00:00.000Z");
        let current = current(&db, &Scope::public(), now).await.unwrap();
        assert_eq!(current.incidents.len(), 300);
        assert!(current.incidents[0].title.starts_with("299 "));
    });
}
