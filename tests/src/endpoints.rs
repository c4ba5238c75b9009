//! The table of endpoints, `tests/endpoints.tsv`, and the routes of the components to compare it with.

use crate::archive::Archive;
use crate::caller::{Caller, form};
use crate::http::{Answer, Outgoing};
use crate::process::repository;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

const COLUMNS: &str = "id\tfamily\tstate\tmethod\tpath\tpermission\ttouches\tbody\tsuccess\tanswer";
const FAMILIES: [&str; 6] = [
    "conductor",
    "adjutant",
    "keystone",
    "opsera",
    "status",
    "internal",
];
const METHODS: [&str; 5] = ["GET", "PUT", "POST", "PATCH", "DELETE"];
/// What forms bring: a blueprint without anything.
const SMALLEST: &str = "tosca_definitions_version: cloudify_dsl_1_4\n";
/// The operations that make something of their resource.
const MAKING: [&str; 5] = ["create", "put", "upload", "start", "initiate"];
/// What families with rules of their own ask for.
const OWN_WORDS: [&str; 10] = [
    "admin",
    "moderator",
    "monitor",
    "scope api",
    "scope api and power user",
    "scope api or pipeline",
    "scope api or pipeline and user",
    "scope api or security-logs and power user",
    "signature",
    "tick",
];

/// What an endpoint is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touches {
    /// What belongs to the tenant that the header names.
    Tenant,
    /// The same, or with `_all_tenants` what belongs to several.
    Tenants,
    /// The tenant that the path or the body names.
    Named,
    /// What belongs to no tenant.
    None,
    /// What concerns all tenants: a role in one of them does not count.
    All,
    /// What is open to everybody.
    Public,
}

/// Who may call an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Everybody.
    Public,
    /// Whoever has logged in.
    Login,
    /// Callers with the role `sys_admin`.
    Administrator,
    /// Who holds all of these.
    Held {
        /// The names, in the order in which they are asked for.
        names: Vec<String>,
        /// Whether the token of a running execution will do instead.
        or_execution: bool,
        /// Whether users may do it to themselves.
        or_oneself: bool,
        /// Whether only the execution of a deployment's update may, if its creator holds them.
        during_update: bool,
    },
    /// A family's own rule.
    Own(String),
}

/// One row of the table.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Resource and operation.
    pub id: String,
    /// Whose clients call it.
    pub family: String,
    /// Whether a component serves it.
    pub is_served: bool,
    /// The method.
    pub method: String,
    /// The path with its parameters, and the query if it needs one.
    pub path: String,
    /// Who may.
    pub permission: Permission,
    /// What it is about.
    pub touches: Touches,
    /// The JSON of a body, with parameters.
    pub body: Option<String>,
    /// Whether the body is the part `params` of a form, beside a blueprint's archive.
    pub is_form: bool,
    /// The documented statuses of success.
    pub success: Vec<u16>,
    /// The status where what the call names does not exist; else it succeeds.
    pub answer: Option<u16>,
    /// The parameter that names one thing of its resource.
    thing: Option<String>,
}

impl Endpoint {
    /// The rows of `tests/endpoints.tsv`. Whatever is not as its head says fails the test.
    pub fn all() -> Vec<Self> {
        let file = repository().join("tests/endpoints.tsv");
        let text = fs::read_to_string(file).expect("the table is in the repository");
        let mut lines = text.lines().filter(|line| !line.starts_with('#'));
        assert_eq!(lines.next(), Some(COLUMNS), "the columns of the table");
        let mut rows: Vec<Self> = lines.map(Self::parse).collect();
        let things: BTreeMap<String, String> = rows.iter().filter_map(Self::one_thing).collect();
        for row in &mut rows {
            row.thing = things.get(row.resource()).cloned();
        }
        let mut ids = BTreeSet::new();
        for row in &rows {
            assert!(ids.insert(&row.id), "{} is there twice", row.id);
        }
        rows
    }

    /// The rows that a component serves.
    pub fn served() -> Vec<Self> {
        let mut rows = Self::all();
        rows.retain(|row| row.is_served);
        rows
    }

