//! The statements of lists and single reads.
//!
//! What a caller sees comes from [`Scope::parts`], each of which follows an index: SQLite merges
//! ordered parts along their indexes and stops at the page's end.

use super::pieces::Single;
use super::remembered::Remembered;
use super::{CountedFrom, Field, ListQuery, PageStatement, Resource, total_sql};
use crate::caller::Scope;
use crate::db::{Db, Value};
use crate::error::Result;
use crate::limits;
use std::fmt::Write as _;

/// A statement and its parameters.
#[derive(Clone, Debug, Default)]
pub struct Statement {
    /// The text, with numbered parameters.
    pub sql: String,
    /// The parameters' values.
    pub parameters: Vec<Value>,
}

impl Statement {
    /// An empty statement whose first parameters are those of the scope, as [`Scope::VISIBLE`],
    /// [`Scope::visible`] and [`Scope::parts`] have them.
    pub fn under(scope: &Scope) -> Self {
        Self {
            sql: String::new(),
            parameters: scope.with(&[]),
        }
    }

    /// Adds a value; answers the name of its parameter.
    pub fn parameter(&mut self, value: impl Into<Value>) -> String {
        self.parameters.push(value.into());
        format!("?{}", self.parameters.len())
    }

    /// The conditions of a query, each beginning with `and`.
    pub fn conditions(&mut self, query: &ListQuery) -> String {
        self.conditions_but(query, None)
    }

    fn conditions_but(&mut self, query: &ListQuery, left_out: Option<usize>) -> String {
        let mut text = String::new();
        for (place, (condition, values)) in query.conditions.iter().enumerate() {
            if left_out == Some(place) {
                continue;
            }
            let condition = fill(self, condition, values);
            let _ = write!(text, " and ({condition})");
        }
        text
    }
}

impl Resource {
    /// One page, for [`super::page`] and [`super::open_page`]. The items are joined as text, because
    /// they are JSON already and `json_group_array` would read every one of them again.
    pub fn page_statement(&self, scope: &Scope, query: &ListQuery) -> PageStatement {
        // A table that no tenant owns knows nothing of the scope's parameters.
        let mut statement = match self.of_tenant {
            true => Statement::under(scope),
            false => Statement::default(),
        };
        let own = statement.conditions(query);
        let seen: Vec<String> = match self.of_tenant {
            true => scope.parts("t", &mut statement),
            false => vec!["1".to_owned()],
        };
        let parts: Vec<String> = seen.iter().map(|part| format!("{part}{own}")).collect();
        // The few rows that a search may find are looked up; no index is walked along for them.
        let from = match &query.among {
            Some(keys) => format!(
                "json_each({}) among cross join {} on t.key = among.value",
                statement.parameter(keys.clone()),
                self.table
            ),
            None => self.table.to_owned(),
        };
        let counted = match &query.counted_from {
            Some(rows) if query.among.is_none() => {
                self.counted_from(rows, query, scope, &mut statement)
            }
            _ => total_sql(&from, self.counts, query, &parts),
        };
        let version = self.counts.iter().find_map(|counts| counts.version);
        let remembered = Remembered::of(version, query, &counted, &statement);
        let counted = match remembered {
            Some(remembered) => remembered.total_sql(&counted, &mut statement),
            None => counted,
        };
        let total = match &query.total {
            Some(total) if query.can_use_kept_total() => {
                let all = total_sql(self.table, self.counts, &ListQuery::everything(), &seen);
                total.sql(&mut statement, &seen, (&all, &counted))
            }
            _ => counted,
        };
        let [limit, offset] = query.paging.limit_and_offset(limits::PAGE_SIZE);
        let (limit, offset) = (statement.parameter(limit), statement.parameter(offset));

        let mut columns = String::from("t.key as k");
        let mut order = String::new();
        let mut direction = "";
        for (index, sort) in query.sort.iter().enumerate() {
            let expression = fill(&mut statement, &sort.sql, &sort.values);
            let _ = write!(columns, ", {expression} as s{index}");
            direction = if sort.descending { " desc" } else { "" };
            let _ = write!(order, "s{index}{direction}, ");
        }
        let _ = write!(order, "k{direction}");

        let keys: Vec<String> = parts
            .iter()
            .map(|part| format!("select {columns} from {from} where {part}"))
            .collect();
        let object = self.object_sql(query.include.as_deref());
        let rows = format!(
            "select p.k as k, {object} as item \
             from (select * from ({keys}) order by {order} limit {limit} offset {offset}) p \
             join {table} on t.key = p.k order by {order}",
            keys = keys.join(" union all "),
            table = self.table,
        );
        let (piece, visible) = self.seen(scope);
        let single = Single {
            columns: self.fields().columns(query.include.as_deref()),
            from: self.table,
            visible: visible.clone(),
            parameters: piece.parameters.clone(),
        };
        let piece = piece.piece(&object, self.table, "t.key", &visible);
        statement
            .into_remembered_page(&total, remembered, &rows, piece)
            .with_single(single)
    }

