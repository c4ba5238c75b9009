//! Archives from outside: which are unpacked, and why others are refused.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

use std::io::{Cursor, Write};
use windlass_blueprint::archive::{ArchiveError, Format, Limits, recognise, unpack};

type Entry<'a> = (&'a str, &'a [u8]);

fn tar_of(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in entries {
        let mut header = tar::Header::new_gnu();
        // The name goes in as it is: the builder itself would refuse bad ones.
        header.as_gnu_mut().expect("it is GNU").name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        let directory = name.ends_with('/');
        header.set_entry_type(if directory {
            tar::EntryType::Directory
        } else {
            tar::EntryType::Regular
        });
        header.set_cksum();
        builder
            .append(&header, *content)
            .expect("it is written to memory");
    }
    builder.into_inner().expect("it is written to memory")
}

fn link_in_tar(name: &str, target: &str, kind: tar::EntryType) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_path(name).expect("the name is good");
    header.as_gnu_mut().expect("it is GNU").linkname[..target.len()]
        .copy_from_slice(target.as_bytes());
    header.set_entry_type(kind);
    header.set_size(0);
    header.set_cksum();
    builder
        .append(&header, &[][..])
        .expect("it is written to memory");
    builder.into_inner().expect("it is written to memory")
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("it is written to memory");
    encoder.finish().expect("it is written to memory")
}

fn bz2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(bytes).expect("it is written to memory");
    encoder.finish().expect("it is written to memory")
}

fn zip_of(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (name, content) in entries {
        writer
            .start_file(*name, options)
            .expect("it is written to memory");
        writer.write_all(content).expect("it is written to memory");
    }
    writer
        .finish()
        .expect("it is written to memory")
        .into_inner()
}

const GOOD: &[Entry<'static>] = &[
    ("app/", b""),
    ("app/blueprint.yaml", b"a: b"),
    ("app/scripts/run.sh", b"echo"),
    ("app/lib/types.yml", b"c: d"),
];

#[test]
fn every_format_gives_the_same_tree() {
    let tar = tar_of(GOOD);
    for (format, extension, bytes) in [
        (Format::Tar, "tar", tar.clone()),
        (Format::TarGz, "tar.gz", gz(&tar)),
        (Format::TarBz2, "tar.bz2", bz2(&tar)),
        (Format::Zip, "zip", zip_of(&GOOD[1..])),
    ] {
        assert_eq!(recognise(&bytes), Some(format));
        assert_eq!(format.extension(), extension);
        let tree = unpack(&bytes, &Limits::default()).expect(extension);
        let paths: Vec<&str> = tree.paths().collect();
        assert_eq!(paths, ["blueprint.yaml", "lib/types.yml", "scripts/run.sh"]);
        assert_eq!(tree.text("blueprint.yaml"), Some(&b"a: b"[..]));
        assert_eq!(tree.text("scripts/run.sh"), None, "only YAML is kept");
        assert!(tree.contains("scripts/run.sh"));
        assert_eq!(
            tree.main_file_candidates().collect::<Vec<_>>(),
            ["blueprint.yaml"]
        );
    }
}

#[test]
fn bad_names_and_layouts_are_refused() {
    use ArchiveError::{BadName, NotOneDirectory};
    let bad = |name: &str| BadName(name.to_owned());
    for (entries, refusal) in [
        (
            &[("app/../../etc/passwd", &b"x"[..])][..],
            bad("app/../../etc/passwd"),
        ),
        (&[("/etc/passwd", b"x")], bad("/etc/passwd")),
        (&[("..", b"x")], bad("..")),
        (&[("app\\..\\x", b"x")], bad("app\\..\\x")),
        (&[("C:/x", b"x")], bad("C:/x")),
        (&[("blueprint.yaml", b"x")], NotOneDirectory),
        (&[("a/b.yaml", b"x"), ("c/d.yaml", b"x")], NotOneDirectory),
        (&[("a/b.yaml", b"x"), ("c.yaml", b"x")], NotOneDirectory),
        (&[], NotOneDirectory),
    ] {
        if !entries.is_empty() {
            assert_eq!(
                unpack(&tar_of(entries), &Limits::default()),
                Err(refusal.clone()),
                "{entries:?}"
            );
        }
        assert_eq!(
            unpack(&zip_of(entries), &Limits::default()),
            Err(refusal),
            "{entries:?}"
        );
    }
    assert_eq!(
        NotOneDirectory.to_string(),
        "Archive must contain exactly 1 directory"
    );
}

