//! Triggers and indexes, which are in the way while all rows of a table are exchanged.

use crate::tables::Table;
use serde_json::json;
use windlass_core::db::Tx;
use windlass_core::{Result, params};

/// What was taken away, as the statements that bring it back.
pub struct Aside(Vec<String>);

/// Takes the triggers of tables away, and the indexes that nothing but speed depends on.
pub async fn set_aside(tx: &impl Tx, tables: &[Table]) -> Result<Aside> {
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    let rows = tx
        .query(
            "select type, name, sql from sqlite_schema
             where tbl_name in (select value from json_each(?1)) and sql is not null
                 and (type = 'trigger' or type = 'index' and sql not like 'create unique%')
             order by rowid",
            params![&json!(names)],
        )
        .await?;
    let mut statements = Vec::with_capacity(rows.len());
    for row in &rows {
        let (kind, name) = (row.text(0)?, row.text(1)?);
        tx.execute(&format!("drop {kind} \"{name}\""), &[]).await?;
        statements.push(row.text(2)?.to_owned());
    }
    Ok(Aside(statements))
}

/// Brings back what was taken away.
pub async fn put_back(tx: &impl Tx, aside: &Aside) -> Result<()> {
    for sql in &aside.0 {
        tx.execute(sql, &[]).await?;
    }
    Ok(())
}

/// Makes the indexes for searches anew. Each is named after its table.
pub async fn index_searches(tx: &impl Tx) -> Result<()> {
    for row in tx.query("select name from search_indexes", &[]).await? {
        let name = row.text(0)?;
        let table = name.strip_suffix("_search").unwrap_or(name);
        for sql in [
            format!("insert into {name} ({name}) values ('rebuild')"),
            format!(
                "update search_indexes set up_to = (select coalesce(max(key), 0) from {table})
                 where name = '{name}'"
            ),
        ] {
            tx.execute(&sql, &[]).await?;
        }
    }
    Ok(())
}
