//! Reading the entries of zip and tar archives.

use super::guard::Guarded;
use super::names::{Names, is_left_by_macos, tar_name, zip_name};
use super::{ArchiveError, Format, HEAD, Limits, Tree, recognise};
use std::cell::Cell;
use std::io::{Cursor, Read, Seek};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use zip::result::ZipError;

/// How many bytes are read before the next pause.
const STEP: usize = 1 << 20;

/// How many bytes a file may have that is kept although its name does not end as that of a YAML file.
/// No larger one could be read as YAML.
const MAX_TEXT: usize = 4 << 20;

/// Unpacks an archive that is in memory. It must hold exactly one directory, which is left out of
/// all names.
pub fn unpack(bytes: &[u8], limits: &Limits) -> Result<Tree, ArchiveError> {
    let reading = pin!(unpack_from(Cursor::new(bytes), limits, async || ()));
    match reading.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        // This could only happen with a pause that waits.
        Poll::Pending => Err(damaged("it was not read to its end")),
    }
}

/// The same as [`unpack`] for an archive that is not in memory. From time to time `pause` is
/// awaited, so other requests can go on. A clone of the reader must have a position of its own.
pub async fn unpack_from<R: Read + Seek + Clone>(
    source: R,
    limits: &Limits,
    pause: impl AsyncFn(),
) -> Result<Tree, ArchiveError> {
    let counted = unpack_counted(source, limits, pause).await;
    counted.map(|(tree, _)| tree)
}

/// The same as [`unpack_from`], with how many bytes came out of the archive. Of a tar archive those
/// between the files count as well.
pub async fn unpack_counted<R: Read + Seek + Clone>(
    mut source: R,
    limits: &Limits,
    pause: impl AsyncFn(),
) -> Result<(Tree, u64), ArchiveError> {
    let mut head = Vec::with_capacity(HEAD);
    let mut beginning = source.by_ref().take(HEAD as u64);
    beginning.read_to_end(&mut head).map_err(damaged)?;
    source.rewind().map_err(damaged)?;
    let format = recognise(&head).ok_or(ArchiveError::Unrecognised)?;
    let mut unpacking = Unpacking::new(limits, pause);
    let read = Cell::new(0);
    match tar_reader(source.clone(), format) {
        Some(inner) => {
            let reader = Box::new(Counted { inner, read: &read });
            unpacking.read_tar(reader).await?;
        }
        None => unpacking.read_zip(source).await?,
    }
    let of_files = limits.max_unpacked_bytes.saturating_sub(unpacking.left);
    Ok((unpacking.finish()?, of_files.max(read.get())))
}

/// A reader that counts what comes out of it.
struct Counted<'c, R> {
    inner: R,
    read: &'c Cell<u64>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.read.set(self.read.get().saturating_add(length as u64));
        Ok(length)
    }
}

/// Opens the tar archive in an archive of this format. There is none in a zip.
///
/// The reader is boxed, because a separate copy of the code for each compression would make
/// components larger.
pub fn tar_reader<'r>(source: impl Read + 'r, format: Format) -> Option<Box<dyn Read + 'r>> {
    match format {
        Format::Zip => None,
        Format::Tar => Some(Box::new(source)),
        Format::TarGz => Some(Box::new(flate2::read::MultiGzDecoder::new(source))),
        Format::TarBz2 => Some(Box::new(bzip2::read::MultiBzDecoder::new(source))),
    }
}

/// The state of unpacking: what was found, and how much more is allowed.
struct Unpacking<'a, P> {
    limits: &'a Limits,
    pause: P,
    /// How many more bytes may come out of the archive.
    left: u64,
    /// How many more bytes of texts may be kept.
    texts_left: u64,
    /// How many bytes of texts were kept that are not called YAML.
    others: u64,
    /// How many bytes were read since the last pause.
    since_pause: usize,
    entries: usize,
    names: Names,
    tree: Tree,
}

impl<'a, P: AsyncFn()> Unpacking<'a, P> {
    fn new(limits: &'a Limits, pause: P) -> Self {
        Self {
            limits,
            pause,
            left: limits.max_unpacked_bytes,
            texts_left: limits.max_yaml_bytes,
            others: 0,
            since_pause: 0,
            entries: 0,
            names: Names::default(),
            tree: Tree::default(),
        }
    }

