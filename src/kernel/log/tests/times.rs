//! Offsets by time.

use super::*;
use crate::wire::batch::TimestampType;
use crate::wire::compression::Codec;

fn batch(times: &[i64], codec: Codec) -> Batch {
    let mut builder = BatchBuilder::new(Offset(0));
    for ms in times {
        builder.push(Timestamp(*ms), None, Some(&[1; 300]), &[]);
    }
    builder.build_compressed(codec).unwrap()
}

fn three_segments(codec: Codec) -> Log<SimulatedDisk> {
    let mut log = create(&SimulatedDisk::default(), config());
    for (records, times) in
        [[&[10, 11, 12][..], &[30, 20]], [&[40, 45], &[42]], [&[50], &[50, 60, 60]]]
            .iter()
            .flatten()
            .enumerate()
    {
        if records % 2 == 0 && records > 0 {
            log.roll(log.log_end_offset(), at(0)).unwrap();
        }
        append(&mut log, &batch(times, codec));
    }
    assert_eq!(log.segment_count(), 3);
    log
}

#[test]
fn the_first_record_that_is_not_older() {
    for codec in Codec::ALL {
        let mut log = three_segments(codec);
        let mut check = |ms: i64, up_to: i64, expected: Option<(i64, i64)>| {
            let found = log.offset_for_timestamp(Timestamp(ms), Offset(up_to)).unwrap();
            let found = found.map(|(at, offset, epoch)| {
                assert_eq!(epoch, EPOCH);
                (at.0, offset.0)
            });
            assert_eq!(found, expected, "{ms} {codec:?}");
        };
        check(0, 99, Some((10, 0)));
        check(11, 99, Some((11, 1)));
        check(13, 99, Some((30, 3)));
        check(30, 99, Some((30, 3)));
        check(31, 99, Some((40, 5)));
        check(41, 99, Some((45, 6)));
        check(46, 99, Some((50, 8)));
        check(51, 99, Some((60, 10)));
        check(61, 99, None);
        check(41, 6, None);
        check(41, 7, Some((45, 6)));
    }
}

#[test]
fn what_is_below_the_log_start_is_not_found() {
    let mut log = three_segments(Codec::None);
    log.delete_records_before(Offset(2)).unwrap();
    let found = |log: &mut Log<SimulatedDisk>, ms| {
        log.offset_for_timestamp(Timestamp(ms), Offset(99)).unwrap().map(|(_, offset, _)| offset.0)
    };
    assert_eq!(found(&mut log, 0), Some(2));
    log.delete_records_before(Offset(4)).unwrap();
    assert_eq!(found(&mut log, 10), Some(4));
    // Kafka looks into one segment only: the first whose newest record is not older.
    assert_eq!(found(&mut log, 21), None);
    assert_eq!(found(&mut log, 31), Some(5));
}

#[test]
fn the_newest_record_is_the_first_of_several() {
    let mut log = three_segments(Codec::Lz4);
    assert_eq!(log.max_timestamp().unwrap(), Some((Timestamp(60), Offset(10), EPOCH)));
    let mut log = create(&SimulatedDisk::default(), config());
    assert_eq!(log.max_timestamp().unwrap(), None);
    let stamped = batch(&[1, 2], Codec::None).with_time(TimestampType::LogAppendTime, Timestamp(9));
    append(&mut log, &stamped);
    assert_eq!(log.max_timestamp().unwrap(), Some((Timestamp(9), Offset(1), EPOCH)));
    let found = log.offset_for_timestamp(Timestamp(3), Offset(9)).unwrap();
    assert_eq!(found, Some((Timestamp(9), Offset(0), EPOCH)));
}

#[test]
fn records_that_cannot_be_read_are_answered_by_their_batch() {
    let good = batch(&[10, 20, 30], Codec::None);
    let damaged = Batch::assemble(
        {
            let mut header = good.header;
            header.attributes = 4;
            header
        },
        b"not zstd at all",
    );
    let mut log = create(&SimulatedDisk::default(), config());
    append(&mut log, &good);
    append(&mut log, &damaged);
    let found = log.offset_for_timestamp(Timestamp(30), Offset(99)).unwrap();
    assert_eq!(found, Some((Timestamp(30), Offset(2), EPOCH)));
    log.delete_records_before(Offset(3)).unwrap();
    let found = log.offset_for_timestamp(Timestamp(15), Offset(99)).unwrap();
    assert_eq!(found, Some((Timestamp(30), Offset(3), EPOCH)));
}
