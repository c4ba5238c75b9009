//! Who calls, and what that lets them see.
//!
//! Each family finds its caller in its own way (a password, a token, a signed claim); the result
//! is always a [`Caller`]. Asking it for a permission gives a [`Scope`], and no store function
//! that reads a tenant's data works without one.

use crate::error::{Error, Result};
use crate::permission::{Permission, PermissionSet};
use crate::time::Timestamp;
use crate::token_scope::{TokenScope, TokenScopes};
use std::collections::BTreeMap;
use std::rc::Rc;

mod sight;

/// How the caller proved who they are, as the audit header names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMethod {
    /// User name and password.
    Basic,
    /// A user's token.
    Token(UserToken),
    /// A session that Keystone's API gave. Its key is one of another table than that of tokens.
    Session(UserToken),
    /// The signed claim of a monitor, who is no user.
    Monitor,
    /// The token of a running execution, acting as its creator.
    ExecutionToken,
}

impl AuthMethod {
    /// The word in `X-Cloudify-Audit-Auth-Method`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Basic => "http_basic",
            Self::Token(_) | Self::Session(_) | Self::Monitor => "token",
            Self::ExecutionToken => "execution_token",
        }
    }

    /// What the credential may be used for; only tokens and sessions can be restricted.
    pub const fn scopes(self) -> TokenScopes {
        match self {
            Self::Token(token) | Self::Session(token) => token.scopes,
            _ => TokenScopes::UNRESTRICTED,
        }
    }

    /// The user's token that was shown, if it was one.
    pub const fn token(self) -> Option<UserToken> {
        match self {
            Self::Token(token) => Some(token),
            Self::Basic | Self::Session(_) | Self::Monitor | Self::ExecutionToken => None,
        }
    }

    /// Whether it stands for its user without an end and for every purpose.
    pub const fn is_unlimited(self) -> bool {
        match self {
            Self::Basic => true,
            Self::Token(token) => token.until.is_none() && !token.scopes.is_restricted(),
            Self::Session(_) | Self::Monitor | Self::ExecutionToken => false,
        }
    }
}

/// A user's token, as what it leads to must be able to look at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserToken {
    /// The key of its row.
    pub key: i64,
    /// When it ends, if ever.
    pub until: Option<Timestamp>,
    /// What it may be used for.
    pub scopes: TokenScopes,
}

/// One user's standing in one tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// Every role the user has in the tenant, the system roles among them.
    pub roles: Vec<String>,
    /// What those roles permit.
    pub permissions: PermissionSet,
}

/// An authenticated caller.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user's number; the first administrator has 0.
    pub user_id: i64,
    /// The user's name.
    pub username: String,
    /// The user's system role: `sys_admin` also when a group of theirs makes them one.
    pub role: String,
    /// How the caller was recognised.
    pub method: AuthMethod,
    /// What the system roles permit, in any tenant and outside of all.
    pub system: PermissionSet,
    /// The tenants the user is in.
    pub tenants: BTreeMap<String, Membership>,
    /// The execution that speaks, when it is one.
    pub execution_id: Option<String>,
}

/// The user number of monitors, which no user has.
const NO_USER: i64 = -1;

/// What stands before a monitor's name where users' names are; no user's name holds a colon.
const MONITOR_PREFIX: &str = "monitor:";

/// The user number of the administrator that the application makes for itself.
pub const BOOTSTRAP_ADMIN: i64 = 0;

impl Caller {
    /// A monitor of this name, which may do what endpoints for monitors do and nothing else.
    pub fn of_monitor(name: &str) -> Self {
        Self {
            user_id: NO_USER,
            username: format!("{MONITOR_PREFIX}{name}"),
            role: String::new(),
            method: AuthMethod::Monitor,
            system: PermissionSet::default(),
            tenants: BTreeMap::new(),
            execution_id: None,
        }
    }

    /// The monitor's name, when it is one that calls.
    pub fn monitor(&self) -> Option<&str> {
        match self.method {
            AuthMethod::Monitor => self.username.strip_prefix(MONITOR_PREFIX),
            _ => None,
        }
    }

