//! Any bytes for [`fuzz_targets::cron`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::cron(input));
