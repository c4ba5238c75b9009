//! What is wrong with a blueprint, an input or a function, and where.
//!
//! The first line of the text is for everybody; the lines after it say where in which file.
//! Codes are the language's own numbers: tests and logs use them, clients never see them.

use crate::yaml::Node;
use std::fmt;

/// What kind of failure an [`Error`] is; callers choose the blueprint's state or the reply from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The blueprint breaks a rule of the language: the blueprint is `invalid`.
    Parser {
        /// The number that the language gives this rule.
        code: i32,
    },
    /// The blueprint is well formed but cannot work: the state is `failed_parsing`.
    Logic,
    /// A required input was not given.
    MissingInput,
    /// An input was given that the blueprint does not have.
    UnknownInput,
    /// A secret that the blueprint uses does not exist.
    MissingSecret,
    /// A value breaks a constraint of its input or parameter.
    Constraint,
    /// A function could not be evaluated.
    Evaluation,
    /// A workflow was given parameters that it cannot run with.
    Parameters,
}

/// A failure with its text and, when known, its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    /// What kind of failure it is.
    pub kind: ErrorKind,
    /// The text for people, one line.
    pub message: String,
    /// Where it was found, when it is about a place in a file.
    pub place: Option<Box<Place>>,
}

/// Where in a blueprint something was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Place {
    /// The file, relative to the blueprint's directory.
    pub file: Option<String>,
    /// The line, counted from 1, with the column, counted from 0.
    pub position: Option<(u32, u32)>,
    /// The path of keys, such as `node_templates.vm`.
    pub path: String,
    /// The value that was found there, shortened.
    pub value: Option<String>,
    /// Which file it is, until the parser puts in its name.
    pub(crate) file_number: Option<u16>,
}

/// The result of everything here that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A failure of this kind without a place.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            place: None,
        }
    }

    /// A broken rule of the language.
    pub(crate) fn parser(code: i32, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Parser { code }, message)
    }

    /// A blueprint that cannot work.
    pub(crate) fn logic(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Logic, message)
    }

    /// A function that could not be evaluated.
    pub fn evaluation(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Evaluation, message)
    }

    /// The same failure, found at this node.
    pub(crate) fn at(mut self, node: &Node) -> Self {
        if self.place.is_none() {
            self.place = Some(Box::new(Place {
                file: None,
                position: Some((node.at.line, node.at.column)),
                path: String::new(),
                value: Some(node.excerpt()),
                file_number: Some(node.at.file),
            }));
        }
        self
    }

    /// The same failure, seen from one key further up.
    pub(crate) fn under(mut self, key: impl fmt::Display) -> Self {
        let place = self.place.get_or_insert_default();
        place.path = if place.path.is_empty() {
            key.to_string()
        } else {
            format!("{key}.{}", place.path)
        };
        self
    }

    /// The language's number for the broken rule, if it is one.
    pub fn code(&self) -> Option<i32> {
        match self.kind {
            ErrorKind::Parser { code } => Some(code),
            _ => None,
        }
    }
}

/// Adds path elements to failures on their way up.
pub(crate) trait Under<T> {
    /// Puts `key` in front of the failure's path.
    fn under(self, key: impl fmt::Display) -> Result<T>;
}

impl<T> Under<T> for Result<T> {
    fn under(self, key: impl fmt::Display) -> Self {
        self.map_err(|error| error.under(key))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let Some(place) = &self.place else {
            return Ok(());
        };
        if let Some(file) = &place.file {
            write!(f, "\n  in: {file}")?;
        }
        if let Some((line, column)) = place.position {
            write!(f, "\n  in line: {line}, column: {column}")?;
        }
        if !place.path.is_empty() {
            write!(f, "\n  path: {}", place.path)?;
        }
        if let Some(value) = &place.value {
            write!(f, "\n  value: {value}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
