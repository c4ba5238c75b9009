//! What a tick costs while nothing is due, with few ended rows and with many: it is to be the same.

use crate::application::Application;
use crate::growth;
use crate::load::{self, Case};
use anyhow::{Result, ensure};

/// Ended executions, their operations and events, of each as many.
const SMALL: i64 = 10;
const LARGE: i64 = 1_000_000;

/// How many times as long the large one may take: the clock's own noise and no more.
const TIMES: f64 = 1.5;

/// How often each is asked for a tick.
const TICKS: usize = 200;

/// Prints a table; an error when the limit is passed. `large` is another number of rows.
pub fn measure(large: Option<&str>) -> Result<()> {
    let large = large.map_or(Ok(LARGE), str::parse)?;
    let sizes = [growth::filled(SMALL)?, growth::filled(large)?];
    // What the tick looks for now and then, it finds once before.
    sizes[0].rest()?;
    let case = Case::new(
        "a tick",
        "POST",
        "/internal/tick",
        &Application::tick_headers(),
    );
    let servers = [sizes[0].address(), sizes[1].address()];
    let mut times = load::by_turns(&servers, &case, TICKS)?;
    let [small, many] = [0, 1].map(|server| {
        let times = &mut times[server];
        times.sort_unstable();
        [times[TICKS / 4], times[TICKS / 2]].map(|time| time.as_secs_f64() * 1000.0)
    });
    println!("\n| ended rows | ms of a tick, best quarter | median |\n|---|---|---|");
    println!("| {SMALL} | {:.2} | {:.2} |", small[0], small[1]);
    println!("| {large} | {:.2} | {:.2} |", many[0], many[1]);
    let ratio = many[0] / small[0];
    ensure!(
        ratio <= TIMES,
        "{ratio:.1} times as long, {TIMES} are allowed"
    );
    Ok(())
}
