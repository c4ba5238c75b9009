//! What was left behind: blobs, rows of the queue, parts of plans.
//!
//! What may be on its way is left alone: only what has been nobody's, or due, for much longer than
//! anything takes is told.

use super::{Finding, PATIENCE};
use crate::blobs;
use crate::queue::{self, Work};
use std::time::Instant;
use windlass_core::db::{Db, Tx, Value};
use windlass_core::{Result, Timestamp, params};

/// How long work has to have stood still, in milliseconds.
const AGE: i64 = 2 * 60 * 60 * 1000;

/// How many names a finding has at most.
const SHOWN: usize = 5;

/// Every blob that a row names, and what clients call the row.
const NAMED: &str = "select archive_blob as blob, id as owner from blueprints
         where archive_blob is not null
     union all select archive_blob, id from plugins
     union all select f.blob, p.id from plugin_files f join plugins p on p.key = f.plugin_key
     union all select archive_blob, id from log_bundles where archive_blob is not null
     union all select archive_blob, id from snapshots where archive_blob is not null";

/// What those rows are.
const OWNERS: &str = "blueprints, plugins, log bundles and snapshots";

/// Blobs that a row names although they are to be swept, which would lose them, and blobs that no
/// sweep has removed.
pub(super) async fn blobs(
    db: &impl Db,
    mends: bool,
    now: Timestamp,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let named = format!(
        "select distinct n.owner from ({NAMED}) n cross join loose_blobs l on l.id = n.blob
         where l.is_swept = 0"
    );
    let owners = names(db, &named, &[]).await?;
    if !owners.is_empty() {
        if mends {
            let keep = format!(
                "delete from loose_blobs where is_swept = 0 and id in (select blob from ({NAMED}))"
            );
            db.execute(&keep, &[]).await?;
        }
        let text = format!(
            "blobs: archives that are to be removed, of {OWNERS} that are there: {}",
            few(&owners)
        );
        let is_mended = mends;
        findings.push(Finding { text, is_mended });
    }
    let old = format!(
        "select id from loose_blobs where touched_at < ?1 and id not in (select blob from ({NAMED}))"
    );
    let old = old.as_str();
    // A sweep removes them after half of that.
    let before = now.millis() - 2 * blobs::kept_millis(db).await?;
    let left = names(db, old, params![before]).await?;
    if !left.is_empty() {
        let mut is_mended = mends;
        // What is left after a while is said to be left; another call goes on.
        let begun = Instant::now();
        while is_mended && begun.elapsed() < PATIENCE && blobs::sweep(db, now).await? > 0 {}
        is_mended &= names(db, old, params![before]).await?.is_empty();
        let text = format!("blobs: nobody's, and not removed: {}", few(&left));
        findings.push(Finding { text, is_mended });
    }
    Ok(())
}

/// Rows of the queue that have been due for long, about something that is gone or in words of another
/// version.
pub(super) async fn queue(
    db: &impl Db,
    mends: bool,
    now: Timestamp,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let before = now.millis() - AGE;
    for work in Work::ALL.iter().copied() {
        let Some(subject) = queue::subject_of(work) else {
            continue;
        };
        let condition = format!(
            "kind = ?1 and due_at < ?2 and not exists (select 1 from {subject} = queue.subject)"
        );
        let rows = format!("select subject from queue where {condition}");
        let subjects = names(db, &rows, params![work, before]).await?;
        if subjects.is_empty() {
            continue;
        }
        if mends {
            let rows = format!("delete from queue where {condition}");
            db.execute(&rows, params![work, before]).await?;
        }
        findings.push(Finding {
            text: format!("queue: `{work}` of what is gone: {}", few(&subjects)),
            is_mended: mends,
        });
    }
    let known: Vec<&str> = Work::ALL.iter().map(|work| work.name()).collect();
    let sql = "select distinct kind from queue
               where due_at < ?2 and kind not in (select value from json_each(?1))";
    let known = Value::from(&serde_json::Value::from(known));
    for kind in names(db, sql, &[known, before.into()]).await? {
        findings.push(Finding {
            text: format!("queue: rows of the kind `{kind}`, which this version does not know"),
            is_mended: false,
        });
    }
    Ok(())
}

