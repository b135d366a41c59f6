use bytes::{BufMut, BytesMut};
use kafka_protocol::messages as theirs;
use kafka_protocol::protocol::{Decodable, Encodable};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::types::epoch::LeaderEpoch;
use crate::types::ids::NodeId;
use crate::wire::reply::Chunk;

fn text() -> impl Strategy<Value = StrBytes> {
    "[a-zé.-]{0,20}".prop_map(StrBytes::from_string)
}

fn requests() -> impl Strategy<Value = theirs::ProduceRequest> {
    use theirs::produce_request::{PartitionProduceData, TopicProduceData};
    let partition = (any::<i32>(), any::<Option<Vec<u8>>>()).prop_map(|(index, records)| {
        PartitionProduceData::default().with_index(index).with_records(records.map(Bytes::from))
    });
    let topic = (text(), any::<u128>(), prop::collection::vec(partition, 0..4)).prop_map(
        |(name, id, partitions)| {
            TopicProduceData::default()
                .with_name(name.into())
                .with_topic_id(Uuid::from_u128(id))
                .with_partition_data(partitions)
        },
    );
    let topics = prop::collection::vec(topic, 0..4);
    (prop::option::of(text()), any::<i16>(), any::<i32>(), topics).prop_map(
        |(id, acks, timeout_ms, topics)| {
            theirs::ProduceRequest::default()
                .with_transactional_id(id.map(Into::into))
                .with_acks(acks)
                .with_timeout_ms(timeout_ms)
                .with_topic_data(topics)
        },
    )
}

/// What the other codec encoded at `version`, as ours should read it.
fn expected(request: &theirs::ProduceRequest, version: i16) -> ProduceRequest {
    let by_id = version >= 13;
    let topic = |topic: &theirs::produce_request::TopicProduceData| ProduceTopic {
        name: if by_id { StrBytes::default() } else { topic.name.0.clone() },
        id: if by_id { TopicId(topic.topic_id) } else { TopicId::ZERO },
        partitions: topic
            .partition_data
            .iter()
            .map(|partition| ProducePartition {
                index: PartitionId(partition.index),
                records: partition.records.clone(),
            })
            .collect(),
    };
    ProduceRequest {
        transactional_id: request.transactional_id.as_ref().map(|id| id.0.clone()),
        acks: request.acks,
        timeout_ms: request.timeout_ms,
        topics: request.topic_data.iter().map(topic).collect(),
    }
}

fn encoded(mut request: theirs::ProduceRequest, version: i16) -> Bytes {
    for topic in &mut request.topic_data {
        // The other codec refuses to drop a field which the version lacks.
        if version >= 13 {
            topic.name = theirs::TopicName::default();
        } else {
            topic.topic_id = Uuid::nil();
        }
    }
    let mut bytes = BytesMut::new();
    request.encode(&mut bytes, version).unwrap();
    bytes.freeze()
}

fn replies() -> impl Strategy<Value = ProduceReply> {
    let message = prop::option::of("[a-zé ]{0,30}");
    let fault = (any::<i32>(), message.clone())
        .prop_map(|(batch_index, message)| RecordFault { batch_index, message });
    let leader = (0..9, 0..99).prop_map(|(id, epoch)| CurrentLeader {
        leader_id: NodeId(id),
        leader_epoch: LeaderEpoch(epoch),
    });
    let code = (0..ErrorCode::ALL.len()).prop_map(|index| ErrorCode::ALL[index]);
    let partition = (
        (any::<i32>(), code),
        any::<[i64; 3]>(),
        prop::collection::vec(fault, 0..3),
        message,
        prop::option::of(leader),
    );
    let partition =
        partition.prop_map(|((index, error), numbers, record_errors, message, leader)| {
            ProducePartitionReply {
                index: PartitionId(index),
                error,
                base_offset: Offset(numbers[0]),
                log_append_time: Timestamp(numbers[1]),
                log_start_offset: Offset(numbers[2]),
                record_errors,
                error_message: message,
                current_leader: leader,
            }
        });
    let topic = (text(), any::<u128>(), prop::collection::vec(partition, 0..4)).prop_map(
        |(name, id, partitions)| ProduceTopicReply {
            name,
            id: TopicId(Uuid::from_u128(id)),
            partitions: partitions.into(),
        },
    );
    let endpoint = (0..9, "[a-z]{0,9}", any::<i32>(), prop::option::of("[a-z]{0,9}"));
    let endpoint = endpoint.prop_map(|(id, host, port, rack)| NodeEndpoint {
        node_id: NodeId(id),
        host,
        port,
        rack,
    });
    let topics = prop::collection::vec(topic, 0..4);
    (topics, any::<i32>(), prop::collection::vec(endpoint, 0..3)).prop_map(
        |(topics, throttle_time_ms, node_endpoints)| ProduceReply {
            topics: topics.into(),
            throttle_time_ms,
            node_endpoints,
        },
    )
}

