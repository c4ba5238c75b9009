//! A plugin with all its files as a zip, made while it is sent.
//!
//! Nothing in it is compressed: a wagon is already. So its length is known before it is made, by making
//! it of zeros first; clients show how far a download is.

use crate::archive::attachment;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::rc::Rc;
use windlass_core::{Error, NextPart, Parts, Response, Result, blob, platform};
use windlass_store::plugins::{StoredFile, Wagon};
use zip::ZipWriter;
use zip::write::{SimpleFileOptions, StreamWriter};

/// How many zeros are written at once.
const ZEROS: usize = 64 << 10;

/// A response with the wagon and its files.
pub fn respond(wagon: &Wagon, files: Vec<StoredFile>) -> Result<Response> {
    let first = StoredFile {
        name: wagon.name.clone(),
        blob: wagon.blob.clone(),
        size: wagon.size,
    };
    let files: VecDeque<StoredFile> = [first].into_iter().chain(files).collect();
    let length = length(&files)?;
    let made = Made {
        zip: Zip::default(),
        left: files,
        current: None,
    };
    let name = wagon.name.strip_suffix(".wgn").unwrap_or(&wagon.name);
    let response = Response::made(200, "application/zip", length, made);
    Ok(response.header("content-disposition", attachment(&format!("{name}.zip"))))
}

/// How long a zip of these files is.
fn length(files: &VecDeque<StoredFile>) -> Result<u64> {
    let mut zip = Zip::default();
    let (mut length, zeros) = (0, vec![0; ZEROS]);
    for file in files {
        zip.begin(file)?;
        let mut left = file.size;
        while left > 0 {
            let now = left.min(ZEROS as u64);
            let zeros = usize::try_from(now).ok().and_then(|now| zeros.get(..now));
            zip.write(zeros.unwrap_or_default())?;
            left -= now;
            length += zip.take().len() as u64;
        }
    }
    Ok(length + zip.finish()?.len() as u64)
}

/// A zip that is being written; what was written is taken away from time to time.
struct Zip {
    writer: Option<ZipWriter<StreamWriter<Written>>>,
    written: Written,
}

/// What was written and not taken yet.
#[derive(Clone, Default)]
struct Written(Rc<RefCell<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Default for Zip {
    fn default() -> Self {
        let written = Written::default();
        Self {
            writer: Some(ZipWriter::new_stream(written.clone())),
            written,
        }
    }
}

impl Zip {
    fn writer(&mut self) -> Result<&mut ZipWriter<StreamWriter<Written>>> {
        let writer = self.writer.as_mut();
        writer.ok_or_else(|| Error::internal("a zip that is finished takes no more"))
    }

    fn begin(&mut self, file: &StoredFile) -> Result<()> {
        let options = SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .last_modified_time(zip::DateTime::default())
            .large_file(file.size >= u64::from(u32::MAX));
        let begun = self.writer()?.start_file(file.name.as_str(), options);
        begun.map_err(Error::internal)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer()?.write_all(bytes).map_err(Error::internal)
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut *self.written.0.borrow_mut())
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        if let Some(writer) = self.writer.take() {
            writer.finish().map_err(Error::internal)?;
        }
        Ok(self.take())
    }
}

/// The zip on its way to a client.
struct Made {
    zip: Zip,
    left: VecDeque<StoredFile>,
    /// The file that is being sent, and its next chunk.
    current: Option<(StoredFile, u64)>,
}

impl Parts for Made {
    fn next(&mut self) -> NextPart<'_> {
        Box::pin(self.part())
    }
}

impl Made {
    async fn part(&mut self) -> Result<Option<Vec<u8>>> {
        // Others have their turn in between.
        platform::pause().await;
        match self.current.take() {
            Some((file, chunk)) if chunk < blob::chunks(file.size) => {
                self.zip
                    .write(&blob::chunk(&file.blob, file.size, chunk).await?)?;
                self.current = Some((file, chunk + 1));
                Ok(Some(self.zip.take()))
            }
            _ => match self.left.pop_front() {
                Some(file) => {
                    self.zip.begin(&file)?;
                    self.current = Some((file, 0));
                    Ok(Some(self.zip.take()))
                }
                None => Ok(Some(self.zip.finish()?).filter(|end| !end.is_empty())),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Read};

    #[test]
    fn the_zip_has_all_files_and_the_length_that_was_told() {
        pollster::block_on(async {
            let mut files = Vec::new();
            for (name, size) in [("plugin.yaml", 9), ("empty.yaml", 0), ("icon.png", 70_000)] {
                let blob = blob::write(&vec![7; size]).await.unwrap();
                files.push(StoredFile {
                    name: name.into(),
                    blob: blob.id,
                    size: blob.size,
                });
            }
            let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| (at >> 3) as u8).collect();
            let blob = blob::write(&bytes).await.unwrap();
            let wagon = Wagon {
                name: "cloud.wgn".into(),
                blob: blob.id,
                size: blob.size,
                sha256: blob.sha256,
            };
            let response = respond(&wagon, files).unwrap();
            let made = response.made.unwrap();
            let length = made.length();
            let zip = made.read().await.unwrap();
            assert_eq!(length, Some(zip.len() as u64));
            let mut zip = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
            assert_eq!(zip.len(), 4);
            let mut read = Vec::new();
            zip.by_name("cloud.wgn")
                .unwrap()
                .read_to_end(&mut read)
                .unwrap();
            assert!(read == bytes);
            assert_eq!(zip.by_name("icon.png").unwrap().size(), 70_000);
        });
    }
}
