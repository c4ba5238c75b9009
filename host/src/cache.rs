//! Compiled components on disk, so that only the first start compiles.
//!
//! The file name is a hash of the component, of wasmtime's version and of every setting that changes
//! machine code. Loading such a file trusts it entirely, so the folder has to belong to the host:
//! it is created for the owner alone.
//!
//! The compiler runs in a process of its own where it can: what it allocated would stay with the host.

use anyhow::{Context, Result, anyhow};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use wasmtime::Engine;
use wasmtime::component::Component;

/// The folder with the compiled components.
pub struct Cache {
    folder: PathBuf,
    compiler: Option<Compiler>,
}

/// The program that compiles, and for which engine it does.
pub struct Compiler {
    /// `windlass-host`.
    pub program: PathBuf,
    /// The most memory of an instance, in bytes.
    pub max_memory: usize,
}

impl Cache {
    /// Uses `folder`, which is created if needed. Without a `compiler` this process compiles.
    pub fn open(folder: &Path, compiler: Option<Compiler>) -> Result<Self> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).with_context(|| {
            format!(
                "cannot create the cache folder {}: choose another with --cache-dir",
                folder.display()
            )
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            compiler,
        })
    }

    /// Loads the component in `wasm`, compiling it if that was never done. `compiling` is called
    /// before the compiler, which may take seconds; `build_command` is named if there is no file.
    pub fn load(
        &self,
        engine: &Engine,
        wasm: &Path,
        build_command: &str,
        compiling: impl FnOnce(),
    ) -> Result<Component> {
        let bytes = std::fs::read(wasm).with_context(|| {
            format!(
                "cannot read {}: build it with scripts/up, or with `{build_command}`",
                wasm.display()
            )
        })?;
        let compiled = self.folder.join(format!("{}.cwasm", key(engine, &bytes)));
        if let Some(component) = deserialize(engine, &compiled) {
            return Ok(component);
        }
        let bytes = unpacked(bytes).with_context(|| format!("cannot unpack {}", wasm.display()))?;
        compiling();
        // To a name of its own first, so that no other process loads half a file.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let unique = format!("{}-{}.tmp", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let temporary = self.folder.join(unique);
        let written = self
            .compile(engine, wasm, &bytes, &temporary)
            .and_then(|()| self.explain(std::fs::rename(&temporary, &compiled)));
        if written.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        written?;
        deserialize(engine, &compiled)
            .with_context(|| format!("cannot load {} again", compiled.display()))
    }

    /// Writes the machine code of the component `bytes` to `target`.
    fn compile(&self, engine: &Engine, wasm: &Path, bytes: &[u8], target: &Path) -> Result<()> {
        let mut file = self.explain(File::create(target))?;
        let outcome = match self.compiler.as_ref().map(|c| c.run(bytes, &file)) {
            Some(Ok(outcome)) => outcome,
            // No program, or one that cannot be started: it works without, too.
            None | Some(Err(_)) => translate(engine, bytes, &mut file),
        };
        outcome.or_else(|problem| match problem {
            Problem::Component(text) => Err(anyhow!(text)).with_context(|| {
                format!("{} is not a component that can run here", wasm.display())
            }),
            Problem::Output(text) => self.explain(Err(std::io::Error::other(text))),
        })
    }

    /// An error of the folder, with what helps.
    fn explain<T>(&self, result: std::io::Result<T>) -> Result<T> {
        result.with_context(|| {
            format!(
                "cannot write to the cache folder {}: choose another with --cache-dir",
                self.folder.display()
            )
        })
    }
}

/// The bytes of a component that may be packed with gzip, as container images have them: they are read once,
/// to be compiled. Those of another kind are as they were.
fn unpacked(bytes: Vec<u8>) -> std::io::Result<Vec<u8>> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut whole = Vec::new();
    let packed = flate2::read::GzDecoder::new(bytes.as_slice());
    packed.take(LARGEST + 1).read_to_end(&mut whole)?;
    match whole.len() as u64 > LARGEST {
        true => Err(std::io::Error::other("it is too large for a component")),
        false => Ok(whole),
    }
}

/// The most bytes of a component.
const LARGEST: u64 = 1 << 30;

/// Why there is no machine code.
enum Problem {
    /// The component is at fault.
    Component(String),
    /// It could not be written.
    Output(String),
}

/// The exit status that stands for [`Problem::Output`].
const CANNOT_WRITE: i32 = 3;

