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
        assert!(
            tree.text("scripts/run.sh").is_some(),
            "any text may be imported"
        );
        assert!(tree.contains("scripts/run.sh"));
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
    // Zeros compress well, and are no harm as long as they are not too many.
    let zeros = vec![0; 40 << 20];
    for bytes in [gz(&tar_of(&[("a/b", &zeros)])), zip_of(&[("a/b", &zeros)])] {
        assert!(bytes.len() < 100_000);
        assert!(unpack(&bytes, &Limits::default()).is_ok());
    }
    let more = vec![0; 51 << 20];
    for bytes in [gz(&tar_of(&[("a/b", &more)])), zip_of(&[("a/b", &more)])] {
        let refusal = unpack(&bytes, &Limits::default());
        assert_eq!(refusal, Err(ArchiveError::TooLarge(50 << 20)));
    }
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
fn names_that_differ_are_different_files() {
    for (one, other, refused) in [
        ("app/Logo.png", "app/logo.png", false),
        ("app/D/x", "app/d/y", false),
        ("app/\u{e9}", "app/e\u{301}", false),
        ("app/a", "app/a/b", true),
        ("app/a/b", "app/a", true),
        ("app/a", "app/a", false),
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
    for (first, second, refused) in [
        ("app/a.yaml", "app/b.yml", true),
        ("app/a.yaml", "app/b.YML", true),
        ("app/a.yaml", "app/b.txt", false),
        // A text makes room for YAML.
        ("app/a.txt", "app/b.yaml", false),
    ] {
        let entries = [(first, &half[..]), (second, &half)];
        let result = unpack(&tar_of(&entries), &limits);
        assert_eq!(result.is_err(), refused, "{first}, {second}");
        if let Ok(tree) = result {
            let (yaml, text) = match first.ends_with("yaml") {
                true => ("a.yaml", "b.txt"),
                false => ("b.yaml", "a.txt"),
            };
            assert!(tree.text(yaml).is_some() && tree.text(text).is_none());
            assert!(tree.contains(text));
        }
    }
    let tree = unpack(&tar_of(&[("app/x.bin", b"a\0b")]), &limits).unwrap();
    assert_eq!(tree.text("x.bin"), None, "it is no text");
}

/// Replaces bytes by as many others, wherever they are.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    for place in 0..bytes.len() - from.len() {
        if bytes[place..].starts_with(from) {
            bytes[place..place + to.len()].copy_from_slice(to);
        }
    }
    bytes
}

fn with_sum(mut tar: Vec<u8>) -> Vec<u8> {
    tar[148..156].copy_from_slice(b"        ");
    let sum: u32 = tar[..512].iter().map(|byte| u32::from(*byte)).sum();
    tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    tar
}

fn paths(bytes: &[u8]) -> Vec<String> {
    let tree = unpack(bytes, &Limits::default()).unwrap();
    tree.paths().map(str::to_owned).collect()
}

#[test]
fn names_of_other_times_and_places_are_read() {
    // A zip of an old Windows, in the letters of the first PCs, and one of macOS, which does not say
    // that it is UTF-8.
    let zip = zip_of(&[("app/Bogen.yaml", b"a: b")]);
    assert_eq!(
        paths(&replaced(&zip, b"Bogen", b"B\x94gen")),
        ["Bögen.yaml"]
    );
    let zip = zip_of(&[("app/Boogen.yaml", b"a: b")]);
    assert_eq!(
        paths(&replaced(&zip, b"oo", "ö".as_bytes())),
        ["Bögen.yaml"]
    );
    // PowerShell separates folders as Windows does.
    let zip = zip_of(&[("app_lib_x.yaml", b"a: b")]);
    assert_eq!(paths(&replaced(&zip, b"_", b"\\")), ["lib/x.yaml"]);
    let zip = zip_of(&[("app_.._x.yaml", b"a: b")]);
    let refusal = unpack(&replaced(&zip, b"_", b"\\"), &Limits::default());
    assert_eq!(refusal, Err(ArchiveError::BadName("app/../x.yaml".into())));
    // A tar does not say which letters its names are in.
    let tar = tar_of(&[("app/Bogen.yaml", b"a: b")]);
    let tar = with_sum(replaced(&tar, b"Bogen", b"B\xf6gen"));
    assert_eq!(paths(&tar), ["Bögen.yaml"]);
}

