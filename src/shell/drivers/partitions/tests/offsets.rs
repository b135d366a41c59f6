//! What is appended, read, looked up and deleted.

use super::*;

#[test]
fn what_is_appended_is_read_up_to_the_high_watermark() {
    let node = Node::with_topic();
    let partition = node.partition(1);
    assert_eq!(read(&partition, 0), [0; 0]);
    let appended = node.append(1);
    assert_eq!((appended.base_offset, appended.log_start_offset), (Offset(0), Offset(0)));
    assert_eq!(node.append(1).base_offset, Offset(1));
    assert_eq!(read(&partition, 0), [0, 1]);
    assert_eq!(read(&partition, 1), [1]);
    assert_eq!(read(&partition, 2), [0; 0]);
    let expected = Offsets {
        log_start: Offset(0),
        high_watermark: Offset(2),
        last_stable: Offset(2),
        log_end: Offset(2),
        leader_epoch: LeaderEpoch(0),
    };
    assert_eq!(partition.offsets(), expected);
    for offset in [-1, 3] {
        let error = partition.read(&spec(offset)).unwrap_err();
        assert_eq!(error, ErrorCode::OffsetOutOfRange, "{offset}");
    }
}

#[test]
fn the_high_watermark_waits_for_those_in_sync() {
    let mut node = Node::with_topic();
    let two = vec![ME, NodeId(2)];
    node.change(1, PartitionRegistration { isr: two.clone(), replicas: two, ..registration(1) });
    let partition = node.partition(1);
    node.append(1);
    assert_eq!(read(&partition, 0), [0; 0]);
    let all = ReadSpec { isolation: Isolation::LogEnd, ..spec(0) };
    assert_eq!(offsets_of(&partition.read(&all).unwrap()), [0]);
    // Between the high watermark and the end nothing is out of range.
    assert_eq!(read(&partition, 1), [0; 0]);
    assert_eq!(partition.offsets().high_watermark, Offset(0));
}

#[test]
fn only_the_leader_answers_and_only_under_its_epoch() {
    let mut node = Node::with_topic();
    let at = |epoch| ReadSpec { current_leader_epoch: LeaderEpoch(epoch), ..spec(0) };
    node.change(1, registration(3));
    let partition = node.partition(1);
    assert!(partition.read(&at(3)).is_ok());
    assert_eq!(partition.read(&at(2)).unwrap_err(), ErrorCode::FencedLeaderEpoch);
    assert_eq!(partition.read(&at(4)).unwrap_err(), ErrorCode::UnknownLeaderEpoch);

    node.change(1, PartitionRegistration { leader: NodeId::NONE, ..registration(4) });
    let append = partition.append(&record(0), 1, node.now);
    assert_eq!(append.unwrap_err(), ErrorCode::NotLeaderOrFollower);
    assert_eq!(partition.read(&spec(0)).unwrap_err(), ErrorCode::NotLeaderOrFollower);
    assert_eq!(partition.read(&at(3)).unwrap_err(), ErrorCode::FencedLeaderEpoch);
    assert_eq!(partition.delete_records(Offset(0)).unwrap_err(), ErrorCode::NotLeaderOrFollower);
}

#[test]
fn acks_all_asks_for_enough_replicas() {
    let mut node = Node::with_topic();
    node.set(settings::TOPIC, "a", "min.insync.replicas", "2");
    let partition = node.partition(1);
    // One replica is all there is.
    assert!(partition.append(&record(0), -1, node.now).is_ok());
    let replicas = vec![ME, NodeId(2)];
    node.change(1, PartitionRegistration { replicas, ..registration(1) });
    let refused = partition.append(&record(0), -1, node.now);
    assert_eq!(refused.unwrap_err(), ErrorCode::NotEnoughReplicas);
    assert!(partition.append(&record(0), 1, node.now).is_ok());
    assert_eq!(partition.offsets().high_watermark, Offset(1));
    // The number that is asked for falls: what waited for it is safe.
    node.set(settings::TOPIC, "a", "min.insync.replicas", "1");
    assert_eq!(partition.offsets().high_watermark, Offset(2));
}

#[test]
fn committed_records_end_before_an_open_transaction() {
    let node = Node::with_topic();
    let partition = node.partition(1);
    let append = |batch: &Batch, origin| {
        partition.append_from(batch, origin, -1, node.now).unwrap();
    };
    node.append(1);
    append(&transactional(0), Origin::CLIENT);
    node.append(1);
    let committed = ReadSpec { isolation: Isolation::LastStable, ..spec(0) };
    let answer = partition.read(&committed).unwrap();
    assert_eq!((offsets_of(&answer), answer.last_stable_offset), (vec![0], Offset(1)));
    assert_eq!(answer.aborted, Some(Vec::new()));
    assert_eq!(partition.offsets().last_stable, Offset(1));

    append(&marker(ControlType::Abort), Origin::COORDINATOR);
    let answer = partition.read(&committed).unwrap();
    assert_eq!(offsets_of(&answer), [0, 1, 2, 3]);
    let aborted = answer.aborted.unwrap();
    assert_eq!((aborted.len(), aborted[0].first_offset), (1, Offset(1)));
    assert_eq!(partition.read(&spec(0)).unwrap().aborted, None);
}

