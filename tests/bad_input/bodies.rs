//! Every body that the table of endpoints knows, broken in every way.
//!
//! Whatever is refused is refused in the family's shape and has stored nothing. What an endpoint
//! takes or leaves alone must succeed as documented, and is taken back. At last comes the body of the
//! row as it is: if that did not succeed, the others would be refused for another reason than their
//! mistakes.

use super::broken::{Body, bad_bodies};
use windlass_tests::{
    Answer, Endpoint, MONITORS_SECRET, Options, PASSWORD, Stored, TICK_HEADER, Things, Windlass,
    demand_none, json, monitor_token,
};

/// Rows whose own body cannot succeed here, and why.
const NEEDS_MORE: [(&str, &str); 5] = [
    (
        "executions.send_operation",
        "only a worker has the workflow",
    ),
    ("nodes.update", "only a deployment's update may"),
    ("operations.console", "only a worker has a lease"),
    ("operations.result", "only a worker has a lease"),
    ("adjutant.23_set", "nobody has the address"),
];
/// The token of the execution that is running, and what is stored of it.
const TOKEN: &str = "token-of-an-execution";
const TOKEN_HASH: &str = "1c31c16a3c255ea1865ebdc45a3b9de7cf29bdb9d2a1970f3b30d52e09f5a727";

#[test]
fn no_body_of_conductor_breaks_anything() {
    let windlass = windlass();
    let admin = windlass.admin();
    let rows = with_bodies("conductor");
    let mut things = Things::make(&windlass, admin, "harbour", "tenant");
    for (name, value) in [
        ("setting", "ldap_nested_levels"),
        ("ldap_server", "ldap://127.0.0.1:9"),
        ("member", "member"),
        ("member_group", "members"),
        ("metric_id", "new-metric"),
        ("hostname", "south"),
        ("lease_id", "lost"),
        ("name", "south"),
    ] {
        things.set(name, value.into());
    }
    things.make_what_is_named(&windlass, admin, &rows, "tenant");
    let [group, tenant] = ["group_name", "tenant_name"].map(|name| things.value(name));
    let [deployment, modification] =
        ["deployment_id", "modification_id"].map(|name| things.value(name));
    let instance = things.value("node_instance_id");
    let finish = format!("/deployment-modifications/{modification}/finish");
    for (method, path, body) in [
        (
            "PUT",
            "/users",
            json!({ "username": "member", "password": "a good one" }),
        ),
        ("POST", "/user-groups", json!({ "group_name": "members" })),
        (
            "PUT",
            "/user-groups/users",
            json!({ "username": "member", "group_name": group }),
        ),
        (
            "PUT",
            "/tenants/users",
            json!({ "username": "member", "tenant_name": tenant, "role": "user" }),
        ),
        (
            "PUT",
            "/tenants/user-groups",
            json!({ "group_name": "members", "tenant_name": tenant, "role": "user" }),
        ),
        (
            "POST",
            "/managers",
            json!({ "hostname": "south", "private_ip": "192.0.2.9", "public_ip": "192.0.2.9",
                    "version": "7.0.5", "edition": "premium", "distribution": "debian",
                    "distro_release": "12" }),
        ),
        (
            "POST",
            "/brokers",
            json!({ "name": "south", "address": "192.0.2.9" }),
        ),
        (
            "PUT",
            "/agents/south",
            json!({ "node_instance_id": instance, "state": "created", "create_rabbitmq_user": false }),
        ),
        (
            "PUT",
            "/deployments/inter-deployment-dependencies",
            json!({ "dependency_creator": "component.x", "source_deployment": deployment,
                    "target_deployment_func": { "get_input": "x" } }),
        ),
        // A deployment has one at a time.
        ("POST", &finish, json!({})),
    ] {
        let reply = admin.raw(method, path, "application/json", body.to_string());
        assert!(reply.status() < 300, "{path}: {}", reply.text());
    }
    // One that goes on whatever is sent, instances as if nothing had happened to them yet, and a password
    // that counts to the end, so that no login is noted in between.
    let prepare = format!(
        "insert into executions (id, tenant_name, created_by, visibility, created_at, workflow_id, status,
             token_hash)
         values ('running', 'default_tenant', 'admin', 'tenant', '2024-05-06T07:08:09.123Z', 'install',
             'started', '{TOKEN_HASH}');
         update node_instances set version = 1;
         update verified_credentials set expires_at = '2999-01-01T00:00:00.000Z';
         update users set last_login_at = '2999-01-01T00:00:00.000Z' where id = 0;"
    );
    let database = windlass.open_database();
    database.execute_batch(&prepare).expect("these are rows");
    things.set("execution_id", "running".into());
    try_all(&windlass, &rows, &|name| things.value(name));
}

