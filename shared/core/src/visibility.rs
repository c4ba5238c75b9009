//! Visibility: who sees a resource. `private` is its creator, `tenant` everybody in its tenant,
//! `global` everybody.
//!
//! It only ever widens: what others have seen and may depend on cannot be taken away from them.
//! These are the rules; the store asks the database whether an id is free in other tenants.

use crate::body::Body;
use crate::caller::Scope;
use crate::db::Value as SqlValue;
use crate::error::{Error, Result};
use crate::permission::Permission;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_python as python;

/// Who sees a resource, from narrow to wide.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Its creator, and the administrators of its tenant.
    Private,
    /// Everybody in its tenant.
    #[default]
    Tenant,
    /// Everybody in any tenant.
    Global,
}

impl Visibility {
    /// Every visibility, from narrow to wide.
    pub const ALL: [Self; 3] = [Self::Private, Self::Tenant, Self::Global];

    /// What an existing resource may be set to.
    pub const SETTABLE: [Self; 2] = [Self::Tenant, Self::Global];

    /// The word in the API and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Tenant => "tenant",
            Self::Global => "global",
        }
    }

    /// Reads one of the allowed words.
    ///
    /// # Errors
    /// 400, naming what is allowed.
    pub fn parse(text: &str, allowed: &[Self]) -> Result<Self> {
        allowed
            .iter()
            .copied()
            .find(|known| known.name() == text)
            .ok_or_else(|| {
                let names: Vec<&str> = allowed.iter().map(|known| known.name()).collect();
                Error::bad_parameters(format!(
                    "Invalid visibility: `{text}`. Valid visibility's values are: {}",
                    python::list(names)
                ))
            })
    }

    /// What a request to create something asks for: `visibility`, or its older twin
    /// `private_resource`, or neither.
    ///
    /// # Errors
    /// 400 for both together and for unknown words.
    pub fn for_creation(visibility: Option<&str>, private_resource: Option<bool>) -> Result<Self> {
        let visibility = visibility
            .map(|text| Self::parse(text, &Self::ALL))
            .transpose()?;
        match (visibility, private_resource) {
            (Some(_), Some(_)) => Err(Error::bad_parameters(
                "The `private_resource` and `visibility` parameters cannot be used together",
            )),
            (Some(visibility), None) => Ok(visibility),
            (None, Some(true)) => Ok(Self::Private),
            (None, Some(false) | None) => Ok(Self::default()),
        }
    }

    /// What the body of a `set-visibility` request asks for.
    ///
    /// # Errors
    /// 400 when it is missing, no text, or not one of [`Self::SETTABLE`].
    pub fn of_body(body: &serde_json::Map<String, Value>) -> Result<Self> {
        match body.get("visibility") {
            None | Some(Value::Null) => Err(Error::missing("visibility")),
            Some(Value::String(text)) => Self::parse(text, &Self::SETTABLE),
            Some(other) => Err(Error::wrong_type("visibility", "str", other)),
        }
    }

    /// What an update asks for, if it does: whether it is wider is looked at later.
    ///
    /// # Errors
    /// 400 for what is no visibility.
    pub fn of_update(body: &Body) -> Result<Option<Self>> {
        let text = body.text("visibility")?;
        text.map(|text| Self::parse(text, &Self::ALL)).transpose()
    }

    /// Demands that `next` is not narrower than this, and that the caller may make something
    /// global if that is what it is. What is left to the store is [`exists_elsewhere`].
    ///
    /// # Errors
    /// 400 for narrowing, 403 for global without `create_global_resource`.
    pub fn demand_widening(self, scope: &Scope, id: &str, next: Self) -> Result<()> {
        if next < self {
            return Err(Error::illegal_action(format!(
                "Can't set the visibility of `{id}` to {next} because it already has wider visibility"
            )));
        }
        next.demand_permitted(scope)
    }

    /// Demands that the caller may create something of this visibility.
    ///
    /// # Errors
    /// 403 for global without `create_global_resource`.
    pub fn demand_permitted(self, scope: &Scope) -> Result<()> {
        let caller = scope.caller()?;
        if self != Self::Global || caller.holds_in(scope.tenant(), Permission::CreateGlobalResource)
        {
            return Ok(());
        }
        Err(Error::forbidden(format!(
            "User `{}` is not permitted to set or create a global resource",
            caller.username
        )))
    }
}

