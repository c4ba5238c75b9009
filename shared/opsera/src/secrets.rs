//! Secrets that steps name: `{{ secrets.NAME }}`. A step's row and its log hold the name alone.

use serde_json::Value;
use windlass_core::db::Db;
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

/// What replaces a secret in everything that is kept.
const HIDDEN: &str = "***";

/// The shortest secret that is looked for: the digits of a short one stand everywhere.
const SHORTEST: usize = 4;

/// The text without these secrets.
pub fn hide(text: &str, secrets: &[String]) -> String {
    let mut hidden = text.to_owned();
    for secret in secrets.iter().filter(|secret| secret.len() >= SHORTEST) {
        if hidden.contains(secret.as_str()) {
            hidden = hidden.replace(secret.as_str(), HIDDEN);
        }
    }
    hidden
}
