//! Snapshots: the state of the application as one archive, which another application of the same version
//! can restore.
//!
//! An archive is a zip: a manifest, a file with the rows of each table, one JSON list a line, and one with
//! the bytes of all blobs. It is written from one moment's view of the database while others go on writing,
//! and restored in one transaction, so that whatever ends a restoration leaves the old state or the new
//! one. Neither ever holds more of it in memory than a few hundred rows or a chunk of a blob.

pub mod archive;
pub mod creation;
pub mod executions;
pub mod manifest;
pub mod opened;
pub mod restoration;
pub mod retention;
pub mod snapshots;
pub mod tables;

#[cfg(test)]
mod tests;
