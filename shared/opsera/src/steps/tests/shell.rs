//! Scripts on workers: handed out once, printed, reported, lost and taken back.

use super::*;
use windlass_core::{Error, Kind, Scope};
use windlass_engine::leases::Reported;
use windlass_engine::shell_leases;
use windlass_engine::step::{CallError, Outcome as Said};
use windlass_store::operation_leases::Asked;

fn script(configuration: Json) -> Json {
    let mut all = json!({ "script": "echo {{ parameters.size }}", "queue": "build" });
    for (name, value) in configuration.as_object().unwrap() {
        all[name] = value.clone();
    }
    json!({ "name": "Build", "tool": { "tool_identifier": "shell", "configuration": all } })
}

fn docker() -> Scope {
    asker("root").scope
}

impl World {
    /// Begins a run of these steps, up to where workers are needed.
    async fn begun(plan: Json, parameters: Json) -> Self {
        let world = World::new(plan).await;
        assert_eq!(world.start("ann", parameters).await, Started::Run(1));
        world.turns().await;
        world
    }

    /// All turns that are due now.
    async fn turns(&self) {
        let net = net(|_| answer(200, ""));
        loop {
            let now = self.clock.now();
            let rows = queue::lease(&self.db, "me", 64, 60_000, now).await.unwrap();
            if rows.is_empty() {
                return;
            }
            for row in &rows {
                run(&self.db, &net, &self.clock, "me", row).await.unwrap();
            }
        }
    }

    async fn take_of(&self, queue: &str) -> Vec<Json> {
        let asked = Asked {
            worker: "north".into(),
            queues: vec![queue.into()],
            most: 10,
            seconds: 60,
        };
        shell_leases::lease(&self.db, &docker(), &asked, self.clock.now())
            .await
            .unwrap()
    }

    /// The one step that waits.
    async fn take(&self) -> Json {
        let mut taken = self.take_of("build").await;
        assert_eq!(taken.len(), 1);
        taken.remove(0)
    }

    async fn keep(&self, lease: &Json) -> windlass_core::Result<Timestamp> {
        let id = lease["lease_id"].as_str().unwrap();
        shell_leases::keep(&self.db, &docker(), id, self.clock.now()).await
    }

    async fn print(&self, lease: &Json, offset: i64, text: &str) -> windlass_core::Result<i64> {
        let id = lease["lease_id"].as_str().unwrap();
        let now = self.clock.now();
        shell_leases::print(&self.db, &docker(), id, (offset, text), now).await
    }

    async fn report(&self, lease: &Json, said: Said) -> windlass_core::Result<()> {
        let id = lease["lease_id"].as_str().unwrap();
        let (sent, now) = (format!("{said:?}"), self.clock.now());
        let reported = Reported::new(id, said, &sent);
        shell_leases::conclude(&self.db, &docker(), &reported, now).await?;
        self.turns().await;
        Ok(())
    }

    /// Time goes by, and what is due by then is done, as by the tick.
    async fn later(&self, seconds: i64) {
        self.clock.sleep(seconds * 1000).await;
        let now = self.clock.now();
        shell_leases::expire(&self.db, now).await.unwrap();
        self.turns().await;
    }

    async fn stop(&self, is_forced: bool) {
        let (ann, now) = (asker("ann"), self.clock.now());
        let stopped = self.db.transaction(async |tx| match is_forced {
            true => lifecycle::force_stop(tx, &ann, &self.id, now).await,
            false => lifecycle::stop(tx, &ann, &self.id, now).await,
        });
        assert!(stopped.await.unwrap());
    }
}

fn succeeded(outputs: Json) -> Said {
    Said::Succeeded {
        result: json!({ "exit_code": 0, "outputs": outputs }),
        runtime_properties: Map::new(),
    }
}

fn failed() -> Said {
    Said::Failed(CallError::recoverable("The script ended with 4, not 0"))
}

fn given_back() -> Said {
    Said::Rescheduled(CallError::recoverable("The worker is being stopped"))
}

