//! Who has which role where.

use super::*;

#[test]
fn assignments_are_told_by_whom_where_and_as_what() {
    pollster::block_on(async {
        let db = fresh().await;
        let scope = scope_of(&db, 0).await;
        let told = async |filter: Filter<'_>| {
            let (found, has_more) = assignments(&db, &scope, &filter).await.unwrap();
            assert!(!has_more);
            let line = |one: &Assignment| {
                let place = one.project.as_deref().unwrap_or("system");
                let mark = if one.is_of_group { "@" } else { "" };
                format!("{mark}{}:{}:{place}", one.name, one.role)
            };
            found.iter().map(line).collect::<Vec<_>>().join(" ")
        };
        let usual = Filter::default;
        for (filter, want) in [
            (
                Filter {
                    place: Some(Place::Project("harbour")),
                    ..usual()
                },
                "Ann:project_admin:harbour Ann:member:harbour bob:project_mod:harbour \
                 bob:member:harbour @deck:project_admin:harbour @deck:member:harbour",
            ),
            (
                Filter {
                    place: Some(Place::Project("harbour")),
                    is_effective: true,
                    ..usual()
                },
                "Ann:member:harbour Ann:project_admin:harbour bob:member:harbour \
                 bob:project_mod:harbour eve:member:harbour eve:project_admin:harbour",
            ),
            (
                Filter {
                    place: Some(Place::System),
                    ..usual()
                },
                "admin:admin:system @deck:admin:system",
            ),
            (
                Filter {
                    place: Some(Place::System),
                    is_effective: true,
                    ..usual()
                },
                "admin:admin:system eve:admin:system",
            ),
            (
                Filter {
                    place: Some(Place::Domain),
                    ..usual()
                },
                "",
            ),
            (
                Filter {
                    user: Some("7"),
                    ..usual()
                },
                "Ann:project_admin:harbour Ann:member:harbour Ann:member:quay",
            ),
            (
                Filter {
                    user: Some("9"),
                    ..usual()
                },
                "",
            ),
            (
                Filter {
                    user: Some("9"),
                    is_effective: true,
                    ..usual()
                },
                "eve:admin:system eve:member:harbour eve:project_admin:harbour",
            ),
            (
                Filter {
                    group: Some("3"),
                    ..usual()
                },
                "@deck:admin:system @deck:project_admin:harbour @deck:member:harbour",
            ),
            (
                Filter {
                    user: Some("7"),
                    group: Some("3"),
                    ..usual()
                },
                "",
            ),
            (
                Filter {
                    user: Some("ann"),
                    ..usual()
                },
                "",
            ),
            (
                Filter {
                    role: Some("project_mod"),
                    ..usual()
                },
                "bob:project_mod:harbour",
            ),
            (
                Filter {
                    role: Some("captain"),
                    ..usual()
                },
                "",
            ),
        ] {
            let name = format!("{filter:?}");
            assert_eq!(told(filter).await, want, "{name}");
        }
        let sql =
            "insert into tenant_users (tenant_name, user_id, role) values ('harbour', 9, 'viewer')";
        db.execute(sql, &[]).await.unwrap();
        let filter = Filter {
            user: Some("9"),
            is_effective: true,
            role: Some("member"),
            ..usual()
        };
        assert_eq!(
            told(filter).await,
            "eve:member:harbour",
            "twice the same is once"
        );
    });
}

#[test]
fn what_is_inherited_is_told_where_it_was_given_or_where_it_counts() {
    pollster::block_on(async {
        let db = fresh().await;
        for sql in [
            "update tenants set parent_name = 'harbour' where name = 'quay'",
            "insert into tenants (name, created_at, parent_name) values ('berth', '', 'quay')",
            "insert into inherited_roles (tenant_name, user_id, role) values ('harbour', 8, 'manager'),
                 ('quay', 7, 'user')",
        ] {
            db.execute(sql, &[]).await.unwrap();
        }
        let scope = scope_of(&db, 0).await;
        let (harbour, berth) = (Place::Project("harbour"), Place::Project("berth"));
        for (user, place, is_effective, is_inherited, want) in [
            (
                None,
                None,
                false,
                true,
                "bob:member:harbour+ bob:project_admin:harbour+ Ann:member:quay+",
            ),
            (Some("7"), None, false, true, "Ann:member:quay+"),
            (None, Some(berth), false, true, ""),
            (None, Some(Place::System), false, true, ""),
            (
                Some("8"),
                Some(harbour),
                false,
                false,
                "bob:member:harbour bob:project_mod:harbour bob:member:harbour+ bob:project_admin:harbour+",
            ),
            (
                Some("8"),
                None,
                true,
                false,
                "bob:member:berth bob:project_admin:berth bob:member:harbour bob:project_mod:harbour \
              bob:member:quay bob:project_admin:quay",
            ),
            (
                None,
                Some(berth),
                true,
                false,
                "Ann:member:berth bob:member:berth bob:project_admin:berth",
            ),
        ] {
            let filter = Filter {
                user,
                place,
                is_effective,
                is_inherited,
                ..Filter::default()
            };
            let (found, _) = assignments(&db, &scope, &filter).await.unwrap();
            let line = |one: &Assignment| {
                let (place, mark) = (
                    one.project.as_deref(),
                    ["", "+"][usize::from(one.is_inherited)],
                );
                format!(
                    "{}:{}:{}{mark}",
                    one.name,
                    one.role,
                    place.unwrap_or("system")
                )
            };
            let mut told: Vec<String> = found.iter().map(line).collect();
            let mut want: Vec<&str> = want.split_whitespace().collect();
            told.sort();
            want.sort_unstable();
            assert_eq!(told, want, "{filter:?}");
        }
        let everybody = Filter {
            is_effective: true,
            ..Filter::default()
        };
        let (found, _) = assignments(&db, &scope, &everybody).await.unwrap();
        assert!(
            found
                .iter()
                .any(|one| one.name == "bob" && one.project.as_deref() == Some("berth"))
        );
    });
}

#[test]
fn long_lists_of_assignments_end_and_say_so() {
    pollster::block_on(async {
        let db = fresh().await;
        let scope = scope_of(&db, 0).await;
        let number = i64::try_from(MOST_ASSIGNMENTS).unwrap();
        let many =
            "with recursive n (n) as (select 100 union all select n + 1 from n where n < ?1 + 100)
            insert into users (id, username, password_hash, role, created_at)
            select n, 'user' || n, '', 'default', '' from n";
        db.execute(many, params![number]).await.unwrap();
        let sql = "insert into tenant_users (tenant_name, user_id, role)
            select 'harbour', id, 'user' from users where id >= 100";
        db.execute(sql, &[]).await.unwrap();
        let (found, has_more) = assignments(&db, &scope, &Filter::default()).await.unwrap();
        assert!(has_more && found.len() >= MOST_ASSIGNMENTS);
    });
}
