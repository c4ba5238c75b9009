//! Every endpoint, called as everybody it matters to: `endpoints.tsv` against the application.
//!
//! The table says who may. Who holds what is read from the application that runs, so the two cannot
//! be wrong in the same way. Besides the roles that exist there are two of the test's own: one
//! that permits nothing, whose refusal names the permission that was asked for, and one that holds
//! exactly what the row says.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

#[path = "endpoints/adjutant.rs"]
mod adjutant;
#[path = "endpoints/keystone.rs"]
mod keystone;
#[path = "endpoints/opsera.rs"]
mod opsera;
#[path = "endpoints/status.rs"]
mod status;

use std::collections::{BTreeMap, BTreeSet};
use windlass_tests::{
    Answer, Caller, Endpoint, Outgoing, Permission, Touches, Value, Windlass, demand_none, routes,
};

/// What every parameter is: something that does not exist.
const NOTHING: &str = "nothing-is-called-this";
/// What something new would be called, if it could be: a name begins with a letter.
const BAD_NAME: &str = "1-is-no-letter";
/// Tokens of two executions, the second an update, and their SHA-256, which is all that the database
/// knows of them.
const TOKEN: &str = "token-of-an-execution";
const UPDATE_TOKEN: &str = "token-of-an-update";
const TOKEN_HASH: &str = "1c31c16a3c255ea1865ebdc45a3b9de7cf29bdb9d2a1970f3b30d52e09f5a727";
const UPDATE_TOKEN_HASH: &str = "d130203bb809865d5f90dc3d22c41ef98ecbb5cc0062edf7566554e41a08eb8f";

#[test]
fn every_route_has_a_row_and_every_row_a_route() {
    let routes = routes();
    let rows = Endpoint::all();
    let mut wrong = Vec::new();
    for row in &rows {
        match (row.is_served, routes.get(&row.route())) {
            (true, None) => wrong.push(format!("{} is `now`, but no component has it", row.id)),
            (false, Some(place)) => wrong.push(format!("{} is `later`, but see {place}", row.id)),
            _ => {}
        }
    }
    let known: BTreeSet<_> = rows.iter().map(Endpoint::route).collect();
    for (route, place) in &routes {
        if !known.contains(route) {
            let (method, path) = route;
            wrong.push(format!("{method} {path} has no row ({place})"));
        }
    }
    demand_none(&wrong);
}

#[test]
fn every_endpoint_answers_exactly_those_who_may() {
    let windlass = Windlass::start();
    let stage = Stage::set(&windlass);
    let mut wrong = Vec::new();
    for row in Endpoint::served() {
        match row.family.as_str() {
            "conductor" => stage.try_everybody(&row, &mut wrong),
            // These have tests of their own.
            "adjutant" | "keystone" | "opsera" | "status" | "internal" => {}
            family => wrong.push(format!("{}: nobody here calls as {family} does", row.id)),
        }
    }
    demand_none(&wrong);
}

#[test]
fn a_method_that_a_path_does_not_have_is_refused() {
    let windlass = Windlass::start();
    let mut methods: BTreeMap<String, (BTreeSet<String>, bool)> = BTreeMap::new();
    for ((method, path), place) in routes() {
        let (methods, has_codes) = methods.entry(path).or_default();
        methods.insert(method);
        *has_codes = ["components/conductor/", "components/internal/"]
            .iter()
            .any(|families| place.contains(families));
    }
    let mut wrong = Vec::new();
    for (path, (methods, has_codes)) in methods {
        for method in ["GET", "PUT", "POST", "PATCH", "DELETE"] {
            if methods.contains(method) {
                continue;
            }
            let mut request = windlass.admin().compose(method, "/api/", None, None);
            request.path = path.replace("{}", NOTHING);
            let answer = windlass.send(&request);
            let code = &json(&answer)["error_code"];
            let is_right = code == "method_not_allowed_error" || !has_codes && code.is_null();
            if answer.status != 405 || !is_right {
                wrong.push(format!("{method} {path}: {}", shown(&answer)));
            }
        }
    }
    demand_none(&wrong);
}

