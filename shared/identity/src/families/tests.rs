use super::*;
use crate::{credentials, project_roles};
use windlass_core::app::{self, Identity as _};
use windlass_core::caller::{AuthMethod, Reach};
use windlass_core::context::Identified;
use windlass_core::db::NativeDb;
use windlass_core::http::Method;
use windlass_core::platform;
use windlass_core::token_scope::TokenScopes;
use windlass_core::{Kind, Scope, Timestamp, params};

use crate::tokens::{self, Format, NewToken};
use crate::{Families, Identity};

const SECRET: &str = "a secret of thirty-two bytes and more";

/// Ann manages the harbour and reads in the quay, Bob moderates the harbour; the monitors' secret
/// is set.
async fn fresh() -> NativeDb {
    let db = NativeDb::in_memory();
    Families::prepare(&db).await.unwrap();
    for sql in [
        "insert into tenants (id, name, created_at) values (1, 'harbour', ''), (2, 'quay', '')",
        "insert into users (id, username, password_hash, role, created_at)
         values (7, 'ann', '-', 'default', ''), (8, 'bob', '-', 'default', '')",
        "insert into tenant_users (tenant_name, user_id, role)
         values ('harbour', 7, 'manager'), ('quay', 7, 'viewer'), ('harbour', 8, 'project_mod')",
    ] {
        db.execute(sql, &[]).await.unwrap();
    }
    platform::set_variable("status_jwt_secret", SECRET);
    db
}

async fn token_of(db: &NativeDb, id: i64, token: NewToken<'_>) -> String {
    let caller = crate::caller(db, id, AuthMethod::Basic, None).await;
    let scope = Scope::of(Rc::new(caller.unwrap()), Reach::Nowhere, String::new());
    let made = db.transaction(async |tx| tokens::insert(tx, &scope, token).await);
    let made = made.await.unwrap();
    made["value"].as_str().unwrap().to_owned()
}

fn scoped(names: &[&str]) -> NewToken<'static> {
    NewToken {
        scopes: TokenScopes::from_names(names),
        ..NewToken::default()
    }
}

fn monitor_token(claims: Value, seconds: i64) -> String {
    let now = Timestamp::now();
    let claims = claims.as_object().cloned().unwrap();
    jwt::sign(
        SECRET,
        claims,
        now.plus_seconds(-60),
        now.plus_seconds(seconds),
    )
    .unwrap()
}

async fn call(db: &NativeDb, family: Family, headers: &[(&str, &str)]) -> Result<Identified> {
    let mut request = Request::new(Method::GET, "/");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    match family {
        Family::Conductor => Identity::authenticate(db, family, &request).await,
        _ => Families::authenticate(db, family, &request).await,
    }
}

#[test]
fn a_token_is_found_in_the_header_of_its_family() {
    pollster::block_on(async {
        let db = fresh().await;
        let bare = token_of(&db, 7, NewToken::default()).await;
        let signed = NewToken {
            format: Format::Signed,
            ..NewToken::default()
        };
        let signed = token_of(&db, 7, signed).await;
        for token in [bare, signed] {
            let bearer = format!("Bearer {token}");
            let shouted = format!("BEARER  {token} ");
            let basic = format!("Basic {token}");
            for (family, header, value, is_found) in [
                (Family::Adjutant, "x-auth-token", &token, true),
                (Family::Adjutant, "authorization", &bearer, true),
                (Family::Adjutant, "authorization", &token, false),
                (Family::Opsera, "authorization", &bearer, true),
                (Family::Opsera, "authorization", &shouted, true),
                (Family::Opsera, "authorization", &token, true),
                (Family::Opsera, "authorization", &basic, false),
                (Family::Opsera, "x-auth-token", &token, false),
                (Family::StatusDashboard, "authorization", &bearer, true),
                (Family::StatusDashboard, "authorization", &token, false),
                (Family::Conductor, "authentication-token", &token, true),
                (Family::Conductor, "authorization", &bearer, false),
            ] {
                // Twice, because the second answer comes from memory.
                for _ in 0..2 {
                    let found = call(&db, family, &[(header, value)]).await;
                    let name = found.map(|found| found.caller.username.clone()).ok();
                    let want = is_found.then(|| "ann".to_owned());
                    assert_eq!(name, want, "{family:?} {header}: {value}");
                }
            }
        }
    });
}

