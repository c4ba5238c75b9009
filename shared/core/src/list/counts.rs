//! Totals without counting: how many rows a table has, kept where a list can look it up.
//!
//! Every list answers its `total`, and counting takes time in proportion to the table. So triggers
//! keep numbers in `row_counts`: one row for each tenant, visibility and pair of values of at most
//! two columns; private rows are counted by their creator too. That is all a [`Scope`] asks
//! for, so a total is a sum over a few rows, as long as its conditions are about those columns only.
//! Other totals are counted, along an index that has the columns of the condition.
//!
//! [`Scope`]: crate::Scope

use super::{ListQuery, Statement, Version};
use crate::db::Value;

/// Numbers that triggers keep about the rows of a table.
///
/// The triggers are in the schema; a test compares them with [`Self::triggers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// What its rows in `row_counts` are called. Unique, and the beginning of its triggers' names.
    pub name: &'static str,
    /// The table whose rows are counted.
    pub table: &'static str,
    /// The columns by whose values they are counted, at most two. None of them may be null, and
    /// together they should have few values: a total without conditions is a sum over all of them.
    pub by: &'static [&'static str],
    /// Whether the table has tenant_name, visibility and created_by.
    pub of_tenant: bool,
    /// By what totals of it are remembered that are counted.
    pub version: Option<&'static Version>,
}

/// The columns of `row_counts` that hold the values of [`Counts::by`].
const VALUES: [&str; 2] = ["first", "second"];

impl Counts {
    /// Counts of a tenant's table.
    pub const fn of_tenant(
        name: &'static str,
        table: &'static str,
        by: &'static [&'static str],
    ) -> Self {
        assert!(by.len() <= VALUES.len(), "row_counts has two columns");
        Self {
            name,
            table,
            by,
            of_tenant: true,
            version: None,
        }
    }

    /// Counts of a table that no tenant owns.
    pub const fn of_all(
        name: &'static str,
        table: &'static str,
        by: &'static [&'static str],
    ) -> Self {
        Self {
            of_tenant: false,
            ..Self::of_tenant(name, table, by)
        }
    }

    /// With a version, by which other totals of the table are remembered.
    pub const fn with_version(self, version: &'static Version) -> Self {
        Self {
            version: Some(version),
            ..self
        }
    }

    /// Whether the numbers can be summed up under this condition: it is about nothing else than
    /// what they are kept by. The columns of a condition are those written with the alias `t`.
    pub(super) fn answers(&self, condition: &str) -> bool {
        columns(condition).all(|column| {
            self.by.contains(&column)
                || (self.of_tenant && matches!(column, "tenant_name" | "visibility"))
        })
    }

    /// The numbers as a table that conditions on the counted table can be asked of. No row of it is
    /// about nothing.
    pub fn table_sql(&self) -> String {
        let mut columns = String::new();
        for (column, value) in self.by.iter().zip(VALUES) {
            columns.push_str(&format!("{value} as {column}, "));
        }
        format!(
            "(select tenant_name, visibility, created_by, {columns}rows \
             from row_counts where counts = '{}')",
            self.name
        )
    }

    /// The key of a row in `row_counts`, as expressions over `new`, `old` or another alias.
    fn key(&self, alias: &str) -> [String; 5] {
        let column = |name: &&str| format!("{alias}.{name}");
        let mut by = self.by.iter().map(column);
        let mut value = || by.next().unwrap_or_else(|| "''".to_owned());
        let (first, second) = (value(), value());
        let [tenant, visibility, creator] = match self.of_tenant {
            true => [
                format!("{alias}.tenant_name"),
                format!("{alias}.visibility"),
                format!("iif({alias}.visibility = 'private', {alias}.created_by, '')"),
            ],
            false => ["''", "''", "''"].map(str::to_owned),
        };
        [tenant, first, second, visibility, creator]
    }

    /// The statements that make the triggers. What cannot change needs none for changes.
    pub fn triggers(&self) -> Vec<String> {
        let Self { name, table, .. } = self;
        let row =
            |alias: &str, rows: i8| format!("('{name}', {}, {rows})", self.key(alias).join(", "));
        let trigger = |called: &str, on: String, rows: String| {
            format!(
                "create trigger {name}_{called} after {on} begin\n    \
                 insert into row_counts values {rows}\n    \
                 on conflict do update set rows = rows + excluded.rows;\nend"
            )
        };
        let mut triggers = vec![
            trigger("counted", format!("insert on {table}"), row("new", 1)),
            trigger("uncounted", format!("delete on {table}"), row("old", -1)),
        ];
        let mut columns = self.by.to_vec();
        if self.of_tenant {
            columns.extend(["tenant_name", "visibility", "created_by"]);
        }
        if !columns.is_empty() {
            let values = |alias: &str| {
                let values: Vec<String> = columns.iter().map(|c| format!("{alias}.{c}")).collect();
                values.join(", ")
            };
            let on = format!(
                "update of {} on {table}\n    when ({}) <> ({})",
                columns.join(", "),
                values("old"),
                values("new")
            );
            let rows = format!("{},\n        {}", row("old", -1), row("new", 1));
            triggers.push(trigger("recounted", on, rows));
        }
        triggers
    }

    /// The rows that `row_counts` should have: its columns, from the rows of the counted table, called `t`,
    /// that a condition leaves.
    pub fn truth(&self, condition: &str) -> String {
        let Self { name, table, .. } = self;
        let [tenant, first, second, visibility, creator] = self.key("t");
        format!(
            "select '{name}' as counts, {tenant} as tenant_name, {first} as first, {second} as second, \
             {visibility} as visibility, {creator} as created_by, count(*) as rows \
             from {table} t where {condition} group by 1, 2, 3, 4, 5, 6"
        )
    }
}

