//! See `ottla_fuzz::batch_check`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ottla_fuzz::batch_check(data));
