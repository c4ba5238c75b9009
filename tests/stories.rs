//! The stories: what clients of Windlass can rely on, told over HTTP.
//!
//! A URL's story is found as its handler is: `tests/<family>/<resource>.rs`. What holds for every URL
//! has a file of its own beside the families. No story is named here: the build script finds them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

include!(concat!(env!("OUT_DIR"), "/stories.rs"));