    /// The expression of a total that is counted along another table's rows. Those are read once, so what the
    /// caller sees is one condition.
    fn counted_from(
        &self,
        rows: &CountedFrom,
        query: &ListQuery,
        scope: &Scope,
        statement: &mut Statement,
    ) -> String {
        let on = fill(statement, &rows.on, &rows.values);
        let own = statement.conditions_but(query, Some(rows.condition));
        let seen = match self.of_tenant {
            true => scope.condition("t", statement),
            false => "1".to_owned(),
        };
        let from = format!("{} {} on {on}", rows.table, self.table);
        total_sql(&from, &[], query, &[format!("{seen}{own}")])
    }

    /// How many items a query is about.
    ///
    /// # Errors
    /// Of the database.
    pub async fn total(&self, db: &impl Db, scope: &Scope, query: &ListQuery) -> Result<i64> {
        let mut none = query.clone();
        none.include = Some(Vec::new());
        none.paging.all_results = false;
        none.paging.size = 0;
        none.paging.with_total = true;
        Ok(self.page(db, scope, &none).await?.total.unwrap_or(0))
    }

    /// An empty statement, and the condition of what a caller sees. Of a table that no tenant owns that
    /// is everything.
    fn seen(&self, scope: &Scope) -> (Statement, String) {
        if !self.of_tenant {
            return (Statement::default(), "1".to_owned());
        }
        let mut statement = Statement::under(scope);
        let visible = scope.condition("t", &mut statement);
        (statement, visible)
    }

    /// The item that clients call `id`.
    pub fn named_statement(
        &self,
        scope: &Scope,
        include: Option<&[&'static Field]>,
        id: &str,
    ) -> Statement {
        let condition = format!("{} = {{}}", self.id_sql());
        self.find_statement(scope, include, &condition, [id.into()])
    }

    /// One item by a condition of the store's, whose `{}` stand for `values`. The caller's own
    /// tenant goes before a global item of another.
    pub fn find_statement(
        &self,
        scope: &Scope,
        include: Option<&[&'static Field]>,
        condition: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Statement {
        self.selected(scope, &self.object_sql(include), condition, values)
    }

    /// As [`Self::find_statement`], with another list of what is selected.
    pub(super) fn selected(
        &self,
        scope: &Scope,
        columns: &str,
        condition: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Statement {
        let (mut statement, visible) = self.seen(scope);
        let condition = fill(
            &mut statement,
            condition,
            &values.into_iter().collect::<Vec<_>>(),
        );
        let order = if self.of_tenant {
            " order by t.tenant_name = ?1 desc limit 1"
        } else {
            " limit 1"
        };
        statement.sql = format!(
            "select {columns} from {} where ({condition}) and {visible}{order}",
            self.table
        );
        statement
    }
}

/// Replaces each `{}` of a condition by the number of its parameter.
pub(super) fn fill(statement: &mut Statement, condition: &str, values: &[Value]) -> String {
    let mut filled = String::with_capacity(condition.len() + 8);
    let mut values = values.iter();
    let mut rest = condition;
    while let Some((before, after)) = rest.split_once("{}") {
        filled.push_str(before);
        let value = values.next().cloned().unwrap_or(Value::Null);
        filled.push_str(&statement.parameter(value));
        rest = after;
    }
    filled.push_str(rest);
    filled
}
