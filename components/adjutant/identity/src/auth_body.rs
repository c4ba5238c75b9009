//! The bodies of logins and of password changes.
//!
//! They are read in the order in which Keystone refuses them. A null counts as absent.

use crate::refusals::{expecting, invalid};
use serde_json::{Map, Value, json};
use windlass_core::db::Db;
use windlass_core::{Context, Error, Kind, Result, python};
use windlass_identity::keystone::{Proof, UserName, Wanted, is_domain};
use windlass_identity::sessions::Method;

/// The body as a JSON object.
///
/// # Errors
/// 400 for what is none, 413 for what is too large.
pub fn read(ctx: &Context<impl Db>) -> Result<Map<String, Value>> {
    let body = ctx.json::<Value>().map_err(|error| match error.kind() {
        Kind::UnsupportedContentType => expecting("application/json", "Content-Type header"),
        Kind::BadParameters => expecting("valid JSON", "request body"),
        _ => error,
    })?;
    match body {
        Value::Object(fields) => Ok(fields),
        _ => Err(expecting("valid JSON object", "request body")),
    }
}

/// An object of a body, and its place there.
struct Part<'b> {
    path: String,
    fields: &'b Map<String, Value>,
}

impl<'b> Part<'b> {
    fn get(&self, key: &str) -> Option<&'b Value> {
        self.fields.get(key).filter(|value| !value.is_null())
    }

    fn path_of(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}/{key}"),
        }
    }

    /// The refusal of a value, which tells its type only.
    fn wrong(&self, key: &str, value: &Value, wanted: &str) -> Error {
        let got = python::type_name(value);
        let what = format!("a value of type '{got}' is not of type {wanted}");
        invalid(&self.path_of(key), &what)
    }

    fn part(&self, key: &str) -> Result<Option<Self>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Part {
                path: self.path_of(key),
                fields,
            })),
            Some(other) => Err(self.wrong(key, other, "'object'")),
        }
    }

    fn text(&self, key: &str) -> Result<Option<&'b str>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(key, other, "'string'")),
        }
    }

    fn required_text(&self, key: &str) -> Result<&'b str> {
        self.text(key)?.ok_or_else(|| self.missing(key))
    }

    fn missing(&self, key: &str) -> Error {
        invalid(&self.path, &format!("'{key}' is a required property"))
    }

    /// A key, and the name that stands for it: one of both must be there.
    fn id_or_name(&self) -> Result<(Option<&'b str>, Option<&'b str>)> {
        let (id, name) = (self.text("id")?, self.text("name")?);
        if id.is_none() && name.is_none() {
            let text = format!(
                "Invalid input for field {}: id or name must be present.",
                self.path
            );
            return Err(Error::bad_parameters(text));
        }
        Ok((id, name))
    }

    /// The domain that something is in, if that is said.
    fn domain(&self) -> Result<Option<&'b str>> {
        let Some(domain) = self.part("domain")? else {
            return Ok(None);
        };
        let (id, name) = domain.id_or_name()?;
        Ok(id.or(name))
    }
}

/// What a login says.
pub struct LoginBody<'b> {
    /// Who somebody is.
    pub proof: Proof<'b>,
    /// What the session is to be about.
    pub wanted: Wanted<'b>,
}

impl<'b> LoginBody<'b> {
    /// Reads the object `auth` of a body.
    ///
    /// # Errors
    /// 400, and 401 for ways to log in that are not offered, naming those that are.
    pub fn read(body: &'b Map<String, Value>) -> Result<Self> {
        let path = String::new();
        let auth = match body.get("auth").filter(|auth| !auth.is_null()) {
            None => return Err(expecting("auth", "request body")),
            Some(Value::Object(fields)) => Part { path, fields },
            Some(_) => return Err(expecting("valid JSON object", "auth")),
        };
        let identity = auth.part("identity")?;
        let identity = identity.ok_or_else(|| auth.missing("identity"))?;
        let wanted = wanted(&auth)?;
        let method = method(&identity)?;
        let shown = identity.part(method.name())?;
        let shown = shown.ok_or_else(|| expecting(method.name(), "identity"))?;
        let proof = match method {
            Method::Password => password(&shown)?,
            Method::Token => Proof::Token(shown.required_text("id")?),
            Method::ApplicationCredential => Proof::ApplicationCredential(
                shown.required_text("id")?,
                shown.required_text("secret")?,
            ),
        };
        Ok(Self { proof, wanted })
    }
}