/// The same answer for the other codec, with only what `version` has.
fn theirs_of(reply: &ProduceReply, version: i16) -> theirs::ProduceResponse {
    use theirs::produce_response as other;
    let fault = |fault: &RecordFault| {
        other::BatchIndexAndErrorMessage::default()
            .with_batch_index(fault.batch_index)
            .with_batch_index_error_message(fault.message.clone().map(StrBytes::from_string))
    };
    let partition = |partition: &ProducePartitionReply| {
        let mut out = other::PartitionProduceResponse::default()
            .with_index(partition.index.0)
            .with_error_code(partition.error as i16)
            .with_base_offset(partition.base_offset.0)
            .with_log_append_time_ms(partition.log_append_time.0);
        if version >= 5 {
            out.log_start_offset = partition.log_start_offset.0;
        }
        if version >= 8 {
            out.record_errors = partition.record_errors.iter().map(fault).collect();
            out.error_message = partition.error_message.clone().map(StrBytes::from_string);
        }
        if let Some(leader) = partition.current_leader.filter(|_| version >= 10) {
            out.current_leader = other::LeaderIdAndEpoch::default()
                .with_leader_id(leader.leader_id.0.into())
                .with_leader_epoch(leader.leader_epoch.0);
        }
        out
    };
    let topic = |topic: &ProduceTopicReply| {
        let mut out = other::TopicProduceResponse::default()
            .with_partition_responses(topic.partitions.iter().map(partition).collect());
        if version >= 13 {
            out.topic_id = topic.id.0;
        } else {
            out.name = topic.name.clone().into();
        }
        out
    };
    let mut out = theirs::ProduceResponse::default()
        .with_throttle_time_ms(reply.throttle_time_ms)
        .with_responses(reply.topics.iter().map(topic).collect());
    if version >= 10 {
        let endpoint = |endpoint: &NodeEndpoint| {
            other::NodeEndpoint::default()
                .with_node_id(endpoint.node_id.0.into())
                .with_host(StrBytes::from_string(endpoint.host.clone()))
                .with_port(endpoint.port)
                .with_rack(endpoint.rack.clone().map(StrBytes::from_string))
        };
        out.node_endpoints = reply.node_endpoints.iter().map(endpoint).collect();
    }
    out
}

fn all_bytes(reply: &Reply) -> Vec<u8> {
    let piece = |chunk: &Chunk| match chunk {
        Chunk::Bytes(bytes) => bytes.to_vec(),
        Chunk::File(_) => unreachable!("no file here"),
    };
    reply.chunks.iter().flat_map(piece).collect()
}

