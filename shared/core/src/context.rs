//! What a handler is given: the request, its parameters, the caller, the database.
//!
//! Everything that belongs to a request lives here and never in a `static`: one instance serves
//! many requests at the same time.

use crate::caller::{Caller, Origin, Reach, Scope};
use crate::db::{Db, KeptDb, Value};
use crate::error::{Error, Result};
use crate::family::Family;
use crate::limits;
use crate::list::{Field, Fields, ListQuery, Listing, Resource};
use crate::permission::Permission;
use crate::request::Request;
use crate::response::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::rc::Rc;

/// The tenant a request is about, as its header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TenantHeader {
    /// There was none.
    Absent,
    /// A tenant that exists.
    Known(String),
    /// A name that no tenant has.
    Unknown(String),
}

/// What authentication found out about a request.
#[derive(Clone, Debug)]
pub struct Identified {
    /// The caller.
    pub caller: Rc<Caller>,
    /// The tenant named in the header.
    pub tenant: TenantHeader,
}

/// The fields a request wants of an answer: all, unless it says which.
pub struct Include(Option<Vec<&'static Field>>);

impl Include {
    /// The value with the wanted fields only, in the order in which they were named.
    pub fn of(&self, mut value: serde_json::Value) -> serde_json::Value {
        let (Some(fields), Some(object)) = (&self.0, value.as_object_mut()) else {
            return value;
        };
        let names = fields.iter().map(|field| field.name);
        names
            .filter_map(|name| object.remove_entry(name))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

/// One request under way.
pub struct Context<D: Db> {
    /// The database.
    pub db: D,
    /// Whose clients are answered.
    pub family: Family,
    /// The request.
    pub request: Request,
    /// The route's pattern, for the log.
    pub route: &'static str,
    /// How the log and the audit trail name this request.
    pub origin: Origin,
    path: Vec<(String, String)>,
    identified: Result<Identified>,
}

impl<D: Db> Context<D> {
    /// A context; `identified` is refused only when a handler asks for the caller.
    pub fn new(
        db: D,
        family: Family,
        request: Request,
        route: &'static str,
        path: Vec<(String, String)>,
        origin: impl Into<Origin>,
        identified: Result<Identified>,
    ) -> Self {
        Self {
            db,
            family,
            request,
            route,
            origin: origin.into(),
            path,
            identified,
        }
    }

    /// A parameter of the path, decoded. Empty when the route has none of that name.
    pub fn path(&self, name: &str) -> &str {
        self.path
            .iter()
            .find(|(known, _)| known == name)
            .map_or("", |(_, value)| value)
    }

    /// Who calls.
    ///
    /// # Errors
    /// 401 when nothing usable was given.
    pub fn caller(&self) -> Result<&Rc<Caller>> {
        self.identified
            .as_ref()
            .map(|found| &found.caller)
            .map_err(Clone::clone)
    }

    fn identified(&self) -> Result<&Identified> {
        self.identified.as_ref().map_err(Clone::clone)
    }

    /// The caller and the tenant of the request, for the log and audit headers.
    pub fn identity_names(&self) -> Option<(&Caller, Option<&str>)> {
        let found = self.identified.as_ref().ok()?;
        let tenant = match &found.tenant {
            TenantHeader::Known(name) => Some(name.as_str()),
            _ => None,
        };
        Some((&found.caller, tenant))
    }

    /// Demands a permission in the tenant of the request: the first line of every handler on a
    /// tenant's resources.
    ///
    /// # Errors
    /// 401 without a caller; 403 without a tenant, for an unknown one, or when not permitted.
    pub fn allow(&self, permission: Permission) -> Result<Scope> {
        let found = self.identified()?;
        let tenant = match &found.tenant {
            TenantHeader::Known(name) => name,
            TenantHeader::Unknown(name) => return Err(unknown_tenant(name)),
            TenantHeader::Absent => {
                return Err(Error::forbidden(
                    "Authorization failed: tenant not provided",
                ));
            }
        };
        if !found.caller.holds_in(tenant, permission) {
            return Err(found.caller.refusal(permission, Some(tenant)));
        }
        Ok(self.scope(found, Reach::Tenant(tenant.clone())))
    }

    /// As [`Self::allow`], for lists that take `_all_tenants`: all tenants for those who may, else
    /// those in which the caller holds the permission.
    pub fn allow_list(&self, permission: Permission) -> Result<Scope> {
        if !self.request.query_bool("_all_tenants")?.unwrap_or(false) {
            return self.allow(permission);
        }
        let found = self.identified()?;
        if let TenantHeader::Unknown(name) = &found.tenant {
            return Err(unknown_tenant(name));
        }
        if found.caller.holds(Permission::AllTenants) {
            return Ok(self.scope(found, Reach::Everywhere));
        }
        let tenants: Vec<String> = found
            .caller
            .tenants_with(permission)
            .map(str::to_owned)
            .collect();
        if tenants.is_empty() {
            return Err(found.caller.refusal(permission, None));
        }
        Ok(self.scope(found, Reach::Tenants(tenants)))
    }

    /// Demands a permission for what belongs to no tenant: users, tenants, tokens, status, config.
    /// A role in the tenant of the request counts, if there is one.
    pub fn allow_anywhere(&self, permission: Permission) -> Result<Scope> {
        let found = self.identified()?;
        let permitted = match &found.tenant {
            TenantHeader::Known(tenant) => found.caller.holds_in(tenant, permission),
            TenantHeader::Unknown(name) => return Err(unknown_tenant(name)),
            TenantHeader::Absent => found.caller.holds(permission),
        };
        if permitted {
            return Ok(self.scope(found, Reach::Nowhere));
        }
        Err(found.caller.refusal(permission, None))
    }

    /// Demands a permission for what concerns all tenants at once, such as a setting: a role in one of
    /// them is not enough, whatever the header says.
    pub fn allow_everywhere(&self, permission: Permission) -> Result<Scope> {
        let found = self.identified()?;
        if let TenantHeader::Unknown(name) = &found.tenant {
            return Err(unknown_tenant(name));
        }
        if !found.caller.holds(permission) {
            return Err(found.caller.refusal(permission, None));
        }
        Ok(self.scope(found, Reach::Nowhere))
    }

    /// As [`Self::allow`], for a tenant that the path or the body names instead of the header.
    pub fn allow_in(&self, tenant: &str, permission: Permission) -> Result<Scope> {
        let found = self.identified()?;
        if !found.caller.holds_in(tenant, permission) {
            return Err(found.caller.refusal(permission, Some(tenant)));
        }
        Ok(self.scope(found, Reach::Tenant(tenant.to_owned())))
    }

    /// For what every logged-in caller may do, whatever their roles.
    ///
    /// # Errors
    /// 401 without a caller, 403 for a tenant that does not exist.
    pub fn allow_everybody(&self) -> Result<Scope> {
        let found = self.identified()?;
        if let TenantHeader::Unknown(name) = &found.tenant {
            return Err(unknown_tenant(name));
        }
        Ok(self.scope(found, Reach::Nowhere))
    }

    /// For what is open to everybody and changes something: the audit trail tells where it came from.
    pub fn public(&self) -> Scope {
        Scope::public().asked_by(&self.origin)
    }

    fn scope(&self, found: &Identified, reach: Reach) -> Scope {
        Scope::of(found.caller.clone(), reach, self.origin.clone())
    }

    /// The body as a typed value.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        self.request.json()
    }

    /// The body as a JSON object, empty when there is no body.
    pub fn json_object(&self) -> Result<serde_json::Map<String, serde_json::Value>> {
        let object = self.request.json_object()?;
        for (key, value) in &object {
            limits::check_depth(key, value)?;
        }
        Ok(object)
    }

    /// The list parameters for a resource, or for a listing that adds something to one. Names in
    /// `own` are the endpoint's own parameters.
    ///
    /// # Errors
    /// 400 for unknown fields, bad numbers and bad truth values.
    pub fn list_query(&self, listing: impl Into<Listing>, own: &[&str]) -> Result<ListQuery> {
        ListQuery::parse(listing, &self.request, own)
    }

    /// The page that the request asks for, of a resource without rules of its own.
    ///
    /// # Errors
    /// As [`Self::list_query`].
    pub async fn list(&self, resource: &Resource, scope: &Scope) -> Result<Response>
    where
        D: KeptDb,
    {
        let query = self.list_query(resource, &[])?;
        self.page(resource, scope, &query).await
    }

    /// One page of a resource as its list envelope.
    pub async fn page(
        &self,
        resource: &Resource,
        scope: &Scope,
        query: &ListQuery,
    ) -> Result<Response>
    where
        D: KeptDb,
    {
        let page = resource.open_page(&self.db, scope, query).await?;
        Ok(page.respond(query))
    }

    /// One item of a resource by what clients call it, with the fields that `_include` names:
    /// the answer of reads (200) and of changes.
    ///
    /// # Errors
    /// 404 naming `id` when there is none that the caller may see.
    pub async fn show(
        &self,
        resource: &Resource,
        scope: &Scope,
        id: &str,
        status: u16,
    ) -> Result<Response> {
        let include = resource.parse_include(self.request.query_value("_include"))?;
        let named = format!("{} = {{}}", resource.id_sql());
        let values = vec![id.into()];
        let item = resource.item(&self.db, scope, include.as_deref(), &named, values);
        match item.await? {
            Some(body) => Ok(Response::json_text(status, body)),
            None => Err(Error::not_found(resource.name, id)),
        }
    }

    /// As [`Self::show`] with 200, by a condition whose `{}` stand for `values`.
    ///
    /// # Errors
    /// 404 naming `id` when there is none that the caller may see.
    pub async fn one(
        &self,
        resource: &Resource,
        scope: &Scope,
        id: &str,
        condition: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Response> {
        let include = resource.parse_include(self.request.query_value("_include"))?;
        let values = values.into_iter().collect();
        let item = resource.item(&self.db, scope, include.as_deref(), condition, values);
        match item.await? {
            Some(body) => Ok(Response::json_text(200, body)),
            None => Err(Error::not_found(resource.name, id)),
        }
    }

    /// The fields that `_include` names, for answers that no statement made.
    ///
    /// # Errors
    /// 400 for unknown ones.
    pub fn include(&self, fields: impl Into<Fields>) -> Result<Include> {
        fields
            .into()
            .include(self.request.query_value("_include"))
            .map(Include)
    }

    /// 200 with a value as JSON.
    pub fn ok(&self, value: impl Serialize) -> Result<Response> {
        Response::json(200, &value)
    }
}

fn unknown_tenant(name: &str) -> Error {
    Error::forbidden(format!(
        "Authorization failed: Tried to authenticate with invalid tenant name: {name}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_answer_has_the_wanted_fields_in_the_wanted_order() {
        const FIELDS: [Field; 3] = [
            Field::named("id"),
            Field::named("size"),
            Field::named("state"),
        ];
        let of = |include: Option<&str>| {
            let include = Include(Fields(&FIELDS).include(include).unwrap());
            let value = json!({ "id": "a", "more": 1, "size": 2, "state": null });
            include.of(value).to_string()
        };
        for (include, answer) in [
            (None, r#"{"id":"a","more":1,"size":2,"state":null}"#),
            (Some("state,id"), r#"{"state":null,"id":"a"}"#),
            (Some("size,id,size"), r#"{"size":2,"id":"a"}"#),
        ] {
            assert_eq!(of(include), answer, "{include:?}");
        }
    }
}
