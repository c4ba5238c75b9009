//! Relationships that lead back to where they started.

use super::Draft;
use crate::error::{Error, Result};
use std::collections::{HashMap, HashSet};

/// Refuses relationships that form a circle.
///
/// This follows relationships with a list instead of recursion, because a chain of nodes can be as
/// long as a file.
pub(super) fn check_cycles(drafts: &[Draft<'_>]) -> Result<()> {
    let mut targets: HashMap<&str, Vec<&str>> = HashMap::with_capacity(drafts.len());
    for draft in drafts {
        let relationships = draft.fields.relationships().iter();
        targets.insert(
            draft.name,
            relationships.map(|one| one.text("target_id")).collect(),
        );
    }
    let of = |name: &str| targets.get(name).map_or(&[][..], Vec::as_slice).iter();
    let mut done: HashSet<&str> = HashSet::with_capacity(drafts.len());
    let mut open: HashSet<&str> = HashSet::new();
    for draft in drafts {
        if done.contains(draft.name) {
            continue;
        }
        // The way from the start. Each node has its targets that were not visited yet.
        let mut way = vec![(draft.name, of(draft.name))];
        open.insert(draft.name);
        while let Some((name, left)) = way.last_mut() {
            let Some(target) = left.next() else {
                open.remove(name);
                done.insert(name);
                way.pop();
                continue;
            };
            if open.contains(target) {
                let names = way.iter().map(|(name, _)| *name);
                let mut names: Vec<&str> = names.skip_while(|name| name != target).collect();
                names.push(target);
                let circle = names.join(" --> ");
                let message = format!("Parsing failed. Circular dependency detected: {circle}");
                return Err(Error::parser(100, message));
            }
            if !done.contains(target) {
                open.insert(target);
                way.push((target, of(target)));
            }
        }
    }
    Ok(())
}