fn is_lost<T: std::fmt::Debug>(refused: std::result::Result<T, Error>) -> bool {
    refused.unwrap_err().kind() == Kind::Conflict
}

#[test]
fn a_script_runs_on_a_worker_of_its_queue_and_hands_on_what_it_made() {
    pollster::block_on(async {
        let build = script(json!({ "environment": {
            "SIZE": "{{ parameters.size }}", "N": "{{ run.number }}", "ON": true, "NONE": null } }));
        let tell = hook(
            "Tell",
            json!({ "url": "https://r.example/{{ steps.Build.outputs.artifact }}/{{ steps.Build.outputs.exit_code }}" }),
        );
        let world = World::begun(json!([build, tell]), json!({ "size": "$(reboot)" })).await;
        assert!(world.take_of("other").await.is_empty());
        let lease = world.take().await;
        assert_eq!(lease["kind"], "shell");
        assert_eq!(
            lease["script"], "echo {{ parameters.size }}",
            "nothing is filled into a script"
        );
        assert_eq!(
            lease["environment"],
            json!({ "SIZE": "$(reboot)", "N": "1", "ON": "true" })
        );
        assert_eq!(lease["expected_exit_codes"], json!([0]));
        assert_eq!(lease["timeout"], 3600);
        assert_eq!(lease["pipeline_id"], world.id);
        assert_eq!(
            (&lease["step_name"], &lease["run_count"]),
            (&json!("Build"), &json!(1))
        );
        assert!(world.take_of("build").await.is_empty(), "somebody has it");
        world.keep(&lease).await.unwrap();
        world.print(&lease, 0, "one\n").await.unwrap();
        world.print(&lease, 0, "one\ntwé\n").await.unwrap();
        world.print(&lease, 9, "three\n").await.unwrap();
        assert_eq!(world.console().await, "one\ntwé\nthree\n");
        let said = succeeded(json!({ "artifact": "a7" }));
        world.report(&lease, said.clone()).await.unwrap();
        world.report(&lease, said).await.unwrap();
        assert_eq!(
            world.outputs(0).await,
            json!({ "artifact": "a7", "exit_code": 0 })
        );
        assert_eq!(world.state().await, "success");
        assert!(
            is_lost(world.report(&lease, failed()).await),
            "another result"
        );
        assert!(is_lost(world.keep(&lease).await), "it is over");
        assert!(is_lost(world.print(&lease, 15, "more").await));
        assert_eq!(world.steps().await.len(), 2);
    });
}

#[test]
fn secrets_reach_the_script_and_nothing_that_is_kept() {
    pollster::block_on(async {
        let build = script(json!({ "environment": { "KEY": "k={{ secrets.key }}" } }));
        let world = World::new(json!([build])).await;
        let value = windlass_store::secrets::seal(&json!("line-one-x\nline-two-y"))
            .await
            .unwrap();
        let insert =
            "insert into secrets (id, tenant_name, created_by, visibility, created_at, updated_at,
                 value) values ('key', 'harbour', 'ann', 'tenant', '', '', ?1)";
        world.db.execute(insert, params![value]).await.unwrap();
        let member = "update tenant_users set role = 'manager' where user_id = 7";
        world.db.execute(member, &[]).await.unwrap();
        world.start("ann", json!({})).await;
        world.turns().await;
        let lease = world.take().await;
        assert_eq!(
            lease["environment"]["KEY"],
            "k=line-one-x\nline-two-y",
            "{:?}",
            world.steps().await
        );
        world
            .print(&lease, 0, "got line-one-x\nline-two-y\nand line-two-y\n")
            .await
            .unwrap();
        let said =
            succeeded(json!({ "echo": ["k=line-one-x\nline-two-y", { "x": "line-two-y" }] }));
        world.report(&lease, said).await.unwrap();
        assert_eq!(world.state().await, "success");
        let sql = "select coalesce(content, '') || coalesce(result, '') from shell_steps";
        let row = world.db.first(sql, &[]).await.unwrap().unwrap();
        let kept = world.everything_kept().await + row.text(0).unwrap();
        assert!(kept.contains("got ***\nand ***"), "{kept}");
        assert!(!kept.contains("line-"), "{kept}");
        let sql = "select count(*) from shell_steps where content is not null";
        let row = world.db.first(sql, &[]).await.unwrap().unwrap();
        assert_eq!(row.integer(0).unwrap(), 0, "not even sealed");
    });
}

