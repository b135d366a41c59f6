use super::*;
use crate::wire::batch_builder::BatchBuilder;
use crate::wire::record_iter::iterate;

/// The vectors of the protocol stage tests: made by another program.
const PINEAPPLE: &str = "0000000000000000000000410000000002cf35bf6200000000000000000191e05b6d8b00000191e05b6d8b0000000000000000000000000000000000011e000000011270696e656170706c6501";
const FEATURE: &str = "00000000000000010000004f0000000102b069457c00000000000000000191e05af81800000191e05af818ffffffffffffffffffffffffffff000000013a000000012e010c00116d657461646174612e76657273696f6e00140000";

fn bytes_of(hex: &str) -> Bytes {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digit).collect::<Vec<_>>().into()
}

#[test]
fn batches_of_another_program_are_read_and_their_checksums_agree() {
    let pineapple = Batch::parse(&bytes_of(PINEAPPLE)).unwrap();
    pineapple.check_crc().unwrap();
    assert_eq!(pineapple.bytes.len(), 77);
    assert_eq!(pineapple.header.crc as i32, -818_561_182);
    assert_eq!(pineapple.header.base_timestamp, Timestamp(1_726_045_973_899));
    let feature = Batch::parse(&bytes_of(FEATURE)).unwrap();
    feature.check_crc().unwrap();
    assert_eq!(feature.header.base_offset, Offset(1));
    assert_eq!(feature.header.partition_leader_epoch, LeaderEpoch(1));
    assert_eq!(feature.header.producer_id, ProducerId::NONE);
    assert_eq!(feature.header.producer_epoch, ProducerEpoch::NONE);
    assert_eq!(feature.header.base_sequence, -1);
    assert_eq!(feature.header.last_offset(), Offset(1));
    let record = iterate(&feature, 0).unwrap().next().unwrap().unwrap();
    assert_eq!(record.headers.read(), Some(Vec::new()));
}

#[test]
fn the_same_record_gives_the_same_bytes_as_another_program() {
    let feature = bytes_of(FEATURE);
    let read = iterate(&Batch::parse(&feature).unwrap(), 0).unwrap().next().unwrap().unwrap();
    let built = BatchBuilder::new(Offset(1))
        .leader_epoch(LeaderEpoch(1))
        .record(Timestamp(1_726_045_943_832), None, read.value.as_deref())
        .build();
    assert_eq!(built, feature);
}

#[test]
fn header_and_bytes_are_each_others_inverse() {
    for hex in [PINEAPPLE, FEATURE] {
        let bytes = bytes_of(hex);
        let header = BatchHeader::parse(&bytes).unwrap();
        assert_eq!(header.to_bytes()[..], bytes[..BATCH_HEADER_BYTES]);
    }
}

#[test]
fn a_new_prefix_leaves_the_checksum_right() {
    let batch = Batch::parse(&bytes_of(PINEAPPLE)).unwrap();
    let prefix = Batch::prefix(Offset(900), batch.header.batch_length, LeaderEpoch(12));
    let moved = Bytes::from([&prefix[..], &batch.bytes[BATCH_PREFIX_BYTES..]].concat());
    let moved = Batch::parse(&moved).unwrap();
    moved.check_crc().unwrap();
    assert_eq!(moved.header.base_offset, Offset(900));
    assert_eq!(moved.header.partition_leader_epoch, LeaderEpoch(12));
}

#[test]
fn log_append_time_replaces_every_records_time() {
    let batch = Batch::parse(&bytes_of(PINEAPPLE)).unwrap().with_log_append_time(Timestamp(77));
    batch.check_crc().unwrap();
    assert_eq!(BatchHeader::parse(&batch.bytes).unwrap(), batch.header);
    assert_eq!(batch.header.timestamp_type(), TimestampType::LogAppendTime);
    assert_eq!(iterate(&batch, 0).unwrap().next().unwrap().unwrap().timestamp, Timestamp(77));
}

#[test]
fn any_flipped_bit_after_the_checksum_is_noticed() {
    let bytes = bytes_of(PINEAPPLE);
    for at in CHECKED_FROM..bytes.len() {
        let mut damaged = bytes.to_vec();
        damaged[at] ^= 0x10;
        let batch = Batch::parse(&damaged.into()).unwrap();
        assert!(matches!(batch.check_crc(), Err(BatchError::Crc { .. })), "byte {at}");
    }
}

#[test]
fn what_is_no_batch_is_refused() {
    let bytes = bytes_of(PINEAPPLE);
    let cut = |length: usize| Batch::parse(&bytes.slice(..length)).unwrap_err();
    assert_eq!(cut(60), BatchError::HeaderCut { have_bytes: 60 });
    assert_eq!(cut(76), BatchError::Cut { size_bytes: 77, have_bytes: 76 });
    let with = |at: usize, new: &[u8]| {
        let mut damaged = bytes.to_vec();
        damaged[at..at + new.len()].copy_from_slice(new);
        Batch::parse(&damaged.into()).unwrap_err()
    };
    assert_eq!(with(16, &[1]), BatchError::Magic(1));
    assert_eq!(with(8, &48_i32.to_be_bytes()), BatchError::Length(48));
    assert_eq!(with(8, &(-1_i32).to_be_bytes()), BatchError::Length(-1));
    let far = BatchError::Cut { size_bytes: i32::MAX as usize + 12, have_bytes: 77 };
    assert_eq!(with(8, &i32::MAX.to_be_bytes()), far);
}

#[test]
fn batches_are_walked_up_to_the_cut() {
    let (first, second) = (bytes_of(PINEAPPLE), bytes_of(FEATURE));
    let whole = Bytes::from([&first[..], &second[..]].concat());
    let read: Result<Vec<_>, _> = Batches::new(whole.clone()).collect();
    let read = read.unwrap();
    assert_eq!(read.iter().map(|batch| batch.bytes.clone()).collect::<Vec<_>>(), [first, second]);
    let mut cut = Batches::new(whole.slice(..whole.len() - 1));
    assert!(cut.next().unwrap().is_ok());
    assert!(cut.next().unwrap().is_err());
    assert!(cut.next().is_none());
}

#[test]
fn sequences_wrap_to_zero() {
    let batch = |sequence| {
        BatchBuilder::new(Offset(0))
            .producer(ProducerId(1), ProducerEpoch(0), sequence)
            .record(Timestamp(0), None, None)
            .record(Timestamp(0), None, None)
            .record(Timestamp(0), None, None)
            .build_batch()
    };
    assert_eq!(batch(10).header.last_sequence(), 12);
    assert_eq!(batch(i32::MAX - 1).header.last_sequence(), 0);
    assert_eq!(batch(-1).header.last_sequence(), -1);
}

/// A fuzzer found it: a log that ended with the last number there is was opened, and had no end offset.
#[test]
fn offsets_of_a_log_begin_at_0_and_leave_room_for_an_end() {
    let check = |base_offset: i64, last_offset_delta: i32| {
        let header = Batch::parse(&bytes_of(PINEAPPLE)).unwrap().header;
        let base_offset = Offset(base_offset);
        BatchHeader { base_offset, last_offset_delta, ..header }.check_offsets().is_ok()
    };
    for (base_offset, delta) in [(0, 0), (7, i32::MAX), (i64::MAX - 1, 0), (i64::MAX - 6, 5)] {
        assert!(check(base_offset, delta), "{base_offset} {delta}");
    }
    for (base_offset, delta) in [(-1, 0), (7, -1), (i64::MIN, 0), (i64::MAX, 0), (i64::MAX - 5, 5)]
    {
        assert!(!check(base_offset, delta), "{base_offset} {delta}");
    }
}
