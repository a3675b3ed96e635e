//! Any bytes for [`fuzz_targets::api_request`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::api_request(input));