    /// Demands that the credential may be used for one of these purposes.
    ///
    /// # Errors
    /// 403, naming them.
    pub fn demand_scope(&self, any_of: &[TokenScope]) -> Result<()> {
        if self.method.scopes().any_of(any_of) {
            return Ok(());
        }
        let names: Vec<&str> = any_of.iter().map(|scope| scope.name()).collect();
        Err(Error::forbidden(format!(
            "The token is for other purposes; this one needs a scope of: {}",
            names.join(", ")
        )))
    }

    /// Whether this is the administrator that is always allowed everything.
    pub fn is_bootstrap_admin(&self) -> bool {
        self.user_id == BOOTSTRAP_ADMIN
    }

    /// Whether this is an administrator by role, for the few rules that name the role itself.
    pub fn is_admin(&self) -> bool {
        self.is_bootstrap_admin() || self.role == "sys_admin"
    }

    /// Whether the system role alone permits it.
    pub fn holds(&self, permission: Permission) -> bool {
        self.is_bootstrap_admin() || self.system.contains(permission)
    }

    /// Whether it is permitted in this tenant.
    pub fn holds_in(&self, tenant: &str, permission: Permission) -> bool {
        self.holds(permission)
            || self
                .tenants
                .get(tenant)
                .is_some_and(|member| member.permissions.contains(permission))
    }

    /// 403: a permission that the caller does not hold.
    pub fn refusal(&self, permission: Permission, tenant: Option<&str>) -> Error {
        let place = tenant.map_or(String::new(), |tenant| format!(" in the tenant `{tenant}`"));
        Error::forbidden(format!(
            "User `{}` is not permitted to perform the action {}{place}",
            self.username,
            permission.name()
        ))
    }

    /// The names of the tenants in which it is permitted through a role there.
    pub fn tenants_with(&self, permission: Permission) -> impl Iterator<Item = &str> {
        self.tenants
            .iter()
            .filter(move |(_, member)| member.permissions.contains(permission))
            .map(|(name, _)| name.as_str())
    }
}

/// Which tenants a statement may look into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// None: what is asked for belongs to no tenant.
    Nowhere,
    /// One tenant, and what is global.
    Tenant(String),
    /// Several, and what is global.
    Tenants(Vec<String>),
    /// All of them.
    Everywhere,
}

/// The request that asks for something, as the log and the audit trail tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Its name in both.
    pub request_id: String,
    /// The client's address, where the platform tells one: see [`crate::client::address_of`].
    pub address: Option<String>,
}

impl From<String> for Origin {
    fn from(request_id: String) -> Self {
        Self {
            request_id,
            address: None,
        }
    }
}

/// What a permitted caller may see and is recorded as: the key to every store function.
#[derive(Clone, Debug)]
pub struct Scope {
    caller: Option<Rc<Caller>>,
    reach: Reach,
    sees_private: bool,
    origin: Origin,
}

impl Scope {
    /// For endpoints that are open to everybody.
    pub fn public() -> Self {
        Self {
            caller: None,
            reach: Reach::Nowhere,
            sees_private: false,
            origin: Origin::default(),
        }
    }

    /// For the application's own work, which nobody in particular asked for: it looks into all
    /// tenants. Rows that it makes name no creator.
    pub fn engine() -> Self {
        Self {
            caller: None,
            reach: Reach::Everywhere,
            sees_private: true,
            origin: Origin::default(),
        }
    }

    /// For the application's own work in a tenant, in the name of a user.
    pub fn system(username: &str, tenant: &str) -> Self {
        let caller = Caller {
            user_id: BOOTSTRAP_ADMIN,
            username: username.to_owned(),
            role: "sys_admin".into(),
            method: AuthMethod::ExecutionToken,
            system: PermissionSet::all(),
            tenants: BTreeMap::new(),
            execution_id: None,
        };
        Self::of(
            Rc::new(caller),
            Reach::Tenant(tenant.to_owned()),
            String::new(),
        )
    }