#[test]
fn no_body_of_the_status_dashboard_breaks_anything() {
    let windlass = windlass();
    windlass.admin().get("/status").expect(200);
    windlass
        .open_database()
        .execute_batch(
            "insert into status_components (id, name, attributes, attributes_key, position, created_at)
                 values (999, 'Mail', '[]', '[]', 1, '2024-01-01T00:00:00.000Z'),
                        (998, 'Disks', '[]', '[]', 2, '2024-01-01T00:00:00.000Z'),
                        (997, 'Networks', '[]', '[]', 3, '2024-01-01T00:00:00.000Z');
             insert into status_receivers (id, kind, settings, created_at, created_by, updated_at)
                 values ('alarms', 'alertmanager', '{\"type\":\"alertmanager\",\"publish_titles\":false,
                     \"rules\":[{\"match\":{},\"component_id\":999,\"impact\":2}]}',
                     '2024-01-01T00:00:00.000Z', 'admin', '2024-01-01T00:00:00.000Z')",
        )
        .expect("components are rows");
    let rows = with_bodies("status");
    let opened = rows.iter().find(|row| row.id == "status.11");
    let opened = opened.expect("it opens an event");
    let body = json!({
        "title": "Volumes are slow", "type": "incident", "impact": 1, "components": [999, 998],
        "start_date": "2024-01-01T00:00:00Z",
    });
    let value = |name: &str| -> String {
        match name {
            "component_id" => "999",
            "name" => "Networks",
            "event_id" => "1",
            "index" => "0",
            "kind" => "webhook",
            "pipeline_id" => "ship",
            "probe_id" => "disks",
            "receiver_id" => "alarms",
            "template_id" => "slow",
            "attribute" => "type",
            _ => panic!("no value for {{{name}}}"),
        }
        .into()
    };
    let first = Body::value("the first event".into(), &body);
    let answer = send(&windlass, "", opened, &value, &first);
    assert_eq!(answer.status, 200, "{}", shown(&answer));
    try_all(&windlass, &rows, &value);
}

#[test]
fn no_body_of_keystone_breaks_anything() {
    let windlass = windlass();
    windlass.admin().get("/status").expect(200);
    try_all(&windlass, &with_bodies("keystone"), &|name| {
        match name {
            "user_name" => "admin",
            "user_id" => "0",
            "password" => PASSWORD,
            "project_id" => "default_tenant",
            _ => panic!("no value for {{{name}}}"),
        }
        .into()
    });
}

#[test]
fn no_body_of_adjutant_breaks_anything() {
    let windlass = windlass();
    let people = Adjutant::set(&windlass);
    let value = |name: &str| -> String {
        match name {
            "email" => "zoe@example.com",
            "uuid" => &people.task,
            "token" => &people.token,
            "note" => &people.note,
            "user_id" => &people.member,
            "size" => "small",
            _ => panic!("no value for {{{name}}}"),
        }
        .into()
    };
    // What needs a task that was approved, and what needs one that was not.
    let mut rows = with_bodies("adjutant");
    let is_update = |row: &Endpoint| row.method == "PUT" && row.path.contains("/tasks/");
    rows.retain(|row| !is_update(row));
    try_all_as(&windlass, &people.admin, &rows, &value);
    let mut rows = with_bodies("adjutant");
    rows.retain(is_update);
    let value = |name: &str| match name {
        "uuid" => people.open_task.clone(),
        _ => value(name),
    };
    try_all_as(&windlass, &people.admin, &rows, &value);
}

