//! An event as a change finds it, inside the transaction that changes it.

use super::unknown;
use crate::incidents::{EventKind, SYSTEM};
use crate::lifecycle::Standing;
use windlass_core::db::Db;
use windlass_core::{Error, Result, Timestamp, params};

/// A row with what a change has to know.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub id: i64,
    pub standing: Standing,
    pub title: String,
    pub description: Option<String>,
    pub contact_email: Option<String>,
    pub created_by: String,
    pub version: i64,
}

/// The event with this number. The update that it began with does not count as one that others must
/// follow: clients that write whole seconds could not say anything within the first.
///
/// # Errors
/// 404 when there is none.
pub(super) async fn find(db: &impl Db, id: i64) -> Result<Stored> {
    let row = db
        .first(
            "select i.kind, i.status, i.impact, i.started_at, i.ended_at,
                 (select max(u.at) from status_updates u
                  where u.incident_id = i.id and u.status <> ?2 and u.created_at > i.created_at),
                 i.title, i.description, i.contact_email, i.created_by, i.version
             from status_incidents i where i.id = ?1",
            params![id, SYSTEM],
        )
        .await?
        .ok_or_else(unknown)?;
    let time = |text: &str| Timestamp::parse("time", text);
    let kind = EventKind::named(row.text(0)?)
        .ok_or_else(|| Error::internal(format!("event {id} is of no known kind")))?;
    let text = |column| Ok::<_, Error>(row.optional_text(column)?.map(str::to_owned));
    Ok(Stored {
        id,
        standing: Standing {
            kind,
            status: row.text(1)?.to_owned(),
            impact: row.integer(2)?,
            started_at: time(row.text(3)?)?,
            ended_at: row.optional_text(4)?.map(time).transpose()?,
            last_update: row.optional_text(5)?.map(time).transpose()?,
        },
        title: row.text(6)?.to_owned(),
        description: text(7)?,
        contact_email: text(8)?,
        created_by: row.text(9)?.to_owned(),
        version: row.integer(10)?,
    })
}
