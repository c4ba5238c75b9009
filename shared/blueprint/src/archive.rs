//! Uploaded archives: recognised by content, read from one end to the other, distrusted throughout.
//!
//! Only what parsing needs is kept: the text of YAML files, and the names of all others. Neither
//! the archive nor its other files are ever in memory as a whole.
//! Every limit is counted while data comes out of the decompressor, so an archive that
//! promises little and unpacks to much is refused as early as one that says so.

mod guard;
mod names;
mod tree;
mod unpack;

pub use tree::Tree;
pub use unpack::{tar_reader, unpack, unpack_from};

use std::fmt;

/// How much an archive may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Entries, directories included.
    pub max_files: usize,
    /// Bytes of all files together.
    pub max_unpacked_bytes: u64,
    /// Directories in directories.
    pub max_depth: usize,
    /// Bytes of all YAML files together: they are kept in memory.
    pub max_yaml_bytes: u64,
    /// How many times larger than the archive its content may be.
    pub max_ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_files: 10_000,
            max_unpacked_bytes: 50 * 1024 * 1024,
            max_depth: 64,
            max_yaml_bytes: 16 * 1024 * 1024,
            max_ratio: 200,
        }
    }
}

/// The kinds of archives that can be uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// PKZIP.
    Zip,
    /// tar without compression.
    Tar,
    /// tar, compressed with gzip.
    TarGz,
    /// tar, compressed with bzip2.
    TarBz2,
}

impl Format {
    /// The extension of such a file's name, without the dot in front.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Tar => "tar",
            Self::TarGz => "tar.gz",
            Self::TarBz2 => "tar.bz2",
        }
    }
}

/// How many of an archive's first bytes tell its format.
pub const HEAD: usize = 512;

/// The format of an archive, by its first bytes: [`HEAD`] of them, if there are so many.
pub fn recognise(bytes: &[u8]) -> Option<Format> {
    match bytes {
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Format::Zip),
        [0x1f, 0x8b, ..] => Some(Format::TarGz),
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some(Format::TarBz2),
        _ if is_tar(bytes) => Some(Format::Tar),
        _ => None,
    }
}

/// A tar header names its format, or at least its checksum is right.
fn is_tar(bytes: &[u8]) -> bool {
    let Some(header) = bytes.first_chunk::<512>() else {
        return false;
    };
    if header[257..262] == *b"ustar" {
        return true;
    }
    let said = std::str::from_utf8(&header[148..156])
        .ok()
        .and_then(|text| u32::from_str_radix(text.trim_matches([' ', '\0']), 8).ok());
    let sum: u32 = header
        .iter()
        .enumerate()
        .map(|(place, byte)| match place {
            148..156 => u32::from(b' '),
            _ => u32::from(*byte),
        })
        .sum();
    said == Some(sum) && header[0] != 0
}

/// Why an archive was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArchiveError {
    /// None of the formats.
    Unrecognised,
    /// Cut off or broken.
    Damaged(String),
    /// Something other than one directory at the top.
    NotOneDirectory,
    /// More entries than allowed.
    TooManyFiles(usize),
    /// More bytes than allowed.
    TooLarge(u64),
    /// More bytes of YAML than allowed.
    TooMuchYaml(u64),
    /// Compressed so tightly that it can only be meant to do harm.
    Bomb,
    /// A name that leaves the directory, or cannot be a file's name.
    BadName(String),
    /// Two names that differ in letter case only, or in the form of their letters.
    SameName(String, String),
    /// A link that leads out of the directory.
    BadLink(String),
    /// A device or something else that is neither file nor directory.
    BadKind(String),
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unrecognised => f.write_str(
                "Blueprint archive is of an unrecognized format. \
                 Supported formats are: ['zip', 'tar', 'tar.gz', 'tar.bz2']",
            ),
            Self::Damaged(why) => write!(f, "Archive is damaged: {why}"),
            Self::NotOneDirectory => f.write_str("Archive must contain exactly 1 directory"),
            Self::TooManyFiles(limit) => write!(f, "Archive holds more than {limit} files"),
            Self::TooLarge(limit) => write!(f, "Archive unpacks to more than {limit} bytes"),
            Self::Bomb => f.write_str("Archive unpacks to far more than its own size"),
            Self::TooMuchYaml(limit) => {
                write!(f, "Archive holds more than {limit} bytes of YAML files")
            }
            Self::SameName(one, other) => write!(
                f,
                "Archive holds names that differ in letter case or in the form of their letters \
                 only: {one} and {other}"
            ),
            Self::BadName(name) => write!(f, "Archive holds a file with an illegal name: {name}"),
            Self::BadLink(name) => {
                write!(
                    f,
                    "Archive holds a link that leads out of its directory: {name}"
                )
            }
            Self::BadKind(name) => {
                write!(
                    f,
                    "Archive holds something other than files and directories: {name}"
                )
            }
        }
    }
}

impl std::error::Error for ArchiveError {}
