use proptest::prelude::*;

use super::*;
use crate::types::epoch::ProducerEpoch;
use crate::types::ids::ProducerId;
use crate::types::offset::Offset;
use crate::wire::batch_builder::{BatchBuilder, ControlType};
use crate::wire::record_iter::iterate;
use crate::wire::varint;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

const RULES: BatchRules<'static> = BatchRules {
    topic: "orders",
    partition: PartitionId(3),
    api_version: 12,
    max_message_bytes: 1_048_588,
    timestamp_type: TimestampType::CreateTime,
    timestamp_before_max_ms: i64::MAX,
    timestamp_after_max_ms: 3_600_000,
    now: NOW,
    compacted: false,
    validate_compressed: false,
    compression: TargetCompression::Producer,
};

/// Two records with keys, headers and times.
fn builder() -> BatchBuilder {
    BatchBuilder::new(Offset(0))
        .record_with_headers(NOW, Some(b"key"), Some(b"value"), &[("a", None), ("b", Some(b"c"))])
        .record(Timestamp(NOW.0 - 9), Some(b""), None)
}

/// A batch whose header is as given, with checksum and length put right.
fn with_header(change: impl FnOnce(&mut BatchHeader)) -> Bytes {
    let batch = builder().build_batch();
    let mut header = batch.header;
    change(&mut header);
    Batch::assemble(header, payload(&batch)).bytes
}

/// A batch of one record with these bytes.
fn with_record(bytes: &[u8]) -> Batch {
    let header =
        BatchHeader { record_count: 1, last_offset_delta: 0, ..builder().build_batch().header };
    Batch::assemble(header, bytes)
}

fn refusal(bytes: &Bytes, rules: &BatchRules<'_>) -> BatchRefusal {
    check_produced(bytes, rules).unwrap_err()
}

fn code(bytes: &Bytes) -> ErrorCode {
    refusal(bytes, &RULES).code
}

#[test]
fn a_good_batch_is_taken_as_it_is() {
    for codec in Codec::ALL {
        let sent = builder().build_compressed(codec).unwrap();
        for validate_compressed in [false, true] {
            let rules = BatchRules { validate_compressed, ..RULES };
            let taken = check_produced(&sent.bytes, &rules).unwrap();
            assert_eq!(taken, sent);
            assert_eq!(taken.bytes.as_ptr(), sent.bytes.as_ptr(), "no copy");
        }
    }
}

#[test]
fn exactly_one_batch_makes_a_partition() {
    let one = builder().build();
    assert_eq!(code(&Bytes::new()), ErrorCode::InvalidRecord);
    assert_eq!(code(&Bytes::from([&one[..], &one].concat())), ErrorCode::InvalidRecord);
    // A batch that the bytes do not hold is none, and what is too short for a second one is cut off.
    assert_eq!(code(&one.slice(..one.len() - 1)), ErrorCode::InvalidRecord);
    for rest in [&[7][..], &one[..11], &one[..60], &one[..one.len() - 1]] {
        let longer = Bytes::from([&one[..], rest].concat());
        assert_eq!(check_produced(&longer, &RULES).unwrap().bytes, one);
    }
    let garbage = Bytes::from([&one[..], &[0xff; 20]].concat());
    assert_eq!(code(&garbage), ErrorCode::CorruptMessage);
}

#[test]
fn formats_and_lengths_that_are_none() {
    let with = |at: usize, new: &[u8]| {
        let mut bytes = builder().build().to_vec();
        bytes[at..at + new.len()].copy_from_slice(new);
        code(&bytes.into())
    };
    assert_eq!(with(16, &[0]), ErrorCode::InvalidRecord);
    assert_eq!(with(16, &[1]), ErrorCode::InvalidRecord);
    assert_eq!(with(16, &[3]), ErrorCode::CorruptMessage);
    assert_eq!(with(16, &[0xff]), ErrorCode::CorruptMessage);
    for length in [i32::MIN, -1, 0, 13, 14, 48] {
        assert_eq!(with(8, &length.to_be_bytes()), ErrorCode::CorruptMessage, "{length}");
    }
    assert_eq!(with(8, &i32::MAX.to_be_bytes()), ErrorCode::InvalidRecord);
}

