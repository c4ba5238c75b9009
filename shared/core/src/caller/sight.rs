//! Which rows of a tenant's table a scope sees: the only place where that rule is written as SQL.
//!
//! A row is seen from its own tenant, and from everywhere when it is global. A private one is seen
//! by its creator and by who manages its tenant. Whether a name is taken, here or globally, is another
//! question, which tables ask themselves. The columns are `tenant_name`, `visibility` and
//! `created_by`; the parameters are `?1` to `?3`, so a statement's own begin at `?4`.

use super::{Reach, Scope};
use crate::db::Value;
use crate::list::Statement;

/// Which private rows are seen, as a literal: `concat!` takes nothing else.
macro_rules! private_rule {
    () => {
        "(visibility <> 'private' or created_by = ?2 or ?3)"
    };
}

impl Scope {
    /// The rule as one condition, for lookups of single rows.
    pub const VISIBLE: &'static str = concat!(
        "((visibility = 'global' or tenant_name = ?1 or ?1 = '*') and ",
        private_rule!(),
        ")"
    );

    /// [`Self::VISIBLE`] with the columns of a table alias.
    pub fn visible(alias: &str) -> String {
        of_alias(Self::VISIBLE, alias)
    }

    /// The rows of the scope's own tenant that it sees, global ones among them: what may be
    /// changed from there.
    pub fn own(alias: &str) -> String {
        let private = of_alias(private_rule!(), alias);
        format!("{alias}.tenant_name = ?1 and {private}")
    }

    /// The parameters of [`Self::VISIBLE`] followed by a statement's own.
    pub fn with(&self, own: &[Value]) -> Vec<Value> {
        let tenant = match &self.reach {
            Reach::Tenant(tenant) => tenant.clone(),
            Reach::Everywhere => "*".to_owned(),
            // Neither matches a tenant's name, which is never empty.
            Reach::Nowhere | Reach::Tenants(_) => String::new(),
        };
        let mut parameters = Vec::with_capacity(3 + own.len());
        parameters.push(Value::Text(tenant));
        parameters.push(Value::from(self.username()));
        parameters.push(Value::from(self.sees_private));
        parameters.extend_from_slice(own);
        parameters
    }

    /// As [`Self::visible`], also for scopes of several tenants. To be used in a statement that
    /// was made [under](Statement::under) this scope.
    pub fn condition(&self, alias: &str, statement: &mut Statement) -> String {
        if !matches!(self.reach, Reach::Tenants(_)) {
            return Self::visible(alias);
        }
        let private = self.private(alias, statement);
        let tenants = self.tenants(alias, statement);
        format!("({alias}.visibility = 'global' or {tenants}) and {private}")
    }

    /// The same rule for lists, as parts that have no row in common: the rows of the tenants, and
    /// what is global. Written as one condition with `or`, SQLite would read and sort everything;
    /// each part follows an index.
    pub fn parts(&self, alias: &str, statement: &mut Statement) -> Vec<String> {
        let global = format!("{alias}.visibility = 'global'");
        match self.reach {
            Reach::Everywhere => vec![self.private(alias, statement)],
            Reach::Nowhere => vec![global],
            Reach::Tenant(_) | Reach::Tenants(_) => {
                let tenants = self.tenants(alias, statement);
                let private = self.private(alias, statement);
                let own = format!("{tenants} and {alias}.visibility <> 'global' and {private}");
                vec![own, global]
            }
        }
    }

    fn tenants(&self, alias: &str, statement: &mut Statement) -> String {
        match &self.reach {
            Reach::Tenants(names) => {
                let names = statement.parameter(&serde_json::Value::from(names.as_slice()));
                format!("{alias}.tenant_name in (select value from json_each({names}))")
            }
            _ => format!("{alias}.tenant_name = ?1"),
        }
    }

    /// Whoever manages some of several tenants sees what is private in those.
    fn private(&self, alias: &str, statement: &mut Statement) -> String {
        let private = of_alias(private_rule!(), alias);
        if !matches!(self.reach, Reach::Tenants(_)) {
            return private;
        }
        let managed = statement.parameter(&serde_json::Value::from(self.managed_tenants()));
        format!("({private} or {alias}.tenant_name in (select value from json_each({managed})))")
    }
}

/// A rule on the columns of a table alias.
fn of_alias(rule: &str, alias: &str) -> String {
    ["tenant_name", "visibility", "created_by"]
        .iter()
        .fold(rule.to_owned(), |rule, column| {
            rule.replace(column, &format!("{alias}.{column}"))
        })
}
