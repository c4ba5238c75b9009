use super::*;
use crate::task_type::TaskType;
use crate::testing::{World, object};
use windlass_identity::credentials::verify_password;

mod environments;
mod inherited;
mod invitations;
mod ways_in;

fn run(work: impl Future<Output = ()>) {
    pollster::block_on(work);
}

#[test]
fn who_signs_up_has_a_project_and_a_password_in_the_end() {
    run(async {
        let world = World::new().await;
        assert_eq!(world.sign_up().await.unwrap(), "task created");
        let task = world.task().await;
        assert!(task.is_valid() && !task.approved, "{task:?}");
        assert_eq!(world.token().await, None);
        let waiting =
            "select count(*) from adjutant_notifications where acknowledged = 0 and error = 0";
        assert_eq!(world.number(waiting).await, 1);

        assert_eq!(world.approve().await.unwrap(), CREATED_TOKEN);
        let token = world.token().await.unwrap();
        assert_eq!(world.task().await.token_fields(), ["password"]);
        let hash = "select password_hash from users where username = 'bob@example.com'";
        assert!(!verify_password("correct horse", &world.text(hash).await));

        let done = world
            .submit(&token, json!({ "password": "correct horse" }))
            .await;
        assert_eq!(done.unwrap(), "Token submitted successfully.");
        assert!(verify_password("correct horse", &world.text(hash).await));
        let role = "select m.role from tenant_users m join users u on u.id = m.user_id
            where m.tenant_name = 'pier' and u.username = 'bob@example.com'";
        assert_eq!(world.text(role).await, "manager");
        assert!(world.task().await.completed);
        let again = world
            .submit(&token, json!({ "password": "another one" }))
            .await;
        assert_eq!(again.unwrap_err().kind(), Kind::NotFound);
    });
}

#[test]
fn approving_twice_makes_nothing_twice_and_another_token() {
    run(async {
        let world = World::new().await;
        world.sign_up().await.unwrap();
        world.approve().await.unwrap();
        let first = world.token().await.unwrap();
        world.approve().await.unwrap();
        assert_ne!(world.token().await.unwrap(), first);
        assert_eq!(
            world.number("select count(*) from adjutant_tokens").await,
            1
        );
        let notes = world.notes().await;
        for text in ["Project already created.", "User already setup."] {
            assert!(notes.iter().any(|note| note == text), "{notes:?}");
        }
        let gone = world
            .submit(&first, json!({ "password": "correct horse" }))
            .await;
        assert_eq!(
            gone.unwrap_err().message(),
            "This token does not exist or has expired."
        );
    });
}

#[test]
fn the_same_request_twice_is_refused_or_takes_the_place_of_the_first() {
    run(async {
        let world = World::new().await;
        world.sign_up().await.unwrap();
        let refusal = world.sign_up().await.unwrap_err();
        assert_eq!(
            (refusal.kind(), refusal.message()),
            (Kind::Conflict, "This Task already exists.")
        );
        let ann = world.ann().await;
        let id = ann.identity["user_id"].clone();
        let body = json!({ "user_id": id, "new_email": "anna@example.com" });
        let ask = || world.ask(TaskType::UpdateUserEmail, body.clone(), Some(&ann));
        ask().await.unwrap();
        let first = world.task().await;
        ask().await.unwrap();
        let first = tasks::of_key(&world.db, first.key).await.unwrap().unwrap();
        assert!(first.cancelled, "{first:?}");
        assert!(
            first
                .task_notes
                .last()
                .unwrap()
                .starts_with("Task cancelled because was an old duplicate.")
        );
        assert_eq!(
            world.number("select count(*) from adjutant_tokens").await,
            1
        );
    });
}

#[test]
fn what_fails_is_taken_back_and_told() {
    run(async {
        let world = World::new().await;
        world.sign_up().await.unwrap();
        let broken = "create trigger broken before insert on tenants begin select raise(abort, 'broken'); end";
        world.db.execute(broken, &[]).await.unwrap();
        let refusal = world.approve().await.unwrap_err();
        assert_eq!(refusal.kind(), Kind::Unavailable);
        assert!(world.task().await.approved);
        let errors = "select notes from adjutant_notifications where error = 1";
        let notes = world.text(errors).await;
        assert!(
            notes.contains("while approving task. See task itself for details."),
            "{notes}"
        );
        assert!(!notes.contains("broken"), "nothing internal: {notes}");
        world.db.execute("drop trigger broken", &[]).await.unwrap();
        assert_eq!(world.approve().await.unwrap(), CREATED_TOKEN);
    });
}

