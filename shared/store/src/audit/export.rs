//! The trail as a table, piece by piece: it may have millions of entries, and whoever reads it slowly must
//! not keep it in memory.

use super::Filter;
use windlass_core::db::{Db, Value};
use windlass_core::{Error, Result, Scope};

/// What the columns of the table are called.
pub const COLUMNS: [&str; 9] = [
    "id",
    "created_at",
    "creator_name",
    "address",
    "operation",
    "ref_table",
    "ref_id",
    "tenant_name",
    "execution_id",
];

/// How many entries are read at once.
const AT_ONCE: u64 = 1_000;

windlass_core::named_enum! {
    /// What a table is in the order of. Only what an index leads through: a place in it is a value.
    pub enum Order {
        /// When it happened.
        Time = "created_at",
        /// When it was written.
        Number = "id",
    }
}

/// What is left of a table to read.
#[derive(Clone, Debug)]
pub struct Table {
    filter: Filter,
    order: Order,
    is_descending: bool,
    /// How many entries to pass over.
    skipped: u64,
    /// How many are wanted at most.
    wanted: u64,
    /// Time and number of the last one that was read.
    last: Option<(String, i64)>,
}

impl Table {
    /// A table of these entries, `size` at most; all without one.
    ///
    /// # Errors
    /// 400 for an order that a table cannot have.
    pub fn new(
        filter: Filter,
        (order, is_descending): (&str, bool),
        skipped: u64,
        size: Option<u64>,
    ) -> Result<Self> {
        let order = Order::named(order).ok_or_else(|| {
            Error::bad_parameters("A table is in the order of `created_at` or `id`")
        })?;
        Ok(Self {
            filter,
            order,
            is_descending,
            skipped,
            wanted: size.unwrap_or(u64::MAX),
            last: None,
        })
    }

    /// The next entries, a text for each of [`COLUMNS`]; none at the end.
    ///
    /// # Errors
    /// 400 for a filter by a field that is none.
    pub async fn next(&mut self, db: &impl Db, _scope: &Scope) -> Result<Vec<Vec<String>>> {
        let (sql, values) = self.statement()?;
        let mut lines = Vec::new();
        for row in db.query(&sql, &values).await? {
            self.last = Some((row.text(1)?.to_owned(), row.integer(0)?));
            let mut line = vec![row.integer(0)?.to_string()];
            for column in 1..COLUMNS.len() {
                line.push(row.optional_text(column)?.unwrap_or_default().to_owned());
            }
            lines.push(line);
        }
        self.skipped = 0;
        self.wanted = self.wanted.saturating_sub(lines.len() as u64);
        Ok(lines)
    }

    pub(super) fn statement(&self) -> Result<(String, Vec<Value>)> {
        let mut sql = String::from(
            "select t.key, t.created_at, t.username, t.address, t.operation, t.ref_table, t.target_id,
                 t.tenant_name, t.execution_id from audit_log t where true",
        );
        let mut values = Vec::new();
        let mut place = |value: Value| {
            values.push(value);
            format!("?{}", values.len())
        };
        for (condition, more) in self.filter.conditions()? {
            let mut condition = condition;
            for value in more {
                condition = condition.replacen("{}", &place(value), 1);
            }
            sql.push_str(&format!(" and {condition}"));
        }
        let (beyond, direction) = match self.is_descending {
            false => (">", ""),
            true => ("<", " desc"),
        };
        if let Some((time, number)) = &self.last {
            let number = place((*number).into());
            sql.push_str(&match self.order {
                Order::Time => {
                    let time = place(time.as_str().into());
                    format!(" and (t.created_at, t.key) {beyond} ({time}, {number})")
                }
                Order::Number => format!(" and t.key {beyond} {number}"),
            });
        }
        let by = match self.order {
            Order::Time => format!("t.created_at{direction}, t.key{direction}"),
            Order::Number => format!("t.key{direction}"),
        };
        let most = place(signed(self.wanted.min(AT_ONCE)).into());
        let skipped = place(signed(self.skipped).into());
        sql.push_str(&format!(" order by {by} limit {most} offset {skipped}"));
        Ok((sql, values))
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
