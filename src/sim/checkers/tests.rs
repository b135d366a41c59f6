//! Checkers that no fault of the world reaches by itself are shown what they are to see.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::{GroupId, JoinGroupRequest};

use super::*;
use crate::kernel::coordinator::EndOfTransaction;
use crate::kernel::groups::classic::ClassicGroup;
use crate::kernel::groups::consumer::member::ConsumerGroupMember;
use crate::kernel::groups::requests::{JoinGroup, owned as owned_text};
use crate::kernel::groups::table::Group;
use crate::kernel::log::append::Origin;
use crate::kernel::log::config::LogConfig;
use crate::kernel::machine::{Machine as _, Replayed, ShardId};
use crate::kernel::metadata::image::Image;
use crate::kernel::txns::state::TransactionState;
use crate::kernel::txns::transaction::Transaction;
use crate::kernel::txns::{Answered, EndTransaction, InitProducerId, TransactionShard, log_record};
use crate::sim::clients::Fate;
use crate::sim::log::Identity;
use crate::sim::topics;
use crate::types::epoch::{LeaderEpoch, ProducerEpoch};
use crate::types::ids::{PartitionId, ProducerId, TopicId};
use crate::types::offset::Offset;
use crate::types::time::{Now, Timestamp};
use crate::wire::batch::Batch;
use crate::wire::batch_builder::BatchBuilder;
use crate::wire::coordinator_records::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartition,
};
use crate::wire::coordinator_records::groups::GroupRecord;
use crate::wire::coordinator_records::offsets::{OffsetCommitKey, OffsetCommitValue};

fn complains<T>(result: Result<T, String>, expected: &str) {
    let complaint = result.err().unwrap_or_default();
    assert!(!expected.is_empty() && complaint.contains(expected), "{complaint:?}, not {expected}");
}

/// A state, a producer id, an epoch; none for a tombstone.
type To = Option<(TransactionState, i64, i16)>;

fn state(id: &str, to: To) -> Batch {
    let none = Transaction::new(ProducerId(0), 1_000, Timestamp(0));
    let of = |(state, producer_id, epoch)| Transaction {
        state,
        producer_id: ProducerId(producer_id),
        producer_epoch: ProducerEpoch(epoch),
        ..none.clone()
    };
    let transaction = to.map_or_else(|| none.clone(), of);
    let (key, value) = TransactionShard::encode(&log_record(&Arc::from(id), &transaction, 2));
    let value = to.and(value);
    let mut batch = BatchBuilder::new(Offset(100));
    batch.push(Timestamp(0), Some(&key), value.as_deref(), &[]);
    batch.build_batch()
}

#[test]
fn states_change_along_legal_edges_and_epochs_rise() {
    use TransactionState::{CompleteCommit, Empty, Ongoing, PrepareCommit};
    let take = |states: &[(&str, To)]| {
        let mut checker = TransactionStates::default();
        let mut counters = Counters::default();
        states.iter().try_for_each(|(id, to)| checker.take(&state(id, *to), &mut counters))
    };
    let begin = ("a", Some((Empty, 1, 0)));
    let open = ("a", Some((Ongoing, 1, 0)));
    assert_eq!(take(&[begin, open, ("a", Some((PrepareCommit, 1, 1)))]), Ok(()));
    complains(take(&[open]), "goes from state None to 1");
    complains(take(&[begin, ("a", Some((CompleteCommit, 1, 1)))]), "goes from state");
    complains(take(&[begin, ("a", Some((Empty, 1, 2))), ("a", Some((Empty, 1, 1)))]), "falls");
    complains(take(&[begin, ("a", Some((Empty, 1, -1)))]), "has epoch -1");
    complains(take(&[begin, open, ("a", None)]), "is forgotten in state 1");
    complains(take(&[begin, ("b", Some((Empty, 1, 0)))]), "have one producer id");
    complains(take(&[begin, ("a", Some((Empty, 2, 0)))]), "has another producer id after 0");
}

fn written(id: i64, epoch: i16, offset: i64) -> Batch {
    let mut batch = BatchBuilder::new(Offset(offset))
        .producer(ProducerId(id), ProducerEpoch(epoch), 0)
        .transactional();
    batch.push(Timestamp(0), None, Some(b"x"), &[]);
    batch.build_batch()
}

