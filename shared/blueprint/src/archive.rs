//! Uploaded archives. Their format is recognised by the content, they are read from one end to the
//! other, and nothing in them is trusted.
//!
//! Only what the parser may need is kept: texts, because any file can be imported, and the names of
//! all others. The archive and its other files are never in memory as a whole. Limits are counted on
//! the data that comes out of the decompressor, so an archive that claims to be small is refused as
//! early as one that says how large it is.

mod content;
mod guard;
mod names;
mod tree;
mod unpack;

pub use content::{Content, content};
pub use names::{is_left_by_macos, tar_name, zip_name};
pub use tree::Tree;
pub use unpack::{tar_reader, unpack, unpack_counted, unpack_from};

use std::fmt;

/// The limits of an archive's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many entries there may be, directories included.
    pub max_files: usize,
    /// How many bytes all files may have together.
    pub max_unpacked_bytes: u64,
    /// How many directories may be inside each other.
    pub max_depth: usize,
    /// How many bytes all YAML files may have together. They are kept in memory, and as far as there
    /// is room, other texts with them.
    pub max_yaml_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_files: 10_000,
            max_unpacked_bytes: 50 * 1024 * 1024,
            max_depth: 64,
            max_yaml_bytes: 16 * 1024 * 1024,
        }
    }
}

/// The kinds of archives that can be uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A zip file.
    Zip,
    /// A tar file without compression.
    Tar,
    /// A tar file that is compressed with gzip.
    TarGz,
    /// A tar file that is compressed with bzip2.
    TarBz2,
}

impl Format {
    /// The usual extension of such a file, without the first dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Tar => "tar",
            Self::TarGz => "tar.gz",
            Self::TarBz2 => "tar.bz2",
        }
    }
}

/// How many bytes [`recognise`] needs from the start of an archive.
pub const HEAD: usize = 512;

/// Finds the format of an archive from its first [`HEAD`] bytes, or from all of a shorter one.
pub fn recognise(bytes: &[u8]) -> Option<Format> {
    match bytes {
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Format::Zip),
        [0x1f, 0x8b, ..] => Some(Format::TarGz),
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some(Format::TarBz2),
        _ if is_tar(bytes) => Some(Format::Tar),
        _ => None,
    }
}

/// Whether the bytes begin with a tar header: it names the format, or at least its checksum is
/// right.
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
    /// The content has none of the known formats.
    Unrecognised,
    /// The archive is cut off or broken.
    Damaged(String),
    /// The archive does not hold exactly one directory at the top.
    NotOneDirectory,
    /// There are more entries than this limit.
    TooManyFiles(usize),
    /// The files have more bytes than this limit.
    TooLarge(u64),
    /// The YAML files have more bytes than this limit.
    TooMuchYaml(u64),
    /// A file is compressed in a way that is not read. The number is that of the zip format.
    UnknownMethod(u16),
    /// A name leads out of the directory, or cannot be the name of a file.
    BadName(String),
    /// A link leads out of the directory.
    BadLink(String),
    /// An entry is a device or something else that is neither a file nor a directory.
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
            Self::UnknownMethod(number) => write!(
                f,
                "Archive holds files that are compressed with {}; supported are deflate and bzip2",
                method_name(*number)
            ),
            Self::TooMuchYaml(limit) => {
                write!(f, "Archive holds more than {limit} bytes of YAML files")
            }
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

/// The name of a compression method of zip archives.
fn method_name(number: u16) -> String {
    let name = match number {
        1 => "shrink",
        2..=5 => "reduce",
        6 => "implode",
        9 => "deflate64",
        14 => "LZMA",
        93 => "Zstandard",
        95 => "XZ",
        98 => "PPMd",
        _ => return format!("method {number}"),
    };
    name.to_owned()
}

impl std::error::Error for ArchiveError {}
