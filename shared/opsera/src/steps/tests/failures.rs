//! What goes wrong in a step, and what becomes of it.

use super::*;

#[test]
fn a_failed_step_is_tried_again_with_the_same_key() {
    pollster::block_on(async {
        let plan = json!([with(
            with(at("a"), "retries", json!(2)),
            "retry_seconds",
            json!(30)
        )]);
        let world = World::new(plan).await;
        world.start("ann", json!({})).await;
        let begun = world.clock.0.get();
        let tries = Cell::new(0);
        let net = net(|_| {
            tries.set(tries.get() + 1);
            if tries.get() < 3 {
                Err("refused".into())
            } else {
                answer(200, "ok")
            }
        });
        world.work(&net).await;
        assert_eq!((world.state().await.as_str(), tries.get()), ("success", 3));
        assert_eq!(world.clock.0.get() - begun, 60_000);
        let keys: std::collections::BTreeSet<String> = net
            .sent
            .borrow()
            .iter()
            .map(|one| {
                format!(
                    "{:?}",
                    one.headers
                        .iter()
                        .find(|(name, _)| name == "idempotency-key")
                )
            })
            .collect();
        assert_eq!(keys.len(), 1);
        // What was wrong with the step itself is not tried again.
        let plan = json!([with(
            hook(
                "a",
                json!({ "url": "https://r.example/{{ parameters.none }}" })
            ),
            "retries",
            json!(2)
        )]);
        let world = World::new(plan).await;
        world.start("ann", json!({})).await;
        world.work(&net).await;
        let error = world.steps().await[0].2.clone().unwrap();
        assert!(
            error.contains("cannot be filled: undefined value"),
            "{error}"
        );
    });
}

#[test]
fn thresholds_and_failures_that_may_happen_decide_about_the_run() {
    pollster::block_on(async {
        let mut gate = hook(
            "Scan",
            json!({ "url": "https://r.example/", "outputs": { "coverage": "c" } }),
        );
        gate["tool"]["threshold"] =
            json!([{ "output": "coverage", "operator": ">=", "value": 80 }]);
        let plan = json!([
            with(at("flaky"), "allow_failure", json!(true)),
            gate.clone(),
            at("last")
        ]);
        for (coverage, state) in [(79, "failed"), (80, "success")] {
            let world = World::new(plan.clone()).await;
            world.start("ann", json!({})).await;
            let net = net(|request| match request.url.ends_with("flaky") {
                true => answer(404, ""),
                false => answer(200, format!("{{\"c\": {coverage}}}")),
            });
            world.work(&net).await;
            assert_eq!(world.state().await, state, "{coverage}");
        }
    });
}

#[test]
fn a_crash_repeats_a_call_with_its_key_and_records_it_once() {
    pollster::block_on(async {
        let world = World::new(json!([at("a")])).await;
        world.start("ann", json!({})).await;
        let net = net(|_| answer(200, ""));
        let lease = async |holder: &str| {
            queue::lease(&world.db, holder, 1, 1000, world.clock.now())
                .await
                .unwrap()
        };
        let dead = lease("dead").await;
        // It called, and never recorded.
        let job = Job::load(&world.db, &dead[0].subject)
            .await
            .unwrap()
            .unwrap();
        turn(&world.db, &net, &world.clock, &job).await.unwrap();
        world.clock.0.set(world.clock.0.get() + 10_000);
        let alive = lease("alive").await;
        run(&world.db, &net, &world.clock, "alive", &alive[0])
            .await
            .unwrap();
        assert_eq!(world.state().await, "success");
        // The dead one comes back: its result counts for nothing.
        let turn = Outcome::failed("late").into();
        record::turn(&world.db, "dead", &dead[0], &job, &turn, world.clock.now())
            .await
            .unwrap();
        assert_eq!(world.state().await, "success");
        let sent = net.sent.borrow().clone();
        assert_eq!(sent[0].headers, sent[1].headers);
        let ends = "select count(*) from pipeline_logs where action = 'step end'";
        assert_eq!(
            world
                .db
                .first(ends, &[])
                .await
                .unwrap()
                .unwrap()
                .integer(0)
                .unwrap(),
            1
        );
    });
}

#[test]
fn garbage_and_a_million_lines_are_a_failed_step_or_a_cut_log() {
    pollster::block_on(async {
        let step = hook(
            "a",
            json!({ "url": "https://r.example/", "outputs": { "x": "/x" } }),
        );
        let world = World::new(json!([step])).await;
        world.start("ann", json!({})).await;
        let garbage = net(|_| {
            Ok(OutboundResponse {
                status: 200,
                headers: Vec::new(),
                body: vec![0xff, 0, 0xfe],
            })
        });
        world.work(&garbage).await;
        assert_eq!(world.state().await, "failed");
        let world = World::new(json!([at("a")])).await;
        world.start("ann", json!({})).await;
        let lines = net(|_| answer(200, "line\n".repeat(1_000_000)));
        world.work(&lines).await;
        assert_eq!(world.state().await, "success");
        let console = world.console().await;
        assert!(console.len() <= 4 << 20, "{}", console.len());
    });
}

#[test]
fn a_step_that_cannot_be_worked_on_fails_with_its_reason() {
    pollster::block_on(async {
        let world = World::new(json!([at("a")])).await;
        world.start("ann", json!({})).await;
        let rows = queue::lease(&world.db, "me", 1, 1000, world.clock.now())
            .await
            .unwrap();
        give_up(&world.db, "me", &rows[0], "why", world.clock.now())
            .await
            .unwrap();
        assert_eq!(world.state().await, "failed");
        assert_eq!(world.steps().await[0].2.as_deref(), Some("why"));
        let count = world
            .db
            .first("select count(*) from queue", &[])
            .await
            .unwrap()
            .unwrap();
        assert_eq!(count.integer(0).unwrap(), 0);
    });
}
