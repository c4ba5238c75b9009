//! Rebuilding an archive as tar.gz with another icon. Pure.
//!
//! To be called with archives that were unpacked before: names, links and sizes are trusted here.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{Cursor, Error, Read, Result, Write};
use tar::{Builder, EntryType, Header};
use windlass_blueprint::archive::{Format, recognise};

const ICON: &str = "icon.png";

/// The same files with this icon in the archive's directory, or without one.
pub fn with_icon(bytes: &[u8], icon: Option<&[u8]>) -> Result<Vec<u8>> {
    let mut rebuilt = Rebuilt::default();
    match recognise(bytes) {
        Some(Format::Zip) => rebuilt.copy_zip(bytes)?,
        Some(Format::Tar) => rebuilt.copy_tar(bytes)?,
        Some(Format::TarGz) => rebuilt.copy_tar(flate2::read::MultiGzDecoder::new(bytes))?,
        Some(Format::TarBz2) => rebuilt.copy_tar(bzip2::read::MultiBzDecoder::new(bytes))?,
        None => return Err(Error::other("it is of no known format")),
    }
    rebuilt.finish(icon)
}

/// An archive that is being written.
struct Rebuilt {
    builder: Builder<GzEncoder<Vec<u8>>>,
    /// The one directory at the top.
    top: String,
}

impl Default for Rebuilt {
    fn default() -> Self {
        let builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        Self {
            builder,
            top: String::new(),
        }
    }
}

impl Rebuilt {
    fn copy_tar(&mut self, reader: impl Read) -> Result<()> {
        let mut archive = tar::Archive::new(reader);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let kind = entry.header().entry_type();
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            if kind.is_pax_global_extensions() || self.is_icon(&name) {
                continue;
            }
            let mut header = Header::new_gnu();
            header.set_mode(entry.header().mode().unwrap_or(0o644));
            header.set_mtime(entry.header().mtime().unwrap_or(0));
            if let Some(target) = entry.link_name()? {
                header.set_entry_type(kind);
                header.set_size(0);
                self.builder.append_link(&mut header, &name, target)?;
            } else if kind.is_dir() {
                header.set_entry_type(EntryType::Directory);
                header.set_size(0);
                self.builder
                    .append_data(&mut header, &name, std::io::empty())?;
            } else {
                header.set_size(entry.size());
                self.builder.append_data(&mut header, &name, &mut entry)?;
            }
        }
        Ok(())
    }

    fn copy_zip(&mut self, bytes: &[u8]) -> Result<()> {
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(Error::other)?;
        for number in 0..archive.len() {
            let mut file = archive.by_index(number).map_err(Error::other)?;
            let name = String::from_utf8_lossy(file.name_raw()).into_owned();
            if self.is_icon(&name) {
                continue;
            }
            let mode = file.unix_mode();
            let is_link = mode.is_some_and(|mode| mode & 0o170_000 == 0o120_000);
            let mut header = Header::new_gnu();
            header.set_size(0);
            if file.is_dir() {
                header.set_mode(mode.unwrap_or(0o755) & 0o777);
                header.set_entry_type(EntryType::Directory);
                self.builder
                    .append_data(&mut header, &name, std::io::empty())?;
                continue;
            }
            header.set_mode(mode.unwrap_or(0o644) & 0o777);
            // What the directory of a zip says about sizes is not to be relied on.
            let mut content = Vec::new();
            file.read_to_end(&mut content)?;
            if is_link {
                header.set_entry_type(EntryType::Symlink);
                let target = String::from_utf8_lossy(&content).into_owned();
                self.builder.append_link(&mut header, &name, target)?;
            } else {
                header.set_size(content.len() as u64);
                self.builder
                    .append_data(&mut header, &name, content.as_slice())?;
            }
        }
        Ok(())
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

    fn finish(mut self, icon: Option<&[u8]>) -> Result<Vec<u8>> {
        if let Some(icon) = icon {
            let mut header = Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(icon.len() as u64);
            self.builder
                .append_data(&mut header, format!("{}/{ICON}", self.top), icon)?;
        }
        let mut encoder = self.builder.into_inner()?;
        encoder.flush()?;
        encoder.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_blueprint::archive::{Limits, unpack};

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
    fn what_is_no_archive_is_refused() {
        assert!(with_icon(b"hello", None).is_err());
        assert!(with_icon(&[0x1f, 0x8b, 1, 2, 3], None).is_err());
    }
}
