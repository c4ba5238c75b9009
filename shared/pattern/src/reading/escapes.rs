//! What stands behind a backslash, and what stands in brackets.

use super::{Reader, Result};
use crate::Problem;
use crate::tree::{Class, Item, Kind, Node, One, Place};

impl Reader {
    /// Reads what stands behind a backslash outside of brackets.
    pub(super) fn escape(&mut self) -> Result<Node> {
        let letter = self.take().ok_or(Problem("bad escape (end of pattern)"))?;
        if let Some((kind, without)) = kind(letter) {
            let class = Class {
                items: vec![Item::Kind { kind, without }],
                negated: false,
            };
            return Ok(Node::One(One::Class {
                class,
                ignore_case: false,
            }));
        }
        Ok(match letter {
            'A' => Node::Place(Place::Start),
            'Z' => Node::Place(Place::VeryEnd),
            'b' => Node::Place(Place::Word),
            'B' => Node::Place(Place::NoWord),
            letter => match letter.to_digit(10) {
                Some(first @ 1..=9) => return self.number(first),
                _ => {
                    let letter = self.escaped(letter)?;
                    self.letter(letter)
                }
            },
        })
    }

    /// Reads a number behind a backslash: three octal digits are a letter, one or two digits are
    /// the number of a group.
    fn number(&mut self, first: u32) -> Result<Node> {
        let octal = |place: usize| self.letters.get(place).is_some_and(|one| one.is_digit(8));
        if first <= 3 && octal(self.at) && octal(self.at + 1) {
            self.at -= 1;
            let letter = self.octal()?;
            return Ok(self.letter(letter));
        }
        let mut number = first;
        if let Some(digit) = self.peek().and_then(|digit| digit.to_digit(10)) {
            self.at += 1;
            number = number * 10 + digit;
        }
        self.back(number as usize)
    }

    /// The letter that is written with a backslash and this letter.
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

    /// Reads up to three octal digits.
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

    /// Reads the letters in brackets.
    pub(super) fn class(&mut self) -> Result<Node> {
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
        Ok(Node::One(One::Class {
            class,
            ignore_case: self.flags.ignore_case,
        }))
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

/// The kind that `\d`, `\s` or `\w` stands for, and whether the letter is a capital one.
fn kind(letter: char) -> Option<(Kind, bool)> {
    let kind = match letter.to_ascii_lowercase() {
        'd' => Kind::Digit,
        's' => Kind::Space,
        'w' => Kind::Word,
        _ => return None,
    };
    Some((kind, letter.is_ascii_uppercase()))
}
