//! Secrets that steps name: `{{ secrets.NAME }}`. A step's row and its log hold the name alone.

use serde_json::Value;
use windlass_core::db::Db;
pub use windlass_core::hiding::hide;
use windlass_core::outbound::Outbound;
use windlass_core::{Kind, Permission, Result, Scope};
use windlass_store::secrets::{self, Purpose};

/// The value of a secret that somebody may use in their account, as text; a provider is asked where it is
/// there. As in workflows hidden ones may be used, and of private ones their own. The error is why there is
/// none.
///
/// # Errors
/// Of the database.
pub async fn find(
    db: &impl Db,
    scope: &Scope,
    name: &str,
    outbound: &impl Outbound,
) -> Result<std::result::Result<String, String>> {
    let none = || Ok(Err(format!("There is no secret `{name}`")));
    if !scope
        .caller()?
        .holds_in(scope.tenant(), Permission::SecretGet)
    {
        return none();
    }
    let Some(read) = secrets::read(db, scope, name, Purpose::Run, None).await? else {
        return none();
    };
    match windlass_secrets::fetch(&read, name, outbound).await {
        Ok(Value::String(text)) => Ok(Ok(text)),
        Ok(value) => Ok(Ok(value.to_string())),
        Err(error) if matches!(error.kind(), Kind::NotFound | Kind::FailedDependency) => {
            Ok(Err(error.message().to_owned()))
        }
        Err(error) => Err(error),
    }
}