/// 409: a resource cannot become global, because other tenants have one of its id.
pub fn exists_elsewhere(id: &str) -> Error {
    Error::conflict(format!(
        "Can't set or create the resource `{id}`, its visibility can't be global because it also exists in other tenants"
    ))
}

impl std::fmt::Display for Visibility {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Visibility> for SqlValue {
    fn from(visibility: Visibility) -> Self {
        Self::from(visibility.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::{AuthMethod, Caller, Reach};
    use crate::error::Kind;
    use serde_json::json;
    use std::rc::Rc;

    fn regular_user() -> Scope {
        let caller = Caller {
            user_id: 7,
            username: "ann".into(),
            role: "default".into(),
            method: AuthMethod::Basic,
            system: Default::default(),
            tenants: Default::default(),
            execution_id: None,
        };
        Scope::of(
            Rc::new(caller),
            Reach::Tenant("harbour".into()),
            String::new(),
        )
    }

    #[test]
    fn visibility_widens_and_never_narrows() {
        use Visibility::{Global, Private, Tenant};
        let admin = Scope::system("admin", "harbour");
        let user = regular_user();
        for (scope, from, to, want) in [
            (&user, Private, Tenant, Ok(())),
            (&user, Tenant, Tenant, Ok(())),
            (&user, Global, Tenant, Err(Kind::IllegalAction)),
            (&user, Tenant, Private, Err(Kind::IllegalAction)),
            (&user, Tenant, Global, Err(Kind::Forbidden)),
            (&admin, Private, Global, Ok(())),
            (&admin, Global, Private, Err(Kind::IllegalAction)),
        ] {
            let got = from
                .demand_widening(scope, "crane", to)
                .map_err(|error| error.kind());
            assert_eq!(got, want, "{from} -> {to} by {}", scope.username());
        }
        let refusal = Global.demand_widening(&admin, "crane", Tenant).unwrap_err();
        assert_eq!(
            refusal.message(),
            "Can't set the visibility of `crane` to tenant because it already has wider visibility"
        );
    }

    #[test]
    fn a_creation_names_visibility_in_one_of_two_ways() {
        for (visibility, private, want) in [
            (None, None, Ok(Visibility::Tenant)),
            (None, Some(true), Ok(Visibility::Private)),
            (None, Some(false), Ok(Visibility::Tenant)),
            (Some("global"), None, Ok(Visibility::Global)),
            (Some("private"), None, Ok(Visibility::Private)),
            (Some("global"), Some(false), Err("cannot be used together")),
            (
                Some("Global"),
                None,
                Err(
                    "Invalid visibility: `Global`. Valid visibility's values are: ['private', 'tenant', 'global']",
                ),
            ),
        ] {
            match (Visibility::for_creation(visibility, private), want) {
                (Ok(got), Ok(want)) => assert_eq!(got, want, "{visibility:?} {private:?}"),
                (Err(got), Err(want)) => assert!(got.message().contains(want), "{got:?}"),
                (got, _) => panic!("{visibility:?} {private:?}: {got:?}"),
            }
        }
    }

    #[test]
    fn a_set_visibility_body_names_tenant_or_global() {
        for (body, want) in [
            (json!({}), "Missing visibility in json request body"),
            (
                json!({ "visibility": null }),
                "Missing visibility in json request body",
            ),
            (
                json!({ "visibility": 1 }),
                "visibility parameter is expected to be of type str but is of type int",
            ),
            (
                json!({ "visibility": "private" }),
                "Invalid visibility: `private`. Valid visibility's values are: ['tenant', 'global']",
            ),
        ] {
            let refusal = Visibility::of_body(body.as_object().unwrap()).unwrap_err();
            assert_eq!(refusal.message(), want, "{body}");
        }
        let body = json!({ "visibility": "tenant" });
        assert_eq!(
            Visibility::of_body(body.as_object().unwrap()).unwrap(),
            Visibility::Tenant
        );
    }
}
