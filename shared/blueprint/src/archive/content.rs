//! One file out of an archive that was unpacked before: names and links are trusted here, sizes are not.

use super::guard::Guarded;
use super::{ArchiveError, HEAD, is_left_by_macos, recognise, tar_name, tar_reader, zip_name};
use std::io::{Read, Seek};

/// How many links are followed at most.
const LINKS: usize = 8;

/// How many names of files a directory answers at most.
const NAMES: usize = 10_000;

/// What an archive has at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A file.
    File(Vec<u8>),
    /// A directory: the paths of all files in it, however deep, in their order.
    Directory(Vec<String>),
    /// A file of more bytes than were wanted.
    TooLarge,
    /// Nothing.
    Absent,
}

/// What an archive has at a path below its one directory. Links are followed; what is there as often as an
/// archive says so counts the last time. From time to time `pause` is awaited.
///
/// # Errors
/// What is wrong with the archive.
pub async fn content<R: Read + Seek + Clone>(
    source: R,
    path: &str,
    most: u64,
    pause: impl AsyncFn(),
) -> Result<Content, ArchiveError> {
    let Some(mut path) = clean("", path) else {
        return Ok(Content::Absent);
    };
    for _ in 0..LINKS {
        let mut search = Search::of(&path, most);
        search.archive(source.clone(), &pause).await?;
        let Some(link) = search.link else {
            return Ok(search.found());
        };
        match clean(link.base(&path), &link.target) {
            Some(target) => path = target,
            None => break,
        }
    }
    Ok(Content::Absent)
}

/// A path without `.` and `..`, from a directory on. Nothing for one that leads out.
fn clean(from: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').filter(|part| !part.is_empty()).collect();
    if path.starts_with('/') && !from.is_empty() {
        return None;
    }
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The path of an entry below the archive's directory; nothing for that directory itself.
fn below_top(name: &str) -> Option<&str> {
    let name = name.trim_start_matches("./").trim_end_matches('/');
    let (_, path) = name.split_once('/')?;
    (!path.is_empty()).then_some(path)
}

/// A link, and from where its target counts.
struct Link {
    target: String,
    /// A hard link names its target from the archive on.
    is_hard: bool,
}

impl Link {
    fn base<'p>(&self, path: &'p str) -> &'p str {
        match self.is_hard {
            true => "",
            false => path.rsplit_once('/').map_or("", |(directory, _)| directory),
        }
    }
}

struct Search<'s> {
    path: &'s str,
    most: u64,
    file: Option<Content>,
    link: Option<Link>,
    is_directory: bool,
    names: Vec<String>,
}

impl<'s> Search<'s> {
    fn of(path: &'s str, most: u64) -> Self {
        Self {
            path,
            most,
            file: None,
            link: None,
            is_directory: path.is_empty(),
            names: Vec::new(),
        }
    }

    async fn archive<R: Read + Seek + Clone>(
        &mut self,
        mut source: R,
        pause: &impl AsyncFn(),
    ) -> Result<(), ArchiveError> {
        let mut head = Vec::with_capacity(HEAD);
        source.rewind().map_err(damaged)?;
        let mut beginning = source.by_ref().take(HEAD as u64);
        beginning.read_to_end(&mut head).map_err(damaged)?;
        source.rewind().map_err(damaged)?;
        let format = recognise(&head).ok_or(ArchiveError::Unrecognised)?;
        match tar_reader(source.clone(), format) {
            Some(reader) => self.tar(reader, pause).await,
            None => self.zip(source, pause).await,
        }
    }

    async fn tar(
        &mut self,
        reader: Box<dyn Read + '_>,
        pause: &impl AsyncFn(),
    ) -> Result<(), ArchiveError> {
        // Nothing is kept of what is passed over, so its size does not matter; long names do.
        let mut archive = tar::Archive::new(Guarded::new(reader, u64::MAX));
        for entry in archive.entries().map_err(damaged)? {
            pause().await;
            let mut entry = entry.map_err(damaged)?;
            let kind = entry.header().entry_type();
            let name = tar_name(&entry.path_bytes());
            if kind.is_pax_global_extensions() {
                continue;
            }
            if !self.meets(&name, kind.is_dir()) {
                continue;
            }
            if let Some(target) = entry.link_name_bytes() {
                let target = tar_name(&target);
                let is_hard = kind.is_hard_link();
                let below = if is_hard { below_top(&target) } else { None };
                let target = below.unwrap_or(&target).to_owned();
                self.link = Some(Link { target, is_hard });
            } else {
                self.take(&mut entry)?;
            }
        }
        Ok(())
    }