    fn parse(line: &str) -> Self {
        let fields: Vec<&str> = line.split('\t').collect();
        let [
            id,
            family,
            state,
            method,
            path,
            permission,
            touches,
            body,
            success,
            answer,
        ] = fields[..]
        else {
            panic!("{} fields instead of 10: {line}", fields.len())
        };
        assert!(FAMILIES.contains(&family), "family `{family}`: {line}");
        assert!(METHODS.contains(&method), "method `{method}`: {line}");
        assert!(path.starts_with('/'), "path `{path}`: {line}");
        let status = |text: &str| -> u16 {
            let status = text.parse().ok().filter(|code| (200..500).contains(code));
            status.unwrap_or_else(|| panic!("status `{text}`: {line}"))
        };
        let touches = match touches {
            "tenant" => Touches::Tenant,
            "tenants" => Touches::Tenants,
            "named" => Touches::Named,
            "none" => Touches::None,
            "all" => Touches::All,
            "public" => Touches::Public,
            _ => panic!("touches `{touches}`: {line}"),
        };
        let row = Self {
            id: id.into(),
            family: family.into(),
            is_served: match state {
                "now" => true,
                "later" => false,
                _ => panic!("state `{state}`: {line}"),
            },
            method: method.into(),
            path: path.into(),
            permission: Permission::parse(permission, family, line),
            touches,
            body: (body != "-").then(|| body.trim_start_matches("form ").into()),
            is_form: body.starts_with("form "),
            success: success.split(',').map(status).collect(),
            answer: (answer != "-").then(|| status(answer)),
            thing: None,
        };
        assert_eq!(
            row.permission == Permission::Public,
            touches == Touches::Public,
            "public is both or neither: {line}"
        );
        if let Some(body) = row.filled_body(&|_| "x".into()) {
            serde_json::from_str::<Value>(&body)
                .unwrap_or_else(|error| panic!("body ({error}): {line}"));
        }
        row
    }

    /// The path as routes write it, whatever its parameters are called.
    pub fn route(&self) -> (String, String) {
        let path = self.path.split('?').next().unwrap_or_default();
        // Routers take a slash at the end for a mistake of the client.
        let path = if path.len() > 1 {
            path.trim_end_matches('/')
        } else {
            path
        };
        (self.method.clone(), fill(path, &|_| "{}".into()))
    }

    /// The request of a caller, with the value of every parameter.
    pub fn request(&self, caller: Caller<'_>, value: &dyn Fn(&str) -> String) -> Outgoing {
        let body = self.filled_body(value).map(String::into_bytes);
        self.request_with(caller, value, body)
    }

    /// The same with another body.
    pub fn request_with(
        &self,
        caller: Caller<'_>,
        value: &dyn Fn(&str) -> String,
        body: Option<Vec<u8>>,
    ) -> Outgoing {
        let (content_type, body) = match body {
            Some(params) if self.is_form => {
                let archive = Archive::blueprint(&[("main.yaml", SMALLEST)]).tar_gz();
                let (content_type, body) = form(&params, Some(&archive));
                (Some(content_type), Some(body))
            }
            Some(body) => (Some("application/json"), Some(body)),
            None => (None, (self.method != "GET").then(Vec::new)),
        };
        let mut request = caller.compose(&self.method, "/api/", content_type, body);
        request.path = fill(&self.path, value);
        request
    }

    /// The names of all parameters in path, query and body.
    pub fn parameters(&self) -> BTreeSet<String> {
        let names = RefCell::new(BTreeSet::new());
        for text in [Some(&self.path), self.body.as_ref()].into_iter().flatten() {
            fill(text, &|name| {
                names.borrow_mut().insert(name.to_owned());
                String::new()
            });
        }
        names.into_inner()
    }

    /// Whether path, query or body has a parameter of this name.
    pub fn names(&self, parameter: &str) -> bool {
        self.parameters().contains(parameter)
    }

    /// What comes before the operation in the id.
    pub fn resource(&self) -> &str {
        self.id.split('.').next().unwrap_or_default()
    }

    fn operation(&self) -> &str {
        self.id.split('.').nth(1).unwrap_or_default()
    }

