//! Events for those who follow them while they happen.
//!
//! `storage_id` is the order of commits, since one transaction writes at a time and no number is given
//! twice. So whoever has seen a number asks for what is above it, and misses nothing. What is new is
//! asked for once for many followers: a range of the table, however many rows there are below it.

use serde::Deserialize;
use windlass_core::db::{Db, Value};
use windlass_core::list::Statement;
use windlass_core::{Result, Scope, params};

use super::list::{EventQuery, item_sql};
use crate::executions::Status;

/// What somebody follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// An execution, by its key.
    Execution(i64),
    /// All executions of a deployment, by its key.
    Deployment(i64),
}

/// A new row: whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct News {
    /// Its `storage_id`.
    pub id: i64,
    /// The execution's key.
    pub execution: i64,
    /// The deployment's key, if the execution has one.
    pub deployment: Option<i64>,
}

impl News {
    /// Whether it belongs to what somebody follows.
    pub fn is_of(self, followed: Followed) -> bool {
        match followed {
            Followed::Execution(key) => self.execution == key,
            Followed::Deployment(key) => self.deployment == Some(key),
        }
    }
}

/// A row as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its `storage_id`.
    pub id: i64,
    /// The type of an event, or `cloudify_log`.
    pub name: String,
    /// The row as a list has it, JSON.
    pub item: String,
}

const NEWS: &str = "select json_object('id', e.storage_id, 'execution', e.execution_key,
         'deployment', x.deployment_key)
     from events e cross join executions x on x.key = e.execution_key
     where e.storage_id > ?1 order by e.storage_id limit ?2";

/// What was written after a row, whoever it belongs to, in its order.
pub async fn news(db: &impl Db, after: i64, limit: usize) -> Result<Vec<News>> {
    db.json_rows(NEWS, params![after, limit]).await
}

/// The number of the newest row.
pub async fn newest_id(db: &impl Db) -> Result<i64> {
    let sql = "select coalesce(max(storage_id), 0) from events";
    db.first(sql, &[])
        .await?
        .map_or(Ok(0), |row| row.integer(0))
}

const OF_EXECUTION: &str = "select storage_id from events
     where execution_key = ?1 and +storage_id > ?2 order by +storage_id limit ?3";

const OF_DEPLOYMENT: &str = "select e.storage_id from executions x
     cross join events e on e.execution_key = x.key and +e.storage_id > ?2
     where x.deployment_key = ?1 order by +e.storage_id limit ?3";

/// The numbers of the rows after one of what is followed, in their order: for who begins, or was away
/// for long.
pub async fn ids_after(
    db: &impl Db,
    followed: Followed,
    after: i64,
    limit: usize,
) -> Result<Vec<i64>> {
    let (sql, key) = match followed {
        Followed::Execution(key) => (OF_EXECUTION, key),
        Followed::Deployment(key) => (OF_DEPLOYMENT, key),
    };
    let rows = db.query(sql, params![key, after, limit]).await?;
    rows.iter().map(|row| row.integer(0)).collect()
}

/// Those of these rows that the caller sees and asked for, in their order.
pub async fn told(
    db: &impl Db,
    scope: &Scope,
    query: &EventQuery,
    ids: &[i64],
) -> Result<Vec<Told>> {
    let mut statement = Statement::under(scope);
    let visible = scope.condition("t", &mut statement);
    let own = statement.conditions(&query.query);
    let keys = statement.parameter(Value::json(&ids)?);
    let sql = format!(
        "select t.storage_id, iif(t.is_log, 'cloudify_log', t.event_type), {}
         from json_each({keys}) p cross join whole_events t on t.storage_id = p.value
         where {visible}{own} order by t.storage_id",
        item_sql(query)
    );
    let rows = db.query(&sql, &statement.parameters).await?;
    let told = rows.iter().map(|row| {
        Ok(Told {
            id: row.integer(0)?,
            name: row.text(1).unwrap_or_default().to_owned(),
            item: row.text(2)?.to_owned(),
        })
    });
    told.collect()
}

/// Where what is followed stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// More may happen.
    Open,
    /// The execution is over.
    Ended(Status),
    /// It is not there any more.
    Gone,
}

