//! The indexes that searches by substring ask first: `016_search.sql`, filled by triggers.
//!
//! What they may say wrongly is that a row could match, which the search then sees for itself.

use windlass_core::db::Tx;
use windlass_core::{Result, params};

/// The table of each index.
pub const INDEXES: [(&str, &str); 4] = [
    ("blueprints_search", "blueprints"),
    ("deployments_search", "deployments"),
    ("nodes_search", "nodes"),
    ("node_instances_search", "node_instances"),
];

/// Makes the indexes again from their tables. Takes time in proportion to those: for operators who
/// changed rows behind the application's back.
pub async fn rebuild(tx: &impl Tx) -> Result<()> {
    for (index, table) in INDEXES {
        let sql = format!("insert into {index} ({index}) values ('rebuild')");
        tx.execute(&sql, &[]).await?;
        let sql = format!(
            "update search_indexes set up_to = (select coalesce(max(key), 0) from {table})
             where name = ?1"
        );
        tx.execute(&sql, params![index]).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
