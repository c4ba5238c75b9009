use super::*;
use crate::events::EventKind;
use crate::subscriptions::tests::stage;
use crate::testing::{self, NewIncident};
use windlass_core::db::NativeDb;

fn key(fingerprint: &str) -> Key<'_> {
    Key {
        source: Source::Receiver,
        source_id: "prometheus",
        fingerprint,
    }
}

fn scope() -> Scope {
    Scope::system("ann", TENANT)
}

async fn up(db: &NativeDb, fingerprint: &str, component: i64, impact: i64) -> Option<i64> {
    let signal = Signal {
        key: key(fingerprint),
        component,
        impact,
        title: "10.0.0.7 is down",
        public_title: "Disk has a problem",
    };
    let raised = db.transaction(async |tx| raise(tx, &scope(), &signal, Timestamp::now()).await);
    raised.await.unwrap()
}

async fn down(db: &NativeDb, fingerprint: &str) -> Option<i64> {
    let key = key(fingerprint);
    let lowered = db.transaction(async |tx| lower(tx, &scope(), key, Timestamp::now()).await);
    lowered.await.unwrap()
}

/// The incidents: number, impact, whether open, the components in it, the updates.
async fn incidents(db: &NativeDb) -> Vec<(i64, i64, bool, i64, i64)> {
    let rows = db.query(
        "select id, impact, ended_at is null,
             (select count(*) from status_incident_components where incident_id = i.id),
             (select count(*) from status_updates where incident_id = i.id)
         from status_incidents i order by id",
        &[],
    );
    let row = |row: &windlass_core::db::Row| {
        let number = |column| row.integer(column).unwrap();
        (number(0), number(1), number(2) == 1, number(3), number(4))
    };
    rows.await.unwrap().iter().map(row).collect()
}

#[test]
fn a_signal_opens_once_and_closes_with_its_end() {
    pollster::block_on(async {
        let db = stage().await;
        assert_eq!(down(&db, "a").await, None, "never raised");
        assert_eq!(up(&db, "a", 1, 2).await, Some(1));
        assert_eq!(up(&db, "a", 1, 2).await, Some(1), "told again");
        assert_eq!(up(&db, "a", 1, 1).await, Some(1), "less bad is no news");
        assert_eq!(incidents(&db).await, [(1, 2, true, 1, 0)]);
        assert_eq!(up(&db, "a", 1, 3).await, Some(1), "it got worse");
        assert_eq!(incidents(&db).await, [(1, 3, true, 1, 1)]);
        assert_eq!(down(&db, "a").await, Some(1));
        assert_eq!(incidents(&db).await, [(1, 3, false, 1, 2)]);
        assert_eq!(up(&db, "a", 1, 2).await, Some(2), "a new one");
    });
}

#[test]
fn the_last_of_several_signals_closes() {
    pollster::block_on(async {
        let db = stage().await;
        up(&db, "a", 1, 1).await;
        up(&db, "b", 1, 1).await;
        up(&db, "c", 2, 1).await;
        assert_eq!(incidents(&db).await, [(1, 1, true, 2, 1)]);
        down(&db, "a").await;
        assert_eq!(incidents(&db).await, [(1, 1, true, 2, 1)], "b lasts");
        down(&db, "b").await;
        assert_eq!(incidents(&db).await, [(1, 1, true, 1, 2)], "2 is left");
        down(&db, "c").await;
        assert_eq!(incidents(&db).await, [(1, 1, false, 1, 3)]);
    });
}

#[test]
fn a_worse_signal_takes_the_others_along() {
    pollster::block_on(async {
        let db = stage().await;
        up(&db, "a", 1, 1).await;
        up(&db, "c", 2, 1).await;
        assert_eq!(up(&db, "b", 1, 3).await, Some(2), "1 leaves 2 behind");
        down(&db, "b").await;
        assert!(incidents(&db).await[1].2, "a lasts, and it is in it now");
        down(&db, "a").await;
        assert!(!incidents(&db).await[1].2);
        assert!(incidents(&db).await[0].2, "of 2");
    });
}

#[test]
fn what_people_touched_or_ended_stays() {
    pollster::block_on(async {
        let db = stage().await;
        up(&db, "a", 1, 2).await;
        db.execute("update status_incidents set is_system = 0", &[])
            .await
            .unwrap();
        down(&db, "a").await;
        assert!(incidents(&db).await[0].2, "a person's");
        testing::close(&db, 1, Timestamp::now(), Timestamp::now())
            .await
            .unwrap();
        up(&db, "b", 1, 2).await;
        testing::close(&db, 2, Timestamp::now(), Timestamp::now())
            .await
            .unwrap();
        assert_eq!(up(&db, "b", 1, 2).await, Some(2), "told, and ended");
        assert_eq!(incidents(&db).await.len(), 2);
    });
}

#[test]
fn what_a_monitor_opened_is_not_closed() {
    pollster::block_on(async {
        let db = stage().await;
        let report = Report {
            subject: Subject::Id(1),
            impact: 2,
            text: "slow",
        };
        reports::report(&db, &scope(), &report).await.unwrap();
        assert_eq!(up(&db, "a", 1, 2).await, Some(1));
        down(&db, "a").await;
        assert!(incidents(&db).await[0].2);
    });
}

/// A maintenance of the first component that is under way.
async fn maintain(db: &NativeDb) -> Timestamp {
    let now = Timestamp::now();
    let maintenance = NewIncident {
        kind: EventKind::Maintenance,
        title: "New disks",
        description: None,
        impact: 0,
        started_at: now.plus_seconds(-60),
        ended_at: Some(now.plus_seconds(60)),
        is_system: false,
        status: "in_progress",
        contact_email: None,
        components: &[1],
    };
    testing::insert(db, &maintenance, "ann", now).await.unwrap();
    now
}

#[test]
fn what_gets_worse_under_maintenance_still_ends_its_incident() {
    pollster::block_on(async {
        let db = stage().await;
        assert_eq!(up(&db, "a", 1, 2).await, Some(1));
        maintain(&db).await;
        assert_eq!(up(&db, "a", 1, 3).await, Some(1));
        assert_eq!(down(&db, "a").await, Some(1));
        assert!(!incidents(&db).await[0].2);
    });
}

#[test]
fn under_maintenance_a_signal_waits() {
    pollster::block_on(async {
        let db = stage().await;
        let now = maintain(&db).await;
        assert_eq!(up(&db, "a", 1, 2).await, None);
        testing::close(&db, 1, now, now).await.unwrap();
        assert_eq!(up(&db, "a", 1, 2).await, Some(2), "when it is told again");
        down(&db, "a").await;
        assert!(!incidents(&db).await[1].2);
    });
}

#[test]
fn signals_are_found_by_indexes() {
    pollster::block_on(async {
        let db = stage().await;
        for (sql, index) in [
            (
                "select 1 from status_signals where component_id = 1 and incident_id = 2 and is_ours",
                "INDEX status_signals_by_",
            ),
            (
                "select 1 from status_signals where source = 'receiver' and source_id = 'a' and fingerprint = 'b'",
                "PRIMARY KEY",
            ),
        ] {
            let plan = db.query(&format!("explain query plan {sql}"), &[]).await;
            let plan = plan.unwrap()[0].text(3).unwrap().to_owned();
            assert!(plan.contains(index), "{plan}");
        }
    });
}
