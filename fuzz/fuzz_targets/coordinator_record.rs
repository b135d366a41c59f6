//! See `ottla_fuzz::coordinator_record`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ottla_fuzz::coordinator_record(data));
