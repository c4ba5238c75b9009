//! What a wagon says of itself, of any bytes: what is taken can be the name of a file.
#![no_main]
#![allow(dead_code, reason = "the component uses all of it")]

use libfuzzer_sys::fuzz_target;
use windlass_blueprint::archive::Tree;

#[path = "../../components/conductor/plugins/src/wagon.rs"]
mod wagon;

mod package {
    use windlass_core::{Error, Kind};

    /// The refusal of a plugin, as the component has it.
    pub fn invalid(text: impl Into<String>) -> Error {
        Error::new(Kind::InvalidPlugin, text.into())
    }
}

fuzz_target!(|text: &str| {
    let tree = Tree::from_texts([("package.json", text)]);
    if let Ok((about, name)) = wagon::about(&tree) {
        assert!(wagon::is_file_name(&name), "{name:?}");
        assert!(!about.package_name.is_empty() && !about.package_version.is_empty());
    }
});