proptest! {
    #[test]
    fn requests_of_the_other_codec_are_read(request in requests()) {
        for version in PRODUCE_VERSIONS {
            let body = encoded(request.clone(), version);
            let read = ProduceRequest::parse(version, body.clone()).unwrap();
            prop_assert_eq!(&read, &expected(&request, version), "version {}", version);
            // Trailing bytes are Kafka's to ignore, and missing ones never are.
            let longer = Bytes::from([&body[..], &[1, 2, 3]].concat());
            prop_assert_eq!(ProduceRequest::parse(version, longer).unwrap(), read);
            for length in 0..body.len() {
                prop_assert!(ProduceRequest::parse(version, body.slice(..length)).is_err());
            }
        }
    }

    #[test]
    fn answers_are_those_of_the_other_codec(reply in replies(), id: i32) {
        for version in PRODUCE_VERSIONS {
            let bytes = all_bytes(&encode_produce_reply(version, id, &reply));
            let mut expected = BytesMut::new();
            expected.put_i32(0);
            expected.put_i32(id);
            if version >= 9 {
                expected.put_u8(0);
            }
            theirs_of(&reply, version).encode(&mut expected, version).unwrap();
            let length = expected.len() as i32 - 4;
            expected[..4].copy_from_slice(&length.to_be_bytes());
            prop_assert_eq!(&bytes[..], &expected[..], "version {}", version);
        }
    }

    #[test]
    fn any_bytes_are_answered_without_a_panic(body: Vec<u8>, version in 3_i16..=13) {
        let body = Bytes::from(body);
        if ProduceRequest::parse(version, body.clone()).is_ok() {
            let mut body = body;
            // What ours takes, the other takes; it is laxer with the lengths of tags.
            prop_assert!(theirs::ProduceRequest::decode(&mut body, version).is_ok());
        }
    }
}

#[test]
fn records_are_slices_of_the_frame() {
    let records = Bytes::from(vec![7; 1000]);
    let request = theirs::ProduceRequest::default().with_topic_data(vec![
        theirs::produce_request::TopicProduceData::default()
            .with_name(StrBytes::from_static_str("t").into())
            .with_partition_data(vec![
                theirs::produce_request::PartitionProduceData::default()
                    .with_records(Some(records.clone())),
            ]),
    ]);
    let body = encoded(request, 9);
    let frame = body.as_ptr_range();
    let read = ProduceRequest::parse(9, body).unwrap();
    assert!(!read.topics.spilled() && !read.topics[0].partitions.spilled());
    let slice = read.topics[0].partitions[0].records.as_ref().unwrap();
    assert_eq!(slice, &records);
    assert!(frame.contains(&slice.as_ptr()));
}

#[test]
fn counts_and_lengths_that_lie_are_refused() {
    let old = |count: i32| {
        // No transactional id, acks, timeout, the count of topics.
        let body = [&[0xff, 0xff, 0, 1, 0, 0, 0, 9][..], &count.to_be_bytes(), &[0; 6]].concat();
        ProduceRequest::parse(3, body.into()).unwrap_err()
    };
    assert_eq!(old(i32::MAX), Malformed::Elements);
    assert_eq!(old(2), Malformed::Elements);
    assert_eq!(old(-1), Malformed::Null);
    assert_eq!(old(-2), Malformed::Length);
    let flexible = |count: &[u8]| {
        let body = [&[0, 0, 1, 0, 0, 0, 9][..], count, &[1, 1, 0, 0]].concat();
        ProduceRequest::parse(9, body.into())
    };
    assert!(flexible(&[2]).is_ok());
    assert_eq!(flexible(&[0]).unwrap_err(), Malformed::Null);
    assert_eq!(flexible(&[3]).unwrap_err(), Malformed::Elements);
    assert_eq!(flexible(&[0xff, 0xff, 0xff, 0xff, 7]).unwrap_err(), Malformed::Elements);
    assert_eq!(flexible(&[0xff, 0xff, 0xff, 0xff, 15]).unwrap_err(), Malformed::Length);
    assert_eq!(flexible(&[0xff; 5]).unwrap_err(), Malformed::Cut);
    for version in [2, 14] {
        let refused = ProduceRequest::parse(version, Bytes::new());
        assert_eq!(refused.unwrap_err(), Malformed::Version(version));
    }
}

#[test]
fn more_elements_than_any_client_sends_are_refused_although_they_fit() {
    let topics = crate::wire::fields::REQUEST_MAX_ELEMENTS + 1;
    let mut body = vec![0xff, 0xff, 0, 1, 0, 0, 0, 9];
    body.extend_from_slice(&(topics as i32).to_be_bytes());
    body.resize(body.len() + topics * 6, 0);
    assert_eq!(ProduceRequest::parse(3, body.into()).unwrap_err(), Malformed::Elements);
}
