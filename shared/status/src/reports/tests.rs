use super::*;
use crate::components::{self, find_with_incidents, list_with_incidents};
use crate::events::monitor_list::{Window, find_json, list_json};
use crate::testing::{self, NewIncident};
use serde_json::Value;
use std::rc::Rc;
use windlass_core::Caller;
use windlass_core::caller::Reach;
use windlass_core::db::NativeDb;

mod lists;

const MINOR: i64 = 1;
const MAJOR: i64 = 2;
const OUTAGE: i64 = 3;

fn event(id: i64, impact: i64, rest: &str) -> Active {
    let title = format!("event {id}");
    Active {
        event: EventRef { id, title },
        impact,
        is_system: !rest.contains("manual"),
        has_component: rest.contains("with it"),
        has_others: rest.contains("and others"),
    }
}

#[test]
fn each_row_of_the_decision_table() {
    let known = |id| format!("known {id}");
    let maintenance = event(1, 0, "with it");
    let foreign = event(2, MINOR, "and others");
    let foreign_major = event(3, MAJOR, "and others");
    let alone = event(4, MINOR, "with it");
    let shared = event(5, MINOR, "with it, and others");
    let manual = event(6, MAJOR, "manual, with it");
    for (row, active, impact, want) in [
        (
            "1",
            vec![maintenance.clone(), alone.clone()],
            OUTAGE,
            "maintenance 1".to_owned(),
        ),
        ("2 lower", vec![manual.clone()], MINOR, known(6)),
        ("2 equal", vec![manual.clone()], MAJOR, known(6)),
        (
            "2 before 4",
            vec![foreign.clone(), manual.clone()],
            MINOR,
            known(6),
        ),
        (
            "2 before 6",
            vec![alone.clone(), manual.clone()],
            MAJOR,
            known(6),
        ),
        ("3", vec![], MINOR, "open".into()),
        (
            "3, manual too low",
            vec![manual.clone()],
            OUTAGE,
            "open".into(),
        ),
        ("4", vec![foreign.clone()], MINOR, "join 2".into()),
        (
            "4, the first",
            vec![foreign.clone(), event(9, MINOR, "")],
            MINOR,
            "join 2".into(),
        ),
        ("5", vec![foreign.clone()], MAJOR, "open".into()),
        ("6 equal", vec![alone.clone()], MINOR, known(4)),
        ("6 lower", vec![event(7, MAJOR, "with it")], MINOR, known(7)),
        (
            "7",
            vec![foreign_major.clone(), alone.clone()],
            MAJOR,
            "close 4 for 3".into(),
        ),
        ("8", vec![alone.clone()], MAJOR, "raise 4".into()),
        (
            "8, past others",
            vec![foreign_major.clone(), alone.clone()],
            OUTAGE,
            "raise 4".into(),
        ),
        (
            "9",
            vec![foreign_major.clone(), shared.clone()],
            MAJOR,
            "move 5 to 3".into(),
        ),
        ("10", vec![shared.clone()], OUTAGE, "move 5 to new".into()),
        (
            "10, manual too low",
            vec![shared, manual],
            OUTAGE,
            "move 5 to new".into(),
        ),
    ] {
        let got = match decide(&active, impact) {
            Decision::UnderMaintenance(active) => format!("maintenance {}", active.event.id),
            Decision::Known(active) => known(active.event.id),
            Decision::Open => "open".into(),
            Decision::Join(to) => format!("join {}", to.event.id),
            Decision::Move { from, to } => format!("move {} to {}", from.event.id, to.event.id),
            Decision::MoveToNew { from } => format!("move {} to new", from.event.id),
            Decision::MoveAndClose { from, to } => {
                format!("close {} for {}", from.event.id, to.event.id)
            }
            Decision::Raise(active) => format!("raise {}", active.event.id),
        };
        assert_eq!(got, want, "row {row}");
    }
}

fn scope() -> Scope {
    let caller = Caller::of_monitor("probe");
    Scope::of(Rc::new(caller), Reach::Nowhere, String::from("request-1"))
}

/// A database with a catalogue: the names of components and their regions.
async fn database(components: &[(&str, &[&str])]) -> NativeDb {
    let db = NativeDb::in_memory();
    windlass_store::migrations::apply(&db).await.unwrap();
    for (position, (name, values)) in components.iter().enumerate() {
        let attributes = of(values);
        db.execute(
            "insert into status_components (name, attributes, attributes_key, position, created_at)
             values (?1, ?2, ?3, ?4, '2026-01-01T00:00:00.000Z')",
            params![
                *name,
                &json!(attributes),
                attributes_key(&attributes),
                position
            ],
        )
        .await
        .unwrap();
    }
    db
}

/// Attributes written as `name=value`.
fn of(texts: &[&str]) -> Vec<Attribute> {
    let split = texts.iter().filter_map(|text| text.split_once('='));
    split
        .map(|(name, value)| Attribute {
            name: name.into(),
            value: value.into(),
        })
        .collect()
}

