//! What coordinators cost: their records, to be written and to be loaded, and a member that says it is alive.

use std::cell::RefCell;
use std::hint::black_box;
use std::net::Ipv4Addr;

use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use ottla::internals::kernel::configs::broker::BrokerConfig;
use ottla::internals::kernel::configs::layers::Texts;
use ottla::internals::kernel::groups::requests::{
    ConsumerGroupHeartbeat, GroupReply, GroupRequest,
};
use ottla::internals::kernel::groups::shard::GroupShard;
use ottla::internals::kernel::machine::{CallId, Env, Machine, OutputOf, Replayed, ShardId};
use ottla::internals::kernel::metadata::image::Image;
use ottla::internals::types::epoch::LeaderEpoch;
use ottla::internals::types::ids::PartitionId;
use ottla::internals::types::offset::Offset;
use ottla::internals::types::time::{Now, Timestamp};
use ottla::internals::wire::batch_builder::BatchBuilder;
use ottla::internals::wire::coordinator_records::groups::GroupRecord;
use ottla::internals::wire::coordinator_records::offsets::{OffsetCommitKey, OffsetCommitValue};

use crate::rows::{Row, row};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const SHARD: ShardId = ShardId { partition: PartitionId(0), leader_epoch: LeaderEpoch(0) };

/// Every row.
pub fn rows() -> Vec<Row> {
    let records: Vec<_> = (0..1000).map(commit).collect();
    vec![
        // The batch itself grows, by doubling.
        row("batch builder: 1,000 records of 100 B", 12, || {
            let mut builder = BatchBuilder::new(Offset(0));
            for _ in 0..1000 {
                builder.push(NOW, Some(b"key"), Some(&[7; 100]), &[]);
            }
            black_box(builder.build_batch());
        }),
        row("write: 1,000 committed offsets", 0, encode(records.clone())),
        row("load: 1,000 committed offsets that were known", 0, load(&records)),
        // The request, the reply, and the list that it is in.
        row("decide: a member of a consumer group is alive", 3, heartbeat()),
    ]
}

/// What a shard depends on beside itself.
struct World {
    shard: GroupShard,
    config: BrokerConfig,
    image: Image,
}

impl World {
    fn new() -> Self {
        let texts = [
            ("node.id", "1"),
            ("process.roles", "broker,controller"),
            ("controller.listener.names", "CONTROLLER"),
            ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
            ("controller.quorum.bootstrap.servers", "localhost:9093"),
        ];
        let texts = texts.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let config = BrokerConfig::new(&Texts::from(texts));
        let config = config.unwrap_or_else(|error| panic!("{error:?}"));
        let mut world = Self { shard: GroupShard::new(SHARD), config, image: Image::empty() };
        world.step(Machine::on_loaded);
        world
    }

    /// What was decided is replayed, as if it had been appended.
    fn step(
        &mut self,
        decide: impl FnOnce(&mut GroupShard, &mut Env<'_>) -> OutputOf<GroupShard>,
    ) -> Option<GroupReply> {
        let now = Now { wall: NOW, ..Now::default() };
        let mut random = || [7; 16];
        let (image, config) = (&self.image, &self.config);
        let mut env = Env { now, image, config, random: &mut random };
        let mut output = decide(&mut self.shard, &mut env);
        let at = Replayed { offset: Offset(7), transaction: None, timestamp: NOW };
        for record in output.writes.into_iter().flat_map(|write| write.records) {
            self.shard.replay(record, at);
        }
        output.replies.pop().map(|(_, reply)| reply)
    }

    /// A heartbeat, and the epoch that the member is told.
    fn beat(&mut self, request: ConsumerGroupHeartbeatRequest) -> i32 {
        let request = GroupRequest::ConsumerGroupHeartbeat(Box::new(ConsumerGroupHeartbeat {
            request,
            client_id: StrBytes::from_static_str("consumer"),
            client_address: Ipv4Addr::LOCALHOST.into(),
        }));
        let reply = self.step(|shard, env| shard.on_request(env, CallId(7), request));
        match reply {
            Some(GroupReply::ConsumerGroupHeartbeat(told)) if told.error_code == 0 => {
                told.member_epoch
            }
            reply => panic!("{reply:?}"),
        }
    }
}

fn heartbeat() -> impl Fn() {
    let text = StrBytes::from_static_str;
    let alive = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(text("consumer-group").into())
        .with_member_id(text("00000000-0000-4000-8000-000000000007"));
    let joins = alive
        .clone()
        .with_rebalance_timeout_ms(60_000)
        .with_subscribed_topic_names(Some(vec![TopicName(text("orders-by-customer"))]))
        .with_topic_partitions(Some(Vec::new()));
    let mut world = World::new();
    let epoch = world.beat(joins);
    let alive = alive.with_member_epoch(epoch);
    assert_eq!(world.beat(alive.clone()), epoch);
    let world = RefCell::new(world);
    move || {
        black_box(world.borrow_mut().beat(alive.clone()));
    }
}

fn encode(records: Vec<GroupRecord>) -> impl Fn() {
    let buffers = RefCell::new((Vec::new(), Vec::new()));
    move || {
        let (key, value) = &mut *buffers.borrow_mut();
        for record in &records {
            key.clear();
            value.clear();
            black_box(GroupShard::encode_into(record, key, value));
        }
    }
}

fn load(records: &[GroupRecord]) -> impl Fn() + use<> {
    let shard = RefCell::new(GroupShard::new(SHARD));
    let records: Vec<_> = records.iter().map(GroupRecord::encode).collect();
    let at = Replayed { offset: Offset(7), transaction: None, timestamp: NOW };
    move || {
        let mut shard = shard.borrow_mut();
        for (key, value) in &records {
            black_box(shard.load(Some(key), value.as_deref(), at).is_ok());
        }
    }
}

/// What ten groups commit for a hundred partitions.
fn commit(index: i32) -> GroupRecord {
    let key = OffsetCommitKey {
        group: format!("consumer-group-{}", index % 10),
        topic: "orders-by-customer".to_owned(),
        partition: index / 10,
    };
    let value = OffsetCommitValue {
        offset: 7,
        leader_epoch: 3,
        metadata: String::new(),
        commit_timestamp: NOW.0,
        expire_timestamp: -1,
        topic_id: uuid::Uuid::from_u128(7),
    };
    GroupRecord::OffsetCommit(key, Some(value))
}
