//! Reading the entries of zip and tar archives.

use super::{ArchiveError, Format, Limits, Tree, recognise};
use std::collections::BTreeSet;
use std::io::{Cursor, Read};

/// Unpacks an archive that holds exactly one directory; names lose that directory.
pub fn unpack(bytes: &[u8], limits: &Limits) -> Result<Tree, ArchiveError> {
    let format = recognise(bytes).ok_or(ArchiveError::Unrecognised)?;
    let mut unpacking = Unpacking::new(bytes.len() as u64, limits);
    match format {
        Format::Zip => unpacking.read_zip(bytes)?,
        Format::Tar => unpacking.read_tar(Cursor::new(bytes))?,
        Format::TarGz => unpacking.read_tar(flate2::read::MultiGzDecoder::new(bytes))?,
        Format::TarBz2 => unpacking.read_tar(bzip2::read::MultiBzDecoder::new(bytes))?,
    }
    unpacking.finish()
}

/// What was found so far, and how much more may come.
struct Unpacking<'a> {
    limits: &'a Limits,
    /// Bytes that may still come out.
    left: u64,
    /// Whether `left` comes from the ratio rather than from the size limit.
    by_ratio: bool,
    entries: usize,
    tops: BTreeSet<String>,
    /// Whether something at the top is a file.
    file_at_top: bool,
    tree: Tree,
}

impl<'a> Unpacking<'a> {
    fn new(archive_bytes: u64, limits: &'a Limits) -> Self {
        // Small archives may well hold long runs of blanks: the ratio counts from 1 MB on.
        let by_ratio = archive_bytes
            .saturating_mul(limits.max_ratio)
            .max(1024 * 1024);
        Self {
            limits,
            left: by_ratio.min(limits.max_unpacked_bytes),
            by_ratio: by_ratio < limits.max_unpacked_bytes,
            entries: 0,
            tops: BTreeSet::new(),
            file_at_top: false,
            tree: Tree::default(),
        }
    }

    fn read_zip(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
        if archive.len() > self.limits.max_files {
            return Err(ArchiveError::TooManyFiles(self.limits.max_files));
        }
        for number in 0..archive.len() {
            let mut file = archive.by_index(number).map_err(damaged)?;
            let name = utf8(file.name_raw())?.to_owned();
            let kind = file.unix_mode().unwrap_or(0) & 0o170_000;
            if file.is_dir() || name.ends_with('/') {
                self.directory(&name)?;
            } else if kind == 0o120_000 {
                let mut target = Vec::new();
                file.by_ref()
                    .take(4096)
                    .read_to_end(&mut target)
                    .map_err(damaged)?;
                self.link(&name, utf8(&target)?, true)?;
            } else if matches!(kind, 0 | 0o100_000) {
                self.file(&name, &mut file)?;
            } else {
                return Err(ArchiveError::BadKind(name));
            }
        }
        Ok(())
    }

    fn read_tar(&mut self, reader: impl Read) -> Result<(), ArchiveError> {
        // What lies between the files (headers, padding, long names) counts as well.
        let slack = self.limits.max_files as u64 * 2048 + 1024 * 1024;
        let reader = Capped {
            inner: reader,
            left: self.left.saturating_add(slack),
        };
        let mut archive = tar::Archive::new(reader);
        for entry in archive.entries().map_err(damaged)? {
            let mut entry = entry.map_err(damaged)?;
            let kind = entry.header().entry_type();
            if kind.is_pax_global_extensions() {
                continue;
            }
            let name = utf8(&entry.path_bytes())?.to_owned();
            if kind.is_dir() {
                self.directory(&name)?;
            } else if kind.is_symlink() || kind.is_hard_link() {
                let target = entry.link_name_bytes().unwrap_or_default();
                let target = utf8(&target)?.to_owned();
                self.link(&name, &target, kind.is_symlink())?;
            } else if kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse() {
                self.file(&name, &mut entry)?;
            } else {
                return Err(ArchiveError::BadKind(name));
            }
        }
        Ok(())
    }

