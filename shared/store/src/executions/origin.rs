//! Who started an execution and when, where that was somewhere else.

use windlass_core::db::Db;
use windlass_core::{Error, Result, Timestamp, params};

/// The name of a user as it is stored, which may differ in letter case from what was given.
///
/// # Errors
/// 400 when there is no such user.
pub async fn creator(db: &impl Db, username: &str) -> Result<String> {
    let row = db
        .first(
            "select username from users where username = ?1",
            params![username],
        )
        .await?;
    match row {
        Some(row) => Ok(row.text(0)?.to_owned()),
        None => Err(Error::bad_parameters(format!(
            "User {username} does not exist."
        ))),
    }
}

/// Gives an execution another creator and another time of creation, where they are given.
pub async fn set_origin(
    db: &impl Db,
    key: i64,
    created_by: Option<&str>,
    created_at: Option<Timestamp>,
) -> Result<()> {
    if created_by.is_none() && created_at.is_none() {
        return Ok(());
    }
    db.execute(
        "update executions set created_by = coalesce(?2, created_by),
             created_at = coalesce(?3, created_at) where key = ?1",
        params![key, created_by, created_at],
    )
    .await
}