#[test]
fn a_damaged_batch_is_corrupt() {
    let bytes = builder().build();
    for at in 17..bytes.len() {
        let mut damaged = bytes.to_vec();
        damaged[at] ^= 1;
        assert_eq!(code(&damaged.into()), ErrorCode::CorruptMessage, "byte {at}");
    }
}

#[test]
fn headers_that_contradict_themselves() {
    type Change = fn(&mut BatchHeader);
    let cases: [(&str, Change); 9] = [
        ("base offset", |header| header.base_offset = Offset(1)),
        ("no records", |header| (header.record_count, header.last_offset_delta) = (0, -1)),
        ("fewer than none", |header| header.record_count = -1),
        ("as many as can be", |header| header.record_count = i32::MAX),
        ("deltas", |header| header.last_offset_delta = 5),
        ("deltas below zero", |header| header.last_offset_delta = i32::MIN),
        ("control", |header| header.attributes = 0x20),
        ("delete horizon", |header| header.attributes = 0x40),
        ("no sequence", |header| header.producer_id = ProducerId(1)),
    ];
    for (name, change) in cases {
        assert_eq!(code(&with_header(change)), ErrorCode::InvalidRecord, "{name}");
    }
    let count = |count: i32| {
        move |header: &mut BatchHeader| {
            (header.record_count, header.last_offset_delta) = (count, count.wrapping_sub(1));
        }
    };
    for wrong in [1, 3, i32::MAX] {
        assert_eq!(code(&with_header(count(wrong))), ErrorCode::InvalidRecord, "{wrong}");
    }
    let marker = BatchBuilder::new(Offset(0)).control_record(ControlType::Commit, NOW, b"");
    assert_eq!(code(&marker.build()), ErrorCode::InvalidRecord);
    let idempotent = builder().producer(ProducerId(1), ProducerEpoch(0), 0).build();
    assert!(check_produced(&idempotent, &RULES).is_ok());
}

#[test]
fn codecs_that_do_not_exist_or_do_not_yet() {
    for id in 5..8 {
        let bytes = with_header(|header| header.attributes = id);
        assert_eq!(code(&bytes), ErrorCode::UnsupportedCompressionType);
    }
    let zstd = builder().build_compressed(Codec::Zstd).unwrap().bytes;
    let old = BatchRules { api_version: 6, ..RULES };
    assert_eq!(refusal(&zstd, &old).code, ErrorCode::UnsupportedCompressionType);
    assert!(check_produced(&zstd, &BatchRules { api_version: 7, ..RULES }).is_ok());
    let lz4 = builder().build_compressed(Codec::Lz4).unwrap().bytes;
    assert!(check_produced(&lz4, &old).is_ok());
}

#[test]
fn the_size_limit_is_exact() {
    let bytes = builder().build();
    let exact = BatchRules { max_message_bytes: bytes.len(), ..RULES };
    assert!(check_produced(&bytes, &exact).is_ok());
    let less = BatchRules { max_message_bytes: bytes.len() - 1, ..RULES };
    assert_eq!(refusal(&bytes, &less).code, ErrorCode::MessageTooLarge);
}

