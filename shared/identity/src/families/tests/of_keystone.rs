//! What sessions of Keystone's API open in which family.

use super::*;

#[test]
fn a_session_of_one_project_is_not_for_another() {
    pollster::block_on(async {
        let db = fresh().await;
        let ann = crate::caller(&db, 7, AuthMethod::Basic, None)
            .await
            .unwrap();
        let shown = sessions::Shown::Password(None);
        let made = async |extent, tenant: Option<&'static str>| {
            let made = sessions::insert(&db, &ann, &shown, extent, tenant).await;
            made.unwrap().0
        };
        let harbour = made(sessions::Extent::Project, Some("harbour")).await;
        let unscoped = made(sessions::Extent::Unscoped, None).await;
        let token = token_of(&db, 7, NewToken::default()).await;
        for (value, tenant, want) in [
            (&harbour, "", Some("harbour")),
            (&harbour, "harbour", Some("harbour")),
            (&harbour, "quay", None),
            (&unscoped, "harbour", None),
            (&token, "quay", Some("quay")),
        ] {
            // Twice, because the second answer may come from memory.
            for family in [Family::Adjutant, Family::Keystone, Family::Adjutant] {
                let mut headers = vec![("x-auth-token", value.as_str())];
                headers.extend(Some(("tenant", tenant)).filter(|_| !tenant.is_empty()));
                let found = call(&db, family, &headers).await;
                match (found, want) {
                    (Ok(found), Some(want)) => {
                        assert!(
                            matches!(found.tenant, TenantHeader::Known(known) if known == want)
                        );
                    }
                    (Err(refusal), None) => assert_eq!(refusal.kind(), Kind::Forbidden),
                    (found, _) => panic!("{tenant}: {:?}", found.map(drop)),
                }
            }
        }
    });
}

#[test]
fn a_session_about_nothing_is_nobody_to_adjutant() {
    pollster::block_on(async {
        let db = fresh().await;
        let shown = sessions::Shown::Password(None);
        for (user, extent, want) in [
            (0, sessions::Extent::Unscoped, false),
            (0, sessions::Extent::System, true),
            (0, sessions::Extent::Domain, true),
            (7, sessions::Extent::Unscoped, false),
        ] {
            let user = crate::caller(&db, user, AuthMethod::Basic, None)
                .await
                .unwrap();
            let made = sessions::insert(&db, &user, &shown, extent, None).await;
            let (value, _) = made.unwrap();
            let headers = [("x-auth-token", value.as_str())];
            // Twice, because the second answer may come from memory.
            for (family, want) in [
                (Family::Adjutant, want),
                (Family::Keystone, true),
                (Family::Adjutant, want),
            ] {
                match call(&db, family, &headers).await {
                    Ok(_) => assert!(want, "{family:?} {extent:?}"),
                    Err(refusal) => {
                        assert_eq!(refusal.kind(), Kind::Unauthorized);
                        assert!(!want, "{family:?} {extent:?}");
                    }
                }
            }
        }
    });
}
