//! Batches and what is in them.

use bytes::Bytes;
use ottla::internals::types::ids::PartitionId;
use ottla::internals::types::time::Timestamp;
use ottla::internals::wire::batch::{
    BATCH_HEADER_BYTES, Batch, BatchHeader, Batches, TimestampType,
};
use ottla::internals::wire::batch_check::{BatchRules, TargetCompression, check_produced};
use ottla::internals::wire::compression::{Codec, compress, decompress};
use ottla::internals::wire::coordinator_records::groups::GroupRecord;
use ottla::internals::wire::coordinator_records::transactions::TransactionLogRecord;
use ottla::internals::wire::record_iter::iterate;
use ottla::internals::wire::records::MetadataRecord;

use crate::Dice;

const UNPACKED_MAX_BYTES: usize = 1 << 20;
const NOW: Timestamp = Timestamp(1_800_000_000_000);
const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

/// A batch as fuzzed, or with the length, magic number and checksum that let the rest be seen.
fn batch_of(dice: &mut Dice<'_>) -> Bytes {
    let mended = dice.u8() & 1 == 1;
    let mut bytes = dice.rest().to_vec();
    if mended && bytes.len() >= BATCH_HEADER_BYTES {
        let length = bytes.len() as i32 - 12;
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes[16] = 2;
        if let Ok(header) = BatchHeader::parse(&bytes) {
            // Computes the checksum anew, and clears bits that mean nothing.
            return Batch::assemble(header, &bytes[BATCH_HEADER_BYTES..]).bytes;
        }
    }
    Bytes::from(bytes)
}

/// A producer's batch against the rules that the first bytes choose.
pub fn batch_check(data: &[u8]) {
    let mut dice = Dice(data);
    let (rules, version) = (dice.u8(), 3 + i16::from(dice.u8()) % 11);
    check_and_read(&batch_of(&mut dice), rules, version);
}

/// What passes the check is whole, and what was looked into reads as a consumer would read it.
pub fn check_and_read(records: &Bytes, choice: u8, api_version: i16) {
    let log_append = choice & 1 == 1;
    let target = usize::from(choice >> 4) % 8;
    let rules = BatchRules {
        topic: "orders",
        partition: PartitionId(0),
        api_version,
        max_message_bytes: 1 << 16,
        timestamp_type: if log_append {
            TimestampType::LogAppendTime
        } else {
            TimestampType::CreateTime
        },
        timestamp_before_max_ms: if choice & 2 == 0 { i64::MAX } else { 1 << 40 },
        timestamp_after_max_ms: 3_600_000,
        now: NOW,
        compacted: choice & 4 != 0,
        validate_compressed: choice & 8 != 0,
        compression: match CODECS.get(target) {
            Some(codec) => TargetCompression::Codec(*codec, None),
            None => TargetCompression::Producer,
        },
    };
    let Ok(batch) = check_produced(records, &rules) else { return };
    let again = Batch::parse(&batch.bytes).expect("what is appended is a batch");
    assert_eq!(again, batch, "and only that batch");
    batch.check_crc().expect("its checksum agrees");
    let codec = batch.header.compression().expect("its codec exists");
    if codec == Codec::None || rules.validate_compressed || rules.compacted {
        let mut count = 0;
        for record in iterate(&batch, 64 << 20).expect("it unpacks") {
            let record = record.expect("a consumer reads every record");
            assert!(record.headers.read().is_some(), "and its headers");
            assert!(!rules.compacted || record.key.is_some(), "compaction needs a key");
            count += 1;
        }
        assert_eq!(count, batch.header.record_count);
    }
}

/// Whole batches, as in a file: walked, unpacked, each record and its headers read.
pub fn record_walk(data: &[u8]) {
    let bytes = batch_of(&mut Dice(data));
    let mut walked_bytes = 0;
    for batch in Batches::new(bytes.clone()).map_while(Result::ok) {
        walked_bytes += batch.bytes.len();
        let Ok(records) = iterate(&batch, UNPACKED_MAX_BYTES) else { continue };
        for record in records.map_while(Result::ok) {
            record.headers.read();
        }
    }
    assert!(walked_bytes <= bytes.len());
}

/// A payload in any codec: no more comes out than is allowed, and what is packed unpacks.
pub fn compression(data: &[u8]) {
    let mut dice = Dice(data);
    let codec = CODECS[usize::from(dice.u8()) % CODECS.len()];
    let payload = Bytes::copy_from_slice(dice.rest());
    if codec != Codec::None
        && let Ok(unpacked) = decompress(codec, &payload, UNPACKED_MAX_BYTES)
    {
        assert!(unpacked.len() <= UNPACKED_MAX_BYTES);
    }
    let packed = compress(codec, None, &payload).expect("anything packs");
    let unpacked = decompress(codec, &Bytes::from(packed), payload.len());
    assert_eq!(unpacked, Ok(payload));
}

/// The newest metadata.version there is.
const METADATA_VERSION: i16 = 33;

/// A record of the metadata log: what reads is written, and reads as the same.
pub fn metadata_record(data: &[u8]) {
    let Ok(record) = MetadataRecord::decode(&Bytes::copy_from_slice(data)) else { return };
    let written = record.encode(METADATA_VERSION);
    let again = MetadataRecord::decode(&written).expect("what is written reads");
    // Bytes, not values: a quota may be a number that is not equal to itself.
    assert_eq!(again.encode(METADATA_VERSION), written);
}

/// The newest transaction.version there is.
const TRANSACTION_VERSION: i16 = 2;

/// A key and a value of a coordinator's topic: what reads is written, and reads as the same.
pub fn coordinator_record(data: &[u8]) {
    let mut dice = Dice(data);
    let choice = dice.u8();
    let key_bytes = usize::from(dice.u16());
    let rest = dice.rest();
    let (key, value) = rest.split_at(key_bytes.min(rest.len()));
    let key = Bytes::copy_from_slice(key);
    let value = (choice & 2 == 0).then(|| Bytes::copy_from_slice(value));
    if choice & 1 == 0 {
        let Ok(Some(record)) = GroupRecord::decode(&key, value.as_ref()) else { return };
        let written = record.encode();
        let again = GroupRecord::decode(&written.0, written.1.as_ref());
        let again = again.expect("what is written reads").expect("its type is known");
        assert_eq!(again.encode(), written);
    } else {
        let Ok(Some(record)) = TransactionLogRecord::decode(&key, value.as_ref()) else { return };
        let written = record.encode(TRANSACTION_VERSION);
        let again = TransactionLogRecord::decode(&written.0, written.1.as_ref());
        assert_eq!(again, Ok(Some(record)), "nothing is lost in the newest version");
    }
}
