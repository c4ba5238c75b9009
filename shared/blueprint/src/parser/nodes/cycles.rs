//! Relationships that lead back to where they started.

use super::Draft;
use crate::error::{Error, Result};
use std::collections::HashMap;

/// Relationships must not lead back to where they started.
pub(super) fn check_cycles(drafts: &[Draft<'_>]) -> Result<()> {
    let places: HashMap<&str, usize> = drafts
        .iter()
        .enumerate()
        .map(|(place, draft)| (draft.name, place))
        .collect();
    let targets: Vec<Vec<usize>> = drafts
        .iter()
        .map(|draft| {
            let relationships = draft.fields.relationships().iter();
            relationships
                .filter_map(|one| places.get(one.text("target_id")).copied())
                .collect()
        })
        .collect();
    let mut done = vec![false; drafts.len()];
    let mut open = vec![false; drafts.len()];
    for start in 0..drafts.len() {
        // A path of nodes, each with the number of its targets that were visited.
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        while let Some((node, visited)) = path.last_mut() {
            let node = *node;
            if done[node] {
                path.pop();
                continue;
            }
            open[node] = true;
            let Some(target) = targets[node].get(*visited).copied() else {
                done[node] = true;
                open[node] = false;
                path.pop();
                continue;
            };
            *visited += 1;
            if open[target] {
                let first = path
                    .iter()
                    .position(|(node, _)| *node == target)
                    .unwrap_or(0);
                let mut names: Vec<&str> = path[first..]
                    .iter()
                    .map(|(node, _)| drafts[*node].name)
                    .collect();
                names.push(drafts[target].name);
                let circle = names.join(" --> ");
                let message = format!("Parsing failed. Circular dependency detected: {circle}");
                return Err(Error::parser(100, message));
            }
            if !done[target] {
                path.push((target, 0));
            }
        }
    }
    Ok(())
}
