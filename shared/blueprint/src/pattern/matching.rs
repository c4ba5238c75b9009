//! Matching by trying: one way after the other, and back where it does not go on.
//!
//! What is still to be matched is a list of continuations on the stack's side of the heap, so
//! that long texts need no deep recursion: only looking ahead and the like recurse, as deep as
//! the pattern is nested.

use super::{Class, Greed, Item, Node, Place};

/// What is to be matched next, as a list that alternatives share.
#[derive(Clone, Copy)]
enum Next<'p> {
    Node(&'p Node),
    /// Repeats a node again, so often done so far, from this position.
    Again {
        node: &'p Node,
        done: u32,
        from: usize,
    },
    /// Closes a group that began here.
    Close {
        group: usize,
        from: usize,
    },
}

/// The continuations, linked by number; 0 is the end.
type Link = u32;

/// A way that was not tried yet.
struct Choice<'p> {
    at: usize,
    next: Option<(Next<'p>, Link)>,
    rest: Link,
    /// How many changes of groups were noted then.
    notes: usize,
    /// How many continuations there were then.
    links: usize,
}

pub(super) struct Matcher<'t> {
    text: &'t [char],
    groups: Vec<Option<(usize, usize)>>,
    steps: u32,
}

impl<'t> Matcher<'t> {
    pub fn new(text: &'t [char], groups: usize, steps: u32) -> Self {
        Self {
            text,
            groups: vec![None; groups + 1],
            steps,
        }
    }

    pub fn matches(&mut self, node: &Node) -> bool {
        self.run(node, 0).is_some()
    }