#[test]
fn the_status_dashboard_and_adjutant_take_a_name_with_a_password_and_the_others_do_not() {
    pollster::block_on(async {
        let db = fresh().await;
        let hash = credentials::hash_password("hoist away").unwrap();
        db.execute(
            "update users set password_hash = ?1 where username = 'ann'",
            params![hash],
        )
        .await
        .unwrap();
        let those = [
            Family::StatusDashboard,
            Family::StatusDashboardV2,
            Family::Adjutant,
        ];
        // ann:hoist away, ann:guess, nobody:guess, 1ann:guess
        let right = "Basic YW5uOmhvaXN0IGF3YXk=";
        let wrong = "Basic YW5uOmd1ZXNz";
        for family in those {
            let found = call(&db, family, &[("authorization", right)]).await;
            let found = found.unwrap();
            assert_eq!(found.caller.username, "ann");
            assert_eq!(found.caller.method, AuthMethod::Basic);
            for header in [wrong, "Basic bm9ib2R5Omd1ZXNz", "Basic MWFubjpndWVzcw=="] {
                let refusal = call(&db, family, &[("authorization", header)]).await;
                assert_eq!(refusal.unwrap_err().kind(), Kind::Unauthorized, "{header}");
            }
        }
        for family in [Family::Keystone, Family::Opsera] {
            let refusal = call(&db, family, &[("authorization", right)]).await;
            assert!(refusal.is_err(), "{family:?}");
        }
        // One was counted after the last good login; the fifth locks, and forgets what was remembered.
        for _ in 0..4 {
            let refusal = call(&db, those[0], &[("authorization", wrong)]).await;
            assert!(refusal.is_err());
        }
        for family in those {
            let refusal = call(&db, family, &[("authorization", right)]).await;
            assert_eq!(refusal.unwrap_err().kind(), Kind::Unauthorized);
        }
    });
}

#[test]
fn a_scope_opens_its_own_family_only() {
    pollster::block_on(async {
        let db = fresh().await;
        for (names, conductor, adjutant, opsera, status) in [
            (&["api"][..], false, false, true, false),
            (&["pipeline"], false, false, true, false),
            (&["security-logs"], false, false, true, false),
            (&["conductor"], true, false, false, false),
            (&["adjutant", "status-dashboard"], false, true, false, true),
            (&["of a later version"], false, false, false, false),
        ] {
            let token = token_of(&db, 7, scoped(names)).await;
            let bearer = format!("Bearer {token}");
            for (family, header, value, want) in [
                (Family::Conductor, "authentication-token", &token, conductor),
                (Family::Adjutant, "x-auth-token", &token, adjutant),
                (Family::Opsera, "authorization", &bearer, opsera),
                (Family::StatusDashboard, "authorization", &bearer, status),
            ] {
                for _ in 0..2 {
                    match (call(&db, family, &[(header, value)]).await, want) {
                        (Ok(found), true) => {
                            assert_eq!(
                                found.caller.method.scopes(),
                                TokenScopes::from_names(names)
                            );
                        }
                        (Err(refusal), false) => {
                            assert_eq!(refusal.kind(), Kind::Forbidden, "{family:?} {names:?}");
                        }
                        (got, _) => panic!("{family:?} {names:?}: {got:?}"),
                    }
                }
            }
        }
        let pipeline = token_of(&db, 7, scoped(&["pipeline"])).await;
        let found = call(&db, Family::Opsera, &[("authorization", &pipeline)]).await;
        let caller = found.unwrap().caller;
        assert!(
            caller
                .demand_scope(&[TokenScope::Api, TokenScope::Pipeline])
                .is_ok()
        );
        assert!(caller.demand_scope(&[TokenScope::Api]).is_err());
    });
}