fn of_name(prefix: &str) -> components::Window<'_> {
    components::Window {
        prefix,
        limit: 10,
        offset: 0,
    }
}

async fn post(db: &NativeDb, name: &str, impact: i64, text: &str) -> Outcome {
    let subject = Subject::Named(name, &[]);
    let told = Report {
        subject,
        impact,
        text,
    };
    report(db, &scope(), &told).await.unwrap()
}

async fn read(db: &NativeDb, id: i64) -> Value {
    serde_json::from_str(&find_json(db, &scope(), id).await.unwrap()).unwrap()
}

/// The texts of an incident's updates, the oldest first.
async fn updates(db: &NativeDb, id: i64) -> Vec<String> {
    let incident = read(db, id).await;
    let mut texts: Vec<String> = incident["updates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|update| {
            assert_eq!(update["status"], "SYSTEM");
            update["text"].as_str().unwrap().to_owned()
        })
        .collect();
    texts.reverse();
    texts
}

/// The components of each incident that is open.
async fn open(db: &NativeDb) -> Vec<(i64, i64, String)> {
    let rows = db
        .query(
            "select i.id, i.impact, (select group_concat(name, ' ') from (
                 select c.name from status_incident_components l join status_components c on c.id = l.component_id
                 where l.incident_id = i.id order by c.name))
             from status_incidents i where i.ended_at is null order by i.id",
            &[],
        )
        .await
        .unwrap();
    rows.iter()
        .map(|row| {
            let names = row.text(2).unwrap_or_default().to_owned();
            (row.integer(0).unwrap(), row.integer(1).unwrap(), names)
        })
        .collect()
}

#[test]
fn components_join_and_leave_incidents() {
    pollster::block_on(async {
        let db = database(&[
            ("A", &["region=Reg1", "category=<Cat>"]),
            ("B", &[]),
            ("C", &[]),
        ])
        .await;
        // Rows 3, 6 and 8.
        assert_eq!(
            post(&db, "A", MINOR, "Slow & <odd>").await,
            Outcome::Taken(1)
        );
        let known = Outcome::Known {
            incident: 1,
            title: "Slow & <odd>".into(),
            component: "A (Reg1, <Cat>)".into(),
        };
        assert_eq!(post(&db, "A", MINOR, "again").await, known);
        assert_eq!(post(&db, "A", MAJOR, "worse").await, Outcome::Taken(1));
        assert_eq!(
            updates(&db, 1).await,
            ["impact changed from minor to major"]
        );
        assert_eq!(read(&db, 1).await["text"], "Slow & <odd>");
        // Row 5, then row 7: alone in an incident, joins the worse one.
        assert_eq!(post(&db, "B", MINOR, "B is slow").await, Outcome::Taken(2));
        assert_eq!(post(&db, "B", MAJOR, "B").await, Outcome::Taken(1));
        assert_eq!(
            updates(&db, 2).await,
            [
                "B () moved to <a href='/incidents/1'>Slow &amp; &lt;odd&gt;</a>",
                "CLOSED BY SYSTEM"
            ]
        );
        assert_ne!(read(&db, 2).await["end_date"], Value::Null);
        assert_eq!(open(&db).await, [(1, 2, "A B".into())]);
        // It stays listed in the one that ended.
        let list: Value = serde_json::from_str(
            &list_with_incidents(&db, &Scope::public(), of_name("B"))
                .await
                .unwrap(),
        )
        .unwrap();
        assert_eq!(list[0]["incidents"][1]["id"], 2, "{list}");
        // Row 4, then row 10: leaves the others for a new incident.
        assert_eq!(post(&db, "C", MAJOR, "C").await, Outcome::Taken(1));
        assert_eq!(post(&db, "A", OUTAGE, "A is down").await, Outcome::Taken(3));
        assert_eq!(open(&db).await, [(1, 2, "B C".into()), (3, 3, "A".into())]);
        assert_eq!(
            updates(&db, 3).await,
            ["A (Reg1, &lt;Cat&gt;) moved from <a href='/incidents/1'>Slow &amp; &lt;odd&gt;</a>"]
        );
        // Row 9: leaves the others for an incident that is there.
        assert_eq!(post(&db, "C", OUTAGE, "C").await, Outcome::Taken(3));
        assert_eq!(open(&db).await, [(1, 2, "B".into()), (3, 3, "A C".into())]);
        assert_eq!(
            updates(&db, 1).await[1..],
            [
                "B () moved from <a href='/incidents/2'>B is slow</a>",
                "C () added to Slow &amp; &lt;odd&gt;",
                "A (Reg1, &lt;Cat&gt;) moved to <a href='/incidents/3'>A is down</a>",
                "C () moved to <a href='/incidents/3'>A is down</a>",
            ]
        );
        // What changed something is in the audit trail, and nothing else.
        let audit = "select count(*), min(username), max(action), max(request_id) from audit_log";
        let row = db.first(audit, &[]).await.unwrap().unwrap();
        assert_eq!(row.integer(0).unwrap(), 7);
        assert_eq!(row.text(1).unwrap(), "monitor:probe");
        assert_eq!(row.text(2).unwrap(), "status_report");
        assert_eq!(row.text(3).unwrap(), "request-1");
    });
}

