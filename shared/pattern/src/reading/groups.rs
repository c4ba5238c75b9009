//! What stands in parentheses: groups, conditions, flags, and what looks around.

use super::{Flags, MAX_NESTING, Reader, Result};
use crate::Problem;
use crate::tree::Node;

impl Reader {
    /// Reads what an opening parenthesis begins, and tells whether it may be repeated.
    pub(super) fn group(&mut self) -> Result<(Node, bool)> {
        self.depth += 1;
        if self.depth >= MAX_NESTING {
            return Err(Problem("too many groups in groups"));
        }
        let group = self.opened()?;
        self.depth -= 1;
        Ok(group)
    }

    fn opened(&mut self) -> Result<(Node, bool)> {
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

    /// Reads the inside of a group that keeps what it matches.
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
            true => {
                let width = node.width();
                Some(width.ok_or(Problem("look-behind requires fixed-width pattern"))?)
            }
            false => None,
        };
        Ok(Node::Look {
            node: Box::new(node),
            wanted,
            back,
        })
    }

    /// Reads `(?(1)yes|no)` behind its second parenthesis.
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

    /// A reference to a group, which must be closed by then.
    pub(super) fn back(&self, group: usize) -> Result<Node> {
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

    /// Reads `(?i)`, which stands at the very start and is for all of the pattern, or `(?i:..)`
    /// and `(?-i:..)`, which are for what they hold.
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
}

fn is_name(name: &str) -> bool {
    let mut letters = name.chars();
    let first = letters.next();
    first.is_some_and(|letter| letter.is_alphabetic() || letter == '_')
        && letters.all(|letter| letter.is_alphanumeric() || letter == '_')
}
