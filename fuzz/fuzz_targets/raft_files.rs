//! See `ottla_fuzz::raft_files`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ottla_fuzz::raft_files(data));
