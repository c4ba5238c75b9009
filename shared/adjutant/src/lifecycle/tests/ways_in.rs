//! Ways into an account, a project or its members that nobody was to have.

use super::*;
use crate::testing::invitation;
use windlass_core::params;

impl World {
    /// Somebody in `quay` who was shut out.
    async fn shut_out(&self, email: &str) {
        let add = "insert into users (username, email, password_hash, role, active, created_at)
             select ?1, ?1, '-', role, 0, created_at from users where username = 'ann@example.com'";
        self.db.execute(add, params![email]).await.unwrap();
        let join = "insert into tenant_users (tenant_name, user_id, role)
             select 'quay', id, 'user' from users where username = ?1";
        self.db.execute(join, params![email]).await.unwrap();
    }
}

#[test]
fn whom_an_administrator_shut_out_an_administrator_lets_in() {
    run(async {
        let world = World::new().await;
        world.shut_out("eve@example.com").await;
        let moderator = world.moderator().await;
        let of = TaskType::InviteUserToProject;
        world
            .ask(
                of,
                invitation("eve@example.com", json!(["member"])),
                Some(&moderator),
            )
            .await
            .unwrap();
        assert!(!world.task().await.approved);
        assert_eq!(world.token().await, None);
        world.approve().await.unwrap();
        assert!(world.token().await.is_some());

        world.shut_out("root@example.com").await;
        let promote = "update users set role = 'sys_admin' where username = 'root@example.com'";
        world.db.execute(promote, &[]).await.unwrap();
        let asked = world
            .ask(
                of,
                invitation("root@example.com", json!(["member"])),
                Some(&moderator),
            )
            .await;
        assert_eq!(asked.unwrap_err().message(), "actions invalid");
        assert_eq!(world.token().await, None);
    });
}

#[test]
fn nobody_is_put_into_a_project_by_their_number() {
    run(async {
        let world = World::new().await;
        world.shut_out("eve@example.com").await;
        let moderator = world.moderator().await;
        let eve = world
            .number("select id from users where username = 'eve@example.com'")
            .await;
        let mut told = Vec::new();
        for id in [eve, 4711] {
            let body = json!({
                "user_id": id.to_string(), "project_id": "harbour", "roles": ["member"],
                "remove": false,
            });
            let asked = world
                .ask(TaskType::EditUserRoles, body, Some(&moderator))
                .await;
            assert_eq!(asked.unwrap_err().message(), "actions invalid");
            told.push(world.notes().await);
        }
        assert_eq!(told[0], told[1], "nobody learns who there is");
        let members = "select count(*) from tenant_users where tenant_name = 'harbour'";
        assert_eq!(world.number(members).await, 2);
    });
}

#[test]
fn a_project_that_cannot_have_its_user_is_not_made() {
    run(async {
        let world = World::new().await;
        world.sign_up().await.unwrap();
        let other = "insert into users (username, password_hash, role, active, created_at)
             select 'bob@example.com', '-', role, 1, created_at from users where id = 0";
        world.db.execute(other, &[]).await.unwrap();
        let approved = world.approve().await;
        assert_eq!(approved.unwrap_err().message(), "actions invalid");
        let projects = "select count(*) from tenants where name = 'pier'";
        assert_eq!(world.number(projects).await, 0);
    });
}

#[test]
fn a_change_of_address_is_rewritten_by_nobody_else() {
    run(async {
        let mut world = World::new().await;
        world
            .set(json!({ "tasks": { "update_user_email": { "allow_auto_approve": false } } }))
            .await;
        let (ann, moderator) = (world.ann().await, world.moderator().await);
        let body = |email: &str| json!({ "user_id": ann.identity["user_id"], "new_email": email });
        world
            .ask(
                TaskType::UpdateUserEmail,
                body("anna@example.com"),
                Some(&ann),
            )
            .await
            .unwrap();
        let task = world.task().await;
        let edit = async |by: &crate::testing::Asker, email: &str| {
            let body = object(body(email));
            world
                .by(&by.scope, async |step| {
                    update(&world.db, step, &task.uuid, &body, &by.roles).await
                })
                .await
        };
        let refusal = edit(&moderator, "mod@example.org").await.unwrap_err();
        assert_eq!(refusal.kind(), Kind::NotFound);
        edit(&ann, "annie@example.com").await.unwrap();
        edit(&world.admin(), "anne@example.com").await.unwrap();
    });
}