/// A sum of numbers that are kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The numbers.
    pub counts: &'static Counts,
    /// Which of them, with `{}` for each of the values.
    pub condition: String,
    /// The values.
    pub values: Vec<Value>,
}

impl Kept {
    /// The expression of the sum, over the parts of what the caller sees.
    fn sql(&self, statement: &mut Statement, parts: &[String]) -> String {
        let condition = super::sql::fill(statement, &self.condition, &self.values);
        let table = self.counts.table_sql();
        let sums: Vec<String> = parts
            .iter()
            .map(|part| {
                format!(
                    "(select coalesce(sum(t.rows), 0) from {table} t where {part} and {condition})"
                )
            })
            .collect();
        sums.join(" + ")
    }
}

/// A total that is kept about another table: of a list under one condition.
#[derive(Clone, Debug)]
pub struct TotalOf {
    /// The sum.
    pub kept: Kept,
    /// Two sums that are equal where each row of the list is in [`Self::kept`] once. Where they are not, the
    /// rows are counted.
    pub if_equal: Option<(Kept, Kept)>,
    /// Whether it is all others that the list has.
    pub is_complement: bool,
}

impl TotalOf {
    /// The expression of the total. `parts` are those of what the caller sees, `all` is the total without any
    /// condition, and `counted` is what counting answers.
    pub(super) fn sql(
        &self,
        statement: &mut Statement,
        parts: &[String],
        (all, counted): (&str, &str),
    ) -> String {
        let sum = self.kept.sql(statement, parts);
        let total = match self.is_complement {
            true => format!("{all} - ({sum})"),
            false => sum,
        };
        let Some((one, other)) = &self.if_equal else {
            return total;
        };
        let one = one.sql(statement, parts);
        let other = other.sql(statement, parts);
        format!("(case when {one} = {other} then {total} else {counted} end)")
    }
}

/// The expression of a total: the rows of a table that the conditions of a query leave, in all parts
/// of what the caller sees. `parts` have those conditions too. Null where nobody asks for it.
pub fn total_sql(table: &str, counts: &[&Counts], query: &ListQuery, parts: &[String]) -> String {
    if !query.paging.with_total {
        return "null".to_owned();
    }
    let is_answer = |counts: &&&Counts| {
        let mut conditions = query.conditions.iter();
        conditions.all(|(condition, _)| counts.answers(condition))
    };
    let (sum, table) = match counts.iter().find(is_answer) {
        Some(counts) => ("coalesce(sum(t.rows), 0)", counts.table_sql() + " t"),
        None => ("count(*)", table.to_owned()),
    };
    let sums: Vec<String> = parts
        .iter()
        .map(|part| format!("(select {sum} from {table} where {part})"))
        .collect();
    sums.join(" + ")
}

/// The names after `t.` in a condition.
pub(super) fn columns(condition: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    condition.match_indices("t.").filter_map(move |(at, _)| {
        let (before, after) = (condition.get(..at)?, condition.get(at + 2..)?);
        if before.ends_with(is_part) {
            return None;
        }
        let end = after.find(|c| !is_part(c)).unwrap_or(after.len());
        after.get(..end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_a_condition_are_those_of_the_listed_table() {
        for (condition, want) in [
            ("1", &[][..]),
            ("t.status = {}", &["status"]),
            ("(t.a in ({}, {}) or not t.b_2)", &["a", "b_2"]),
            ("exists (select 1 from x lt where lt.y = t.key)", &["key"]),
            ("t.\"index\" = {}", &[""]),
        ] {
            assert_eq!(columns(condition).collect::<Vec<_>>(), want, "{condition}");
        }
    }

    #[test]
    fn numbers_answer_only_what_they_are_kept_by() {
        let all = Counts::of_all("all", "things", &[]);
        let by_two = Counts::of_tenant("by_two", "things", &["status", "is_hidden"]);
        for (condition, all_do, two_do) in [
            ("1", true, true),
            ("t.status in ({}, {})", false, true),
            ("t.status = {} and t.is_hidden = 0", false, true),
            ("t.tenant_name = {}", false, true),
            ("t.created_by = {}", false, false),
            ("t.status = {} or t.id = {}", false, false),
            ("t.\"index\" = {}", false, false),
        ] {
            assert_eq!(all.answers(condition), all_do, "{condition}");
            assert_eq!(by_two.answers(condition), two_do, "{condition}");
        }
    }
}
