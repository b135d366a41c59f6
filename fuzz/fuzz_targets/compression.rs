//! See `ottla_fuzz::compression`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ottla_fuzz::compression(data));
