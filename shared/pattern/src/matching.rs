//! Matching by trying: one way after the other, and back where a way does not go on.
//!
//! What is still to be matched is a list on the heap, so long texts need no deep recursion. Only
//! nodes that match on their own, such as those that look ahead, call the matcher again, and they
//! are nested as deep as the pattern is.

mod way;

use crate::TooManySteps;
use crate::tree::{Greed, Kind, Node, One, Place, Repeat, folded};
use way::{Next, Note, Span, Way};

/// How many comparisons of letters count as one step.
const COMPARISONS: usize = 8;

/// Matches one text. It keeps what groups matched and counts the steps.
pub(crate) struct Matcher<'t> {
    text: &'t [char],
    groups: Groups,
    steps: u32,
}

/// What each group matched last, by number.
pub(crate) struct Groups(Vec<Option<Span>>);

impl Groups {
    fn get(&self, group: usize) -> Option<Span> {
        self.0.get(group).copied().flatten()
    }

    /// Sets a group and returns what it was before.
    fn set(&mut self, group: usize, span: Option<Span>) -> Note {
        let before = match self.0.get_mut(group) {
            Some(place) => std::mem::replace(place, span),
            None => None,
        };
        Note { group, before }
    }

    /// Takes changes back, the last one first.
    fn undo(&mut self, notes: impl DoubleEndedIterator<Item = Note>) {
        for note in notes.rev() {
            self.set(note.group, note.before);
        }
    }
}

type Result<T> = std::result::Result<T, TooManySteps>;

impl<'t> Matcher<'t> {
    pub fn new(text: &'t [char], groups: usize, steps: u32) -> Self {
        Self {
            text,
            groups: Groups(vec![None; groups + 1]),
            steps,
        }
    }

    /// Where the first match that begins at this position ends. Without one, the groups are as
    /// before.
    pub fn run(&mut self, node: &Node, from: usize) -> Result<Option<usize>> {
        let mut way = Way::new(node, from);
        loop {
            self.spend(1)?;
            let Some(next) = way.take() else {
                return Ok(Some(way.at));
            };
            let goes_on = match next {
                Next::Node(node) => self.node(&mut way, node)?,
                Next::Ways(ways) => way.either(ways),
                Next::Again { repeat, done, from } => {
                    way.again(repeat, done, from);
                    true
                }
                Next::Close { group, from } => {
                    let note = self.groups.set(group, Some((from, way.at)));
                    way.notes.push(note);
                    true
                }
            };
            if !goes_on && !way.back(&mut self.groups) {
                return Ok(None);
            }
        }
    }

    /// Counts steps.
    fn spend(&mut self, steps: usize) -> Result<()> {
        let steps = u32::try_from(steps).map_err(|_| TooManySteps)?;
        self.steps = self.steps.checked_sub(steps).ok_or(TooManySteps)?;
        Ok(())
    }

