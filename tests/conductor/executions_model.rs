//! Random histories of executions, and what holds after each of their steps, whatever happened.
//!
//! A history is made of calls of clients and workers, occurrences of schedules, steps of the clock, ticks and kills. All
//! of it follows from a number, the seed, but for what the application does meanwhile. One that fails is tried again
//! with fewer steps, and the message has the seed and the fewest steps that still failed. `WINDLASS_MODEL_SEED` says
//! with which seed to begin, `WINDLASS_MODEL_SECONDS` for how long histories are tried.

#[path = "executions_model/clients.rs"]
mod clients;
#[path = "executions_model/fleet.rs"]
mod fleet;
#[path = "executions_model/invariants.rs"]
mod invariants;
#[path = "executions_model/workers.rs"]
mod workers;

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any};
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use windlass_tests::{Options, Recorder, Value, Windlass, json};

/// The last one's operations are a worker's.
const DEPLOYMENTS: [&str; 4] = ["north", "south", "west", WORKED];
const WORKED: &str = "east";

/// How many steps a history has.
const STEPS: usize = 60;

/// For how long fewer steps are looked for, in milliseconds.
const SHRINKING: u32 = 60_000;

/// What happens. The number beside it says to whom, and how.
#[derive(Clone, Copy, Debug)]
enum Step {
    Start,
    Stop,
    Resume,
    Report,
    Schedule,
    Occur,
    Forget,
    Replace,
    Depend,
    Scale,
    Update,
    Modify,
    Muster,
    StartGroup,
    ActOnGroup,
    Lease,
    Result,
    Lie,
    Hour,
    Tick,
    Work,
    Kill,
}

/// All of them, each as often as it is to happen among a hundred.
const USUAL: [(u32, Step); 22] = [
    (18, Step::Start),
    (9, Step::Stop),
    (6, Step::Resume),
    (3, Step::Report),
    (3, Step::Schedule),
    (2, Step::Occur),
    (2, Step::Forget),
    (4, Step::Replace),
    (5, Step::Depend),
    (7, Step::Scale),
    (6, Step::Update),
    (4, Step::Modify),
    (4, Step::Muster),
    (4, Step::StartGroup),
    (5, Step::ActOnGroup),
    (6, Step::Lease),
    (6, Step::Result),
    (3, Step::Lie),
    (3, Step::Hour),
    (6, Step::Tick),
    (3, Step::Work),
    (3, Step::Kill),
];

fn histories() -> impl Strategy<Value = Vec<(Step, u64)>> {
    let steps = USUAL.map(|(weight, step)| (weight, Just(step)));
    let step = proptest::strategy::Union::new_weighted(steps.into());
    // Shrinking leaves steps out; what is left happens as it did.
    vec((step, any::<u64>()).no_shrink(), 1..=STEPS)
}

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % sides
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// A history under way.
struct History {
    dice: Dice,
    /// What was answered to be there and was not deleted since, and the execution that made its deployment: a deployment
    /// that was made anew has another one.
    acknowledged: BTreeMap<String, String>,
    /// The groups of executions that were started.
    groups: Vec<String>,
    /// What workers were given and have not reported, and what they have.
    leases: Vec<String>,
    reported: Vec<String>,
    /// What was done, for the message of a failure.
    told: Vec<String>,
}

impl History {
    fn new() -> Self {
        Self {
            dice: Dice(0),
            acknowledged: BTreeMap::new(),
            groups: Vec::new(),
            leases: Vec::new(),
            reported: Vec::new(),
            told: Vec::new(),
        }
    }

    fn step(&mut self, windlass: Windlass, (step, number): (Step, u64)) -> Windlass {
        self.dice = Dice(number);
        match step {
            Step::Start => self.start(&windlass),
            Step::Stop => self.stop(&windlass),
            Step::Resume => self.resume(&windlass),
            Step::Report => self.report(&windlass),
            Step::Schedule => self.schedule(&windlass),
            Step::Occur => self.let_occur(&windlass),
            Step::Forget => self.forget(&windlass),
            Step::Replace => self.replace(&windlass),
            Step::Depend => self.depend(&windlass),
            Step::Scale => self.scale(&windlass),
            Step::Update => self.update(&windlass),
            Step::Modify => self.modify(&windlass),
            Step::Muster => self.muster(&windlass),
            Step::StartGroup => self.start_group(&windlass),
            Step::ActOnGroup => self.act_on_group(&windlass),
            Step::Lease => self.lease(&windlass),
            Step::Result => self.report_operation(&windlass),
            Step::Lie => self.lie(&windlass),
            Step::Hour => self.let_an_hour_pass(&windlass),
            Step::Tick => {
                self.told.push("tick".into());
                windlass.tick();
            }
            Step::Work => {
                self.told.push("work".into());
                windlass.run_pending_work();
            }
            Step::Kill => {
                self.told.push("kill".into());
                return windlass.kill().start();
            }
        }
        windlass
    }

