//! Families: six APIs over one identity, each with its own error body and headers.
//!
//! Handlers and store know none of this. Whatever differs between the families in how a failure
//! looks is decided here, in the last step before the response leaves.

use crate::error::{Error, Kind};
use serde_json::{Map, Value, json};

/// Whose clients are being answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Conductor (Cloudify Manager) v3.1, and the application's own internal routes.
    Conductor,
    /// OpenStack Adjutant v1.
    Adjutant,
    /// OpenStack Keystone v3: how Adjutant's clients log in.
    Keystone,
    /// Opsera v1 (pipelines, registry, logs) and v2 (directory).
    Opsera,
    /// Status Dashboard v1: what monitors post, and the public page.
    StatusDashboard,
    /// Status Dashboard v2: what people manage. Its failures have a shape of their own.
    StatusDashboardV2,
}

impl Family {
    /// The body of a failure.
    pub fn envelope(self, error: &Error) -> Value {
        let (_, code) = error.kind().wire();
        let message = self.message(error);
        match self {
            Self::Conductor => {
                let mut body = Map::new();
                body.insert("message".into(), message.into());
                body.insert("error_code".into(), code.into());
                body.insert("server_traceback".into(), Value::Null);
                body.extend(error.extras().clone());
                Value::Object(body)
            }
            Self::Adjutant if !error.fields().is_empty() => json!({ "errors": per_field(error) }),
            Self::Adjutant => json!({ "errors": [message] }),
            Self::Keystone => keystone(error, message),
            Self::Opsera => {
                let mut body = Map::new();
                body.insert("status".into(), "failed".into());
                body.insert("message".into(), message.into());
                if !error.fields().is_empty() {
                    body.insert("errors".into(), per_field(error));
                }
                Value::Object(body)
            }
            Self::StatusDashboard => status_dashboard(error, message),
            Self::StatusDashboardV2 => json!({ "errMsg": message }),
        }
    }

    /// The text for the client. What the caller may not know is the same for every cause.
    fn message(self, error: &Error) -> &str {
        match (self, error.kind()) {
            (Self::Adjutant, Kind::Unauthorized) => "Credentials incorrect or none given.",
            // With an extra it says what the client may do instead, and nothing of the caller.
            (Self::Keystone, Kind::Unauthorized) if error.extras().is_empty() => {
                "The request you have made requires authentication."
            }
            (Self::Keystone, Kind::MethodNotAllowed) => {
                "The method is not allowed for the requested URL."
            }
            (Self::Keystone, Kind::Internal) => {
                "An unexpected error prevented the server from fulfilling your request."
            }
            (Self::Opsera, Kind::Unauthorized) => "Unauthorized",
            (Self::Opsera, Kind::Forbidden) => "Forbidden",
            (Self::Opsera | Self::StatusDashboard | Self::StatusDashboardV2, Kind::Internal) => {
                "Internal server error"
            }
            (Self::StatusDashboard, Kind::Unauthorized) => "Unauthorized Access",
            (Self::StatusDashboardV2, Kind::Unauthorized) => "not authenticated",
            (Self::Adjutant, Kind::Internal | Kind::Unavailable) => {
                "Service temporarily unavailable, try again later."
            }
            _ => error.message(),
        }
    }

    /// How this family's clients log in, for the `WWW-Authenticate` header of a 401.
    pub const fn challenge(self) -> &'static str {
        match self {
            Self::Conductor => "Basic realm=\"Windlass\", charset=\"UTF-8\"",
            Self::Adjutant => "Keystone",
            Self::Keystone => "Keystone uri=\"/v3\"",
            Self::Opsera => "Bearer",
            Self::StatusDashboard | Self::StatusDashboardV2 => {
                "Bearer realm=\"Authentication Required\""
            }
        }
    }
}

/// The one key of a failure's body, with the status twice.
fn keystone(error: &Error, message: &str) -> Value {
    let (status, _) = error.kind().wire();
    let mut body = Map::new();
    body.insert("code".into(), status.into());
    body.insert("message".into(), message.into());
    body.insert("title".into(), reason(status).into());
    body.extend(error.extras().clone());
    json!({ "error": body })
}

/// Monitors' clients compare these bodies as a whole, so what the original leaves out is left out.
fn status_dashboard(error: &Error, message: &str) -> Value {
    let extras = error.extras();
    let mut body = Map::new();
    // A conflict is told by the incident that is in the way, without code and status.
    if error.kind() != Kind::Conflict || extras.is_empty() {
        let (status, _) = error.kind().wire();
        body.insert("code".into(), status.into());
        body.insert("status".into(), reason(status).into());
    }
    let says_enough = extras.contains_key("errors") || error.kind() == Kind::MethodNotAllowed;
    if !says_enough {
        body.insert("message".into(), message.into());
    }
    if !error.fields().is_empty() {
        body.insert("errors".into(), json!({ "json": per_field(error) }));
    }
    body.extend(extras.clone());
    Value::Object(body)
}