#[test]
fn a_console_is_cut_with_a_line_that_says_so() {
    pollster::block_on(async {
        let world = World::begun(json!([script(json!({}))]), json!({})).await;
        let lease = world.take().await;
        let piece = "a line of the console\n".repeat(3000);
        let (mut offset, mut room) = (0, 1);
        while room > 0 {
            room = world.print(&lease, offset, &piece).await.unwrap();
            offset += i64::try_from(piece.len()).unwrap();
        }
        world.print(&lease, offset, &piece).await.unwrap();
        let sql = "select sum(octet_length(response)) from pipeline_logs where is_console = 1";
        let row = world.db.first(sql, &[]).await.unwrap().unwrap();
        assert_eq!(row.integer(0).unwrap(), 4 << 20);
        let sql = "select count(*), max(message) from pipeline_logs where action = 'console output left out'";
        let row = world.db.first(sql, &[]).await.unwrap().unwrap();
        assert_eq!(row.integer(0).unwrap(), 1);
        assert!(row.text(1).unwrap().contains("the rest is left out"));
        world.report(&lease, succeeded(json!({}))).await.unwrap();
        assert_eq!(world.state().await, "success");
    });
}

#[test]
fn what_was_not_begun_is_another_workers_and_no_try() {
    pollster::block_on(async {
        let world = World::begun(json!([script(json!({}))]), json!({})).await;
        let first = world.take().await;
        world.later(61).await;
        assert!(is_lost(world.keep(&first).await), "its worker was gone");
        let second = world.take().await;
        world.report(&second, given_back()).await.unwrap();
        let third = world.take().await;
        world.keep(&third).await.unwrap();
        world.later(59).await;
        world.keep(&third).await.unwrap();
        world.later(59).await;
        world.report(&third, succeeded(json!({}))).await.unwrap();
        assert_eq!(world.state().await, "success");
        let sql = "select tries from pipeline_steps";
        let row = world.db.first(sql, &[]).await.unwrap().unwrap();
        assert_eq!(row.integer(0).unwrap(), 0);
    });
}

#[test]
fn a_worker_that_is_gone_half_way_fails_the_step_by_its_retries() {
    pollster::block_on(async {
        for (retries, lost) in [(0, true), (1, true), (0, false), (1, false)] {
            let step = with(script(json!({})), "retries", json!(retries));
            let world = World::begun(json!([step]), json!({})).await;
            let first = world.take().await;
            world.keep(&first).await.unwrap();
            match lost {
                true => world.later(61).await,
                false => world.report(&first, given_back()).await.unwrap(),
            }
            assert!(is_lost(world.report(&first, succeeded(json!({}))).await));
            if retries == 0 {
                assert_eq!(world.state().await, "failed");
                let error = world.steps().await[0].2.clone().unwrap();
                let part = if lost {
                    "The worker `north` did not keep its lease"
                } else {
                    "The worker is being stopped"
                };
                assert!(error.contains(part), "{error}");
                continue;
            }
            assert!(world.take_of("build").await.is_empty(), "not at once");
            world.later(10).await;
            let second = world.take().await;
            assert_ne!(first["lease_id"], second["lease_id"]);
            world.keep(&second).await.unwrap();
            world.report(&second, succeeded(json!({}))).await.unwrap();
            assert_eq!(world.state().await, "success", "{:?}", world.steps().await);
        }
    });
}

