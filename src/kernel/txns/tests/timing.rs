//! Transactions that take too long, and ids that nobody uses.

use super::*;

#[test]
fn a_transaction_that_takes_too_long_is_aborted() {
    for version in [0, 1, 2] {
        let mut world = World::new(version);
        let producer = world.init(None).unwrap();
        world.add(producer, &[("a", 0)], version);
        world.pass(1000);
        world.add(producer, &[("a", 1)], version);
        world.pass(i64::from(TIMEOUT_MS) - 1000);
        assert_eq!(world.state(), TransactionState::Ongoing, "it has its whole time");
        world.pass(1);
        assert_eq!(world.state(), TransactionState::PrepareAbort);
        let markers = world.write_markers(MarkerOutcome::Written);
        assert_eq!((markers.committed, markers.producer_epoch.0), (false, producer.1 + 1));
        // Whoever had it is fenced, and has to say who it was or begin anew.
        assert_eq!(world.add(producer, &[("a", 0)], version), ErrorCode::ProducerFenced);
        let goes_on = world.init(Some(producer));
        let fenced = Err(ErrorCode::ProducerFenced);
        let bumped = Ok((producer.0, producer.1 + 1));
        assert_eq!(goes_on, if version == 2 { bumped } else { fenced });
    }
}

#[test]
fn the_time_of_a_transaction_goes_on_after_a_load_and_with_the_wall_clock() {
    let mut world = World::new(2);
    let producer = world.init(None).unwrap();
    world.add(producer, &[("a", 0)], 2);
    world.pass(59_000);
    world.load();
    world.now.wall.0 -= 10_000;
    world.pass(1001);
    assert_eq!(world.state(), TransactionState::Ongoing, "the wall clock was put back");
    world.pass(10_000);
    assert_eq!(world.state(), TransactionState::PrepareAbort);
}

#[test]
fn an_ended_transaction_has_no_timer_and_a_two_phase_commit_has_none_at_all() {
    let mut world = World::new(2);
    let expiry = world.shard.next_deadline();
    let (id, epoch) = world.init(None).unwrap();
    world.add((id, epoch), &[("a", 0)], 2);
    assert!(world.shard.next_deadline() < expiry);
    world.end((id, epoch), true, 2).unwrap();
    world.write_markers(MarkerOutcome::Written);
    assert_eq!(world.shard.next_deadline(), expiry);
    let endless =
        Transaction { timeout_ms: i32::MAX, ..transaction(TransactionState::Ongoing, id, 9) };
    world.put(&endless);
    world.pass(86_400_000);
    assert_eq!(world.state(), TransactionState::Ongoing);
}

/// At the end of the epochs nobody is there to bring a producer id along.
#[test]
fn an_abort_at_the_last_epoch_needs_no_producer_id() {
    let mut world = World::new(2);
    world.put(&transaction(TransactionState::Ongoing, 7, i16::MAX - 1));
    world.pass(i64::from(TIMEOUT_MS) + 1);
    world.write_markers(MarkerOutcome::Written);
    assert_eq!(world.current(), (7, i16::MAX));
    assert_eq!(world.state(), TransactionState::CompleteAbort);
    assert_eq!(world.init(None), Ok((1001, 0)));
}

#[test]
fn ids_that_nobody_uses_expire() {
    let mut world = World::new(2);
    world.init(None).unwrap();
    world.pass(3_600_000);
    assert_eq!(world.state(), TransactionState::Empty);
    world.pass(604_800_000);
    assert_eq!(world.shard.hard.get(ID), None);
    assert_eq!(world.log.last().unwrap().1, None, "a tombstone");
    assert_eq!(world.shard.hard.size_bytes(), 0);
    world.load();
    assert_eq!(world.shard.hard.get(ID), None);
    // One with a transaction does not.
    world
        .put(&Transaction { timeout_ms: i32::MAX, ..transaction(TransactionState::Ongoing, 7, 0) });
    world.pass(604_800_000 * 2);
    assert_eq!(world.state(), TransactionState::Ongoing);
}

/// An abort that is refused is not tried again and again at once.
#[test]
fn a_refused_abort_waits() {
    let mut world = World::new(2);
    let producer = world.init(None).unwrap();
    world.add(producer, &[("a", 0)], 2);
    world.refuses = Some(ErrorCode::CoordinatorNotAvailable);
    world.pass(i64::from(TIMEOUT_MS) + 1);
    assert_eq!(world.state(), TransactionState::Ongoing);
    world.refuses = None;
    world.pass(100);
    assert_eq!(world.state(), TransactionState::PrepareAbort);
}