    /// For work that a user's blueprint asks for and nobody has permitted yet, such as what a component
    /// does to another deployment: it sees what everybody in the tenant sees, and what is private of that
    /// user, and does nothing that takes an administrator or reaches other tenants.
    pub fn in_name_of(username: &str, tenant: &str) -> Self {
        let permissions = PermissionSet::all()
            .without(Permission::Administrators)
            .without(Permission::CreateGlobalResource)
            .without(Permission::ExecuteGlobalWorkflow)
            .without(Permission::ResourceSetGlobal);
        let caller = Caller {
            // No user has this number, so none of the first administrator's rights comes with it.
            user_id: -1,
            username: username.to_owned(),
            role: "default".into(),
            method: AuthMethod::ExecutionToken,
            system: permissions,
            tenants: BTreeMap::new(),
            execution_id: None,
        };
        Self::of(
            Rc::new(caller),
            Reach::Tenant(tenant.to_owned()),
            String::new(),
        )
    }

    /// The same with what is private of others in its tenant: for work that somebody asked for who sees that.
    #[must_use]
    pub fn with_private(self) -> Self {
        Self {
            sees_private: true,
            ..self
        }
    }

    /// What a caller who was permitted something may see.
    pub fn of(caller: Rc<Caller>, reach: Reach, origin: impl Into<Origin>) -> Self {
        let sees_private = match &reach {
            Reach::Tenant(tenant) => caller.holds_in(tenant, Permission::Administrators),
            _ => caller.holds(Permission::Administrators),
        };
        Self {
            caller: Some(caller),
            reach,
            sees_private,
            origin: origin.into(),
        }
    }

    /// The same, asked for by this request.
    pub fn asked_by(mut self, origin: &Origin) -> Self {
        self.origin = origin.clone();
        self
    }

    /// The caller.
    ///
    /// # Errors
    /// 401 on an endpoint that is open to everybody.
    pub fn caller(&self) -> Result<&Caller> {
        self.caller
            .as_deref()
            .ok_or_else(|| Error::unauthorized("No authentication info provided"))
    }

    /// The name that rows made under this scope carry as their creator.
    pub fn username(&self) -> &str {
        self.caller.as_deref().map_or("", |caller| &caller.username)
    }

    /// The tenant that rows made under this scope belong to; empty when there is none.
    pub fn tenant(&self) -> &str {
        match &self.reach {
            Reach::Tenant(tenant) => tenant,
            _ => "",
        }
    }

    /// The same caller's scope of one tenant: that of the request, or this one where it may look into
    /// several. Nothing when it is not among those.
    pub fn narrowed(&self, tenant: &str) -> Option<Self> {
        let is_within = match &self.reach {
            Reach::Tenant(_) => return Some(self.clone()),
            Reach::Everywhere => true,
            Reach::Tenants(names) => names.iter().any(|name| name == tenant),
            Reach::Nowhere => false,
        };
        let caller = self.caller.clone().filter(|_| is_within)?;
        let reach = Reach::Tenant(tenant.to_owned());
        Some(Self::of(caller, reach, self.origin.clone()))
    }

    /// Which tenants may be looked into.
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Whether private rows of others are visible.
    pub fn sees_private(&self) -> bool {
        self.sees_private
    }

    /// The tenants in which private rows of others are visible, where several may be looked into.
    pub fn managed_tenants(&self) -> Vec<String> {
        let managed = |caller: &Caller| {
            let names = caller.tenants_with(Permission::Administrators);
            names.map(str::to_owned).collect()
        };
        self.caller.as_deref().map(managed).unwrap_or_default()
    }

    /// The request this scope was given to, for the audit trail.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Demands another permission than the one this scope was given for.
    ///
    /// # Errors
    /// 403 when the caller does not hold it in the tenant of this scope.
    pub fn demand(&self, permission: Permission) -> Result<()> {
        let caller = self.caller()?;
        if caller.holds_in(self.tenant(), permission) {
            return Ok(());
        }
        let tenant = Some(self.tenant()).filter(|tenant| !tenant.is_empty());
        Err(caller.refusal(permission, tenant))
    }

    /// Refuses to change a resource of another tenant, which only global ones are visible from.
    pub fn demand_own_tenant(&self, id: &str, tenant: &str) -> Result<()> {
        if tenant == self.tenant() || *self.reach() == Reach::Everywhere {
            return Ok(());
        }
        Err(Error::illegal_action(format!(
            "Can't modify the global resource `{id}` from outside its tenant `{tenant}`"
        )))
    }
}