#[test]
fn a_forgotten_password_is_changed_by_who_has_the_mail() {
    run(async {
        let world = World::new().await;
        let body = json!({ "email": "Ann@example.com" });
        world
            .ask(TaskType::ResetUserPassword, body, None)
            .await
            .unwrap();
        let token = world.token().await.unwrap();
        for (body, text) in [
            (json!({}), "This field is required."),
            (json!({ "password": "" }), "This field may not be blank."),
            (json!({ "password": 12345 }), "This field may not be blank."),
            (
                json!({ "password": "1234" }),
                "The password must have 5 to 256 characters",
            ),
        ] {
            let refusal = world.submit(&token, body).await.unwrap_err();
            assert_eq!(refusal.fields()[0].message, text);
        }
        world
            .submit(&token, json!({ "password": "correct horse" }))
            .await
            .unwrap();
        let hash = "select password_hash from users where username = 'ann@example.com'";
        assert!(verify_password("correct horse", &world.text(hash).await));
        let stored = "select group_concat(action_data || cache) from adjutant_actions";
        assert!(!world.text(stored).await.contains("correct horse"));
    });
}

#[test]
fn nobody_and_administrators_are_reset_by_mail() {
    run(async {
        let world = World::new().await;
        let admin = "update users set email = 'root@example.com' where username = 'admin'";
        world.db.execute(admin, &[]).await.unwrap();
        for (email, note) in [
            ("nobody@example.com", "No user present with username"),
            (
                "root@example.com",
                "Cannot reset users with blacklisted roles.",
            ),
        ] {
            let asked = world
                .ask(TaskType::ResetUserPassword, json!({ "email": email }), None)
                .await;
            assert_eq!(asked.unwrap_err().message(), "actions invalid", "{email}");
            assert_eq!(world.notes().await, [note], "{email}");
            assert_eq!(world.token().await, None, "{email}");
        }
    });
}

#[test]
fn roles_are_given_and_taken_at_once() {
    run(async {
        let world = World::new().await;
        let (ann, moderator) = (world.ann().await, world.moderator().await);
        let id = moderator.identity["user_id"].clone();
        let role =
            "select group_concat(m.role) from tenant_users m join users u on u.id = m.user_id
            where u.username = 'mod@example.com'";
        for (roles, remove, after) in [
            (json!(["project_admin"]), false, Some("manager")),
            (json!(["project_admin"]), true, Some("user")),
            (json!(["member"]), true, None),
        ] {
            let body = json!({
                "user_id": id, "project_id": "harbour", "roles": roles, "remove": remove,
            });
            world
                .ask(TaskType::EditUserRoles, body, Some(&ann))
                .await
                .unwrap();
            assert!(world.task().await.completed);
            let row = world.db.first(role, &[]).await.unwrap().unwrap();
            assert_eq!(row.optional_text(0).unwrap(), after, "{roles} {remove}");
        }
        let body = json!({
            "user_id": ann.identity["user_id"], "project_id": "harbour",
            "roles": ["project_admin"], "remove": true,
        });
        let refusal = world
            .ask(TaskType::EditUserRoles, body, Some(&moderator))
            .await;
        assert_eq!(refusal.unwrap_err().message(), "actions invalid");
    });
}

#[test]
fn an_address_is_changed_by_who_has_the_new_one() {
    run(async {
        let world = World::new().await;
        let ann = world.ann().await;
        let body = |email: &str| json!({ "user_id": ann.identity["user_id"], "new_email": email });
        let of = TaskType::UpdateUserEmail;
        let taken = world.ask(of, body("mod@example.com"), Some(&ann)).await;
        assert_eq!(taken.unwrap_err().message(), "actions invalid");
        world
            .ask(of, body("anna@example.com"), Some(&ann))
            .await
            .unwrap();
        let warned = "select recipient from adjutant_mails where stage = 'prepare'";
        assert_eq!(world.text(warned).await, "ann@example.com");
        let token = world.token().await.unwrap();
        world
            .submit(&token, json!({ "confirm": true }))
            .await
            .unwrap();
        let email = "select email from users where username = 'ann@example.com'";
        assert_eq!(world.text(email).await, "anna@example.com");
        // With the new address the old name is found.
        world
            .ask(
                TaskType::ResetUserPassword,
                json!({ "email": "anna@example.com" }),
                None,
            )
            .await
            .unwrap();
        assert!(world.token().await.is_some());
    });
}

