//! Signals that nobody tells of any more: the program that raised one was taken away, or its "resolved" got
//! lost. They would hold their incidents open for ever, and fill their receiver.

use super::{Key, Source, end};
use crate::TENANT;
use serde::Deserialize;
use serde_json::Value;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope, Timestamp, log, params};
use windlass_store::config;

/// The setting that says for how many hours an alert counts that is not told again; 0 is for ever.
const LIFETIME_SETTING: &str = "alert_lifetime_hours";

/// How many are lowered in one transaction.
const AT_ONCE: i64 = 50;

/// Who lowers them where people's names are; no user's name holds a colon.
const BY: &str = "clock:alerts";

#[derive(Deserialize)]
struct Silent {
    source_id: String,
    fingerprint: String,
    last_seen: Timestamp,
}

/// Lowers a piece of the signals of receivers that were not told again for longer than the setting says.
/// Answers how many. Probes look after their own.
pub async fn forget_silent(db: &impl Db, now: Timestamp) -> Result<usize> {
    let hours = config::integer(db, LIFETIME_SETTING).await?.unwrap_or(0);
    if hours <= 0 {
        return Ok(0);
    }
    let before = now.plus_seconds(hours.saturating_mul(-3600));
    // Mostly there is nothing, and then nobody should wait for the database.
    let sql = "select 1 from status_signals where source = 'receiver' and last_seen is null
         union all select 1 from status_signals where source = 'receiver' and last_seen < ?1 limit 1";
    if db.first(sql, params![before]).await?.is_none() {
        return Ok(0);
    }
    let why = format!("The alert was not repeated for {}", span(hours));
    db.transaction(async |tx| forget(tx, before, &why, now).await)
        .await
}

async fn forget(tx: &impl Tx, before: Timestamp, why: &str, now: Timestamp) -> Result<usize> {
    tx.execute(
        "update status_signals set last_seen = ?1 where source = 'receiver' and last_seen is null",
        params![now],
    )
    .await?;
    let rows = tx
        .query(
            "select json_object('source_id', source_id, 'fingerprint', fingerprint, 'last_seen', last_seen)
             from status_signals where source = 'receiver' and last_seen < ?1
             order by last_seen limit ?2",
            params![before, AT_ONCE],
        )
        .await?;
    let scope = Scope::system(BY, TENANT);
    for row in &rows {
        let silent: Silent = row.json(0)?;
        let key = Key {
            source: Source::Receiver,
            source_id: &silent.source_id,
            fingerprint: &silent.fingerprint,
        };
        let incident = end(tx, &scope, key, Some(why), now).await?;
        let told: [(&'static str, Value); 4] = [
            ("receiver", silent.source_id.as_str().into()),
            ("fingerprint", silent.fingerprint.as_str().into()),
            ("last_seen", silent.last_seen.to_string().into()),
            ("incident", incident.into()),
        ];
        log::line(
            log::Level::Warning,
            "an alert was not repeated and counts no more",
            told,
        );
    }
    Ok(rows.len())
}

/// A number of hours in words.
fn span(hours: i64) -> String {
    match (hours, hours % 24) {
        (1, _) => "an hour".to_owned(),
        (24, _) => "a day".to_owned(),
        (_, 0) => format!("{} days", hours / 24),
        _ => format!("{hours} hours"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::{Signal, raise};
    use crate::subscriptions::tests::stage;
    use windlass_core::db::NativeDb;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000).plus_seconds(hours * 3600)
    }

    async fn up(db: &NativeDb, source: Source, fingerprint: &str, component: i64, hours: i64) {
        let signal = Signal {
            key: Key {
                source,
                source_id: "prometheus",
                fingerprint,
            },
            component,
            impact: 2,
            title: "",
            public_title: "Disk has a problem",
        };
        let scope = Scope::system("ann", TENANT);
        db.transaction(async |tx| raise(tx, &scope, &signal, at(hours)).await)
            .await
            .unwrap();
    }

    /// What lasts.
    async fn left(db: &NativeDb) -> String {
        let sql = "select coalesce(group_concat(fingerprint, ' ' order by fingerprint), '')
             from status_signals";
        let row = db.first(sql, &[]).await.unwrap().unwrap();
        row.text(0).unwrap().to_owned()
    }

    #[test]
    fn an_alert_that_is_not_repeated_ends_its_incident_and_says_so() {
        pollster::block_on(async {
            let db = stage().await;
            up(&db, Source::Receiver, "lost", 1, 0).await;
            up(&db, Source::Receiver, "told", 2, 0).await;
            up(&db, Source::Receiver, "told", 2, 100).await;
            up(&db, Source::Probe, "probe", 3, 0).await;
            assert_eq!(forget_silent(&db, at(168)).await.unwrap(), 0, "too soon");
            assert_eq!(forget_silent(&db, at(169)).await.unwrap(), 1);
            assert_eq!(left(&db).await, "probe told");
            let sql = "select group_concat(text, '|') from status_updates";
            let text = db.first(sql, &[]).await.unwrap().unwrap();
            let text = text.text(0).unwrap().to_owned();
            assert!(
                text.contains("The alert was not repeated for 7 days. "),
                "{text}"
            );
            assert_eq!(forget_silent(&db, at(269)).await.unwrap(), 1);
            assert_eq!(left(&db).await, "probe");
        });
    }

    #[test]
    fn alerts_of_before_the_time_was_kept_count_from_now_on() {
        pollster::block_on(async {
            let db = stage().await;
            up(&db, Source::Receiver, "old", 1, 0).await;
            db.execute("update status_signals set last_seen = null", &[])
                .await
                .unwrap();
            assert_eq!(forget_silent(&db, at(1000)).await.unwrap(), 0);
            assert_eq!(forget_silent(&db, at(1167)).await.unwrap(), 0);
            assert_eq!(forget_silent(&db, at(1169)).await.unwrap(), 1);
        });
    }

    #[test]
    fn nothing_is_forgotten_where_the_setting_says_for_ever() {
        pollster::block_on(async {
            let db = stage().await;
            up(&db, Source::Receiver, "a", 1, 0).await;
            let set = "update config set value = ?1 where name = 'alert_lifetime_hours'";
            db.execute(set, params!["0"]).await.unwrap();
            assert_eq!(forget_silent(&db, at(90_000)).await.unwrap(), 0);
            db.execute(set, params!["1"]).await.unwrap();
            assert_eq!(forget_silent(&db, at(2)).await.unwrap(), 1);
        });
    }

    #[test]
    fn many_go_piece_by_piece_along_an_index() {
        pollster::block_on(async {
            let db = stage().await;
            db.execute(
                "with recursive n (k) as (select 1 union all select k + 1 from n where k < 70)
                 insert into status_signals (source, source_id, fingerprint, component_id, impact, title,
                     since, last_seen, is_ours)
                 select 'receiver', 'prometheus', 'f' || k, 1, 1, '', ?1, ?1, 0 from n",
                params![at(0)],
            )
            .await
            .unwrap();
            assert_eq!(forget_silent(&db, at(200)).await.unwrap(), 50);
            assert_eq!(forget_silent(&db, at(200)).await.unwrap(), 20);
            let sql = "select 1 from status_signals where source = 'receiver' and last_seen < ?1";
            let plan = db.plan(sql, params![at(0)]).await.unwrap().join(" ");
            assert!(plan.contains("status_signals_by_last_seen"), "{plan}");
        });
    }
}
