//! Lists the migrations, so that a new one is a file in `schema/` and nothing else.
//!
//! The list is written to `$OUT_DIR/migrations.rs` and included by `src/migrations.rs`, the statements of
//! all to `$OUT_DIR/migrations.zlib`: every component carries them. A file name that does not follow the rule, or a number that is there twice, ends the build: migrations that change places
//! would be applied to some databases and not to others. Numbers may be left out: each is applied by itself.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a build that cannot go on ends with a panic"
)]

use miniz_oxide::deflate::compress_to_vec_zlib;
use std::path::Path;
use std::{env, fs, process};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=schema");
    let names = file_names(Path::new("schema"));
    match in_order(&names) {
        Ok(migrations) => {
            let folder = env::var("OUT_DIR").expect("cargo sets it for build scripts");
            let folder = Path::new(&folder);
            let (list, statements) = written(&migrations);
            let packed = compress_to_vec_zlib(statements.as_bytes(), 9);
            fs::write(folder.join("migrations.rs"), list).expect("the output folder is writable");
            fs::write(folder.join("migrations.zlib"), packed)
                .expect("the output folder is writable");
        }
        Err(problem) => {
            eprintln!("shared/store/schema: {problem}");
            process::exit(1);
        }
    }
}

/// The names of what is in the folder.
fn file_names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder of the schema can be read");
    entries
        .map(|entry| entry.expect("a name").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}

/// Number and name of each migration, sorted. Or what is wrong with the files.
pub fn in_order(files: &[String]) -> Result<Vec<(usize, String)>, String> {
    let mut migrations = files
        .iter()
        .map(|file| numbered(file))
        .collect::<Result<Vec<_>, _>>()?;
    migrations.sort();
    for pair in migrations.windows(2) {
        let [(same, other), (number, name)] = pair else {
            continue;
        };
        if same == number {
            return Err(format!(
                "{number:03}_{other}.sql and {number:03}_{name}.sql have the same number; give the newer one the next"
            ));
        }
    }
    Ok(migrations)
}

/// The number and the name in `NNN_name.sql`.
fn numbered(file: &str) -> Result<(usize, String), String> {
    let is_name = |name: &str| {
        let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        !name.is_empty() && name.bytes().all(is_plain)
    };
    let parts = file
        .strip_suffix(".sql")
        .and_then(|stem| stem.split_once('_'));
    match parts {
        Some((digits, name))
            if digits.len() == 3 && digits.bytes().all(|b| b.is_ascii_digit()) && is_name(name) =>
        {
            let number = digits.parse().expect("three digits are a number");
            Ok((number, name.to_owned()))
        }
        _ => Err(format!(
            "`{file}` is not called like a migration: NNN_name.sql, three digits and small letters"
        )),
    }
}

/// The list as Rust source: number, name and how many bytes of the statements are its own. And the
/// statements of all, one after another, without comments and indentation.
fn written(migrations: &[(usize, String)]) -> (String, String) {
    let mut list = String::from("&[\n");
    let mut statements = String::new();
    for (number, name) in migrations {
        let file = format!("schema/{number:03}_{name}.sql");
        let text = fs::read_to_string(&file).expect("a migration can be read");
        let text = without_comments(&text);
        list.push_str(&format!("    ({number}, {name:?}, {}),\n", text.len()));
        statements.push_str(&text);
    }
    (list + "]\n", statements)
}

/// The lines that say something to SQLite.
pub fn without_comments(sql: &str) -> String {
    let lines = sql.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with("--"))
        .flat_map(|line| [line, "\n"])
        .collect()
}