/// The one way that a login names.
fn method(identity: &Part<'_>) -> Result<Method> {
    let names = match identity.get("methods") {
        None => return Err(identity.missing("methods")),
        Some(Value::Array(names)) => names,
        Some(other) => return Err(identity.wrong("methods", other, "'array'")),
    };
    let mut methods = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let Value::String(name) = name else {
            return Err(identity.wrong(&format!("methods/{index}"), name, "'string'"));
        };
        methods.push(Method::named(name));
    }
    methods.dedup();
    match methods.as_slice() {
        [] => Err(expecting("methods", "identity")),
        [Some(method)] => Ok(*method),
        _ => {
            let text = "Attempted to authenticate with an unsupported method.";
            let offered: Vec<&str> = Method::ALL.iter().map(|method| method.name()).collect();
            let refusal = Error::new(Kind::Unauthorized, text);
            Err(refusal.extra("identity", json!({ "methods": offered })))
        }
    }
}

fn password<'b>(shown: &Part<'b>) -> Result<Proof<'b>> {
    let user = shown.part("user")?;
    let user = user.ok_or_else(|| expecting("user", "password"))?;
    let (id, name) = user.id_or_name()?;
    let domain = user.domain()?;
    let password = user.text("password")?;
    let password = password.ok_or_else(|| expecting("password", "user"))?;
    let user = match (id, name) {
        (Some(id), _) => UserName::Id(id),
        (None, name) => UserName::Name(name.unwrap_or_default()).of_domain(domain),
    };
    Ok(Proof::Password(user, password))
}

/// What a session is to be about.
fn wanted<'b>(auth: &Part<'b>) -> Result<Wanted<'b>> {
    const KINDS: [&str; 4] = ["project", "domain", "system", "OS-TRUST:trust"];
    let scope = match auth.get("scope") {
        None => return Ok(Wanted::Usual),
        Some(Value::String(word)) if word == "unscoped" => return Ok(Wanted::Unscoped),
        Some(Value::Object(_)) => auth.part("scope")?,
        Some(Value::String(_)) => None,
        Some(other) => return Err(auth.wrong("scope", other, "'object', 'string'")),
    };
    let unclear = || expecting("one of: project, domain, OS-TRUST:trust or system", "scope");
    let scope = scope.ok_or_else(unclear)?;
    let mut given = KINDS.into_iter().filter(|kind| scope.get(kind).is_some());
    let (kind, other) = (given.next(), given.next());
    if other.is_some() {
        return Err(unclear());
    }
    match kind {
        None if scope.get("unscoped").is_some() => Ok(Wanted::Unscoped),
        None => Err(unclear()),
        Some("project") => project(&scope),
        Some("domain") => {
            let domain = scope.domain()?;
            Ok(match domain.is_some_and(is_domain) {
                true => Wanted::Domain,
                false => Wanted::Elsewhere,
            })
        }
        Some("system") => {
            let system = scope.part("system")?;
            let all = system.as_ref().and_then(|system| system.get("all"));
            Ok(match all {
                Some(Value::Bool(true)) => Wanted::System,
                _ => Wanted::Elsewhere,
            })
        }
        Some(_) => Ok(Wanted::Elsewhere),
    }
}

fn project<'b>(scope: &Part<'b>) -> Result<Wanted<'b>> {
    let project = scope.part("project")?;
    let project = project.ok_or_else(|| expecting("project", "scope"))?;
    let (id, name) = project.id_or_name()?;
    let domain = project.domain()?;
    Ok(match (id.or(name), domain.is_none_or(is_domain)) {
        (Some(project), true) => Wanted::Project(project),
        _ => Wanted::Elsewhere,
    })
}

/// What a change of one's own password says.
pub struct PasswordChange<'b> {
    /// The password of now.
    pub original: &'b str,
    /// The one to come.
    pub new: &'b str,
}

impl<'b> PasswordChange<'b> {
    /// Reads the object `user` of a body.
    ///
    /// # Errors
    /// 400.
    pub fn read(body: &'b Map<String, Value>) -> Result<Self> {
        let path = String::new();
        let body = Part { path, fields: body };
        let user = body.part("user")?;
        let user = user.ok_or_else(|| body.missing("user"))?;
        Ok(Self {
            original: user.required_text("original_password")?,
            new: user.required_text("password")?,
        })
    }
}
