//! The content of a `.checkpoint` file (KIP-630): batches of records as in a log, between a header and a footer.
//!
//! `bootstrap.checkpoint`, the snapshot 0-0 of a dynamic quorum and every snapshot of the metadata have this form. A
//! file without its footer was cut short and is not used.

use bytes::Bytes;

use super::batches::{self, BatchReadError};
use super::control::{ControlRecord, ControlRecordError};
use super::snapshot_id::SnapshotId;
use super::voters::VoterSet;
use crate::types::offset::Offset;
use crate::types::time::Timestamp;

/// No more records than this go into one batch of a snapshot.
const BATCH_RECORDS_MAX: usize = 1000;

/// What a checkpoint says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// The time of the last record in it; 0 in `bootstrap.checkpoint`.
    pub last_contained_log_timestamp: Timestamp,
    /// 0 where it is not said.
    pub kraft_version: i16,
    /// The voters of a dynamic quorum.
    pub voters: Option<VoterSet>,
    /// The values of the metadata records, in their frames.
    pub values: Vec<Bytes>,
}

/// Why a file is not a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// A batch that does not read.
    #[error(transparent)]
    Batch(#[from] BatchReadError),
    /// A control record that does not read.
    #[error(transparent)]
    Control(#[from] ControlRecordError),
    /// The first record is not a header.
    #[error("it does not begin with a snapshot header")]
    NoHeader,
    /// The last record is not a footer.
    #[error("it does not end with a snapshot footer: it was cut short")]
    NoFooter,
    /// Something follows the footer, or a record has no value.
    #[error("it has an unexpected record at offset {0}")]
    Unexpected(Offset),
}

impl Checkpoint {
    /// A whole file: `control` in the first batch, beginning with the header, then `values`, then the footer.
    pub fn encode(
        control: &[ControlRecord],
        values: impl Iterator<Item = Bytes>,
        id: SnapshotId,
        now: Timestamp,
    ) -> Vec<u8> {
        let mut out = Vec::new();
        let mut next = Offset::ZERO;
        let mut put = |batch: Bytes, records: usize| {
            out.extend_from_slice(&batch);
            next = next + records as i64;
            next
        };
        let mut at = put(batches::control(Offset::ZERO, id.epoch, now, control), control.len());
        let mut values = values.peekable();
        while values.peek().is_some() {
            let some: Vec<Bytes> = values.by_ref().take(BATCH_RECORDS_MAX).collect();
            at = put(batches::records(at, id.epoch, now, &some), some.len());
        }
        put(batches::control(at, id.epoch, now, &[ControlRecord::SnapshotFooter]), 1);
        out
    }

    /// Reads a whole file.
    pub fn decode(bytes: &Bytes) -> Result<Self, CheckpointError> {
        let mut checkpoint = Self::default();
        let (mut begun, mut ended) = (false, false);
        batches::read(bytes, |batch, record| {
            let unexpected = CheckpointError::Unexpected(record.offset);
            let value = match record.value {
                Some(value) if !ended => value,
                _ => return Err(unexpected),
            };
            if !batch.is_control() {
                checkpoint.values.push(value);
                return if begun { Ok(()) } else { Err(CheckpointError::NoHeader) };
            }
            let control = ControlRecord::decode(&record.key.unwrap_or_default(), &value)?;
            match control {
                Some(ControlRecord::SnapshotHeader { last_contained_log_timestamp }) => {
                    begun = true;
                    checkpoint.last_contained_log_timestamp = last_contained_log_timestamp;
                }
                _ if !begun => return Err(CheckpointError::NoHeader),
                Some(ControlRecord::SnapshotFooter) => ended = true,
                Some(ControlRecord::KRaftVersion(level)) => checkpoint.kraft_version = level,
                Some(ControlRecord::Voters(voters)) => checkpoint.voters = Some(voters),
                Some(ControlRecord::LeaderChange { .. }) | None => {}
            }
            Ok(())
        })?;
        match (begun, ended) {
            (true, true) => Ok(checkpoint),
            (true, false) => Err(CheckpointError::NoFooter),
            (false, _) => Err(CheckpointError::NoHeader),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::epoch::LeaderEpoch;

    const HEADER: ControlRecord =
        ControlRecord::SnapshotHeader { last_contained_log_timestamp: Timestamp(7) };

    fn voters() -> VoterSet {
        VoterSet::from_dynamic("1@localhost:9093:WVcGdOxLQTukden30fgArA", "CONTROLLER").unwrap()
    }

    #[test]
    fn a_file_reads_back_whatever_its_size() {
        let id = SnapshotId { end_offset: Offset(90), epoch: LeaderEpoch(3) };
        for count in [0usize, 1, BATCH_RECORDS_MAX, 3 * BATCH_RECORDS_MAX + 1] {
            let values: Vec<Bytes> =
                (0..count).map(|index| Bytes::from(index.to_string())).collect();
            let control = [HEADER, ControlRecord::KRaftVersion(1), ControlRecord::Voters(voters())];
            let bytes = Checkpoint::encode(&control, values.iter().cloned(), id, Timestamp(9));
            let expected = Checkpoint {
                last_contained_log_timestamp: Timestamp(7),
                kraft_version: 1,
                voters: Some(voters()),
                values,
            };
            assert_eq!(Checkpoint::decode(&bytes.into()), Ok(expected));
        }
    }

    #[test]
    fn a_file_cut_anywhere_is_refused() {
        let values = [Bytes::from_static(b"a"), Bytes::from_static(b"b")];
        let bytes =
            Checkpoint::encode(&[HEADER], values.into_iter(), SnapshotId::BOOTSTRAP, Timestamp(9));
        let bytes = Bytes::from(bytes);
        assert!(Checkpoint::decode(&bytes).is_ok());
        for cut in 0..bytes.len() {
            assert!(Checkpoint::decode(&bytes.slice(..cut)).is_err(), "{cut}");
        }
        let twice = [bytes.clone(), bytes].concat();
        assert!(matches!(Checkpoint::decode(&twice.into()), Err(CheckpointError::Unexpected(_))));
    }

    /// The snapshot 0-0 that kafka-storage 4.3.1 wrote for `--standalone`.
    const APACHE: &str = "00000000000000000000009a00000000026ad680e9002000000002000001a20d8f5bbe000001a20d8f5bbeff \
        ffffffffffffffffffffffffff000000032a0000000800000003160000000001a20d8f5bb600001e00000208 \
        000000050a000000010000820100000408000000066e0000020000000159570674ec4b413ba475e9f7d1f800 \
        ac020b434f4e54524f4c4c45520a6c6f63616c686f7374238500000000010000000000000000000000030000 \
        003f00000000025b5907d6002000000000000001a20d8f5bc4000001a20d8f5bc4ffffffffffffffffffffff \
        ffffff000000011a00000008000000040600000000";

    #[test]
    fn the_snapshot_0_0_is_apaches_byte_for_byte() {
        let digits: Vec<u8> = APACHE.bytes().filter(u8::is_ascii_hexdigit).collect();
        let apache: Vec<u8> = digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        let read = Checkpoint::decode(&Bytes::from(apache.clone())).unwrap();
        assert_eq!((read.kraft_version, read.voters.as_ref()), (1, Some(&voters())));
        let control = [
            ControlRecord::SnapshotHeader {
                last_contained_log_timestamp: read.last_contained_log_timestamp,
            },
            ControlRecord::KRaftVersion(1),
            ControlRecord::Voters(voters()),
        ];
        // The two batches have times of their own.
        for (time, range) in [(1_795_523_828_670, 0..166), (1_795_523_828_676, 166..241)] {
            let written = Checkpoint::encode(
                &control,
                std::iter::empty(),
                SnapshotId::BOOTSTRAP,
                Timestamp(time),
            );
            assert_eq!(written.len(), apache.len());
            assert_eq!(written[range.clone()], apache[range]);
        }
    }
}
