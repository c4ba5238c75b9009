//! One way through a pattern, and the other ways that were left for later.

use super::Groups;
use crate::tree::{Greed, Node, Repeat};

/// Where something that matched begins and ends.
pub(super) type Span = (usize, usize);

/// What is to be matched next.
#[derive(Clone, Copy)]
pub(super) enum Next<'p> {
    Node(&'p Node),
    /// Any of these, the first one first.
    Ways(&'p [Node]),
    /// Repeats once more. So often was it done, and the last time began at this position.
    Again {
        repeat: &'p Repeat,
        done: u32,
        from: usize,
    },
    /// Closes a group that began at this position.
    Close {
        group: usize,
        from: usize,
    },
}

/// A place in [`Way::links`], counted from 1. 0 is the end of the pattern.
type Link = usize;

/// What a group matched before it was changed.
pub(super) struct Note {
    pub group: usize,
    pub before: Option<Span>,
}

/// Another way to go on from a position.
struct Choice<'p> {
    at: usize,
    next: Option<Next<'p>>,
    rest: Link,
    /// How many notes there were at that time.
    notes: usize,
    /// How many links there were at that time.
    links: usize,
}

/// The way that is being tried.
pub(super) struct Way<'p> {
    /// The position in the text.
    pub at: usize,
    /// The changes of groups on this way.
    pub notes: Vec<Note>,
    next: Option<Next<'p>>,
    /// What comes after `next`.
    rest: Link,
    /// What is still to be matched: each link with the one after it. Choices share their ends.
    links: Vec<(Next<'p>, Link)>,
    choices: Vec<Choice<'p>>,
}

impl<'p> Way<'p> {
    pub fn new(node: &'p Node, from: usize) -> Self {
        Self {
            at: from,
            notes: Vec::new(),
            next: Some(Next::Node(node)),
            rest: 0,
            links: Vec::new(),
            choices: Vec::new(),
        }
    }

    /// What is to be matched now; nothing at the end of the pattern.
    pub fn take(&mut self) -> Option<Next<'p>> {
        if let Some(next) = self.next.take() {
            return Some(next);
        }
        let (next, rest) = *self.links.get(self.rest.checked_sub(1)?)?;
        self.rest = rest;
        Some(next)
    }

    /// Puts something in front of the rest.
    pub fn push(&mut self, next: Next<'p>) {
        self.links.push((next, self.rest));
        self.rest = self.links.len();
    }

    /// Puts something in front of the rest, to be taken at once.
    pub fn enter(&mut self, next: Next<'p>) {
        self.next = Some(next);
    }

    /// Leaves a way for later: from here with `next`, or with the rest alone.
    fn leave(&mut self, next: Option<Next<'p>>) {
        self.choices.push(Choice {
            at: self.at,
            next,
            rest: self.rest,
            notes: self.notes.len(),
            links: self.links.len(),
        });
    }

    /// Takes the first of several nodes and leaves the others for later. Whether there is one.
    pub fn either(&mut self, ways: &'p [Node]) -> bool {
        let Some((first, others)) = ways.split_first() else {
            return false;
        };
        if !others.is_empty() {
            self.leave(Some(Next::Ways(others)));
        }
        self.enter(Next::Node(first));
        true
    }

    /// Repeats once more, or goes on after the repetition, or leaves one of both for later.
    pub fn again(&mut self, repeat: &'p Repeat, done: u32, from: usize) {
        let must = done < repeat.least;
        // Going round without getting further would never end.
        let is_stuck = done > repeat.least && self.at == from;
        if !must && (is_stuck || done >= repeat.most) {
            return;
        }
        let is_lazy = repeat.greed == Greed::Lazy;
        if !must && !is_lazy {
            self.leave(None);
        }
        let after = self.rest;
        self.push(Next::Again {
            repeat,
            done: done.saturating_add(1),
            from: self.at,
        });
        if !must && is_lazy {
            self.leave(Some(Next::Node(&repeat.node)));
            self.rest = after;
        } else {
            self.enter(Next::Node(&repeat.node));
        }
    }

    /// Goes back to the last way that was left, and takes back what groups matched since. Whether
    /// there is one.
    pub fn back(&mut self, groups: &mut Groups) -> bool {
        let Some(choice) = self.choices.pop() else {
            groups.undo(self.notes.drain(..));
            return false;
        };
        groups.undo(self.notes.drain(choice.notes..));
        self.links.truncate(choice.links);
        self.at = choice.at;
        self.next = choice.next;
        self.rest = choice.rest;
        true
    }
}