/// Records that would stop a consumer, each as an uncompressed batch and inside every codec.
#[test]
fn records_that_lie_about_themselves() {
    let cases: [(&str, &[u8]); 16] = [
        ("good, so that the others are not wrong by accident", &[0x0c, 0, 0, 0, 1, 1, 0]),
        ("no bytes", &[]),
        ("negative length", &[0x01, 0, 0, 0, 1, 1, 0]),
        ("length past the end", &[0x0e, 0, 0, 0, 1, 1, 0]),
        ("length too short", &[0x0a, 0, 0, 0, 1, 1, 0]),
        ("bytes left", &[0x0c, 0, 0, 0, 1, 1, 0, 0]),
        ("offset delta", &[0x0c, 0, 0, 2, 1, 1, 0]),
        ("key length -2", &[0x0c, 0, 0, 0, 3, 1, 0]),
        ("value length -2", &[0x0c, 0, 0, 0, 1, 3, 0]),
        ("key past the record", &[0x0c, 0, 0, 0, 8, 1, 0]),
        ("value past the record", &[0x0c, 0, 0, 0, 1, 0x7e, 0]),
        ("header count -1", &[0x0c, 0, 0, 0, 1, 1, 1]),
        ("header count past the end", &[0x14, 0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f]),
        ("null header key", &[0x10, 0, 0, 0, 1, 1, 2, 1, 1]),
        ("header value -2", &[0x10, 0, 0, 0, 1, 1, 2, 0, 3]),
        ("endless varint", &[0x0c, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80]),
    ];
    let open = BatchRules { validate_compressed: true, ..RULES };
    for (index, (name, record)) in cases.iter().enumerate() {
        let plain = with_record(record);
        for codec in Codec::ALL {
            let packed = plain.with_payload(codec, &compress(codec, None, record).unwrap()).bytes;
            let taken = check_produced(&packed, &open).map_err(|refusal| refusal.code);
            if index == 0 {
                assert!(taken.is_ok(), "{name} in {codec:?}");
            } else {
                assert_eq!(taken, Err(ErrorCode::InvalidRecord), "{name} in {codec:?}");
            }
        }
    }
}

#[test]
fn what_is_not_of_its_codec_is_found_when_it_is_opened() {
    let open = BatchRules { validate_compressed: true, ..RULES };
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let bytes =
            with_record(&[0x0c, 0, 0, 0, 1, 1, 0]).with_payload(codec, b"no such thing").bytes;
        assert!(check_produced(&bytes, &RULES).is_ok(), "a closed batch stays closed");
        assert_eq!(refusal(&bytes, &open).code, ErrorCode::InvalidRecord, "{codec:?}");
    }
}

#[test]
fn a_bomb_is_too_large() {
    // One record whose value is 64 MiB of zeros; packed, it is a few thousand bytes.
    let mut record = vec![0, 0, 0, 1];
    varint::put_signed(&mut record, 64 << 20);
    record.resize(record.len() + (64 << 20), 0);
    record.push(0);
    let mut payload = Vec::new();
    varint::put_signed(&mut payload, record.len() as i32);
    payload.extend_from_slice(&record);
    let rules = BatchRules { validate_compressed: true, ..RULES };
    let plain = with_record(&[]);
    let packed = compress(Codec::Zstd, None, &payload).unwrap();
    let bomb = plain.with_payload(Codec::Zstd, &packed).bytes;
    assert!(bomb.len() < 40_000);
    assert_eq!(refusal(&bomb, &rules).code, ErrorCode::MessageTooLarge);
    let recompress = TargetCompression::Codec(Codec::Lz4, None);
    let rules = BatchRules { compression: recompress, ..RULES };
    assert_eq!(refusal(&bomb, &rules).code, ErrorCode::MessageTooLarge);
}

#[test]
fn times_out_of_range_name_their_records() {
    let hour = 3_600_000;
    let late = BatchBuilder::new(Offset(0))
        .record(NOW, None, None)
        .record(Timestamp(NOW.0 + hour + 1), None, None)
        .record(Timestamp(NOW.0 + hour), None, None);
    for codec in [Codec::None, Codec::Lz4] {
        let bytes = late.clone().build_compressed(codec).unwrap().bytes;
        let refused = refusal(&bytes, &RULES);
        assert_eq!(refused.code, ErrorCode::InvalidTimestamp);
        let message = "One or more records have been rejected due to invalid timestamp";
        assert_eq!(refused.message.as_deref(), Some(message));
        let fault = "Timestamp 1800003600001 of message with offset 1 is out of range. The timestamp \
                     should be within [-9223370236854775807, 1800003600000]";
        let expected = RecordFault { batch_index: 1, message: Some(fault.to_owned()) };
        assert_eq!(refused.record_errors, [expected]);
        let later = BatchRules { now: Timestamp(NOW.0 + 1), ..RULES };
        assert!(check_produced(&bytes, &later).is_ok());
    }
}

