//! Whether the application could work as it is set up.
//!
//! What its settings, stores and servers are like is the application's own business (`/internal/check` of
//! the scheduler); what its folders, files and environment are like is
//! seen here ([`place`]).

mod place;

use crate::lock;
use crate::private::Private;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::json;
use windlass_host::{HostOptions, RunningHost};

/// Where the application says what it is like.
const PATH: &str = "/internal/check";

/// The variables that are read once, on first use, or are compared with what others say: the fewest bytes
/// each may have. They are judged before anything is made with them.
const KEYS: [(&str, usize); 3] = [
    ("admin_password", 5),
    ("encryption_key", 16),
    ("tick_token", 16),
];

/// One thing that was looked at.
#[derive(Deserialize)]
struct Found {
    name: String,
    ok: bool,
    text: String,
}

impl Found {
    /// Something that is as it must be.
    fn good(name: &str, text: String) -> Self {
        let (name, ok) = (name.to_owned(), true);
        Self { name, ok, text }
    }

    /// Something that is not.
    fn wrong(name: &str, text: String) -> Self {
        let (name, ok) = (name.to_owned(), false);
        Self { name, ok, text }
    }
}

#[derive(Deserialize)]
struct Answer {
    checks: Vec<Found>,
}

/// Looks at everything and prints a line for each thing.
///
/// # Errors
/// When something is not as it must be.
pub fn check(options: HostOptions) -> Result<()> {
    let mut checks = place::look(&options);
    checks.extend(short_keys(&options).map(|problem| Found::wrong("settings", problem)));
    // Whatever keeps the application from starting is a finding too.
    match told_by_application(options) {
        Ok(told) => checks.extend(told),
        Err(error) => checks.push(Found::wrong("application", format!("{error:#}"))),
    }
    for check in &checks {
        let word = if check.ok { "ok" } else { "wrong" };
        println!("{word:5}  {}: {}", check.name, check.text);
    }
    let wrong = checks.iter().filter(|check| !check.ok).count();
    ensure!(wrong == 0, "{wrong} of {} are wrong", checks.len());
    Ok(())
}

/// What the application itself finds.
fn told_by_application(options: HostOptions) -> Result<Vec<Found>> {
    let is_running = lock::is_held(&options.state_dir);
    let application = Private::start(options, "scheduler")?;
    let answer = application.ask(PATH, &json!({ "running": is_running }));
    application.stop();
    let answer: Answer =
        serde_json::from_value(answer?).context("the application told something else")?;
    Ok(answer.checks)
}

/// What is wrong with keys and passwords that are set.
fn short_keys(options: &HostOptions) -> impl Iterator<Item = String> {
    KEYS.into_iter().filter_map(|(name, least)| {
        let given = options.variables.get(name).cloned();
        let in_environment =
            || std::env::var(format!("SPIN_VARIABLE_{}", name.to_ascii_uppercase())).ok();
        let bytes = given.or_else(in_environment)?.len();
        let is_short = (1..least).contains(&bytes);
        is_short.then(|| format!("{name} has {bytes} bytes, it must have {least} or more"))
    })
}

/// Refuses to start with keys and passwords that are too short.
///
/// # Errors
/// Each problem in a sentence.
pub fn demand_keys(options: &HostOptions) -> Result<()> {
    let problems: Vec<String> = short_keys(options).collect();
    ensure!(problems.is_empty(), "{}", problems.join("; "));
    Ok(())
}

/// Has an application that was just started say whether its settings can be understood and whether the
/// database is one that it knows. One without that endpoint is taken as it is.
///
/// # Errors
/// Each problem in a sentence.
pub fn demand_settings(host: &RunningHost) -> Result<()> {
    let body = json!({ "only": ["settings", "keys", "schema"] }).to_string();
    let (mut status, mut text) = host.post_internal(PATH, &body)?;
    if matches!(status, 401 | 403) {
        // The first request of all makes the token that the next one carries.
        (status, text) = host.post_internal(PATH, &body)?;
    }
    let Ok(answer) = serde_json::from_str::<Answer>(&text) else {
        return Ok(());
    };
    let wrong = answer.checks.into_iter().filter(|check| !check.ok);
    let problems: Vec<String> = wrong.map(|check| check.text).collect();
    ensure!(
        status != 200 || problems.is_empty(),
        "{}",
        problems.join("; ")
    );
    Ok(())
}
