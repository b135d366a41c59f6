//! Offsets are committed, fetched, deleted, and expire, as the group has it.

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::{GroupId, OffsetDeleteRequest};
use uuid::Uuid;

use super::{NO_DELAY, pair};
use crate::kernel::groups::offsets::{
    CommitPartition, CommitRequest, CommitTopic, FetchRequest, TxnCommitRequest,
};
use crate::kernel::groups::requests::{GroupReply, GroupRequest, owned};
use crate::kernel::groups::world::{Joiner, World, long};
use crate::kernel::machine::Machine;
use crate::kernel::metadata::changes::Changes;
use crate::kernel::metadata::image::TopicImage;
use crate::types::epoch::{LeaderEpoch, ProducerEpoch};
use crate::types::error_code::ErrorCode;
use crate::types::ids::{PartitionId, ProducerId, TopicId, TopicName};
use crate::types::offset::Offset;

const ID: TopicId = TopicId(Uuid::from_u128(7));
const PRODUCER: ProducerId = ProducerId(5);
/// What is told of a partition of which nothing is committed.
const NOTHING: (i64, i16) = (-1, 0);

/// A commit of this offset for partition 0 of topic `t`, by a member of `g` or by nobody.
fn commit(member: &str, generation: i32, offset: i64) -> CommitRequest {
    let partition = CommitPartition {
        index: PartitionId(0),
        offset: Offset(offset),
        leader_epoch: LeaderEpoch(0),
        metadata: owned(""),
    };
    let (name, partitions) = (TopicName::new("t"), vec![partition]);
    CommitRequest {
        group_id: owned("g"),
        member_id: long(member),
        group_instance_id: None,
        generation_id_or_member_epoch: generation,
        api_version: 9,
        retention_time_ms: -1,
        topics: vec![CommitTopic { name, id: ID, partitions }],
    }
}

fn code(reply: GroupReply) -> i16 {
    match reply {
        GroupReply::OffsetCommit(Ok(_)) => 0,
        GroupReply::OffsetCommit(Err(code)) => code.code(),
        // What the driver tells when a write is refused.
        GroupReply::Heartbeat(response) => response.error_code,
        other => panic!("{other:?}"),
    }
}

impl World {
    fn commit(&mut self, request: CommitRequest) -> i16 {
        code(self.ask(GroupRequest::OffsetCommit(Box::new(request))))
    }

    fn commit_in_transaction(&mut self, commit: CommitRequest) -> i16 {
        let (producer_id, producer_epoch) = (PRODUCER, ProducerEpoch(0));
        let transactional_id = owned("x");
        let request = TxnCommitRequest { transactional_id, producer_id, producer_epoch, commit };
        code(self.ask(GroupRequest::TxnOffsetCommit(Box::new(request))))
    }

    /// The offset and the error for partition 0 of topic `t`, or nothing where all topics are asked for.
    fn committed(&mut self, require_stable: bool) -> (i64, i16) {
        let topic =
            kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopics::default()
                .with_name(kafka_protocol::messages::TopicName(owned("t")))
                .with_partition_indexes(vec![0]);
        let group = OffsetFetchRequestGroup::default()
            .with_group_id(GroupId(owned("g")))
            .with_topics(Some(vec![topic]));
        let request = FetchRequest { group, require_stable };
        match self.ask(GroupRequest::OffsetFetch(Box::new(request))) {
            GroupReply::OffsetFetch(Ok(topics)) => {
                let partition = &topics[0].partitions[0];
                (partition.committed_offset, partition.error_code)
            }
            other => panic!("{other:?}"),
        }
    }

    /// What is told when the offset of partition 0 of topic `t` is deleted: of the group, and of the partition.
    fn delete_offset(&mut self) -> (i16, i16) {
        let partition = OffsetDeleteRequestPartition::default().with_partition_index(0);
        let topic = OffsetDeleteRequestTopic::default()
            .with_name(kafka_protocol::messages::TopicName(owned("t")))
            .with_partitions(vec![partition]);
        let request = OffsetDeleteRequest::default()
            .with_group_id(GroupId(owned("g")))
            .with_topics(vec![topic]);
        match self.ask(GroupRequest::OffsetDelete(request)) {
            GroupReply::OffsetDelete(Ok(topics)) => (0, topics[0].partitions[0].error_code),
            GroupReply::OffsetDelete(Err(code)) => (code.code(), 0),
            other => panic!("{other:?}"),
        }
    }

