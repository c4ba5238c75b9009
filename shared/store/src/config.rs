//! Settings that operators change through `/config`.

use windlass_core::db::Db;
use windlass_core::{Result, params};

/// The value of a setting that is a whole number, whatever its scope.
pub async fn integer(db: &impl Db, name: &str) -> Result<Option<i64>> {
    let row =
        db.first("select value from config where name = ?1 order by scope limit 1", params![name]).await?;
    row.map(|row| row.json::<Option<i64>>(0)).transpose().map(Option::flatten)
}
