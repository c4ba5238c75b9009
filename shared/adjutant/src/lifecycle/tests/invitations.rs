//! Invitations: who is invited to what, by whom.

use super::*;
use crate::testing::invitation;

#[test]
fn an_invitation_approves_itself_and_gives_roles() {
    run(async {
        let world = World::new().await;
        let ann = world.ann().await;
        let body = invitation("eve@example.com", json!(["member"]));
        world
            .ask(TaskType::InviteUserToProject, body.clone(), Some(&ann))
            .await
            .unwrap();
        let token = world.token().await.unwrap();
        let users = "select count(*) from users where username = 'eve@example.com'";
        assert_eq!(world.number(users).await, 0);
        world
            .submit(&token, json!({ "password": "correct horse" }))
            .await
            .unwrap();
        let role = "select m.role from tenant_users m join users u on u.id = m.user_id
            where m.tenant_name = 'harbour' and u.username = 'eve@example.com'";
        assert_eq!(world.text(role).await, "user");

        let more = invitation("eve@example.com", json!(["project_mod"]));
        world
            .ask(TaskType::InviteUserToProject, more, Some(&ann))
            .await
            .unwrap();
        assert_eq!(world.task().await.token_fields(), ["confirm"]);
        let token = world.token().await.unwrap();
        let refusal = world
            .submit(&token, json!({ "confirm": "perhaps" }))
            .await
            .unwrap_err();
        assert_eq!(refusal.fields()[0].message, "Must be a valid boolean.");
        world
            .submit(&token, json!({ "confirm": true }))
            .await
            .unwrap();
        assert_eq!(world.text(role).await, "project_mod");
    });
}

#[test]
fn an_invitation_that_is_not_confirmed_gives_nothing() {
    run(async {
        let world = World::new().await;
        let ann = world.ann().await;
        let body = invitation("mod@example.com", json!(["project_admin"]));
        world
            .ask(TaskType::InviteUserToProject, body, Some(&ann))
            .await
            .unwrap();
        let token = world.token().await.unwrap();
        let refusal = world
            .submit(&token, json!({ "confirm": false }))
            .await
            .unwrap_err();
        assert_eq!(refusal.fields()[0].message, "This field must be true.");
        let role = "select m.role from tenant_users m join users u on u.id = m.user_id
            where m.tenant_name = 'harbour' and u.username = 'mod@example.com'";
        assert_eq!(world.text(role).await, "project_mod");
    });
}

#[test]
fn nobody_invites_to_more_than_they_are() {
    run(async {
        let world = World::new().await;
        let moderator = world.moderator().await;
        let body = |roles: Value| invitation("eve@example.com", roles);
        let of = TaskType::InviteUserToProject;
        let refusal = world
            .ask(of, body(json!(["project_admin"])), Some(&moderator))
            .await;
        assert_eq!(refusal.unwrap_err().message(), "actions invalid");
        let task = world.task().await;
        assert!(!task.approved && world.token().await.is_none(), "{task:?}");
        let refusal = world
            .ask(of, body(json!(["admin"])), Some(&moderator))
            .await
            .unwrap_err();
        assert_eq!(
            refusal.fields()[0].message,
            "\"admin\" is not a valid choice."
        );
        let elsewhere = json!({
            "email": "eve@example.com", "roles": ["member"], "project_id": "quay",
            "domain_id": "default",
        });
        let refusal = world
            .ask(of, elsewhere, Some(&moderator))
            .await
            .unwrap_err();
        assert_eq!(refusal.message(), "actions invalid");
    });
}

#[test]
fn an_editor_gives_no_more_roles_than_they_hold_either() {
    run(async {
        let mut world = World::new().await;
        world
            .set(json!({ "tasks": { "invite_user_to_project": { "allow_auto_approve": false } } }))
            .await;
        let (ann, moderator) = (world.ann().await, world.moderator().await);
        let body = |roles: Value| invitation("eve@example.com", roles);
        world
            .ask(
                TaskType::InviteUserToProject,
                body(json!(["member"])),
                Some(&ann),
            )
            .await
            .unwrap();
        let task = world.task().await;
        let edit = async |roles: Value| {
            let body = object(body(roles));
            world
                .by(&moderator.scope, async |by| {
                    update(&world.db, by, &task.uuid, &body, &moderator.roles).await
                })
                .await
        };
        edit(json!(["project_admin"])).await.unwrap();
        assert!(!world.task().await.is_valid());
        assert_eq!(
            world.approve().await.unwrap_err().message(),
            "actions invalid"
        );
        edit(json!(["project_mod"])).await.unwrap();
        assert!(world.task().await.is_valid());
        edit(json!(["project_mod"]))
            .await
            .expect("a task is no duplicate of itself");
    });
}

#[test]
fn invitations_end_with_their_project() {
    run(async {
        let world = World::new().await;
        let ann = world.ann().await;
        let body = invitation("eve@example.com", json!(["member"]));
        world
            .ask(TaskType::InviteUserToProject, body, Some(&ann))
            .await
            .unwrap();
        let token = world.token().await.unwrap();
        for sql in [
            "delete from tenant_users",
            "delete from tenants where name = 'harbour'",
            "insert into tenants (name, created_at) values ('harbour', '')",
        ] {
            world.db.execute(sql, &[]).await.unwrap();
        }
        let task = world.task().await;
        assert!(task.cancelled && task.project_id.is_none(), "{task:?}");
        let refusal = world
            .submit(&token, json!({ "password": "correct horse" }))
            .await;
        assert_eq!(refusal.unwrap_err().kind(), Kind::NotFound);
        let shown = tasks::show(&world.db, &ann.scope, &task.uuid).await;
        assert_eq!(shown.unwrap_err().kind(), Kind::NotFound);
        let kept =
            "select sum(rows) from row_counts where counts = 'adjutant_tasks' and second & 4";
        assert_eq!(world.number(kept).await, 1);
    });
}

#[test]
fn an_invitation_does_not_outlive_the_rights_of_who_made_it() {
    run(async {
        for (change, is_kept) in [
            ("", true),
            (
                "delete from tenant_users where user_id = (select id from users where username = 'ann@example.com')",
                false,
            ),
            (
                "update tenant_users set role = 'user' where user_id = (select id from users where username = 'ann@example.com')",
                false,
            ),
            (
                "update tenant_users set role = 'project_mod' where user_id = (select id from users where username = 'ann@example.com')",
                false,
            ),
            (
                "update users set active = 0 where username = 'ann@example.com'",
                false,
            ),
            (
                "delete from users where username = 'ann@example.com'",
                false,
            ),
        ] {
            let world = World::new().await;
            let ann = world.ann().await;
            let body = invitation("eve@example.com", json!(["project_admin"]));
            world
                .ask(TaskType::InviteUserToProject, body, Some(&ann))
                .await
                .unwrap();
            let token = world.token().await.unwrap();
            if !is_kept {
                world.db.execute(change, &[]).await.unwrap();
            }
            let done = world
                .submit(&token, json!({ "password": "correct horse" }))
                .await;
            let eve = "select count(*) from users where username = 'eve@example.com'";
            assert_eq!(world.number(eve).await, i64::from(is_kept), "{change}");
            match is_kept {
                true => assert_eq!(done.unwrap(), "Token submitted successfully."),
                false => assert_eq!(done.unwrap_err().message(), "actions invalid", "{change}"),
            }
        }
    });
}
