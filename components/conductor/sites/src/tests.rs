//! Requests through the routes, with callers that only tests have.

use serde_json::{Value, json};
use windlass_core::db::{Db, NativeDb};
use windlass_core::http::Method;
use windlass_core::params;
use windlass_core::permission::{Permission, PermissionSet};
use windlass_core::router::Router;
use windlass_core::testing::{self, Callers, Rights};

/// Whoever the header `caller` names: `root` may everything,
/// `ann` what regular users may with sites, everybody else may read.
struct Named;

impl Callers for Named {
    fn rights(name: &str) -> Rights {
        let reads = [Permission::SiteGet, Permission::SiteList];
        let writes = [
            Permission::SiteCreate,
            Permission::SiteUpdate,
            Permission::SiteDelete,
        ];
        let here = match name {
            "root" => PermissionSet::all(),
            "ann" => reads.into_iter().chain(writes).collect(),
            _ => reads.into_iter().collect(),
        };
        Rights {
            here,
            ..Rights::default()
        }
    }
}

struct Harbour {
    db: NativeDb,
    router: Router<NativeDb>,
}

impl Harbour {
    /// Two tenants, and deployments of each: `d1` and `d2` of the harbour, `d3` of the quay.
    fn new() -> Self {
        let harbour = Self {
            db: NativeDb::in_memory(),
            router: Router::new(crate::routes()).unwrap(),
        };
        pollster::block_on(windlass_store::migrations::apply(&harbour.db)).unwrap();
        harbour.sql(
            "insert into tenants (name, created_at) values ('harbour', '2024'), ('quay', '2024')",
        );
        harbour.sql(
            "insert into users (username, password_hash, role, created_at)
             values ('Ann', '-', 'default', '2024')",
        );
        harbour.sql(
            "insert into blueprints (key, id, tenant_name, created_by, visibility, created_at,
                 updated_at, state)
             values (1, 'crane', 'harbour', 'ann', 'global', '2024', '2024', 'uploaded')",
        );
        harbour.sql(
            "insert into deployments (id, tenant_name, created_by, visibility, created_at,
                 updated_at, blueprint_key, blueprint_id, display_name, site_name)
             select value ->> 0, value ->> 1, 'ann', 'tenant', '2024', '2024', 1, 'crane', 'd', 'pier'
             from json_each('[[\"d1\", \"harbour\"], [\"d2\", \"harbour\"], [\"d3\", \"quay\"]]')",
        );
        harbour
    }

    fn sql(&self, sql: &str) {
        pollster::block_on(self.db.execute(sql, params![])).unwrap();
    }

    /// The sites of the three deployments.
    fn moored(&self) -> Vec<Option<String>> {
        let sql = "select json_group_array(site_name) from (select * from deployments order by id)";
        pollster::block_on(self.db.first_json(sql, &[]))
            .unwrap()
            .unwrap()
    }

    /// What the audit trail holds: action and target.
    fn trail(&self) -> Vec<(String, String)> {
        let sql = "select json_group_array(json_array(action, target_id)) from audit_log
                   where target_type = 'Site'";
        pollster::block_on(self.db.first_json(sql, &[]))
            .unwrap()
            .unwrap()
    }

    fn ask(&self, who: &str, method: &str, url: &str, body: Value, status: u16) -> Value {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer =
            testing::ask::<Named>(&self.router, &self.db, who, (method, url), (&body, status));
        pollster::block_on(answer).unwrap()
    }

    fn put(&self, who: &str, name: &str, body: Value, status: u16) -> Value {
        self.ask(who, "PUT", &format!("/sites/{name}"), body, status)
    }

    fn post(&self, who: &str, name: &str, body: Value, status: u16) -> Value {
        self.ask(who, "POST", &format!("/sites/{name}"), body, status)
    }
}

