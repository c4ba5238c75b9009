//! Where a value stands, told only when somebody asks: most values are never complained about.

use std::fmt;

/// A value's place, as a chain of steps from the outside in.
#[derive(Clone, Copy)]
pub(crate) struct Path<'a> {
    before: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    /// `nodes.vm.properties`, or `.inputs` behind another step.
    Part(&'a [&'a str]),
    Key(&'a str),
    Place(usize),
}

impl<'a> Path<'a> {
    /// A path's first part, in pieces.
    pub const fn start(pieces: &'a [&'a str]) -> Self {
        Self {
            before: None,
            step: Step::Part(pieces),
        }
    }

    /// The value of a key of the map at this place.
    pub const fn key<'b>(&'b self, key: &'b str) -> Path<'b> {
        Path {
            before: Some(self),
            step: Step::Key(key),
        }
    }

    /// An item of the list at this place.
    pub const fn place<'b>(&'b self, place: usize) -> Path<'b> {
        Path {
            before: Some(self),
            step: Step::Place(place),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Outermost first; values are nested a few hundred levels deep at most.
        let chain: Vec<&Path<'_>> = std::iter::successors(Some(self), |path| path.before).collect();
        for path in chain.into_iter().rev() {
            match path.step {
                Step::Part(pieces) => f.write_str(&pieces.join("."))?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Place(place) => write!(f, "[{place}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_keys_and_places() {
        let start = Path::start(&["nodes", "vm", "properties"]);
        let list = start.key("ports");
        assert_eq!(
            list.place(2).key("x").to_string(),
            "nodes.vm.properties.ports[2].x"
        );
    }
}
