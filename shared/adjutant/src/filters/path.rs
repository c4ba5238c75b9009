//! Paths of filters: from the list, perhaps over a relation, to a column.

use super::lookup::{self, Column, Kind};
use super::search::Search;
use super::{Condition, Root};
use serde_json::Value;
use windlass_core::{Error, Result};

/// What a path can lead into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Task,
    Action,
    Token,
    Notification,
    Mail,
}

/// What a path comes to.
pub(super) enum Resolved {
    /// A condition on the row itself, or on its task.
    Own(Condition),
    /// A condition on something of the task.
    Related(Table, Condition),
    /// A regular expression.
    Search(Search),
}

/// The name of a column in filters, its name in the table, and what it holds.
type Named = (&'static str, &'static str, Kind);

const TASK: [Named; 17] = [
    ("uuid", "uuid", Kind::Text),
    ("pk", "uuid", Kind::Text),
    ("task_id", "uuid", Kind::Text),
    ("hash_key", "hash_key", Kind::Text),
    ("keystone_user", "keystone_user", Kind::Json),
    ("project_id", "project_id", Kind::Text),
    ("approved_by", "approved_by", Kind::Json),
    ("task_type", "task_type", Kind::TaskType),
    ("task_notes", "task_notes", Kind::Json),
    ("action_notes", "action_notes", Kind::Json),
    ("cancelled", "cancelled", Kind::Boolean),
    ("approved", "approved", Kind::Boolean),
    ("completed", "completed", Kind::Boolean),
    ("created_on", "created_on", Kind::Time),
    ("approved_on", "approved_on", Kind::Time),
    ("completed_on", "completed_on", Kind::Time),
    ("ip_address", "ip_address", Kind::Text),
];
const ACTION: [Named; 10] = [
    ("id", "key", Kind::Integer),
    ("pk", "key", Kind::Integer),
    ("action_name", "action_name", Kind::Text),
    ("action_data", "action_data", Kind::Json),
    ("state", "state", Kind::Text),
    ("valid", "valid", Kind::Boolean),
    ("need_token", "need_token", Kind::Boolean),
    ("auto_approve", "auto_approve", Kind::Boolean),
    ("order", "position", Kind::Integer),
    ("created", "created", Kind::Time),
];
const TOKEN: [Named; 4] = [
    ("token", "digest", Kind::Digest),
    ("pk", "digest", Kind::Digest),
    ("created_on", "created_on", Kind::Time),
    ("expires", "expires", Kind::Time),
];
const NOTIFICATION: [Named; 6] = [
    ("uuid", "uuid", Kind::Text),
    ("pk", "uuid", Kind::Text),
    ("error", "error", Kind::Boolean),
    ("acknowledged", "acknowledged", Kind::Boolean),
    ("created_on", "created_on", Kind::Time),
    ("notes", "notes", Kind::Json),
];

const MAIL: [Named; 9] = [
    ("uuid", "id", Kind::Text),
    ("pk", "id", Kind::Text),
    ("stage", "stage", Kind::Text),
    ("recipient", "recipient", Kind::Text),
    ("state", "state", Kind::Text),
    ("attempts", "attempts", Kind::Integer),
    ("error", "error", Kind::Text),
    ("created_on", "created_on", Kind::Time),
    ("ended_on", "ended_on", Kind::Time),
];

/// Columns that a refusal does not offer: other spellings, and one that the original has not.
const UNTOLD: [&str; 3] = ["pk", "task_id", "ip_address"];

impl Table {
    const fn columns(self) -> &'static [Named] {
        match self {
            Self::Task => &TASK,
            Self::Action => &ACTION,
            Self::Token => &TOKEN,
            Self::Notification => &NOTIFICATION,
            Self::Mail => &MAIL,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Task => "adjutant_tasks",
            Self::Action => "adjutant_actions",
            Self::Token => "adjutant_tokens",
            Self::Notification => "adjutant_notifications",
            Self::Mail => "adjutant_mails",
        }
    }

    /// The relations of a table, by their names in filters.
    const fn relations(self) -> &'static [(&'static str, Self)] {
        match self {
            Self::Task => &[
                ("action", Self::Action),
                ("token", Self::Token),
                ("notification", Self::Notification),
            ],
            Self::Token | Self::Notification | Self::Mail => {
                &[("task", Self::Task), ("task_id", Self::Task)]
            }
            Self::Action => &[],
        }
    }

    fn column(self, alias: &str, name: &str) -> Option<Column> {
        let (_, column, kind) = self.columns().iter().find(|(known, ..)| *known == name)?;
        let counted = match (self, *column) {
            (Self::Task, "task_type") => Some("first"),
            (Self::Task, "approved") => Some("(second & 1 <> 0)"),
            (Self::Task, "completed") => Some("(second & 2 <> 0)"),
            (Self::Task, "cancelled") => Some("(second & 4 <> 0)"),
            (Self::Notification, "acknowledged") => Some("first"),
            (Self::Notification, "error") => Some("second"),
            (Self::Mail, "state") => Some("first"),
            (Self::Mail, "stage") => Some("second"),
            _ => None,
        };
        Some(Column {
            sql: format!("{alias}.{column}"),
            kind: *kind,
            counted,
        })
    }

    fn relation(self, name: &str) -> Option<Self> {
        let mut relations = self.relations().iter();
        relations.find_map(|(known, table)| (*known == name).then_some(*table))
    }

    fn unknown(self, name: &str) -> Error {
        let columns = self.columns().iter().map(|(name, ..)| *name);
        let columns = columns.filter(|name| !UNTOLD.contains(name));
        let mut names: Vec<&str> = columns
            .chain(self.relations().iter().map(|(name, _)| *name))
            .collect();
        names.sort_unstable();
        let name: String = name.chars().take(100).collect();
        Error::bad_parameters(format!(
            "Cannot resolve keyword '{name}' into field. Choices are: {}",
            names.join(", ")
        ))
    }
}

