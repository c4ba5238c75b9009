//! Summaries: how many there are of each value of a field, and of each pair of values of two.
//!
//! Where numbers are kept by these fields a summary is read from them, else the rows are counted. Pages are
//! of pairs, as in the original: what a value sums up to covers the pairs of the page only.

use super::{Field, ListQuery, Resource, Statement};
use crate::caller::Scope;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::limits;
use serde_json::{Map, Value, json};

/// What is counted by.
#[derive(Clone, Copy, Debug)]
pub struct SummaryOf {
    /// The first field.
    pub target: &'static Field,
    /// The second one.
    pub sub: Option<&'static Field>,
    /// What the numbers are called.
    pub count: &'static str,
}

/// A page of a summary.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// One for each value of the first field.
    pub items: Vec<Value>,
    /// How many pairs there are. None where nobody asked.
    pub total: Option<i64>,
}

/// How many pairs, and those of the page: two values and their number.
type Pairs = (Option<i64>, Vec<(Value, Value, i64)>);

impl Resource {
    /// Counts the items of a query by one or two fields, in the order of their values.
    ///
    /// # Errors
    /// Of the database.
    pub async fn summary(
        &self,
        db: &impl Db,
        scope: &Scope,
        query: &ListQuery,
        of: SummaryOf,
    ) -> Result<Summary> {
        let statement = self.summary_statement(scope, query, of);
        let found: Option<Pairs> = db.first_json(&statement.sql, &statement.parameters).await?;
        let (total, pairs) =
            found.ok_or_else(|| Error::internal("an aggregate answers one row"))?;
        Ok(Summary {
            items: items(pairs, of),
            total,
        })
    }

    /// The statement of [`Self::summary`].
    pub fn summary_statement(&self, scope: &Scope, query: &ListQuery, of: SummaryOf) -> Statement {
        let mut statement = Statement::under(scope);
        let own = statement.conditions(query);
        let parts = scope.parts("t", &mut statement);
        let (target, sub) = (of.target.sql, of.sub.map_or("null", |field| field.sql));
        let is_kept = |counts: &&&super::Counts| {
            let conditions = query
                .conditions
                .iter()
                .map(|(condition, _)| condition.as_str());
            conditions
                .chain([target, sub])
                .all(|condition| counts.answers(condition))
        };
        let (number, from) = match self.counts.iter().find(is_kept) {
            Some(counts) => ("sum(t.rows)", counts.table_sql() + " t"),
            None => ("count(*)", self.table.to_owned()),
        };
        let parts: Vec<String> = parts
            .iter()
            .map(|part| {
                format!(
                    "select {target} as target, {sub} as sub, {number} as n from {from} \
                     where {part}{own} group by 1, 2"
                )
            })
            .collect();
        let total = match query.paging.with_total {
            true => "(select count(*) from pairs)",
            false => "null",
        };
        let [limit, offset] = query.paging.limit_and_offset(limits::PAGE_SIZE);
        let (limit, offset) = (statement.parameter(limit), statement.parameter(offset));
        statement.sql = format!(
            "with pairs as materialized (select target, sub, sum(n) as n from ({parts}) \
             group by target, sub having sum(n) > 0) \
             select json_array({total}, (select json_group_array(\
             json_array(target, sub, n)) from (select * from pairs order by target, sub \
             limit {limit} offset {offset})))",
            parts = parts.join(" union all ")
        );
        statement
    }
}

/// The pairs of a page as items, those of one value together.
fn items(pairs: Vec<(Value, Value, i64)>, of: SummaryOf) -> Vec<Value> {
    let mut items: Vec<(Value, i64, Vec<Value>)> = Vec::new();
    for (value, sub_value, count) in pairs {
        let by_sub = of.sub.map(|sub| {
            let mut item = Map::new();
            item.insert(sub.name.to_owned(), sub_value);
            item.insert(of.count.to_owned(), json!(count));
            Value::Object(item)
        });
        match items.last_mut() {
            Some((known, sum, subs)) if *known == value => {
                *sum += count;
                subs.extend(by_sub);
            }
            _ => items.push((value, count, by_sub.into_iter().collect())),
        }
    }
    let shown = |(value, sum, subs): (Value, i64, Vec<Value>)| {
        let mut item = Map::new();
        item.insert(of.target.name.to_owned(), value);
        item.insert(of.count.to_owned(), json!(sum));
        if let Some(sub) = of.sub {
            item.insert(format!("by {}", sub.name), subs.into());
        }
        Value::Object(item)
    };
    items.into_iter().map(shown).collect()
}