fn per_field(error: &Error) -> Value {
    let mut fields = Map::new();
    for refused in error.fields() {
        let texts = fields
            .entry(&refused.field)
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(texts) = texts {
            texts.push(refused.message.clone().into());
        }
    }
    Value::Object(fields)
}

fn reason(status: u16) -> &'static str {
    http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Error")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_renders_a_failure_in_its_own_shape() {
        let error = Error::bad_parameters("size is no number").field("size", "Not a number.");
        for (family, want) in [
            (
                Family::Conductor,
                json!({ "message": "size is no number", "error_code": "bad_parameters_error", "server_traceback": null }),
            ),
            (
                Family::Adjutant,
                json!({ "errors": { "size": ["Not a number."] } }),
            ),
            (
                Family::Opsera,
                json!({ "status": "failed", "message": "size is no number", "errors": { "size": ["Not a number."] } }),
            ),
            (
                Family::StatusDashboard,
                json!({ "code": 400, "status": "Bad Request", "message": "size is no number", "errors": { "json": { "size": ["Not a number."] } } }),
            ),
        ] {
            assert_eq!(family.envelope(&error), want, "{family:?}");
        }
    }

    #[test]
    fn why_a_caller_was_refused_is_for_conductors_clients_only() {
        let unauthorized = Error::unauthorized("Token is expired");
        let forbidden = Error::forbidden("no role in `harbour`");
        for (family, error, want) in [
            (
                Family::Conductor,
                &unauthorized,
                json!({ "message": "User unauthorized: Token is expired", "error_code": "unauthorized_error", "server_traceback": null }),
            ),
            (
                Family::Adjutant,
                &unauthorized,
                json!({ "errors": ["Credentials incorrect or none given."] }),
            ),
            (
                Family::Keystone,
                &unauthorized,
                json!({ "error": { "code": 401, "message": "The request you have made requires authentication.", "title": "Unauthorized" } }),
            ),
            (
                Family::Keystone,
                &Error::unauthorized("another way")
                    .extra("identity", json!({ "methods": ["token"] })),
                json!({ "error": { "code": 401, "message": "User unauthorized: another way", "title": "Unauthorized", "identity": { "methods": ["token"] } } }),
            ),
            (
                Family::Opsera,
                &unauthorized,
                json!({ "status": "failed", "message": "Unauthorized" }),
            ),
            (
                Family::Opsera,
                &forbidden,
                json!({ "status": "failed", "message": "Forbidden" }),
            ),
            (
                Family::StatusDashboard,
                &unauthorized,
                json!({ "code": 401, "status": "Unauthorized", "message": "Unauthorized Access" }),
            ),
        ] {
            assert_eq!(family.envelope(error), want, "{family:?}");
        }
    }

    #[test]
    fn the_status_dashboard_leaves_out_what_the_original_does() {
        let schema = json!({ "json": { "attributes": { "0": { "value": ["Missing."] } } } });
        for (error, want) in [
            (
                Error::unprocessable("attributes.0.value").extra("errors", schema.clone()),
                json!({ "code": 422, "status": "Unprocessable Entity", "errors": schema }),
            ),
            (
                Error::unprocessable("components[3]: unusable"),
                json!({ "code": 422, "status": "Unprocessable Entity", "message": "components[3]: unusable" }),
            ),
            (
                Error::new(Kind::MethodNotAllowed, "only GET"),
                json!({ "code": 405, "status": "Method Not Allowed" }),
            ),
            (
                Error::conflict("it is there").extra("existingIncidentId", 4),
                json!({ "message": "it is there", "existingIncidentId": 4 }),
            ),
            (
                Error::conflict("somebody was faster"),
                json!({ "code": 409, "status": "Conflict", "message": "somebody was faster" }),
            ),
        ] {
            assert_eq!(Family::StatusDashboard.envelope(&error), want);
        }
    }

    #[test]
    fn the_cause_of_an_internal_error_stays_in_the_log() {
        let error = Error::internal("disk I/O error in: select secret");
        for family in [
            Family::Conductor,
            Family::Adjutant,
            Family::Keystone,
            Family::Opsera,
            Family::StatusDashboard,
        ] {
            assert!(
                !family.envelope(&error).to_string().contains("disk"),
                "{family:?}"
            );
        }
    }
}