fn marker(id: i64, epoch: i16) -> Batch {
    let end = EndOfTransaction {
        producer_id: ProducerId(id),
        producer_epoch: ProducerEpoch(epoch),
        coordinator_epoch: 0,
        commit: true,
        transaction_version: 2,
    };
    end.batch(Now::default())
}

#[test]
fn nothing_of_an_epoch_comes_after_its_marker_and_one_transaction_is_open() {
    let take = |batches: &[Batch]| {
        let mut checker = OpenTransactions::default();
        batches.iter().try_for_each(|batch| checker.take(batch))
    };
    assert_eq!(take(&[written(1, 0, 0), marker(1, 1), written(1, 1, 2)]), Ok(()));
    complains(take(&[written(1, 0, 0), marker(1, 1), written(1, 0, 2)]), "has ended");
    complains(take(&[written(1, 0, 0), written(1, 1, 1)]), "while 0 is open");
}

#[test]
fn the_last_stable_offset_is_where_the_oldest_open_transaction_begins() {
    let identity =
        Identity { topic: Arc::from("a"), topic_id: topics::topic_id(2, 1), index: PartitionId(0) };
    let (config, order) = (Arc::new(LogConfig::default()), Rc::new(Cell::new(0)));
    let mut log = PartitionLog::create(identity, config, order, Now::default()).unwrap();
    log.append(&written(1, 0, 0), Origin::CLIENT, None, Now::default()).unwrap();
    let mut checker = OpenTransactions::default();
    complains(checker.check((2, 0), &log), "is @0, not @1");
    checker.take(&log.truth[0]).unwrap();
    assert_eq!(checker.check((2, 0), &log), Ok(()));
}

fn begins(expected: Option<(ProducerId, ProducerEpoch)>) -> Ask {
    let (transactional_id, timeout_ms, fresh) = (Arc::from("a"), 1_000, None);
    Ask::Init(InitProducerId { transactional_id, timeout_ms, expected, fresh })
}

fn ends(epoch: i16) -> Ask {
    Ask::End(EndTransaction {
        transactional_id: Arc::from("a"),
        producer_id: ProducerId(1),
        producer_epoch: ProducerEpoch(epoch),
        commit: true,
        client_version: 2,
        fresh: None,
    })
}

#[test]
fn nobody_is_told_to_be_another_or_what_no_client_may_be() {
    let tell = |told: &[(Ask, i16)]| {
        let mut checker = Identities::default();
        let mut counters = Counters::default();
        told.iter().try_for_each(|(ask, epoch)| {
            let reply = Ok(Answered::Producer(ProducerId(1), ProducerEpoch(*epoch)));
            checker.check(ask, &reply, &mut counters)
        })
    };
    assert_eq!(tell(&[(begins(None), 0), (ends(0), 1), (ends(0), 1)]), Ok(()));
    complains(tell(&[(begins(None), 0), (begins(None), 0)]), "two producers");
    complains(tell(&[(begins(None), i16::MAX)]), "is told to be");
    complains(tell(&[(ends(3), 3)]), "is to go on as it is");
    complains(tell(&[(ends(0), 1), (ends(0), 2)]), "and then");
}

fn commit(group: &str, offset: i64) -> Batch {
    let key = OffsetCommitKey { group: group.to_owned(), topic: "a".to_owned(), partition: 0 };
    let value = OffsetCommitValue {
        offset,
        leader_epoch: -1,
        metadata: String::new(),
        commit_timestamp: 0,
        expire_timestamp: -1,
        topic_id: TopicId::ZERO.0,
    };
    let (key, value) = GroupRecord::OffsetCommit(key, Some(value)).encode();
    let mut batch = BatchBuilder::new(Offset(0));
    batch.push(Timestamp(0), Some(&key), value.as_deref(), &[]);
    batch.build_batch()
}

