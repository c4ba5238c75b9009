//! What tests of this crate begin with: two accounts, and people of every standing in the first.

use crate::access::{Asker, Standing};
use std::collections::BTreeMap;
use std::rc::Rc;
use windlass_core::caller::{AuthMethod, Caller, Reach};
use windlass_core::db::{Db, NativeDb};
use windlass_core::permission::PermissionSet;
use windlass_core::platform::kv;
use windlass_core::{Permission, Scope, params};

/// A database with the accounts `harbour` and `quay`, and an encryption key.
pub async fn database() -> NativeDb {
    let db = NativeDb::in_memory();
    windlass_store::migrations::apply(&db).await.unwrap();
    kv::set(windlass_core::secretbox::ENCRYPTION_KEY_KEY, b"a key")
        .await
        .unwrap();
    for tenant in ["harbour", "quay", "default_tenant"] {
        let sql = "insert or ignore into tenants (name, created_at) values (?1, '')";
        db.execute(sql, params![tenant]).await.unwrap();
    }
    for (id, name) in [
        (7, "ann"),
        (8, "bob"),
        (9, "mia"),
        (10, "vic"),
        (11, "root"),
    ] {
        let sql = "insert into users (id, username, password_hash, role, created_at)
                   values (?1, ?2, '-', 'default', '')";
        db.execute(sql, params![id, name]).await.unwrap();
    }
    for (id, role) in [(7, "user"), (8, "user"), (9, "manager"), (10, "viewer")] {
        let sql =
            "insert into tenant_users (tenant_name, user_id, role) values ('harbour', ?1, ?2)";
        db.execute(sql, params![id, role]).await.unwrap();
    }
    db.execute("update users set role = 'sys_admin' where id = 11", &[])
        .await
        .unwrap();
    db
}

/// Somebody in `harbour`: the users ann and bob, the power user mia, the guest vic, the administrator
/// root. `name@quay` is the same user in the other account.
pub fn asker(name: &str) -> Asker {
    let (name, account) = name.split_once('@').unwrap_or((name, "harbour"));
    let (user_id, standing) = match name {
        "ann" => (7, Standing::User),
        "bob" => (8, Standing::User),
        "mia" => (9, Standing::PowerUser),
        "vic" => (10, Standing::Guest),
        _ => (11, Standing::Administrator),
    };
    let mut system = PermissionSet::default();
    if standing >= Standing::PowerUser {
        system.insert(Permission::OpseraShell);
    }
    let caller = Caller {
        user_id,
        username: name.into(),
        role: "default".into(),
        method: AuthMethod::Basic,
        system,
        tenants: BTreeMap::new(),
        execution_id: None,
    };
    let scope = Scope::of(
        Rc::new(caller),
        Reach::Tenant(account.into()),
        String::new(),
    );
    Asker::later(scope, standing).unwrap()
}

/// A statement's plan, as one text.
pub async fn plan(db: &NativeDb, sql: &str, values: &[windlass_core::db::Value]) -> String {
    db.plan(sql, values).await.unwrap().join("\n")
}
