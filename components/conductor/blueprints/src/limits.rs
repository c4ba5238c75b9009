//! How large a blueprint may be: what operators set through `/config`.

use windlass_blueprint::archive::{ArchiveError, Limits};
use windlass_core::db::Db;
use windlass_core::{Error, Kind, Result};
use windlass_store::config;

/// The setting for bytes, of the archive and of what it unpacks to.
const SIZE_SETTING: &str = "blueprint_folder_max_size_mb";

/// The setting for files and directories.
const FILES_SETTING: &str = "blueprint_folder_max_files";

/// The limits of uploads, as they are set now.
#[derive(Clone, Copy, Debug)]
pub struct UploadLimits {
    megabytes: u64,
    files: usize,
}

impl UploadLimits {
    /// Reads the settings.
    pub async fn read(db: &impl Db) -> Result<Self> {
        let (size, files) = (
            config::integer(db, SIZE_SETTING).await?,
            config::integer(db, FILES_SETTING).await?,
        );
        let standard = Limits::default();
        let positive = |value: i64| u64::try_from(value).ok().filter(|value| *value > 0);
        Ok(Self {
            megabytes: size
                .and_then(positive)
                .unwrap_or(standard.max_unpacked_bytes >> 20),
            files: files
                .and_then(positive)
                .and_then(|files| usize::try_from(files).ok())
                .unwrap_or(standard.max_files),
        })
    }

    /// The most bytes of an archive.
    pub fn bytes(&self) -> u64 {
        self.megabytes.saturating_mul(1 << 20)
    }

    /// The limits for unpacking one.
    pub fn unpacking(&self) -> Limits {
        Limits {
            max_files: self.files,
            max_unpacked_bytes: self.bytes(),
            ..Limits::default()
        }
    }

    /// The refusal of an archive with more bytes.
    pub fn archive_too_large(&self) -> Error {
        Error::new(
            Kind::PayloadTooLarge,
            format!(
                "The blueprint archive is larger than the allowed {} MB (setting {SIZE_SETTING})",
                self.megabytes
            ),
        )
    }

    /// The refusal of an archive that is over a setting once it is unpacked; none when it is
    /// refused for something else.
    pub fn refusal(&self, error: &ArchiveError) -> Option<Error> {
        let text = match error {
            ArchiveError::TooLarge(_) => format!(
                "The blueprint archive unpacks to more than the allowed {} MB (setting {SIZE_SETTING})",
                self.megabytes
            ),
            ArchiveError::TooManyFiles(_) => format!(
                "The blueprint archive holds more than the allowed {} files (setting {FILES_SETTING})",
                self.files
            ),
            _ => return None,
        };
        Some(Error::bad_parameters(text))
    }
}
