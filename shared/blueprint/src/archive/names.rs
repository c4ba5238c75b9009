//! The names in an archive must also be possible on a disk: one directory at the top, no file at
//! the place of a directory, and no two names that some file systems do not tell apart.

use super::ArchiveError;
use std::collections::{BTreeMap, BTreeSet};
use unicode_normalization::UnicodeNormalization;

/// The names that were found so far.
#[derive(Default)]
pub(super) struct Names {
    tops: BTreeSet<String>,
    /// Whether there is a file beside the directory at the top.
    file_at_top: bool,
    /// The names by their folded form. Two names with the same form are the same to some file
    /// systems.
    by_folded: BTreeMap<String, Seen>,
}

struct Seen {
    name: String,
    is_directory: bool,
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
        let folded = folded(&name);
        match self.by_folded.get(&folded) {
            None => {
                self.by_folded.insert(folded, Seen { name, is_directory });
                Ok(false)
            }
            Some(seen) if seen.name != name => Err(ArchiveError::SameName(seen.name.clone(), name)),
            // A file may occur twice, as in a tar file that was appended to. A file at the place of a
            // directory is refused.
            Some(seen) if seen.is_directory != is_directory => Err(ArchiveError::BadName(name)),
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

/// The folded form of a name: without letter case, and with Unicode in its normal form.
fn folded(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    let lower = name.nfkc().collect::<String>().to_lowercase();
    // Lower case letters may have to be put into the normal form again.
    lower.nfkc().collect()
}
