//! The scheduler: runs what is due in the durable queue.
//!
//! The cron component calls it every second, other components right after they queued something,
//! any platform's cron over the public URL. Several ticks at the same time are fine. The answer
//! says how many rows were worked on and when the next one is due.
// The futures of a tick are nested deeply.
#![recursion_limit = "256"]

mod check;
mod chores;
mod environments;
mod handed_over;
mod inspection;
mod keys;
mod platform;
mod tick;
mod work;

windlass_core::component! {
    family: Conductor,
    identity: windlass_identity::Identity,
    base: "/internal",
    routes: {
        POST "/tick" => tick::run;
        POST "/audit-store" => inspection::inspect;
        POST "/check" => check::check;
        GET "/sealed-values" => keys::standing;
    }
}
