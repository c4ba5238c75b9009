//! A form of any bytes, in pieces of any size: it ends soon, and in whatever pieces it comes, the same is read.
#![no_main]
#![allow(dead_code, reason = "the component uses all of it")]

use libfuzzer_sys::fuzz_target;
use windlass_core::stream::BodyStream;

#[path = "../../components/conductor/blueprints/src/multipart.rs"]
mod multipart;

/// The names and contents of all parts, or nothing where the form is broken.
fn read(body: &BodyStream) -> Option<Vec<(String, Vec<u8>)>> {
    pollster::block_on(async {
        let mut form = multipart::Multipart::new("multipart/form-data; boundary=x", body).ok()?;
        let mut parts = Vec::new();
        while let Some(name) = form.part().await.ok()? {
            let mut content = Vec::new();
            while let Some(piece) = form.piece().await.ok()? {
                content.extend_from_slice(&piece);
            }
            parts.push((name, content));
        }
        Some(parts)
    })
}

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let whole = read(&BodyStream::of_bytes(bytes.to_vec()));
    let pieces = bytes.chunks(usize::from(size).max(1)).map(<[u8]>::to_vec);
    let in_pieces = read(&BodyStream::of_pieces(pieces.collect()));
    assert_eq!(whole, in_pieces, "in pieces of {size}");
});
