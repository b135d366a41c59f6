use super::snapshot::SnapshotError;
use super::*;
use crate::types::epoch::LeaderEpoch;
use crate::wire::batch_builder::BatchBuilder;

const NOW: Timestamp = Timestamp(1_000);
const DAY_MS: i64 = 86_400_000;

/// A batch of `count` records from producer 7.
fn batch(offset: i64, epoch: i16, sequence: i32, count: i32) -> BatchHeader {
    let builder = BatchBuilder::new(Offset(offset)).leader_epoch(LeaderEpoch(0)).producer(
        ProducerId(7),
        ProducerEpoch(epoch),
        sequence,
    );
    let builder = (0..count).fold(builder, |builder, _| builder.record(NOW, None, None));
    builder.build_batch().header
}

fn transactional(offset: i64, producer: i64, epoch: i16, sequence: i32) -> BatchHeader {
    let builder = BatchBuilder::new(Offset(offset)).transactional().producer(
        ProducerId(producer),
        ProducerEpoch(epoch),
        sequence,
    );
    builder.record(NOW, None, None).build_batch().header
}

fn marker(offset: i64, producer: i64, epoch: i16, abort: bool) -> Batch {
    let kind = if abort { ControlType::Abort } else { ControlType::Commit };
    BatchBuilder::new(Offset(offset))
        .transactional()
        .producer(ProducerId(producer), ProducerEpoch(epoch), -1)
        .control_record(kind, NOW, &[0, 0, 0, 0, 0, 3])
        .build_batch()
}

fn end(producers: &mut Producers, batch: &Batch) -> Option<AbortedTransaction> {
    let marker = EndTransactionMarker::of_batch(batch).unwrap();
    producers.apply_marker(&batch.header, &marker)
}

fn append(producers: &mut Producers, header: &BatchHeader) -> Result<Sequenced, ProducerError> {
    let sequenced = producers.check(header, AppendOrigin::Client, Verification::Off)?;
    if sequenced == Sequenced::New {
        producers.apply(header);
    }
    Ok(sequenced)
}

#[test]
fn the_last_five_batches_are_duplicates() {
    let mut producers = Producers::default();
    for place in 0..6 {
        let header = batch(i64::from(place) * 10, 0, place * 3, 3);
        assert_eq!(append(&mut producers, &header), Ok(Sequenced::New));
    }
    for place in 1..6 {
        let header = batch(1000, 0, place * 3, 3);
        let Ok(Sequenced::Duplicate(found)) = append(&mut producers, &header) else {
            panic!("{place} is a duplicate")
        };
        assert_eq!(found.first_offset(), Offset(i64::from(place) * 10));
        assert_eq!(found.last_offset, Offset(i64::from(place) * 10 + 2));
        assert_eq!(found.timestamp, NOW);
    }
    // The sixth last is known no more; neither is part of a batch.
    for header in [batch(1000, 0, 0, 3), batch(1000, 0, 15, 2), batch(1000, 0, 16, 2)] {
        let expected =
            ProducerError::OutOfOrderSequence { incoming: header.base_sequence, last: 17 };
        assert_eq!(append(&mut producers, &header), Err(expected));
    }
}

#[test]
fn sequences_have_no_gap_and_wrap() {
    let mut producers = Producers::default();
    // A producer that is not known may begin anywhere.
    assert_eq!(append(&mut producers, &batch(0, 0, i32::MAX - 1, 1)), Ok(Sequenced::New));
    let gap = ProducerError::OutOfOrderSequence { incoming: 0, last: i32::MAX - 1 };
    assert_eq!(append(&mut producers, &batch(1, 0, 0, 1)), Err(gap));
    assert_eq!(gap.code(), ErrorCode::OutOfOrderSequenceNumber);
    let over_the_end = batch(1, 0, i32::MAX, 3);
    assert_eq!(over_the_end.last_sequence(), 1);
    assert_eq!(append(&mut producers, &over_the_end), Ok(Sequenced::New));
    let again = append(&mut producers, &over_the_end);
    assert!(matches!(again, Ok(Sequenced::Duplicate(found)) if found.first_offset() == Offset(1)));
    assert_eq!(append(&mut producers, &batch(4, 0, 2, 1)), Ok(Sequenced::New));

    let mut producers = Producers::default();
    assert_eq!(append(&mut producers, &batch(0, 0, i32::MAX, 1)), Ok(Sequenced::New));
    assert_eq!(append(&mut producers, &batch(1, 0, 0, 1)), Ok(Sequenced::New));
}

