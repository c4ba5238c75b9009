//! One page of a list.

use windlass_core::db::{Db, Value};
use windlass_core::{Error, Result};

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The items of this page as a JSON list.
    pub items: String,
    /// How many there are on all pages.
    pub total: i64,
}

impl Page {
    /// Reads the page that a statement answers in its only row: the items, then their number.
    pub(crate) async fn read(db: &impl Db, sql: &str, parameters: &[Value]) -> Result<Self> {
        let row = db.first(sql, parameters).await?;
        let row = row.ok_or_else(|| Error::internal("a page is one row"))?;
        Ok(Self {
            items: row.text(0)?.to_owned(),
            total: row.integer(1)?,
        })
    }
}