    /// Where a match from this position ends.
    fn run<'p>(&mut self, node: &'p Node, from: usize) -> Option<usize> {
        let mut links: Vec<(Next<'p>, Link)> = Vec::new();
        let mut choices: Vec<Choice<'p>> = Vec::new();
        let mut notes: Vec<(usize, Option<(usize, usize)>)> = Vec::new();
        let mut at = from;
        let mut next = Some(Next::Node(node));
        let mut rest: Link = 0;
        loop {
            self.steps = self.steps.checked_sub(1)?;
            let step = match next.take() {
                Some(step) => step,
                None => {
                    let Some(place) = (rest as usize).checked_sub(1) else {
                        return Some(at);
                    };
                    let (step, before) = *links.get(place)?;
                    rest = before;
                    step
                }
            };
            let mut push = |next: Next<'p>, rest: Link| -> Link {
                links.push((next, rest));
                links.len() as Link
            };
            let goes_on = match step {
                Next::Close { group, from } => {
                    notes.push((group, self.groups[group]));
                    self.groups[group] = Some((from, at));
                    true
                }
                Next::Again { node, done, from } => {
                    let Node::Repeat {
                        node: inner,
                        least,
                        most,
                        kind,
                    } = node
                    else {
                        return None;
                    };
                    // Going round without getting further would never end.
                    let stuck = done > *least && at == from;
                    if done < *least || (*kind != Greed::Lazy && done < *most && !stuck) {
                        let again = Next::Again {
                            node,
                            done: done + 1,
                            from: at,
                        };
                        let after = push(again, rest);
                        if done >= *least {
                            choices.push(Choice {
                                at,
                                next: None,
                                rest,
                                notes: notes.len(),
                                links: links.len(),
                            });
                        }
                        rest = after;
                        next = Some(Next::Node(inner));
                    } else if *kind == Greed::Lazy && done < *most && !stuck {
                        let again = Next::Again {
                            node,
                            done: done + 1,
                            from: at,
                        };
                        let after = push(again, rest);
                        choices.push(Choice {
                            at,
                            next: Some((Next::Node(inner), after)),
                            rest: after,
                            notes: notes.len(),
                            links: links.len(),
                        });
                    }
                    true
                }
                Next::Node(node) => match node {
                    Node::Empty => true,
                    Node::Letter { .. } | Node::Any { .. } | Node::Class { .. } => {
                        let fits = self.text.get(at).is_some_and(|letter| one(node, *letter));
                        at += usize::from(fits);
                        fits
                    }
                    Node::Place(place) => self.is_at(*place, at),
                    Node::Sequence(nodes) => {
                        self.steps = self.steps.checked_sub(nodes.len() as u32)?;
                        for node in nodes.iter().rev() {
                            rest = push(Next::Node(node), rest);
                        }
                        true
                    }
                    Node::Either(ways) => {
                        for way in ways.iter().skip(1).rev() {
                            choices.push(Choice {
                                at,
                                next: Some((Next::Node(way), rest)),
                                rest,
                                notes: notes.len(),
                                links: links.len(),
                            });
                        }
                        next = ways.first().map(Next::Node);
                        true
                    }
                    Node::Repeat {
                        node: inner, kind, ..
                    } => match (kind, &**inner) {
                        (Greed::Possessive, _) => match self.possessive(node, at) {
                            Some(end) => {
                                at = end;
                                true
                            }
                            None => false,
                        },
                        _ => {
                            next = Some(Next::Again {
                                node,
                                done: 0,
                                from: at,
                            });
                            true
                        }
                    },
                    Node::Group { number, node } => {
                        rest = push(
                            Next::Close {
                                group: *number,
                                from: at,
                            },
                            rest,
                        );
                        next = Some(Next::Node(node));
                        true
                    }
                    Node::Back { group, ignore_case } => match self.groups[*group] {
                        None => false,
                        Some((start, end)) => {
                            let length = end - start;
                            let same = at + length <= self.text.len()
                                && (0..length).all(|place| {
                                    let (one, other) =
                                        (self.text[start + place], self.text[at + place]);
                                    one == other || (*ignore_case && folded(one) == folded(other))
                                });
                            at += if same { length } else { 0 };
                            same
                        }
                    },
                    Node::Look { node, wanted, back } => {
                        let start = match back {
                            None => Some(at),
                            Some(length) => at.checked_sub(*length as usize),
                        };
                        self.steps = self.steps.checked_sub(self.groups.len() as u32)?;
                        let kept = self.groups.clone();
                        let end = start.and_then(|start| self.run(node, start));
                        let found = match back {
                            None => end.is_some(),
                            Some(_) => end == Some(at),
                        };
                        if found && *wanted {
                            for (group, old) in kept.iter().enumerate() {
                                if *old != self.groups[group] {
                                    notes.push((group, *old));
                                }
                            }
                        } else {
                            self.groups = kept;
                        }
                        found == *wanted
                    }
                    Node::Atomic(node) => match self.alone(node, at, &mut notes) {
                        Some(end) => {
                            at = end;
                            true
                        }
                        None => false,
                    },
                    Node::If { group, yes, no } => {
                        let way = if self.groups[*group].is_some() {
                            yes
                        } else {
                            no
                        };
                        next = Some(Next::Node(way));
                        true
                    }
                },
            };
            if goes_on {
                continue;
            }
            // Back to the last way that is left.
            let Some(choice) = choices.pop() else {
                for (group, old) in notes.into_iter().rev() {
                    self.groups[group] = old;
                }
                return None;
            };
            for (group, old) in notes.drain(choice.notes..).rev() {
                self.groups[group] = old;
            }
            links.truncate(choice.links);
            at = choice.at;
            rest = choice.rest;
            next = choice.next.map(|(next, after)| {
                rest = after;
                next
            });
        }
    }

    /// Matches a node in its first way, and notes which groups that changed.
    fn alone(
        &mut self,
        node: &Node,
        at: usize,
        notes: &mut Vec<(usize, Option<(usize, usize)>)>,
    ) -> Option<usize> {
        self.steps = self.steps.checked_sub(self.groups.len() as u32)?;
        let kept = self.groups.clone();
        let end = self.run(node, at)?;
        for (group, old) in kept.into_iter().enumerate() {
            if old != self.groups[group] {
                notes.push((group, old));
            }
        }
        Some(end)
    }

    fn possessive(&mut self, node: &Node, at: usize) -> Option<usize> {
        let Node::Repeat {
            node, least, most, ..
        } = node
        else {
            return None;
        };
        let (mut at, mut done) = (at, 0);
        while done < *most {
            match self.run(node, at) {
                Some(end) if end > at => at = end,
                Some(_) => {
                    done = done.max(*least);
                    break;
                }
                None => break,
            }
            done += 1;
        }
        (done >= *least).then_some(at)
    }

    fn is_at(&self, place: Place, at: usize) -> bool {
        let is_word = |at: Option<usize>| {
            let letter = at.and_then(|at| self.text.get(at));
            letter.is_some_and(|letter| super::Kind::Word.has(*letter))
        };
        let length = self.text.len();
        let border = || is_word(at.checked_sub(1)) != is_word(Some(at));
        match place {
            Place::Start => at == 0,
            Place::LineStart => at == 0 || self.text.get(at - 1) == Some(&'\n'),
            Place::End => at == length || (at + 1 == length && self.text[at] == '\n'),
            Place::LineEnd => at == length || self.text.get(at) == Some(&'\n'),
            Place::VeryEnd => at == length,
            Place::Word => border(),
            Place::NoWord => !border(),
        }
    }
}

/// A letter without its case.
fn folded(letter: char) -> char {
    letter.to_lowercase().next().unwrap_or(letter)
}

/// Whether a node for one letter fits it.
fn one(node: &Node, letter: char) -> bool {
    match node {
        Node::Letter {
            letter: wanted,
            ignore_case,
        } => *wanted == letter || (*ignore_case && folded(*wanted) == folded(letter)),
        Node::Any { lines } => *lines || letter != '\n',
        Node::Class { class, ignore_case } => {
            let upper = || letter.to_uppercase().next().unwrap_or(letter);
            let found = class.has(letter)
                || (*ignore_case && (class.has(folded(letter)) || class.has(upper())));
            found != class.negated
        }
        _ => false,
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
