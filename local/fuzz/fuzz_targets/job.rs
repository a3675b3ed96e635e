//! Any bytes for [`fuzz_targets::job`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::job(input));
