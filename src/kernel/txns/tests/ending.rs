//! EndTxn in every state, markers that fail, and what goes on after a load.

use super::TransactionState::*;
use super::*;

const EPOCH: i16 = 4;

/// `Ok(true)` if it is decided, `Ok(false)` if it was so before.
fn outcome(
    version: i16,
    state: TransactionState,
    epoch: i16,
    commit: bool,
) -> Result<bool, ErrorCode> {
    let mut world = World::new(2);
    world.put(&transaction(state, 7, EPOCH));
    let before = world.log.len();
    let reply = world.end((7, epoch), commit, version);
    let was_decided = world.log.len() > before;
    match reply {
        Ok(identity) => {
            let bumped = if was_decided { EPOCH + 1 } else { EPOCH };
            assert_eq!(identity, if version < 2 { (-1, -1) } else { (7, bumped) });
            Ok(was_decided)
        }
        Err(code) => {
            assert!(!was_decided);
            Err(code)
        }
    }
}

/// The table in Kafka's `TransactionCoordinator`; current and repeated, abort and commit.
#[test]
fn the_table_of_version_2() {
    let check = |state, expected: [Result<bool, ErrorCode>; 4]| {
        let asked = [(EPOCH - 1, false), (EPOCH, false), (EPOCH - 1, true), (EPOCH, true)];
        let found = asked.map(|(epoch, commit)| outcome(2, state, epoch, commit));
        assert_eq!(found, expected, "{state}");
    };
    let (decided, again) = (Ok(true), Ok(false));
    let fenced = Err(ErrorCode::ProducerFenced);
    let invalid = Err(ErrorCode::InvalidTxnState);
    let concurrent = Err(ErrorCode::ConcurrentTransactions);
    check(Empty, [fenced, decided, fenced, invalid]);
    check(Ongoing, [fenced, decided, fenced, decided]);
    check(CompleteAbort, [again, decided, invalid, invalid]);
    check(CompleteCommit, [invalid, decided, again, invalid]);
    check(PrepareCommit, [invalid, fenced, concurrent, fenced]);
    check(PrepareAbort, [concurrent, fenced, invalid, fenced]);
    assert_eq!(outcome(2, Ongoing, EPOCH + 1, true), fenced);
    assert_eq!(outcome(2, CompleteCommit, EPOCH + 1, true), fenced);
}

#[test]
fn the_table_of_version_1() {
    let check = |state, expected: [Result<bool, ErrorCode>; 2]| {
        assert_eq!(
            [false, true].map(|commit| outcome(1, state, EPOCH, commit)),
            expected,
            "{state}"
        );
        for epoch in [EPOCH - 1, EPOCH + 1] {
            assert_eq!(outcome(1, state, epoch, true), Err(ErrorCode::ProducerFenced));
        }
    };
    let (decided, again) = (Ok(true), Ok(false));
    let invalid = Err(ErrorCode::InvalidTxnState);
    let concurrent = Err(ErrorCode::ConcurrentTransactions);
    check(Empty, [invalid, invalid]);
    check(Ongoing, [decided, decided]);
    check(CompleteAbort, [again, invalid]);
    check(CompleteCommit, [invalid, again]);
    check(PrepareCommit, [invalid, concurrent]);
    check(PrepareAbort, [concurrent, invalid]);
}

#[test]
fn whose_transaction_it_is() {
    let mut world = World::new(2);
    for version in [0, 2] {
        let unknown = Err(ErrorCode::InvalidProducerIdMapping);
        assert_eq!(world.end((7, 0), true, version), unknown);
    }
    world.put(&transaction(Ongoing, 7, EPOCH));
    for version in [0, 2] {
        let other = Err(ErrorCode::InvalidProducerIdMapping);
        assert_eq!(world.end((8, EPOCH), true, version), other);
    }
}

/// K-18660, K-20090: at the last epoch the producer goes on under another id, and may repeat its request.
#[test]
fn an_end_at_the_last_epoch_gives_another_producer_id() {
    let last = i16::MAX - 1;
    let mut world = World::new(2);
    world.put(&transaction(Ongoing, 7, last));
    assert_eq!(world.end((7, last), true, 2), Ok((1001, 0)));
    assert_eq!((world.state(), world.current()), (PrepareCommit, (7, i16::MAX)));
    assert_eq!(world.end((7, last), true, 2), Err(ErrorCode::ConcurrentTransactions));
    world.load();
    world.write_markers(MarkerOutcome::Written);
    assert_eq!((world.state(), world.current()), (CompleteCommit, (1001, 0)));
    assert_eq!(world.end((7, last), true, 2), Ok((1001, 0)), "the answer did not arrive");
    assert_eq!(world.end((7, last), false, 2), Err(ErrorCode::InvalidTxnState));
    assert_eq!(world.add((1001, 0), &[("a", 0)], 2), ErrorCode::None);
    assert_eq!(world.end((7, last), true, 2), Err(ErrorCode::InvalidProducerIdMapping));
}