#[test]
fn a_quota_grows_by_one_size_without_an_administrator() {
    run(async {
        let world = World::new().await;
        let ann = world.ann().await;
        let body =
            |size: &str| json!({ "project_id": "harbour", "size": size, "regions": ["RegionOne"] });
        let of = TaskType::UpdateQuota;
        world.ask(of, body("small"), Some(&ann)).await.unwrap();
        assert!(
            !world.task().await.approved,
            "nobody has set a quota before"
        );
        assert_eq!(
            world.approve().await.unwrap(),
            "Task completed successfully."
        );
        let cores =
            "select quota from tenant_quotas where tenant_name = 'harbour' and resource = 'cores'";
        assert_eq!(world.number(cores).await, 20);
        world.ask(of, body("medium"), Some(&ann)).await.unwrap();
        assert!(!world.task().await.approved, "it was changed a moment ago");
        let long_ago = "update adjutant_tasks set completed_on = '2025-01-01T00:00:00.000Z' where completed = 1";
        world.db.execute(long_ago, &[]).await.unwrap();
        world.ask(of, body("medium"), Some(&ann)).await.unwrap();
        assert!(world.task().await.completed);
        assert_eq!(world.number(cores).await, 100);
        let refusal = world.ask(of, body("giant"), Some(&ann)).await.unwrap_err();
        assert_eq!(
            refusal.fields()[0].message,
            "Quota size: giant is not valid"
        );
    });
}

#[test]
fn a_task_that_is_over_takes_no_step() {
    run(async {
        let world = World::new().await;
        world.sign_up().await.unwrap();
        world.approve().await.unwrap();
        let token = world.token().await.unwrap();
        let (admin, task) = (world.admin(), world.task().await);
        let done = cancel(&world.db, &admin.scope, &task.uuid).await;
        assert_eq!(done.unwrap(), "Task cancelled successfully.");
        assert_eq!(
            world
                .number("select count(*) from adjutant_mails where token_key is not null")
                .await,
            0
        );
        let text = "This task has been cancelled.";
        let gone = world
            .submit(&token, json!({ "password": "correct horse" }))
            .await;
        assert_eq!(gone.unwrap_err().kind(), Kind::NotFound);
        assert_eq!(world.approve().await.unwrap_err().message(), text);
        let again = cancel(&world.db, &admin.scope, &task.uuid).await;
        assert_eq!(again.unwrap_err().message(), text);
        let reissued = world
            .by(&admin.scope, async |by| {
                reissue(&world.db, by, &task.uuid).await
            })
            .await;
        assert_eq!(reissued.unwrap_err().message(), text);
    });
}

#[test]
fn another_projects_tasks_are_not_there() {
    run(async {
        let world = World::new().await;
        world.sign_up().await.unwrap();
        let (ann, task) = (world.ann().await, world.task().await);
        let shown = tasks::show(&world.db, &ann.scope, &task.uuid).await;
        assert_eq!(shown.unwrap_err().message(), "No task with this id.");
        let cancelled = cancel(&world.db, &ann.scope, &task.uuid).await;
        assert_eq!(cancelled.unwrap_err().kind(), Kind::NotFound);
    });
}

#[test]
fn a_token_that_has_expired_is_gone() {
    run(async {
        let mut world = World::new().await;
        world.sign_up().await.unwrap();
        world.approve().await.unwrap();
        let token = world.token().await.unwrap();
        world.now = world.now.plus_seconds(86_401);
        let refusal = world
            .submit(&token, json!({ "password": "correct horse" }))
            .await;
        assert_eq!(refusal.unwrap_err().kind(), Kind::NotFound);
        assert_eq!(
            world.number("select count(*) from adjutant_tokens").await,
            0
        );
    });
}