    /// Calls, and expects one of these statuses. Answers what a call that succeeded has answered.
    fn call(
        &mut self,
        windlass: &Windlass,
        (method, path): (&str, &str),
        body: &Value,
        expected: &[u16],
    ) -> Option<Value> {
        let admin = windlass.admin();
        let reply = match method {
            "POST" => admin.post(path, body.clone()),
            "PUT" => admin.put(path, body.clone()),
            "PATCH" => admin.patch(path, body.clone()),
            _ => admin.delete(path),
        };
        let status = reply.status();
        self.told
            .push(format!("{method} {path} {body} -> {status}"));
        assert!(
            expected.contains(&status),
            "{status} {}\n{}",
            reply.text(),
            self.told()
        );
        (status < 300).then(|| {
            let body = reply.expect_answer(status).body;
            serde_json::from_slice(&body).unwrap_or_default()
        })
    }

    fn told(&self) -> String {
        self.told.join("\n")
    }

    /// What the application has promised to run, or to have run.
    fn acknowledge(&mut self, windlass: &Windlass, id: Option<&str>) {
        let Some(id) = id else { return };
        let sql = "select create_execution from deployments
                   where key = (select deployment_key from executions where id = ?1)";
        let creation = windlass
            .open_database()
            .query_row(sql, [id], |row| row.get(0));
        match creation {
            Ok(creation) => self.acknowledged.insert(id.to_owned(), creation),
            Err(problem) => panic!("{id} is not there: {problem}\n{}", self.told()),
        };
    }

    fn any(&mut self) -> Option<String> {
        let at = self.dice.below(self.acknowledged.len().max(1));
        self.acknowledged.keys().nth(at).cloned()
    }

    /// An hour passes: what was leased has run out, what waited waits no more.
    fn let_an_hour_pass(&mut self, windlass: &Windlass) {
        self.told.push("an hour passes".into());
        let sql = "update queue set not_before = max(not_before - 3600000, 0), lease_until = lease_until - 3600000;
                   update operation_leases set expires_at = '2001-01-01T00:00:00.000Z' where result_hash is null";
        windlass
            .open_database()
            .execute_batch(sql)
            .expect("the queue and the leases are there");
    }
}

fn prepared() -> (Windlass, Recorder) {
    let seen = std::sync::atomic::AtomicU64::new(0);
    let recorder = Recorder::answering(move |_| {
        let number = seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        match number % 5 {
            3 => (400, json!({ "error": "not today" })),
            _ => (200, json!({})),
        }
    });
    let windlass = Options::default()
        .variable("outbound_allow_private", "true")
        .start();
    let admin = windlass.admin();
    let crane = fleet::CRANE.replace("URL", &format!("'{}/create'", recorder.url()));
    for (id, text) in [
        ("crane", crane.clone()),
        ("crane-2", crane + fleet::LAMP),
        ("tug", fleet::TUG.to_owned()),
        ("tug-2", fleet::TUG.to_owned() + fleet::LAMP),
    ] {
        admin.upload(id, "b.yaml", &[("b.yaml", &text)]).expect(201);
    }
    for id in DEPLOYMENTS {
        let body = json!({ "blueprint_id": fleet::blueprints_of(id)[0] });
        admin.put(&format!("/deployments/{id}"), body).expect(201);
    }
    let body = json!({ "deployment_ids": DEPLOYMENTS });
    admin.put("/deployment-groups/fleet", body).expect(200);
    invariants::note_states(&windlass);
    (windlass, recorder)
}

/// Lets it happen. With a time to end at, steps that come later are left out.
fn live(steps: &[(Step, u64)], end: Option<Instant>) {
    let (mut windlass, _recorder) = prepared();
    let mut history = History::new();
    for step in steps {
        windlass = history.step(windlass, *step);
        history.check(&windlass);
        if end.is_some_and(|end| Instant::now() >= end) {
            break;
        }
    }
    history.check_end(&windlass);
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn whatever_happens_executions_keep_their_promises() {
    let time = Duration::from_secs(number("WINDLASS_MODEL_SECONDS").unwrap_or(20));
    let mut seed = number("WINDLASS_MODEL_SEED").unwrap_or(1);
    let end = Instant::now() + time;
    while Instant::now() < end {
        let config = Config {
            cases: 1,
            failure_persistence: None,
            max_shrink_time: SHRINKING,
            max_shrink_iters: 1000,
            ..Config::default()
        };
        let bytes: [[u8; 8]; 4] = [seed, 0, 0, 0].map(u64::to_le_bytes);
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, bytes.as_flattened());
        let begins = Instant::now();
        let outcome = TestRunner::new_with_rng(config, random).run(&histories(), |steps| {
            // Once one has failed the time is another.
            live(
                &steps,
                (begins < end && Instant::now() < end).then_some(end),
            );
            Ok(())
        });
        match outcome {
            Ok(()) => seed += 1,
            Err(TestError::Fail(why, fewest)) => {
                panic!("seed {seed}: {why}\nit also fails with the steps {fewest:?}")
            }
            Err(TestError::Abort(why)) => panic!("seed {seed}: {why}"),
        }
    }
}
