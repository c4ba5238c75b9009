use super::*;
use crate::{Families, credentials};
use std::rc::Rc;
use windlass_core::app::Identity as _;
use windlass_core::caller::{AuthMethod, Reach};
use windlass_core::db::{Db as _, NativeDb};
use windlass_core::{Caller, Scope, params, platform};

mod assignments;
mod lists;
mod login;

/// Ann manages the harbour and reads in the quay, Bob is in the harbour alone, and so is Eve by her
/// group. All but Eve have passwords.
async fn fresh() -> NativeDb {
    let db = NativeDb::in_memory();
    platform::set_variable("admin_password", "first one");
    Families::prepare(&db).await.unwrap();
    let hash = credentials::hash_password("hoist away").unwrap();
    let sql = "insert into users (id, username, password_hash, role, created_at)
         values (7, 'Ann', ?1, 'default', ''), (8, 'bob', ?1, 'default', ''),
                (9, 'eve', '', 'default', '')";
    db.execute(sql, params![hash]).await.unwrap();
    for sql in [
        "insert into tenants (id, name, created_at) values (1, 'harbour', ''), (2, 'quay', '')",
        "insert into tenant_users (tenant_name, user_id, role)
         values ('harbour', 7, 'manager'), ('quay', 7, 'viewer'), ('harbour', 8, 'project_mod')",
        "insert into user_groups (id, name, role, created_at) values (3, 'deck', 'sys_admin', '')",
        "insert into group_users (group_id, user_id) values (3, 9)",
        "insert into tenant_groups (tenant_name, group_id, role) values ('harbour', 3, 'manager')",
    ] {
        db.execute(sql, &[]).await.unwrap();
    }
    db
}

async fn caller(db: &NativeDb, id: i64) -> Caller {
    crate::caller(db, id, AuthMethod::Basic, None)
        .await
        .unwrap()
}

async fn scope_of(db: &NativeDb, id: i64) -> Scope {
    Scope::of(Rc::new(caller(db, id).await), Reach::Nowhere, String::new())
}