#[test]
fn epochs_only_rise_and_begin_with_zero() {
    let mut producers = Producers::default();
    assert_eq!(append(&mut producers, &batch(0, 3, 5, 1)), Ok(Sequenced::New));
    let old = ProducerError::InvalidProducerEpoch { incoming: 2, current: 3 };
    assert_eq!(append(&mut producers, &batch(1, 2, 6, 1)), Err(old));
    assert_eq!(old.code(), ErrorCode::InvalidProducerEpoch);
    let not_zero = ProducerError::OutOfOrderSequence { incoming: 6, last: -1 };
    assert_eq!(append(&mut producers, &batch(1, 4, 6, 1)), Err(not_zero));
    assert_eq!(append(&mut producers, &batch(1, 4, 0, 1)), Ok(Sequenced::New));
    // A duplicate of the old epoch is no duplicate.
    let old = ProducerError::InvalidProducerEpoch { incoming: 3, current: 4 };
    assert_eq!(append(&mut producers, &batch(2, 3, 5, 1)), Err(old));
}

#[test]
fn a_coordinator_has_no_sequences() {
    let mut producers = Producers::default();
    producers.apply(&batch(0, 1, 0, 1));
    let of = |epoch| batch(1, epoch, -1, 1);
    assert_eq!(
        producers.check(&of(1), AppendOrigin::Coordinator, Verification::Off),
        Ok(Sequenced::New)
    );
    let old = ProducerError::InvalidProducerEpoch { incoming: 0, current: 1 };
    assert_eq!(producers.check(&of(0), AppendOrigin::Coordinator, Verification::Off), Err(old));
}

#[test]
fn what_was_stored_is_applied_without_a_check() {
    // Logs that other programs wrote say producer 0, epoch 0, sequence 0 in every batch.
    let mut producers = Producers::default();
    for offset in 0..9 {
        producers.apply(&batch(offset, 0, 0, 1));
    }
    assert_eq!(producers.end_offset(), Offset(9));
    assert_eq!(producers.get(ProducerId(7)).unwrap().batches.len(), BATCHES_KEPT);
}

#[test]
fn a_transaction_is_unstable_until_its_marker_is_replicated() {
    let mut producers = Producers::default();
    assert_eq!(producers.first_unstable_offset(), None);
    producers.apply(&transactional(3, 1, 0, 0));
    producers.apply(&transactional(4, 1, 0, 1));
    producers.apply(&transactional(5, 2, 0, 0));
    assert_eq!(producers.first_unstable_offset(), Some(Offset(3)));

    // The first one commits: nothing for the index.
    assert_eq!(end(&mut producers, &marker(6, 1, 0, false)), None);
    assert_eq!(producers.first_undecided_offset(), Some(Offset(5)));
    assert_eq!(producers.first_unstable_offset(), Some(Offset(3)));
    producers.on_high_watermark(Offset(6));
    assert_eq!(producers.first_unstable_offset(), Some(Offset(3)));
    producers.on_high_watermark(Offset(7));
    assert_eq!(producers.first_unstable_offset(), Some(Offset(5)));

    // The second one aborts, while a third is open.
    producers.apply(&transactional(7, 3, 0, 0));
    let expected = AbortedTransaction {
        producer_id: ProducerId(2),
        first_offset: Offset(5),
        last_offset: Offset(8),
        last_stable_offset: Offset(7),
    };
    assert_eq!(end(&mut producers, &marker(8, 2, 1, true)), Some(expected));
    let alone = end(&mut producers, &marker(9, 3, 1, true)).unwrap();
    assert_eq!(alone.last_stable_offset, Offset(10));
    producers.on_high_watermark(Offset(10));
    assert_eq!(producers.first_unstable_offset(), None);
    // A marker without a transaction ends nothing.
    assert_eq!(end(&mut producers, &marker(10, 3, 2, true)), None);
}