#[test]
fn what_members_have_committed_never_goes_back() {
    let take = |batches: &[Batch]| {
        let mut checker = CommittedOffsets::default();
        let mut counters = Counters::default();
        batches.iter().try_for_each(|batch| {
            checker.take(batch, &group_records(batch).unwrap(), &mut |_| false, &mut counters)
        })
    };
    assert_eq!(take(&[commit("g0", 5), commit("g0", 5), commit("g0", 6)]), Ok(()));
    assert_eq!(take(&[commit("s0", 5), commit("s0", 4)]), Ok(()), "nobody's order");
    complains(take(&[commit("g0", 5), commit("g0", 4)]), "goes back from 5 to 4");
}

/// A member of the consumer group `g0`, and what it has of topic `a`.
fn has(machine: &mut GroupShard, member_id: &str, partitions: &[i32]) {
    use crate::wire::coordinator_records::consumer::{
        ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue,
        ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue, TopicPartitions,
    };
    let (group_id, member_id) = ("g0".to_owned(), member_id.to_owned());
    let key =
        ConsumerGroupMemberMetadataKey { group_id: group_id.clone(), member_id: member_id.clone() };
    let value = ConsumerGroupMemberMetadataValue::default();
    let member = GroupRecord::ConsumerGroupMemberMetadata(key, Some(value));
    let key = ConsumerGroupCurrentMemberAssignmentKey { group_id, member_id };
    let value = ConsumerGroupCurrentMemberAssignmentValue {
        member_epoch: 1,
        assigned_partitions: vec![TopicPartitions {
            topic_id: topics::topic_id(2, 1).0,
            partitions: partitions.to_vec(),
            ..TopicPartitions::default()
        }],
        ..ConsumerGroupCurrentMemberAssignmentValue::default()
    };
    let assignment = GroupRecord::ConsumerGroupCurrentMemberAssignment(key, Some(value));
    for record in [member, assignment] {
        let at = Replayed { offset: Offset(0), transaction: None, timestamp: Timestamp(0) };
        machine.replay(record, at);
    }
}

/// A classic group `g0` of one static member.
fn has_static(machine: &mut GroupShard, member_id: &str, instance_id: &str, generation: i32) {
    use crate::wire::coordinator_records::classic::{
        GroupMetadataKey, GroupMetadataValue, MemberMetadata,
    };
    let member = MemberMetadata {
        member_id: member_id.to_owned(),
        group_instance_id: Some(instance_id.to_owned()),
        session_timeout: 10_000,
        ..MemberMetadata::default()
    };
    let value = GroupMetadataValue {
        protocol_type: "consumer".to_owned(),
        generation,
        protocol: Some("cooperative-sticky".to_owned()),
        leader: Some(member_id.to_owned()),
        members: vec![member],
        ..GroupMetadataValue::default()
    };
    let record =
        GroupRecord::GroupMetadata(GroupMetadataKey { group: "g0".to_owned() }, Some(value));
    let at = Replayed { offset: Offset(0), transaction: None, timestamp: Timestamp(0) };
    machine.replay(record, at);
}

fn joins(member_id: &str, instance_id: Option<&str>, owned: &[i32]) -> JoinGroup {
    let topic = TopicPartition { topic: "a".to_owned(), partitions: owned.to_vec() };
    let subscription = ConsumerProtocolSubscription {
        generation_id: 2,
        owned_partitions: vec![topic],
        ..ConsumerProtocolSubscription::default()
    };
    let protocol = JoinGroupRequestProtocol::default().with_metadata(subscription.encode(2));
    let request = JoinGroupRequest::default()
        .with_group_id(GroupId(owned_text("g0")))
        .with_member_id(owned_text(member_id))
        .with_group_instance_id(instance_id.map(owned_text))
        .with_protocols(vec![protocol]);
    let client_address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    JoinGroup { request, version: 9, client_id: owned_text("c"), client_address }
}

