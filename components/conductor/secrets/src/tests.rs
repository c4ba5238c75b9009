//! Requests through the routes, with callers that only tests have.

mod exchange;
mod providers;
mod secrets;

use serde_json::Value;
use std::collections::BTreeMap;
use std::rc::Rc;
use windlass_core::app::{self, Identity};
use windlass_core::caller::{AuthMethod, Caller, Membership};
use windlass_core::context::{Identified, TenantHeader};
use windlass_core::db::{Db, NativeDb};
use windlass_core::http::Method;
use windlass_core::permission::{Permission, PermissionSet};
use windlass_core::platform::kv;
use windlass_core::router::Router;
use windlass_core::secretbox::ENCRYPTION_KEY_KEY;
use windlass_core::{Error, Family, Request, Result, params};

/// Whoever the header `caller` names, in the tenant of the header `tenant`: `root` may everything,
/// `mia` manages the tenant, `ann` and `bob` may what regular users may, everybody else may read.
struct Named;

impl Identity for Named {
    async fn prepare(_: &impl Db) -> Result<()> {
        Ok(())
    }

    async fn authenticate(_: &impl Db, _: Family, request: &Request) -> Result<Identified> {
        use Permission::*;
        let Some(name) = request.get_header("caller") else {
            return Err(Error::unauthorized("No authentication info provided"));
        };
        let reads = [
            SecretGet,
            SecretList,
            SecretsProviderGet,
            SecretsProviderList,
        ];
        let writes = [
            SecretCreate,
            SecretUpdate,
            SecretDelete,
            SecretExport,
            SecretImport,
            SecretsProviderCreate,
            SecretsProviderUpdate,
            SecretsProviderDelete,
        ];
        let regular: PermissionSet = reads.into_iter().chain(writes).collect();
        let permissions = match name {
            "mia" => reads
                .into_iter()
                .chain(writes)
                .chain([Administrators])
                .collect(),
            "ann" | "bob" => regular,
            _ => reads.into_iter().collect(),
        };
        let tenant = request.get_header("tenant").unwrap_or("harbour").to_owned();
        let member = Membership {
            roles: Vec::new(),
            permissions,
        };
        let caller = Caller {
            user_id: 7,
            username: name.into(),
            role: "default".into(),
            method: AuthMethod::Basic,
            system: match name {
                "root" => PermissionSet::all(),
                _ => PermissionSet::default(),
            },
            tenants: BTreeMap::from([(tenant.clone(), member)]),
            execution_id: None,
        };
        Ok(Identified {
            caller: Rc::new(caller),
            tenant: TenantHeader::Known(tenant),
        })
    }
}

struct Harbour {
    db: NativeDb,
    router: Router<NativeDb>,
}

impl Harbour {
    fn new() -> Self {
        let harbour = Self {
            db: NativeDb::in_memory(),
            router: Router::new(crate::routes()).unwrap(),
        };
        pollster::block_on(kv::set(ENCRYPTION_KEY_KEY, b"a key that only tests have")).unwrap();
        pollster::block_on(windlass_store::migrations::apply(&harbour.db)).unwrap();
        harbour.sql(
            "insert into tenants (name, created_at) values ('harbour', '2024'), ('quay', '2024')",
        );
        harbour.sql(
            "insert into users (username, password_hash, role, created_at)
             values ('ann', '-', 'default', '2024'), ('bob', '-', 'default', '2024')",
        );
        harbour
    }

    fn sql(&self, sql: &str) {
        pollster::block_on(self.db.execute(sql, params![])).unwrap();
    }

    /// The first text that a statement answers.
    fn text(&self, sql: &str) -> String {
        let row = pollster::block_on(self.db.first(sql, params![]))
            .unwrap()
            .unwrap();
        row.text(0).unwrap().to_owned()
    }

    /// Who read values and what is told of it: `user action target`.
    fn trail(&self, action: &str) -> Vec<String> {
        let sql = "select json_group_array(username || ' ' || target_id) from
                   (select * from audit_log where action = ?1 order by key)";
        pollster::block_on(self.db.first_json(sql, params![action]))
            .unwrap()
            .unwrap()
    }

    /// Sends a request as `who`, or as `who@tenant`.
    fn ask(&self, who: &str, request: &str, body: Value, status: u16) -> Value {
        let (who, tenant) = who.split_once('@').unwrap_or((who, "harbour"));
        let (method, url) = request.split_once(' ').unwrap();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut sent = Request::new(method, &format!("/api/v3.1{url}"))
            .header("caller", who)
            .header("tenant", tenant)
            .header("content-type", "application/json");
        if !body.is_null() {
            sent.body = body.to_string().into_bytes();
        }
        let family = Family::Conductor;
        let db = self.db.clone();
        let answer = app::handle::<Named, _>(&self.router, db, family, sent, "r1".into());
        let response = pollster::block_on(answer);
        let text = String::from_utf8(response.body).unwrap();
        assert_eq!(response.status, status, "{request}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn get(&self, who: &str, url: &str) -> Value {
        self.ask(who, &format!("GET {url}"), Value::Null, 200)
    }

    fn refused(&self, who: &str, request: &str, body: Value, status: u16, text: &str) {
        let refusal = self.ask(who, request, body, status);
        let message = refusal["message"].as_str().unwrap();
        assert!(message.contains(text), "{request}: {message}");
    }
}
