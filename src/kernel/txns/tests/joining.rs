//! What takes part, and who may say so.

use super::*;

#[test]
fn partitions_join_and_are_verified() {
    let mut world = World::new(2);
    let verify = |world: &mut World, (id, epoch): (i64, i16), partitions: &[(&str, i32)]| {
        world.ask(TransactionRequest::VerifyPartitions(VerifyPartitions {
            transactional_id: Arc::from(ID),
            producer_id: ProducerId(id),
            producer_epoch: ProducerEpoch(epoch),
            partitions: Arc::new(set(partitions)),
        }))
    };
    let unknown = Err(ErrorCode::InvalidProducerIdMapping);
    assert_eq!(verify(&mut world, (1, 0), &[("a", 0)]), unknown);
    assert_eq!(world.add((1, 0), &[("a", 0)], 2), ErrorCode::InvalidProducerIdMapping);
    let producer = world.init(None).unwrap();
    assert_eq!(world.add(producer, &[("a", 0)], 2), ErrorCode::None);
    let records = world.log.len();
    assert_eq!(world.add(producer, &[("a", 0)], 2), ErrorCode::None);
    assert_eq!(world.log.len(), records, "it takes part already: nothing is written");
    assert_eq!(world.add(producer, &[("a", 1), ("b", 0)], 2), ErrorCode::None);
    let verified = verify(&mut world, producer, &[("a", 0), ("a", 7), ("b", 0)]);
    assert_eq!(verified, Ok(Answered::Verified(vec![true, false, true])));
    let fenced = Err(ErrorCode::ProducerFenced);
    assert_eq!(verify(&mut world, (producer.0, 9), &[("a", 0)]), fenced);
    world.end(producer, false, 2).unwrap();
    let bumped = (producer.0, producer.1 + 1);
    let ending = Err(ErrorCode::ConcurrentTransactions);
    assert_eq!(verify(&mut world, bumped, &[("a", 0)]), ending);
    world.write_markers(MarkerOutcome::Written);
    assert_eq!(verify(&mut world, bumped, &[("a", 0)]), Ok(Answered::Verified(vec![false])));
}

#[test]
fn a_transaction_begins_with_its_first_partition() {
    let mut world = World::new(2);
    let producer = world.init(None).unwrap();
    assert_eq!(world.transaction().started, Timestamp::NONE);
    world.pass(5);
    world.add(producer, &[("a", 0)], 2);
    world.pass(5);
    world.add(producer, &[("a", 1)], 2);
    let transaction = world.transaction();
    assert_eq!((transaction.started.0, transaction.updated.0), (START_MS + 5, START_MS + 10));
}
