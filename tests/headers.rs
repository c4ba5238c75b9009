//! What every answer says to browsers and caches, whatever it is about.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

use windlass_tests::{Windlass, demand_none, routes};

#[test]
fn every_answer_of_every_route_keeps_browsers_and_caches_in_bounds() {
    let windlass = Windlass::start();
    let mut wrong = Vec::new();
    for (method, path) in routes().keys() {
        let path = path.replace("{}", "nothing-is-called-this");
        let mut request = windlass.nobody().compose(method, "/api/", None, None);
        request.path = path;
        let answer = windlass.send(&request);
        let policy = answer.header("content-security-policy").unwrap_or_default();
        let is_bounded = policy.contains("default-src 'none'")
            && answer.header("x-content-type-options") == Some("nosniff")
            && answer.header("cache-control").is_some()
            // What answers is nobody's business.
            && answer.header("server").is_none();
        if !is_bounded {
            let told = (&answer.status, &answer.headers);
            wrong.push(format!("{method} {}: {told:?}", request.path));
        }
    }
    demand_none(&wrong);
}
