//! Holds what the fuzzer runs: one function a target, which takes any bytes and panics where something is not as it
//! must be. [`TARGETS`] lists them.
//!
//! `local/fuzz` has a program for each, which libFuzzer drives; here the inputs that it found are run once, as a
//! test like any other.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a target that panics has found something"
)]

pub mod api_request;
mod cron;
mod expand;
mod gateway_request;
mod job;
mod request;
mod rest_answer;
mod score_lines;
mod settings;

pub use api_request::api_request;
pub use cron::cron;
pub use gateway_request::gateway_request;
pub use job::job;
pub use rest_answer::rest_answer;
pub use score_lines::score_lines;
pub use settings::settings;

/// A target: its name, which its program and the folder of its corpus have, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 7] = [
    ("api_request", api_request),
    ("cron", cron),
    ("gateway_request", gateway_request),
    ("job", job),
    ("rest_answer", rest_answer),
    ("score_lines", score_lines),
    ("settings", settings),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    /// Bytes of all corpora together, at most: they are for a clone to carry.
    const MOST_BYTES: u64 = 300_000;

    fn fuzz() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
    }

    /// What stands in a folder, by its names.
    fn names(folder: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn replay(name: &str) {
        let (_, run) = TARGETS.iter().find(|(target, _)| *target == name).unwrap();
        let folder = fuzz().join("corpus").join(name);
        let inputs = names(&folder);
        assert!(inputs.len() >= 5, "a corpus of {} inputs", inputs.len());
        for input in inputs {
            let bytes = fs::read(folder.join(&input)).unwrap();
            // Shown if it panics.
            println!("{name}/{input}");
            run(&bytes);
        }
    }

    #[test]
    fn requests_to_the_api_hold() {
        replay("api_request");
    }

    #[test]
    fn cron_patterns_hold() {
        replay("cron");
    }

    #[test]
    fn requests_to_the_gateway_hold() {
        replay("gateway_request");
    }

    #[test]
    fn jobs_of_others_hold() {
        replay("job");
    }

    #[test]
    fn answers_over_rest_hold() {
        replay("rest_answer");
    }

    #[test]
    fn lines_to_score_hold() {
        replay("score_lines");
    }

    #[test]
    fn settings_hold() {
        replay("settings");
    }

    #[test]
    fn each_target_has_a_program_and_a_corpus_and_all_are_small() {
        let targets: BTreeSet<String> =
            TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(names(&fuzz().join("corpus")), targets);
        let programs = targets.iter().map(|name| format!("{name}.rs")).collect();
        assert_eq!(names(&fuzz().join("fuzz_targets")), programs);
        let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
        let mut bytes = 0;
        for name in &targets {
            let program = format!("fuzz_targets/{name}.rs");
            assert!(manifest.contains(&program), "no program {name} in local/fuzz/Cargo.toml");
            // Only cargo-fuzz builds it: it is no more than this, which builds if all else here does.
            let expected = format!(
                "//! Any bytes for [`fuzz_targets::{name}`].\n#![no_main]\n\n\
                 libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::{name}(input));\n"
            );
            assert_eq!(fs::read_to_string(fuzz().join(program)).unwrap(), expected);
            let replayed = include_str!("lib.rs").contains(&format!("replay(\"{name}\")"));
            assert!(replayed, "the corpus of {name} is not run");
            let folder = fuzz().join("corpus").join(name);
            bytes += names(&folder)
                .iter()
                .map(|file| fs::metadata(folder.join(file)).unwrap().len())
                .sum::<u64>();
        }
        assert!(bytes < MOST_BYTES, "{bytes} bytes of corpora");
    }
}