#[test]
fn the_tick_and_what_operators_ask_is_for_those_who_know_its_token() {
    let windlass = Windlass::start();
    windlass.tick();
    let rows = Endpoint::served().into_iter();
    let rows: Vec<_> = rows.filter(|row| row.family == "internal").collect();
    assert!(rows.len() > 1, "the tick and others have rows");
    for row in &rows {
        for caller in [windlass.nobody(), windlass.admin()] {
            let answer = windlass.send(&row.request(caller, &nothing_of(row)));
            assert_eq!(answer.status, 401, "{}: {}", row.id, shown(&answer));
        }
    }
}

/// A Windlass with one user for each way of standing to the tenant `harbour`.
struct Stage<'a> {
    windlass: &'a Windlass,
    people: Vec<Person<'a>>,
    /// Each permission and the roles that hold it.
    holders: BTreeMap<String, BTreeSet<String>>,
}

struct Person<'a> {
    name: &'static str,
    caller: Caller<'a>,
    system_role: &'static str,
    /// The one tenant they are in, and their role there.
    membership: Option<(&'static str, &'static str)>,
}

/// What the tenant header says.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Header {
    Harbour,
    Unknown,
    Absent,
}

/// What a call should come to.
#[derive(Debug)]
enum Verdict {
    Accepted,
    Refused(u16, &'static str, String),
}

impl<'a> Stage<'a> {
    fn set(windlass: &'a Windlass) -> Self {
        windlass.admin().get("/status").expect(200);
        let database = windlass.open_database();
        database
            .execute_batch(
                "insert into roles (name, type, description) values
                     ('powerless', 'system_role', 'permits nothing'),
                     ('exact', 'tenant_role', 'permits what a row asks for')",
            )
            .expect("roles are rows");
        let mut people = Vec::new();
        for (name, system_role, membership) in [
            ("viewer", "default", Some(("harbour", "viewer"))),
            ("user", "default", Some(("harbour", "user"))),
            ("operator", "default", Some(("harbour", "operations"))),
            ("manager", "default", Some(("harbour", "manager"))),
            ("worker", "default", Some(("harbour", "worker"))),
            ("stranger", "default", Some(("quay", "user"))),
            ("foreign-manager", "default", Some(("quay", "manager"))),
            ("loner", "default", None),
            ("administrator", "sys_admin", None),
            ("powerless", "powerless", None),
            ("exact", "powerless", Some(("harbour", "exact"))),
        ] {
            let mut caller = windlass.user(name).with_system_role(system_role);
            if let Some((tenant, role)) = membership {
                caller = caller.with_role_in(role, tenant);
            }
            people.push(Person {
                name,
                caller,
                system_role,
                membership,
            });
        }
        for (id, creator, workflow, hash) in [
            ("running", "powerless", "install", TOKEN_HASH),
            ("updating", "operator", "update", UPDATE_TOKEN_HASH),
        ] {
            database
                .execute(
                    "insert into executions (id, tenant_name, created_by, visibility, created_at,
                         workflow_id, status, token_hash)
                     values (?1, 'harbour', ?2, 'tenant', '2024-05-06T07:08:09.123Z', ?3, 'started', ?4)",
                    [id, creator, workflow, hash],
                )
                .expect("executions are rows");
        }
        Self {
            windlass,
            people,
            holders: holders(windlass),
        }
    }