    /// The resource whose things this row shows, and the parameter that names one of them.
    fn one_thing(&self) -> Option<(String, String)> {
        let path = self.path.split('?').next().unwrap_or_default();
        let (_, last) = path.rsplit_once('/')?;
        let name = last.strip_prefix('{')?.strip_suffix('}')?;
        (self.operation() == "get").then(|| (self.resource().to_owned(), name.to_owned()))
    }

    /// Whether it is about what belongs to a tenant and Conductor's clients make. What Adjutant's ask for is
    /// made in several steps, and its own stories ask for it from another project; snapshots hold all tenants,
    /// and administrators alone make them.
    pub fn is_of_tenants(&self) -> bool {
        let is_of_tenant = matches!(self.touches, Touches::Tenant | Touches::Tenants);
        // A lease is one worker's own, and the path of a file names its tenant: their stories look at that.
        let by_stories = ["lease_id", "file"];
        let is_by_stories = |name: &String| by_stories.contains(&name.as_str());
        is_of_tenant
            && self.family != "adjutant"
            && self.resource() != "snapshots"
            && !self.parameters().iter().any(is_by_stories)
    }

    /// The parameter whose thing this row makes: `site_name` for `sites.create`, because of the path of
    /// `sites.get`.
    pub fn makes(&self) -> Option<&String> {
        let makes = MAKING.contains(&self.operation()) && self.body.is_some();
        self.thing.as_ref().filter(|_| makes)
    }

    /// The same, where the caller chooses the name.
    pub fn names_new(&self) -> Option<&String> {
        self.makes().filter(|parameter| self.names(parameter))
    }

    /// Whether what this row lists cannot be made yet, because the row that makes it is `later`.
    pub fn lists_what_comes_later(&self) -> bool {
        let mut rows = Self::all().into_iter();
        rows.any(|row| {
            let makes = MAKING.contains(&row.operation());
            makes && !row.is_served && row.resource() == self.resource()
        })
    }

    /// Whether an answer has the shape in which the family refuses.
    pub fn is_refusal(&self, answer: &Answer) -> bool {
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let is_told = match self.family.as_str() {
            // What is wrong with single fields of a report has a shape of its own.
            "status" => {
                let has_fields = body["code"] == answer.status && body["errors"].is_object();
                body["message"].is_string() || body["errMsg"].is_string() || has_fields
            }
            // Some refusals have the field's name instead of `errors`, as in the original.
            "adjutant" => {
                let bare = ["acknowledged", "notifications", "ERROR"];
                let is_bare = bare.iter().any(|name| body[name].is_array());
                body["errors"].is_array() || body["errors"].is_object() || is_bare
            }
            "keystone" => {
                let told = &body["error"];
                told["code"] == answer.status
                    && told["message"].is_string()
                    && told["title"].is_string()
            }
            "opsera" => body["message"].is_string() && body["status"] == "failed",
            _ => {
                let has_code = body["error_code"].is_string();
                let traceback = body.get("server_traceback");
                has_code && body["message"].is_string() && traceback.is_some_and(Value::is_null)
            }
        };
        (400..500).contains(&answer.status) && is_told
    }

    /// The status of a caller who may, where nothing exists.
    pub fn accepts(&self, status: u16) -> bool {
        match self.answer {
            Some(answer) => status == answer,
            None => self.success.contains(&status),
        }
    }

    /// The body with the value of every parameter.
    pub fn filled_body(&self, value: &dyn Fn(&str) -> String) -> Option<String> {
        self.body.as_ref().map(|body| fill(body, value))
    }
}

impl Permission {
    fn parse(text: &str, family: &str, line: &str) -> Self {
        match text {
            "public" => return Self::Public,
            "login" => return Self::Login,
            "administrator" => return Self::Administrator,
            // These hold permissions, too.
            _ if ["status", "keystone"].contains(&family) && !OWN_WORDS.contains(&text) => {}
            _ if family != "conductor" => {
                assert!(OWN_WORDS.contains(&text), "permission `{text}`: {line}");
                return Self::Own(text.into());
            }
            _ => {}
        }
        let suffixed = |suffix: &str| text.strip_suffix(suffix);
        let (or_execution, or_oneself, during_update) = (
            suffixed(" or execution"),
            suffixed(" or oneself"),
            suffixed(" during update"),
        );
        let names = or_execution.or(or_oneself).or(during_update);
        let names = names.unwrap_or(text);
        let names: Vec<String> = names.split(" and ").map(str::to_owned).collect();
        let is_name = |name: &String| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        assert!(names.iter().all(is_name), "permission `{text}`: {line}");
        Self::Held {
            names,
            or_execution: or_execution.is_some(),
            or_oneself: or_oneself.is_some(),
            during_update: during_update.is_some(),
        }
    }
}

