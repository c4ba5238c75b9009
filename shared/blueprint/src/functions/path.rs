//! The place of a value. It becomes a text only when a refusal needs it, because most values never
//! do.

use std::fmt;

/// The place of a value: a chain of steps, the innermost first.
#[derive(Clone, Copy)]
pub(crate) struct Path<'a> {
    before: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    /// A text such as `nodes.vm.properties`, or `.inputs` behind another step.
    Part(&'a [&'a str]),
    Key(&'a str),
    Place(usize),
}

impl<'a> Path<'a> {
    /// The first steps of a path.
    pub const fn start(pieces: &'a [&'a str]) -> Self {
        Self {
            before: None,
            step: Step::Part(pieces),
        }
    }

    /// The place of a value in the map at this place.
    pub const fn key<'b>(&'b self, key: &'b str) -> Path<'b> {
        Path {
            before: Some(self),
            step: Step::Key(key),
        }
    }

    /// The place of an item in the list at this place.
    pub const fn place<'b>(&'b self, place: usize) -> Path<'b> {
        Path {
            before: Some(self),
            step: Step::Place(place),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The outermost step comes first. Values have a few hundred levels at most.
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
