//! Rebuilding an archive as tar.gz with another icon, piece by piece.
//!
//! To be called with archives that were unpacked before: names, links and sizes are trusted here.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Read, Seek, Write};
use tar::{Builder, EntryType, Header};
use windlass_blueprint::archive::{
    Format, HEAD, is_left_by_macos, recognise, tar_name, tar_reader, zip_name,
};
use windlass_core::db::Db;
use windlass_core::{Error, Result, blob, platform};
use windlass_store::blobs::{LooseBlobs, NewBlob};
use windlass_store::blueprints::Archive;

const ICON: &str = "icon.png";

/// How many bytes are copied at once.
const PIECE: usize = 64 << 10;

/// The same files with this icon in the archive's directory, or without one, as a new archive that
/// nothing names yet.
///
/// # Errors
/// 400 for an archive that cannot be read.
pub async fn with_icon(
    db: &impl Db,
    old: &Archive,
    icon: Option<&[u8]>,
    blobs: &LooseBlobs,
) -> Result<Archive> {
    let mut rebuilt = Rebuilt::begin(db, blobs).await?;
    rebuilt.copy(old, icon).await?;
    rebuilt.finish().await
}

/// An archive that is being written.
struct Rebuilt<'a, D> {
    db: &'a D,
    builder: Builder<GzEncoder<Vec<u8>>>,
    new: NewBlob,
    /// The one directory at the top.
    top: String,
}

impl<'a, D: Db> Rebuilt<'a, D> {
    async fn begin(db: &'a D, blobs: &LooseBlobs) -> Result<Self> {
        Ok(Self {
            db,
            builder: Builder::new(GzEncoder::new(Vec::new(), Compression::fast())),
            new: NewBlob::begin(db, blobs).await?,
            top: String::new(),
        })
    }

    async fn copy(&mut self, old: &Archive, icon: Option<&[u8]>) -> Result<()> {
        let mut reader = blob::Reader::new(&old.blob, old.size);
        let mut head = Vec::with_capacity(HEAD);
        let mut beginning = reader.by_ref().take(HEAD as u64);
        beginning.read_to_end(&mut head).map_err(damaged)?;
        reader.rewind().map_err(damaged)?;
        let format = recognise(&head).ok_or_else(|| damaged("it is of no known format"))?;
        match tar_reader(reader.clone(), format) {
            Some(tar) => self.copy_tar(tar).await?,
            None => self.copy_zip(reader).await?,
        }
        if let Some(mut icon) = icon {
            let mut header = Header::new_gnu();
            header.set_mode(0o644);
            let name = format!("{}/{ICON}", self.top);
            self.file(header, &name, icon.len() as u64, &mut icon)
                .await?;
        }
        Ok(())
    }

    async fn copy_tar(&mut self, reader: Box<dyn Read>) -> Result<()> {
        let mut archive = tar::Archive::new(reader);
        for entry in archive.entries().map_err(damaged)? {
            let mut entry = entry.map_err(damaged)?;
            let kind = entry.header().entry_type();
            let name = tar_name(&entry.path_bytes());
            if kind.is_pax_global_extensions() || is_left_by_macos(&name) || self.is_icon(&name) {
                continue;
            }
            let mut header = Header::new_gnu();
            header.set_mode(entry.header().mode().unwrap_or(0o644));
            header.set_mtime(entry.header().mtime().unwrap_or(0));
            if let Some(target) = entry.link_name().map_err(damaged)? {
                header.set_entry_type(kind);
                header.set_size(0);
                self.builder
                    .append_link(&mut header, &name, target)
                    .map_err(damaged)?;
            } else if kind.is_dir() {
                header.set_entry_type(EntryType::Directory);
                self.file(header, &name, 0, &mut io::empty()).await?;
            } else {
                let size = entry.size();
                self.file(header, &name, size, &mut entry).await?;
            }
        }
        Ok(())
    }