    fn try_everybody(&self, row: &Endpoint, wrong: &mut Vec<String>) {
        self.grant_exactly(row);
        let nobody = self.windlass.nobody().naming_tenant("harbour");
        let unauthorized = if row.permission == Permission::Public {
            Verdict::Accepted
        } else {
            let text = "User unauthorized: No authentication info provided";
            Verdict::Refused(401, "unauthorized_error", text.into())
        };
        self.judge(row, "nobody", nobody, "", &unauthorized, wrong);
        for person in &self.people {
            for header in [Header::Harbour, Header::Absent, Header::Unknown] {
                let verdict = self.verdict(row, person, header);
                let caller = match header {
                    Header::Harbour => person.caller.naming_tenant("harbour"),
                    Header::Absent => person.caller.without_tenant(),
                    Header::Unknown => person.caller.naming_tenant("atlantis"),
                };
                let who = format!("{} (tenant: {header:?})", person.name);
                self.judge(row, &who, caller, "", &verdict, wrong);
            }
            if row.touches == Touches::Tenants {
                let verdict = self.verdict_everywhere(row, person);
                let who = format!("{} (in all tenants)", person.name);
                let caller = person.caller.without_tenant();
                self.judge(row, &who, caller, "_all_tenants=true", &verdict, wrong);
            }
        }
        let admin = self.windlass.admin().naming_tenant("harbour");
        self.judge(
            row,
            "the first administrator",
            admin,
            "",
            &allowed(row),
            wrong,
        );
        if let Permission::Held {
            during_update: true,
            ..
        } = row.permission
        {
            let update = nobody.with_token(UPDATE_TOKEN);
            self.judge(row, "an update", update, "", &Verdict::Accepted, wrong);
        }
        if let Permission::Held {
            or_oneself: true, ..
        } = row.permission
        {
            let oneself = self.windlass.user("oneself").with_system_role("default");
            let answer = self
                .windlass
                .send(&row.request(oneself, &|_| "oneself".into()));
            if !row.success.contains(&answer.status) {
                wrong.push(format!("{} to oneself: {}", row.id, shown(&answer)));
            }
        }
        // An execution acts as who started it: here somebody who may nothing.
        let verdict = match &row.permission {
            Permission::Held {
                or_execution: true, ..
            } => Verdict::Accepted,
            _ => {
                let powerless = self.people.iter().find(|person| person.name == "powerless");
                self.verdict(row, powerless.expect("on stage"), Header::Harbour)
            }
        };
        for caller in [
            nobody.with_token(TOKEN),
            nobody.without_tenant().with_token(TOKEN),
        ] {
            self.judge(row, "an execution", caller, "", &verdict, wrong);
        }
    }

    /// What the person with this header should be answered.
    fn verdict(&self, row: &Endpoint, person: &Person<'_>, header: Header) -> Verdict {
        let refused = |text: String| Verdict::Refused(403, "forbidden_error", text);
        if row.permission == Permission::Public {
            return Verdict::Accepted;
        }
        // What names its tenant itself does not look at the header.
        if header == Header::Unknown && row.touches != Touches::Named {
            return refused(
                "Authorization failed: Tried to authenticate with invalid tenant name: atlantis"
                    .into(),
            );
        }
        let is_bound = matches!(row.touches, Touches::Tenant | Touches::Tenants);
        if header == Header::Absent && is_bound {
            return refused("Authorization failed: tenant not provided".into());
        }
        // The tenant that a path or a body names is always `harbour`.
        let counts = match row.touches {
            Touches::Named => true,
            Touches::All => false,
            _ => header == Header::Harbour,
        };
        let role = person
            .membership
            .filter(|(tenant, _)| counts && *tenant == "harbour");
        let roles: Vec<&str> = [person.system_role]
            .into_iter()
            .chain(role.map(|r| r.1))
            .collect();
        match &row.permission {
            Permission::Held { names, .. } => {
                let missing = names.iter().find(|name| !self.is_held(name, &roles));
                let Some(name) = missing else {
                    return allowed(row);
                };
                let place = match row.touches {
                    Touches::None | Touches::All => "",
                    _ => " in the tenant `harbour`",
                };
                refused(format!("{}{place}", not_permitted(person.name, name)))
            }
            Permission::Administrator if person.system_role != "sys_admin" => Verdict::Refused(
                401,
                "unauthorized_error",
                "Only admin users are permitted to edit permissions".into(),
            ),
            _ => Verdict::Accepted,
        }
    }

    /// The same for all tenants at once, without a header.
    fn verdict_everywhere(&self, row: &Endpoint, person: &Person<'_>) -> Verdict {
        let Permission::Held { names, .. } = &row.permission else {
            return Verdict::Accepted;
        };
        let everywhere = self.is_held("all_tenants", &[person.system_role]);
        let role = person.membership.map(|(_, role)| role);
        let roles: Vec<&str> = role.into_iter().collect();
        if everywhere || names.iter().all(|name| self.is_held(name, &roles)) {
            return Verdict::Accepted;
        }
        let text = not_permitted(person.name, &names[0]);
        Verdict::Refused(403, "forbidden_error", text)
    }

