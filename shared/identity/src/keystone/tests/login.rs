//! Who logs in how, and what their session is about.

use super::*;
use crate::sessions::{self, Extent, Session};
use crate::tokens::{self, Format, NewToken};
use windlass_core::http::Method;
use windlass_core::token_scope::TokenScopes;
use windlass_core::{Kind, Request, Result, Timestamp};

fn request() -> Request {
    Request::new(Method::POST, "/v3/auth/tokens").header("spin-client-addr", "192.0.2.7:1")
}

async fn log_in(db: &NativeDb, proof: Proof<'_>, wanted: Wanted<'_>) -> Result<(String, Session)> {
    let login = prove(db, &request(), &proof).await?;
    let (extent, tenant) = login.extent(db, &wanted).await?;
    let (caller, shown) = (&login.caller, &login.shown);
    sessions::insert(db, caller, shown, extent, tenant.as_deref()).await
}

fn ann() -> Proof<'static> {
    Proof::Password(UserName::Name("ann"), "hoist away")
}

#[test]
fn a_password_is_good_for_the_name_or_the_id_of_its_user() {
    pollster::block_on(async {
        let db = fresh().await;
        for (user, password, is_good) in [
            (UserName::Name("Ann"), "hoist away", true),
            (UserName::Name("ANN"), "hoist away", true),
            (UserName::Id("7"), "hoist away", true),
            (
                UserName::Name("ann").of_domain(Some("default")),
                "hoist away",
                true,
            ),
            (
                UserName::Name("ann").of_domain(Some("DEFAULT")),
                "hoist away",
                true,
            ),
            (
                UserName::Name("ann").of_domain(Some("other")),
                "hoist away",
                false,
            ),
            (UserName::Name("ann"), "hoist", false),
            (UserName::Name("ann"), "", false),
            (UserName::Name("7"), "hoist away", false),
            (UserName::Name(""), "hoist away", false),
            (UserName::Id("ann"), "hoist away", false),
            (UserName::Id("+7"), "hoist away", false),
            (UserName::Id("99999999999999999999"), "hoist away", false),
            (UserName::Id("10"), "hoist away", false),
            (UserName::Name("eve"), "", false),
            (UserName::Stranger, "hoist away", false),
        ] {
            // Twice, because the second answer may come from memory.
            for _ in 0..2 {
                let told = format!("{user:?} {password}");
                let found = prove(&db, &request(), &Proof::Password(user.clone(), password)).await;
                match (found, is_good) {
                    (Ok(login), true) => assert_eq!(login.caller.user_id, 7, "{told}"),
                    (Err(error), false) => assert_eq!(error.kind(), Kind::Unauthorized, "{told}"),
                    (got, _) => panic!("{told}: {got:?}"),
                }
                db.execute("delete from failed_logins", &[]).await.unwrap();
            }
        }
    });
}

#[test]
fn whoever_is_called_by_an_address_logs_in_by_it() {
    pollster::block_on(async {
        let db = fresh().await;
        let rename = "update users set username = '4ann@example.com' where id = 7";
        db.execute(rename, &[]).await.unwrap();
        let proof = Proof::Password(UserName::Name("4ann@example.com"), "hoist away");
        let login = prove(&db, &request(), &proof).await.unwrap();
        assert_eq!(login.caller.user_id, 7);
    });
}

#[test]
fn a_password_that_was_right_counts_until_there_is_another() {
    pollster::block_on(async {
        let db = fresh().await;
        let login = prove(&db, &request(), &ann()).await.unwrap();
        let counts = async || {
            db.transaction(async |tx| login.demand_current(tx).await)
                .await
                .is_ok()
        };
        assert!(counts().await);
        for sql in [
            "update users set active = 0 where id = 7",
            "update users set active = 1 where id = 7",
        ] {
            db.execute(sql, &[]).await.unwrap();
            assert!(!counts().await, "{sql}");
        }
        let login = prove(&db, &request(), &ann()).await.unwrap();
        let change = "update users set password_hash = 'another' where id = 7";
        db.execute(change, &[]).await.unwrap();
        let demand = db.transaction(async |tx| login.demand_current(tx).await);
        assert_eq!(demand.await.unwrap_err().kind(), Kind::Unauthorized);
    });
}

#[test]
fn who_guesses_is_held_off_here_as_elsewhere() {
    pollster::block_on(async {
        let db = fresh().await;
        assert!(log_in(&db, ann(), Wanted::Usual).await.is_ok());
        for guess in ["a", "b", "c", "d", "e"] {
            let proof = Proof::Password(UserName::Id("7"), guess);
            assert!(prove(&db, &request(), &proof).await.is_err());
        }
        // Also what an instance remembers is held off.
        let refusal = prove(&db, &request(), &ann()).await.unwrap_err();
        assert_eq!(refusal.kind(), Kind::Unauthorized);
        for number in 0..20 {
            let value = format!("stok-{number:016}-guess");
            assert!(prove(&db, &request(), &Proof::Token(&value)).await.is_err());
        }
        let refusal = prove(&db, &request(), &Proof::Token("stok-guess"))
            .await
            .unwrap_err();
        assert_eq!(refusal.kind(), Kind::TooManyRequests);
    });
}