    async fn copy_zip(&mut self, reader: blob::Reader) -> Result<()> {
        let open = || {
            let config = zip::read::Config::default();
            zip::unstable::read::ZipIterable::try_new(reader.clone(), config).map_err(damaged)
        };
        let options = zip::read::ZipReadOptions::default();
        // What the directory of a zip says about sizes is not to be relied on, so each file is read
        // twice: for its size, and for its content.
        let (mut sizes, mut contents) = (open()?, open()?);
        let mut sizes = sizes
            .files_with_reader(reader.clone(), options.clone())
            .map_err(damaged)?;
        let mut contents = contents
            .files_with_reader(reader.clone(), options)
            .map_err(damaged)?;
        while let (Some(measured), Some(file)) = (sizes.next(), contents.next()) {
            let (mut measured, mut file) = (measured.map_err(damaged)?, file.map_err(damaged)?);
            let name = zip_name(&file);
            if is_left_by_macos(&name) || self.is_icon(&name) {
                continue;
            }
            let mode = file.unix_mode();
            let mut header = Header::new_gnu();
            if file.is_dir() || name.ends_with('/') {
                header.set_mode(mode.unwrap_or(0o755) & 0o777);
                header.set_entry_type(EntryType::Directory);
                self.file(header, &name, 0, &mut io::empty()).await?;
                continue;
            }
            header.set_mode(mode.unwrap_or(0o644) & 0o777);
            if mode.is_some_and(|mode| mode & 0o170_000 == 0o120_000) {
                let mut target = Vec::new();
                let mut content = file.take(4096);
                content.read_to_end(&mut target).map_err(damaged)?;
                header.set_entry_type(EntryType::Symlink);
                header.set_size(0);
                let target = tar_name(&target);
                self.builder
                    .append_link(&mut header, &name, target)
                    .map_err(damaged)?;
                continue;
            }
            let size = io::copy(&mut measured, &mut io::sink()).map_err(damaged)?;
            platform::pause().await;
            self.file(header, &name, size, &mut file).await?;
        }
        Ok(())
    }

    /// Writes a file, or a directory, which is one of no size.
    async fn file(
        &mut self,
        mut header: Header,
        name: &str,
        size: u64,
        content: &mut dyn Read,
    ) -> Result<()> {
        header.set_size(size);
        // The header with what a long name needs; the content follows in pieces.
        self.builder
            .append_data(&mut header, name, io::empty())
            .map_err(damaged)?;
        let mut content = content.take(size);
        let mut buffer = vec![0; PIECE];
        let mut copied = 0_u64;
        loop {
            let length = content.read(&mut buffer).map_err(damaged)?;
            let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else {
                break;
            };
            self.builder.get_mut().write_all(bytes).map_err(damaged)?;
            copied += length as u64;
            self.pass_on().await?;
        }
        if copied != size {
            return Err(damaged("a file in it is shorter than it says"));
        }
        let padding = usize::try_from(size.wrapping_neg() % 512).unwrap_or(0);
        self.builder
            .get_mut()
            .write_all(&vec![0; padding])
            .map_err(damaged)?;
        self.pass_on().await
    }

    /// Stores what the compressor has put out by now.
    async fn pass_on(&mut self) -> Result<()> {
        let packed = self.builder.get_mut().get_mut();
        if packed.len() < PIECE {
            return Ok(());
        }
        let packed = std::mem::take(packed);
        self.new.write(self.db, &packed).await
    }

    /// Whether this is the icon; learns the top directory's name by the way.
    fn is_icon(&mut self, name: &str) -> bool {
        let mut parts = name
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".");
        let Some(top) = parts.next() else {
            return false;
        };
        if self.top.is_empty() {
            self.top = top.to_owned();
        }
        parts.next() == Some(ICON) && parts.next().is_none()
    }

    async fn finish(self) -> Result<Archive> {
        let Self {
            db,
            builder,
            mut new,
            ..
        } = self;
        let packed = builder.into_inner().and_then(GzEncoder::finish);
        new.write(db, &packed.map_err(damaged)?).await?;
        let blob = new.finish().await?;
        Ok(Archive {
            blob: blob.id,
            format: Format::TarGz.extension().to_owned(),
            size: blob.size,
            sha256: blob.sha256,
        })
    }
}

