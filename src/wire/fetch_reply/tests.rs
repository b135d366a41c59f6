use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages as theirs;
use kafka_protocol::messages::fetch_response as other;
use kafka_protocol::protocol::Encodable;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::wire::reply::{FileRange, RangeSource};

/// A segment in memory.
struct Segment(Vec<u8>);

impl RangeSource for Segment {
    fn read_exact_at(&self, into: &mut [u8], position: u64) -> io::Result<()> {
        let from = position as usize;
        into.copy_from_slice(&self.0[from..from + into.len()]);
        Ok(())
    }

    fn file(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

fn file(bytes: &[u8]) -> Chunk {
    let segment = [&[0xee; 3], bytes, &[0xee; 3]].concat();
    Chunk::File(FileRange {
        source: Arc::new(Segment(segment)),
        position: 3,
        length_bytes: bytes.len() as u32,
    })
}

/// What would go over the wire.
fn written<'a>(chunks: impl IntoIterator<Item = &'a Chunk>) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in chunks {
        match chunk {
            Chunk::Bytes(bytes) => out.extend_from_slice(bytes),
            Chunk::File(range) => {
                let mut piece = vec![0; range.length_bytes as usize];
                range.source.read_exact_at(&mut piece, range.position).unwrap();
                out.extend_from_slice(&piece);
            }
        }
    }
    out
}

fn partitions() -> impl Strategy<Value = FetchPartitionReply> {
    let chunk = prop_oneof![
        any::<Vec<u8>>().prop_map(|bytes| file(&bytes)),
        any::<Vec<u8>>().prop_map(|bytes| Chunk::Bytes(bytes.into())),
    ];
    let aborted = (any::<i64>(), any::<i64>()).prop_map(|(id, offset)| AbortedTransaction {
        producer_id: ProducerId(id),
        first_offset: Offset(offset),
    });
    let at = (0..99, 0..99_i64).prop_map(|(epoch, offset)| EpochEndOffset {
        epoch: LeaderEpoch(epoch),
        end_offset: Offset(offset),
    });
    let leader = (0..9, 0..99).prop_map(|(id, epoch)| CurrentLeader {
        leader_id: NodeId(id),
        leader_epoch: LeaderEpoch(epoch),
    });
    let code = (0..ErrorCode::ALL.len()).prop_map(|index| ErrorCode::ALL[index]);
    (
        (any::<i32>(), code, any::<[i64; 3]>(), any::<i32>()),
        prop::option::of(prop::collection::vec(aborted, 0..3)),
        (prop::option::of(at.clone()), prop::option::of(leader), prop::option::of(at)),
        prop::collection::vec(chunk, 0..4),
    )
        .prop_map(|((index, error, numbers, replica), aborted, tags, records)| {
            FetchPartitionReply {
                index: PartitionId(index),
                error,
                high_watermark: Offset(numbers[0]),
                last_stable_offset: Offset(numbers[1]),
                log_start_offset: Offset(numbers[2]),
                aborted,
                diverging_epoch: tags.0,
                current_leader: tags.1,
                snapshot_id: tags.2,
                preferred_read_replica: NodeId(replica),
                records: records.into(),
            }
        })
}

