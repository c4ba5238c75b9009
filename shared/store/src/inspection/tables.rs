//! Whether each table with its indexes can be read, and whether what its rows refer to is there.

use super::{Finding, each_name};
use windlass_core::db::Db;
use windlass_core::{Result, log, params};

/// Tables that have pages of their own.
const TABLES: &str = "select name from sqlite_schema
     where type = 'table' and rootpage > 0 and name > ?1 and name <> ?2 order by name limit ?3";

/// Looks at the tables after this name. None of it can be mended: that takes a backup.
pub(super) async fn inspect(
    db: &impl Db,
    after: &str,
    findings: &mut Vec<Finding>,
) -> Result<Option<String>> {
    // SQLite's own, which hold nothing of the application.
    each_name(db, TABLES, "sqlite_sequence", after, async |table| {
        let problems = match problems(db, table).await {
            Ok(problems) => problems,
            Err(error) => {
                log::error("a table could not be inspected", &error);
                vec!["it cannot be read, the log says why".to_owned()]
            }
        };
        findings.extend(problems.into_iter().map(|problem| Finding {
            text: format!("table `{table}`: {problem}"),
            is_mended: false,
        }));
        Ok(())
    })
    .await
}

async fn problems(db: &impl Db, table: &str) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let check = "select quick_check from pragma_quick_check(?1)";
    for row in db.query(check, params![table]).await? {
        let text = row.text(0)?;
        if text != "ok" {
            problems.push(text.to_owned());
        }
    }
    let missing = "select \"parent\", count(*) from pragma_foreign_key_check(?1) group by 1";
    for row in db.query(missing, params![table]).await? {
        let (parent, count) = (row.text(0)?, row.integer(1)?);
        problems.push(format!(
            "{count} rows refer to rows of `{parent}` that are not there"
        ));
    }
    Ok(problems)
}
