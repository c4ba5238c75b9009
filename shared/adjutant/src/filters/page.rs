//! One page of a list: the total, and the items, newest first.

use super::{Condition, Filter, Root, demand_all, search};
use windlass_core::db::{Db, Value};
use windlass_core::limits::PAGE_SIZE;
use windlass_core::{Error, Result, Scope};

/// How much of a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Everything, as far as one answer takes it.
    All,
    /// One page.
    Page {
        /// Its number; the first is 1.
        number: i64,
        /// How many items it has.
        size: i64,
    },
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The items as JSON text.
    pub items: String,
    /// How many pages there are, and the number of this one, where pages were asked for.
    pub pages: Option<(i64, i64)>,
}

impl Page {
    /// The answer of a list: the items under their name, and where it stands among the pages.
    pub fn envelope(&self, name: &str) -> String {
        let pages = self.pages.map_or(String::new(), |(pages, number)| {
            format!(
                ",\"pages\":{pages},\"has_more\":{},\"has_prev\":{}",
                number < pages,
                number > 1
            )
        });
        format!("{{\"{name}\":{}{pages}}}", self.items)
    }
}

/// The most items that are answered where no pages are asked for.
const MOST: i64 = PAGE_SIZE as i64;

/// One page of a list, for who sees all projects. `item` is the JSON of a row, over its own alias and
/// `t`, its task.
///
/// # Errors
/// 400 for a page that there is not.
pub async fn page(
    db: &impl Db,
    scope: &Scope,
    root: Root,
    item: &str,
    filter: &Filter,
    listed: Listed,
) -> Result<Page> {
    demand_all(scope)?;
    let searched = match filter.searches.is_empty() {
        true => None,
        false => Some(search::keys(db, root, &filter.conditions, &filter.searches).await?),
    };
    let (limit, offset, pages) = match listed {
        Listed::All => (MOST, 0, None),
        Listed::Page { number, size } => {
            let total = match &searched {
                Some(keys) => i64::try_from(keys.len()).unwrap_or(i64::MAX),
                None => total(db, root, &filter.conditions).await?,
            };
            let pages = ((total + size - 1) / size).max(1);
            if !(1..=pages).contains(&number) {
                return Err(Error::bad_parameters("Empty page"));
            }
            (size, (number - 1) * size, Some((pages, number)))
        }
    };
    let (keys, mut values) = match searched {
        Some(keys) => {
            let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
            let taken = usize::try_from(limit).unwrap_or(usize::MAX);
            let keys: Vec<i64> = keys.into_iter().skip(skipped).take(taken).collect();
            let sql = "select value as key from json_each(?1)".to_owned();
            (sql, vec![Value::json(&keys)?])
        }
        None => keys_sql(root, &filter.conditions),
    };
    if keys.contains("limit") {
        values.extend([Value::from(limit), Value::from(offset)]);
    }
    let items = db.first(&items_sql(root, item, &keys), &values).await?;
    let items = items.ok_or_else(|| Error::internal("a page answers one row"))?;
    Ok(Page {
        items: items.text(0)?.to_owned(),
        pages,
    })
}

/// The statement that finds the keys of a page. Limit and offset are its last parameters.
pub(super) fn keys_sql(root: Root, conditions: &[Condition]) -> (String, Vec<Value>) {
    let (_, alias) = root.table();
    let (condition, values) = joined(conditions);
    let next = values.len() + 1;
    let sql = format!(
        "select {alias}.key as key from {} where {condition}
         order by {alias}.created_on desc, {alias}.key desc limit ?{next} offset ?{}",
        root.rows(),
        next + 1
    );
    (sql, values)
}

fn items_sql(root: Root, item: &str, keys: &str) -> String {
    let (_, alias) = root.table();
    format!(
        "select json_group_array(json(item)) from (
             select {item} as item from ({keys}) p cross join {} {} {alias}.key = p.key
             order by {alias}.created_on desc, {alias}.key desc)",
        root.rows(),
        match root {
            Root::Tasks => "on",
            Root::Tokens | Root::Notifications => "and",
        }
    )
}

/// How many rows there are: from the numbers that triggers keep, where they know it.
async fn total(db: &impl Db, root: Root, conditions: &[Condition]) -> Result<i64> {
    let (sql, values) = total_sql(root, conditions);
    let row = db.first(&sql, &values).await?;
    row.ok_or_else(|| Error::internal("a total is one row"))?
        .integer(0)
}

pub(super) fn total_sql(root: Root, conditions: &[Condition]) -> (String, Vec<Value>) {
    let counts = match root {
        Root::Tasks => Some("adjutant_tasks"),
        Root::Notifications => Some("adjutant_notifications"),
        Root::Tokens => None,
    };
    let kept: Option<Vec<Condition>> = conditions
        .iter()
        .map(|condition| {
            let counted = condition.counted.as_ref()?;
            Some(Condition::new(counted.as_str(), condition.values.clone()))
        })
        .collect();
    if let (Some(counts), Some(kept)) = (counts, kept) {
        let (condition, values) = joined(&kept);
        let sql = format!(
            "select coalesce(sum(rows), 0) from row_counts where counts = '{counts}' and {condition}"
        );
        return (sql, values);
    }
    let (condition, values) = joined(conditions);
    let sql = format!("select count(*) from {} where {condition}", root.rows());
    (sql, values)
}

/// All conditions as one, with numbered parameters.
pub(super) fn joined(conditions: &[Condition]) -> (String, Vec<Value>) {
    let (mut sql, mut values) = (String::from("1"), Vec::new());
    for condition in conditions {
        sql.push_str(" and (");
        let mut rest = condition.sql.as_str();
        for value in &condition.values {
            let Some((before, after)) = rest.split_once("{}") else {
                break;
            };
            values.push(value.clone());
            sql.push_str(&format!("{before}?{}", values.len()));
            rest = after;
        }
        sql.push_str(rest);
        sql.push(')');
    }
    (sql, values)
}
