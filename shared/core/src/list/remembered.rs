//! Totals that were counted, remembered for as long as nothing has changed that they depend on.
//!
//! Where no number is kept, as for several filter rules, a total is all rows counted. The next page of the
//! list and whoever looks again would count them anew. So a table has a version in `list_versions`, a random
//! number that triggers exchange whenever a row comes, goes, or changes in a column that lists are selected by,
//! and an instance remembers what it has counted at which version.
//!
//! The statement of a page compares the versions itself and counts where they differ. So a total is always
//! as new as the items beside it, whoever writes meanwhile, and a version that is read belongs to what was
//! counted. Numbers at random never come again, not after a restored backup either.

use super::counts::columns;
use super::{ListQuery, Statement};
use crate::db::Value;
use crate::hashing::memory_key;
use std::cell::RefCell;
use std::collections::HashMap;

/// How many totals an instance remembers. Beyond that it forgets all and starts over.
const CAPACITY: usize = 1024;

thread_local! {
    static KNOWN: RefCell<HashMap<[u8; 32], Known>> = RefCell::new(HashMap::new());
}

#[derive(Clone, Copy)]
struct Known {
    version: i64,
    total: i64,
}

/// What the version of a table changes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// The table, and its row in `list_versions`.
    pub table: &'static str,
    /// Its columns that lists are selected by, those of whom rows belong to included.
    pub columns: &'static [&'static str],
    /// The other tables that conditions on it look into. Every change of them counts.
    pub more: &'static [&'static str],
}

impl Version {
    /// Whether nothing else decides what a condition selects. The columns of a condition are those written
    /// with the alias `t`, its tables those after `from`.
    fn covers(&self, condition: &str) -> bool {
        let mut words = condition.split([' ', '\n']).filter(|word| !word.is_empty());
        let mut are_tables_known = true;
        while let Some(word) = words.next() {
            if word.trim_start_matches('(') == "from" || word == "join" {
                let table = words.next().unwrap_or_default();
                are_tables_known &= table.starts_with("json_each(") || self.more.contains(&table);
            }
        }
        are_tables_known
            && columns(condition).all(|column| column == "key" || self.columns.contains(&column))
    }

    /// The expression that reads it.
    fn sql(&self) -> String {
        format!(
            "(select version from list_versions where name = '{}')",
            self.table
        )
    }

    /// The statements that make the triggers.
    pub fn triggers(&self) -> Vec<String> {
        let Self { table, columns, .. } = self;
        let trigger = |of: &str, called: &str, on: String| {
            format!(
                "create trigger {of}_version_{called} after {on} begin\n    \
                 update list_versions set version = random() where name = '{table}';\nend"
            )
        };
        let values = |alias: &str| {
            let values: Vec<String> = columns.iter().map(|c| format!("{alias}.{c}")).collect();
            values.join(", ")
        };
        let changed = format!(
            "update of {} on {table}\n    when ({}) is not ({})",
            columns.join(", "),
            values("old"),
            values("new")
        );
        let mut triggers = vec![
            trigger(table, "grows", format!("insert on {table}")),
            trigger(table, "shrinks", format!("delete on {table}")),
            trigger(table, "changes", changed),
        ];
        for other in self.more {
            triggers.push(trigger(other, "grows", format!("insert on {other}")));
            triggers.push(trigger(other, "shrinks", format!("delete on {other}")));
            triggers.push(trigger(other, "changes", format!("update on {other}")));
        }
        triggers
    }
}

/// What is remembered of a total, and where what will be counted is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remembered {
    key: [u8; 32],
    version: &'static Version,
}

impl Remembered {
    /// Of the total that `counted` is the expression of, with the parameters that the statement has so far.
    /// None where something may decide that no version tells of, or where only few rows are looked at.
    pub(super) fn of(
        version: Option<&'static Version>,
        query: &ListQuery,
        counted: &str,
        statement: &Statement,
    ) -> Option<Self> {
        let version = version?;
        let mut conditions = query.conditions.iter().map(|(text, _)| text.as_str());
        let is_covered = query.paging.with_total
            && query.among.is_none()
            && counted.contains("count(*)")
            && conditions.all(|condition| version.covers(condition));
        is_covered.then(|| Self {
            key: memory_key(&[counted, &format!("{:?}", statement.parameters)]),
            version,
        })
    }

    /// The expression of the total: what is remembered, if that is of the version that there is, else
    /// what counting answers.
    pub(super) fn total_sql(self, counted: &str, statement: &mut Statement) -> String {
        let known = KNOWN.with_borrow(|known| known.get(&self.key).copied());
        let number = |number: Option<i64>| number.map_or(Value::Null, Value::Integer);
        let version = statement.parameter(number(known.map(|known| known.version)));
        let total = statement.parameter(number(known.map(|known| known.total)));
        format!(
            "(case when {version} = {} then {total} else {counted} end)",
            self.version.sql()
        )
    }

    /// The expression of the version, which the page answers beside its total.
    pub(super) fn version_sql(self) -> String {
        self.version.sql()
    }

    /// Keeps what was answered.
    pub(super) fn keep(self, version: i64, total: i64) {
        KNOWN.with_borrow_mut(|known| {
            if known.len() >= CAPACITY && !known.contains_key(&self.key) {
                known.clear();
            }
            known.insert(self.key, Known { version, total });
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static THINGS: Version = Version {
        table: "things",
        columns: &["id", "visibility"],
        more: &["thing_labels"],
    };

    #[test]
    fn only_what_a_version_tells_of_is_remembered() {
        for (condition, is_covered) in [
            ("1", true),
            ("t.id = {}", true),
            ("t.size = {}", false),
            (
                "exists (select 1 from thing_labels l where l.thing = t.key)",
                true,
            ),
            (
                "not exists (select 1\n  from thing_groups g where g.thing = t.key)",
                false,
            ),
            (
                "t.key in (select x from thing_labels join others on y = x)",
                false,
            ),
            ("t.id in (select value from json_each({}))", true),
            ("t.id = {} or t.\"size\" = 3", false),
        ] {
            assert_eq!(THINGS.covers(condition), is_covered, "{condition}");
        }
    }

    #[test]
    fn an_instance_forgets_rather_than_grow() {
        for number in 0..=CAPACITY {
            let key = memory_key(&[&number.to_string()]);
            let version = &THINGS;
            Remembered { key, version }.keep(1, 1);
        }
        assert_eq!(KNOWN.with_borrow(HashMap::len), 1);
    }
}