/// Seeds 37946 and 3838: the member that was taken back may, once, while it has what it said that it owns; nobody else may.
#[test]
fn an_expelled_member_that_was_taken_back_may_go_back_once() {
    let id = ShardId { partition: PartitionId(0), leader_epoch: LeaderEpoch(0) };
    let key = |at: i32| ("g0".to_owned(), "a".to_owned(), at);
    let taken_back = |owned: &[i32], left: &[i32]| {
        let mut machine = GroupShard::new(id);
        let mut stale = StalePositions::default();
        has(&mut machine, "m", &[0]);
        assert!(!stale.on_join(&machine, &joins("m", None, owned)), "it is known");
        assert!(!stale.on_join(&machine, &joins("", None, owned)), "it is new");
        assert!(!stale.on_join(&machine, &joins("x", Some("i"), owned)), "Kafka refuses it");
        assert_eq!(stale.on_join(&machine, &joins("x", None, owned)), !owned.is_empty());
        stale.keep(|member, (topic, at)| member == "x" && topic == 2 && left.contains(&at));
        stale
    };
    let mut stale = taken_back(&[1], &[1]);
    assert!(!stale.may_go_back(&key(1)), "nobody commits");
    stale.note_commit(Some("m"));
    assert!(!stale.may_go_back(&key(1)));
    stale.note_commit(Some("x"));
    assert_eq!([0, 1, 1].map(|at| stale.may_go_back(&key(at))), [false, true, false]);
    let mut stale = taken_back(&[0, 1], &[0]);
    stale.note_commit(Some("x"));
    assert_eq!([0, 1].map(|at| stale.may_go_back(&key(at))), [true, false], "it has lost 1");
    let mut stale = taken_back(&[], &[1]);
    stale.note_commit(Some("x"));
    assert!(!stale.may_go_back(&key(1)), "it began anew");
}

/// Seeds 62794 and 76466: a static member whose JoinGroup was lost stays in its group while others go on without it.
#[test]
fn a_static_member_that_missed_a_generation_may_go_back_once() {
    let id = ShardId { partition: PartitionId(0), leader_epoch: LeaderEpoch(0) };
    let key = ("g0".to_owned(), "a".to_owned(), 1);
    let mut machine = GroupShard::new(id);
    let mut stale = StalePositions::default();
    has_static(&mut machine, "m", "i", 2);
    assert!(!stale.on_join(&machine, &joins("m", Some("i"), &[1])), "it has missed nothing");
    has_static(&mut machine, "m", "i", 3);
    for (member, instance) in [("x", Some("i")), ("m", Some("j")), ("m", None)] {
        assert!(!stale.on_join(&machine, &joins(member, instance, &[1])), "{member} {instance:?}");
    }
    assert!(stale.on_join(&machine, &joins("m", Some("i"), &[1])));
    stale.note_commit(Some("m"));
    assert_eq!([(); 2].map(|()| stale.may_go_back(&key)), [true, false]);
}

#[test]
fn generations_rise() {
    let id = ShardId { partition: PartitionId(0), leader_epoch: LeaderEpoch(0) };
    let mut machine = GroupShard::new(id);
    let mut checker = Generations::default();
    let mut counters = Counters::default();
    let mut look = |generation: i32| {
        let mut group = ClassicGroup::new("g", Timestamp(0));
        group.set_generation(generation);
        machine.groups_mut().insert(Group::Classic(Box::new(group)));
        checker.check(0, &machine, &mut counters)
    };
    assert_eq!((look(3), look(4)), (Ok(()), Ok(())));
    complains(look(3), "falls from 4 to 3");
}

#[test]
fn a_partition_and_a_name_have_one_owner() {
    let member = |id: &str, instance: Option<&str>, partition: i32| {
        let mut member = ConsumerGroupMember::new(id);
        member.instance_id = instance.map(str::to_owned);
        let partitions = [(PartitionId(partition), 1)].into();
        member.assigned.insert(topics::topic_id(2, 1), partitions);
        member
    };
    let look = |members: &[ConsumerGroupMember]| owners::check_members("g", members.iter());
    let (a, b) = (member("a", Some("i"), 0), member("b", None, 1));
    assert_eq!(look(&[a.clone(), b]), Ok(()));
    complains(look(&[a.clone(), member("b", None, 0)]), "own partition 0");
    complains(look(&[a, member("b", Some("i"), 1)]), "are both i");
}