    async fn read_zip<R: Read + Seek + Clone>(&mut self, source: R) -> Result<(), ArchiveError> {
        // Entry by entry, so the directory of a huge archive is never in memory.
        let config = zip::read::Config::default();
        let mut archive =
            zip::unstable::read::ZipIterable::try_new(source.clone(), config).map_err(damaged)?;
        if archive.len() > self.limits.max_files {
            return Err(ArchiveError::TooManyFiles(self.limits.max_files));
        }
        let mut places = Vec::with_capacity(archive.len());
        let options = zip::read::ZipReadOptions::default();
        let mut files = archive
            .files_with_reader(source, options)
            .map_err(damaged)?;
        while let Some(file) = files.next() {
            let mut file = file.map_err(damaged)?;
            let begin = file.data_start().unwrap_or(file.header_start());
            places.push((
                file.header_start(),
                begin.saturating_add(file.compressed_size()),
            ));
            let name = zip_name(&file);
            let kind = file.unix_mode().unwrap_or(0) & 0o170_000;
            if is_left_by_macos(&name) {
                self.count()?;
            } else if file.is_dir() || name.ends_with('/') {
                self.directory(&name)?;
            } else if kind == 0o120_000 {
                let mut target = Vec::new();
                file.by_ref()
                    .take(4096)
                    .read_to_end(&mut target)
                    .map_err(damaged)?;
                self.link(&name, &tar_name(&target), true)?;
            } else if matches!(kind, 0 | 0o100_000) {
                self.file(&name, &mut file).await?;
            } else {
                return Err(ArchiveError::BadKind(name));
            }
            self.step(512).await;
        }
        places.sort_unstable();
        let is_overlapping = |pair: &[(u64, u64)]| match pair {
            [(_, end), (next, _)] => end > next,
            _ => false,
        };
        match places.windows(2).any(is_overlapping) {
            true => Err(damaged("files in it share the same bytes")),
            false => Ok(()),
        }
    }

    async fn read_tar(&mut self, reader: Box<dyn Read + '_>) -> Result<(), ArchiveError> {
        // What lies between the files (headers, padding, long names) counts as well.
        let slack = self.limits.max_files as u64 * 2048 + 1024 * 1024;
        let guarded = Guarded::new(reader, self.left.saturating_add(slack));
        let reader: Box<dyn Read + '_> = Box::new(guarded);
        let mut archive = tar::Archive::new(reader);
        for entry in archive.entries().map_err(damaged)? {
            let mut entry = entry.map_err(damaged)?;
            let kind = entry.header().entry_type();
            if kind.is_pax_global_extensions() {
                continue;
            }
            let name = tar_name(&entry.path_bytes());
            if is_left_by_macos(&name) {
                self.count()?;
            } else if kind.is_dir() {
                self.directory(&name)?;
            } else if kind.is_symlink() || kind.is_hard_link() {
                let target = entry.link_name_bytes().unwrap_or_default();
                let target = tar_name(&target);
                self.link(&name, &target, kind.is_symlink())?;
            } else if kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse() {
                self.file(&name, &mut entry).await?;
            } else {
                return Err(ArchiveError::BadKind(name));
            }
            self.step(512).await;
        }
        self.read_rest(archive.into_inner()).await
    }