fn damaged(error: impl std::fmt::Display) -> Error {
    Error::bad_parameters(format!("Archive is damaged: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;
    use windlass_blueprint::archive::{Limits, unpack};
    use windlass_core::db::NativeDb;

    /// The bytes of an archive with another icon.
    fn with_icon(bytes: &[u8], icon: Option<&[u8]>) -> Result<Vec<u8>> {
        pollster::block_on(async {
            let db = NativeDb::in_memory();
            windlass_store::migrations::apply(&db).await?;
            let blob = blob::write(bytes).await?;
            let old = Archive {
                blob: blob.id,
                format: String::new(),
                size: blob.size,
                sha256: blob.sha256,
            };
            let new = super::with_icon(&db, &old, icon, &LooseBlobs::default()).await?;
            blob::read(&new.blob, new.size).await
        })
    }

    fn tar() -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (name, content) in [
            ("crane/blueprint.yaml", "a: b"),
            ("crane/scripts/run.sh", "ls"),
        ] {
            let mut header = Header::new_gnu();
            header.set_size(content.len() as u64);
            builder
                .append_data(&mut header, name, content.as_bytes())
                .unwrap();
        }
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Symlink);
        header.set_size(0);
        builder
            .append_link(&mut header, "crane/latest.sh", "scripts/run.sh")
            .unwrap();
        builder.into_inner().unwrap()
    }

    fn paths(bytes: &[u8]) -> Vec<String> {
        assert_eq!(recognise(bytes), Some(Format::TarGz));
        let tree = unpack(bytes, &Limits::default()).unwrap();
        tree.paths().map(str::to_owned).collect()
    }

    fn content(bytes: &[u8], path: &str) -> Vec<u8> {
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes));
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            if entry.path_bytes() == path.as_bytes() {
                let mut content = Vec::new();
                entry.read_to_end(&mut content).unwrap();
                return content;
            }
        }
        Vec::new()
    }

    #[test]
    fn an_icon_comes_and_is_replaced_and_goes() {
        let first = with_icon(&tar(), Some(b"one")).unwrap();
        let second = with_icon(&first, Some(b"two")).unwrap();
        let without = with_icon(&second, None).unwrap();
        let files = ["blueprint.yaml", "latest.sh", "scripts/run.sh"];
        assert_eq!(
            paths(&first),
            ["blueprint.yaml", "icon.png", "latest.sh", "scripts/run.sh"]
        );
        assert_eq!(content(&first, "crane/icon.png"), b"one");
        assert_eq!(content(&second, "crane/icon.png"), b"two");
        assert_eq!(content(&second, "crane/scripts/run.sh"), b"ls");
        assert_eq!(paths(&without), files);
    }

    #[test]
    fn a_zip_becomes_tar_gz() {
        use zip::write::SimpleFileOptions;
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default();
        writer.add_directory("crane", options).unwrap();
        writer.start_file("crane/blueprint.yaml", options).unwrap();
        writer.write_all(b"a: b").unwrap();
        writer.start_file("crane/icon.png", options).unwrap();
        writer.write_all(b"old").unwrap();
        let bytes = writer.finish().unwrap().into_inner();
        let rebuilt = with_icon(&bytes, Some(b"new")).unwrap();
        assert_eq!(paths(&rebuilt), ["blueprint.yaml", "icon.png"]);
        assert_eq!(content(&rebuilt, "crane/icon.png"), b"new");
        assert_eq!(content(&rebuilt, "crane/blueprint.yaml"), b"a: b");
    }

    #[test]
    fn large_files_and_long_names_survive() {
        let large: Vec<u8> = (0..300_001_u32)
            .map(|at| (at.wrapping_mul(at) >> 7) as u8)
            .collect();
        let name = format!("crane/{}/file", "long".repeat(60));
        let mut builder = Builder::new(Vec::new());
        for name in [name.as_str(), "crane/other"] {
            let mut header = Header::new_gnu();
            header.set_size(large.len() as u64);
            builder
                .append_data(&mut header, name, large.as_slice())
                .unwrap();
        }
        let rebuilt = with_icon(&builder.into_inner().unwrap(), Some(b"icon")).unwrap();
        for name in [name.as_str(), "crane/other"] {
            assert!(content(&rebuilt, name) == large, "{name}");
        }
        assert_eq!(content(&rebuilt, "crane/icon.png"), b"icon");
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        assert!(with_icon(b"hello", None).is_err());
        assert!(with_icon(&[0x1f, 0x8b, 1, 2, 3], None).is_err());
    }
}