#[test]
fn transactions_are_seen_whole_or_not_at_all() {
    let check = |fate: Fate, found: &[Place], expected: bool| {
        let written = [(2, 0), (2, 1)].into();
        let seen = [("x".to_owned(), found.iter().copied().collect())].into();
        let result = visible::check_attempt("x", &written, fate, &seen);
        assert_eq!(result.is_ok(), expected, "{fate:?} {found:?}");
    };
    let (none, half, whole): (&[Place], &[Place], &[Place]) = (&[], &[(2, 0)], &[(2, 0), (2, 1)]);
    for (fate, expected) in [
        (Fate::MustShow, [false, false, true]),
        (Fate::MustNotShow, [true, false, false]),
        (Fate::Unknown, [true, false, true]),
    ] {
        for (found, expected) in [none, half, whole].into_iter().zip(expected) {
            check(fate, found, expected);
        }
    }
}

#[test]
fn a_marker_is_of_a_partition_that_takes_part_and_of_the_epoch_that_was_decided() {
    use TransactionState::{Empty, Ongoing, PrepareCommit};
    let mut states = TransactionStates::default();
    let mut counters = Counters::default();
    let steps = [(Empty, 1, 0), (Ongoing, 1, 0), (PrepareCommit, 1, 1)];
    for step in steps {
        states.take(&state("a", Some(step)), &mut counters).unwrap();
    }
    let look = |id: i64, epoch: i16, decided: i64| {
        let batch = marker(id, epoch);
        let read = EndTransactionMarker::of_batch(&batch).unwrap();
        markers::check(&states, Offset(decided), (2, 0), &batch, &read)
    };
    complains(look(7, 1, 1_000), "of whom nothing is known");
    complains(look(1, 0, 1_000), "has epoch 0, and the decision 1");
    complains(look(1, 1, 100), "before its decision");
    complains(look(1, 1, 1_000), "does not take part");
}

#[test]
fn an_assignment_is_one_members_and_stays_what_it_is() {
    use kafka_protocol::messages::SyncGroupResponse;

    let assigned = |partition: i32| -> Bytes {
        let partitions = vec![partition];
        let topic = TopicPartition { topic: "a".to_owned(), partitions };
        ConsumerProtocolAssignment { assigned_partitions: vec![topic], user_data: None }.encode(0)
    };
    let give = |given: &[(&str, i32)]| {
        let mut checker = Assignments::default();
        let mut counters = Counters::default();
        given.iter().try_for_each(|(member, partition)| {
            let whose = assignments::Whose::of("g", 1, member);
            let response = SyncGroupResponse::default().with_assignment(assigned(*partition));
            checker.check(&whose, &response, &mut counters)
        })
    };
    assert_eq!(give(&[("x", 0), ("y", 1), ("x", 0)]), Ok(()));
    complains(give(&[("x", 0), ("y", 0)]), "have the same partition");
    complains(give(&[("x", 0), ("x", 1)]), "is assigned two things");
}

#[test]
fn what_was_deleted_is_gone_and_what_is_in_use_is_not_deleted() {
    use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;

    let id = ShardId { partition: PartitionId(0), leader_epoch: LeaderEpoch(0) };
    let mut machine = GroupShard::new(id);
    has(&mut machine, "m", &[0]);
    machine.groups_mut().insert(Group::Classic(Box::new(ClassicGroup::new("e", Timestamp(0)))));
    let mut offsets = CommittedOffsets::default();
    let mut counters = Counters::default();
    let batch = commit("e", 5);
    let records = group_records(&batch).unwrap();
    offsets.take(&batch, &records, &mut |_| false, &mut counters).unwrap();
    let mut answer = |group: &str, at: i64, code: ErrorCode| {
        let mut deletions = Deletions::default();
        let asked = deletions::asked(0, &machine, group, Offset(at));
        let result = DeletableGroupResult::default().with_error_code(code.code());
        let reply = GroupReply::DeleteGroups(vec![result]);
        deletions.check(&asked, &reply, &mut counters)?;
        deletions.keep_promises(|_| Some(&offsets))
    };
    assert_eq!(answer("g0", 1, ErrorCode::NonEmptyGroup), Ok(()));
    assert_eq!(answer("x", 1, ErrorCode::GroupIdNotFound), Ok(()));
    assert_eq!(answer("e", 0, ErrorCode::None), Ok(()), "what is there came later");
    complains(answer("g0", 1, ErrorCode::None), "is answered");
    complains(answer("e", 1, ErrorCode::NonEmptyGroup), "is answered");
    complains(answer("e", 1, ErrorCode::None), "was deleted, and is there");
}

