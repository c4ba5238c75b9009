//! Reading patterns: from a text to a tree.

mod escapes;
mod groups;

use crate::Problem;
use crate::tree::{Greed, Node, One, Place, Repeat};

type Result<T> = std::result::Result<T, Problem>;

/// How many parentheses may be open at once.
const MAX_NESTING: usize = 100;
/// The largest number of repetitions.
const MAX_TIMES: u32 = u32::MAX - 1;

/// What `(?imsx)` switches on.
#[derive(Clone, Copy, Default)]
struct Flags {
    ignore_case: bool,
    lines: bool,
    dot_all: bool,
    verbose: bool,
}

/// Reads a pattern letter by letter.
struct Reader {
    letters: Vec<char>,
    at: usize,
    /// How many parentheses are open.
    depth: usize,
    flags: Flags,
    /// The names of the groups so far; a group without a name counts too.
    groups: Vec<Option<String>>,
    /// The numbers of the groups that are not closed yet.
    open: Vec<usize>,
}

/// Reads a pattern. Returns its tree, and how many groups it has.
pub(super) fn read(text: &str) -> Result<(Node, usize)> {
    let mut reader = Reader {
        letters: text.chars().collect(),
        at: 0,
        depth: 0,
        flags: Flags::default(),
        groups: Vec::new(),
        open: Vec::new(),
    };
    let node = reader.ways()?;
    match reader.peek() {
        None => Ok((node, reader.groups.len())),
        Some(_) => Err(Problem("unbalanced parenthesis")),
    }
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn take(&mut self) -> Option<char> {
        let letter = self.peek();
        self.at += usize::from(letter.is_some());
        letter
    }

    fn skip(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    /// Takes a name and the letter that ends it.
    fn until(&mut self, end: char) -> Result<String> {
        let mut text = String::new();
        loop {
            match self.take() {
                Some(letter) if letter == end => return Ok(text),
                Some(letter) => text.push(letter),
                None => return Err(Problem("missing end of a name")),
            }
        }
    }

    /// Reads alternatives up to a closing parenthesis or the end.
    fn ways(&mut self) -> Result<Node> {
        let first = self.sequence()?;
        if self.peek() != Some('|') {
            return Ok(first);
        }
        let mut ways = vec![first];
        while self.skip('|') {
            ways.push(self.sequence()?);
        }
        Ok(Node::Either(ways))
    }

    fn sequence(&mut self) -> Result<Node> {
        let mut nodes = Vec::new();
        while let Some(letter) = self.peek() {
            if letter == '|' || letter == ')' {
                break;
            }
            if self.flags.verbose && (letter.is_whitespace() || letter == '#') {
                self.comment(letter);
                continue;
            }
            let (node, repeatable) = self.atom()?;
            let node = self.repeated(node, repeatable)?;
            if !matches!(node, Node::Empty) {
                nodes.push(node);
            }
        }
        if nodes.len() > 1 {
            return Ok(Node::Sequence(nodes));
        }
        Ok(nodes.pop().unwrap_or(Node::Empty))
    }

    /// Skips a blank, or a comment up to the end of its line.
    fn comment(&mut self, letter: char) {
        self.at += 1;
        while letter == '#' && self.take().is_some_and(|letter| letter != '\n') {}
    }

    /// Reads one node, and tells whether `*` and the like may stand behind it.
    fn atom(&mut self) -> Result<(Node, bool)> {
        let flags = self.flags;
        let letter = self.take().ok_or(Problem("unexpected end"))?;
        Ok(match letter {
            '.' => {
                let lines = flags.dot_all;
                (Node::One(One::Any { lines }), true)
            }
            '^' if flags.lines => (Node::Place(Place::LineStart), false),
            '^' => (Node::Place(Place::Start), false),
            '$' if flags.lines => (Node::Place(Place::LineEnd), false),
            '$' => (Node::Place(Place::End), false),
            '[' => (self.class()?, true),
            '(' => self.group()?,
            '\\' => (self.escape()?, true),
            '*' | '+' | '?' => return Err(Problem("nothing to repeat")),
            letter => (self.letter(letter), true),
        })
    }

    fn letter(&self, letter: char) -> Node {
        Node::One(One::Letter {
            letter,
            ignore_case: self.flags.ignore_case,
        })
    }

    /// Puts a node into the repetition that stands behind it, if there is one.
    fn repeated(&mut self, node: Node, repeatable: bool) -> Result<Node> {
        let start = self.at;
        let (least, most) = match self.peek() {
            Some('*') => (0, MAX_TIMES),
            Some('+') => (1, MAX_TIMES),
            Some('?') => (0, 1),
            Some('{') => match self.times()? {
                Some(times) => times,
                None => {
                    self.at = start;
                    return Ok(node);
                }
            },
            _ => return Ok(node),
        };
        if self.at == start {
            self.at += 1;
        }
        if !repeatable {
            return Err(Problem("nothing to repeat"));
        }
        let greed = if self.skip('?') {
            Greed::Lazy
        } else if self.skip('+') {
            Greed::Possessive
        } else {
            Greed::Greedy
        };
        let again = match self.peek() {
            Some('*' | '+' | '?') => true,
            Some('{') => {
                let start = self.at;
                let found = self.times()?.is_some();
                self.at = start;
                found
            }
            _ => false,
        };
        if again {
            return Err(Problem("multiple repeat"));
        }
        Ok(Node::Repeat(Repeat {
            node: Box::new(node),
            least,
            most,
            greed,
        }))
    }

    /// Reads `{2}`, `{2,}`, `{,2}` or `{1,2}`. A brace that begins none of them is a letter.
    fn times(&mut self) -> Result<Option<(u32, u32)>> {
        self.at += 1;
        let least = self.digits();
        let comma = self.skip(',');
        let most = if comma { self.digits() } else { least.clone() };
        if !self.skip('}') || (least.is_empty() && !comma) {
            return Ok(None);
        }
        let number = |text: &str, other: u32| match text {
            "" => Ok(other),
            text => text
                .parse::<u32>()
                .map_err(|_| Problem("the repetition number is too large")),
        };
        let (least, most) = (number(&least, 0)?, number(&most, MAX_TIMES)?);
        match least > most {
            true => Err(Problem("min repeat greater than max repeat")),
            false => Ok(Some((least, most))),
        }
    }

    fn digits(&mut self) -> String {
        let mut digits = String::new();
        while let Some(digit) = self.peek().filter(char::is_ascii_digit) {
            digits.push(digit);
            self.at += 1;
        }
        digits
    }
}
