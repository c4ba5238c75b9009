//! How much mail an address gets, and what administrators see of it.

use super::*;
use crate::filters::{Filter, Listed, Root};
use crate::lifecycle::{cancel, reissue};
use crate::testing::{World, invitation};
use windlass_core::Kind;

/// The outbox: recipient, stage and state, newest first.
async fn outbox(world: &World) -> Vec<(String, String, String)> {
    let filter = Filter::parse(Root::Mails, None).unwrap();
    let admin = world.admin();
    let page = list(&world.db, &admin.scope, &filter, Listed::All).await;
    let items: Vec<Value> = serde_json::from_str(&page.unwrap().items).unwrap();
    let text = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
    let row = |item: &Value| {
        (
            text(item, "recipient"),
            text(item, "stage"),
            text(item, "state"),
        )
    };
    items.iter().map(row).collect()
}

#[test]
fn administrators_see_what_goes_to_whom_and_no_token() {
    pollster::block_on(async {
        let world = World::new().await;
        world.sign_up().await.unwrap();
        world.approve().await.unwrap();
        let to = "bob@example.com".to_owned();
        let row = |stage: &str, state: &str| (to.clone(), stage.to_owned(), state.to_owned());
        let all = outbox(&world).await;
        assert_eq!(all, [row("token", "queued"), row("initial", "queued")]);
        let id = "select id from adjutant_mails where stage = 'token'";
        let id = world.text(id).await;
        let admin = world.admin();
        let shown = show(&world.db, &admin.scope, &id).await.unwrap();
        assert_eq!(shown["task"], world.task().await.uuid.as_str());
        assert_eq!(shown["subject"], "The project pier is ready for you");
        let whole = Value::Object(shown).to_string();
        assert!(whole.contains("/account/token/..."), "{whole}");
        assert!(!whole.contains(&world.token().await.unwrap()));
        let unknown = show(&world.db, &admin.scope, "nothing").await.unwrap_err();
        assert_eq!(unknown.message(), "No mail with this id.");
        let ann = world.ann().await;
        let refused = show(&world.db, &ann.scope, &id).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::Forbidden);
        // Without its token the mail is not sent, but it was on its way.
        cancel(&world.db, &admin.scope, &world.task().await.uuid)
            .await
            .unwrap();
        assert_eq!(outbox(&world).await.len(), 2);
        let left = "select count(*) from adjutant_mails where token_key is not null";
        assert_eq!(world.number(left).await, 0);
    });
}

#[test]
fn an_address_gets_so_many_mails_an_hour() {
    pollster::block_on(async {
        let mut world = World::new().await;
        world.set(json!({ "mails_per_hour": 3 })).await;
        let ask = async |world: &World| {
            let body = json!({ "email": "ann@example.com" });
            world.ask(TaskType::ResetUserPassword, body, None).await
        };
        // Nobody is told: it would tell that there is the account.
        for _ in 0..5 {
            ask(&world).await.unwrap();
        }
        let states = |all: Vec<(String, String, String)>| -> Vec<String> {
            all.into_iter().map(|(_, _, state)| state).collect()
        };
        let all = states(outbox(&world).await);
        assert_eq!(all, ["withheld", "withheld", "queued", "queued", "queued"]);
        let queued = "select count(*) from queue where kind = 'adjutant_mail'";
        assert_eq!(world.number(queued).await, 3);
        world.now = world.now.plus_seconds(3601);
        ask(&world).await.unwrap();
        assert_eq!(states(outbox(&world).await)[0], "queued");

        // Who is logged in is told, and nothing is done. Letters have no case in an address.
        let moderator = world.moderator().await;
        let body = invitation("Eve@example.com", json!(["member"]));
        world
            .ask(TaskType::InviteUserToProject, body, Some(&moderator))
            .await
            .unwrap();
        let task = world.task().await.uuid;
        for tried in 0..4 {
            let again = world
                .by(&moderator.scope, async |by| {
                    reissue(&world.db, by, &task).await
                })
                .await;
            match (tried, again) {
                (0 | 1, done) => assert_eq!(done.unwrap(), "Token reissued."),
                (_, refused) => assert_eq!(refused.unwrap_err().kind(), Kind::TooManyRequests),
            }
        }
        let body = invitation("eve@example.com", json!(["project_mod"]));
        let refused = world
            .ask(TaskType::InviteUserToProject, body, Some(&moderator))
            .await;
        assert_eq!(refused.unwrap_err().kind(), Kind::TooManyRequests);
        assert_eq!(world.task().await.uuid, task, "nothing is left of it");
    });
}

#[test]
fn the_limit_follows_an_index_and_old_mails_are_forgotten() {
    pollster::block_on(async {
        let world = World::new().await;
        world.sign_up().await.unwrap();
        let count = "select count(*) from adjutant_mails";
        let later = world.now.plus_seconds(31 * 86_400);
        forget_old(&world.db, later).await.unwrap();
        assert_eq!(world.number(count).await, 1, "it is on its way");
        let sent = "update adjutant_mails set state = 'sent'";
        world.db.execute(sent, &[]).await.unwrap();
        forget_old(&world.db, world.now.plus_seconds(29 * 86_400))
            .await
            .unwrap();
        assert_eq!(world.number(count).await, 1, "too soon");
        forget_old(&world.db, later).await.unwrap();
        assert_eq!(world.number(count).await, 0);
        for (sql, index) in [
            (
                COUNT,
                "adjutant_mails_by_recipient (recipient=? AND created_on>?)",
            ),
            (outbox::OLD, "adjutant_mails_by_time (created_on<?)"),
        ] {
            let values = params!["a", "b", "c", 1];
            let values = &values[..sql.matches('?').count()];
            let plan = world.db.plan(sql, values).await.unwrap().join("; ");
            assert!(plan.contains(index), "{plan}");
        }
    });
}