#[test]
fn a_consumer_group_is_described_as_its_records_have_it() {
    use kafka_protocol::messages::consumer_group_describe_response as described;

    use crate::wire::coordinator_records::consumer::{
        ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue, ConsumerGroupMetadataKey,
        ConsumerGroupMetadataValue,
    };
    let group_id = "g".to_owned();
    let key = ConsumerGroupMetadataKey { group_id: group_id.clone() };
    let value = ConsumerGroupMetadataValue { epoch: 3, ..ConsumerGroupMetadataValue::default() };
    let mut logged = LoggedGroups::default();
    logged.take(&GroupRecord::ConsumerGroupMetadata(key, Some(value)));
    let key = ConsumerGroupMemberMetadataKey { group_id, member_id: "m".to_owned() };
    let value = ConsumerGroupMemberMetadataValue::default();
    logged.take(&GroupRecord::ConsumerGroupMemberMetadata(key, Some(value)));
    let expected = ExpectedGroup::new(logged.of("g"), &Image::empty());
    let tell = |epoch: i32, members: &[&str]| {
        let member = |id: &&str| described::Member::default().with_member_id(owned_text(id));
        let group = described::DescribedGroup::default()
            .with_group_epoch(epoch)
            .with_assignment_epoch(1)
            .with_members(members.iter().map(member).collect());
        expected.check(&[group], &mut Counters::default())
    };
    assert_eq!(tell(3, &["m"]), Ok(()));
    complains(tell(2, &["m"]), "is described as");
    complains(tell(3, &[]), "is described as");
    complains(tell(3, &["m", "n"]), "is described as");
}

#[test]
fn transactions_are_described_as_their_records_have_them() {
    use TransactionState::{CompleteAbort, Empty};

    use crate::kernel::txns::{Description, ListedTransaction};
    let mut states = TransactionStates::default();
    states.take(&state("a", Some((Empty, 1, 0))), &mut Counters::default()).unwrap();
    let one = |id: &str, told: To| {
        let description = |(state, id, epoch)| {
            Answered::Description(Description {
                state,
                timeout_ms: 1,
                started: Timestamp(0),
                producer_id: ProducerId(id),
                producer_epoch: ProducerEpoch(epoch),
                partitions: Arc::default(),
            })
        };
        let reply = told.map(description).ok_or(ErrorCode::TransactionalIdNotFound);
        let expected = ExpectedTransactions::of(&states, &Ask::DescribeTransaction(id.to_owned()));
        expected.check(&reply, &mut Counters::default())
    };
    assert_eq!(one("a", Some((Empty, 1, 0))), Ok(()));
    assert_eq!(one("b", None), Ok(()));
    complains(one("a", Some((CompleteAbort, 1, 0))), "are described as");
    complains(one("a", Some((Empty, 2, 0))), "are described as");
    complains(one("a", None), "are described as");
    complains(one("b", Some((Empty, 1, 0))), "are described as");
    let all = |ids: &[&str]| {
        let listed = |id: &&str| ListedTransaction {
            transactional_id: Arc::from(*id),
            producer_id: ProducerId(1),
            state: Empty,
        };
        let reply = Ok(Answered::Listed(ids.iter().map(listed).collect()));
        let expected = ExpectedTransactions::of(&states, &Ask::ListTransactions);
        expected.check(&reply, &mut Counters::default())
    };
    assert_eq!(all(&["a"]), Ok(()));
    complains(all(&[]), "are described as");
    complains(all(&["a", "b"]), "are described as");
}

#[test]
fn producers_are_described_with_the_transactions_that_are_open() {
    let mut checker = OpenTransactions::default();
    checker.take(&written(1, 0, 0)).unwrap();
    let described = checker.check_described(&[], &mut Counters::default());
    complains(described, "are described as {}");
}
