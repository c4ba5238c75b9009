//! Roles that count in all projects below one.

use super::*;
use crate::members;
use crate::testing::Asker;

/// A world in which `pier` is below `harbour`, and `berth` below that.
async fn world() -> World {
    let world = World::new().await;
    let sql = "insert into tenants (name, created_at, parent_name)
         values ('pier', '', 'harbour'), ('berth', '', 'pier')";
    world.db.execute(sql, &[]).await.unwrap();
    world
}

/// Who is told to be in a project, as `name:roles/inherited roles:cohort`.
async fn told(world: &World, project: &str, asker: &Asker) -> Vec<String> {
    let listed = members::list(&world.db, &asker.scope, project, &asker.roles).await;
    let joined = |list: &Value| {
        let roles = list.as_array().unwrap().iter();
        roles
            .map(|role| role.as_str().unwrap())
            .collect::<Vec<_>>()
            .join("+")
    };
    let line = |user: &Value| {
        let (roles, inherited) = (joined(&user["roles"]), joined(&user["inherited_roles"]));
        let name = user["name"].as_str().unwrap().split('@').next().unwrap();
        let mark = if user["manageable"] == json!(true) {
            ""
        } else {
            "!"
        };
        format!(
            "{name}:{roles}/{inherited}:{}{mark}",
            user["cohort"].as_str().unwrap()
        )
    };
    listed.unwrap().iter().map(line).collect()
}

#[test]
fn an_invitation_gives_roles_below_a_project_and_in_it() {
    run(async {
        let world = world().await;
        let ann = world.ann().await;
        let body = json!({
            "email": "eve@example.com", "roles": ["member"], "inherited_roles": ["project_mod"],
            "project_id": "harbour", "domain_id": "default",
        });
        let of = TaskType::InviteUserToProject;
        world.ask(of, body, Some(&ann)).await.unwrap();
        let invited = told(&world, "harbour", &ann).await;
        assert_eq!(invited.last().unwrap(), "eve:member/project_mod:Invited!");
        let token = world.token().await.unwrap();
        let password = json!({ "password": "correct horse" });
        world.submit(&token, password).await.unwrap();
        assert_eq!(
            world.notes().await.last().unwrap(),
            "User eve@example.com has been given inherited roles ['project_mod'] in project harbour."
        );
        assert_eq!(
            told(&world, "harbour", &ann).await,
            [
                "ann:project_admin+member/:Member",
                "eve:member/project_mod+member:Member",
                "mod:project_mod+member/:Member",
            ]
        );
        for project in ["pier", "berth"] {
            let below = told(&world, project, &ann).await;
            assert_eq!(below, ["eve:project_mod+member/:Inherited!"], "{project}");
        }
        let sql = "select id from users where username = 'eve@example.com'";
        let eve = world.number(sql).await;
        let roles = crate::people::present_roles(&world.db, &eve.to_string(), "berth").await;
        assert_eq!(roles.unwrap(), ["project_mod", "member"]);
    });
}

#[test]
fn inherited_roles_are_given_and_taken_like_others() {
    run(async {
        let world = world().await;
        let (ann, moderator) = (world.ann().await, world.moderator().await);
        let id = moderator.identity["user_id"].as_str().unwrap().to_owned();
        let of = TaskType::EditUserRoles;
        let edit = async |asker: &Asker,
                          user: &str,
                          roles: Value,
                          inherited: Value,
                          remove: bool| {
            let body = json!({
                "user_id": user, "project_id": "harbour", "roles": roles, "inherited_roles": inherited,
                "remove": remove,
            });
            world.ask(of, body, Some(asker)).await
        };
        let none = || json!([]);
        edit(&ann, &id, none(), json!(["project_admin"]), false)
            .await
            .unwrap();
        assert_eq!(
            world.notes().await.last().unwrap(),
            "User mod@example.com has been given inherited roles ['project_admin'] in project harbour."
        );
        assert_eq!(
            told(&world, "pier", &ann).await,
            ["mod:project_admin+member/:Inherited!"]
        );
        edit(&ann, &id, none(), json!(["member"]), false)
            .await
            .unwrap();
        assert_eq!(
            world.notes().await.last().unwrap(),
            "User mod@example.com already had inherited roles ['member'] in project harbour."
        );
        // A moderator changes nobody who is an administrator below, not even themselves.
        let refusal = edit(&moderator, &id, none(), json!(["member"]), true).await;
        assert_eq!(refusal.unwrap_err().message(), "actions invalid");
        let refusal = edit(&moderator, &id, none(), json!(["project_admin"]), false).await;
        assert_eq!(refusal.unwrap_err().message(), "actions invalid");
        edit(&ann, &id, none(), json!(["project_admin"]), true)
            .await
            .unwrap();
        assert_eq!(told(&world, "pier", &ann).await, ["mod:member/:Inherited!"]);
        edit(&ann, &id, json!(["project_mod"]), json!(["member"]), true)
            .await
            .unwrap();
        let notes = world.notes().await;
        assert_eq!(
            notes[notes.len() - 2..],
            [
                "User mod@example.com has had roles ['project_mod'] removed from project harbour.",
                "User mod@example.com has had inherited roles ['member'] removed from project harbour.",
            ]
        );
        assert!(told(&world, "pier", &ann).await.is_empty());
        let refusal = edit(&ann, &id, none(), none(), false).await.unwrap_err();
        assert_eq!(
            refusal.fields()[0].message,
            "Must supply either 'roles' or 'inherited_roles', or both."
        );
    });
}
