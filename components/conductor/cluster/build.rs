//! Writes the application's description, `docs/openapi.json`, as the component serves it: the document
//! without white space, and a page for people, both compressed.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a build that cannot go on ends with a panic"
)]

#[path = "build/page.rs"]
mod page;

use base64::Engine as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::Path;
use std::{env, fs};

const DOCUMENT: &str = "../../../docs/openapi.json";
const STYLE: &str = "build/style.css";

fn main() {
    for file in [DOCUMENT, STYLE, "build.rs", "build/page.rs"] {
        println!("cargo:rerun-if-changed={file}");
    }
    let text = fs::read_to_string(DOCUMENT).expect("the document is in the repository");
    let style = fs::read_to_string(STYLE).expect("the style is beside this file");
    let document: serde_json::Value = serde_json::from_str(&text).expect("the document is JSON");
    let page = page::render(&document, &style);
    let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(&style));
    let folder = env::var("OUT_DIR").expect("cargo sets it for build scripts");
    let write = |name: &str, content: &[u8]| {
        fs::write(Path::new(&folder).join(name), content).expect("the output folder is writable");
    };
    write(
        "openapi.json.gz",
        &compressed(document.to_string().as_bytes()),
    );
    write("openapi.html.gz", &compressed(page.as_bytes()));
    write("style_hash.txt", format!("sha256-{hash}").as_bytes());
}

fn compressed(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).expect("memory is written to");
    encoder.finish().expect("memory is written to")
}