#[test]
fn a_token_is_of_no_use_for_who_was_given_the_number_of_a_user() {
    run(async {
        let world = World::new().await;
        world.sign_up().await.unwrap();
        world.approve().await.unwrap();
        let token = world.token().await.unwrap();
        let gone = "delete from users where username = 'bob@example.com'";
        world.db.execute(gone, &[]).await.unwrap();
        let zoe = world
            .db
            .transaction(async |tx| {
                crate::people::make_user(tx, &Scope::engine(), "zoe", "zoe@example.com").await
            })
            .await
            .unwrap();
        let number = "select cache ->> 'user_id' from adjutant_actions where position = 0";
        assert_eq!(world.text(number).await, zoe.id.to_string());
        let refusal = world
            .submit(&token, json!({ "password": "correct horse" }))
            .await;
        assert_eq!(refusal.unwrap_err().message(), "actions invalid");
        let hash = "select password_hash from users where username = 'zoe'";
        assert!(!verify_password("correct horse", &world.text(hash).await));
    });
}

#[test]
fn approving_again_repeats_neither_quotas_nor_users() {
    run(async {
        let mut world = World::new().await;
        let of = json!({
            "additional_actions": ["SetProjectQuotaAction", "AddDefaultUsersToProjectAction"],
            "actions": { "AddDefaultUsersToProjectAction": {
                "default_users": ["ann@example.com"], "default_roles": ["member"],
            } },
        });
        world
            .set(json!({ "tasks": { "create_project_and_user": of } }))
            .await;
        world.sign_up().await.unwrap();
        world.approve().await.unwrap();
        let ann = "select count(*) from tenant_users m join users u on u.id = m.user_id
            where m.tenant_name = 'pier' and u.username = 'ann@example.com'";
        let cores = "select quota from tenant_quotas
            where tenant_name = 'pier' and service = 'nova' and resource = 'cores'";
        assert_eq!(
            (world.number(ann).await, world.number(cores).await),
            (1, 20)
        );
        for sql in [
            "delete from tenant_users where tenant_name = 'pier'
                 and user_id = (select id from users where username = 'ann@example.com')",
            "update tenant_quotas set quota = 7 where tenant_name = 'pier'",
        ] {
            world.db.execute(sql, &[]).await.unwrap();
        }
        world.approve().await.unwrap();
        assert_eq!((world.number(ann).await, world.number(cores).await), (0, 7));
        let notes = world.notes().await;
        for text in ["Project quota already set.", "Users already added."] {
            assert!(notes.iter().any(|note| note == text), "{notes:?}");
        }
    });
}

#[test]
fn a_token_that_cannot_be_read_hides_no_other() {
    run(async {
        let world = World::new().await;
        world.sign_up().await.unwrap();
        world.approve().await.unwrap();
        let body = json!({ "email": "ann@example.com" });
        let _ = world.ask(TaskType::ResetUserPassword, body, None).await;
        let broken = "update adjutant_tokens set sealed = 'of another key'
            where key = (select min(key) from adjutant_tokens)";
        world.db.execute(broken, &[]).await.unwrap();
        let filter = crate::filters::Filter::default();
        let (admin, all) = (world.admin(), crate::filters::Listed::All);
        let page = crate::tokens::list(&world.db, &admin.scope, &filter, all).await;
        let items: Vec<serde_json::Value> = serde_json::from_str(&page.unwrap().items).unwrap();
        let token = world.token().await.unwrap();
        assert_eq!(items[0]["token"], token.as_str());
        assert_eq!(items[1]["token"], json!(null));
    });
}

/// What failed is told in another transaction, before which the task may have ended.
#[test]
fn a_failed_approval_says_nothing_of_a_task_that_is_over() {
    run(async {
        for (end, is_over) in [
            ("update adjutant_tasks set cancelled = 1", true),
            ("update adjutant_tasks set completed = 1", true),
            ("update adjutant_tasks set key = key", false),
        ] {
            let world = World::new().await;
            world.sign_up().await.unwrap();
            let (admin, task) = (world.admin(), world.task().await);
            world.db.execute(end, &[]).await.unwrap();
            world
                .by(&admin.scope, async |by| {
                    let (id, who) = (&task.uuid, &admin.identity);
                    let told = world.db.transaction(async |tx| {
                        finish::tell_failed_approval(tx, by, id, who, "Error: it broke").await
                    });
                    told.await.unwrap();
                })
                .await;
            let task = world.task().await;
            assert_eq!(task.approved, !is_over, "{end}");
            let told = "select count(*) from adjutant_notifications where error = 1";
            assert_eq!(world.number(told).await, i64::from(!is_over), "{end}");
        }
    });
}
