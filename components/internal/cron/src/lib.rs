//! The clock: called by the cron trigger every second, it asks the scheduler to tick.
//!
//! Cron triggers run synchronous WASI 0.2 components, and neither `self` nor `*.spin.internal` can be
//! reached from one. So this one posts to the application's public address, with the token that lets
//! nobody else tick. On platforms without a cron trigger, any clock that posts the same request does.

mod bindings;
mod tick;

use bindings::Guest;
use bindings::fermyon::spin::{key_value, variables};
use bindings::fermyon::spin_cron::cron_types::{Error, Metadata};

/// Where the application keeps a token that it made itself.
const STORED_TOKEN: &str = "core/tick-token";
/// The address of an application that was started with no other.
const DEFAULT_URL: &str = "http://127.0.0.1:3000";

/// What the trigger calls.
struct Cron;

impl Guest for Cron {
    fn handle_cron_event(_event: Metadata) -> Result<(), Error> {
        // Without a token the application has not yet been used: there is nothing to do either.
        let Some(token) = token() else {
            return Ok(());
        };
        let url = variable("self_url").unwrap_or_else(|| DEFAULT_URL.to_owned());
        // The trigger forgets errors, so they are said here. The next second tries again anyway.
        if let Err(problem) = tick::send(&url, &token) {
            eprintln!("tick: {problem}");
        }
        Ok(())
    }
}

/// The token from the operator, else the one that the application made.
fn token() -> Option<String> {
    variable("tick_token").or_else(|| {
        let store = key_value::Store::open("default").ok()?;
        let stored = store.get(STORED_TOKEN).ok()??;
        String::from_utf8(stored).ok()
    })
}

/// The value of a variable, unless it is empty or not given to this component.
fn variable(name: &str) -> Option<String> {
    variables::get(name).ok().filter(|value| !value.is_empty())
}
