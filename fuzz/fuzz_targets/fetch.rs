//! See `ottla_fuzz::fetch`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ottla_fuzz::fetch(data));
