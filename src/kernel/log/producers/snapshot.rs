//! `.snapshot`: the producers up to the offset in the file's name, so that a start need not walk the log for them.
//!
//! Version 1, CRC-32C of all that follows, a count, and an entry of 46 bytes for each producer: its id, epoch, last
//! sequence, last offset, offset delta, timestamp, coordinator epoch, and the first offset of its open transaction
//! (−1 for none). Of the last batches only the last is kept. Entries are in the order of the ids.

use smallvec::SmallVec;

use super::{BatchMetadata, PRODUCERS_MAX, ProducerEntry, Producers, Transaction};
use crate::types::epoch::ProducerEpoch;
use crate::types::ids::ProducerId;
use crate::types::offset::Offset;
use crate::types::time::Timestamp;

const VERSION: i16 = 1;
const HEADER_BYTES: usize = 10;
const CHECKED_FROM: usize = 6;
const ENTRY_BYTES: usize = 46;
/// No honest file is longer; a longer one is not read. Kafka has no bound of its own, so there is room for more
/// than we keep.
pub const SNAPSHOT_BYTES_MAX: u64 = (HEADER_BYTES + 10 * PRODUCERS_MAX * ENTRY_BYTES) as u64;

/// Why bytes are not a snapshot: an older one is taken, or the log is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Shorter than its header, or than its count says.
    #[error("snapshot of {0} bytes is cut")]
    Cut(usize),
    /// Another version.
    #[error("snapshot contained an unknown file version {0}")]
    Version(i16),
    /// The checksum does not fit the bytes.
    #[error("snapshot is corrupt: stored crc {stored}, computed crc {computed}")]
    Crc {
        /// In the file.
        stored: u32,
        /// Of the bytes.
        computed: u32,
    },
}

impl Producers {
    /// The content of a snapshot taken now.
    pub fn to_snapshot(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.len() * ENTRY_BYTES);
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&(self.len() as i32).to_be_bytes());
        for (id, entry) in self.sorted() {
            put(&mut bytes, id, entry);
        }
        let crc = crc32c::crc32c(&bytes[CHECKED_FROM..]);
        bytes[2..CHECKED_FROM].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    /// The producers of a snapshot that is valid up to `end_offset`, without those that have expired.
    pub fn of_snapshot(
        bytes: &[u8],
        end_offset: Offset,
        now: Timestamp,
        expiration_ms: i64,
    ) -> Result<Self, SnapshotError> {
        let cut = SnapshotError::Cut(bytes.len());
        let Some(([v0, v1, c0, c1, c2, c3, n0, n1, n2, n3], rest)) =
            bytes.split_first_chunk::<HEADER_BYTES>()
        else {
            return Err(cut);
        };
        let version = i16::from_be_bytes([*v0, *v1]);
        if version != VERSION {
            return Err(SnapshotError::Version(version));
        }
        let stored = u32::from_be_bytes([*c0, *c1, *c2, *c3]);
        let computed = crc32c::crc32c(bytes.get(CHECKED_FROM..).unwrap_or_default());
        if stored != computed {
            return Err(SnapshotError::Crc { stored, computed });
        }
        let count = i32::from_be_bytes([*n0, *n1, *n2, *n3]);
        let (entries, _) = rest.as_chunks::<ENTRY_BYTES>();
        let entries = usize::try_from(count).ok().and_then(|count| entries.get(..count));
        let mut producers = Self::new(end_offset);
        for bytes in entries.ok_or(cut)? {
            let (id, entry) = take(bytes);
            if !entry.is_expired(now, expiration_ms) {
                producers.load(id, entry);
            }
        }
        Ok(producers)
    }

    fn load(&mut self, producer_id: ProducerId, entry: ProducerEntry) {
        if let Some(first_offset) = entry.transaction_first_offset {
            self.ongoing.insert(first_offset, Transaction { producer_id, last_offset: None });
        }
        let epoch = entry.epoch;
        *self.entry(producer_id, epoch) = entry;
    }
}

fn put(bytes: &mut Vec<u8>, id: ProducerId, entry: &ProducerEntry) {
    let last = entry.batches.last();
    let transaction = entry.transaction_first_offset.unwrap_or(Offset::UNKNOWN);
    bytes.extend_from_slice(&id.0.to_be_bytes());
    bytes.extend_from_slice(&entry.epoch.0.to_be_bytes());
    bytes.extend_from_slice(&entry.last_sequence().to_be_bytes());
    bytes.extend_from_slice(&last.map_or(-1, |batch| batch.last_offset.0).to_be_bytes());
    bytes.extend_from_slice(&last.map_or(0, |batch| batch.offset_delta).to_be_bytes());
    bytes.extend_from_slice(&entry.last_timestamp.0.to_be_bytes());
    bytes.extend_from_slice(&entry.coordinator_epoch.to_be_bytes());
    bytes.extend_from_slice(&transaction.0.to_be_bytes());
}

fn take(bytes: &[u8; ENTRY_BYTES]) -> (ProducerId, ProducerEntry) {
    let i64_at = |at: usize| {
        let mut field = [0; 8];
        field.copy_from_slice(&bytes[at..at + 8]);
        i64::from_be_bytes(field)
    };
    let i32_at = |at: usize| {
        let mut field = [0; 4];
        field.copy_from_slice(&bytes[at..at + 4]);
        i32::from_be_bytes(field)
    };
    let timestamp = Timestamp(i64_at(26));
    let last_offset = Offset(i64_at(14));
    let mut batches = SmallVec::new();
    if last_offset.0 >= 0 {
        let (last_sequence, offset_delta) = (i32_at(10), i32_at(22));
        batches.push(BatchMetadata { last_sequence, last_offset, offset_delta, timestamp });
    }
    let entry = ProducerEntry {
        epoch: ProducerEpoch(i16::from_be_bytes([bytes[8], bytes[9]])),
        coordinator_epoch: i32_at(34),
        last_timestamp: timestamp,
        transaction_first_offset: Some(Offset(i64_at(38))).filter(|offset| offset.0 >= 0),
        batches,
    };
    (ProducerId(i64_at(0)), entry)
}