    fn is_held(&self, permission: &str, roles: &[&str]) -> bool {
        // What `exact` holds changes from row to row, and is always enough.
        roles.contains(&"exact")
            || (self.holders.get(permission))
                .is_some_and(|holders| roles.iter().any(|role| holders.contains(*role)))
    }

    fn judge(
        &self,
        row: &Endpoint,
        who: &str,
        caller: Caller<'_>,
        query: &str,
        verdict: &Verdict,
        wrong: &mut Vec<String>,
    ) {
        let mut request: Outgoing = row.request(caller, &nothing_of(row));
        if !query.is_empty() {
            let separator = if request.path.contains('?') { '&' } else { '?' };
            request.path = format!("{}{separator}{query}", request.path);
        }
        let answer = self.windlass.send(&request);
        let body = json(&answer);
        let is_right = match verdict {
            Verdict::Accepted => {
                let message = body["message"].as_str().unwrap_or_default();
                // A route that no component got has the status of a thing that does not exist.
                row.accepts(answer.status) && !message.starts_with("There is no `/")
            }
            Verdict::Refused(status, code, text) => {
                answer.status == *status
                    && body["error_code"] == *code
                    && body["message"] == text.as_str()
                    && body.get("server_traceback").is_some_and(Value::is_null)
            }
        };
        if !is_right {
            wrong.push(format!(
                "{} as {who}: {verdict:?}, but {}",
                row.id,
                shown(&answer)
            ));
        }
    }

    /// Makes the role `exact` what its name says.
    fn grant_exactly(&self, row: &Endpoint) {
        let database = self.windlass.open_database();
        let forget = "delete from permissions where role = 'exact'";
        database.execute(forget, []).expect("permissions are rows");
        if let Permission::Held { names, .. } = &row.permission {
            for name in names {
                assert!(
                    self.holders.contains_key(name),
                    "{}: nobody holds {name}",
                    row.id
                );
                let grant = "insert into permissions (role, permission) values ('exact', ?1)";
                database
                    .execute(grant, [name])
                    .expect("permissions are rows");
            }
        }
    }
}

/// What becomes of a caller who holds what the row asks for.
fn allowed(row: &Endpoint) -> Verdict {
    match row.permission {
        Permission::Held {
            during_update: true,
            ..
        } => {
            let text = "Only deployment update may do this";
            Verdict::Refused(403, "only_deployment_update", text.into())
        }
        _ => Verdict::Accepted,
    }
}

/// Who holds what: as the application tells, or from its database while it does not.
fn holders(windlass: &Windlass) -> BTreeMap<String, BTreeSet<String>> {
    let mut holders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut add = |role: &str, permission: &str| {
        holders
            .entry(permission.into())
            .or_default()
            .insert(role.into());
    };
    if Endpoint::served()
        .iter()
        .any(|row| row.id == "permissions.list")
    {
        let list = windlass.admin().get("/permissions?_size=1000").expect(200);
        for item in list["items"].as_array().expect("a list has items") {
            let text = |key: &str| item[key].as_str().expect("a pair of names").to_owned();
            add(&text("role"), &text("permission"));
        }
    } else {
        let database = windlass.open_database();
        let mut pairs = database
            .prepare("select role, permission from permissions")
            .expect("permissions are rows");
        let mut rows = pairs.query([]).expect("permissions are rows");
        while let Some(row) = rows.next().expect("permissions are rows") {
            let text = |at: usize| row.get::<_, String>(at).expect("a pair of names");
            add(&text(0), &text(1));
        }
    }
    holders
}

/// The values of a row's parameters, with which it changes nothing.
fn nothing_of(row: &Endpoint) -> impl Fn(&str) -> String {
    let new = row.names_new().filter(|_| row.parameters().len() == 1);
    move |parameter| match parameter {
        _ if new.is_some_and(|new| new == parameter) => BAD_NAME.into(),
        "tenant_name" => "harbour".into(),
        _ => NOTHING.into(),
    }
}

fn not_permitted(user: &str, permission: &str) -> String {
    format!("User `{user}` is not permitted to perform the action {permission}")
}

fn json(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

fn shown(answer: &Answer) -> String {
    let text: String = String::from_utf8_lossy(&answer.body)
        .chars()
        .take(300)
        .collect();
    format!("{} {text}", answer.status)
}