#[test]
fn links_must_stay_inside() {
    use tar::EntryType::{Fifo, Link, Symlink};
    for (name, target, kind, allowed) in [
        ("app/a", "b", Symlink, true),
        ("app/x/a", "../b", Symlink, true),
        ("app/a", "../b", Symlink, false),
        ("app/a", "x/../../b", Symlink, false),
        ("app/a", "/etc/passwd", Symlink, false),
        ("app/a", "app/b", Link, true),
        ("app/a", "other/b", Link, false),
        ("app/a", "../b", Link, false),
        ("app/a", "", Fifo, false),
    ] {
        let result = unpack(&link_in_tar(name, target, kind), &Limits::default());
        assert_eq!(result.is_ok(), allowed, "{name} -> {target}: {result:?}");
    }
}

#[test]
fn sizes_are_limited_while_unpacking() {
    let limits = Limits {
        max_files: 3,
        max_unpacked_bytes: 10_000,
        ..Limits::default()
    };
    let large = vec![b'x'; 10_001];
    let many: Vec<Entry<'_>> = vec![("a/1", b"x"), ("a/2", b"x"), ("a/3", b"x"), ("a/4", b"x")];
    let twice: Vec<Entry<'_>> = vec![("a/1", &large[..6000]), ("a/2", &large[..6000])];
    for (entries, refusal) in [
        (
            vec![("a/b.yaml", &large[..])],
            ArchiveError::TooLarge(10_000),
        ),
        (
            vec![("a/b.bin", &large[..])],
            ArchiveError::TooLarge(10_000),
        ),
        (twice, ArchiveError::TooLarge(10_000)),
        (many, ArchiveError::TooManyFiles(3)),
    ] {
        for bytes in [tar_of(&entries), gz(&tar_of(&entries)), zip_of(&entries)] {
            assert_eq!(unpack(&bytes, &limits), Err(refusal.clone()));
        }
    }
    // Forty megabytes of zeros in forty kilobytes.
    let zeros = vec![0; 40 * 1024 * 1024];
    for bytes in [gz(&tar_of(&[("a/b", &zeros)])), zip_of(&[("a/b", &zeros)])] {
        assert_eq!(unpack(&bytes, &Limits::default()), Err(ArchiveError::Bomb));
    }
    let endless = gz(&zeros);
    assert!(unpack(&endless, &Limits::default()).is_err());
    let deep = format!("{}x", "a/".repeat(40));
    let limits = Limits {
        max_depth: 20,
        ..Limits::default()
    };
    assert!(matches!(
        unpack(&zip_of(&[(&deep, b"x")]), &limits),
        Err(ArchiveError::BadName(_))
    ));
}

#[test]
fn damaged_archives_are_refused_at_every_length() {
    let tar = tar_of(GOOD);
    for bytes in [gz(&tar), bz2(&tar), zip_of(&GOOD[1..])] {
        for length in 0..bytes.len() {
            let _ = unpack(&bytes[..length], &Limits::default());
            let mut flipped = bytes.clone();
            flipped[length] ^= 0x55;
            let _ = unpack(&flipped, &Limits::default());
        }
        assert!(unpack(&bytes[..bytes.len() / 2], &Limits::default()).is_err());
    }
    for bytes in [
        &b""[..],
        b"hello",
        b"PK\x03\x04",
        b"\x1f\x8b",
        b"BZh9",
        &[0; 2000],
    ] {
        assert!(unpack(bytes, &Limits::default()).is_err(), "{bytes:?}");
    }
    assert_eq!(
        unpack(b"hello", &Limits::default()),
        Err(ArchiveError::Unrecognised)
    );
}

