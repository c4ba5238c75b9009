//! The outbox: which mails went to whom, when, after how many tries, and what was wrong.
//!
//! What a mail says is written anew for who looks at it, from the task and the settings as they are, with
//! no token in it.

use super::WITHOUT_TOKEN;
use super::delivery::{self, letter};
use crate::filters::{self, Filter, Listed, Page, Root};
use crate::tasks::plain_id;
use crate::tokens;
use crate::wire::time_sql;
use serde_json::{Map, Value};
use windlass_core::db::Db;
use windlass_core::{Error, Kind, Result, Scope, Timestamp, params};
use windlass_delivery::Settings as Delivery;

/// How long mails are kept that are not on their way, in seconds.
const KEPT: i64 = 30 * 86_400;

/// A row as answers show it.
fn item_sql() -> String {
    format!(
        "json_object('uuid', m.id, 'task', t.uuid, 'task_type', t.task_type, 'stage', m.stage,
             'recipient', m.recipient, 'state', m.state, 'attempts', m.attempts, 'error', m.error,
             'created_on', {}, 'ended_on', {})",
        time_sql("m.created_on"),
        time_sql("m.ended_on")
    )
}

/// One page of mails, newest first, for administrators.
pub async fn list(db: &impl Db, scope: &Scope, filter: &Filter, listed: Listed) -> Result<Page> {
    filters::page(db, scope, Root::Mails, &item_sql(), filter, listed).await
}

/// One mail with what it says, but for its token.
///
/// # Errors
/// 404 when there is none.
pub async fn show(db: &impl Db, scope: &Scope, uuid: &str) -> Result<Map<String, Value>> {
    filters::demand_all(scope)?;
    let id = plain_id(uuid);
    let sql = format!(
        "select {} from adjutant_mails m join adjutant_tasks t on t.key = m.task_key where m.id = ?1",
        item_sql()
    );
    let item: Option<Map<String, Value>> = db.first_json(&sql, params![id.as_str()]).await?;
    let (Some(mut item), Some(row)) = (item, delivery::find(db, &id).await?) else {
        return Err(Error::new(Kind::NotFound, "No mail with this id."));
    };
    let expires = match row.token_key {
        Some(key) => tokens::end(db, key).await?,
        None => None,
    };
    let token = expires.map(|expires| tokens::Open {
        value: WITHOUT_TOKEN.to_owned(),
        expires,
    });
    let written = letter(db, &row, token.as_ref(), &Delivery::load().await).await?;
    let (subject, text, html) = match written {
        Some(letter) => (Some(letter.subject), Some(letter.text), Some(letter.html)),
        None => (None, None, None),
    };
    for (name, value) in [("subject", subject), ("text", text), ("html", html)] {
        item.insert(name.into(), value.into());
    }
    Ok(item)
}

/// Which are forgotten next.
pub(super) const OLD: &str = "select key from adjutant_mails
     where created_on < ?1 and state <> 'queued' order by created_on, key limit ?2";

/// Forgets mails of long ago. Only a read where there are none.
pub async fn forget_old(db: &impl Db, now: Timestamp) -> Result<()> {
    let before = now.plus_seconds(-KEPT);
    crate::tasks::forget(db, "adjutant_mails", OLD, before).await
}