#[test]
fn a_transaction_refuses_what_is_not_part_of_it() {
    let mut producers = Producers::default();
    producers.apply(&transactional(0, 7, 0, 0));
    let refused = producers.check(&batch(1, 0, 1, 1), AppendOrigin::Client, Verification::Off);
    assert_eq!(refused, Err(ProducerError::InvalidTxnState));
    assert_eq!(append(&mut producers, &transactional(1, 7, 0, 1)), Ok(Sequenced::New));
}

#[test]
fn markers_are_fenced() {
    let mut producers = Producers::default();
    producers.apply(&transactional(0, 7, 4, 0));
    let check = |producers: &Producers, epoch: i16, version: i16| {
        let batch = marker(1, 7, epoch, true);
        let marker = EndTransactionMarker::of_batch(&batch).unwrap();
        producers.check_marker(&batch.header, &marker, version)
    };
    let old = |incoming| Err(ProducerError::InvalidProducerEpoch { incoming, current: 4 });
    assert_eq!(check(&producers, 3, 0), old(3));
    assert_eq!(check(&producers, 4, 0), Ok(()));
    assert_eq!(check(&producers, 4, 2), old(4));
    assert_eq!(check(&producers, 5, 2), Ok(()));
    end(&mut producers, &marker(1, 7, 5, true));
    assert_eq!(check(&producers, 5, 2), Ok(()));

    let mut late = marker(2, 7, 6, true);
    let zombie = EndTransactionMarker {
        coordinator_epoch: 2,
        ..EndTransactionMarker::of_batch(&late).unwrap()
    };
    let fenced = ProducerError::TransactionCoordinatorFenced { incoming: 2, current: 3 };
    assert_eq!(producers.check_marker(&late.header, &zombie, 2), Err(fenced));
    // After a marker the producer goes on with sequence 0.
    assert_eq!(append(&mut producers, &transactional(2, 7, 5, 0)), Ok(Sequenced::New));
    late.header.attributes = 0;
    assert_eq!(EndTransactionMarker::of_batch(&late), None);
}

#[test]
fn silent_producers_expire() {
    let mut producers = Producers::default();
    producers.apply(&batch(0, 0, 0, 1));
    producers.apply(&transactional(1, 8, 0, 0));
    assert_eq!(producers.expire(Timestamp(NOW.0 + DAY_MS - 1), DAY_MS), 0);
    assert_eq!(producers.expire(Timestamp(NOW.0 + DAY_MS), DAY_MS), 1);
    // An open transaction keeps its producer.
    assert!(producers.get(ProducerId(8)).is_some());
    assert_eq!(producers.len(), 1);
}

#[test]
fn no_more_producers_than_the_bound() {
    let mut producers = Producers::default();
    let mut header = batch(0, 0, 0, 1);
    for id in 0..=PRODUCERS_MAX as i64 {
        header.producer_id = ProducerId(id);
        header.max_timestamp = Timestamp(id);
        producers.apply(&header);
    }
    assert_eq!(producers.len(), PRODUCERS_MAX + 1 - PRODUCERS_FORGOTTEN);
    assert!(producers.get(ProducerId(0)).is_none());
    assert!(producers.get(ProducerId(PRODUCERS_MAX as i64)).is_some());
}

/// golden-0/00000000000000000005.snapshot and 00000000000000000008.snapshot as Apache Kafka 4.3.1 left them: an
/// idempotent producer, and a transactional one in its transaction, and after the marker that aborted its second.
const GOLDEN: [&str; 2] = [
    "0001af0a563000000002\
     0000000000000000000000000002000000000000000200000002\
     0000018bcfe56802ffffffffffffffffffffffff\
     0000000000000001000000000001000000000000000400000001\
     0000018bcfe56804ffffffff0000000000000003",
    "0001eeaa152800000002\
     0000000000000000000000000002000000000000000200000002\
     0000018bcfe56802ffffffffffffffffffffffff\
     00000000000000010002ffffffffffffffffffffffff00000000\
     000001a2000ecdba00000000ffffffffffffffff",
];

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn read(bytes: &[u8]) -> Result<Producers, SnapshotError> {
    Producers::of_snapshot(bytes, Offset(5), Timestamp(1_700_000_000_000), DAY_MS)
}

