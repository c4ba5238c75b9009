//! The regular expressions of Python's `re`, as blueprints write them.
//!
//! Blueprints look ahead (`(?=.*[0-9])`) and refer back to groups. The small crates for regular
//! expressions cannot do this, and the one that can makes every component half a megabyte larger.
//! Patterns and texts come from strangers, so a match counts its steps and gives up in time.

mod matching;
mod reading;
#[cfg(test)]
mod tests;
mod tree;

use matching::Matcher;

/// The most bytes that a pattern may have.
pub const MAX_LENGTH: usize = 4096;
/// How many steps [`Pattern::matches`] may take. They are done within a few milliseconds.
pub const MAX_STEPS: u32 = 200_000;

/// A pattern that was read and can be matched.
#[derive(Debug, Clone)]
pub struct Pattern {
    root: tree::Node,
    groups: usize,
}

/// Why a text is not a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Problem(&'static str);

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Problem {}

/// A match needed more steps than it was allowed, so it is not known whether there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManySteps;

impl std::fmt::Display for TooManySteps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the match takes too many steps")
    }
}

impl std::error::Error for TooManySteps {}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What Python refuses, and what is longer or deeper than the limits of this crate.
    pub fn new(text: &str) -> Result<Self, Problem> {
        if text.len() > MAX_LENGTH {
            return Err(Problem("the pattern is too long"));
        }
        let (root, groups) = reading::read(text)?;
        Ok(Self { root, groups })
    }

    /// Whether a match begins where the text begins; it may end anywhere. This is Python's
    /// `re.match`. When there are too many steps, the answer is no.
    pub fn matches(&self, text: &str) -> bool {
        self.matches_within(text, MAX_STEPS).unwrap_or(false)
    }

    /// The same as [`Pattern::matches`] with another limit, and the limit is told apart from a no.
    ///
    /// # Errors
    /// The steps were not enough to decide.
    pub fn matches_within(&self, text: &str, steps: u32) -> Result<bool, TooManySteps> {
        let letters: Vec<char> = text.chars().collect();
        let mut matcher = Matcher::new(&letters, self.groups, steps);
        matcher.run(&self.root, 0).map(|end| end.is_some())
    }
}
