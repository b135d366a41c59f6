//! An administrator: looks at groups, transactions and producers, deletes offsets, and groups that nobody uses.

use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::{GroupId, OffsetDeleteRequest, TopicName as WireTopicName};

use super::{Desk, Line};
use crate::kernel::groups::requests::owned;
use crate::sim::asks::{Answer, Ask};
use crate::sim::topics::{FIRST_OF_CLIENTS, NAMES};

/// The groups that there may be.
pub const GROUPS: [&str; 5] = ["g0", "g1", "s0", "t0", "t1"];
/// The transactional ids that there may be.
const TRANSACTIONAL_IDS: [&str; 4] = ["tx0", "tx1", "tx2", "tx3"];

/// See the module.
#[derive(Default)]
pub struct Administrator {
    line: Line,
}

impl Administrator {
    /// It has something to do. What it changes it changes before all is to come to rest.
    pub fn on_wake(&mut self, desk: &mut Desk<'_>) {
        if self.line.is_waiting(desk) {
            return;
        }
        let pause = desk.chance.between(500, 5_000);
        let group = (*desk.chance.pick(&GROUPS).unwrap_or(&"s0")).to_owned();
        let topic = FIRST_OF_CLIENTS + desk.chance.below(2) as usize;
        let place = (topic, desk.chance.below(2) as i32);
        let ask = match desk.chance.below(10) {
            0 if !desk.is_healed => Ask::DeleteGroup(group),
            0..=1 if !desk.is_healed => Ask::DeleteOffsets(Box::new(delete(&group, topic))),
            0..=3 => Ask::DescribeGroup(group),
            4..=5 => Ask::DescribeConsumerGroup(group),
            6 => Ask::ListTransactions,
            7..=8 => {
                let id = desk.chance.pick(&TRANSACTIONAL_IDS).unwrap_or(&"tx0");
                Ask::DescribeTransaction((*id).to_owned())
            }
            _ => Ask::DescribeProducers(place),
        };
        self.line.ask(desk, ask, pause);
    }

    /// It is answered.
    pub fn on_answer(&mut self, number: u64, _answer: Answer) {
        self.line.takes(number);
    }
}

/// All offsets of a topic.
fn delete(group: &str, topic: usize) -> OffsetDeleteRequest {
    let partition = |at| OffsetDeleteRequestPartition::default().with_partition_index(at);
    let topic = OffsetDeleteRequestTopic::default()
        .with_name(WireTopicName(owned(NAMES[topic])))
        .with_partitions((0..2).map(partition).collect());
    OffsetDeleteRequest::default().with_group_id(GroupId(owned(group))).with_topics(vec![topic])
}