#[test]
fn what_people_say_is_left_alone() {
    pollster::block_on(async {
        let db = database(&[("A", &[]), ("B", &[])]).await;
        post(&db, "A", MAJOR, "told by a person").await;
        db.execute("update status_incidents set is_system = 0", &[])
            .await
            .unwrap();
        assert!(matches!(
            post(&db, "A", MINOR, "x").await,
            Outcome::Known { incident: 1, .. }
        ));
        // Nobody else joins it, and what is worse opens another one beside it.
        assert_eq!(post(&db, "B", MAJOR, "y").await, Outcome::Taken(2));
        assert_eq!(post(&db, "A", OUTAGE, "z").await, Outcome::Taken(3));
        assert_eq!(
            open(&db).await,
            [(1, 2, "A".into()), (2, 2, "B".into()), (3, 3, "A".into())]
        );
        assert!(updates(&db, 1).await.is_empty());
    });
}

#[test]
fn only_a_maintenance_that_goes_on_keeps_a_report_away() {
    pollster::block_on(async {
        let now = Timestamp::now();
        for (hours, status, kind, is_kept_away) in [
            ((-1, Some(1)), "in_progress", EventKind::Maintenance, true),
            ((-1, Some(1)), "planned", EventKind::Maintenance, true),
            ((-1, None), "in_progress", EventKind::Maintenance, true),
            ((1, Some(2)), "planned", EventKind::Maintenance, false),
            ((-2, Some(-1)), "in_progress", EventKind::Maintenance, false),
            ((-1, Some(1)), "cancelled", EventKind::Maintenance, false),
            (
                (-1, Some(1)),
                "pending_review",
                EventKind::Maintenance,
                false,
            ),
            ((-1, Some(1)), "active", EventKind::Info, false),
        ] {
            let db = database(&[("A", &[]), ("B", &[])]).await;
            let (begin, end) = hours;
            let at = |hours: i64| now.plus_seconds(hours * 3600);
            let new = NewIncident {
                kind,
                title: "works",
                description: None,
                impact: 0,
                started_at: at(begin),
                ended_at: end.map(at),
                is_system: false,
                status,
                contact_email: None,
                components: &[1],
            };
            testing::insert(&db, &new, "ann", now).await.unwrap();
            let outcome = post(&db, "A", MINOR, "x").await;
            let got = outcome == Outcome::UnderMaintenance(1);
            assert_eq!(got, is_kept_away, "{hours:?} {status} {kind:?}");
            assert_eq!(post(&db, "B", MINOR, "x").await, Outcome::Taken(2));
        }
    });
}

#[test]
fn a_component_is_found_by_some_of_its_attributes() {
    pollster::block_on(async {
        let db = database(&[
            ("A", &["region=EU", "zone=1"]),
            ("A", &["region=US", "zone=1"]),
            ("A", &["region=US"]),
            ("AB", &[]),
        ])
        .await;
        for (name, attributes, want) in [
            ("A", &[] as &[&str], Some(1)),
            ("A", &["region=EU"], Some(1)),
            ("A", &["zone=1"], Some(1)),
            ("A", &["zone=1", "region=US"], Some(2)),
            ("A", &["region=US"], Some(3)),
            ("AB", &[], Some(4)),
            ("A", &["region=us"], None),
            ("A", &["region=EU", "region=US"], None),
            ("a", &[], None),
            ("AB", &["region=EU"], None),
        ] {
            let attributes = of(attributes);
            let subject = Subject::Named(name, &attributes);
            let seen = Seen::read(&db, subject, Timestamp::now()).await;
            let got = seen
                .map(|seen| seen.component.id)
                .map_err(|error| error.message().to_owned());
            let want = want.ok_or_else(|| "Component not found".to_owned());
            assert_eq!(got, want, "{name} {attributes:?}");
        }
        let by_id = Seen::read(&db, Subject::Id(3), Timestamp::now())
            .await
            .unwrap();
        assert_eq!(by_id.component.label(), "A (US)");
        db.execute(
            "update status_components set retired_at = '2026-01-01T00:00:00.000Z'",
            &[],
        )
        .await
        .unwrap();
        for subject in [Subject::Id(3), Subject::Named("AB", &[])] {
            assert!(
                Seen::read(&db, subject, Timestamp::now()).await.is_err(),
                "{subject:?}"
            );
        }
    });
}
