//! Any bytes for [`fuzz_targets::gateway_request`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::gateway_request(input));
