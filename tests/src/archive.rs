//! Archives, well-formed and not: tar and zip are written byte by byte, so that a story can put into
//! them what no decent tool would.

use flate2::{Compression, Crc, write::GzEncoder};
use std::io::Write;

/// One thing in an archive.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A file and its content.
    File(String, Vec<u8>),
    /// A folder.
    Folder(String),
    /// A symbolic link and where it points to.
    Link(String, String),
}

/// The content of an archive, before it is packed.
#[derive(Clone, Debug, Default)]
pub struct Archive(Vec<Entry>);

impl Archive {
    /// Exactly these entries.
    pub fn of(entries: impl Into<Vec<Entry>>) -> Self {
        Self(entries.into())
    }

    /// Files in the one folder that a blueprint's archive must have.
    pub fn blueprint(files: &[(&str, &str)]) -> Self {
        let mut entries = vec![Entry::Folder("blueprint/".into())];
        for (name, content) in files {
            entries.push(Entry::File(
                format!("blueprint/{name}"),
                content.as_bytes().to_vec(),
            ));
        }
        Self(entries)
    }

    /// A wagon: a package of code that is a plugin, and as many bytes of a wheel.
    pub fn wagon(package: &str, version: &str, wheel: Vec<u8>) -> Self {
        let about = serde_json::json!({
            "archive_name": format!("{package}-{version}-py311-none-any.wgn"),
            "package_name": package, "package_version": version, "package_source": package,
            "supported_platform": "any", "supported_python_versions": ["py311"],
            "wheels": [format!("{package}-{version}-py3-none-any.whl")],
        });
        let file = |name: &str, content| Entry::File(format!("{package}/{name}"), content);
        Self(vec![
            file("package.json", about.to_string().into_bytes()),
            file("wheels/code.whl", wheel),
        ])
    }

    /// With one more entry.
    #[must_use]
    pub fn and(mut self, entry: Entry) -> Self {
        self.0.push(entry);
        self
    }

    /// As tar.
    pub fn tar(&self) -> Vec<u8> {
        let mut tar = Vec::new();
        for entry in &self.0 {
            let (kind, name, link, content): (u8, &str, &str, &[u8]) = match entry {
                Entry::File(name, content) => (b'0', name, "", content),
                Entry::Folder(name) => (b'5', name, "", &[]),
                Entry::Link(name, to) => (b'2', name, to, &[]),
            };
            tar.extend_from_slice(&tar_header(kind, name, link, content.len()));
            tar.extend_from_slice(content);
            tar.resize(tar.len().next_multiple_of(512), 0);
        }
        tar.resize(tar.len() + 1024, 0);
        tar
    }

    /// As tar, compressed with gzip.
    pub fn tar_gz(&self) -> Vec<u8> {
        gzip(&self.tar())
    }

    /// As zip, compressed.
    pub fn zip(&self) -> Vec<u8> {
        let (mut zip, mut directory) = (Vec::new(), Vec::new());
        for entry in &self.0 {
            let (name, content, attributes): (&str, &[u8], u32) = match entry {
                Entry::File(name, content) => (name, content, 0o100_644 << 16),
                Entry::Folder(name) => (name, &[], 0o040_755 << 16),
                Entry::Link(name, to) => (name, to.as_bytes(), 0o120_777 << 16),
            };
            let mut crc = Crc::new();
            crc.update(content);
            let packed = deflate(content);
            // Version, flags, method 8, time, date, checksum, both sizes, length of the name.
            let mut common = Vec::new();
            for half in [20_u16, 0, 8, 0, 33] {
                common.extend_from_slice(&half.to_le_bytes());
            }
            for word in [
                crc.sum(),
                length(packed.len()),
                length(content.len()),
                length(name.len()),
            ] {
                // The last one is the name's length and that of no extra field.
                common.extend_from_slice(&word.to_le_bytes());
            }
            let offset = length(zip.len());
            zip.extend_from_slice(b"PK\x03\x04");
            zip.extend_from_slice(&common);
            zip.extend_from_slice(name.as_bytes());
            zip.extend_from_slice(&packed);
            // Made by Unix: only then do the attributes tell a link.
            directory.extend_from_slice(b"PK\x01\x02\x14\x03");
            directory.extend_from_slice(&common);
            directory.extend_from_slice(&[0; 6]);
            directory.extend_from_slice(&attributes.to_le_bytes());
            directory.extend_from_slice(&offset.to_le_bytes());
            directory.extend_from_slice(name.as_bytes());
        }
        let count = u16::try_from(self.0.len()).expect("fewer than 65,536 entries");
        let offset = length(zip.len());
        zip.extend_from_slice(&directory);
        zip.extend_from_slice(b"PK\x05\x06\0\0\0\0");
        zip.extend_from_slice(&count.to_le_bytes());
        zip.extend_from_slice(&count.to_le_bytes());
        zip.extend_from_slice(&length(directory.len()).to_le_bytes());
        zip.extend_from_slice(&offset.to_le_bytes());
        zip.extend_from_slice(&[0, 0]);
        zip
    }
}

/// Compresses with gzip, as well as it goes: bombs are to be small.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}

fn length(length: usize) -> u32 {
    u32::try_from(length).expect("archives of stories are small")
}

fn tar_header(kind: u8, name: &str, link: &str, size: usize) -> [u8; 512] {
    let mut header = [0_u8; 512];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    // The checksum counts itself as blanks.
    put(148, b"        ");
    put(156, &[kind]);
    put(157, link.as_bytes());
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// Lists an archive with the tools of the machine.
    fn listed(python: &str, archive: &[u8]) -> String {
        let mut child = Command::new("python3")
            .args(["-c", python])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(archive).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    }

    #[test]
    fn other_tools_read_these_archives() {
        let archive = Archive::blueprint(&[("a.yaml", "one: 1"), ("sub/b", "two")])
            .and(Entry::Link("blueprint/l".into(), "a.yaml".into()));
        let want = "blueprint a.yaml:one: 1 b:two l";
        let tar = "import sys,io,tarfile\nt=tarfile.open(fileobj=io.BytesIO(sys.stdin.buffer.read()))\n\
            print(*[m.name.split('/')[-1]+(':'+t.extractfile(m).read().decode() if m.isreg() else '') for m in t],end='')";
        assert_eq!(listed(tar, &archive.tar()), want);
        assert_eq!(listed(tar, &archive.tar_gz()), want);
        let zip = "import sys,io,zipfile\nz=zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read()))\nassert z.testzip() is None\n\
            print(*[i.filename.rstrip('/').split('/')[-1]+(':'+z.read(i).decode() if i.external_attr>>28==8 else '') for i in z.infolist()],end='')";
        assert_eq!(listed(zip, &archive.zip()), want);
    }
}
