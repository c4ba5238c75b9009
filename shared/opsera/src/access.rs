//! Who may: the scope of the token, the standing of its owner, and the access rules of the object.
//!
//! All three have to agree. Opsera's site roles follow from what a user is in Windlass: a system
//! administrator is *administrator*, a tenant's manager *power user*, whoever may run things *user*,
//! a viewer *guest*. An object without rules is everybody's in the account; once it has one, only those
//! who are named pass, its owner, and those who look after the account.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use windlass_core::caller::Reach;
use windlass_core::db::{Db, Value};
use windlass_core::token_scope::TokenScope;
use windlass_core::{Caller, Context, Error, Permission, Result, Scope, params};

/// What somebody is in an account, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Reads.
    Guest,
    /// Runs.
    User,
    /// Looks after everything in the account.
    PowerUser,
    /// Looks after the installation.
    Administrator,
}

impl Standing {
    /// What a caller is in an account; nothing for somebody who is not in it.
    pub fn of(caller: &Caller, account: &str) -> Option<Self> {
        let holds = |permission| caller.holds_in(account, permission);
        if caller.is_admin() {
            Some(Self::Administrator)
        } else if holds(Permission::OpseraManage) {
            Some(Self::PowerUser)
        } else if holds(Permission::OpseraRun) {
            Some(Self::User)
        } else if holds(Permission::OpseraRead) {
            Some(Self::Guest)
        } else {
            None
        }
    }
}

/// What somebody may do with an object, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Not even know of it.
    Nothing,
    /// Look at it.
    Read,
    /// Run it, stop it, approve its steps.
    Use,
    /// Change it.
    Manage,
}

/// How an object's row `t` says what the asker may with it: 0 to 3 as in [`Access`]. The parameters are
/// those of [`Asker::with`].
const LEVEL: &str = "case when ?3 or t.created_by = ?2 then 3 when t.roles = '[]' then 2
     else coalesce((select max(case r.value ->> 'role' when 'administrator' then 3
             when 'manager' then 3 when 'user' then 2 else 1 end)
         from json_each(t.roles) r where r.value ->> 'user' = ?2 collate nocase or r.value ->> 'group' in (
             select g.name from group_users m join user_groups g on g.id = m.group_id
             where m.user_id = ?4)), 0) end";

/// Somebody who has logged in, in an account, with a token that is good for what they ask.
#[derive(Clone, Debug)]
pub struct Asker {
    /// What they see and are recorded as.
    pub scope: Scope,
    /// What they are in the account.
    pub standing: Standing,
    user_id: i64,
}

impl Asker {
    /// Whoever calls, if the token has one of these scopes.
    ///
    /// # Errors
    /// 401 without a caller; 403 for a token of another scope, and for who is in no account.
    pub fn of(ctx: &Context<impl Db>, scopes: &[TokenScope]) -> Result<Self> {
        ctx.allow_everybody()?;
        let caller = ctx.caller()?;
        caller.demand_scope(scopes)?;
        let account = ctx.identity_names().and_then(|(_, tenant)| tenant);
        let account =
            account.ok_or_else(|| Error::forbidden("The token is of no account: name a tenant"))?;
        let standing = Standing::of(caller, account).ok_or_else(|| {
            Error::forbidden(format!("`{}` is not in {account}", caller.username))
        })?;
        let reach = Reach::Tenant(account.to_owned());
        Ok(Self {
            scope: Scope::of(caller.clone(), reach, ctx.origin.clone()),
            standing,
            user_id: caller.user_id,
        })
    }

    /// Somebody in whose name something is done that they asked for earlier.
    pub fn later(scope: Scope, standing: Standing) -> Result<Self> {
        let user_id = scope.caller()?.user_id;
        Ok(Self {
            scope,
            standing,
            user_id,
        })
    }

    /// The account.
    pub fn account(&self) -> &str {
        self.scope.tenant()
    }

    /// Demands a standing.
    ///
    /// # Errors
    /// 403.
    pub fn demand(&self, least: Standing) -> Result<()> {
        if self.standing >= least {
            return Ok(());
        }
        Err(Error::forbidden(format!(
            "`{}` is {:?} in {}, which is too little",
            self.scope.username(),
            self.standing,
            self.account()
        )))
    }

