//! What happened in runs, the table `pipeline_logs`, console output of tools among it.

use crate::access::{Access, Asker};
use crate::pipelines;
use crate::rows::{Listed, MOST, time_sql, user_id_sql};
use crate::runs::Run;
use serde::Serialize;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Timestamp, params};
use windlass_store::pieces::batches;

/// The action of console output, which the original's clients ask for by this text.
pub const CONSOLE: &str = "console output";

/// The most bytes of one record of console output.
const PIECE: usize = 64 << 10;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    position: Option<usize>,
    action: &'static str,
    is_console: bool,
    message: String,
    status: &'static str,
    response: Option<String>,
}

impl Entry {
    /// Something about a run.
    pub fn of_run(action: &'static str, message: String, status: &'static str) -> Self {
        Self {
            position: None,
            action,
            is_console: false,
            message,
            status,
            response: None,
        }
    }

    /// Something about a step, by its place in the plan.
    pub fn of_step(
        position: usize,
        action: &'static str,
        message: String,
        status: &'static str,
    ) -> Self {
        Self {
            position: Some(position),
            ..Self::of_run(action, message, status)
        }
    }

    /// What a tool has printed, in pieces.
    pub fn console(position: usize, text: &str) -> Vec<Self> {
        let mut rest = text;
        let mut entries = Vec::new();
        while !rest.is_empty() {
            let (piece, more) = split(rest);
            entries.push(Self {
                is_console: true,
                response: Some(piece.to_owned()),
                ..Self::of_step(position, CONSOLE, String::new(), "running")
            });
            rest = more;
        }
        entries
    }
}

/// A piece of a text, at the end of a line if there is one, and the rest.
fn split(text: &str) -> (&str, &str) {
    if text.len() <= PIECE {
        return (text, "");
    }
    let mut end = PIECE;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let (piece, _) = text.split_at(end);
    let end = piece.rfind('\n').map_or(end, |line| line + 1);
    text.split_at(end)
}

/// Stores what happened in a run. `by` is who caused it.
pub(crate) async fn insert(
    tx: &impl Tx,
    run: &Run,
    entries: &[Entry],
    by: &str,
    now: Timestamp,
) -> Result<()> {
    for batch in batches(entries) {
        tx.execute(
            "insert into pipeline_logs (run_key, pipeline_key, position, action, is_console, message,
                 status, response, caused_by, at)
             select ?1, ?2, value ->> 'position', value ->> 'action', value ->> 'is_console',
                 value ->> 'message', value ->> 'status', value ->> 'response', ?3, ?4
             from json_each(?5)",
            params![run.key, run.pipeline_key, by, now.millis(), batch?],
        )
        .await?;
    }
    Ok(())
}

fn item_sql() -> String {
    let step = |field: &str| format!("l.plan ->> ('$[' || t.position || ']{field}')");
    format!(
        "(select json_object('_id', printf('%024x', t.key), 'pipeline_id', p.id,
              'step_id', {id}, 'step_name', {name}, 'step_index', t.position,
              'run_count', r.number, 'action', t.action, 'type', t.action,
              'tool_identifier', {tool}, 'message', t.message, 'status', t.status,
              'api_response', t.response, 'user_id', {user}, 'customerId', r.tenant_name,
              'createdAt', {at}, 'updatedAt', {at}, '__v', 0)
          from pipeline_runs r join pipelines p on p.key = r.pipeline_key
              join pipeline_plans l on l.key = r.plan_key where r.key = t.run_key)",
        id = step("._id"),
        name = step(".name"),
        tool = step(".tool.tool_identifier"),
        user = user_id_sql("t.caused_by"),
        at = time_sql("t.at"),
    )
}

/// The condition of a list of logs: a run's or all, console output or everything.
pub(crate) const fn condition(of_run: bool, is_console: bool) -> &'static str {
    match (of_run, is_console) {
        (false, false) => "t.pipeline_key = ?1",
        (false, true) => "t.pipeline_key = ?1 and t.is_console = 1",
        (true, false) => {
            "t.run_key = (select key from pipeline_runs where pipeline_key = ?1 and number = ?3)"
        }
        (true, true) => {
            "t.pipeline_key = ?1 and t.is_console = 1
             and t.run_key = (select key from pipeline_runs where pipeline_key = ?1 and number = ?3)"
        }
    }
}

/// The newest records of a pipeline, or of one of its runs, newest first.
///
/// # Errors
/// 404 for a pipeline that is not in the account, 403 for one that the asker may not see.
pub async fn list(
    db: &impl Db,
    asker: &Asker,
    pipeline_id: &str,
    run: Option<i64>,
    is_console: bool,
) -> Result<Listed> {
    let pipeline = pipelines::find(db, asker, pipeline_id, Access::Read).await?;
    let keys = format!(
        "select t.key, coalesce(octet_length(t.response), 0) + octet_length(t.message) + 500
         from pipeline_logs t where {} order by t.key desc limit ?2",
        condition(run.is_some(), is_console)
    );
    let mut values = params![pipeline.key, MOST].to_vec();
    values.extend(run.map(Into::into));
    Listed::read(db, &keys, &values, (&item_sql(), "pipeline_logs")).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn console_output_is_cut_at_lines() {
        let line = "é".repeat(500) + "\n";
        let text = line.repeat(300);
        let entries = Entry::console(3, &text);
        assert!(entries.len() > 4, "{}", entries.len());
        let pieces: Vec<&str> = entries
            .iter()
            .map(|entry| entry.response.as_deref().unwrap())
            .collect();
        assert!(
            pieces
                .iter()
                .all(|piece| piece.len() <= PIECE && piece.ends_with('\n'))
        );
        assert_eq!(pieces.concat(), text);
        let endless = "é".repeat(PIECE);
        let pieces = Entry::console(0, &endless);
        let whole: String = pieces
            .iter()
            .filter_map(|entry| entry.response.clone())
            .collect();
        assert_eq!(whole, endless);
        assert!(Entry::console(0, "").is_empty());
    }

    #[test]
    fn lists_of_logs_follow_their_indexes() {
        pollster::block_on(async {
            let db = crate::testing::database().await;
            for (of_run, is_console, index) in [
                (false, false, "pipeline_logs_by_pipeline (pipeline_key=?)"),
                (true, false, "pipeline_logs_by_run (run_key=?)"),
                (
                    true,
                    true,
                    "pipeline_logs_console (pipeline_key=? AND run_key=?)",
                ),
            ] {
                let sql = format!(
                    "select t.key, octet_length(t.response) from pipeline_logs t
                     where {} order by t.key desc limit ?2",
                    condition(of_run, is_console)
                );
                let mut values = params![1, 10].to_vec();
                values.extend(of_run.then(|| 1_i64.into()));
                let plan = crate::testing::plan(&db, &sql, &values).await;
                assert!(plan.contains(index), "{plan}");
                assert!(!plan.contains("TEMP B-TREE"), "{plan}");
            }
        });
    }
}
