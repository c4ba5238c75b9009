//! Requests through the routes of a component, for its own tests: on a native database, by callers that a
//! test names.
//!
//! Who a name is, and what they may, is the test's to say. Everything else is as in production.

use crate::app::{self, Identity};
use crate::caller::{AuthMethod, Caller, Membership};
use crate::context::{Identified, TenantHeader};
use crate::db::{Db, NativeDb};
use crate::permission::PermissionSet;
use crate::router::Router;
use crate::{Error, Family, Request, Response, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::rc::Rc;

/// The header with the name of the caller, and with the tenant that they ask about.
const CALLER: &str = "caller";
const TENANT: &str = "tenant";

/// The tenant of those who name none.
const AT_HOME: &str = "harbour";

/// What somebody may.
#[derive(Clone, Debug, Default)]
pub struct Rights {
    /// In the tenant that they ask about.
    pub here: PermissionSet,
    /// In the whole application.
    pub everywhere: PermissionSet,
    /// The execution whose token they have.
    pub execution_id: Option<String>,
}

/// The callers of a test.
pub trait Callers {
    /// What whoever has this name may.
    fn rights(name: &str) -> Rights;
}

/// Identifies callers by what the test says of their names; nobody without a name.
struct Named<C>(PhantomData<C>);

impl<C: Callers> Identity for Named<C> {
    async fn prepare(_: &impl Db) -> Result<()> {
        Ok(())
    }

    async fn authenticate(_: &impl Db, _: Family, request: &Request) -> Result<Identified> {
        let Some(name) = request.get_header(CALLER) else {
            return Err(Error::unauthorized("No authentication info provided"));
        };
        let rights = C::rights(name);
        let tenant = request.get_header(TENANT).unwrap_or(AT_HOME).to_owned();
        let member = Membership {
            roles: Vec::new(),
            permissions: rights.here,
        };
        let caller = Caller {
            user_id: 7,
            username: name.to_owned(),
            role: "default".to_owned(),
            method: AuthMethod::Basic,
            system: rights.everywhere,
            tenants: BTreeMap::from([(tenant.clone(), member)]),
            execution_id: rights.execution_id,
        };
        Ok(Identified {
            caller: Rc::new(caller),
            tenant: TenantHeader::Known(tenant),
        })
    }
}

/// Sends a request to Conductor's API: `who` is a name, or `name@tenant`; `url` is what follows its version.
pub async fn send<C: Callers>(
    router: &Router<NativeDb>,
    db: &NativeDb,
    who: &str,
    (method, url): (http::Method, &str),
    body: Vec<u8>,
) -> Response {
    let (name, tenant) = who.split_once('@').unwrap_or((who, AT_HOME));
    let mut request = Request::new(method, &format!("/api/v3.1{url}"))
        .header(CALLER, name)
        .header(TENANT, tenant)
        .header("content-type", "application/json");
    request.body = body;
    app::handle::<Named<C>, _>(router, db.clone(), Family::Conductor, request, "r1".into()).await
}

/// Sends JSON, or nothing instead of null. The JSON of the answer; null when it is none.
///
/// # Errors
/// Of what makes the answer's body.
///
/// # Panics
/// When the answer has another status.
pub async fn ask<C: Callers>(
    router: &Router<NativeDb>,
    db: &NativeDb,
    who: &str,
    (method, url): (http::Method, &str),
    (body, status): (&Value, u16),
) -> Result<Value> {
    let body = match body {
        Value::Null => Vec::new(),
        body => body.to_string().into_bytes(),
    };
    let answer = send::<C>(router, db, who, (method, url), body).await;
    let (answered, mut body) = (answer.status, answer.body);
    if let Some(made) = answer.made {
        body.extend(made.read().await?);
    }
    let text = String::from_utf8_lossy(&body);
    assert_eq!(answered, status, "{url} by {who}: {text}");
    Ok(serde_json::from_slice(&body).unwrap_or_default())
}