/// How many rows name each part, and what the triggers have counted: rows with the part's key and the
/// difference. A row that names a part twice counts once.
const USES: &str = "select part, sum(named) - sum(kept) as off,
        exists (select 1 from plan_parts where key = part) as is_there from (
        select part_key as part, 0 as named, uses as kept from plan_part_uses
        union all select part, count(*), 0 from (
            select distinct d.key, 0 as is_node, p.value as part from deployments d, json_each(json_array(
                d.description_part, d.outputs_part, d.capabilities_part, d.groups_part,
                d.policy_types_part, d.policy_triggers_part, d.scaling_groups_part, d.resource_tags_part)) p
            where p.value is not null
            union select d.key, 0, p.value from deployments d, json_each(d.workflow_parts) p
            union select n.key, 1, p.value from nodes n, json_each(json_array(n.type_hierarchy_part,
                n.operations_part, n.relationships_part, n.plugins_part, n.plugins_to_install_part)) p
            where p.value is not null
        ) group by part)
    group by part having off <> 0";

/// Parts that no row names or that are counted wrongly, and rows that name parts which are not there.
pub(super) async fn plan_parts(
    db: &impl Db,
    mends: bool,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let (mut told, mut missing) = (Vec::new(), Vec::new());
    for row in db.query(USES, &[]).await? {
        let (part, off, is_there) = (row.integer(0)?, row.integer(1)?, row.integer(2)? == 1);
        // A number would be right again, and what it counts would still be lost.
        if off > 0 && !is_there {
            missing.push(part.to_string());
            continue;
        }
        if mends {
            let sql = "insert into plan_part_uses (part_key, uses) values (?1, ?2)
                       on conflict (part_key) do update set uses = uses + excluded.uses";
            db.execute(sql, params![part, off]).await?;
        }
        findings.push(Finding {
            text: format!(
                "parts of plans: the number of those who name part {part} is off by {off}"
            ),
            is_mended: mends,
        });
        told.push(part.to_string());
    }
    let unnamed = "select p.key || '' from plan_parts p
                   where not exists (select 1 from plan_part_uses u where u.part_key = p.key)";
    let left = names(db, unnamed, &[]).await?;
    if !left.is_empty() {
        if mends {
            db.transaction(async |tx| remove_unnamed(tx).await).await?;
        }
        findings.push(Finding {
            text: format!("parts of plans: named by nothing: {}", few(&left)),
            is_mended: mends,
        });
    }
    let counted = "select u.part_key || '' from plan_part_uses u
                   where u.uses > 0 and not exists (select 1 from plan_parts p where p.key = u.part_key)";
    let counted = names(db, counted, &[]).await?;
    let is_new = |part: &String| !told.contains(part) && !missing.contains(part);
    let counted: Vec<String> = counted.into_iter().filter(is_new).collect();
    missing.extend(counted);
    if !missing.is_empty() {
        findings.push(Finding {
            text: format!("parts of plans: named, but not there: {}", few(&missing)),
            is_mended: false,
        });
    }
    Ok(())
}

async fn remove_unnamed(tx: &impl Tx) -> Result<()> {
    tx.execute(
        "delete from plan_parts where not exists
             (select 1 from plan_part_uses u where u.part_key = plan_parts.key)",
        &[],
    )
    .await
}

async fn names(db: &impl Db, sql: &str, parameters: &[Value]) -> Result<Vec<String>> {
    let rows = db.query(sql, parameters).await?;
    rows.iter()
        .map(|row| row.text(0).map(str::to_owned))
        .collect()
}

/// The first of many names, and how many more there are.
fn few(names: &[String]) -> String {
    let shown = names.get(..SHOWN).unwrap_or(names).join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