#[test]
fn a_request_is_about_the_tenant_it_or_its_token_names() {
    pollster::block_on(async {
        let db = fresh().await;
        let bound = NewToken {
            tenant: Some("quay"),
            ..NewToken::default()
        };
        let known = |name: &str| TenantHeader::Known(name.to_owned());
        for (user, token, header, want, roles) in [
            (7, NewToken::default(), None, TenantHeader::Absent, &[][..]),
            (
                7,
                NewToken::default(),
                Some("harbour"),
                known("harbour"),
                &["project_admin", "member"],
            ),
            (7, bound.clone(), None, known("quay"), &["member"]),
            (
                7,
                bound,
                Some("harbour"),
                known("harbour"),
                &["project_admin", "member"],
            ),
            (
                7,
                NewToken::default(),
                Some("sea"),
                TenantHeader::Unknown("sea".into()),
                &[],
            ),
            (
                8,
                NewToken::default(),
                None,
                known("harbour"),
                &["project_mod", "member"],
            ),
            (8, NewToken::default(), Some("quay"), known("quay"), &[]),
            (
                0,
                NewToken::default(),
                None,
                known("default_tenant"),
                &["admin", "member"],
            ),
        ] {
            let token = token_of(&db, user, token).await;
            let mut headers = vec![("x-auth-token", token.as_str())];
            headers.extend(header.map(|name| ("tenant", name)));
            let found = call(&db, Family::Adjutant, &headers).await.unwrap();
            assert_eq!(found.tenant, want, "{user} {header:?}");
            let project = match &found.tenant {
                TenantHeader::Known(name) => Some(name.as_str()),
                _ => None,
            };
            assert_eq!(
                project_roles::of(&found.caller, project),
                roles,
                "{user} {header:?}"
            );
        }
    });
}

#[test]
fn monitors_sign_their_own_tokens_for_the_status_dashboard_only() {
    pollster::block_on(async {
        let db = fresh().await;
        use serde_json::json;
        for (claims, seconds, want) in [
            (json!({ "stackmon": "probe-1" }), 60, Some("probe-1")),
            (json!({ "stackmon": true }), 60, Some("stackmon")),
            (json!({ "stackmon": { "id": 1 } }), 60, Some("stackmon")),
            (json!({ "stackmon": "" }), 60, None),
            (json!({ "stackmon": "a\nb" }), 60, None),
            (json!({ "stackmon": false }), 60, None),
            (json!({ "stackmon": 0 }), 60, None),
            (json!({ "stackmon": null }), 60, None),
            (json!({ "monitor": "probe-1" }), 60, None),
            (json!({ "stackmon": "probe-1" }), -30, None),
        ] {
            let bearer = format!("bearer {}", monitor_token(claims.clone(), seconds));
            let found = call(&db, Family::StatusDashboard, &[("authorization", &bearer)]).await;
            let name = found.as_ref().ok().and_then(|found| found.caller.monitor());
            assert_eq!(name, want, "{claims} {seconds}");
            let refusal = call(&db, Family::Opsera, &[("authorization", &bearer)]).await;
            assert_eq!(refusal.unwrap_err().kind(), Kind::Unauthorized, "{claims}");
        }
        let token = format!(
            "Bearer {}",
            monitor_token(json!({ "stackmon": "admin", "probe": "x" }), 60)
        );
        let headers = [("authorization", token.as_str())];
        let found = call(&db, Family::StatusDashboard, &headers).await.unwrap();
        assert!(!found.caller.is_admin() && !found.caller.is_bootstrap_admin());
        assert_eq!(found.caller.username, "monitor:admin");
        platform::set_variable("status_jwt_claim", "probe");
        let found = call(&db, Family::StatusDashboard, &headers).await.unwrap();
        assert_eq!(found.caller.monitor(), Some("x"));
        // Whoever sets a secret that can be guessed has no monitors.
        platform::set_variable("status_jwt_secret", "dev");
        assert!(call(&db, Family::StatusDashboard, &headers).await.is_err());
        platform::set_variable("status_jwt_secret", "");
        assert!(call(&db, Family::StatusDashboard, &headers).await.is_err());
    });
}

