//! What a client cannot make the shard hold.

use super::*;

#[test]
fn transactional_ids_are_bounded() {
    let mut world = World::new(2);
    let init = |world: &mut World, id: &str, fresh: Option<i64>| {
        world.ask(TransactionRequest::InitProducerId(InitProducerId {
            transactional_id: Arc::from(id),
            timeout_ms: TIMEOUT_MS,
            expected: None,
            fresh: fresh.map(ProducerId),
        }))
    };
    let longest = "x".repeat(TRANSACTIONAL_ID_BYTES_MAX);
    assert_eq!(init(&mut world, "", None), Err(ErrorCode::InvalidRequest));
    assert_eq!(init(&mut world, &(longest.clone() + "x"), None), Err(ErrorCode::InvalidRequest));
    assert_eq!(init(&mut world, &longest, None), Ok(Answered::NeedsProducerId));
    let mut count = 0;
    let full = loop {
        let id = format!("{count:05}{}", &longest[5..]);
        let reply = init(&mut world, &id, Some(count));
        count += 1;
        if reply.is_err() {
            break reply;
        }
    };
    assert_eq!(full, Err(ErrorCode::CoordinatorNotAvailable));
    assert!((900..1100).contains(&count), "{count}");
    let known = format!("{:05}{}", 0, &longest[5..]);
    assert!(init(&mut world, &known, None).is_ok(), "those that are there go on");
}

/// A hundred of the longest ids expired at once, and their tombstones were one batch, which no log takes: they stayed for
/// ever, and with them the bound that they had come to.
#[test]
fn the_longest_ids_expire_too() {
    let mut world = World::new(2);
    for number in 0..150 {
        let id = format!("{number:05}{}", "x".repeat(TRANSACTIONAL_ID_BYTES_MAX - 5));
        let reply = world.ask(TransactionRequest::InitProducerId(InitProducerId {
            transactional_id: id.into(),
            timeout_ms: TIMEOUT_MS,
            expected: None,
            fresh: Some(ProducerId(number)),
        }));
        assert!(reply.is_ok());
    }
    world.batches.clear();
    world.pass(604_800_000 + 3_600_000);
    assert_eq!(world.shard.hard.size_bytes(), 0);
    assert_eq!(world.batches.iter().sum::<usize>(), 150);
}

#[test]
fn partitions_of_a_transaction_are_bounded() {
    let mut world = World::new(2);
    let producer = world.init(None).unwrap();
    let all: Vec<_> = (0..PARTITIONS_MAX as i32).map(|index| ("a", index)).collect();
    assert_eq!(world.add(producer, &all, 2), ErrorCode::None);
    assert_eq!(world.add(producer, &all[..9], 2), ErrorCode::None);
    assert_eq!(world.add(producer, &[("b", 0)], 2), ErrorCode::UnknownServerError);
}

/// Records of versions and states that are not known say nothing; a damaged one ends the load.
#[test]
fn what_is_no_state_is_passed_over() {
    let mut world = World::new(2);
    world.init(None).unwrap();
    let dead = Transaction { state: TransactionState::Dead, ..world.transaction().clone() };
    world.put(&dead);
    assert_eq!(world.state(), TransactionState::Empty);
    let (key, value) = world.log[0].clone();
    assert!(TransactionShard::decode(None, value.as_ref()).is_err());
    let cut = value.as_ref().map(|value| value.slice(..5));
    assert!(TransactionShard::decode(Some(&key), cut.as_ref()).is_err());
    let other = Bytes::from_static(&[0, 1]);
    assert_eq!(TransactionShard::decode(Some(&other), value.as_ref()).unwrap(), None);
}
