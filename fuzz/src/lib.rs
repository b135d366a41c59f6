//! What hostile bytes are thrown at: one function per target of `make fuzz`.
//!
//! A target must not panic, and says what must hold of what was read. Anything that a fuzzer finds goes, as
//! bytes, into `seeds/<target>/` under a name that tells what it was; `cargo test -p ottla-fuzz` runs all of
//! them without a fuzzer.

#![expect(clippy::expect_used, reason = "a broken promise is what a fuzzer looks for")]

mod files;
mod logs;
mod records;
mod requests;

pub use files::{log_files, raft_files};
pub use logs::log_recovery;
pub use records::{batch_check, compression, coordinator_record, metadata_record, record_walk};
pub use requests::{fetch, frame, produce, request};

/// A target's name and function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("frame", frame),
    ("request", request),
    ("produce", produce),
    ("fetch", fetch),
    ("batch_check", batch_check),
    ("record_walk", record_walk),
    ("compression", compression),
    ("metadata_record", metadata_record),
    ("coordinator_record", coordinator_record),
    ("log_files", log_files),
    ("raft_files", raft_files),
    ("log_recovery", log_recovery),
];

/// Takes numbers off the front of the fuzzer's bytes; zero where there are none left.
struct Dice<'a>(&'a [u8]);

impl<'a> Dice<'a> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let (front, rest) = self.0.split_at(N.min(self.0.len()));
        bytes[..front.len()].copy_from_slice(front);
        self.0 = rest;
        bytes
    }

    fn u8(&mut self) -> u8 {
        let [byte] = self.take();
        byte
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.take())
    }

    fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.take())
    }

    const fn rest(&self) -> &'a [u8] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Every seed, which includes all that was ever found.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test reads its data")]
    fn seeds_pass() {
        for (name, target) in TARGETS {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
            let mut seeds = 0;
            for entry in std::fs::read_dir(&folder).unwrap() {
                target(&std::fs::read(entry.unwrap().path()).unwrap());
                seeds += 1;
            }
            assert!(seeds > 0, "{name} has no seeds");
        }
    }
}