    fn delete_group(&mut self) -> i16 {
        match self.ask(GroupRequest::DeleteGroups(vec![owned("g")])) {
            GroupReply::DeleteGroups(results) => results[0].error_code,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn whoever_is_no_member_makes_a_group_by_committing() {
    let mut world = World::new(NO_DELAY);
    for (version, generation, expected) in [(8, 0, 22), (9, 0, 69), (10, 5, 69), (9, -1, 0)] {
        let request = CommitRequest { api_version: version, ..commit("", generation, 5) };
        assert_eq!(world.commit(request), expected, "{version} {generation}");
    }
    assert_eq!((world.group(), world.committed(true)), ("Empty 0".to_owned(), (5, 0)));
    world.restart();
    assert_eq!((world.group(), world.committed(true)), ("Empty 0".to_owned(), (5, 0)));
    assert_eq!(world.commit(commit("m", 0, 6)), 25);
    assert_eq!(world.commit(commit("m", -1, 6)), 0);
    assert_eq!(world.delete_group(), 0);
    assert_eq!((world.group(), world.committed(true)), ("none".to_owned(), NOTHING));
    world.restart();
    assert_eq!((world.group(), world.committed(true)), ("none".to_owned(), NOTHING));
}

#[test]
fn a_member_commits_in_its_generation_and_lives_by_it() {
    let mut world = pair();
    assert_eq!(world.commit(commit("a#1", 2, 5)), 0);
    assert_eq!(world.commit(commit("a#1", 1, 6)), 22);
    assert_eq!(world.commit(commit("c#9", 2, 6)), 25);
    assert_eq!(world.commit(commit("", -1, 6)), 25);
    assert_eq!(world.committed(true), (5, 0));
    for offset in 0..3 {
        world.pass_ms(9_000);
        assert_eq!(world.heartbeat("b#2", 2), 0);
        assert_eq!(world.commit(commit("a#1", 2, offset)), 0);
    }
    assert_eq!(world.group(), "Stable 2 a#1=one b#2=two");
    // A commit that is refused is no sign of life.
    world.pass_ms(9_000);
    assert_eq!(world.heartbeat("b#2", 2), 0);
    assert_eq!(world.commit(commit("a#1", 1, 9)), 22);
    world.pass_ms(2_000);
    assert_eq!(world.heartbeat("b#2", 2), 27);
    assert_eq!(world.commit(commit("a#1", 2, 9)), 25);
    assert_eq!(world.committed(true), (2, 0));
}

#[test]
fn nothing_is_committed_between_join_and_sync_but_in_a_transaction() {
    let mut world = World::new(NO_DELAY);
    let (_, a) = world.join_new(&Joiner::of("a"));
    assert_eq!(world.commit(commit(&a, 1, 5)), 27);
    assert_eq!(world.commit_in_transaction(commit(&a, 1, 6)), 0);
    // Clients before KIP-447 do not say who they are.
    assert_eq!(world.commit_in_transaction(commit("", -1, 7)), 0);
    assert_eq!(world.commit_in_transaction(commit(&a, 0, 8)), 22);
    world.end_transaction(PRODUCER, true);
    assert_eq!(world.committed(true), (7, 0));
}

#[test]
fn what_a_transaction_commits_is_seen_when_it_is_committed() {
    let unstable = ErrorCode::UnstableOffsetCommit.code();
    for (committed, expected) in [(true, 6), (false, 5)] {
        let mut world = World::new(NO_DELAY);
        assert_eq!(world.commit_in_transaction(commit("m", 1, 6)), 22);
        assert_eq!(world.commit(commit("", -1, 5)), 0);
        assert_eq!(world.commit_in_transaction(commit("", -1, 6)), 0);
        for _ in 0..2 {
            assert_eq!((world.committed(false), world.committed(true)), ((5, 0), (-1, unstable)));
            world.restart();
        }
        world.end_transaction(PRODUCER, committed);
        for _ in 0..2 {
            assert_eq!(
                (world.committed(false), world.committed(true)),
                ((expected, 0), (expected, 0))
            );
            world.restart();
        }
    }
}

#[test]
fn offsets_are_deleted_unless_the_group_reads_the_topic() {
    let subscription = "\0\0\0\0\0\u{1}\0\u{1}t";
    let mut world = World::new(NO_DELAY);
    assert_eq!(world.delete_offset(), (69, 0));
    assert_eq!(world.commit(commit("", -1, 5)), 0);
    assert_eq!(world.delete_offset(), (0, 0));
    assert_eq!(world.committed(true), NOTHING);
    assert_eq!(world.commit_in_transaction(commit("", -1, 5)), 0);
    assert_eq!(world.delete_offset(), (0, 0));
    world.end_transaction(PRODUCER, true);
    assert_eq!(world.committed(true), NOTHING);
    let joiner = Joiner { protocols: &[("range", subscription)], ..Joiner::of("a") };
    let (_, a) = world.join_new(&joiner);
    world.sync(&a, 1, &[]);
    assert_eq!(world.commit(commit(&a, 1, 6)), 0);
    assert_eq!(world.delete_offset(), (0, ErrorCode::GroupSubscribedToTopic.code()));
    assert_eq!((world.delete_group(), world.committed(true)), (68, (6, 0)));
    world.leave(&[(&a, None)]);
    assert_eq!(world.delete_offset(), (0, 0));
    assert_eq!((world.delete_group(), world.group()), (0, "none".to_owned()));

    let (_, a) = world.join_new(&Joiner { protocol_type: "connect", ..Joiner::of("a") });
    assert_eq!(world.delete_offset(), (ErrorCode::NonEmptyGroup.code(), 0));
    world.leave(&[(&a, None)]);
}

#[test]
fn a_group_goes_when_its_last_offset_has_expired() {
    let set = [NO_DELAY[0], ("offsets.retention.minutes", "1")];
    let set = [&set[..], &[("offsets.retention.check.interval.ms", "1000")]].concat();
    // Of a simple group each offset has its time.
    let mut world = World::new(&set);
    world.commit(commit("", -1, 5));
    world.pass_ms(30_000);
    world.commit(CommitRequest { retention_time_ms: 10_000, ..commit("", -1, 6) });
    world.pass_ms(9_999);
    assert_eq!(world.committed(true), (6, 0));
    world.pass_ms(1_001);
    assert_eq!((world.group(), world.committed(true)), ("none".to_owned(), NOTHING));
    // Not while a transaction may commit another.
    world.commit_in_transaction(commit("", -1, 7));
    world.pass_ms(600_000);
    assert_eq!(world.group(), "Empty 0");
    world.end_transaction(PRODUCER, false);
    world.pass_ms(1_000);
    assert_eq!(world.group(), "none");
    // Of a group that had members, from when it became empty; never while one is there.
    let (_, a) = world.join_new(&Joiner { session_timeout_ms: 1_800_000, ..Joiner::of("a") });
    world.sync(&a, 1, &[]);
    world.commit(commit(&a, 1, 8));
    world.pass_ms(600_000);
    world.leave(&[(&a, None)]);
    world.pass_ms(59_000);
    assert_eq!(world.committed(true), (8, 0));
    world.pass_ms(2_000);
    assert_eq!((world.group(), world.committed(true)), ("none".to_owned(), NOTHING));
    world.restart();
    assert_eq!((world.group(), world.committed(true)), ("none".to_owned(), NOTHING));
}

#[test]
fn offsets_of_a_topic_go_with_it() {
    let mut world = World::new(NO_DELAY);
    world.commit(commit("", -1, 5));
    world.commit_in_transaction(commit("", -1, 6));
    let delete = |world: &mut World, name: &str, id: TopicId| {
        let name = TopicName::new(name);
        let topic = Arc::new(TopicImage { name, id, partitions: BTreeMap::new() });
        let changes = Changes { topics_deleted: vec![topic], ..Changes::default() };
        world.step(|shard, env| shard.on_image(env, &changes));
    };
    delete(&mut world, "u", ID);
    assert_eq!(world.committed(false), (5, 0));
    delete(&mut world, "t", ID);
    assert_eq!(world.committed(true), NOTHING);
    world.end_transaction(PRODUCER, true);
    assert_eq!(world.committed(true), NOTHING);
    world.restart();
    assert_eq!(world.committed(true), NOTHING);
}

#[test]
fn a_commit_that_cannot_be_written_changes_nothing() {
    let mut world = World::new(NO_DELAY);
    world.commit(commit("", -1, 5));
    world.refusal = Some(ErrorCode::CoordinatorNotAvailable);
    assert_eq!(world.commit(commit("", -1, 6)), 15);
    assert_eq!(world.committed(true), (5, 0));
    assert_eq!(world.commit(commit("", -1, 7)), 0);
    assert_eq!(world.committed(true), (7, 0));
}

#[test]
fn what_is_deleted_with_a_large_group_is_written_in_several_batches() {
    let mut world = World::new(NO_DELAY);
    let mut request = commit("", -1, 5);
    let partition = request.topics[0].partitions[0].clone();
    let of = |index| CommitPartition { index: PartitionId(index), ..partition.clone() };
    request.topics[0].partitions = (0..1200).map(of).collect();
    assert_eq!(world.commit(request), 0);
    let mut writes = Vec::new();
    world.step(|shard, env| {
        let call = crate::kernel::machine::CallId(1_000_000);
        let output = shard.on_request(env, call, GroupRequest::DeleteGroups(vec![owned("g")]));
        writes = output.writes.iter().map(|write| write.records.len()).collect();
        output
    });
    assert_eq!(writes, [500, 500, 201]);
    assert_eq!((world.group(), world.committed(true)), ("none".to_owned(), NOTHING));
}
