//! Compiled components on disk, so that only the first start compiles.
//!
//! The file name is a hash of the component, of wasmtime's version and of every setting that changes
//! machine code. Loading such a file trusts it entirely, so the folder has to belong to the host:
//! it is created for the owner alone.

use anyhow::{Context, Result, anyhow};
use sha2::{Digest, Sha256};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use wasmtime::Engine;
use wasmtime::component::Component;

/// The folder with the compiled components.
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Uses `folder`, which is created if needed.
    pub fn open(folder: &Path) -> Result<Self> {
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
        compiling();
        let machine_code = engine
            .precompile_component(&bytes)
            .map_err(|error| anyhow!("{error:#}"))
            .with_context(|| format!("{} is not a component that can run here", wasm.display()))?;
        self.write(&compiled, &machine_code)?;
        deserialize(engine, &compiled)
            .with_context(|| format!("cannot load {} again", compiled.display()))
    }

    /// Writes to a name of its own first, so that no other process loads half a file.
    fn write(&self, target: &Path, content: &[u8]) -> Result<()> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let unique = format!("{}-{}.tmp", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let temporary = self.folder.join(unique);
        std::fs::write(&temporary, content)
            .and_then(|()| std::fs::rename(&temporary, target))
            .with_context(|| {
                format!(
                    "cannot write to the cache folder {}: choose another with --cache-dir",
                    self.folder.display()
                )
            })
    }
}

#[allow(unsafe_code)]
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
