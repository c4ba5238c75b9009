//! Patterns as blueprints write them: the regular expressions of Python's `re`.
//!
//! Blueprints look ahead (`(?=.*[0-9])`) and refer back, which the small crates for regular
//! expressions leave out and the one that has it makes every component half a megabyte larger.
//! Patterns and values come from strangers, so matching counts its steps and gives up in time.

mod matching;
mod reading;

use matching::Matcher;
pub(crate) use reading::Problem;

/// The longest pattern.
const MAX_LENGTH: usize = 4096;
/// How many steps one match may take; a few milliseconds.
const MAX_STEPS: u32 = 200_000;

/// A pattern that was read.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    root: Node,
    groups: usize,
}

/// A part of a pattern.
#[derive(Debug, Clone)]
enum Node {
    Empty,
    Letter {
        letter: char,
        ignore_case: bool,
    },
    /// Any letter; without `lines`, no line break.
    Any {
        lines: bool,
    },
    Class {
        class: Class,
        ignore_case: bool,
    },
    /// A position.
    Place(Place),
    Sequence(Vec<Node>),
    Either(Vec<Node>),
    Repeat {
        node: Box<Node>,
        least: u32,
        most: u32,
        kind: Greed,
    },
    Group {
        number: usize,
        node: Box<Node>,
    },
    /// What a group matched before.
    Back {
        group: usize,
        ignore_case: bool,
    },
    /// Looks ahead, or back by this many letters.
    Look {
        node: Box<Node>,
        wanted: bool,
        back: Option<u32>,
    },
    /// Matches in one way only.
    Atomic(Box<Node>),
    /// `(?(1)yes|no)`
    If {
        group: usize,
        yes: Box<Node>,
        no: Box<Node>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Greed {
    Greedy,
    Lazy,
    Possessive,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Start,
    LineStart,
    /// The end, or before a line break at the end.
    End,
    LineEnd,
    VeryEnd,
    Word,
    NoWord,
}

/// Letters in brackets.
#[derive(Debug, Clone, Default)]
struct Class {
    items: Vec<Item>,
    negated: bool,
}

#[derive(Debug, Clone, Copy)]
enum Item {
    Range(char, char),
    /// `\d`, `\s`, `\w`; upper case ones are without.
    Kind {
        kind: Kind,
        without: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Digit,
    Space,
    Word,
}

impl Kind {
    fn has(self, letter: char) -> bool {
        match self {
            Self::Digit => letter.is_ascii_digit() || (!letter.is_ascii() && letter.is_numeric()),
            Self::Space => letter.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&letter),
            Self::Word => letter.is_alphanumeric() || letter == '_',
        }
    }
}

impl Pattern {
    /// Reads a pattern.
    pub fn new(text: &str) -> Result<Self, Problem> {
        if text.len() > MAX_LENGTH {
            return Err(Problem("the pattern is too long"));
        }
        let (root, groups) = reading::read(text)?;
        Ok(Self { root, groups })
    }

    /// Whether it matches from the text's start, as far as it goes. A match that takes too long
    /// is none.
    pub fn matches(&self, text: &str) -> bool {
        let letters: Vec<char> = text.chars().collect();
        Matcher::new(&letters, self.groups, MAX_STEPS).matches(&self.root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_python() {
        for (pattern, text, expected) in [
            ("ab+", "abbc", true),
            ("ab+", "cab", false),
            ("a|bc", "bcx", true),
            ("(?=.*[0-9])(?=.*[a-z]).{4,}$", "abc1", true),
            ("(?=.*[0-9])(?=.*[a-z]).{4,}$", "abcd", false),
            ("(?!admin)[a-z]+$", "adminx", false),
            (".*(?<=x)y", "axy", true),
            (".*(?<!x)y", "axy", false),
            ("(ab|c)\\1$", "abab", true),
            ("(?P<q>[xy]).(?P=q)$", "xax", true),
            ("ab$", "ab\n", true),
            ("ab\\Z", "ab\n", false),
            ("(?i)aBc$", "AbC", true),
            ("(?i)[a-c]+$", "ABC", true),
            ("(?x) a b  # both", "ab", true),
            ("a{,2}b", "aab", true),
            ("a{x}", "a{x}", true),
            ("a{2}$", "aaa", false),
            ("a+?b", "aab", true),
            ("(?>a+)ab", "aab", false),
            ("a++b", "aab", true),
            ("(a)?b(?(1)c|d)$", "abc", true),
            ("(a)?b(?(1)c|d)$", "bd", true),
            ("(a)?b(?(1)c|d)$", "bc", false),
            ("[^\\W_]+$", "a_", false),
            ("[]a-]+$", "]-a", true),
            ("\\w+\\b.\\d", "ab 1", true),
            ("(?s)a.b", "a\nb", true),
            ("a.b", "a\nb", false),
            ("(?m)a$\n^b", "a\nb", true),
            ("(?:)*x", "x", true),
            ("(a*)*$", "aaa", true),
            ("\\x41\\u0042\\103\\.$", "ABC.", true),
            ("(?i:a)b$", "Ab", true),
            ("(?i:a)b$", "AB", false),
            ("", "anything", true),
        ] {
            let found = Pattern::new(pattern).map(|read| read.matches(text));
            assert_eq!(found.ok(), Some(expected), "{pattern} {text:?}");
        }
        for pattern in [
            "(",
            ")",
            "a)",
            "*a",
            "a**",
            "[",
            "[b-a]",
            "(a)\\2",
            "(?<=a+)b",
            "\\y",
            "a{2,1}",
            "(?P<a>x)(?P<a>y)",
            "(?P=a)",
            "(?",
            "(?z)",
            "\\",
            "a(?i)",
            "(?(2)a)",
            "[a-\\d]",
        ] {
            assert!(Pattern::new(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn hostile_patterns_end_quickly() {
        let letters = "a".repeat(5000);
        let open = "(".repeat(2000);
        let started = std::time::Instant::now();
        for pattern in [
            "(a+)+$b",
            "(a*)*b",
            "(?=(a+)+b)",
            "((a{0,1000}){0,1000}){0,1000}b",
            &open,
        ] {
            let found = Pattern::new(pattern).map(|read| read.matches(&letters));
            assert!(!matches!(found, Ok(true)), "{pattern}");
        }
        assert!(Pattern::new("a*b?c*").is_ok_and(|read| read.matches(&letters)));
        assert!(started.elapsed().as_millis() < 3000);
    }
}
