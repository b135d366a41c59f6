//! See `ottla_fuzz::metadata_record`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ottla_fuzz::metadata_record(data));