impl Root {
    /// The table and the alias of its rows in statements.
    pub(super) const fn table(self) -> (Table, &'static str) {
        match self {
            Self::Tasks => (Table::Task, "t"),
            Self::Tokens => (Table::Token, "k"),
            Self::Notifications => (Table::Notification, "n"),
            Self::Mails => (Table::Mail, "m"),
        }
    }

    /// The rows of a list, each with its task.
    pub(super) fn rows(self) -> String {
        let (table, alias) = self.table();
        match self {
            Self::Tasks => format!("{} t", table.name()),
            Self::Tokens | Self::Notifications | Self::Mails => format!(
                "{} {alias} join adjutant_tasks t on t.key = {alias}.task_key",
                table.name()
            ),
        }
    }
}

/// Reads a path, its lookup and the value.
///
/// # Errors
/// 400, naming what is not known or of the wrong type.
pub(super) fn resolve(root: Root, whole: &str, value: &Value) -> Result<Resolved> {
    let segments: Vec<&str> = whole
        .split("__")
        .filter(|segment| !segment.is_empty())
        .collect();
    let mut rest = segments.as_slice();
    let (mut table, mut alias) = root.table();
    let mut is_related = false;
    loop {
        let Some((first, after)) = rest.split_first() else {
            return Err(table.unknown(whole));
        };
        // A relation that is named as a column is, too, goes on where something follows that it has.
        let next = table.relation(first);
        let leads_on = |next: Table| {
            let of_next =
                |name: &&str| next.column("", name).is_some() || next.relation(name).is_some();
            after.first().is_some_and(of_next)
        };
        if let Some(next) = next.filter(|next| leads_on(*next)) {
            is_related = is_related || table == Table::Task;
            (table, alias) = (next, if table == Table::Task { "r" } else { "t" });
            rest = after;
            if is_related && table == Table::Task {
                return Err(table.unknown(first));
            }
            continue;
        }
        if let Some(column) = table.column(alias, first) {
            return finish(table, column, is_related, whole, after, value);
        }
        let Some(next) = next else {
            return Err(table.unknown(first));
        };
        return related_itself(table, next, whole, after, value);
    }
}

/// A condition on a column.
fn finish(
    table: Table,
    column: Column,
    is_related: bool,
    whole: &str,
    lookups: &[&str],
    value: &Value,
) -> Result<Resolved> {
    if let Some(pattern) = lookup::pattern(&column, whole, lookups, value)? {
        let texts = match is_related {
            true => format!(
                "(select json_group_array({}) from {} r where r.task_key = t.key)",
                column.sql,
                table.name()
            ),
            false => format!("json_array({})", column.sql),
        };
        return Ok(Resolved::Search(Search {
            path: whole.to_owned(),
            texts,
            pattern,
        }));
    }
    let condition = lookup::condition(column, whole, lookups, value)?;
    Ok(match is_related {
        true => Resolved::Related(table, condition),
        false => Resolved::Own(condition),
    })
}

/// A condition on the thing itself that a relation leads to: whether there is one, or which.
fn related_itself(
    from: Table,
    to: Table,
    whole: &str,
    lookups: &[&str],
    value: &Value,
) -> Result<Resolved> {
    if let Some(first) = lookups.first().filter(|first| !lookup::is_known(first)) {
        return Err(to.unknown(first));
    }
    if from != Table::Task {
        // Every token and every notification has a task.
        let column = Table::Task.column("t", "uuid");
        let column = column.ok_or_else(|| from.unknown(whole))?;
        return finish(Table::Task, column, false, whole, lookups, value);
    }
    if let (["isnull"], Value::Bool(is_null)) = (lookups, value) {
        let not = if *is_null { "not " } else { "" };
        let sql = format!(
            "{not}exists (select 1 from {} r where r.task_key = t.key)",
            to.name()
        );
        return Ok(Resolved::Own(Condition::new(sql, [])));
    }
    let key = to.column("r", "pk").ok_or_else(|| from.unknown(whole))?;
    finish(to, key, true, whole, lookups, value)
}

/// Conditions on what belongs to a task: all of those on one relation are about the same thing.
pub(super) fn exists(related: Vec<(Table, Condition)>) -> Vec<Condition> {
    let mut found: Vec<(Table, Condition)> = Vec::new();
    for (table, condition) in related {
        match found.iter_mut().find(|(known, _)| *known == table) {
            Some((_, all)) => {
                all.sql = format!("{} and {}", all.sql, condition.sql);
                all.values.extend(condition.values);
            }
            None => found.push((table, condition)),
        }
    }
    let whole = |(table, condition): (Table, Condition)| {
        let sql = format!(
            "exists (select 1 from {} r where r.task_key = t.key and {})",
            table.name(),
            condition.sql
        );
        Condition::new(sql, condition.values)
    };
    found.into_iter().map(whole).collect()
}
