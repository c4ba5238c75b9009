//! Lists the migrations, so that a new one is a file in `schema/` and nothing else.
//!
//! The list is written to `$OUT_DIR/migrations.rs` and included by `src/migrations.rs`. A file name that
//! does not follow the rule, a gap or a number that is there twice ends the build: migrations that
//! are skipped or change places would be applied to some databases and not to others.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a build that cannot go on ends with a panic"
)]

use std::path::Path;
use std::{env, fs, process};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=schema");
    let names = file_names(Path::new("schema"));
    match in_order(&names) {
        Ok(migrations) => {
            let folder = env::var("OUT_DIR").expect("cargo sets it for build scripts");
            let file = Path::new(&folder).join("migrations.rs");
            fs::write(file, list(&migrations)).expect("the output folder is writable");
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
    for (place, (number, name)) in migrations.iter().enumerate() {
        let expected = place + 1;
        let before = place.checked_sub(1).map(|before| &migrations[before]);
        match before {
            Some((same, other)) if same == number => {
                return Err(format!(
                    "{number:03}_{other}.sql and {number:03}_{name}.sql have the same number; give the newer one the next"
                ));
            }
            _ if *number != expected => {
                return Err(format!(
                    "there is no {expected:03}_*.sql before {number:03}_{name}.sql; numbers begin with 001 and have no gaps"
                ));
            }
            _ => {}
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

/// The list as Rust source. Every component carries it, so lines of comments and indentation stay out.
fn list(migrations: &[(usize, String)]) -> String {
    let mut source = String::from("&[\n");
    for (number, name) in migrations {
        let file = format!("schema/{number:03}_{name}.sql");
        let text = fs::read_to_string(&file).expect("a migration can be read");
        let text = without_comments(&text);
        source.push_str(&format!("    ({number}, {name:?}, {text:?}),\n"));
    }
    source + "]\n"
}

/// The lines that say something to SQLite.
pub fn without_comments(sql: &str) -> String {
    let lines = sql.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with("--"))
        .flat_map(|line| [line, "\n"])
        .collect()
}
