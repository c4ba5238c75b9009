//! What Conductor refuses while operators maintain the application. Who calls is found out first, so that a
//! stranger learns nothing of it.

use windlass_core::context::{Identified, TenantHeader};
use windlass_core::permission::Permission;
use windlass_core::{Error, Kind, Request, Result};
use windlass_store::maintenance::Mode;

/// What paths begin with that are refused at all.
const BASE: &str = "/api/v3.1/";

/// What is answered while nothing else is, by the first part of the path.
const OPEN: [&str; 14] = [
    "brokers",
    "managers",
    "db-nodes",
    "cluster",
    "config",
    "status",
    "version",
    "license",
    "maintenance",
    "cluster-status",
    "file-server-auth",
    "ok",
    "snapshots",
    "snapshot-status",
];

/// Lets whoever may set the mode do anything, if they say so.
const BYPASS: &str = "x-bypass-maintenance";

/// Demands that the mode lets a request through.
///
/// # Errors
/// 503: while activating for what would begin something, while activated for nearly everything.
pub fn demand_open(mode: Mode, request: &Request, identified: &Identified) -> Result<()> {
    let kind = match mode {
        Mode::Deactivated => return Ok(()),
        Mode::Activating if begins_something(request) => Kind::EnteringMaintenanceMode,
        Mode::Activated if !is_open(request) => Kind::MaintenanceModeActive,
        Mode::Activating | Mode::Activated => return Ok(()),
    };
    if passes_by(request, identified) {
        return Ok(());
    }
    Err(Error::new(
        kind,
        "Your request was rejected since Cloudify manager is currently in maintenance mode",
    ))
}

/// The parts of a path below the base.
fn parts(request: &Request) -> Option<Vec<&str>> {
    let rest = request.path.strip_prefix(BASE)?;
    Some(rest.trim_end_matches('/').split('/').collect())
}

fn begins_something(request: &Request) -> bool {
    let writes = matches!(request.method.as_str(), "POST" | "PUT" | "PATCH");
    match parts(request).as_deref() {
        Some(["snapshots", _, "restore"]) => true,
        Some(["executions" | "deployment-modifications"]) => writes,
        Some(["deployments" | "snapshots", _]) => writes,
        _ => false,
    }
}

fn is_open(request: &Request) -> bool {
    let parts = parts(request);
    let first = parts.as_ref().and_then(|parts| parts.first());
    first.is_none_or(|first| OPEN.contains(first))
}

fn passes_by(request: &Request, identified: &Identified) -> bool {
    let asks = request
        .get_header(BYPASS)
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let permission = Permission::MaintenanceModeSet;
    asks && match &identified.tenant {
        TenantHeader::Known(tenant) => identified.caller.holds_in(tenant, permission),
        TenantHeader::Absent | TenantHeader::Unknown(_) => identified.caller.holds(permission),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::rc::Rc;
    use windlass_core::caller::{AuthMethod, Caller};
    use windlass_core::http::Method;
    use windlass_core::permission::PermissionSet;

    fn caller(system: PermissionSet) -> Identified {
        Identified {
            caller: Rc::new(Caller {
                user_id: 7,
                username: "ann".into(),
                role: "default".into(),
                method: AuthMethod::Basic,
                system,
                tenants: BTreeMap::new(),
                execution_id: None,
            }),
            tenant: TenantHeader::Absent,
        }
    }

    #[test]
    fn each_mode_refuses_what_it_must() {
        let ann = caller(PermissionSet::default());
        for (method, path, while_activating, while_activated) in [
            ("GET", "/api/v3.1/blueprints", true, false),
            ("POST", "/api/v3.1/executions", false, false),
            ("GET", "/api/v3.1/executions", true, false),
            ("PATCH", "/api/v3.1/executions/e1", true, false),
            ("PUT", "/api/v3.1/deployments/d", false, false),
            ("POST", "/api/v3.1/deployments/d/set-site", true, false),
            ("POST", "/api/v3.1/deployment-modifications", false, false),
            ("PUT", "/api/v3.1/snapshots/s", false, true),
            ("GET", "/api/v3.1/snapshots/s/restore", false, true),
            ("GET", "/api/v3.1/snapshots", true, true),
            ("POST", "/api/v3.1/maintenance/deactivate", true, true),
            ("GET", "/api/v3.1/status", true, true),
            ("GET", "/api/v3.1/statuses", true, false),
            ("GET", "/api/version", true, true),
            ("GET", "/metrics", true, true),
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let request = Request::new(method, path);
            for (mode, is_let_through) in [
                (Mode::Deactivated, true),
                (Mode::Activating, while_activating),
                (Mode::Activated, while_activated),
            ] {
                let answer = demand_open(mode, &request, &ann);
                assert_eq!(answer.is_ok(), is_let_through, "{path} {mode:?}");
            }
        }
    }

    #[test]
    fn only_who_may_set_the_mode_passes_by() {
        let mut request = Request::new(Method::GET, "/api/v3.1/blueprints");
        let admin = caller(PermissionSet::all());
        assert!(demand_open(Mode::Activated, &request, &admin).is_err());
        request = request.header("X-BYPASS-MAINTENANCE", "True");
        assert!(demand_open(Mode::Activated, &request, &admin).is_ok());
        let ann = caller(PermissionSet::default());
        assert!(demand_open(Mode::Activated, &request, &ann).is_err());
    }
}