/// A client of version 2 aborts when it does not know whether its first write arrived.
#[test]
fn an_abort_of_nothing_is_complete_at_once() {
    let mut world = World::new(2);
    let (id, epoch) = world.init(None).unwrap();
    assert_eq!(world.end((id, epoch), false, 2), Ok((id, epoch + 1)));
    assert_eq!((world.state(), world.current()), (CompleteAbort, (id, epoch + 1)));
    assert!(world.effects.is_empty());
    assert_eq!(world.batches.last(), Some(&2), "both moves are one batch");
    assert_eq!(world.transaction().started, world.now.wall);
}

/// K-17754: a delayed EndTxn decides no later transaction.
#[test]
fn a_late_end_does_not_decide_the_next_transaction() {
    let mut world = World::new(2);
    let (id, epoch) = world.init(None).unwrap();
    world.add((id, epoch), &[("a", 0)], 2);
    world.end((id, epoch), true, 2).unwrap();
    world.write_markers(MarkerOutcome::Written);
    world.add((id, epoch + 1), &[("a", 0)], 2);
    for commit in [true, false] {
        assert_eq!(world.end((id, epoch), commit, 2), Err(ErrorCode::ProducerFenced));
    }
    assert_eq!(world.state(), Ongoing);
}

#[test]
fn markers_are_tried_until_they_are_written() {
    let mut world = World::new(2);
    let producer = world.init(None).unwrap();
    world.add(producer, &[("a", 0), ("a", 1)], 2);
    world.end(producer, true, 2).unwrap();
    world.write_markers(MarkerOutcome::Failed);
    assert_eq!((world.state(), world.effects.len()), (PrepareCommit, 0));
    world.pass(100);
    assert_eq!(*world.effects[0].partitions, set(&[("a", 0), ("a", 1)]));
    // One of two.
    let wanted = world.effects.pop_front().unwrap();
    let became = |outcomes: &[(i32, MarkerOutcome)]| {
        wanted.became(outcomes.iter().map(|(index, it)| (Arc::from("a"), *index, *it)))
    };
    let one = became(&[(0, MarkerOutcome::Written), (1, MarkerOutcome::Failed)]);
    world.ask(one).unwrap();
    world.pass(100);
    assert_eq!(*world.effects[0].partitions, set(&[("a", 1)]));
    // After a load nobody knows which are written: all are, once more.
    world.load();
    assert_eq!(*world.effects[0].partitions, set(&[("a", 0), ("a", 1)]));
    assert!(world.effects[0].committed);
    world.write_markers(MarkerOutcome::Written);
    assert_eq!(world.state(), CompleteCommit);
    // What is said late changes nothing.
    let records = world.log.len();
    let late = became(&[(0, MarkerOutcome::Written)]);
    world.ask(late).unwrap();
    assert_eq!(world.log.len(), records);
}

/// The simulated world, seed 16386: a coordinator's markers waited for replicas when it lost its partition and got it back.
/// The load asked for them again, which waited for the replicas of its own log; then it heard that those of before were
/// written, and took them for its own. So the transaction was complete before its second markers were written, which would
/// have ended the producer's next one. Kafka's coordinator asks for the epoch in which markers were wanted.
#[test]
fn what_became_of_markers_is_for_the_life_that_wanted_them() {
    let mut world = World::new(0);
    let producer = world.init(None).unwrap();
    world.add(producer, &[("a", 0)], 0);
    world.end(producer, true, 0).unwrap();
    let before = world.effects.pop_front().unwrap();
    world.load();
    let became = before.became([(Arc::from("a"), 0, MarkerOutcome::Written)]);
    world.ask(became).unwrap();
    assert_eq!((world.state(), world.effects.len()), (PrepareCommit, 1));
    world.write_markers(MarkerOutcome::Written);
    assert_eq!(world.state(), CompleteCommit);
}

#[test]
fn a_coordinator_that_is_fenced_leaves_the_transaction_to_its_successor() {
    let mut world = World::new(2);
    let producer = world.init(None).unwrap();
    world.add(producer, &[("a", 0)], 2);
    world.end(producer, true, 2).unwrap();
    world.write_markers(MarkerOutcome::Fenced);
    world.pass(1000);
    assert_eq!((world.state(), world.effects.len()), (PrepareCommit, 0));
    world.load();
    assert_eq!(world.effects.len(), 1);
}

/// A write that is refused leaves everything as it was, and what must happen is tried again.
#[test]
fn what_is_refused_has_not_happened() {
    let mut world = World::new(2);
    let producer = world.init(None).unwrap();
    world.add(producer, &[("a", 0)], 2);
    let code = ErrorCode::CoordinatorNotAvailable;
    world.refuses = Some(code);
    assert_eq!(world.end(producer, true, 2), Err(code));
    assert_eq!((world.state(), world.effects.len()), (Ongoing, 0));
    world.refuses = None;
    assert_eq!(world.end(producer, true, 2), Ok((producer.0, producer.1 + 1)));
    world.refuses = Some(code);
    let wanted = world.effects.pop_front().unwrap();
    let became = wanted.became([(Arc::from("a"), 0, MarkerOutcome::Written)]);
    world.ask(became).unwrap_err();
    assert_eq!(world.state(), PrepareCommit);
    world.refuses = None;
    world.pass(100);
    assert_eq!((world.state(), world.effects.len()), (CompleteCommit, 0));
}