    async fn zip<R: Read + Seek + Clone>(
        &mut self,
        source: R,
        pause: &impl AsyncFn(),
    ) -> Result<(), ArchiveError> {
        let config = zip::read::Config::default();
        let mut archive =
            zip::unstable::read::ZipIterable::try_new(source.clone(), config).map_err(damaged)?;
        let options = zip::read::ZipReadOptions::default();
        let mut files = archive
            .files_with_reader(source, options)
            .map_err(damaged)?;
        while let Some(file) = files.next() {
            pause().await;
            let mut file = file.map_err(damaged)?;
            let name = zip_name(&file);
            let is_directory = file.is_dir() || name.ends_with('/');
            if !self.meets(&name, is_directory) {
                continue;
            }
            let mode = file.unix_mode().unwrap_or_default();
            if mode & 0o170_000 == 0o120_000 {
                let mut target = Vec::new();
                file.take(4096).read_to_end(&mut target).map_err(damaged)?;
                let target = tar_name(&target);
                self.link = Some(Link {
                    target,
                    is_hard: false,
                });
            } else {
                self.take(&mut file)?;
            }
        }
        Ok(())
    }

    /// Whether this entry is what is looked for. What is in a directory that is looked for is noted.
    fn meets(&mut self, name: &str, is_directory: bool) -> bool {
        if is_left_by_macos(name) {
            return false;
        }
        let Some(path) = below_top(name) else {
            return false;
        };
        if path == self.path {
            self.is_directory |= is_directory;
            return !is_directory;
        }
        let is_inside = self.path.is_empty()
            || path
                .strip_prefix(self.path)
                .is_some_and(|rest| rest.starts_with('/'));
        if is_inside {
            self.is_directory = true;
            if !is_directory && self.names.len() < NAMES {
                self.names.push(path.to_owned());
            }
        }
        false
    }

    fn take(&mut self, file: &mut impl Read) -> Result<(), ArchiveError> {
        let mut bytes = Vec::new();
        let wanted = self.most.saturating_add(1);
        file.take(wanted).read_to_end(&mut bytes).map_err(damaged)?;
        self.link = None;
        self.file = Some(match bytes.len() as u64 > self.most {
            true => Content::TooLarge,
            false => Content::File(bytes),
        });
        Ok(())
    }

    fn found(self) -> Content {
        match self.file {
            Some(file) => file,
            None if self.is_directory => Content::Directory(self.names),
            None => Content::Absent,
        }
    }
}

fn damaged(error: impl std::fmt::Display) -> ArchiveError {
    ArchiveError::Damaged(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn archive() -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, text) in [
            ("top/b.yaml", "node_templates: {}"),
            ("top/scripts/start.sh", "#!/bin/sh"),
            ("top/scripts/deep/stop.sh", "exit 0"),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            builder
                .append_data(&mut header, name, text.as_bytes())
                .unwrap();
        }
        for (name, target) in [
            ("top/scripts/link", "deep/stop.sh"),
            ("top/round", "round"),
            ("top/out", "../../x"),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            builder.append_link(&mut header, name, target).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn what_is_at_a_path() {
        let archive = archive();
        let file = |text: &str| Content::File(text.into());
        let deep = "scripts/deep/stop.sh".to_owned();
        for (path, wanted) in [
            ("scripts/start.sh", file("#!/bin/sh")),
            ("/scripts//./start.sh", file("#!/bin/sh")),
            ("scripts/../b.yaml", file("node_templates: {}")),
            ("scripts/link", file("exit 0")),
            ("scripts/deep", Content::Directory(vec![deep])),
            ("scripts/start", Content::Absent),
            ("round", Content::Absent),
            ("out", Content::Absent),
            ("../top/b.yaml", Content::Absent),
            ("top/b.yaml", Content::Absent),
        ] {
            let found = content(Cursor::new(&archive), path, 100, async || ());
            assert_eq!(pollster::block_on(found), Ok(wanted), "{path}");
        }
        let found = content(Cursor::new(&archive), "b.yaml", 5, async || ());
        assert_eq!(pollster::block_on(found), Ok(Content::TooLarge));
    }

    #[test]
    fn a_name_that_would_fill_the_memory_is_refused() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::GNULongName);
        header.set_size(2 << 20);
        header.set_path("././@LongLink").unwrap();
        header.set_cksum();
        builder
            .append(&header, std::io::repeat(b'x').take(2 << 20))
            .unwrap();
        let archive = builder.into_inner().unwrap();
        let found = content(Cursor::new(&archive), "b.yaml", 100, async || ());
        assert!(pollster::block_on(found).is_err());
    }
}