    /// Demands what it takes to have commands run on workers.
    ///
    /// # Errors
    /// 403.
    pub fn demand_shell(&self) -> Result<()> {
        let (caller, permission) = (self.scope.caller()?, Permission::OpseraShell);
        if caller.holds_in(self.account(), permission) {
            return Ok(());
        }
        Err(caller.refusal(permission, Some(self.account())))
    }

    /// What statements about objects take: account, user, whether they see all, the user's number, and
    /// then their own.
    pub(crate) fn with(&self, own: &[Value]) -> Vec<Value> {
        let sees_all = self.standing >= Standing::PowerUser;
        let mut values = params![
            self.account(),
            self.scope.username(),
            sees_all,
            self.user_id
        ]
        .to_vec();
        values.extend_from_slice(own);
        values
    }

    /// What the asker may with an object, by what its row says.
    fn access(&self, level: i64) -> Access {
        let access = match level {
            3.. => Access::Manage,
            2 => Access::Use,
            1 => Access::Read,
            _ => Access::Nothing,
        };
        match self.standing {
            Standing::Guest => access.min(Access::Read),
            _ => access,
        }
    }
}

/// The condition under which an object `t` is in the asker's lists.
pub(crate) fn listed() -> String {
    format!("t.tenant_name = ?1 and {LEVEL} > 0")
}

/// The keys of an object, and what the asker may with it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub key: i64,
}

/// Finds an object of the account by its id, of which the asker must be able to do so much.
///
/// # Errors
/// 404 for none in this account, 403 for one that may not be used so.
pub(crate) async fn find(
    db: &impl Db,
    asker: &Asker,
    (table, what): (&str, &str),
    id: &str,
    least: Access,
) -> Result<Found> {
    let sql =
        format!("select t.key, {LEVEL} from {table} t where t.id = ?5 and t.tenant_name = ?1");
    let row = db.first(&sql, &asker.with(params![id])).await?;
    let row = row.ok_or_else(|| crate::body::not_found(what, id))?;
    if asker.access(row.integer(1)?) < least {
        return Err(Error::forbidden(format!(
            "`{}` may not do this with {what} {id}",
            asker.scope.username()
        )));
    }
    Ok(Found {
        key: row.integer(0)?,
    })
}

windlass_core::named_enum! {
    /// What a rule lets somebody be for an object.
    pub enum ItemRole {
        /// May change it.
        Administrator = "administrator",
        /// May change it.
        Manager = "manager",
        /// May run it.
        User = "user",
        /// May look at it.
        Guest = "guest",
    }
}

/// One access rule of an object.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
struct Rule {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    role: ItemRole,
}

/// The most rules of one object.
const MOST_RULES: usize = 200;

/// Reads the access rules that a body has in `roles`, as the column holds them; `[]` for none.
///
/// # Errors
/// 400 for anything but a list of `{user or group, role}`.
pub(crate) fn rules(value: Option<&Json>) -> Result<String> {
    let refuse = |text: &str| Error::bad_parameters(format!("roles: {text}")).field("roles", text);
    let items = match value {
        None | Some(Json::Null) => return Ok("[]".into()),
        Some(Json::Array(items)) => items,
        Some(_) => return Err(refuse("must be a list")),
    };
    if items.len() > MOST_RULES {
        return Err(refuse("has more than 200 rules"));
    }
    let rule = |item: &Json| {
        let fields: Map<String, Json> = item.as_object().cloned().unwrap_or_default();
        let text = |name: &str| {
            let text = fields.get(name).and_then(Json::as_str);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let role = text("role").and_then(|role| ItemRole::named(&role));
        let (user, group) = (text("user"), text("group"));
        match role {
            Some(role) if user.is_some() != group.is_some() => Ok(Rule { user, group, role }),
            _ => Err(refuse(
                "each names a user or a group, and a role: administrator, manager, user or guest",
            )),
        }
    };
    let rules = items.iter().map(rule).collect::<Result<Vec<_>>>()?;
    serde_json::to_string(&rules).map_err(Error::internal)
}
