use bytes::{BufMut, BytesMut};
use kafka_protocol::messages as theirs;
use kafka_protocol::messages::fetch_request as other;
use kafka_protocol::protocol::{Decodable, Encodable};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn text() -> impl Strategy<Value = StrBytes> {
    "[a-zé.-]{0,20}".prop_map(StrBytes::from_string)
}

fn requests() -> impl Strategy<Value = theirs::FetchRequest> {
    let partition = (any::<[i32; 4]>(), any::<[i64; 3]>(), any::<u128>());
    let partition = partition.prop_map(|(small, large, directory)| {
        other::FetchPartition::default()
            .with_partition(small[0])
            .with_current_leader_epoch(small[1])
            .with_fetch_offset(large[0])
            .with_last_fetched_epoch(small[2])
            .with_log_start_offset(large[1])
            .with_partition_max_bytes(small[3])
            .with_replica_directory_id(Uuid::from_u128(directory))
            .with_high_watermark(large[2])
    });
    let topic = (text(), any::<u128>(), prop::collection::vec(partition, 0..4)).prop_map(
        |(name, id, partitions)| {
            other::FetchTopic::default()
                .with_topic(name.into())
                .with_topic_id(Uuid::from_u128(id))
                .with_partitions(partitions)
        },
    );
    let forgotten =
        (text(), any::<u128>(), any::<Vec<i32>>()).prop_map(|(name, id, partitions)| {
            other::ForgottenTopic::default()
                .with_topic(name.into())
                .with_topic_id(Uuid::from_u128(id))
                .with_partitions(partitions)
        });
    (
        (prop::option::of(text()), any::<[i32; 6]>(), any::<i64>(), any::<i8>()),
        prop::collection::vec(topic, 0..4),
        prop::collection::vec(forgotten, 0..3),
        text(),
    )
        .prop_map(|((cluster_id, numbers, epoch, isolation), topics, forgotten, rack)| {
            theirs::FetchRequest::default()
                .with_cluster_id(cluster_id)
                .with_replica_id(numbers[0].into())
                .with_replica_state(
                    other::ReplicaState::default()
                        .with_replica_id(numbers[0].into())
                        .with_replica_epoch(epoch),
                )
                .with_max_wait_ms(numbers[1])
                .with_min_bytes(numbers[2])
                .with_max_bytes(numbers[3])
                .with_isolation_level(isolation)
                .with_session_id(numbers[4])
                .with_session_epoch(numbers[5])
                .with_topics(topics)
                .with_forgotten_topics_data(forgotten)
                .with_rack_id(rack)
        })
}

/// Takes away what `version` does not have: the other codec refuses to drop some fields.
fn reduced(mut request: theirs::FetchRequest, version: i16) -> theirs::FetchRequest {
    if version < 12 {
        request.cluster_id = None;
    }
    if version < 15 {
        request.replica_state = other::ReplicaState::default();
    } else {
        request.replica_id = (-1).into();
    }
    if version < 7 {
        request.session_id = 0;
        request.session_epoch = -1;
        request.forgotten_topics_data.clear();
    }
    if version < 11 {
        request.rack_id = StrBytes::default();
    }
    for topic in &mut request.topics {
        reduce_topic(&mut topic.topic, &mut topic.topic_id, version);
        for partition in &mut topic.partitions {
            reduce_partition(partition, version);
        }
    }
    for topic in &mut request.forgotten_topics_data {
        reduce_topic(&mut topic.topic, &mut topic.topic_id, version);
    }
    request
}

fn reduce_topic(name: &mut theirs::TopicName, id: &mut Uuid, version: i16) {
    if version < 13 {
        *id = Uuid::nil();
    } else {
        *name = theirs::TopicName::default();
    }
}

fn reduce_partition(partition: &mut other::FetchPartition, version: i16) {
    if version < 9 {
        partition.current_leader_epoch = -1;
    }
    if version < 12 {
        partition.last_fetched_epoch = -1;
    }
    if version < 5 {
        partition.log_start_offset = -1;
    }
    if version < 17 {
        partition.replica_directory_id = Uuid::nil();
    }
    if version < 18 {
        partition.high_watermark = i64::MAX;
    }
}