#[test]
fn every_refusal_is_in_the_envelope_of_its_family() {
    pollster::block_on(async {
        let db = fresh().await;
        let scoped = token_of(&db, 7, scoped(&["conductor"])).await;
        let of_status = token_of(&db, 7, self::scoped(&["status-dashboard"])).await;
        let past = NewToken {
            expiration: Some(Timestamp::now().plus_seconds(-5)),
            ..NewToken::default()
        };
        let expired = token_of(&db, 7, past).await;
        let inactive = token_of(&db, 8, NewToken::default()).await;
        db.execute("update users set active = 0 where id = 8", &[])
            .await
            .unwrap();
        let unsigned = "eyJhbGciOiJub25lIn0.eyJzdGFja21vbiI6InByb2JlIiwiZXhwIjo5OTk5OTk5OTk5fQ.";
        let made_up = "ctok-abcdefghij-0123456789012345678901234567890123456789";
        let nobody: [(Family, u16, Value); 5] = [
            (Family::Conductor, 401, Value::Null),
            (
                Family::Adjutant,
                401,
                serde_json::json!({ "errors": ["Credentials incorrect or none given."] }),
            ),
            (
                Family::Keystone,
                401,
                serde_json::json!({ "error": { "code": 401, "title": "Unauthorized",
                    "message": "The request you have made requires authentication." } }),
            ),
            (
                Family::Opsera,
                401,
                serde_json::json!({ "status": "failed", "message": "Unauthorized" }),
            ),
            (
                Family::StatusDashboard,
                401,
                serde_json::json!({ "code": 401, "status": "Unauthorized", "message": "Unauthorized Access" }),
            ),
        ];
        for (family, status, body) in nobody {
            let conductor_texts = [
                "No authentication info provided",
                "Invalid token structure",
                "Unauthorized",
                "Token is expired",
                "Authentication failed for <User username=`bob`>. Wrong credentials or locked account",
                "Unauthorized",
            ];
            let tokens = ["", "nonsense", made_up, &expired, &inactive, unsigned];
            for (token, text) in tokens.into_iter().zip(conductor_texts) {
                let bearer = format!("Bearer {token}");
                let header = match family {
                    Family::Conductor => ("authentication-token", token),
                    Family::Adjutant | Family::Keystone => ("x-auth-token", token),
                    Family::Opsera | Family::StatusDashboard | Family::StatusDashboardV2 => {
                        ("authorization", bearer.as_str())
                    }
                };
                let headers: &[(&str, &str)] = if token.is_empty() { &[] } else { &[header] };
                let refusal = call(&db, family, headers).await.unwrap_err();
                let answer = app::failure(family, &refusal);
                let got: Value = serde_json::from_slice(&answer.body).unwrap();
                assert_eq!(answer.status, status, "{family:?} {token}");
                match family {
                    Family::Conductor => {
                        assert_eq!(
                            got["message"],
                            format!("User unauthorized: {text}"),
                            "{token}"
                        );
                        assert_eq!(got["error_code"], "unauthorized_error");
                    }
                    _ => assert_eq!(got, body, "{family:?} {token}"),
                }
                let challenge = answer
                    .headers
                    .iter()
                    .find(|(name, _)| *name == "www-authenticate");
                assert_eq!(challenge.unwrap().1, family.challenge());
            }
        }
        // Somebody, but not for this: 403, whatever the token is for instead.
        for (family, header, token, key, want) in [
            (
                Family::Conductor,
                "authentication-token",
                &of_status,
                "error_code",
                "forbidden_error",
            ),
            (
                Family::Opsera,
                "authorization",
                &scoped,
                "message",
                "Forbidden",
            ),
            (
                Family::Adjutant,
                "x-auth-token",
                &scoped,
                "errors",
                "The token is for other purposes; this one needs a scope of: adjutant",
            ),
            (
                Family::StatusDashboard,
                "authorization",
                &format!("Bearer {scoped}"),
                "status",
                "Forbidden",
            ),
        ] {
            let refusal = call(&db, family, &[(header, token)]).await.unwrap_err();
            let answer = app::failure(family, &refusal);
            let got: Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(answer.status, 403, "{family:?}");
            let text = got[key].get(0).unwrap_or(&got[key]);
            assert_eq!(text, want, "{family:?}");
        }
    });
}

#[test]
fn a_header_that_says_who_calls_comes_once() {
    pollster::block_on(async {
        let db = fresh().await;
        for (family, name) in [
            (Family::Adjutant, "x-auth-token"),
            (Family::Opsera, "authorization"),
            (Family::StatusDashboard, "authorization"),
        ] {
            let refusal = call(&db, family, &[(name, "a"), (name, "b")])
                .await
                .unwrap_err();
            assert_eq!(refusal.kind(), Kind::BadParameters, "{family:?}");
        }
        // What the client sends when it was told to send none.
        for headers in [
            &[("x-auth-token", "notused")][..],
            &[("x-auth-token", "")],
            &[("authorization", "")],
        ] {
            let refusal = call(&db, Family::Adjutant, headers).await.unwrap_err();
            assert_eq!(
                refusal.message(),
                "User unauthorized: No authentication info provided"
            );
        }
    });
}

mod limits;
mod of_keystone;
