//! The names in an archive: how they are read, and that they are possible on a disk: one directory at
//! the top, and no file at the place of a directory.

use super::ArchiveError;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use zip::read::ZipFile;

/// The name of a file in a zip. It is UTF-8, also where the zip does not say so, or else has the
/// letters of the first PCs. Windows separates folders by `\`.
pub fn zip_name<R: Read>(file: &ZipFile<'_, R>) -> String {
    let raw = file.name_raw();
    let name = match std::str::from_utf8(raw) {
        Ok(name) => name.to_owned(),
        Err(_) => file.name().map_or_else(|_| one_by_one(raw), String::from),
    };
    name.replace('\\', "/")
}

/// The name of a file in a tar, whose format says nothing about letters. What is not UTF-8 is read
/// byte by byte, so that different names stay different.
pub fn tar_name(raw: &[u8]) -> String {
    std::str::from_utf8(raw).map_or_else(|_| one_by_one(raw), str::to_owned)
}

fn one_by_one(raw: &[u8]) -> String {
    raw.iter().copied().map(char::from).collect()
}

/// Whether a file is not a part of the blueprint: macOS puts its notes about files beside the
/// directory.
pub fn is_left_by_macos(name: &str) -> bool {
    let mut parts = name.split('/').filter(|part| !matches!(*part, "" | "."));
    let top = parts.next().unwrap_or_default();
    let is_alone = parts.next().is_none();
    top == "__MACOSX" || (is_alone && (top.starts_with("._") || top == ".DS_Store"))
}

/// The names that were found so far.
#[derive(Default)]
pub(super) struct Names {
    tops: BTreeSet<String>,
    /// Whether there is a file beside the directory at the top.
    file_at_top: bool,
    /// The names, and whether each is one of a directory.
    known: BTreeMap<String, bool>,
}

impl Names {
    /// Adds a directory. The directory `.` has no name to add.
    pub(super) fn directory(&mut self, parts: &[&str]) -> Result<(), ArchiveError> {
        self.add(parts, true)
    }

    /// Adds a file.
    pub(super) fn file(&mut self, parts: &[&str]) -> Result<(), ArchiveError> {
        self.file_at_top |= parts.len() == 1;
        self.add(parts, false)
    }

    /// Adds a link. It may take the place of the directory at the top.
    pub(super) fn link(&mut self, parts: &[&str]) -> Result<(), ArchiveError> {
        self.add(parts, false)
    }

    fn add(&mut self, parts: &[&str], is_directory: bool) -> Result<(), ArchiveError> {
        let Some(top) = parts.first() else {
            return Ok(());
        };
        if !self.tops.contains(*top) {
            self.tops.insert((*top).to_owned());
        }
        // Usually an earlier file has added the directories.
        for length in (1..=parts.len()).rev() {
            let is_whole = length == parts.len();
            let is_known = self.note(
                parts.get(..length).unwrap_or_default(),
                is_directory || !is_whole,
            )?;
            if is_known && !is_whole {
                break;
            }
        }
        Ok(())
    }

    /// Adds one name, and tells whether it was there before.
    fn note(&mut self, parts: &[&str], is_directory: bool) -> Result<bool, ArchiveError> {
        let name = parts.join("/");
        match self.known.get(&name) {
            None => {
                self.known.insert(name, is_directory);
                Ok(false)
            }
            // A file may occur twice, as in a tar file that was appended to. A file at the place of a
            // directory is refused.
            Some(known) if *known != is_directory => Err(ArchiveError::BadName(name)),
            Some(_) => Ok(true),
        }
    }

    /// Refuses an archive that does not hold exactly one directory.
    pub(super) fn finish(&self) -> Result<(), ArchiveError> {
        if self.tops.len() != 1 || self.file_at_top {
            return Err(ArchiveError::NotOneDirectory);
        }
        Ok(())
    }
}
