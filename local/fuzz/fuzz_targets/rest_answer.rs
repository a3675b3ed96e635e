//! Any bytes for [`fuzz_targets::rest_answer`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::rest_answer(input));
