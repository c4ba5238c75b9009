//! A session as Keystone's clients read it.

use crate::catalog::catalog;
use serde_json::{Map, Value, json};
use windlass_core::{Caller, Timestamp};
use windlass_identity::keystone::{DOMAIN_ID, DOMAIN_NAME};
use windlass_identity::sessions::{Extent, Session};

/// Where the application is, and whether the catalog is wanted.
pub struct Shape {
    /// The application's address.
    pub base: String,
    /// Whether the catalog is shown to a session that is about something.
    pub has_catalog: bool,
}

/// The body, or nothing when the user has no role any more in what the session is about.
pub fn token(session: &Session, user: &Caller, shape: &Shape) -> Option<Value> {
    let domain = json!({ "id": DOMAIN_ID, "name": DOMAIN_NAME });
    let mut token = Map::new();
    token.insert("methods".into(), json!(session.methods));
    token.insert(
        "user".into(),
        json!({
            "id": user.user_id.to_string(),
            "name": user.username,
            "domain": domain,
            "password_expires_at": null,
        }),
    );
    token.insert("audit_ids".into(), json!(session.audit_ids()));
    token.insert("expires_at".into(), with_micros(session.expires_at));
    token.insert("issued_at".into(), with_micros(session.created_at));
    if !session.suits(user) {
        return None;
    }
    match session.extent {
        Extent::Unscoped => return Some(json!({ "token": token })),
        Extent::Project => {
            let name = session.tenant.as_deref().unwrap_or_default();
            let project = json!({ "id": name, "name": name, "domain": domain });
            token.insert("project".into(), project);
            token.insert("is_domain".into(), false.into());
        }
        Extent::Domain => {
            token.insert("domain".into(), domain);
        }
        Extent::System => {
            token.insert("system".into(), json!({ "all": true }));
        }
    }
    let role = |name: &&str| json!({ "id": name, "name": name });
    let roles = session.roles(user);
    token.insert("roles".into(), roles.iter().map(role).collect());
    if shape.has_catalog {
        token.insert("catalog".into(), catalog(&shape.base));
    }
    Some(json!({ "token": token }))
}

/// A time as Keystone writes it.
fn with_micros(time: Timestamp) -> Value {
    time.format("%Y-%m-%dT%H:%M:%S%.6fZ").into()
}
