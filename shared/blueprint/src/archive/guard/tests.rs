use super::*;

fn header(kind: u8, size: &[u8]) -> Vec<u8> {
    let mut header = vec![0; BLOCK];
    header[156] = kind;
    header[124..124 + size.len()].copy_from_slice(size);
    header
}

fn read(archive: &[u8], left: u64) -> Result<usize> {
    let mut all = Vec::new();
    Guarded::new(archive, left).read_to_end(&mut all)
}

#[test]
fn long_names_are_refused_by_their_headers_and_files_are_not() {
    let long = b"00004000001\0";
    for (kind, refused) in [(b'0', false), (b'L', true), (b'x', true), (b'g', true)] {
        let archive = [header(kind, long), vec![0; BLOCK]].concat();
        assert_eq!(read(&archive, 9999).is_err(), refused, "{kind}");
    }
    // Content that looks like such a header is content.
    let mut archive = header(b'0', b"00000001000\0");
    archive.extend(header(b'L', long));
    assert_eq!(read(&archive, 9999).unwrap(), 2 * BLOCK);
    archive.extend(header(b'L', long));
    assert!(read(&archive, 9999).is_err());
}

#[test]
fn headers_of_sparse_files_may_go_on() {
    let mut archive = header(b'S', b"00000000000\0");
    archive[482] = 1;
    let mut more = header(b'L', b"00004000001\0");
    more[504] = 0;
    archive.extend(more);
    assert!(read(&archive, 9999).is_ok());
}

#[test]
fn what_follows_the_end_is_no_header() {
    let mut archive = vec![0; BLOCK];
    archive.extend(header(b'L', b"00004000001\0"));
    assert!(read(&archive, 9999).is_ok());
}

#[test]
fn sizes_are_octal_or_binary() {
    assert_eq!(size(b"00000000017\0"), 15);
    assert_eq!(size(b"      17 \0\0\0"), 15);
    assert_eq!(size(b"\x80\0\0\0\0\0\0\0\0\0\x01\0"), 256);
    assert_eq!(size(b""), 0);
}

#[test]
fn reading_ends_at_the_limit() {
    assert!(read(&[0; 4 * BLOCK], 4 * BLOCK as u64).is_ok());
    assert!(read(&[0; 4 * BLOCK], 4 * BLOCK as u64 - 1).is_err());
}