#[test]
fn a_compressed_archive_is_whole_or_refused() {
    let tar = tar_of(GOOD);
    for bytes in [gz(&tar), bz2(&tar)] {
        for length in 0..bytes.len() {
            assert!(
                unpack(&bytes[..length], &Limits::default()).is_err(),
                "{length} of {} bytes",
                bytes.len()
            );
        }
    }
    let mut flipped = gz(&tar);
    let checksum = flipped.len() - 6;
    flipped[checksum] ^= 1;
    assert!(unpack(&flipped, &Limits::default()).is_err());
    // Padding is no harm.
    let mut padded = gz(&tar);
    padded.resize(padded.len() + 1000, 0);
    assert!(unpack(&padded, &Limits::default()).is_ok());
}

#[test]
fn names_that_careless_file_systems_mix_up_are_refused() {
    for (one, other, refused) in [
        ("app/A", "app/a", true),
        ("app/D/x", "app/d/y", true),
        ("app/\u{e9}", "app/e\u{301}", true),
        ("app/\u{df}", "app/\u{1e9e}", true),
        ("app/a", "app/a/b", true),
        ("app/a/b", "app/a", true),
        ("app/a", "app/a", false),
        ("app/a-b", "app/a_b", false),
        ("app/d/x", "app/d/y", false),
    ] {
        let entries = [(one, &b"1"[..]), (other, b"2")];
        let result = unpack(&tar_of(&entries), &Limits::default());
        assert_eq!(result.is_err(), refused, "{one} and {other}: {result:?}");
        if one != other {
            let result = unpack(&zip_of(&entries), &Limits::default());
            assert_eq!(result.is_err(), refused, "{one} and {other}: {result:?}");
        }
    }
}

#[test]
fn a_zip_whose_files_share_bytes_is_refused() {
    let zip = zip_of(&[("app/a.yaml", b"a: b"), ("app/b.yaml", b"c: d")]);
    let end = zip.len() - 22;
    let begin = zip.windows(4).position(|four| four == b"PK\x01\x02");
    let begin = begin.expect("it has a directory");
    // The directory says that both names mean the first file.
    let mut entry = zip[begin..begin + (end - begin) / 2].to_vec();
    let mut shared = zip[..begin].to_vec();
    shared.extend_from_slice(&entry);
    let name = entry.windows(6).position(|six| six == b"a.yaml");
    entry[name.expect("it has a name")] = b'b';
    shared.extend_from_slice(&entry);
    shared.extend_from_slice(&zip[end..]);
    let refusal = unpack(&shared, &Limits::default()).unwrap_err();
    assert!(refusal.to_string().contains("share"), "{refusal}");
}

#[test]
fn only_so_much_yaml_is_kept() {
    let limits = Limits {
        max_yaml_bytes: 1000,
        ..Limits::default()
    };
    let half = [b'#'; 600];
    for (second, refused) in [("app/b.yml", true), ("app/b.txt", false)] {
        let entries = [("app/a.yaml", &half[..]), (second, &half)];
        let result = unpack(&tar_of(&entries), &limits);
        assert_eq!(result.is_err(), refused, "{second}");
    }
}

#[test]
fn names_have_to_be_text() {
    let mut tar = tar_of(&[("app/x.yaml", b"a: b")]);
    tar[4] = 0xff;
    let sum: u32 = tar[..512]
        .iter()
        .enumerate()
        .map(|(place, byte)| {
            if (148..156).contains(&place) {
                32
            } else {
                u32::from(*byte)
            }
        })
        .sum();
    tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    assert!(matches!(
        unpack(&tar, &Limits::default()),
        Err(ArchiveError::BadName(_))
    ));
}
