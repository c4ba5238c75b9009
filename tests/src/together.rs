//! Several clients at the same moment.

use std::sync::Barrier;

/// Does the work as often as said, all at once; what came of each, in the order of their numbers.
pub fn at_once<T: Send>(clients: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let all = Barrier::new(clients);
    std::thread::scope(|scope| {
        let (all, work) = (&all, &work);
        let begun: Vec<_> = (0..clients)
            .map(|number| {
                scope.spawn(move || {
                    all.wait();
                    work(number)
                })
            })
            .collect();
        let ended = begun.into_iter().map(|client| client.join());
        ended.map(|end| end.expect("no client panics")).collect()
    })
}

/// Fails with all that is wrong, if anything is.
#[track_caller]
pub fn demand_none(wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "{} of them:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