#[test]
fn a_script_that_fails_is_tried_again_as_often_as_may_be() {
    pollster::block_on(async {
        let step = with(script(json!({})), "retries", json!(1));
        let world = World::begun(json!([step]), json!({})).await;
        world.report(&world.take().await, failed()).await.unwrap();
        world.later(10).await;
        world.report(&world.take().await, failed()).await.unwrap();
        assert_eq!(world.state().await, "failed");
        let error = world.steps().await[0].2.clone();
        assert_eq!(error.as_deref(), Some("The script ended with 4, not 0"));
    });
}

#[test]
fn time_counts_from_when_a_worker_has_it() {
    pollster::block_on(async {
        let step = || with(script(json!({})), "timeout_seconds", json!(100));
        let world = World::begun(json!([step()]), json!({})).await;
        world.later(101).await;
        let error = world.steps().await[0].2.clone().unwrap();
        assert_eq!(
            error,
            "no worker of the queue `build` took it within 100 seconds"
        );
        assert!(world.take_of("build").await.is_empty());
        let world = World::begun(json!([step()]), json!({})).await;
        world.later(90).await;
        let lease = world.take().await;
        world.keep(&lease).await.unwrap();
        for _ in 0..2 {
            world.later(50).await;
            world.keep(&lease).await.unwrap();
        }
        // Its worker has some seconds to say that the time is over.
        world.later(14).await;
        world.keep(&lease).await.unwrap();
        world.later(2).await;
        assert!(is_lost(world.keep(&lease).await), "so the script is ended");
        let error = world.steps().await[0].2.clone().unwrap();
        assert_eq!(error, "did not end within 100 seconds");
    });
}

#[test]
fn a_stop_ends_what_no_worker_has_begun_and_a_forced_one_everything() {
    pollster::block_on(async {
        let plan = || json!([script(json!({})), at("b")]);
        let world = World::begun(plan(), json!({})).await;
        let lease = world.take().await;
        world.stop(false).await;
        assert_eq!(world.state().await, "stopped");
        assert!(is_lost(world.keep(&lease).await), "so it is not begun");
        assert!(world.take_of("build").await.is_empty());

        let world = World::begun(plan(), json!({})).await;
        let lease = world.take().await;
        world.keep(&lease).await.unwrap();
        world.stop(false).await;
        assert_eq!(world.state().await, "stopping");
        world.keep(&lease).await.unwrap();
        world.stop(true).await;
        assert_eq!(world.state().await, "stopped");
        assert!(is_lost(world.keep(&lease).await), "so it is ended");
        assert!(is_lost(world.report(&lease, succeeded(json!({}))).await));
        assert_eq!(world.steps().await.len(), 1);
    });
}

#[test]
fn a_stop_ends_what_waits_for_its_next_try() {
    pollster::block_on(async {
        let step = with(script(json!({})), "retries", json!(1));
        let world = World::begun(json!([step]), json!({})).await;
        world.report(&world.take().await, failed()).await.unwrap();
        assert_eq!(world.state().await, "running");
        world.stop(false).await;
        assert_eq!(world.state().await, "stopped");
        world.later(60).await;
        assert!(world.take_of("build").await.is_empty());
    });
}

#[test]
fn leases_of_others_are_nobodys() {
    pollster::block_on(async {
        let world = World::begun(json!([script(json!({}))]), json!({})).await;
        let lease = world.take().await;
        let id = lease["lease_id"].as_str().unwrap();
        for who in ["mia", "root@quay"] {
            let scope = asker(who).scope;
            let kept = shell_leases::keep(&world.db, &scope, id, world.clock.now()).await;
            assert!(is_lost(kept), "{who}");
        }
        let asked = Asked {
            worker: "north".into(),
            queues: vec!["build".into()],
            most: 1,
            seconds: 60,
        };
        let world = World::begun(json!([script(json!({}))]), json!({})).await;
        let scope = asker("root@quay").scope;
        let taken = shell_leases::lease(&world.db, &scope, &asked, world.clock.now()).await;
        assert!(taken.unwrap().is_empty(), "another account's workers");
    });
}
