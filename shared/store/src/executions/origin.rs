//! Who started an execution, where a request names somebody else than its caller.

use windlass_core::db::Db;
use windlass_core::{Error, Result, params};

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