/// The text with every `{parameter}` replaced. Braces of JSON are never around a bare word.
fn fill(text: &str, value: &dyn Fn(&str) -> String) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some(begin) = rest.find('{') {
        let (before, after) = rest.split_at(begin);
        filled.push_str(before);
        let name = after[1..].split('}').next().unwrap_or_default();
        let is_name = |b: u8| b.is_ascii_lowercase() || b == b'_';
        // Routes write a parameter that takes the rest of the path with a star.
        let word = name.strip_prefix('*').unwrap_or(name);
        if !word.is_empty() && word.bytes().all(is_name) && after.contains('}') {
            filled.push_str(&value(word));
            rest = &after[name.len() + 2..];
        } else {
            filled.push('{');
            rest = &after[1..];
        }
    }
    filled + rest
}

/// The routes of all components as `(method, path)`, and where each is written.
pub fn routes() -> BTreeMap<(String, String), String> {
    let mut routes = BTreeMap::new();
    for family in folders(&repository().join("components")) {
        for component in folders(&family) {
            let file = component.join("src/lib.rs");
            let Ok(text) = fs::read_to_string(&file) else {
                continue;
            };
            // A component of the cron trigger has no routes.
            let Some((_, table)) = text.split_once("component! {") else {
                continue;
            };
            let base = table.split("base:").nth(1).and_then(quoted);
            let base = base.unwrap_or_else(|| panic!("{}: no base", file.display()));
            for (number, line) in text.lines().enumerate() {
                let Some((method, rest)) = line.trim().split_once(' ') else {
                    continue;
                };
                if !METHODS.contains(&method) || !rest.contains("=>") {
                    continue;
                }
                let place = format!("{}:{}", file.display(), number + 1);
                let path = quoted(rest).unwrap_or_else(|| panic!("{place}: no path"));
                let path = fill(&format!("{base}{path}"), &|_| "{}".into());
                let other = routes.insert((method.to_owned(), path), place.clone());
                assert_eq!(other, None, "{place} is served twice");
            }
        }
    }
    routes
}

fn quoted(text: &str) -> Option<&str> {
    text.split('"').nth(1)
}

fn folders(of: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(of).unwrap_or_else(|error| panic!("{}: {error}", of.display()));
    let mut folders: Vec<_> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_creates_makes_what_its_resource_is_got_by() {
        let rows = Endpoint::all();
        for (id, makes, is_named) in [
            ("sites.create", Some("site_name"), true),
            ("blueprints.upload", Some("blueprint_id"), true),
            ("deployments.create", Some("deployment_id"), true),
            // The name is in the body.
            ("users.create", Some("username"), true),
            // The id is generated.
            ("executions.start", Some("execution_id"), false),
            ("sites.update", None, false),
            ("sites.list", None, false),
        ] {
            let row = rows.iter().find(|row| row.id == id).expect("a row");
            assert_eq!(row.makes().map(String::as_str), makes, "{id}");
            assert_eq!(row.names_new().is_some(), is_named, "{id}");
        }
    }

    #[test]
    fn parameters_are_filled_and_json_is_left_alone() {
        for (text, want) in [
            ("/a/{b_c}/d?e={f}", "/a/<b_c>/d?e=<f>"),
            (r#"{"a":"{b}","c":{}}"#, r#"{"a":"<b>","c":{}}"#),
            (r#"{"{b}":{"c":1}}"#, r#"{"<b>":{"c":1}}"#),
            ("{", "{"),
        ] {
            assert_eq!(fill(text, &|name| format!("<{name}>")), want);
        }
    }
}