/// The reduced request as ours should read it.
fn expected(request: &theirs::FetchRequest, version: i16) -> FetchRequest {
    let partition = |partition: &other::FetchPartition| FetchPartition {
        index: PartitionId(partition.partition),
        current_leader_epoch: LeaderEpoch(partition.current_leader_epoch),
        fetch_offset: Offset(partition.fetch_offset),
        last_fetched_epoch: LeaderEpoch(partition.last_fetched_epoch),
        log_start_offset: Offset(partition.log_start_offset),
        max_bytes: partition.partition_max_bytes,
        replica_directory_id: DirectoryId(partition.replica_directory_id),
        high_watermark: Offset(partition.high_watermark),
    };
    let topic = |topic: &other::FetchTopic| FetchTopic {
        name: topic.topic.0.clone(),
        id: TopicId(topic.topic_id),
        partitions: topic.partitions.iter().map(partition).collect(),
    };
    let forgotten = |topic: &other::ForgottenTopic| ForgottenTopic {
        name: topic.topic.0.clone(),
        id: TopicId(topic.topic_id),
        partitions: topic.partitions.iter().copied().map(PartitionId).collect(),
    };
    let state = &request.replica_state;
    FetchRequest {
        cluster_id: request.cluster_id.clone(),
        replica_id: NodeId(if version < 15 { request.replica_id.0 } else { state.replica_id.0 }),
        replica_epoch: BrokerEpoch(state.replica_epoch),
        max_wait_ms: request.max_wait_ms,
        min_bytes: request.min_bytes,
        max_bytes: request.max_bytes,
        isolation_level: request.isolation_level,
        session_id: request.session_id,
        session_epoch: request.session_epoch,
        topics: request.topics.iter().map(topic).collect(),
        forgotten: request.forgotten_topics_data.iter().map(forgotten).collect(),
        rack_id: request.rack_id.clone(),
    }
}

fn encoded(request: &theirs::FetchRequest, version: i16) -> Bytes {
    let mut bytes = BytesMut::new();
    request.encode(&mut bytes, version).unwrap();
    bytes.freeze()
}

proptest! {
    #[test]
    fn requests_of_the_other_codec_are_read(request in requests()) {
        for version in FETCH_VERSIONS {
            let request = reduced(request.clone(), version);
            let body = encoded(&request, version);
            let read = FetchRequest::parse(version, body.clone()).unwrap();
            prop_assert_eq!(&read, &expected(&request, version), "version {}", version);
            for length in 0..body.len() {
                prop_assert!(FetchRequest::parse(version, body.slice(..length)).is_err());
            }
        }
    }

    #[test]
    fn any_bytes_are_answered_without_a_panic(body: Vec<u8>, version in 4_i16..=18) {
        let mut body = Bytes::from(body);
        if FetchRequest::parse(version, body.clone()).is_ok() {
            prop_assert!(theirs::FetchRequest::decode(&mut body, version).is_ok());
        }
    }
}

#[test]
fn a_consumer_of_one_partition_costs_no_allocation() {
    let request = theirs::FetchRequest::default().with_topics(vec![
        other::FetchTopic::default().with_partitions(vec![other::FetchPartition::default()]),
    ]);
    let read = FetchRequest::parse(18, encoded(&request, 18)).unwrap();
    assert!(!read.topics.spilled() && !read.topics[0].partitions.spilled());
    assert!(read.forgotten.is_empty() && !read.forgotten.spilled());
    assert_eq!((read.replica_id, read.replica_epoch), (NodeId::NONE, BrokerEpoch::UNKNOWN));
}

#[test]
fn counts_that_lie_are_refused_before_anything_is_allocated() {
    let with_topics = |count: i32| {
        let mut body = BytesMut::new();
        body.put_slice(&[0; 16]);
        body.put_i8(0);
        body.put_i32(count);
        body.put_slice(&[0; 6]);
        FetchRequest::parse(4, body.freeze())
    };
    assert!(with_topics(1).is_ok());
    assert_eq!(with_topics(2).unwrap_err(), Malformed::Elements);
    assert_eq!(with_topics(i32::MAX).unwrap_err(), Malformed::Elements);
    assert_eq!(with_topics(-1).unwrap_err(), Malformed::Null);
    assert_eq!(with_topics(i32::MIN).unwrap_err(), Malformed::Length);
    for version in [3, 19] {
        let refused = FetchRequest::parse(version, Bytes::new());
        assert_eq!(refused.unwrap_err(), Malformed::Version(version));
    }
}

#[test]
fn a_known_tag_must_have_the_length_it_says() {
    let body = |length: u8, state: &[u8]| {
        let empty = encoded(&theirs::FetchRequest::default(), 15);
        let tags = [&[1, 1, length], state].concat();
        Bytes::from([&empty[..empty.len() - 1], &tags].concat())
    };
    let state = [0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 9, 0];
    let read = FetchRequest::parse(15, body(13, &state)).unwrap();
    assert_eq!((read.replica_id, read.replica_epoch), (NodeId(7), BrokerEpoch(9)));
    assert_eq!(FetchRequest::parse(15, body(12, &state)).unwrap_err(), Malformed::Cut);
    let longer = [&state[..], &[0]].concat();
    assert_eq!(FetchRequest::parse(15, body(14, &longer)).unwrap_err(), Malformed::Tag);
}

/// Kafka refuses a longer one though the flexible form could say it.
#[test]
fn a_text_is_as_long_as_kafka_lets_it_be() {
    let with_rack = |length: usize| {
        let rack = StrBytes::from_string("r".repeat(length));
        let request = theirs::FetchRequest::default().with_rack_id(rack);
        FetchRequest::parse(12, encoded(&request, 12)).map(|request| request.rack_id.len())
    };
    assert_eq!(with_rack(32_767), Ok(32_767));
    assert_eq!(with_rack(32_768), Err(Malformed::Length));
}