#[test]
fn a_duplicate_is_answered_again_and_a_gap_is_refused() {
    let node = Node::with_topic();
    let partition = node.partition(1);
    let append = |sequence| partition.append(&transactional(sequence), -1, node.now);
    append(0).unwrap();
    append(1).unwrap();
    let again = append(0).unwrap();
    assert_eq!((again.base_offset, again.duplicate), (Offset(0), true));
    assert_eq!(append(3).unwrap_err(), ErrorCode::OutOfOrderSequenceNumber);
    assert_eq!(partition.offsets().log_end, Offset(2));
}

#[test]
fn a_reader_whose_log_parts_from_ours_is_told_where() {
    let mut node = Node::with_topic();
    node.append(1);
    node.change(1, registration(2));
    node.append(1);
    node.append(1);
    let partition = node.partition(1);
    let check = |offset: i64, epoch: i32, expected: Option<(i32, i64)>| {
        let spec = ReadSpec { last_fetched_epoch: LeaderEpoch(epoch), ..spec(offset) };
        let answer = partition.read(&spec).unwrap();
        let found = answer.diverging_epoch.map(|at| (at.epoch.0, at.end_offset.0));
        assert_eq!(found, expected, "{offset} after {epoch}");
        assert_eq!(answer.records.is_empty(), expected.is_some());
    };
    check(1, 0, None);
    check(2, 0, Some((0, 1)));
    check(2, 1, Some((0, 1)));
    check(2, 2, None);
    let unknown = ReadSpec { last_fetched_epoch: LeaderEpoch(3), ..spec(0) };
    assert_eq!(partition.read(&unknown).unwrap_err(), ErrorCode::OffsetOutOfRange);

    let end = |epoch| partition.epoch_end_offset(LeaderEpoch(2), LeaderEpoch(epoch)).unwrap();
    assert_eq!(end(0), (LeaderEpoch(0), Offset(1)));
    assert_eq!(end(2), (LeaderEpoch(2), Offset(3)));
    assert_eq!(end(3), (LeaderEpoch::UNKNOWN, Offset::UNKNOWN));
    let fenced = partition.epoch_end_offset(LeaderEpoch(1), LeaderEpoch(0));
    assert_eq!(fenced.unwrap_err(), ErrorCode::FencedLeaderEpoch);
}

#[test]
fn offsets_are_found_by_marks_and_by_time() {
    let mut node = Node::with_topic();
    let partition = node.partition(1);
    for time in [100, 300, 200] {
        partition.append(&record(time), 1, node.now).unwrap();
    }
    node.change(1, registration(2));
    let partition = node.partition(1);
    let check = |timestamp: i64, expected: (i64, i64, i32)| {
        let isolation = Isolation::HighWatermark;
        let current_leader_epoch = LeaderEpoch::UNKNOWN;
        let spec = ListSpec { timestamp, isolation, current_leader_epoch };
        let found = partition.list_offset(&spec).unwrap();
        let found = (found.timestamp.0, found.offset.0, found.leader_epoch.0);
        assert_eq!(found, expected, "{timestamp}");
    };
    check(-1, (-1, 3, 2));
    check(-2, (-1, 0, 0));
    check(-3, (300, 1, 0));
    check(-4, (-1, 0, 0));
    check(-5, (-1, -1, -1));
    check(-6, (-1, -1, -1));
    check(0, (100, 0, 0));
    check(101, (300, 1, 0));
    check(300, (300, 1, 0));
    check(301, (-1, -1, -1));
}

#[test]
fn records_are_deleted_up_to_the_high_watermark() {
    let mut node = Node::with_topic();
    for _ in 0..4 {
        node.append(1);
    }
    let partition = node.partition(1);
    assert_eq!(partition.delete_records(Offset(2)).unwrap(), Offset(2));
    assert_eq!(partition.offsets().log_start, Offset(2));
    assert_eq!(partition.read(&spec(1)).unwrap_err(), ErrorCode::OffsetOutOfRange);
    assert_eq!(read(&partition, 2), [2, 3]);
    // Backwards changes nothing.
    assert_eq!(partition.delete_records(Offset(1)).unwrap(), Offset(2));
    for offset in [5, -2] {
        let refused = partition.delete_records(Offset(offset));
        assert_eq!(refused.unwrap_err(), ErrorCode::OffsetOutOfRange, "{offset}");
    }
    assert_eq!(partition.delete_records(requests::DELETE_TO_HIGH_WATERMARK).unwrap(), Offset(4));
    node.set(settings::TOPIC, "a", "cleanup.policy", "compact");
    assert_eq!(partition.delete_records(Offset(4)).unwrap_err(), ErrorCode::PolicyViolation);
}
