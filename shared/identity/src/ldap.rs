//! The settings of a directory, which `/ldap` sets together and `/config` shows one by one.
//!
//! The password of the account for lookups is no setting: it is kept encrypted in `sealed_values`.

pub mod dn;

use serde::Deserialize;
use serde_json::{Map, Value};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Scope, Timestamp, params, secretbox};
use windlass_store::audit;

/// Under which name the sealed password is kept.
const PASSWORD: &str = "ldap_password";

/// The settings that say how to ask a directory. Those left empty have usual values, which the
/// one who asks knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Its URL; there is always one.
    pub ldap_server: String,
    /// Its domain, such as `harbour.example`.
    pub ldap_domain: String,
    /// What comes before the domain in the base of searches.
    pub ldap_dn_extra: String,
    /// The account for lookups.
    pub ldap_username: String,
    /// Whether it is an Active Directory, whose usual values are others.
    pub ldap_is_active_directory: bool,
    /// Where searches begin.
    pub ldap_base_dn: String,
    /// Where searches for groups begin.
    pub ldap_group_dn: String,
    /// How a user's name becomes the name to bind with.
    pub ldap_bind_format: String,
    /// How a user's entry is searched for.
    pub ldap_user_filter: String,
    /// How the groups of an entry are searched for.
    pub ldap_group_member_filter: String,
    /// The attribute with a user's name.
    pub ldap_attribute_uid: String,
    /// The attribute with an entry's groups.
    pub ldap_attribute_group_membership: String,
    /// How deep groups in groups are followed.
    pub ldap_nested_levels: i64,
}

/// Gives settings of scope `rest` these values, and those of a directory that are not among them
/// their empty ones. The password has been sealed already; without one none is kept.
pub async fn save(
    tx: &impl Tx,
    scope: &Scope,
    settings: &Map<String, Value>,
    password: Option<&str>,
) -> Result<()> {
    let given = Value::Object(settings.clone());
    tx.execute(
        "update config set updated_at = ?2, updater_name = ?3, value = coalesce(
             ?1 -> config.name,
             case schema ->> 'type' when 'boolean' then 'false' when 'integer' then '1' else '\"\"' end)
         where scope = 'rest' and name like 'ldap\\_%' escape '\\'",
        params![&given, Timestamp::now(), scope.username()],
    )
    .await?;
    match password {
        Some(sealed) => {
            tx.execute(
                "insert or replace into sealed_values (name, value) values (?1, ?2)",
                params![PASSWORD, sealed],
            )
            .await?;
        }
        None => {
            tx.execute(
                "delete from sealed_values where name = ?1",
                params![PASSWORD],
            )
            .await?;
        }
    }
    let server = settings.get("ldap_server").and_then(Value::as_str);
    audit::insert(tx, scope, "ldap_set", "LDAP", server.unwrap_or_default()).await
}

/// How to ask the directory, if there is one.
pub async fn find(db: &impl Db) -> Result<Option<Settings>> {
    let settings: Settings = db
        .first_json(
            "select json_group_object(name, json(value)) from config
             where scope = 'rest' and name like 'ldap\\_%' escape '\\'",
            &[],
        )
        .await?
        .ok_or_else(|| Error::internal("an aggregate answers one row"))?;
    Ok(Some(settings).filter(|settings| !settings.ldap_server.is_empty()))
}

/// The password of the account for lookups; empty when none was given.
pub async fn password(db: &impl Db) -> Result<String> {
    let sealed: Option<String> = db
        .first_json(
            "select json_quote(value) from sealed_values where name = ?1",
            params![PASSWORD],
        )
        .await?;
    let Some(sealed) = sealed else {
        return Ok(String::new());
    };
    let password = secretbox::open(&sealed).await?;
    String::from_utf8(password).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use windlass_core::app::Identity as _;
    use windlass_core::db::NativeDb;
    use windlass_store::config;

    #[test]
    fn settings_are_replaced_together_and_no_other_is_touched() {
        pollster::block_on(async {
            let db = NativeDb::in_memory();
            crate::Identity::prepare(&db).await.unwrap();
            let scope = Scope::system("admin", "default_tenant");
            let values = async |names: &[&str]| {
                let mut values = Vec::new();
                for name in names {
                    values.push(config::find(&db, &scope, name).await.unwrap().value);
                }
                values
            };
            let names = [
                "ldap_server",
                "ldap_base_dn",
                "ldap_is_active_directory",
                "ldap_nested_levels",
                "account_lock_period",
            ];
            let first = json!({ "ldap_server": "ldap://one", "ldap_base_dn": "dc=\"a\",dc=b",
                "ldap_is_active_directory": true, "ldap_nested_levels": 3,
                "account_lock_period": 1, "ldap_password": "secret" });
            assert_eq!(find(&db).await.unwrap(), None);
            let sealed = secretbox::seal("na břehu".as_bytes()).await.unwrap();
            let replace = async |settings: &Value, password: Option<&str>| {
                let settings = settings.as_object().unwrap();
                db.transaction(async |tx| save(tx, &scope, settings, password).await)
                    .await
                    .unwrap();
            };
            replace(&first, Some(&sealed)).await;
            assert_eq!(password(&db).await.unwrap(), "na břehu");
            let found = find(&db).await.unwrap().unwrap();
            assert_eq!(found.ldap_base_dn, "dc=\"a\",dc=b");
            assert!(found.ldap_is_active_directory);
            assert_eq!(found.ldap_nested_levels, 3);
            assert_eq!(
                values(&names).await,
                [
                    json!("ldap://one"),
                    json!("dc=\"a\",dc=b"),
                    json!(true),
                    json!(3),
                    json!(30)
                ]
            );
            let second = json!({ "ldap_server": "ldap://two" });
            replace(&second, None).await;
            assert_eq!(password(&db).await.unwrap(), "");
            assert_eq!(
                values(&names).await,
                [
                    json!("ldap://two"),
                    json!(""),
                    json!(false),
                    json!(1),
                    json!(30)
                ]
            );
            let kept = db
                .first(
                    "select count(*) from config where value like '%secret%'",
                    &[],
                )
                .await;
            assert_eq!(kept.unwrap().unwrap().integer(0).unwrap(), 0);
            let trail = db
                .first(
                    "select count(*) from audit_log where action = 'ldap_set'",
                    &[],
                )
                .await;
            assert_eq!(trail.unwrap().unwrap().integer(0).unwrap(), 2);
        });
    }
}