#[test]
fn times_too_old_are_found_wherever_they_stand() {
    let old = BatchBuilder::new(Offset(0)).record(NOW, None, None).record(
        Timestamp(NOW.0 - 1001),
        None,
        None,
    );
    let rules = BatchRules { timestamp_before_max_ms: 1000, ..RULES };
    for codec in Codec::ALL {
        let bytes = old.clone().build_compressed(codec).unwrap().bytes;
        let refused = refusal(&bytes, &rules);
        assert_eq!(refused.code, ErrorCode::InvalidTimestamp, "{codec:?}");
        assert_eq!(refused.record_errors[0].batch_index, 1);
    }
    // No time at all is never out of range.
    let none = BatchBuilder::new(Offset(0)).record(Timestamp::NONE, None, None).build();
    assert!(check_produced(&none, &rules).is_ok());
}

#[test]
fn a_compacted_topic_wants_keys_also_in_a_compressed_batch() {
    let rules = BatchRules { compacted: true, ..RULES };
    let keyless = BatchBuilder::new(Offset(0))
        .record(NOW, Some(b"k"), None)
        .record(NOW, None, None)
        .record(NOW, None, None);
    for codec in Codec::ALL {
        let refused = refusal(&keyless.clone().build_compressed(codec).unwrap().bytes, &rules);
        assert_eq!(refused.code, ErrorCode::InvalidRecord);
        let message = "One or more records have been rejected due to 2 record errors in total, and only showing the first three errors at most: [RecordError(batchIndex=1, message='Compacted topic cannot accept message without key in topic partition orders-3'), RecordError(batchIndex=2, message='Compacted topic cannot accept message without key in topic partition orders-3')]";
        assert_eq!(refused.message.as_deref(), Some(message), "{codec:?}");
        let indexes: Vec<_> = refused.record_errors.iter().map(|fault| fault.batch_index).collect();
        assert_eq!(indexes, [1, 2]);
        let keyed = builder().build_compressed(codec).unwrap();
        assert_eq!(check_produced(&keyed.bytes, &rules).unwrap(), keyed);
    }
}

#[test]
fn the_list_of_faults_is_bounded_and_their_count_is_not() {
    let mut builder = BatchBuilder::new(Offset(0));
    for _ in 0..1000 {
        builder.push(NOW, None, None, &[]);
    }
    let refused = refusal(&builder.build(), &BatchRules { compacted: true, ..RULES });
    assert_eq!(refused.record_errors.len(), RECORD_FAULTS_MAX);
    assert!(refused.message.unwrap().contains("due to 1000 record errors"));
}

#[test]
fn log_append_time_is_the_brokers_to_set() {
    let rules = BatchRules { timestamp_type: TimestampType::LogAppendTime, ..RULES };
    for codec in Codec::ALL {
        let sent = builder().build_compressed(codec).unwrap();
        let taken = check_produced(&sent.bytes, &rules).unwrap();
        taken.check_crc().unwrap();
        assert_eq!(taken.header.timestamp_type(), TimestampType::LogAppendTime);
        assert_eq!(taken.header.max_timestamp, NOW);
        assert_eq!(taken.payload(), sent.payload());
        let refused = refusal(&sent.with_log_append_time(NOW).bytes, &rules);
        assert_eq!(refused.code, ErrorCode::InvalidTimestamp, "{codec:?}");
        assert_eq!(refused.record_errors.len(), 2);
    }
    let plain = refusal(&builder().build_batch().with_log_append_time(NOW).bytes, &rules);
    let words = "Invalid timestamp type in message DefaultRecord(offset=1, timestamp=1800000000000, key=0 bytes, value=0 bytes). Producer should not set timestamp type to LogAppendTime.";
    assert_eq!(plain.record_errors[1].message.as_deref(), Some(words));
}

