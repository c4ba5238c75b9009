//! Requests through the routes, with callers that only tests have.

mod exchange;
mod providers;
mod secrets;

use serde_json::Value;
use windlass_core::db::{Db, NativeDb};
use windlass_core::http::Method;
use windlass_core::params;
use windlass_core::permission::{Permission, PermissionSet};
use windlass_core::platform::kv;
use windlass_core::router::Router;
use windlass_core::secretbox::ENCRYPTION_KEY_KEY;
use windlass_core::testing::{self, Callers, Rights};

/// Whoever the header `caller` names: `root` may everything,
/// `mia` manages the tenant, `ann` and `bob` may what regular users may, everybody else may read.
struct Named;

impl Callers for Named {
    fn rights(name: &str) -> Rights {
        use Permission::*;
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
        let here = match name {
            "mia" => reads
                .into_iter()
                .chain(writes)
                .chain([Administrators])
                .collect(),
            "ann" | "bob" => regular,
            _ => reads.into_iter().collect(),
        };
        Rights {
            here,
            everywhere: match name {
                "root" => PermissionSet::all(),
                _ => PermissionSet::default(),
            },
            execution_id: None,
        }
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
        let (method, url) = request.split_once(' ').unwrap();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer =
            testing::ask::<Named>(&self.router, &self.db, who, (method, url), (&body, status));
        pollster::block_on(answer).unwrap()
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
