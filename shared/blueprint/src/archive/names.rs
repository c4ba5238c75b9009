//! The names in an archive, as they would stand on a disk: one directory at the top, no file
//! where a directory is, and no two names that some file systems take for the same.

use super::ArchiveError;
use std::collections::{BTreeMap, BTreeSet};
use unicode_normalization::UnicodeNormalization;

/// The names that were seen.
#[derive(Default)]
pub(super) struct Names {
    tops: BTreeSet<String>,
    /// Whether something at the top is a file.
    file_at_top: bool,
    /// Each name as it was written, by what careless file systems make of it.
    by_folded: BTreeMap<String, Seen>,
}

struct Seen {
    name: String,
    is_directory: bool,
}

impl Names {
    /// Notes a directory; of `.` alone there is nothing to note.
    pub(super) fn directory(&mut self, parts: &[&str]) -> Result<(), ArchiveError> {
        self.add(parts, true)
    }

    /// Notes a file.
    pub(super) fn file(&mut self, parts: &[&str]) -> Result<(), ArchiveError> {
        self.file_at_top |= parts.len() == 1;
        self.add(parts, false)
    }

    /// Notes a link, which may stand in for the directory.
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
        // The directories on the way were noted with an earlier file, most of the time.
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

    /// Notes one name; whether it was known.
    fn note(&mut self, parts: &[&str], is_directory: bool) -> Result<bool, ArchiveError> {
        let name = parts.join("/");
        let folded = folded(&name);
        match self.by_folded.get(&folded) {
            None => {
                self.by_folded.insert(folded, Seen { name, is_directory });
                Ok(false)
            }
            Some(seen) if seen.name != name => Err(ArchiveError::SameName(seen.name.clone(), name)),
            // A file may come twice, as in a tar that was added to; a directory is no file.
            Some(seen) if seen.is_directory != is_directory => Err(ArchiveError::BadName(name)),
            Some(_) => Ok(true),
        }
    }

    /// Demands the one directory.
    pub(super) fn finish(&self) -> Result<(), ArchiveError> {
        if self.tops.len() != 1 || self.file_at_top {
            return Err(ArchiveError::NotOneDirectory);
        }
        Ok(())
    }
}

/// What a file system that knows neither letter case nor forms of Unicode makes of a name.
fn folded(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    let lower = name.nfkc().collect::<String>().to_lowercase();
    // Lower case can bring back what the form had put together.
    lower.nfkc().collect()
}