#[test]
fn a_session_is_about_what_its_user_has_a_role_in() {
    pollster::block_on(async {
        let db = fresh().await;
        let admin = || Proof::Password(UserName::Id("0"), "first one");
        let bob = || Proof::Password(UserName::Name("bob"), "hoist away");
        let project = Extent::Project;
        for (proof, wanted, want) in [
            (ann(), Wanted::Usual, Some((Extent::Unscoped, None))),
            (bob(), Wanted::Usual, Some((project, Some("harbour")))),
            (bob(), Wanted::Unscoped, Some((Extent::Unscoped, None))),
            (
                ann(),
                Wanted::Project("quay"),
                Some((project, Some("quay"))),
            ),
            (bob(), Wanted::Project("quay"), None),
            (bob(), Wanted::Project("sea"), None),
            (bob(), Wanted::Project(""), None),
            (bob(), Wanted::Domain, None),
            (bob(), Wanted::System, None),
            (bob(), Wanted::Elsewhere, None),
            (
                admin(),
                Wanted::Usual,
                Some((project, Some("default_tenant"))),
            ),
            (
                admin(),
                Wanted::Project("quay"),
                Some((project, Some("quay"))),
            ),
            (admin(), Wanted::Project("sea"), None),
            (admin(), Wanted::Domain, Some((Extent::Domain, None))),
            (admin(), Wanted::System, Some((Extent::System, None))),
            (admin(), Wanted::Elsewhere, None),
        ] {
            let told = format!("{proof:?} {wanted:?}");
            match (log_in(&db, proof, wanted).await, want) {
                (Ok((value, session)), Some((extent, tenant))) => {
                    assert_eq!(
                        (session.extent, session.tenant.as_deref()),
                        (extent, tenant),
                        "{told}"
                    );
                    let read = sessions::find(&db, &value).await.unwrap().unwrap();
                    assert_eq!(format!("{read:?}"), format!("{session:?}"), "{told}");
                }
                (Err(error), None) => assert_eq!(error.kind(), Kind::Unauthorized, "{told}"),
                (got, _) => panic!("{told}: {got:?}"),
            }
        }
    });
}

#[test]
fn a_token_of_a_user_is_shown_as_a_token_or_as_a_programs_credential() {
    pollster::block_on(async {
        let db = fresh().await;
        let scope = scope_of(&db, 7).await;
        let make = async |token: NewToken<'_>| {
            let made = db.transaction(async |tx| tokens::insert(tx, &scope, token).await);
            made.await.unwrap()["value"].as_str().unwrap().to_owned()
        };
        let of_scopes = |names: &[&str]| NewToken {
            scopes: TokenScopes::from_names(names),
            tenant: Some("quay"),
            ..NewToken::default()
        };
        let free = make(of_scopes(&["adjutant", "api"])).await;
        let other = make(of_scopes(&["conductor"])).await;
        let jwt = NewToken {
            format: Format::Signed,
            ..NewToken::default()
        };
        let signed = make(jwt).await;
        let parts = |value: &str| {
            let mut parts = value.splitn(3, '-').skip(1).map(str::to_owned);
            (parts.next().unwrap(), parts.next().unwrap())
        };
        let ((id, secret), (other_id, other_secret)) = (parts(&free), parts(&other));
        let credential = Proof::ApplicationCredential;
        for (proof, methods) in [
            (Proof::Token(&free), Some(sessions::Method::Token)),
            (Proof::Token(&signed), Some(sessions::Method::Token)),
            (
                credential(&id, &secret),
                Some(sessions::Method::ApplicationCredential),
            ),
            (credential(&id, &other_secret), None),
            (credential(&other_id, &other_secret), None),
            (Proof::Token(&other), None),
            (Proof::Token("nonsense"), None),
            (Proof::Token(""), None),
        ] {
            let told = format!("{proof:?}");
            match (log_in(&db, proof, Wanted::Usual).await, methods) {
                (Ok((_, session)), Some(method)) => {
                    assert_eq!(session.methods, [method], "{told}");
                    let tenant = (told.find(&signed).is_none()).then_some("quay");
                    assert_eq!(session.tenant.as_deref(), tenant, "{told}");
                }
                (Err(error), None) => assert_eq!(error.kind(), Kind::Unauthorized, "{told}"),
                (got, _) => panic!("{told}: {got:?}"),
            }
        }
        // The project may be changed for another one of the user's.
        let (value, _) = log_in(&db, Proof::Token(&free), Wanted::Usual)
            .await
            .unwrap();
        let (_, session) = log_in(&db, Proof::Token(&value), Wanted::Usual)
            .await
            .unwrap();
        assert_eq!(session.tenant.as_deref(), Some("quay"));
        let again = log_in(&db, Proof::Token(&value), Wanted::Project("harbour")).await;
        assert_eq!(again.unwrap().1.tenant.as_deref(), Some("harbour"));
    });
}

#[test]
fn the_hour_of_a_session_is_the_same_for_its_user_and_for_services() {
    pollster::block_on(async {
        let db = fresh().await;
        let (value, session) = log_in(&db, ann(), Wanted::Project("harbour"))
            .await
            .unwrap();
        let left = session.expires_at.millis() - Timestamp::now().millis();
        assert!((3_590_000..=3_600_000).contains(&left), "{left}");
        let who = sessions::find(&db, &value).await.unwrap().unwrap();
        let user = sessions::user(&db, &who).await.unwrap();
        assert_eq!((user.user_id, user.username.as_str()), (7, "Ann"));
    });
}