#[test]
fn a_site_is_shown_as_clients_know_it() {
    let harbour = Harbour::new();
    let site = harbour.put("ann", "pier", json!({ "location": "34.767420,-1" }), 200);
    let mut shown = site.clone();
    assert!(shown["created_at"].as_str().unwrap().ends_with('Z'));
    shown["created_at"] = json!("now");
    assert_eq!(
        shown,
        json!({
            "name": "pier", "location": "34.76742, -1.0", "latitude": 34.76742, "longitude": -1.0,
            "created_at": "now", "created_by": "ann", "tenant_name": "harbour",
            "visibility": "tenant", "private_resource": false, "resource_availability": "tenant",
        })
    );
    assert_eq!(
        harbour.ask("bob", "GET", "/sites/pier", Value::Null, 200),
        site
    );
    let part = harbour.ask("bob", "GET", "/sites/pier?_include=name", Value::Null, 200);
    assert_eq!(part, json!({ "name": "pier" }));
    let all = json!({ "location": null, "visibility": null });
    let bare = harbour.put("ann", "buoy", all, 200);
    assert_eq!(bare["location"], Value::Null);
    assert_eq!(bare["latitude"], Value::Null);
    for (query, want) in [
        ("", &["pier", "buoy"][..]),
        ("?_search=UO", &["buoy"]),
        ("?_sort=name", &["buoy", "pier"]),
        ("?name=pier&_get_all_results=true", &["pier"]),
    ] {
        let list = harbour.ask("bob", "GET", &format!("/sites{query}"), Value::Null, 200);
        let items = list["items"].as_array().unwrap();
        let names: Vec<&str> = items
            .iter()
            .map(|item| item["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, want, "{query}");
        assert_eq!(
            list["metadata"]["pagination"]["total"],
            want.len(),
            "{query}"
        );
        assert_eq!(list["metadata"]["filtered"], Value::Null);
    }
}

#[test]
fn what_no_site_can_be_is_refused() {
    let harbour = Harbour::new();
    harbour.put("ann", "pier", json!({}), 200);
    for (who, method, url, body, status, text) in [
        (
            "ann",
            "PUT",
            "/sites/9",
            json!({}),
            400,
            "The `name` argument must begin with a letter",
        ),
        (
            "ann",
            "PUT",
            "/sites/a",
            json!({ "visibility": "all" }),
            400,
            "Invalid visibility: `all`",
        ),
        (
            "ann",
            "PUT",
            "/sites/a",
            json!({ "location": 7 }),
            400,
            "location parameter is expected to be of type str",
        ),
        (
            "ann",
            "PUT",
            "/sites/a",
            json!({ "location": "7" }),
            400,
            "Invalid location `7`, the format is expected",
        ),
        (
            "ann",
            "PUT",
            "/sites/a",
            json!({ "visibility": "global" }),
            403,
            "not permitted to set or create a global",
        ),
        (
            "ann",
            "PUT",
            "/sites/a",
            json!({ "created_at": "2024-01-01T00:00:00Z" }),
            403,
            "set_timestamp in the tenant `harbour`",
        ),
        (
            "ann",
            "PUT",
            "/sites/a",
            json!({ "created_by": "bob" }),
            403,
            "set_owner in the tenant `harbour`",
        ),
        (
            "root",
            "PUT",
            "/sites/a",
            json!({ "created_by": "bob" }),
            400,
            "User bob does not exist.",
        ),
        (
            "ann",
            "PUT",
            "/sites/pier",
            json!({}),
            409,
            "<Site name=`pier` tenant=`harbour`> already exists on <Tenant name=`harbour`> or with global visibility",
        ),
        ("bob", "PUT", "/sites/a", json!({}), 403, "site_create"),
        ("bob", "POST", "/sites/pier", json!({}), 403, "site_update"),
        (
            "bob",
            "DELETE",
            "/sites/pier",
            Value::Null,
            403,
            "site_delete",
        ),
        (
            "ann",
            "POST",
            "/sites/a",
            json!({}),
            404,
            "Requested `Site` with ID `a` was not found",
        ),
        (
            "ann",
            "POST",
            "/sites/pier",
            json!({ "new_name": "a b" }),
            400,
            "The `new_name` argument contains illegal",
        ),
        (
            "ann",
            "POST",
            "/sites/pier",
            json!({ "visibility": "private" }),
            400,
            "already has wider visibility",
        ),
        (
            "ann",
            "POST",
            "/sites/pier?_include=x",
            json!({}),
            400,
            "Include keys '['x']' do not exist",
        ),
        (
            "ann",
            "DELETE",
            "/sites/a",
            Value::Null,
            404,
            "Requested `Site` with ID `a` was not found",
        ),
    ] {
        let refusal = harbour.ask(who, method, url, body, status);
        let message = refusal["message"].as_str().unwrap();
        assert!(message.contains(text), "{method} {url}: {message}");
    }
    assert_eq!(harbour.trail(), [("site_create".into(), "pier".into())]);
}

#[test]
fn an_update_changes_what_it_names() {
    let harbour = Harbour::new();
    harbour.put(
        "ann",
        "pier",
        json!({ "location": "1,2", "visibility": "private" }),
        200,
    );
    harbour.put("ann", "buoy", json!({}), 200);
    let same = harbour.post("ann", "pier", json!({ "location": null, "name": "x" }), 200);
    assert_eq!(
        (&same["name"], &same["location"]),
        (&json!("pier"), &json!("1.0, 2.0"))
    );
    let moved = harbour.post(
        "ann",
        "pier",
        json!({ "location": "3,4", "visibility": "tenant" }),
        200,
    );
    assert_eq!(
        (&moved["visibility"], &moved["longitude"]),
        (&json!("tenant"), &json!(4.0))
    );
    let gone = harbour.post(
        "ann",
        "pier",
        json!({ "location": "", "new_name": "pier" }),
        200,
    );
    assert_eq!(
        (&gone["location"], &gone["latitude"]),
        (&Value::Null, &Value::Null)
    );
    let refusal = harbour.post("ann", "pier", json!({ "new_name": "buoy" }), 409);
    assert_eq!(
        refusal["message"],
        "Invalid new name `buoy`, it already exists on <Tenant name=`harbour`> or with global visibility"
    );
    let renamed = harbour.post("ann", "pier", json!({ "new_name": "jetty" }), 200);
    assert_eq!(renamed["name"], "jetty");
    harbour.ask("ann", "GET", "/sites/pier", Value::Null, 404);
}

#[test]
fn deployments_stay_at_a_renamed_site_and_leave_a_deleted_one() {
    let at = |names: [Option<&str>; 3]| names.map(|name| name.map(str::to_owned)).to_vec();
    let harbour = Harbour::new();
    harbour.put("ann", "pier", json!({}), 200);
    harbour.post("ann", "pier", json!({ "new_name": "jetty" }), 200);
    // The quay's deployment is at the quay's site of that name.
    assert_eq!(
        harbour.moored(),
        at([Some("jetty"), Some("jetty"), Some("pier")])
    );
    harbour.post(
        "root",
        "jetty",
        json!({ "visibility": "global", "new_name": "pier" }),
        200,
    );
    harbour.post("root", "pier", json!({ "new_name": "mole" }), 200);
    assert_eq!(
        harbour.moored(),
        at([Some("mole"), Some("mole"), Some("mole")])
    );
    harbour.ask("ann", "DELETE", "/sites/mole", Value::Null, 204);
    assert_eq!(harbour.moored(), at([None, None, None]));
    let trail = harbour.trail();
    let actions: Vec<&str> = trail.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(
        actions,
        [
            "site_create",
            "site_update",
            "site_update",
            "site_update",
            "site_delete"
        ]
    );
}

#[test]
fn other_tenants_see_what_is_global_and_change_nothing() {
    let harbour = Harbour::new();
    harbour.put("ann", "pier", json!({ "visibility": "private" }), 200);
    harbour.ask("bob", "GET", "/sites/pier", Value::Null, 404);
    harbour.ask("ann@quay", "GET", "/sites/pier", Value::Null, 404);
    harbour.put("ann@quay", "pier", json!({}), 200);
    let refusal = harbour.post("root", "pier", json!({ "visibility": "global" }), 409);
    assert!(
        refusal["message"]
            .as_str()
            .unwrap()
            .contains("also exists in other tenants")
    );
    harbour.put("root", "beacon", json!({ "visibility": "global" }), 200);
    harbour.ask("ann@quay", "GET", "/sites/beacon", Value::Null, 200);
    let list = harbour.ask("ann@quay", "GET", "/sites", Value::Null, 200);
    assert_eq!(list["metadata"]["pagination"]["total"], 2);
    for (method, body) in [
        ("POST", json!({ "location": "1,1" })),
        ("DELETE", Value::Null),
    ] {
        let refusal = harbour.ask("root@quay", method, "/sites/beacon", body, 400);
        assert_eq!(refusal["error_code"], "illegal_action_error", "{method}");
    }
    harbour.put("ann@quay", "beacon", json!({}), 409);
    harbour.put("root@quay", "mole", json!({}), 200);
    harbour.put("root", "mole", json!({ "visibility": "global" }), 409);
}

#[test]
fn a_restored_site_keeps_its_origin() {
    let harbour = Harbour::new();
    let origin = json!({ "created_at": "2020-01-02T03:04:05+01:00", "created_by": "ANN" });
    let site = harbour.put("root", "pier", origin, 200);
    assert_eq!(site["created_at"], "2020-01-02T02:04:05.000Z");
    assert_eq!(site["created_by"], "Ann");
}
