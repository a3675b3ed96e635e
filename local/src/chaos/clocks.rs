//! Gives processes a wrong clock, by libfaketime where it is installed.

use std::fs;
use std::path::{Path, PathBuf};

use rand::RngExt as _;
use rand::rngs::StdRng;

/// How far a clock is off, at least and at most: seconds.
const NEAREST_S: i64 = 60;
const FARTHEST_S: i64 = 300;

/// The library, which Debian's package `libfaketime` has in a folder of the machine's architecture.
pub(super) fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
    let places = folders.chain([PathBuf::from("/usr/lib"), PathBuf::from("/usr/local/lib")]);
    let library = |folder: PathBuf| folder.join("faketime/libfaketimeMT.so.1");
    places.map(library).find(|library| Path::exists(library))
}

/// How far a clock is ahead, minutes in either direction: milliseconds.
pub(super) fn far(random: &mut StdRng) -> i64 {
    let by = random.random_range(NEAREST_S..=FARTHEST_S);
    if random.random_bool(0.5) { by * 1_000 } else { -by * 1_000 }
}

/// What gives a process such a clock; nothing where it is to be right. Time that passes is as it is.
pub(super) fn settings(ahead_ms: i64) -> Vec<(String, String)> {
    let Some(library) = library().filter(|_| ahead_ms != 0) else { return Vec::new() };
    let seconds = ahead_ms / 1_000;
    vec![
        ("LD_PRELOAD".to_owned(), library.display().to_string()),
        ("FAKETIME".to_owned(), format!("{seconds:+}")),
        ("FAKETIME_DONT_FAKE_MONOTONIC".to_owned(), "1".to_owned()),
        ("DONT_FAKE_MONOTONIC".to_owned(), "1".to_owned()),
    ]
}
