//! What an update sets only later: columns of the deployment, and of nodes that operations still need as
//! they are.

use serde::Serialize;
use windlass_core::db::{Db, Row, Tx};
use windlass_core::{Result, params};

use crate::pieces::batches;

/// The value of a column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    /// The node; empty for the deployment.
    pub node_id: String,
    /// The column.
    pub name: String,
    /// Its value, JSON.
    pub value: String,
}

/// The most bytes of a value that goes into a statement with others: as a text in JSON it may have twice
/// as many.
const TOGETHER: usize = 128 << 10;

/// Keeps values until they are set.
pub async fn insert(tx: &impl Tx, update: i64, columns: &[Column]) -> Result<()> {
    let (small, large): (Vec<&Column>, Vec<&Column>) = columns
        .iter()
        .partition(|column| column.value.len() <= TOGETHER);
    let sql = "insert into deployment_update_columns (update_key, node_id, name, value)
               select ?1, value ->> 'node_id', value ->> 'name', value ->> 'value' from json_each(?2)
               where true on conflict (update_key, node_id, name) do update set value = excluded.value";
    for batch in batches(small) {
        tx.execute(sql, params![update, batch?]).await?;
    }
    let sql = "insert into deployment_update_columns (update_key, node_id, name, value)
               values (?1, ?2, ?3, ?4)
               on conflict (update_key, node_id, name) do update set value = excluded.value";
    for column in large {
        let Column {
            node_id,
            name,
            value,
        } = column;
        tx.execute(sql, params![update, node_id, name, value])
            .await?;
    }
    Ok(())
}

/// The values of an update, in the order of its nodes.
pub async fn find(db: &impl Db, update: i64) -> Result<Vec<Column>> {
    let sql = "select node_id, name, value from deployment_update_columns
               where update_key = ?1 order by key";
    let rows = db.query(sql, params![update]).await?;
    let column = |row: &Row| {
        Ok(Column {
            node_id: row.text(0)?.to_owned(),
            name: row.text(1)?.to_owned(),
            value: row.text(2)?.to_owned(),
        })
    };
    rows.iter().map(column).collect()
}

/// Forgets the values of the updates of a deployment up to one: they were set, or never will be.
pub async fn forget(tx: &impl Tx, deployment: i64, up_to: i64) -> Result<()> {
    let sql = "delete from deployment_update_columns where update_key in (
                   select key from deployment_updates where deployment_key = ?1 and key <= ?2)";
    tx.execute(sql, params![deployment, up_to]).await
}
