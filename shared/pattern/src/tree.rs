//! What a pattern consists of.

/// A part of a pattern.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Empty,
    One(One),
    Place(Place),
    Sequence(Vec<Node>),
    Either(Vec<Node>),
    Repeat(Repeat),
    Group {
        number: usize,
        node: Box<Node>,
    },
    /// The text that a group matched before.
    Back {
        group: usize,
        ignore_case: bool,
    },
    /// Looks at what follows, or at what lies `back` letters before, and moves nowhere.
    Look {
        node: Box<Node>,
        wanted: bool,
        back: Option<u32>,
    },
    /// Matches in its first way only.
    Atomic(Box<Node>),
    /// `(?(1)yes|no)`: which one depends on whether the group has matched.
    If {
        group: usize,
        yes: Box<Node>,
        no: Box<Node>,
    },
}

/// What matches exactly one letter.
#[derive(Debug, Clone)]
pub(crate) enum One {
    Letter {
        letter: char,
        ignore_case: bool,
    },
    /// `.`; without `lines`, it does not match a line break.
    Any {
        lines: bool,
    },
    Class {
        class: Class,
        ignore_case: bool,
    },
}

/// A node that matches several times in a row.
#[derive(Debug, Clone)]
pub(crate) struct Repeat {
    pub node: Box<Node>,
    pub least: u32,
    pub most: u32,
    pub greed: Greed,
}

/// How often a repetition tries to match first, and whether it may change its mind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Greed {
    Greedy,
    Lazy,
    Possessive,
}

/// A condition on a position, which matches no letter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Place {
    Start,
    LineStart,
    /// The end, or before a line break at the end.
    End,
    LineEnd,
    VeryEnd,
    Word,
    NoWord,
}

/// The letters in brackets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Class {
    pub items: Vec<Item>,
    pub negated: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Item {
    Range(char, char),
    /// `\d`, `\s` and `\w`; with a capital letter they mean all letters `without` that kind.
    Kind {
        kind: Kind,
        without: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Digit,
    Space,
    Word,
}

impl Kind {
    pub fn has(self, letter: char) -> bool {
        match self {
            Self::Digit => letter.is_ascii_digit() || (!letter.is_ascii() && letter.is_numeric()),
            Self::Space => letter.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&letter),
            Self::Word => letter.is_alphanumeric() || letter == '_',
        }
    }
}

impl One {
    pub fn fits(&self, letter: char) -> bool {
        match self {
            Self::Letter {
                letter: wanted,
                ignore_case,
            } => *wanted == letter || (*ignore_case && folded(*wanted) == folded(letter)),
            Self::Any { lines } => *lines || letter != '\n',
            Self::Class { class, ignore_case } => {
                let upper = || letter.to_uppercase().next().unwrap_or(letter);
                let found = class.has(letter)
                    || (*ignore_case && (class.has(folded(letter)) || class.has(upper())));
                found != class.negated
            }
        }
    }

    /// How many comparisons a letter may need.
    pub fn size(&self) -> usize {
        match self {
            Self::Letter { .. } | Self::Any { .. } => 1,
            Self::Class { class, .. } => class.items.len(),
        }
    }
}

impl Class {
    fn has(&self, letter: char) -> bool {
        self.items.iter().any(|item| match item {
            Item::Range(first, last) => (*first..=*last).contains(&letter),
            Item::Kind { kind, without } => kind.has(letter) != *without,
        })
    }
}

/// A letter without its case.
pub(crate) fn folded(letter: char) -> char {
    letter.to_lowercase().next().unwrap_or(letter)
}

impl Node {
    /// How many letters the node matches, if it is always the same number.
    pub fn width(&self) -> Option<u32> {
        match self {
            Self::Empty | Self::Place(_) | Self::Look { .. } => Some(0),
            Self::One(_) => Some(1),
            Self::Sequence(nodes) => nodes
                .iter()
                .try_fold(0_u32, |sum, node| sum.checked_add(node.width()?)),
            Self::Either(ways) => {
                let (first, others) = ways.split_first()?;
                let width = first.width()?;
                let same = others.iter().all(|way| way.width() == Some(width));
                same.then_some(width)
            }
            Self::Repeat(repeat) if repeat.least == repeat.most => {
                repeat.node.width()?.checked_mul(repeat.least)
            }
            Self::Group { node, .. } | Self::Atomic(node) => node.width(),
            Self::If { yes, no, .. } => {
                let width = yes.width()?;
                (no.width()? == width).then_some(width)
            }
            Self::Repeat(_) | Self::Back { .. } => None,
        }
    }
}