#[test]
fn what_macos_leaves_beside_the_directory_is_no_part_of_it() {
    let entries = [
        ("._app", &b"notes"[..]),
        ("__MACOSX/._app", b"notes"),
        ("__MACOSX/app/._x.yaml", b"notes"),
        (".DS_Store", b"notes"),
        ("app/x.yaml", b"a: b"),
    ];
    assert_eq!(paths(&zip_of(&entries)), ["x.yaml"]);
    assert_eq!(paths(&tar_of(&entries)), ["x.yaml"]);
    let other = [("other", &b"x"[..]), ("app/x.yaml", b"a: b")];
    let refusal = unpack(&zip_of(&other), &Limits::default());
    assert_eq!(refusal, Err(ArchiveError::NotOneDirectory));
}

#[test]
fn a_way_of_compressing_is_read_or_named() {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let bzip2 =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Bzip2);
    writer.start_file("app/x.yaml", bzip2).unwrap();
    writer.write_all(b"a: b").unwrap();
    let zip = writer.finish().unwrap().into_inner();
    let tree = unpack(&zip, &Limits::default()).unwrap();
    assert_eq!(tree.text("x.yaml"), Some(&b"a: b"[..]));
    // The method stands before the time in both headers.
    for (number, name) in [
        (14, "LZMA"),
        (93, "Zstandard"),
        (95, "XZ"),
        (200, "method 200"),
    ] {
        let mut other = zip.clone();
        for signature in [&b"PK\x03\x04"[..], b"PK\x01\x02"] {
            let begin = other.windows(4).position(|four| four == signature).unwrap();
            let place = begin + if signature[2] == 3 { 8 } else { 10 };
            assert_eq!(other[place], 12);
            other[place] = number;
        }
        let refusal = unpack(&other, &Limits::default()).unwrap_err().to_string();
        assert!(
            refusal.contains(&format!("compressed with {name};")),
            "{refusal}"
        );
    }
}

#[test]
fn a_link_is_what_it_leads_to() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut file = tar::Header::new_gnu();
    file.set_size(4);
    builder
        .append_data(&mut file, "app/parts/real.yaml", &b"a: b"[..])
        .unwrap();
    for (name, target, kind) in [
        (
            "app/blueprint.yaml",
            "parts/real.yaml",
            tar::EntryType::Symlink,
        ),
        ("app/hard.yaml", "app/parts/real.yaml", tar::EntryType::Link),
        ("app/lib", "./parts", tar::EntryType::Symlink),
        ("app/deep/up", "../lib/../lib", tar::EntryType::Symlink),
        ("app/self", ".", tar::EntryType::Symlink),
        ("app/a", "b", tar::EntryType::Symlink),
        ("app/b", "a", tar::EntryType::Symlink),
        ("app/nothing", "gone", tar::EntryType::Symlink),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        builder.append_link(&mut header, name, target).unwrap();
    }
    let tree = unpack(&builder.into_inner().unwrap(), &Limits::default()).unwrap();
    for path in [
        "blueprint.yaml",
        "hard.yaml",
        "lib/real.yaml",
        "deep/up/real.yaml",
        "self/self/lib/real.yaml",
    ] {
        assert_eq!(tree.text(path), Some(&b"a: b"[..]), "{path}");
        assert!(tree.contains(path), "{path}");
    }
    for path in ["a", "b/x", "nothing", "lib/gone.yaml"] {
        assert_eq!(tree.text(path), None, "{path}");
    }
}

#[test]
fn any_file_may_be_the_main_file_or_an_import() {
    let main = b"tosca_definitions_version: cloudify_dsl_1_4\nimports: [lib/types, lib/more.TXT]\n";
    let tar = tar_of(&[
        ("app/Crane.YAML", main),
        ("app/lib/types", b"node_types: {t: {}}"),
        ("app/lib/more.TXT", b"node_templates: {n: {type: t}}"),
    ]);
    let tree = unpack(&tar, &Limits::default()).unwrap();
    let plan = windlass_blueprint::parse(&tree, "Crane.YAML", &windlass_blueprint::NoImports);
    assert_eq!(plan.unwrap().to_value()["nodes"][0]["id"], "n");
}
