//! A log in a file, where no platform collects standard error. When the file is full it gets a number, the
//! ones before it the next number, and the oldest goes away.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The file and what came before it.
pub struct LogFile {
    path: PathBuf,
    /// How many bytes a file may have.
    most: u64,
    /// How many full files are kept.
    kept: u32,
    current: Mutex<Current>,
}

struct Current {
    file: File,
    bytes: u64,
}

impl LogFile {
    /// Goes on with the file at `path`, or makes it. It has `most` bytes, then it becomes `path.1`, and so
    /// on up to `path.kept`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn open(path: &Path, most: u64, kept: u32) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            most,
            kept,
            current: Mutex::new(Current::open(path)?),
        })
    }

    /// Adds whole lines.
    ///
    /// # Errors
    /// When the disk takes no more.
    pub fn write(&self, lines: &[u8]) -> io::Result<()> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        // A file that cannot be exchanged is better than none.
        if current.bytes > 0
            && current.bytes.saturating_add(bytes) > self.most
            && self.shift().is_ok()
        {
            *current = Current::open(&self.path)?;
        }
        current.file.write_all(lines)?;
        current.bytes += bytes;
        Ok(())
    }

    /// Gives every file the next number.
    fn shift(&self) -> io::Result<()> {
        if self.kept == 0 {
            return std::fs::remove_file(&self.path);
        }
        for number in (1..self.kept).rev() {
            let from = self.numbered(number);
            if from.exists() {
                std::fs::rename(from, self.numbered(number + 1))?;
            }
        }
        std::fs::rename(&self.path, self.numbered(1))
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

impl Current {
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { file, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_gets_a_number_and_the_oldest_goes_away() {
        let folder = std::env::temp_dir().join(format!("windlass-log-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("log");
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
        let log = LogFile::open(&path, 10, 2).unwrap();
        for line in [
            "first\n",
            "second\n",
            "third\n",
            "4\n",
            "fifth line is long\n",
        ] {
            log.write(line.as_bytes()).unwrap();
        }
        assert_eq!(read("log").unwrap(), "fifth line is long\n");
        assert_eq!(read("log.1").unwrap(), "third\n4\n");
        assert_eq!(read("log.2").unwrap(), "second\n");
        assert_eq!(read("log.3"), None);
        // A second start goes on where the first one ended.
        drop(log);
        let log = LogFile::open(&path, 100, 2).unwrap();
        log.write(b"sixth\n").unwrap();
        assert_eq!(read("log").unwrap(), "fifth line is long\nsixth\n");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