/// What bodies of Adjutant name.
struct Adjutant {
    /// The administrator's token.
    admin: String,
    /// A task that was approved and waits for its token.
    task: String,
    token: String,
    /// One that nobody has looked at, and the notification of it.
    open_task: String,
    note: String,
    /// Somebody in `harbour` who is less than the administrator's project role.
    member: String,
}

impl Adjutant {
    fn set(windlass: &Windlass) -> Self {
        windlass.passer_by().get("/v1").expect(200);
        let _ = windlass.user("member").with_role_in("viewer", "harbour");
        let database = windlass.open_database();
        let text = |sql: &str| -> String {
            database
                .query_row(sql, [], |row| row.get(0))
                .expect("a text")
        };
        database
            .execute_batch(
                "insert into tenant_users (tenant_name, user_id, role) values ('harbour', 0, 'manager');
                 delete from tenant_users where tenant_name = 'default_tenant';
                 update users set email = 'root@example.com' where id = 0;",
            )
            .expect("the administrator has a row");
        let token_of_admin = windlass.admin().own_token();
        let admin = windlass.passer_by().with_bearer(&token_of_admin);
        for (email, project) in [("bob@example.com", "mole"), ("eve@example.com", "jetty")] {
            let body = json!({ "email": email, "project_name": project });
            admin.post("/v1/openstack/sign-up", body).expect(202);
        }
        let tasks = admin.get("/v1/tasks").expect(200);
        let id = |place: usize| {
            tasks["tasks"][place]["uuid"]
                .as_str()
                .expect("an id")
                .to_owned()
        };
        let (open_task, task) = (id(0), id(1));
        let approved = json!({ "approved": true });
        admin
            .post(&format!("/v1/tasks/{task}"), approved)
            .expect(200);
        let tokens = admin.get("/v1/tokens").expect(200);
        let token = tokens["tokens"][0]["token"].as_str().expect("a token");
        windlass.run_pending_work();
        Self {
            task,
            token: token.to_owned(),
            open_task,
            note: text("select uuid from adjutant_notifications where error = 0 limit 1"),
            member: text("select cast(id as text) from users where username = 'member'"),
            admin: token_of_admin,
        }
    }
}

#[test]
fn no_body_of_the_scheduler_breaks_anything() {
    let windlass = windlass();
    windlass.admin().get("/status").expect(200);
    try_all(&windlass, &with_bodies("internal"), &|_| "x".into());
}

fn windlass() -> Windlass {
    Options::default()
        .variable("status_jwt_secret", MONITORS_SECRET)
        .variable("outbound_allow_private", "true")
        .start()
}

fn with_bodies(family: &str) -> Vec<Endpoint> {
    let mut rows = Endpoint::served();
    rows.retain(|row| row.family == family && row.body.is_some());
    rows
}

/// Tries every row with every bad body, and then with its own.
fn try_all(windlass: &Windlass, rows: &[Endpoint], value: &dyn Fn(&str) -> String) {
    try_all_as(windlass, "", rows, value);
}

