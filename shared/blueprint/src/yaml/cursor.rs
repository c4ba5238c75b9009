//! The place that is being read in a YAML text.

/// A place in a text. All numbers count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Mark {
    /// How many characters come before this place.
    pub index: usize,
    pub line: u32,
    pub column: u32,
}

impl Mark {
    /// The place after a text.
    pub fn after(text: &str) -> Self {
        let mut cursor = Cursor::new(text);
        while !cursor.rest().is_empty() {
            cursor.forward();
        }
        cursor.mark()
    }
}

/// Why a text is not YAML, and where.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Problem {
    pub why: String,
    pub at: Mark,
    /// What was being read, and where that begins.
    pub within: Option<(&'static str, Mark)>,
}

impl Problem {
    pub fn new(why: impl Into<String>, at: Mark) -> Self {
        Self {
            why: why.into(),
            at,
            within: None,
        }
    }

    /// Adds what was being read. An open quote is found at the place where it begins.
    pub fn within(mut self, what: &'static str, begins: Mark) -> Self {
        self.within = Some((what, begins));
        self
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (line, column) = (self.at.line + 1, self.at.column + 1);
        write!(f, "{}, line {line}, column {column}", self.why)?;
        match &self.within {
            Some((what, begins)) if *begins != self.at => {
                let (line, column) = (begins.line + 1, begins.column + 1);
                write!(
                    f,
                    " (in the {what} that begins in line {line}, column {column})"
                )
            }
            _ => Ok(()),
        }
    }
}

pub(super) type Result<T> = std::result::Result<T, Problem>;

/// A text and the place up to which it was read. After the last character, NUL is read. A text
/// holds no NUL itself, see [`unprintable`].
pub(super) struct Cursor<'t> {
    rest: &'t str,
    mark: Mark,
}

impl<'t> Cursor<'t> {
    pub fn new(text: &'t str) -> Self {
        Self {
            rest: text,
            mark: Mark::default(),
        }
    }

    pub fn mark(&self) -> Mark {
        self.mark
    }

    /// All that was not read yet.
    pub fn rest(&self) -> &'t str {
        self.rest
    }

    /// The next character.
    pub fn peek(&self) -> char {
        self.rest.chars().next().unwrap_or('\0')
    }

    /// The character after this many others.
    pub fn peek_at(&self, distance: usize) -> char {
        self.rest.chars().nth(distance).unwrap_or('\0')
    }

    /// Goes on by one character.
    pub fn forward(&mut self) {
        let mut characters = self.rest.chars();
        let Some(character) = characters.next() else {
            return;
        };
        self.rest = characters.as_str();
        self.mark.index += 1;
        let is_half_a_break = character == '\r' && self.peek() == '\n';
        if is_break(character) && !is_half_a_break {
            self.mark.line += 1;
            self.mark.column = 0;
        } else if character != '\u{feff}' {
            self.mark.column += 1;
        }
    }

    /// Goes on by this many characters.
    pub fn forward_by(&mut self, count: usize) {
        for _ in 0..count {
            self.forward();
        }
    }

    /// Goes on for as long as the characters are wanted, and tells what was passed. No character of
    /// a line break may be wanted.
    pub fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let length = self.rest.find(|character| !wanted(character));
        self.take_bytes(length.unwrap_or(self.rest.len()))
    }

    /// Goes on by this many bytes without a line break, and tells what was passed.
    pub fn take_bytes(&mut self, length: usize) -> &'t str {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .unwrap_or((self.rest, ""));
        self.rest = rest;
        let count = taken.chars().count();
        let marks = taken.chars().filter(|one| *one == '\u{feff}').count();
        self.mark.index += count;
        self.mark.column += (count - marks) as u32;
        taken
    }

    /// Goes past a comment, if there is one, up to the end of its line.
    pub fn skip_comment(&mut self) {
        if self.peek() == '#' {
            self.take_while(|character| !is_break(character));
        }
    }

    /// Goes past a line break. It is a line feed, however it is written, except for the separators
    /// of Unicode, which stay as they are.
    pub fn line_break(&mut self) -> Option<char> {
        match self.peek() {
            '\r' if self.peek_at(1) == '\n' => {
                self.forward_by(2);
                Some('\n')
            }
            '\r' | '\n' | '\u{85}' => {
                self.forward();
                Some('\n')
            }
            separator @ ('\u{2028}' | '\u{2029}') => {
                self.forward();
                Some(separator)
            }
            _ => None,
        }
    }

    /// Whether `---` or `...` follows, which separate documents.
    pub fn is_at_separator(&self) -> bool {
        (self.rest.starts_with("---") || self.rest.starts_with("...")) && is_blank(self.peek_at(3))
    }
}

/// Whether a character ends a line.
pub(super) fn is_break(character: char) -> bool {
    matches!(character, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether a line or the text ends here.
pub(super) fn is_end(character: char) -> bool {
    character == '\0' || is_break(character)
}

/// Whether a word ends here: a space, a tab, or the end of the line.
pub(super) fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t') || is_end(character)
}

/// Whether a character belongs to the names of anchors and directives.
pub(super) fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_')
}

/// The first character that no YAML text may hold, and its place.
pub(super) fn unprintable(text: &str) -> Option<(char, Mark)> {
    let is_legal = |character: char| {
        matches!(character,
            '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
    };
    let (place, found) = text
        .char_indices()
        .find(|(_, character)| !is_legal(*character))?;
    Some((found, Mark::after(text.get(..place).unwrap_or_default())))
}