    /// Reads on behind the end of a tar archive. Usually only padding follows, but without this it
    /// would not be noticed that a compressed file is cut off.
    async fn read_rest(&mut self, mut reader: Box<dyn Read + '_>) -> Result<(), ArchiveError> {
        let mut buffer = vec![0; 32 << 10];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(length) => self.step(length).await,
                // Some tools also pad compressed files, with bytes that are not compressed data.
                Err(error) if error.to_string() == "invalid gzip header" => return Ok(()),
                Err(error) => return Err(damaged(error)),
            }
        }
    }

    /// Counts bytes, and makes a pause when there are enough of them.
    async fn step(&mut self, bytes: usize) {
        self.since_pause += bytes;
        if self.since_pause >= STEP {
            self.since_pause = 0;
            (self.pause)().await;
        }
    }

    fn directory(&mut self, name: &str) -> Result<(), ArchiveError> {
        let parts = self.entry(name)?;
        self.names.directory(&parts)
    }

    async fn file(&mut self, name: &str, content: &mut dyn Read) -> Result<(), ArchiveError> {
        let parts = self.entry(name)?;
        self.names.file(&parts)?;
        let Some((_, rest)) = parts.split_first() else {
            return Err(ArchiveError::BadName(name.to_owned()));
        };
        let is_yaml = is_called_yaml(name);
        let mut kept = Some(Vec::new());
        let mut buffer = vec![0; 32 << 10];
        loop {
            let length = content.read(&mut buffer).map_err(not_read)?;
            let bytes = buffer.get(..length).unwrap_or_default();
            if bytes.is_empty() {
                break;
            }
            self.left = self
                .left
                .checked_sub(length as u64)
                .ok_or(ArchiveError::TooLarge(self.limits.max_unpacked_bytes))?;
            kept = match kept {
                Some(text) if is_yaml => Some(self.keep_yaml(text, bytes)?),
                Some(text) => self.keep_text(text, bytes),
                None => None,
            };
            self.step(length).await;
        }
        if let Some(text) = &mut kept {
            text.shrink_to_fit();
        }
        self.tree.insert(rest.join("/"), kept);
        Ok(())
    }

    /// Keeps more of a YAML file. Other texts make room for it.
    fn keep_yaml(&mut self, mut text: Vec<u8>, bytes: &[u8]) -> Result<Vec<u8>, ArchiveError> {
        if self.texts_left < bytes.len() as u64 {
            self.tree.forget_texts(is_called_yaml);
            self.texts_left += std::mem::take(&mut self.others);
        }
        self.texts_left = self
            .texts_left
            .checked_sub(bytes.len() as u64)
            .ok_or(ArchiveError::TooMuchYaml(self.limits.max_yaml_bytes))?;
        text.extend_from_slice(bytes);
        Ok(text)
    }

    /// Keeps more of another file, unless it is no text or there is no room.
    fn keep_text(&mut self, mut text: Vec<u8>, bytes: &[u8]) -> Option<Vec<u8>> {
        let length = bytes.len() as u64;
        let is_text = !bytes.contains(&0) && text.len() + bytes.len() <= MAX_TEXT;
        if !is_text || self.texts_left < length {
            self.texts_left += text.len() as u64;
            self.others -= text.len() as u64;
            return None;
        }
        self.texts_left -= length;
        self.others += length;
        text.extend_from_slice(bytes);
        Some(text)
    }

    /// Notes a link. One that leads out of the directory is refused: it would do harm when the
    /// archive is unpacked later.
    fn link(&mut self, name: &str, target: &str, symbolic: bool) -> Result<(), ArchiveError> {
        let parts = self.entry(name)?;
        let refused = || ArchiveError::BadLink(name.to_owned());
        let (Some(top), Some((_, directories))) = (parts.first(), parts.split_last()) else {
            return Err(refused());
        };
        // The target of a hard link counts from the archive's top, that of a symbolic link from the
        // link.
        let mut found = match symbolic {
            true => directories.to_vec(),
            false => Vec::new(),
        };
        if target.is_empty() || target.starts_with('/') || target.contains('\\') {
            return Err(refused());
        }
        for part in target.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    found.pop().ok_or_else(refused)?;
                }
                part => found.push(part),
            }
            let is_outside = match found.first() {
                Some(first) => first != top,
                None => symbolic,
            };
            if is_outside {
                return Err(refused());
            }
        }
        self.names.link(&parts)?;
        let (_, path) = parts.split_first().unwrap_or((top, &[]));
        let (_, target) = found.split_first().unwrap_or((top, &[]));
        if !path.is_empty() {
            self.tree.insert_link(path.join("/"), target.join("/"));
        }
        Ok(())
    }

    /// Counts an entry.
    fn count(&mut self) -> Result<(), ArchiveError> {
        self.entries += 1;
        if self.entries > self.limits.max_files {
            return Err(ArchiveError::TooManyFiles(self.limits.max_files));
        }
        Ok(())
    }

    /// Counts an entry, and splits its name.
    fn entry<'n>(&mut self, name: &'n str) -> Result<Vec<&'n str>, ArchiveError> {
        self.count()?;
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
        self.names.finish()?;
        Ok(self.tree)
    }
}

fn damaged(error: impl std::fmt::Display) -> ArchiveError {
    ArchiveError::Damaged(error.to_string())
}

/// Why the content of a file cannot be read.
fn not_read(error: std::io::Error) -> ArchiveError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(ZipError::CompressionMethodNotSupported(number)) => {
            ArchiveError::UnknownMethod(*number)
        }
        _ => damaged(error),
    }
}

/// Whether a file's name says that it is YAML.
fn is_called_yaml(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    ending.is_some_and(|ending| {
        ending.eq_ignore_ascii_case("yaml") || ending.eq_ignore_ascii_case("yml")
    })
}
