//! One page of a list: the total, and the items, newest first.

use super::{Condition, Filter, Root, demand_all, search};
use windlass_core::db::{Db, Value};
use windlass_core::limits::PAGE_SIZE;
use windlass_core::{Error, Result, Scope};
use windlass_store::pieces;

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
    match searched {
        Some(keys) => searched_page(db, root, item, &keys, listed).await,
        None => plain_page(db, root, item, &filter.conditions, listed).await,
    }
}

impl Listed {
    /// How many rows are read, and after how many others.
    fn window(self) -> (i64, i64) {
        match self {
            Self::All => (MOST, 0),
            Self::Page { number, size } => (size, (number - 1).max(0).saturating_mul(size)),
        }
    }

    /// Where the part stands among so many rows.
    ///
    /// # Errors
    /// 400 for a page that there is not.
    fn pages(self, total: i64) -> Result<Option<(i64, i64)>> {
        let Self::Page { number, size } = self else {
            return Ok(None);
        };
        let pages = ((total + size - 1) / size).max(1);
        match (1..=pages).contains(&number) {
            true => Ok(Some((pages, number))),
            false => Err(Error::bad_parameters("Empty page")),
        }
    }
}

/// A page of what a search has found.
async fn searched_page(
    db: &impl Db,
    root: Root,
    item: &str,
    found: &[i64],
    listed: Listed,
) -> Result<Page> {
    let pages = listed.pages(i64::try_from(found.len()).unwrap_or(i64::MAX))?;
    let (limit, offset) = listed.window();
    let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
    let taken = usize::try_from(limit).unwrap_or(usize::MAX);
    let keys: Vec<i64> = found.iter().copied().skip(skipped).take(taken).collect();
    let keys_sql = "select value as key from json_each(?1)";
    let sql = items_sql(root, item, keys_sql);
    let items = pieces::read_list(db, &sql, &[Value::json(&keys)?]).await?;
    Ok(Page { items, pages })
}

/// A page of what conditions leave. Its items and the total are one statement, since both have the same
/// parameters.
async fn plain_page(
    db: &impl Db,
    root: Root,
    item: &str,
    conditions: &[Condition],
    listed: Listed,
) -> Result<Page> {
    let (keys, mut values) = keys_sql(root, conditions);
    let (limit, offset) = listed.window();
    values.extend([Value::from(limit), Value::from(offset)]);
    let items = items_sql(root, item, &keys);
    if listed == Listed::All {
        let items = pieces::read_list(db, &items, &values).await?;
        return Ok(Page { items, pages: None });
    }
    let (total, _) = total_sql(root, conditions);
    let (total, items) = pieces::read_counted_list(db, &items, &total, &values).await?;
    let pages = listed.pages(total)?;
    Ok(Page { items, pages })
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
        "select {item} as item from ({keys}) p cross join {} {} {alias}.key = p.key
         order by {alias}.created_on desc, {alias}.key desc",
        root.rows(),
        match root {
            Root::Tasks => "on",
            Root::Tokens | Root::Notifications | Root::Mails => "and",
        }
    )
}

/// The statement that says how many rows there are: from the numbers that triggers keep, where they know
/// it.
pub(super) fn total_sql(root: Root, conditions: &[Condition]) -> (String, Vec<Value>) {
    let counts = match root {
        Root::Tasks => Some("adjutant_tasks"),
        Root::Notifications => Some("adjutant_notifications"),
        Root::Mails => Some("adjutant_mails"),
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