#[test]
fn snapshots_are_those_of_kafka() {
    for text in GOLDEN {
        let bytes = unhex(text);
        assert_eq!(read(&bytes).unwrap().to_snapshot(), bytes);
    }
    let producers = read(&unhex(GOLDEN[0])).unwrap();
    assert_eq!(producers.end_offset(), Offset(5));
    assert_eq!(producers.first_unstable_offset(), Some(Offset(3)));
    let last = producers.get(ProducerId(0)).unwrap().batches[0];
    assert_eq!((last.first_sequence(), last.first_offset()), (0, Offset(0)));
    assert_eq!(
        unhex("00014867 4bc700000000".replace(' ', "").as_str()),
        Producers::default().to_snapshot()
    );
}

#[test]
fn a_damaged_snapshot_is_refused() {
    let bytes = unhex(GOLDEN[0]);
    for cut in 0..bytes.len() {
        assert!(read(&bytes[..cut]).is_err(), "{cut}");
    }
    for place in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1;
        assert!(read(&damaged).is_err(), "{place}");
    }
    // A count that says more than there is, under a checksum that fits.
    let mut more = bytes;
    more[6..10].copy_from_slice(&i32::MAX.to_be_bytes());
    let crc = crc32c::crc32c(&more[6..]);
    more[2..6].copy_from_slice(&crc.to_be_bytes());
    assert_eq!(read(&more).unwrap_err(), SnapshotError::Cut(102));
}

#[test]
fn the_expired_are_not_loaded() {
    let bytes = unhex(GOLDEN[0]);
    let later = Timestamp(1_700_000_000_002 + DAY_MS);
    let producers = Producers::of_snapshot(&bytes, Offset(5), later, DAY_MS).unwrap();
    assert!(producers.get(ProducerId(0)).is_none());
    // The other one has an open transaction.
    assert!(producers.get(ProducerId(1)).is_some());
}

/// KAFKA-14402: the marker comes between the coordinator's word and the append, which would never be ended then.
#[test]
fn a_marker_takes_the_guard_away() {
    let mut producers = Producers::default();
    let first = transactional(0, 7, 0, 0);
    let check = |producers: &Producers, header: &BatchHeader, guard| {
        producers.check(header, AppendOrigin::Client, Verification::Required(guard))
    };
    assert_eq!(check(&producers, &first, None), Err(ProducerError::NotVerified));
    let of = |epoch| (ProducerId(7), ProducerEpoch(epoch));
    let ask = |producers: &mut Producers, epoch, sequence, bumps| {
        producers.start_verification(of(epoch), sequence, bumps, NOW)
    };
    let guard = ask(&mut producers, 0, 0, false).unwrap();
    assert_eq!(ask(&mut producers, 0, 0, false), Ok(guard), "one question at a time");
    assert_eq!(check(&producers, &first, guard), Ok(Sequenced::New));
    end(&mut producers, &marker(0, 7, 0, true));
    assert_eq!(check(&producers, &first, guard), Err(ProducerError::NotVerified));
    // The next transaction asks anew; the late answer to the first question does not count for it.
    let next = ask(&mut producers, 0, 0, false).unwrap();
    assert_eq!(check(&producers, &first, guard), Err(ProducerError::NotVerified));
    assert_eq!(check(&producers, &first, next), Ok(Sequenced::New));
    producers.apply(&transactional(1, 7, 0, 0));
    assert!(producers.has_ongoing(ProducerId(7), ProducerEpoch(0)));
    assert_eq!(ask(&mut producers, 0, 1, false), Ok(None), "it is open: nothing to ask");
    assert_eq!(check(&producers, &transactional(2, 7, 0, 1), None), Ok(Sequenced::New));
    // A repeated batch is answered as before, open or not.
    end(&mut producers, &marker(2, 7, 0, false));
    assert!(matches!(
        check(&producers, &transactional(9, 7, 0, 0), None),
        Ok(Sequenced::Duplicate(_))
    ));
    let old = ProducerError::InvalidProducerEpoch { incoming: -1, current: 0 };
    assert_eq!(ask(&mut producers, -1, 0, false), Err(old));
}