/// The same as whoever has this token, in the families that take one.
fn try_all_as(windlass: &Windlass, token: &str, rows: &[Endpoint], value: &dyn Fn(&str) -> String) {
    let mut wrong = Vec::new();
    for row in rows {
        let value = |name: &str| match row.names_new() {
            Some(new) if new == name => format!("new-{}", name.replace('_', "-")),
            _ => value(name),
        };
        let mut stored = Stored::look(windlass);
        for bad in bad_bodies(row, &value) {
            let answer = send(windlass, token, row, &value, &bad);
            let as_everywhere = needs_more(row) || bad.is_refused_as_everywhere(row, &answer);
            if as_everywhere && (row.success.contains(&answer.status) || stays_visible(&answer)) {
                windlass.run_pending_work();
                stored.restore();
                continue;
            }
            let mut changed = stored.changes();
            changed.retain(|table| !left_by(row).contains(&table.as_str()));
            if !as_everywhere || !row.is_refusal(&answer) || !changed.is_empty() {
                let (id, what) = (&row.id, bad.what);
                wrong.push(format!("{id}, {what}: {} {changed:?}", shown(&answer)));
            }
        }
        let own = row.filled_body(&value).expect("these have one");
        let own = Body::unusable("its own body", own);
        let answer = send(windlass, token, row, &value, &own);
        let is_right = match needs_more(row) {
            true => row.is_refusal(&answer),
            false => row.success.contains(&answer.status),
        };
        if !is_right {
            wrong.push(format!("{}, its own body: {}", row.id, shown(&answer)));
        }
        windlass.run_pending_work();
        stored.restore();
    }
    demand_none(&wrong);
}

/// What a login leaves behind, good or not: what it is for may be refused after it was good.
fn left_by(row: &Endpoint) -> &'static [&'static str] {
    match row.id.as_str() {
        "keystone.issue_token" => &[
            "failed_logins",
            "event_counters",
            "familiar_addresses",
            "verified_credentials",
            "users",
        ],
        "keystone.set_password" => &["failed_logins", "event_counters"],
        _ => &[],
    }
}

fn needs_more(row: &Endpoint) -> bool {
    NEEDS_MORE.iter().any(|(id, _)| *id == row.id)
}

/// A blueprint that cannot be used is kept, so that its state tells why, and so is a task that cannot
/// be done.
fn stays_visible(answer: &Answer) -> bool {
    let text = String::from_utf8_lossy(&answer.body);
    text.contains("\"error_code\":\"invalid_blueprint_error\"")
        || text.contains("\"actions invalid\"")
}

/// A row's request with another body, from somebody who may send it.
fn send(
    windlass: &Windlass,
    token: &str,
    row: &Endpoint,
    value: &dyn Fn(&str) -> String,
    sent: &Body,
) -> Answer {
    let monitor = monitor_token("probe");
    let nobody = windlass.nobody().without_tenant();
    let caller = match (row.family.as_str(), row.id.as_str()) {
        ("internal", _) => nobody,
        ("status", "status.01") => nobody.with_bearer(&monitor),
        ("adjutant", _) => nobody.with_bearer(token),
        ("conductor", "deployment_updates.put") => windlass.nobody().with_token(TOKEN),
        _ => windlass.admin(),
    };
    let mut request = row.request_with(caller, value, Some(sent.body.clone()));
    for (name, value) in &mut request.headers {
        if name == "content-type" && !row.is_form {
            *value = sent.content_type.into();
        }
    }
    if row.family == "internal" {
        let (name, token) = TICK_HEADER;
        request.headers.push((name.into(), token.into()));
    }
    if row.family == "keystone" {
        // Wrong passwords are among what is tried, and after a few of them none counts.
        let forgotten = (windlass.open_database()).execute("delete from failed_logins", []);
        forgotten.expect("failures are rows");
    }
    let answer = windlass.send(&request);
    if answer.status != 429 {
        return answer;
    }
    // Who asks too often is told so whatever is asked: here that is forgotten.
    let forget = "delete from status_subscription_requests; delete from adjutant_submissions;";
    let forgotten = windlass.open_database().execute_batch(forget);
    forgotten.expect("requests are rows");
    windlass.send(&request)
}

fn shown(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    format!(
        "{} {}",
        answer.status,
        text.chars().take(300).collect::<String>()
    )
}