fn replies() -> impl Strategy<Value = FetchReply> {
    let topic = ("[a-zé]{0,9}", any::<u128>(), prop::collection::vec(partitions(), 0..4)).prop_map(
        |(name, id, partitions)| FetchTopicReply {
            name: StrBytes::from_string(name),
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
    (any::<[i32; 2]>(), topics, prop::collection::vec(endpoint, 0..3)).prop_map(
        |(numbers, topics, node_endpoints)| FetchReply {
            throttle_time_ms: numbers[0],
            error: ErrorCode::UnknownTopicId,
            session_id: numbers[1],
            topics: topics.into(),
            node_endpoints,
        },
    )
}

/// The same partition for the other codec, with only what `version` has.
fn their_partition(partition: &FetchPartitionReply, version: i16) -> other::PartitionData {
    let aborted = |aborted: &AbortedTransaction| {
        other::AbortedTransaction::default()
            .with_producer_id(aborted.producer_id.0.into())
            .with_first_offset(aborted.first_offset.0)
    };
    let mut out = other::PartitionData::default()
        .with_partition_index(partition.index.0)
        .with_error_code(partition.error as i16)
        .with_high_watermark(partition.high_watermark.0)
        .with_last_stable_offset(partition.last_stable_offset.0)
        .with_log_start_offset(partition.log_start_offset.0)
        .with_aborted_transactions(
            partition.aborted.as_ref().map(|list| list.iter().map(aborted).collect()),
        )
        .with_records(Some(written(&partition.records).into()));
    if version >= 11 {
        out.preferred_read_replica = partition.preferred_read_replica.0.into();
    }
    if version >= 12 {
        if let Some(at) = partition.diverging_epoch {
            out.diverging_epoch = other::EpochEndOffset::default()
                .with_epoch(at.epoch.0)
                .with_end_offset(at.end_offset.0);
        }
        if let Some(leader) = partition.current_leader {
            out.current_leader = other::LeaderIdAndEpoch::default()
                .with_leader_id(leader.leader_id.0.into())
                .with_leader_epoch(leader.leader_epoch.0);
        }
        if let Some(at) = partition.snapshot_id {
            out.snapshot_id = other::SnapshotId::default()
                .with_epoch(at.epoch.0)
                .with_end_offset(at.end_offset.0);
        }
    }
    out
}

fn theirs_of(reply: &FetchReply, version: i16) -> theirs::FetchResponse {
    let topic = |topic: &FetchTopicReply| {
        let partitions = topic.partitions.iter();
        let mut out = other::FetchableTopicResponse::default()
            .with_partitions(partitions.map(|one| their_partition(one, version)).collect());
        if version >= 13 {
            out.topic_id = topic.id.0;
        } else {
            out.topic = topic.name.clone().into();
        }
        out
    };
    let mut out = theirs::FetchResponse::default()
        .with_throttle_time_ms(reply.throttle_time_ms)
        .with_responses(reply.topics.iter().map(topic).collect());
    if version >= 7 {
        out.error_code = reply.error as i16;
        out.session_id = reply.session_id;
    }
    if version >= 16 {
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

fn expected(reply: &FetchReply, version: i16, correlation_id: i32) -> Bytes {
    let mut expected = BytesMut::new();
    expected.put_i32(0);
    expected.put_i32(correlation_id);
    if version >= 12 {
        expected.put_u8(0);
    }
    theirs_of(reply, version).encode(&mut expected, version).unwrap();
    let length = expected.len() as i32 - 4;
    expected[..4].copy_from_slice(&length.to_be_bytes());
    expected.freeze()
}

proptest! {
    #[test]
    fn answers_are_those_of_the_other_codec(reply in replies(), id: i32) {
        for version in crate::wire::fetch_request::FETCH_VERSIONS {
            let ours = encode(version, id, &reply);
            let bytes = written(&ours.chunks);
            prop_assert_eq!(ours.len_bytes(), bytes.len());
            prop_assert_eq!(&bytes[..], &expected(&reply, version, id)[..], "version {}", version);
        }
    }
}

#[test]
fn files_stay_files_and_lie_between_pieces_of_one_buffer() {
    let mut partition = FetchPartitionReply::failed(PartitionId(0), ErrorCode::None);
    partition.records.push(file(b"one"));
    partition.records.push(file(b"two"));
    let topic = FetchTopicReply {
        name: StrBytes::default(),
        id: TopicId::METADATA,
        partitions: [partition].into_iter().collect(),
    };
    let reply = FetchReply { topics: [topic].into_iter().collect(), ..FetchReply::default() };
    let pieces = encode(16, 7, &reply).chunks;
    let kinds: Vec<_> = pieces.iter().map(|piece| matches!(piece, Chunk::File(_))).collect();
    assert_eq!(kinds, [false, true, true, false]);
}

#[test]
fn a_partition_without_records_has_an_empty_array_and_never_null() {
    let partition = FetchPartitionReply::failed(PartitionId(0), ErrorCode::UnknownTopicId);
    let topic = FetchTopicReply {
        name: StrBytes::from_static_str("t"),
        id: TopicId::METADATA,
        partitions: [partition].into_iter().collect(),
    };
    let reply = FetchReply { topics: [topic].into_iter().collect(), ..FetchReply::default() };
    // The array's length 0, and in the flexible form one more, then the ends of three structures.
    assert!(
        written(&encode(11, 7, &reply).chunks).ends_with(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0])
    );
    assert!(
        written(&encode(16, 7, &reply).chunks).ends_with(&[0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0])
    );
}
