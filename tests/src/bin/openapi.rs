//! Writes `docs/openapi.json` from the table of endpoints and the resources of the store.

#![allow(
    clippy::expect_used,
    reason = "a program that cannot write its file ends"
)]

fn main() {
    let file = windlass_tests::repository().join(windlass_tests::openapi::FILE);
    std::fs::write(&file, windlass_tests::openapi::text()).expect("the file can be written");
    println!("{} is written", file.display());
}
