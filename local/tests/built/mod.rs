//! The functions as they are now, for tests that run them.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of `api`, `drain` and `cron`. Their own tests have them built; where a test runs alone, they
/// are built as for those.
pub(crate) fn functions() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--quiet", "--workspace", "--locked", "--no-run", "--test", "start"]);
    // What cargo tells a test about its package would have the cargo in it build some of it once more.
    for (name, _) in env::vars() {
        if ["CARGO_MANIFEST_", "CARGO_PKG_"].iter().any(|prefix| name.starts_with(prefix)) {
            cargo.env_remove(name);
        }
    }
    let built = cargo.output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    Path::new(env!("CARGO_BIN_EXE_deo")).parent().unwrap().to_path_buf()
}
