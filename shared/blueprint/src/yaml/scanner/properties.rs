//! Tokens beside the values: anchors, aliases, tags and directives.

use super::{Directive, Scanner, Tag, Token};
use crate::yaml::cursor::{Mark, Problem, Result, is_blank, is_end, is_word};

impl Scanner<'_> {
    /// Reads `&name` or `*name`.
    pub(super) fn scan_anchor(&mut self) -> Result<()> {
        let start = self.cursor.mark();
        let (what, of_name): (_, fn(String) -> Token) = match self.cursor.peek() {
            '*' => ("alias", Token::Alias),
            _ => ("anchor", Token::Anchor),
        };
        self.cursor.forward();
        let name = self.cursor.take_while(is_word);
        let next = self.cursor.peek();
        if name.is_empty() || !(is_blank(next) || "?:,]}%@`".contains(next)) {
            return Err(self.unexpected("a letter or digit", what, start));
        }
        self.push(of_name(name.to_owned()), start);
        Ok(())
    }

    /// Reads `!name`, `!handle!name`, `!<whole name>` or `!` alone.
    pub(super) fn scan_tag(&mut self) -> Result<()> {
        let start = self.cursor.mark();
        let next = self.cursor.peek_at(1);
        let tag = if next == '<' {
            self.cursor.forward_by(2);
            let suffix = self.scan_uri("tag", start)?;
            if self.cursor.peek() != '>' {
                return Err(self.unexpected("'>'", "tag", start));
            }
            self.cursor.forward();
            Tag {
                handle: None,
                suffix,
            }
        } else if is_blank(next) {
            self.cursor.forward();
            Tag {
                handle: None,
                suffix: "!".to_owned(),
            }
        } else {
            let mut later = self.cursor.rest().chars().skip(1);
            let has_handle = later.find(|one| *one == '!' || *one == ' ' || is_end(*one));
            let handle = if has_handle == Some('!') {
                self.scan_handle("tag", start)?
            } else {
                self.cursor.forward();
                "!".to_owned()
            };
            Tag {
                handle: Some(handle),
                suffix: self.scan_uri("tag", start)?,
            }
        };
        if !self.is_at_word_end() {
            return Err(self.unexpected("a space", "tag", start));
        }
        self.push(Token::Tag(tag), start);
        Ok(())
    }

    /// Reads a line that begins with `%`.
    pub(super) fn scan_directive(&mut self) -> Result<()> {
        let start = self.cursor.mark();
        self.cursor.forward();
        let name = self.cursor.take_while(is_word);
        if name.is_empty() || !self.is_at_word_end() {
            return Err(self.unexpected("a letter or digit", "directive", start));
        }
        let directive = match name {
            "YAML" => {
                self.skip_spaces();
                let major = self.scan_version_number(start)?;
                if self.cursor.peek() != '.' {
                    return Err(self.unexpected("a digit or '.'", "directive", start));
                }
                self.cursor.forward();
                self.scan_version_number(start)?;
                Directive::Version { major }
            }
            "TAG" => {
                self.skip_spaces();
                let handle = self.scan_handle("directive", start)?;
                if self.cursor.peek() != ' ' {
                    return Err(self.unexpected("a space", "directive", start));
                }
                self.skip_spaces();
                let prefix = self.scan_uri("directive", start)?;
                Directive::Tag { handle, prefix }
            }
            _ => {
                self.cursor.take_while(|character| !is_end(character));
                Directive::Unknown
            }
        };
        if !self.is_at_word_end() {
            return Err(self.unexpected("a space", "directive", start));
        }
        self.push(Token::Directive(directive), start);
        self.scan_rest_of_line("directive", start)
    }

    fn scan_version_number(&mut self, start: Mark) -> Result<String> {
        let digits = self.cursor.take_while(|one| one.is_ascii_digit());
        if digits.is_empty() {
            return Err(self.unexpected("a digit", "directive", start));
        }
        Ok(digits.to_owned())
    }

    /// Goes past a comment and the end of the line, before which nothing else may come.
    pub(super) fn scan_rest_of_line(&mut self, what: &'static str, start: Mark) -> Result<()> {
        self.skip_spaces();
        self.cursor.skip_comment();
        if !is_end(self.cursor.peek()) {
            return Err(self.unexpected("a comment or a line break", what, start));
        }
        self.cursor.line_break();
        Ok(())
    }

    /// Reads `!`, `!!` or `!name!`.
    fn scan_handle(&mut self, what: &'static str, start: Mark) -> Result<String> {
        if self.cursor.peek() != '!' {
            return Err(self.unexpected("'!'", what, start));
        }
        self.cursor.forward();
        if self.cursor.peek() == ' ' {
            return Ok("!".to_owned());
        }
        let name = self.cursor.take_while(is_word);
        if self.cursor.peek() != '!' {
            return Err(self.unexpected("'!'", what, start));
        }
        self.cursor.forward();
        Ok(format!("!{name}!"))
    }

    fn scan_uri(&mut self, what: &'static str, start: Mark) -> Result<String> {
        let is_uri = |character: char| {
            character.is_ascii_alphanumeric() || "-;/?:@&=+$,_.!~*'()[]".contains(character)
        };
        let mut uri = String::new();
        loop {
            uri.push_str(self.cursor.take_while(is_uri));
            if self.cursor.peek() != '%' {
                break;
            }
            uri.push_str(&self.scan_uri_escapes(what, start)?);
        }
        if uri.is_empty() {
            return Err(self.unexpected("a URI", what, start));
        }
        Ok(uri)
    }

    fn scan_uri_escapes(&mut self, what: &'static str, start: Mark) -> Result<String> {
        let mark = self.cursor.mark();
        let mut bytes = Vec::new();
        while self.cursor.peek() == '%' {
            self.cursor.forward();
            let byte = self
                .cursor
                .rest()
                .get(..2)
                .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
            let Some(byte) = byte.and_then(|digits| u8::from_str_radix(digits, 16).ok()) else {
                return Err(self.unexpected("2 hexadecimal digits", what, start));
            };
            bytes.push(byte);
            self.cursor.forward_by(2);
        }
        String::from_utf8(bytes)
            .map_err(|_| Problem::new("found escapes that are not UTF-8", mark).within(what, start))
    }

    pub(super) fn skip_spaces(&mut self) {
        self.cursor.take_while(|character| character == ' ');
    }

    /// Whether a space or the end of the line comes next. A tab is neither.
    pub(super) fn is_at_word_end(&self) -> bool {
        self.cursor.peek() == ' ' || is_end(self.cursor.peek())
    }

    /// Makes a refusal of the next character.
    pub(super) fn unexpected(&self, wanted: &str, what: &'static str, start: Mark) -> Problem {
        let found = match self.cursor.peek() {
            '\0' => "the end of the file".to_owned(),
            other => format!("{other:?}"),
        };
        Problem::new(
            format!("expected {wanted}, but found {found}"),
            self.cursor.mark(),
        )
        .within(what, start)
    }
}
