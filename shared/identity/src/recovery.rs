//! What whoever runs the application does when nobody can log in any more. They hold its database, so
//! nobody asks for permissions; the audit trail says that it was done from outside.

use crate::credentials;
use windlass_core::db::Db;
use windlass_core::{Result, Scope, ids};
use windlass_store::users::{self, Changes};

/// Whom the audit trail names; no user's name holds a colon.
const OPERATOR: &str = "operator:";

/// How long a new password is, in characters.
const LENGTH: usize = 20;

/// Gives a user a new password and answers it. Failed logins are forgotten. What was remembered of
/// the old password ends with the next request, in every process on this database; tokens stay.
///
/// # Errors
/// 404 when nobody has the name.
pub async fn reset_password(db: &impl Db, username: &str) -> Result<String> {
    let password = ids::random_text(LENGTH);
    let changes = Changes {
        password_hash: Some(credentials::hash_password(&password)?),
        ..Changes::default()
    };
    let scope = Scope::system(OPERATOR, "");
    db.transaction(async |tx| {
        let user = users::find(tx, &scope, username).await?;
        users::save(tx, &scope, &user, &changes).await?;
        users::unlock(tx, &scope, &user).await
    })
    .await?;
    Ok(password)
}

/// Forgets the failed logins for a user's name, so that the right password counts from everywhere.
///
/// # Errors
/// 404 when nobody has the name.
pub async fn unlock(db: &impl Db, username: &str) -> Result<()> {
    let scope = Scope::system(OPERATOR, "");
    db.transaction(async |tx| {
        let user = users::find(tx, &scope, username).await?;
        users::unlock(tx, &scope, &user).await
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Identity;
    use windlass_core::app::Identity as _;
    use windlass_core::db::NativeDb;
    use windlass_core::http::Method;
    use windlass_core::platform;
    use windlass_core::{Family, Kind, Request};

    async fn login(db: &NativeDb, password: &str) -> Result<()> {
        use base64::Engine as _;
        let text = format!("admin:{password}");
        let text = base64::engine::general_purpose::STANDARD.encode(text);
        let request = Request::new(Method::GET, "/api/v3.1/user")
            .header("authorization", &format!("Basic {text}"));
        let found = Identity::authenticate(db, Family::Conductor, &request).await;
        found.map(drop)
    }

    #[test]
    fn who_is_locked_out_gets_in_again_from_outside() {
        pollster::block_on(async {
            let db = NativeDb::in_memory();
            platform::set_variable("admin_password", "first one");
            Identity::prepare(&db).await.unwrap();
            for guess in 0..5 {
                assert!(login(&db, &format!("guess {guess}")).await.is_err());
            }
            assert!(login(&db, "first one").await.is_err());
            unlock(&db, "ADMIN").await.unwrap();
            assert!(login(&db, "first one").await.is_ok());

            let password = reset_password(&db, "Admin").await.unwrap();
            assert_eq!(password.chars().count(), LENGTH);
            assert!(login(&db, "first one").await.is_err());
            assert!(login(&db, &password).await.is_ok());
            let sql = "select json_group_array(username || ' ' || action) from audit_log";
            let trail: Option<Vec<String>> = db.first_json(sql, &[]).await.unwrap();
            let told = ["user_unlock", "user_update", "user_unlock"];
            let told = told.map(|action| format!("operator: {action}"));
            assert_eq!(trail.unwrap(), told);

            let refusal = reset_password(&db, "nobody").await.unwrap_err();
            assert_eq!(refusal.kind(), Kind::NotFound);
            assert!(unlock(&db, "nobody").await.is_err());
        });
    }
}
