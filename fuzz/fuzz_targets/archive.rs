//! An upload of any bytes: what is taken keeps the limits, and no name leads out of the directory.
#![no_main]

use libfuzzer_sys::fuzz_target;
use windlass_blueprint::archive::{Limits, unpack};

const LIMITS: Limits = Limits {
    max_files: 50,
    max_unpacked_bytes: 1 << 20,
    max_depth: 10,
    max_yaml_bytes: 1 << 20,
};

fuzz_target!(|bytes: &[u8]| {
    let Ok(tree) = unpack(bytes, &LIMITS) else {
        return;
    };
    let mut size = 0;
    let mut files = 0;
    for path in tree.paths() {
        files += 1;
        size += tree.text(path).map_or(0, <[u8]>::len);
        let parts: Vec<&str> = path.split('/').collect();
        assert!(parts.len() <= LIMITS.max_depth + 1, "{path:?} is too deep");
        let leads_out = |part: &&str| matches!(*part, "" | "." | "..");
        assert!(
            !parts.iter().any(|part| leads_out(&part)),
            "{path:?} leads out"
        );
    }
    assert!(files <= LIMITS.max_files, "{files} files");
    assert!(size as u64 <= LIMITS.max_unpacked_bytes, "{size} bytes");
});