impl Compiler {
    /// Has the program compile `bytes` into `output`; the outer error says that it could not be run.
    fn run(&self, bytes: &[u8], output: &File) -> std::io::Result<Result<(), Problem>> {
        let mut command = Command::new(&self.program);
        command
            .args(["compile", "--max-memory", &self.max_memory.to_string()])
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(Stdio::piped());
        // Ctrl-C is for the host, which acts on it once it has started.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // One that ends early says why itself.
            let _ = input.write_all(bytes);
        }
        let ended = match child.wait_with_output() {
            Ok(ended) => ended,
            Err(error) => return Ok(Err(Problem::Output(error.to_string()))),
        };
        if ended.status.success() {
            return Ok(Ok(()));
        }
        let text = String::from_utf8_lossy(&ended.stderr);
        let text = text.trim().trim_start_matches("error: ");
        let text = match ended.status.code() {
            Some(_) => text.to_owned(),
            None => format!("the compiler was stopped ({})", ended.status),
        };
        Ok(Err(match ended.status.code() {
            Some(CANNOT_WRITE) => Problem::Output(text),
            _ => Problem::Component(text),
        }))
    }
}

/// What `windlass-host compile` does: reads a component from standard input and writes its machine
/// code, for instances of at most `max_memory` bytes, to standard output.
pub fn compile(max_memory: usize) -> Result<()> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    let engine = crate::engine::engine(max_memory).map_err(|error| anyhow!("{error:#}"))?;
    match translate(&engine, &bytes, &mut std::io::stdout()) {
        Ok(()) => Ok(()),
        Err(Problem::Component(text)) => Err(anyhow!(text)),
        Err(Problem::Output(text)) => {
            eprintln!("{text}");
            std::process::exit(CANNOT_WRITE)
        }
    }
}

fn translate(engine: &Engine, bytes: &[u8], output: &mut impl Write) -> Result<(), Problem> {
    let machine_code = engine
        .precompile_component(bytes)
        .map_err(|error| Problem::Component(format!("{error:#}")))?;
    output
        .write_all(&machine_code)
        .and_then(|()| output.flush())
        .map_err(|error| Problem::Output(error.to_string()))
}

#[allow(
    unsafe_code,
    reason = "reading compiled code is trusting it: see below"
)]
fn deserialize(engine: &Engine, compiled: &Path) -> Option<Component> {
    if !compiled.exists() {
        return None;
    }
    // SAFETY: the file was written by `Cache::write` from the compiler's output, into a folder that
    // only the host's owner may write to, and wasmtime checks version and settings again.
    unsafe { Component::deserialize_file(engine, compiled) }.ok()
}

fn key(engine: &Engine, bytes: &[u8]) -> String {
    /// Feeds a hash of settings into the cryptographic one.
    struct Settings(Sha256);
    impl Hasher for Settings {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut hasher = Settings(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.update(bytes);
    hasher
        .0
        .finalize()
        .iter()
        .take(20)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest component: nothing but the head of the format.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn load(name: &str, content: &[u8], program: Option<&str>) -> (Result<Component>, usize) {
        let folder = std::env::temp_dir().join(format!("cache-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let compiler = program.map(|program| Compiler {
            program: program.into(),
            max_memory: 16 << 20,
        });
        let cache = Cache::open(&folder.join("cache"), compiler).unwrap();
        let wasm = folder.join("a.wasm");
        std::fs::write(&wasm, content).unwrap();
        let engine = crate::engine::engine(16 << 20).unwrap();
        let loaded = cache.load(&engine, &wasm, "cargo build", || {});
        let files = std::fs::read_dir(folder.join("cache")).unwrap().count();
        std::fs::remove_dir_all(&folder).unwrap();
        (loaded, files)
    }

    #[test]
    fn a_component_is_compiled_and_kept_also_where_the_compiler_cannot_be_started() {
        for (name, program) in [("none", None), ("missing", Some("/no/such/program"))] {
            let (loaded, files) = load(name, EMPTY, program);
            assert!(loaded.is_ok(), "{name}: {:?}", loaded.err());
            assert_eq!(files, 1, "{name}");
        }
    }

    #[test]
    fn a_packed_component_is_unpacked_and_half_of_one_is_told() {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(EMPTY).unwrap();
        let packed = packer.finish().unwrap();
        let (loaded, files) = load("packed", &packed, None);
        assert!(loaded.is_ok(), "{:?}", loaded.err());
        assert_eq!(files, 1);
        let (loaded, files) = load("half", &packed[..packed.len() - 9], None);
        let error = format!("{:#}", loaded.err().unwrap());
        assert!(error.contains("cannot unpack"), "{error}");
        assert_eq!(files, 0);
    }

    #[test]
    fn what_is_not_a_component_is_told_and_leaves_nothing_behind() {
        for (name, program) in [("bad", None), ("failing", Some("/bin/false"))] {
            let (loaded, files) = load(name, b"not Wasm", program);
            let error = format!("{:#}", loaded.err().unwrap());
            assert!(
                error.contains("is not a component that can run here"),
                "{name}: {error}"
            );
            assert_eq!(files, 0, "{name}");
        }
    }
}
