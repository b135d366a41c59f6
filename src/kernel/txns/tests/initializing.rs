//! Who gets which producer id and epoch.

use super::*;

#[test]
fn a_newcomer_fences_whoever_was_there() {
    for version in [0, 1, 2] {
        let mut world = World::new(version);
        assert_eq!(world.init(None), Ok((1001, 0)));
        assert_eq!(world.init(None), Ok((1001, 1)));
        assert_eq!(world.add((1001, 0), &[("a", 0)], version), ErrorCode::ProducerFenced);
        assert_eq!(world.add((1, 1), &[("a", 0)], version), ErrorCode::InvalidProducerIdMapping);
        // An open transaction is aborted first, under an epoch that nobody is told.
        assert_eq!(world.add((1001, 1), &[("a", 0)], version), ErrorCode::None);
        assert_eq!(world.init(None), Err(ErrorCode::ConcurrentTransactions));
        assert_eq!((world.state(), world.current()), (TransactionState::PrepareAbort, (1001, 2)));
        assert_eq!(world.init(None), Err(ErrorCode::ConcurrentTransactions));
        let markers = world.write_markers(MarkerOutcome::Written);
        assert_eq!((markers.committed, markers.producer_epoch), (false, ProducerEpoch(2)));
        assert_eq!(markers.transaction_version, if version == 2 { 2 } else { 0 });
        assert_eq!(world.init(None), Ok((1001, 3)));
    }
}

/// KIP-360: a producer goes on after an error, and may repeat its request.
#[test]
fn a_producer_that_recovers_keeps_its_place() {
    let mut world = World::new(0);
    assert_eq!(world.init(Some((7, 3))), Ok((1001, 0)), "of an id that is not known any more");
    assert_eq!(world.init(Some((1001, 0))), Ok((1001, 1)));
    assert_eq!(world.init(Some((1001, 0))), Ok((1001, 1)), "the answer did not arrive");
    assert_eq!(world.init(Some((1001, 1))), Ok((1001, 2)));
    assert_eq!(world.init(Some((1001, 0))), Err(ErrorCode::ProducerFenced));
    assert_eq!(world.init(Some((7, 2))), Err(ErrorCode::ProducerFenced));
    assert_eq!(world.init(None), Ok((1001, 3)));
    assert_eq!(world.init(Some((1001, 2))), Err(ErrorCode::ProducerFenced), "a newcomer has it");
}

#[test]
fn after_the_last_epoch_comes_another_producer_id() {
    let last = i16::MAX - 1;
    let mut world = World::new(2);
    world.put(&transaction(TransactionState::CompleteCommit, 5, last - 1));
    assert_eq!(world.init(None), Ok((5, last)));
    assert_eq!(world.init(None), Ok((1001, 0)));
    world.put(&transaction(TransactionState::Empty, 5, last));
    assert_eq!(world.init(Some((5, last))), Ok((1002, 0)));
    assert_eq!(world.init(Some((5, last))), Ok((1002, 0)), "the answer did not arrive");
    assert_eq!(world.init(Some((5, last - 1))), Err(ErrorCode::ProducerFenced));
    // Aborting for a newcomer uses the last epoch up.
    world.put(&transaction(TransactionState::Ongoing, 5, last));
    assert_eq!(world.init(None), Err(ErrorCode::ConcurrentTransactions));
    assert_eq!(world.current(), (5, i16::MAX));
    assert_eq!(world.write_markers(MarkerOutcome::Written).producer_epoch.0, i16::MAX);
    assert_eq!(world.current(), (1003, 0));
    assert_eq!(world.init(None), Ok((1003, 1)));
}

#[test]
fn without_version_2_the_last_epoch_waits_for_the_next_newcomer() {
    let mut world = World::new(1);
    world.put(&transaction(TransactionState::Ongoing, 5, i16::MAX - 1));
    assert_eq!(world.init(None), Err(ErrorCode::ConcurrentTransactions));
    world.write_markers(MarkerOutcome::Written);
    assert_eq!(world.current(), (5, i16::MAX));
    assert_eq!(world.init(None), Ok((1001, 0)));
}

/// Found by the simulated world: a transaction at the last epoch took too long, its coordinator aborted it at the one above,
/// which is for fencing, and the producer was told to go on with that: by InitProducerId, and by its late EndTxn.
#[test]
fn a_producer_never_goes_on_at_the_epoch_that_is_for_fencing() {
    let last = i16::MAX - 1;
    let mut world = World::new(2);
    world.put(&transaction(TransactionState::Ongoing, 5, last));
    world.pass(i64::from(TIMEOUT_MS) + 1);
    world.write_markers(MarkerOutcome::Written);
    assert_eq!(world.current(), (5, i16::MAX));
    assert_eq!(world.end((5, last), false, 2), Err(ErrorCode::ProducerFenced));
    assert_eq!(world.init(Some((5, last))), Ok((1001, 0)));
    assert_eq!(world.init(Some((5, last))), Ok((1001, 0)), "the answer did not arrive");
}
