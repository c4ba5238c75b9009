//! Reading patterns.

use super::{Class, Greed, Item, Kind, Node, Place};

/// Why a text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Problem(pub &'static str);

type Result<T> = std::result::Result<T, Problem>;

/// How deep groups may lie in groups.
const MAX_NESTING: usize = 100;
/// The largest number of repetitions.
const MAX_TIMES: u32 = u32::MAX - 1;

/// `(?imsx)`
#[derive(Clone, Copy, Default)]
struct Flags {
    ignore_case: bool,
    lines: bool,
    dot_all: bool,
    verbose: bool,
}

struct Reader {
    letters: Vec<char>,
    at: usize,
    depth: usize,
    flags: Flags,
    /// Names of groups, by number; none for those without.
    groups: Vec<Option<String>>,
    /// Groups that are not closed yet.
    open: Vec<usize>,
}

/// A pattern's tree, and how many groups it has.
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

    /// Alternatives up to a closing parenthesis or the end.
    fn ways(&mut self) -> Result<Node> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return Err(Problem("too many groups in groups"));
        }
        let mut ways = vec![self.sequence()?];
        while self.skip('|') {
            ways.push(self.sequence()?);
        }
        self.depth -= 1;
        Ok(match ways.len() {
            1 => ways.remove(0),
            _ => Node::Either(ways),
        })
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
        Ok(match nodes.len() {
            0 => Node::Empty,
            1 => nodes.remove(0),
            _ => Node::Sequence(nodes),
        })
    }

    fn comment(&mut self, letter: char) {
        self.at += 1;
        while letter == '#' && self.take().is_some_and(|letter| letter != '\n') {}
    }

    /// A node behind which `*` and the like may stand, and whether they may.
    fn atom(&mut self) -> Result<(Node, bool)> {
        let flags = self.flags;
        let letter = self.take().ok_or(Problem("unexpected end"))?;
        Ok(match letter {
            '.' => (
                Node::Any {
                    lines: flags.dot_all,
                },
                true,
            ),
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
        Node::Letter {
            letter,
            ignore_case: self.flags.ignore_case,
        }
    }

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
        let kind = if self.skip('?') {
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
        Ok(Node::Repeat {
            node: Box::new(node),
            least,
            most,
            kind,
        })
    }

    /// `{2}`, `{2,}`, `{,2}`, `{1,2}`; a brace that is none of them is a letter.
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

    fn group(&mut self) -> Result<(Node, bool)> {
        if !self.skip('?') {
            return Ok((self.capture(None)?, true));
        }
        let flags = self.flags;
        let inner = match self.take().ok_or(Problem("unexpected end of pattern"))? {
            ':' => self.ways()?,
            '>' => Node::Atomic(Box::new(self.ways()?)),
            '#' => {
                self.until(')')?;
                return Ok((Node::Empty, false));
            }
            '=' => self.look(true, false)?,
            '!' => self.look(false, false)?,
            '<' if self.skip('=') => self.look(true, true)?,
            '<' if self.skip('!') => self.look(false, true)?,
            'P' if self.skip('<') => {
                let name = self.until('>')?;
                let known = self.groups.iter().flatten().any(|known| *known == name);
                if known || !is_name(&name) {
                    return Err(Problem("bad name of a group"));
                }
                return Ok((self.capture(Some(name))?, true));
            }
            'P' if self.skip('=') => {
                let name = self.until(')')?;
                return Ok((self.back(self.number_of(&name)?)?, true));
            }
            '(' => self.condition()?,
            letter => return self.flags(letter, flags),
        };
        self.close()?;
        self.flags = flags;
        let repeatable = !matches!(inner, Node::Look { .. });
        // A group in which alternatives are stays one node.
        Ok((inner, repeatable))
    }

    fn close(&mut self) -> Result<()> {
        match self.skip(')') {
            true => Ok(()),
            false => Err(Problem("missing ), unterminated subpattern")),
        }
    }

    fn capture(&mut self, name: Option<String>) -> Result<Node> {
        let flags = self.flags;
        self.groups.push(name);
        let number = self.groups.len();
        self.open.push(number);
        let node = Box::new(self.ways()?);
        self.close()?;
        self.open.pop();
        self.flags = flags;
        Ok(Node::Group { number, node })
    }

    fn look(&mut self, wanted: bool, behind: bool) -> Result<Node> {
        let node = self.ways()?;
        let back = match behind {
            true => Some(width(&node).ok_or(Problem("look-behind requires fixed-width pattern"))?),
            false => None,
        };
        Ok(Node::Look {
            node: Box::new(node),
            wanted,
            back,
        })
    }

    fn condition(&mut self) -> Result<Node> {
        let name = self.until(')')?;
        let group = match name.parse::<usize>() {
            Ok(number) if (1..=self.groups.len()).contains(&number) => number,
            Ok(_) => return Err(Problem("invalid group reference")),
            Err(_) => self.number_of(&name)?,
        };
        let yes = Box::new(self.sequence()?);
        let no = match self.skip('|') {
            true => self.sequence()?,
            false => Node::Empty,
        };
        match self.peek() {
            Some('|') => Err(Problem("conditional backref with more than two branches")),
            _ => Ok(Node::If {
                group,
                yes,
                no: Box::new(no),
            }),
        }
    }

    fn number_of(&self, name: &str) -> Result<usize> {
        let place = self
            .groups
            .iter()
            .position(|known| known.as_deref() == Some(name));
        place
            .map(|place| place + 1)
            .ok_or(Problem("unknown group name"))
    }

    fn back(&self, group: usize) -> Result<Node> {
        if group == 0 || group > self.groups.len() {
            return Err(Problem("invalid group reference"));
        }
        if self.open.contains(&group) {
            return Err(Problem("cannot refer to an open group"));
        }
        Ok(Node::Back {
            group,
            ignore_case: self.flags.ignore_case,
        })
    }

    /// `(?i)` at the very start for all, `(?i:..)` and `(?-i:..)` for a part.
    fn flags(&mut self, first: char, before: Flags) -> Result<(Node, bool)> {
        let starts = self.at == 3;
        let mut letter = Some(first);
        let mut on = true;
        let mut any = false;
        loop {
            let current = letter.ok_or(Problem("missing -, : or )"))?;
            match current {
                'i' => self.flags.ignore_case = on,
                'm' if on => self.flags.lines = true,
                'm' => self.flags.lines = false,
                's' => self.flags.dot_all = on,
                'x' => self.flags.verbose = on,
                'u' | 'a' | 'L' if on => {}
                '-' if on => on = false,
                ')' if on && any && starts => return Ok((Node::Empty, false)),
                ')' if on && any => {
                    return Err(Problem("global flags not at the start of the expression"));
                }
                ':' if any => {
                    let node = self.ways()?;
                    self.close()?;
                    self.flags = before;
                    return Ok((node, true));
                }
                _ => return Err(Problem("unknown extension")),
            }
            any = current != '-' || any;
            letter = self.take();
        }
    }

    /// What stands behind a backslash outside of brackets.
    fn escape(&mut self) -> Result<Node> {
        let letter = self.take().ok_or(Problem("bad escape (end of pattern)"))?;
        if let Some((kind, without)) = kind(letter) {
            let class = Class {
                items: vec![Item::Kind { kind, without }],
                negated: false,
            };
            return Ok(Node::Class {
                class,
                ignore_case: false,
            });
        }
        Ok(match letter {
            'A' => Node::Place(Place::Start),
            'Z' => Node::Place(Place::VeryEnd),
            'b' => Node::Place(Place::Word),
            'B' => Node::Place(Place::NoWord),
            '1'..='9' => {
                let start = self.at - 1;
                let octal = |place: usize| {
                    self.letters
                        .get(place)
                        .is_some_and(|one| ('0'..='7').contains(one))
                };
                if ('1'..='3').contains(&letter) && octal(start + 1) && octal(start + 2) {
                    self.at = start;
                    let letter = self.octal()?;
                    return Ok(self.letter(letter));
                }
                let mut number = letter as usize - '0' as usize;
                if let Some(digit) = self.peek().and_then(|digit| digit.to_digit(10)) {
                    self.at += 1;
                    number = number * 10 + digit as usize;
                }
                return self.back(number);
            }
            letter => {
                let letter = self.escaped(letter)?;
                self.letter(letter)
            }
        })
    }

    /// A letter that is written with a backslash.
    fn escaped(&mut self, letter: char) -> Result<char> {
        Ok(match letter {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'f' => '\u{c}',
            'v' => '\u{b}',
            'a' => '\u{7}',
            'x' => self.hexadecimal(2)?,
            'u' => self.hexadecimal(4)?,
            'U' => self.hexadecimal(8)?,
            '0' => {
                self.at -= 1;
                self.octal()?
            }
            letter if letter.is_ascii_alphanumeric() => return Err(Problem("bad escape")),
            letter => letter,
        })
    }

    fn hexadecimal(&mut self, length: usize) -> Result<char> {
        let mut number = 0;
        for _ in 0..length {
            let digit = self.take().and_then(|digit| digit.to_digit(16));
            number = number * 16 + digit.ok_or(Problem("incomplete escape"))?;
        }
        char::from_u32(number).ok_or(Problem("bad escape"))
    }

    /// Up to three octal digits.
    fn octal(&mut self) -> Result<char> {
        let mut number = 0;
        for _ in 0..3 {
            match self.peek().and_then(|digit| digit.to_digit(8)) {
                Some(digit) => {
                    number = number * 8 + digit;
                    self.at += 1;
                }
                None => break,
            }
        }
        char::from_u32(number).ok_or(Problem("bad escape"))
    }

    fn class(&mut self) -> Result<Node> {
        let mut class = Class {
            negated: self.skip('^'),
            ..Class::default()
        };
        let open = Problem("unterminated character set");
        let start = self.at;
        loop {
            let letter = self.take().ok_or(open)?;
            if letter == ']' && self.at > start + 1 {
                break;
            }
            let item = self.class_item(letter)?;
            let is_range = self.peek() == Some('-')
                && self
                    .letters
                    .get(self.at + 1)
                    .is_some_and(|next| *next != ']');
            if !is_range {
                class.items.push(item);
                continue;
            }
            self.at += 1;
            let letter = self.take().ok_or(open)?;
            match (item, self.class_item(letter)?) {
                (Item::Range(first, _), Item::Range(last, _)) if first <= last => {
                    class.items.push(Item::Range(first, last));
                }
                _ => return Err(Problem("bad character range")),
            }
        }
        Ok(Node::Class {
            class,
            ignore_case: self.flags.ignore_case,
        })
    }

    fn class_item(&mut self, letter: char) -> Result<Item> {
        if letter != '\\' {
            return Ok(Item::Range(letter, letter));
        }
        let letter = self.take().ok_or(Problem("unterminated character set"))?;
        if let Some((kind, without)) = kind(letter) {
            return Ok(Item::Kind { kind, without });
        }
        let letter = match letter {
            'b' => '\u{8}',
            '0'..='7' => {
                self.at -= 1;
                self.octal()?
            }
            letter => self.escaped(letter)?,
        };
        Ok(Item::Range(letter, letter))
    }
}

fn kind(letter: char) -> Option<(Kind, bool)> {
    let kind = match letter.to_ascii_lowercase() {
        'd' => Kind::Digit,
        's' => Kind::Space,
        'w' => Kind::Word,
        _ => return None,
    };
    Some((kind, letter.is_ascii_uppercase()))
}

fn is_name(name: &str) -> bool {
    let mut letters = name.chars();
    let first = letters.next();
    first.is_some_and(|letter| letter.is_alphabetic() || letter == '_')
        && letters.all(|letter| letter.is_alphanumeric() || letter == '_')
}

/// How many letters a node matches, if it is always the same number.
fn width(node: &Node) -> Option<u32> {
    match node {
        Node::Empty | Node::Place(_) | Node::Look { .. } => Some(0),
        Node::Letter { .. } | Node::Any { .. } | Node::Class { .. } => Some(1),
        Node::Sequence(nodes) => nodes
            .iter()
            .try_fold(0_u32, |sum, node| sum.checked_add(width(node)?)),
        Node::Either(ways) => {
            let first = width(ways.first()?)?;
            let same = ways.iter().all(|way| width(way) == Some(first));
            same.then_some(first)
        }
        Node::Repeat {
            node, least, most, ..
        } if least == most => width(node)?.checked_mul(*least),
        Node::Group { node, .. } | Node::Atomic(node) => width(node),
        Node::If { yes, no, .. } => {
            let first = width(yes)?;
            (width(no)? == first).then_some(first)
        }
        Node::Repeat { .. } | Node::Back { .. } => None,
    }
}
