//! The license that an operator has uploaded: at most one, and nothing depends on it.

use crate::audit;
use serde::{Deserialize, Serialize};
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope, Timestamp, params};

/// What the audit trail calls it.
const NAME: &str = "License";

/// What a license says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct License {
    /// Whom it was issued to.
    pub customer_id: String,
    /// When it ends; none never does.
    pub expiration_date: Option<Timestamp>,
    /// Such as `Premium`.
    pub license_edition: String,
    /// Whether it is only for trying.
    pub trial: bool,
    /// The newest version it is for; none is for all of them.
    pub cloudify_version: Option<String>,
    /// What it allows, in words of whoever issued it.
    pub capabilities: Option<Vec<String>>,
}

impl License {
    /// Whether it had ended by some moment.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expiration_date.is_some_and(|end| end < now)
    }
}

/// The license that was uploaded last, if it was not deleted.
pub async fn find(db: &impl Db, _scope: &Scope) -> Result<Option<License>> {
    db.first_json(
        "select json_object('customer_id', customer_id, 'expiration_date', expiration_date,
             'license_edition', license_edition, 'trial', json(iif(trial, 'true', 'false')),
             'cloudify_version', cloudify_version, 'capabilities', json(capabilities))
         from license",
        &[],
    )
    .await
}

/// Keeps a license in place of the one before.
pub async fn replace(tx: &impl Tx, scope: &Scope, license: &License) -> Result<()> {
    let capabilities = license.capabilities.as_ref();
    tx.execute(
        "insert or replace into license (only, customer_id, expiration_date, license_edition, trial,
             cloudify_version, capabilities)
         values (1, ?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            license.customer_id.as_str(),
            license.expiration_date,
            license.license_edition.as_str(),
            license.trial,
            license.cloudify_version.as_deref(),
            capabilities.map(crate::json_text).transpose()?,
        ],
    )
    .await?;
    audit::insert(tx, scope, "license_upload", NAME, &license.customer_id).await
}

/// Removes the license. Answers whether there was one.
pub async fn remove(tx: &impl Tx, scope: &Scope) -> Result<bool> {
    let sql = "delete from license returning customer_id";
    let Some(row) = tx.first(sql, &[]).await? else {
        return Ok(false);
    };
    let customer = row.text(0)?;
    audit::insert(tx, scope, "license_remove", NAME, customer).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::db::NativeDb;

    #[test]
    fn there_is_one_license_at_most_and_who_sent_and_deleted_it_is_recorded() {
        pollster::block_on(async {
            let db = NativeDb::in_memory();
            crate::migrations::apply(&db).await.unwrap();
            let scope = Scope::system("ann", "");
            assert_eq!(find(&db, &scope).await.unwrap(), None);
            let trial = License {
                customer_id: "Harbour".into(),
                expiration_date: Some(Timestamp::from_millis(1_700_000_000_000)),
                license_edition: "Spire".into(),
                trial: true,
                cloudify_version: Some("7.0.5".into()),
                capabilities: Some(vec!["HA".into()]),
            };
            let paid = License {
                expiration_date: None,
                trial: false,
                cloudify_version: None,
                capabilities: None,
                ..trial.clone()
            };
            for license in [&trial, &paid] {
                let replaced = db.transaction(async |tx| replace(tx, &scope, license).await);
                replaced.await.unwrap();
                assert_eq!(find(&db, &scope).await.unwrap().as_ref(), Some(license));
            }
            for was_there in [true, false] {
                let removed = db.transaction(async |tx| remove(tx, &scope).await);
                assert_eq!(removed.await.unwrap(), was_there);
            }
            let audit = "select json_group_array(action || ' ' || username || ' ' || target_id)
                         from audit_log";
            let audit: Vec<String> = db.first_json(audit, &[]).await.unwrap().unwrap();
            assert_eq!(
                audit,
                [
                    "license_upload ann Harbour",
                    "license_upload ann Harbour",
                    "license_remove ann Harbour",
                ]
            );
        });
    }

    #[test]
    fn a_license_ends_after_its_date_or_never() {
        let end = Timestamp::from_millis(1000);
        let mut license = License {
            customer_id: String::new(),
            expiration_date: Some(end),
            license_edition: String::new(),
            trial: false,
            cloudify_version: None,
            capabilities: None,
        };
        assert!(!license.has_expired(end));
        assert!(license.has_expired(end.plus_millis(1)));
        license.expiration_date = None;
        assert!(!license.has_expired(Timestamp::from_millis(i64::MAX / 2)));
    }
}
