//! One page of a list.

use windlass_core::db::{Db, Value};
use windlass_core::{Error, Result};
use windlass_store::pieces;

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The items of this page as a JSON list.
    pub items: String,
    /// How many there are on all pages.
    pub total: i64,
}

impl Page {
    /// Reads a page: `items` selects those of the page as JSON texts in a column `item`, `total` tells
    /// how many there are without parameters.
    pub(crate) async fn read(
        db: &impl Db,
        items: &str,
        total: &str,
        parameters: &[Value],
    ) -> Result<Self> {
        let items = pieces::read_list(db, items, parameters).await?;
        let row = db.first(total, &[]).await?;
        let row = row.ok_or_else(|| Error::internal("a count is one row"))?;
        Ok(Self {
            items,
            total: row.integer(0)?,
        })
    }
}