#[test]
fn log_append_time_on_a_topic_of_create_time_is_taken_back() {
    // Kafka's rule: a time in range passes, and the batch is stored as one of create time.
    for codec in Codec::ALL {
        let sent =
            builder().build_compressed(codec).unwrap().with_log_append_time(Timestamp(NOW.0 + 5));
        let taken = check_produced(&sent.bytes, &RULES).unwrap();
        taken.check_crc().unwrap();
        assert_eq!(taken.header.timestamp_type(), TimestampType::CreateTime, "{codec:?}");
        assert_eq!(taken.header.max_timestamp, Timestamp(NOW.0 + 5));
        let unset = sent.with_log_append_time(Timestamp::NONE).bytes;
        assert_eq!(refusal(&unset, &RULES).code, ErrorCode::InvalidTimestamp, "{codec:?}");
    }
}

#[test]
fn a_wrong_largest_time_is_put_right_where_the_records_are_seen() {
    let sent = with_header(|header| header.max_timestamp = Timestamp(5));
    let taken = check_produced(&sent, &RULES).unwrap();
    taken.check_crc().unwrap();
    assert_eq!(taken.header.max_timestamp, NOW);
}

#[test]
fn a_topic_with_a_codec_of_its_own_gets_it() {
    let plain: Vec<_> = iterate(&builder().build_batch(), 0).unwrap().collect();
    for source in Codec::ALL {
        for target in Codec::ALL {
            let compression = TargetCompression::Codec(target, None);
            let sent = builder().build_compressed(source).unwrap();
            let taken = check_produced(&sent.bytes, &BatchRules { compression, ..RULES }).unwrap();
            taken.check_crc().unwrap();
            assert_eq!(taken.header.compression(), Some(target), "{source:?} to {target:?}");
            assert_eq!(iterate(&taken, 1000).unwrap().collect::<Vec<_>>(), plain);
            assert!(source != target || taken == sent);
        }
    }
    // Its new size counts.
    let zeros = vec![0; 10_000];
    let sent = BatchBuilder::new(Offset(0)).record(NOW, None, Some(&zeros));
    let sent = sent.build_compressed(Codec::Zstd).unwrap().bytes;
    let compression = TargetCompression::Codec(Codec::None, None);
    let rules = BatchRules { compression, max_message_bytes: 5_000, ..RULES };
    assert_eq!(refusal(&sent, &rules).code, ErrorCode::MessageTooLarge);
}

proptest! {
    #[test]
    fn any_payload_is_answered(payload: Vec<u8>, codec in 0_u8..5, count in 1..9) {
        let header = BatchHeader { record_count: count, last_offset_delta: count - 1, ..builder().build_batch().header };
        let batch = Batch::assemble(header, b"").with_payload(Codec::of_id(codec).unwrap(), &payload);
        let open = BatchRules { validate_compressed: true, ..RULES };
        if let Ok(taken) = check_produced(&batch.bytes, &open) {
            // What is taken, a consumer can read.
            let records: Result<Vec<_>, _> = iterate(&taken, 1 << 20).unwrap().collect();
            let records = records.unwrap();
            prop_assert_eq!(records.len(), count as usize);
            prop_assert!(records.iter().all(|record| record.headers.read().is_some()));
        }
    }

    #[test]
    fn any_bytes_are_answered(bytes: Vec<u8>) {
        prop_assert!(check_produced(&bytes.into(), &RULES).is_err());
    }

    /// The other walk and this one agree on every damaged batch.
    #[test]
    fn one_changed_byte_is_refused_or_harmless(at in 0..40_usize, byte: u8, codec in 0_u8..5) {
        let plain = builder().build_batch();
        let mut payload = payload(&plain).to_vec();
        let at = at % payload.len();
        payload[at] = byte;
        let codec = Codec::of_id(codec).unwrap();
        let packed = plain.with_payload(codec, &compress(codec, None, &payload).unwrap());
        let open = BatchRules { validate_compressed: true, ..RULES };
        let ours = check_produced(&packed.bytes, &open).is_ok();
        let unpacked = check_produced(&plain.with_payload(Codec::None, &payload).bytes, &open).is_ok();
        prop_assert_eq!(ours, unpacked, "closed and open see the same");
    }
}
