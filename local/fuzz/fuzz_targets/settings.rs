//! Any bytes for [`fuzz_targets::settings`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::settings(input));