    fn directory(&mut self, name: &str) -> Result<(), ArchiveError> {
        let parts = self.entry(name)?;
        if let Some(top) = parts.first() {
            self.tops.insert((*top).to_owned());
        }
        Ok(())
    }

    fn file(&mut self, name: &str, content: &mut impl Read) -> Result<(), ArchiveError> {
        let parts = self.entry(name)?;
        let Some((top, rest)) = parts.split_first() else {
            return Err(ArchiveError::BadName(name.to_owned()));
        };
        self.tops.insert((*top).to_owned());
        self.file_at_top |= rest.is_empty();
        let is_yaml = name.ends_with(".yaml") || name.ends_with(".yml");
        let mut kept = Vec::new();
        let mut content = content.take(self.left + 1);
        let length = if is_yaml {
            content.read_to_end(&mut kept).map_err(damaged)? as u64
        } else {
            std::io::copy(&mut content, &mut std::io::sink()).map_err(damaged)?
        };
        if length > self.left {
            return Err(match self.by_ratio {
                true => ArchiveError::Bomb,
                false => ArchiveError::TooLarge(self.limits.max_unpacked_bytes),
            });
        }
        self.left -= length;
        self.tree.insert(rest.join("/"), is_yaml.then_some(kept));
        Ok(())
    }

    /// A link inside the tree is left out: nothing here follows links. One that leads out
    /// means harm to whoever unpacks the archive later.
    fn link(&mut self, name: &str, target: &str, symbolic: bool) -> Result<(), ArchiveError> {
        let parts = self.entry(name)?;
        let refused = || ArchiveError::BadLink(name.to_owned());
        let Some(top) = parts.first() else {
            return Err(refused());
        };
        // A hard link's target is named from the archive's top, a symbolic one's from itself.
        let mut depth = match symbolic {
            true => parts.len() as i64 - 1,
            false => 0,
        };
        if target.is_empty() || target.starts_with('/') || target.contains('\\') {
            return Err(refused());
        }
        for part in target.split('/') {
            match part {
                "" | "." => {}
                ".." => depth -= 1,
                part if depth == 0 && part != *top => return Err(refused()),
                _ => depth += 1,
            }
            if depth < 0 || (symbolic && depth < 1) {
                return Err(refused());
            }
        }
        self.tops.insert((*top).to_owned());
        if let Some((_, rest)) = parts.split_first()
            && !rest.is_empty()
        {
            self.tree.insert(rest.join("/"), None);
        }
        Ok(())
    }

    /// Counts an entry and takes its name apart.
    fn entry<'n>(&mut self, name: &'n str) -> Result<Vec<&'n str>, ArchiveError> {
        self.entries += 1;
        if self.entries > self.limits.max_files {
            return Err(ArchiveError::TooManyFiles(self.limits.max_files));
        }
        let bad = || ArchiveError::BadName(name.to_owned());
        if name.starts_with('/') || name.contains(['\\', '\0']) || name.len() > 4096 {
            return Err(bad());
        }
        let mut parts = Vec::new();
        for part in name.split('/') {
            match part {
                "" | "." => {}
                ".." => return Err(bad()),
                part if parts.is_empty() && part.len() == 2 && part.ends_with(':') => {
                    return Err(bad());
                }
                part => parts.push(part),
            }
        }
        if parts.len() > self.limits.max_depth {
            return Err(bad());
        }
        Ok(parts)
    }

    fn finish(self) -> Result<Tree, ArchiveError> {
        if self.tops.len() != 1 || self.file_at_top {
            return Err(ArchiveError::NotOneDirectory);
        }
        Ok(self.tree)
    }
}

/// A reader that ends with an error instead of going on for ever.
struct Capped<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(length as u64)
            .ok_or_else(|| std::io::Error::other("it unpacks to more than is allowed"))?;
        Ok(length)
    }
}

fn damaged(error: impl std::fmt::Display) -> ArchiveError {
    ArchiveError::Damaged(error.to_string())
}

fn utf8(bytes: &[u8]) -> Result<&str, ArchiveError> {
    std::str::from_utf8(bytes)
        .map_err(|_| ArchiveError::BadName(String::from_utf8_lossy(bytes).into_owned()))
}
