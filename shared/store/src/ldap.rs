//! The settings of a directory, which `/ldap` sets together and `/config` shows one by one.

use crate::audit;
use serde_json::{Map, Value};
use windlass_core::db::Db;
use windlass_core::{Result, Scope, Timestamp, params};

/// Gives settings of scope `rest` these values, and those of a directory that are not among them
/// their empty ones.
pub async fn save(db: &impl Db, scope: &Scope, settings: &Map<String, Value>) -> Result<()> {
    let given = Value::Object(settings.clone());
    db.execute(
        "update config set updated_at = ?2, updater_name = ?3, value = coalesce(
             ?1 -> config.name,
             case schema ->> 'type' when 'boolean' then 'false' when 'integer' then '1' else '\"\"' end)
         where scope = 'rest' and name like 'ldap\\_%' escape '\\'",
        params![&given, Timestamp::now(), scope.username()],
    )
    .await?;
    let server = settings.get("ldap_server").and_then(Value::as_str);
    audit::insert(db, scope, "ldap_set", "LDAP", server.unwrap_or_default()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use serde_json::json;
    use windlass_core::app::Identity as _;
    use windlass_core::db::NativeDb;

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
            save(&db, &scope, first.as_object().unwrap()).await.unwrap();
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
            save(&db, &scope, second.as_object().unwrap())
                .await
                .unwrap();
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