    /// Matches a node, or notes what has to be matched for it. Whether the way goes on.
    fn node<'p>(&mut self, way: &mut Way<'p>, node: &'p Node) -> Result<bool> {
        match node {
            Node::Empty => Ok(true),
            Node::One(one) => self.one(way, one),
            Node::Place(place) => Ok(self.is_at(*place, way.at)),
            Node::Sequence(nodes) => {
                self.spend(nodes.len())?;
                for node in nodes.iter().rev() {
                    way.push(Next::Node(node));
                }
                Ok(true)
            }
            Node::Either(ways) => Ok(way.either(ways)),
            Node::Repeat(repeat) if repeat.greed == Greed::Possessive => {
                self.apart(way, |matcher, at| matcher.possessive(repeat, at))
            }
            Node::Repeat(repeat) => {
                way.again(repeat, 0, way.at);
                Ok(true)
            }
            Node::Group { number, node } => {
                way.push(Next::Close {
                    group: *number,
                    from: way.at,
                });
                way.enter(Next::Node(node));
                Ok(true)
            }
            Node::Back { group, ignore_case } => self.back(way, *group, *ignore_case),
            Node::Look { node, wanted, back } => self.look(way, node, *wanted, *back),
            Node::Atomic(node) => self.apart(way, |matcher, at| matcher.run(node, at)),
            Node::If { group, yes, no } => {
                let node = if self.groups.get(*group).is_some() {
                    yes
                } else {
                    no
                };
                way.enter(Next::Node(node));
                Ok(true)
            }
        }
    }

    fn one(&mut self, way: &mut Way<'_>, one: &One) -> Result<bool> {
        self.spend(one.size() / COMPARISONS)?;
        let fits = self
            .text
            .get(way.at)
            .is_some_and(|letter| one.fits(*letter));
        way.at += usize::from(fits);
        Ok(fits)
    }

    /// Matches the text that a group matched before.
    fn back(&mut self, way: &mut Way<'_>, group: usize, ignore_case: bool) -> Result<bool> {
        let Some((start, end)) = self.groups.get(group) else {
            return Ok(false);
        };
        let length = end.saturating_sub(start);
        self.spend(length / COMPARISONS)?;
        let (Some(before), Some(here)) = (
            self.text.get(start..end),
            self.text.get(way.at..way.at + length),
        ) else {
            return Ok(false);
        };
        let same = |(one, other): (&char, &char)| {
            one == other || (ignore_case && folded(*one) == folded(*other))
        };
        let fits = before.iter().zip(here).all(same);
        way.at += if fits { length } else { 0 };
        Ok(fits)
    }

    /// Looks ahead or back. After an unwanted match the way does not go on, so what groups
    /// matched in it is undone.
    fn look(
        &mut self,
        way: &mut Way<'_>,
        node: &Node,
        wanted: bool,
        back: Option<u32>,
    ) -> Result<bool> {
        let here = way.at;
        let found = self.apart(way, |matcher, at| {
            let Some(length) = back else {
                return matcher.run(node, at);
            };
            match at.checked_sub(length as usize) {
                Some(start) => Ok(matcher.run(node, start)?.filter(|end| *end == at)),
                None => Ok(None),
            }
        })?;
        way.at = here;
        Ok(found == wanted)
    }

    /// Lets something match on its own, without going back into it later. What that changed in
    /// the groups is noted, so that it can be undone.
    fn apart(
        &mut self,
        way: &mut Way<'_>,
        matched: impl FnOnce(&mut Self, usize) -> Result<Option<usize>>,
    ) -> Result<bool> {
        self.spend(self.groups.0.len())?;
        let before = self.groups.0.clone();
        let Some(end) = matched(self, way.at)? else {
            self.groups.0 = before;
            return Ok(false);
        };
        let changes = before.into_iter().zip(&self.groups.0).enumerate();
        way.notes.extend(
            changes
                .filter(|(_, (before, now))| before != *now)
                .map(|(group, (before, _))| Note { group, before }),
        );
        way.at = end;
        Ok(true)
    }

    /// Repeats as often as it goes, each time in the first way only.
    fn possessive(&mut self, repeat: &Repeat, from: usize) -> Result<Option<usize>> {
        let (mut at, mut done) = (from, 0);
        while done < repeat.most {
            match self.run(&repeat.node, at)? {
                Some(end) if end > at => at = end,
                // It can match nothing as often as it must.
                Some(_) => {
                    done = done.max(repeat.least);
                    break;
                }
                None => break,
            }
            done += 1;
        }
        Ok((done >= repeat.least).then_some(at))
    }

    fn is_at(&self, place: Place, at: usize) -> bool {
        let letter = |at: Option<usize>| at.and_then(|at| self.text.get(at)).copied();
        let before = || letter(at.checked_sub(1));
        let here = || letter(Some(at));
        let is_word = |letter: Option<char>| letter.is_some_and(|letter| Kind::Word.has(letter));
        let border = || is_word(before()) != is_word(here());
        let length = self.text.len();
        match place {
            Place::Start => at == 0,
            Place::LineStart => at == 0 || before() == Some('\n'),
            Place::End => at == length || (at + 1 == length && here() == Some('\n')),
            Place::LineEnd => at == length || here() == Some('\n'),
            Place::VeryEnd => at == length,
            Place::Word => border(),
            Place::NoWord => !border(),
        }
    }
}