/// Where what is followed stands.
pub async fn standing(db: &impl Db, followed: Followed) -> Result<Standing> {
    let (sql, key) = match followed {
        Followed::Execution(key) => ("select status from executions where key = ?1", key),
        Followed::Deployment(key) => ("select '' from deployments where key = ?1", key),
    };
    let Some(row) = db.first(sql, params![key]).await? else {
        return Ok(Standing::Gone);
    };
    Ok(match Status::named(row.text(0)?) {
        Some(status) if status.has_ended() => Standing::Ended(status),
        _ => Standing::Open,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executions::tests::{database, scope};
    use windlass_core::Request;
    use windlass_core::db::NativeDb;
    use windlass_core::http::Method;

    async fn two_executions() -> NativeDb {
        let db = database().await;
        for sql in [
            "insert into executions (key, id, tenant_name, created_by, visibility, created_at, workflow_id, status)
             values (1, 'one', 'harbour', 'ann', 'tenant', '', 'install', 'started'),
                 (2, 'two', 'quay', 'bob', 'tenant', '', 'install', 'failed')",
            "insert into events (execution_key, list_key, is_log, timestamp, event_type, message)
             select 1 + value % 2, 0, value % 3 = 0, 100 - value, 'workflow_event', 'm' || value
             from json_each('[1,2,3,4,5,6,7,8,9]')",
        ] {
            db.execute(sql, &[]).await.unwrap();
        }
        db
    }

    fn query(text: &str) -> EventQuery {
        let request = Request::new(Method::GET, &format!("/events/stream?{text}"));
        let kinds = EventQuery::kinds(&request).unwrap();
        EventQuery::parse(&request, kinds).unwrap()
    }

    #[test]
    fn what_is_new_comes_in_the_order_in_which_it_was_written() {
        pollster::block_on(async {
            let db = two_executions().await;
            assert_eq!(newest_id(&db).await.unwrap(), 9);
            let new = news(&db, 7, 10).await.unwrap();
            let ids: Vec<(i64, i64)> = new.iter().map(|one| (one.id, one.execution)).collect();
            assert_eq!(ids, [(8, 1), (9, 2)]);
            // Their times go backwards, as those of a clock that was set back.
            let one = Followed::Execution(1);
            assert_eq!(ids_after(&db, one, 2, 2).await.unwrap(), [4, 6]);
            assert_eq!(ids_after(&db, one, 6, 9).await.unwrap(), [8]);
        });
    }

    #[test]
    fn a_follower_is_told_what_its_list_would_show() {
        pollster::block_on(async {
            let db = two_executions().await;
            let ann = scope("ann", "harbour");
            for (text, ids) in [
                ("", vec![2, 4, 8]),
                ("include_logs=true", vec![2, 4, 6, 8]),
                ("type=cloudify_log", vec![6]),
                ("message=m8", vec![8]),
            ] {
                let all: Vec<i64> = (1..=9).collect();
                let told = told(&db, &ann, &query(text), &all).await.unwrap();
                let got: Vec<i64> = told.iter().map(|row| row.id).collect();
                assert_eq!(got, ids, "{text}");
            }
            let some = query("include_logs=true&_include=message");
            let told = told(&db, &ann, &some, &[6, 8]).await;
            let names: Vec<(String, String)> = (told.unwrap().into_iter())
                .map(|row| (row.name, row.item))
                .collect();
            let row =
                |name: &str, text: &str| (name.to_owned(), format!("{{\"message\":\"{text}\"}}"));
            assert_eq!(
                names,
                [row("cloudify_log", "m6"), row("workflow_event", "m8")]
            );
        });
    }

    #[test]
    fn an_execution_stands_where_its_status_says() {
        pollster::block_on(async {
            let db = two_executions().await;
            for (followed, want) in [
                (Followed::Execution(1), Standing::Open),
                (Followed::Execution(2), Standing::Ended(Status::Failed)),
                (Followed::Execution(3), Standing::Gone),
                (Followed::Deployment(1), Standing::Gone),
            ] {
                assert_eq!(standing(&db, followed).await.unwrap(), want, "{followed:?}");
            }
        });
    }

    /// Asked for several times a second, in a table that nothing has more rows than.
    #[test]
    fn followers_read_what_is_new_and_nothing_else() {
        pollster::block_on(async {
            let db = crate::fresh_database().await;
            for (sql, parameters, wanted) in [
                (
                    NEWS,
                    params![1, 2],
                    "SEARCH e USING INTEGER PRIMARY KEY (rowid>?)",
                ),
                (
                    OF_EXECUTION,
                    params![1, 2, 3],
                    "SEARCH events USING COVERING INDEX events_by_execution (execution_key=?)",
                ),
                (
                    OF_DEPLOYMENT,
                    params![1, 2, 3],
                    "SEARCH e USING COVERING INDEX events_by_execution (execution_key=?)",
                ),
            ] {
                let plan = db.plan(sql, parameters).await.unwrap();
                assert!(plan.iter().any(|step| step == wanted), "{sql}: {plan:#?}");
                assert!(
                    plan.iter().all(|step| !step.starts_with("SCAN")),
                    "{plan:#?}"
                );
            }
            let told = {
                let mut statement = Statement::under(&scope("ann", "harbour"));
                let visible = scope("ann", "harbour").condition("t", &mut statement);
                let keys = statement.parameter("[1]");
                statement.sql = format!(
                    "select 1 from json_each({keys}) p cross join whole_events t
                     on t.storage_id = p.value where {visible}"
                );
                statement
            };
            let plan = db.plan(&told.sql, &told.parameters).await.unwrap();
            let by_number = "SEARCH e USING INTEGER PRIMARY KEY (rowid=?)";
            assert!(plan.iter().any(|step| step == by_number), "{plan:#?}");
        });
    }
}