/// KIP-890: under version 2 the marker of a transaction has the epoch of the next one.
#[test]
fn the_marker_of_the_transaction_before_leaves_the_guard_of_the_next() {
    let mut producers = Producers::default();
    producers.apply(&transactional(0, 7, 3, 0));
    let asked = (ProducerId(7), ProducerEpoch(4));
    let guard = producers.start_verification(asked, 0, true, NOW).unwrap();
    end(&mut producers, &marker(1, 7, 4, false));
    let check = |sequence| {
        let header = transactional(2, 7, 4, sequence);
        producers.check(&header, AppendOrigin::Client, Verification::Required(guard))
    };
    assert_eq!(check(0), Ok(Sequenced::New));
    let gap = ProducerError::OutOfOrderSequence { incoming: 1, last: -1 };
    assert_eq!(check(1), Err(gap), "a transaction begins with sequence 0");
}

/// KAFKA-14920: a batch that has to be sent again keeps its place.
#[test]
fn nothing_is_written_above_the_lowest_sequence_that_waits() {
    let mut producers = Producers::default();
    let ask = |producers: &mut Producers, epoch, sequence| {
        let asked = (ProducerId(7), ProducerEpoch(epoch));
        producers.start_verification(asked, sequence, false, NOW).unwrap()
    };
    let check = |producers: &Producers, epoch, sequence, guard| {
        let header = transactional(0, 7, epoch, sequence);
        producers.check(&header, AppendOrigin::Client, Verification::Required(guard))
    };
    let guard = ask(&mut producers, 0, 5);
    ask(&mut producers, 0, 2);
    ask(&mut producers, 0, 8);
    let above = |incoming, last| Err(ProducerError::OutOfOrderSequence { incoming, last });
    assert_eq!(check(&producers, 0, 5, guard), above(5, 2));
    assert_eq!(check(&producers, 0, 2, guard), Ok(Sequenced::New));
    ask(&mut producers, 1, 0);
    assert_eq!(check(&producers, 1, 2, guard), above(2, 0), "an epoch begins anew");
}

#[test]
fn questions_are_bounded_and_expire() {
    let mut producers = Producers::default();
    let ask = |producers: &mut Producers, id| {
        producers.start_verification((ProducerId(id), ProducerEpoch(0)), 0, false, NOW).unwrap()
    };
    let first = ask(&mut producers, 0);
    for id in 1..=verification::VERIFICATIONS_MAX as i64 {
        ask(&mut producers, id);
    }
    let check = |producers: &Producers, id, guard| {
        let header = transactional(0, id, 0, 0);
        producers.check(&header, AppendOrigin::Client, Verification::Required(guard))
    };
    assert_eq!(check(&producers, 0, first), Err(ProducerError::NotVerified));
    let last = ask(&mut producers, 9_999);
    assert_eq!(check(&producers, 9_999, last), Ok(Sequenced::New));
    producers.expire(Timestamp(NOW.0 + DAY_MS), DAY_MS);
    assert_eq!(check(&producers, 9_999, last), Err(ProducerError::NotVerified));
}

/// At the last epoch a transaction can be ended all the same.
#[test]
fn the_last_epoch_can_be_ended() {
    let mut producers = Producers::default();
    producers.apply(&transactional(0, 7, i16::MAX, 0));
    let batch = marker(1, 7, i16::MAX, true);
    let marker = EndTransactionMarker::of_batch(&batch).unwrap();
    assert_eq!(producers.check_marker(&batch.header, &marker, 2), Ok(()));
}

/// A coordinator's write shows no guard: it waits until its question is answered.
#[test]
fn the_write_of_a_coordinator_waits_for_the_answer() {
    let mut producers = Producers::default();
    let check = |producers: &Producers| {
        let header = transactional(0, 7, 0, -1);
        producers.check(&header, AppendOrigin::Coordinator, Verification::Answered)
    };
    let asked = (ProducerId(7), ProducerEpoch(0));
    let ask = |producers: &mut Producers| {
        producers.start_verification(asked, -1, false, NOW).unwrap().unwrap()
    };
    let guard = ask(&mut producers);
    assert_eq!(check(&producers), Err(ProducerError::NotVerified));
    assert!(producers.answer_verification(ProducerId(7), guard));
    assert_eq!(check(&producers), Ok(Sequenced::New));
    end(&mut producers, &marker(0, 7, 0, true));
    assert!(!producers.answer_verification(ProducerId(7), guard), "the marker was faster");
    assert_eq!(check(&producers), Err(ProducerError::NotVerified));
    ask(&mut producers);
    assert!(!producers.answer_verification(ProducerId(7), guard));
    assert_eq!(check(&producers), Err(ProducerError::NotVerified));
}
