//! What is wrong with a blueprint, an input or a function, and where.
//!
//! The first line of the text is for everybody. The lines after it tell the place in a file. Codes
//! are the numbers of the original language; tests and logs use them, and clients never see them.

use crate::yaml::Node;
use std::fmt;

/// The kinds of failures. Callers choose the state of the blueprint, or the reply, by the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The blueprint breaks a rule of the language. Its state is `invalid`.
    Parser {
        /// The number of the rule.
        code: i32,
    },
    /// The blueprint has the right form but cannot work. Its state is `failed_parsing`.
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
    /// A function asks about something that does not exist, such as another deployment.
    NotFound,
    /// A workflow was given parameters that it cannot run with.
    Parameters,
}

/// A failure, with a text and perhaps a place.
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    /// The kind of the failure.
    pub kind: ErrorKind,
    /// The text for people. It is one line.
    pub message: String,
    /// The place, if the failure belongs to a place in a file.
    pub place: Option<Box<Place>>,
}

/// A place in a blueprint.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Place {
    /// The name of the file, from the blueprint's directory.
    pub file: Option<String>,
    /// The line, counted from 1, and the column, counted from 0.
    pub position: Option<(u32, u32)>,
    /// The keys that lead to the value, such as `node_templates.vm`.
    pub path: String,
    /// The start of the value at this place.
    pub value: Option<String>,
    /// The number of the file. The parser replaces it by the name.
    pub(crate) file_number: Option<u16>,
}

/// The result of everything here that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Makes a failure that has no place.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            place: None,
        }
    }

    /// Makes a failure for a broken rule of the language.
    pub(crate) fn parser(code: i32, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Parser { code }, message)
    }

    /// Makes a failure for a blueprint that cannot work.
    pub(crate) fn logic(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Logic, message)
    }

    /// A function could not be evaluated.
    pub fn evaluation(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Evaluation, message)
    }

    /// A function asks about a `what` that does not exist.
    pub(crate) fn not_found(what: &str, id: &str) -> Self {
        let message = format!("Requested `{what}` with ID `{id}` was not found");
        Self::new(ErrorKind::NotFound, message)
    }

    /// Adds the place of a node, unless the failure has a place.
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

    /// Adds the name of the file that could not be read. The text tells where in it.
    pub(crate) fn in_file(mut self, name: &str) -> Self {
        self.place.get_or_insert_default().file = Some(name.to_owned());
        self
    }

    /// Adds the keys that lead to a value of a plan, unless the failure has a place.
    pub(crate) fn at_path(mut self, path: impl fmt::Display) -> Self {
        if self.place.is_none() {
            self.place = Some(Box::new(Place {
                path: path.to_string(),
                ..Place::default()
            }));
        }
        self
    }

    /// Puts a key in front of the path.
    pub(crate) fn under(mut self, key: impl fmt::Display) -> Self {
        let place = self.place.get_or_insert_default();
        place.path = if place.path.is_empty() {
            key.to_string()
        } else {
            format!("{key}.{}", place.path)
        };
        self
    }

    /// The number of the broken rule, if the failure is a broken rule.
    pub fn code(&self) -> Option<i32> {
        match self.kind {
            ErrorKind::Parser { code } => Some(code),
            _ => None,
        }
    }
}

/// Adds keys to the paths of failures on their way up.
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
