//! The statements of lists and single reads.
//!
//! What a caller sees is the union of two parts: their own tenant's rows, and rows that are global.
//! Written as one condition with `or`, SQLite would read and sort everything; written as two
//! ordered parts it merges them along their indexes and stops at the page's end.

use super::{Field, ListQuery, Resource};
use crate::caller::{Reach, Scope};
use crate::db::Value;
use crate::limits;
use std::fmt::Write as _;

/// A statement and its parameters.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The text, with numbered parameters.
    pub sql: String,
    /// The parameters' values.
    pub parameters: Vec<Value>,
}

impl Statement {
    fn parameter(&mut self, value: Value) -> String {
        self.parameters.push(value);
        format!("?{}", self.parameters.len())
    }
}

impl Resource {
    /// One page: a single row with the total and the items. The items are joined as text, because
    /// they are JSON already and `json_group_array` would read every one of them again.
    pub fn page_statement(&self, scope: &Scope, query: &ListQuery) -> Statement {
        let mut statement = Statement {
            sql: String::new(),
            parameters: Vec::new(),
        };
        let parts = self.parts(&mut statement, scope, query);
        let counts: Vec<String> = parts
            .iter()
            .map(|part| format!("(select count(*) from {} where {part})", self.table))
            .collect();
        let limit = if query.all_results {
            -1
        } else {
            i64::try_from(query.size.min(limits::PAGE_SIZE)).unwrap_or(i64::MAX)
        };
        let limit = statement.parameter(Value::Integer(limit));
        let offset = statement.parameter(Value::Integer(
            i64::try_from(query.offset).unwrap_or(i64::MAX),
        ));

        let mut columns = String::from("t.key as k");
        let mut order = String::new();
        let mut direction = "";
        for (index, sort) in query.sort.iter().enumerate() {
            let _ = write!(columns, ", {} as s{index}", sort.sql);
            direction = if sort.descending { " desc" } else { "" };
            let _ = write!(order, "s{index}{direction}, ");
        }
        let _ = write!(order, "k{direction}");

        let keys: Vec<String> = parts
            .iter()
            .map(|part| format!("select {columns} from {} where {part}", self.table))
            .collect();
        statement.sql = format!(
            "select {counts}, (select '[' || coalesce(group_concat(item, ', '), '') || ']' from (select {object} as item \
             from (select * from ({keys}) order by {order} limit {limit} offset {offset}) p \
             join {table} on t.key = p.k order by {order}))",
            counts = counts.join(" + "),
            object = self.object_sql(query.include.as_deref()),
            keys = keys.join(" union all "),
            table = self.table,
        );
        statement
    }

    /// One item by a condition of its own, whose `{}` stand for `values`. The caller's own
    /// tenant goes before a global item of another.
    pub fn find_statement(
        &self,
        scope: &Scope,
        include: Option<&[&'static Field]>,
        condition: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Statement {
        let mut statement = Statement {
            sql: String::new(),
            parameters: Vec::new(),
        };
        let mut clause = String::from("1");
        if self.of_tenant {
            statement.parameters = scope.with(&[]);
            clause = Scope::visible("t");
            if let Reach::Tenants(names) = scope.reach() {
                let names = statement.parameter(json_names(names));
                clause = format!(
                    "(t.tenant_name in (select value from json_each({names})) or {clause})"
                );
            }
        }
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
            "select {} from {} where ({condition}) and {clause}{order}",
            self.object_sql(include),
            self.table
        );
        statement
    }

    /// The conditions whose rows together are what the caller asks for, each row in one part.
    fn parts(&self, statement: &mut Statement, scope: &Scope, query: &ListQuery) -> Vec<String> {
        let mut own = String::new();
        for (condition, values) in &query.conditions {
            let condition = fill(statement, condition, values);
            let _ = write!(own, " and ({condition})");
        }
        if !self.of_tenant {
            return vec![format!("1{own}")];
        }
        let user = statement.parameter(Value::from(scope.username()));
        let all = statement.parameter(Value::from(scope.sees_private()));
        let mut private = format!("(t.visibility <> 'private' or t.created_by = {user} or {all})");
        if let Reach::Tenants(_) = scope.reach() {
            // Whoever manages some of the tenants sees what is private in those.
            let managed = statement.parameter(json_names(&scope.managed_tenants()));
            private =
                format!("({private} or t.tenant_name in (select value from json_each({managed})))");
        }
        let global = format!("t.visibility = 'global'{own}");
        match scope.reach() {
            Reach::Everywhere => vec![format!("{private}{own}")],
            Reach::Nowhere => vec![global],
            Reach::Tenant(name) => {
                let name = statement.parameter(Value::from(name));
                vec![
                    format!(
                        "t.tenant_name = {name} and t.visibility <> 'global' and {private}{own}"
                    ),
                    global,
                ]
            }
            Reach::Tenants(names) => {
                let names = statement.parameter(json_names(names));
                vec![
                    format!(
                        "t.tenant_name in (select value from json_each({names})) \
                         and t.visibility <> 'global' and {private}{own}"
                    ),
                    global,
                ]
            }
        }
    }
}

fn json_names(names: &[String]) -> Value {
    Value::from(&serde_json::Value::from(names))
}

/// Replaces each `{}` of a condition by the number of its parameter.
fn fill(statement: &mut Statement, condition: &str, values: &[Value]) -> String {
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
