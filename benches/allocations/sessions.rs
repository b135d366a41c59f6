//! Polls in a fetch session: what a client asked for before is neither asked for nor copied again.

use std::cell::RefCell;
use std::hint::black_box;

use kafka_protocol::protocol::StrBytes;
use ottla::internals::kernel::replica::fetch_session::{
    Begun, FetchSessions, Place, SessionPartitions,
};
use ottla::internals::types::epoch::{BrokerEpoch, LeaderEpoch};
use ottla::internals::types::error_code::ErrorCode;
use ottla::internals::types::ids::{DirectoryId, NodeId, PartitionId, TopicId};
use ottla::internals::types::offset::Offset;
use ottla::internals::types::time::Mono;
use ottla::internals::wire::fetch_reply::FetchPartitionReply;
use ottla::internals::wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use uuid::Uuid;

use crate::rows::{Row, row};

const VERSION: i16 = 16;

/// Every row.
pub fn rows() -> Vec<Row> {
    vec![
        row("a poll in a session of 1 partition", 0, poll(1)),
        row("a poll in a session of 1000 partitions", 0, poll(1000)),
    ]
}

fn request(count: i32) -> FetchRequest {
    let asked = |index: i32| FetchPartition {
        index: PartitionId(index),
        current_leader_epoch: LeaderEpoch::UNKNOWN,
        fetch_offset: Offset(0),
        last_fetched_epoch: LeaderEpoch::UNKNOWN,
        log_start_offset: Offset::UNKNOWN,
        max_bytes: 1 << 20,
        replica_directory_id: DirectoryId::default(),
        high_watermark: Offset(i64::MAX),
    };
    let topic = FetchTopic {
        name: StrBytes::default(),
        id: TopicId(Uuid::from_u128(7)),
        partitions: (0..count).map(asked).collect(),
    };
    FetchRequest {
        cluster_id: None,
        replica_id: NodeId::NONE,
        replica_epoch: BrokerEpoch::UNKNOWN,
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: 1 << 20,
        isolation_level: 0,
        session_id: 0,
        session_epoch: 0,
        topics: [topic].into_iter().collect(),
        forgotten: [].into_iter().collect(),
        rack_id: StrBytes::default(),
    }
}

/// One poll after the other: the first partition was read on, and all are looked at for news.
fn poll(count: i32) -> impl Fn() {
    let mut sessions = FetchSessions::new(1000);
    let mut first = request(count);
    let mut partitions = SessionPartitions::default();
    partitions.want(&first.topics);
    let places: Vec<Place> = partitions.iter().map(|(place, _)| place).collect();
    first.session_id = sessions.start(Mono::default(), false, true, partitions, || 10);
    for topic in &mut first.topics {
        topic.partitions.truncate(1);
    }
    let state = RefCell::new((sessions, first));
    let answer = FetchPartitionReply::failed(PartitionId(0), ErrorCode::None);
    move || {
        let (sessions, request) = &mut *state.borrow_mut();
        request.session_epoch += 1;
        let Begun::Incremental(mut session) = sessions.begin(Mono::default(), VERSION, request)
        else {
            panic!("the session is gone");
        };
        let news = places.iter().filter(|place| session.is_news(**place, &answer));
        black_box(news.count());
        sessions.give_back(session);
    }
}
