//! The image as clients of one listener see it.

use kafka_protocol::messages::BrokerId;

use crate::kernel::metadata::image::{
    BrokerRegistration, Image, ListenerEndpoint, PartitionRegistration,
};
use crate::types::ids::{DirectoryId, NodeId};

/// What a field for permitted operations says when nobody asked.
pub const OPERATIONS_NOT_ASKED: i32 = i32::MIN;

/// The topics that belong to coordinators.
const INTERNAL_TOPICS: [&str; 3] =
    ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// Whether clients are told that the topic is internal.
pub fn is_internal(topic: &str) -> bool {
    INTERNAL_TOPICS.contains(&topic)
}

/// An image and the listener that a request came through: answers name the endpoints of just this one.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The metadata.
    pub image: &'a Image,
    /// The name of the listener.
    pub listener: &'a str,
}

impl<'a> View<'a> {
    /// The brokers that have the listener, in the order of their ids.
    pub fn nodes(self) -> impl Iterator<Item = (&'a BrokerRegistration, &'a ListenerEndpoint)> {
        let image = self.image;
        image.brokers.values().filter_map(move |broker| {
            let endpoint = broker.listener(self.listener)?;
            Some((broker.as_ref(), endpoint))
        })
    }

    /// The broker that answers name as the controller. Kafka draws one of those that are alive, since each of them
    /// passes on what the controller must do; here it is this one, if clients are told of it.
    pub fn controller(self, this: NodeId) -> NodeId {
        let other = || self.image.live_brokers().next().map_or(NodeId::NONE, |broker| broker.id);
        if self.image.is_live(this) { this } else { other() }
    }

    /// Whether the broker is registered and has the listener.
    pub fn has_listener(self, id: NodeId) -> bool {
        self.image.brokers.get(&id).is_some_and(|broker| broker.listener(self.listener).is_some())
    }

    /// Whether clients can reach the broker.
    pub fn is_reachable(self, id: NodeId) -> bool {
        self.image.is_live(id) && self.has_listener(id)
    }

    /// The replicas that clients cannot reach, or whose directory has failed (KIP-112, KIP-858).
    pub fn offline_replicas(self, partition: &PartitionRegistration) -> Vec<BrokerId> {
        let replicas = partition.replicas.iter().zip(&partition.directories);
        let offline = replicas.filter(|&(&id, &directory)| {
            let broker = self.image.brokers.get(&id);
            !broker.is_some_and(|broker| is_online(broker, directory)) || !self.is_reachable(id)
        });
        offline.map(|(id, _)| BrokerId(id.0)).collect()
    }
}

/// A broker that registered without its directories cannot say that one of them has failed.
fn is_online(broker: &BrokerRegistration, directory: DirectoryId) -> bool {
    match directory {
        DirectoryId::UNASSIGNED | DirectoryId::MIGRATING => true,
        DirectoryId::LOST => false,
        _ => broker.log_dirs.is_empty() || broker.log_dirs.contains(&directory),
    }
}

/// Ids for an answer.
pub fn ids(nodes: &[NodeId]) -> Vec<BrokerId> {
    nodes.iter().map(|node| BrokerId(node.0)).collect()
}

#[cfg(test)]
pub mod tests {
    //! A cluster for the tests of this folder.

    use uuid::Uuid;

    use super::*;
    use crate::kernel::metadata::delta::Delta;
    use crate::wire::records::brokers::BrokerEndpoint;
    use crate::wire::records::{
        MetadataRecord, PartitionRecord, RegisterBrokerRecord, TopicRecord,
    };

    pub const DIRECTORY: Uuid = Uuid::from_u128(0xd1);

    pub fn topic_id(name: &str) -> Uuid {
        name.bytes().fold(Uuid::from_u128(1 << 64), |id, byte| {
            Uuid::from_u128((id.as_u128() << 8) | u128::from(byte))
        })
    }

    /// Listens at `host<id>:<9000 + id>` under each of these names.
    pub fn broker(id: i32, listeners: &[&str], fenced: bool) -> MetadataRecord {
        let end_point = |name: &&str| BrokerEndpoint {
            name: (*name).to_owned(),
            host: format!("host{id}"),
            port: 9000 + id as u16,
            security_protocol: 0,
        };
        RegisterBrokerRecord {
            broker_id: id,
            end_points: listeners.iter().map(end_point).collect(),
            rack: (id == 1).then(|| "r1".to_owned()),
            fenced,
            log_dirs: vec![DIRECTORY],
            ..RegisterBrokerRecord::default()
        }
        .into()
    }

    pub fn topic(name: &str) -> MetadataRecord {
        TopicRecord { name: name.to_owned(), topic_id: topic_id(name) }.into()
    }

    pub fn partition(topic: &str, index: i32, leader: i32, replicas: &[i32]) -> PartitionRecord {
        PartitionRecord {
            partition_id: index,
            topic_id: topic_id(topic),
            replicas: replicas.to_vec(),
            isr: replicas.to_vec(),
            leader,
            leader_epoch: 5,
            partition_epoch: 7,
            directories: vec![DIRECTORY; replicas.len()],
            ..PartitionRecord::default()
        }
    }

    pub fn image(records: impl IntoIterator<Item = MetadataRecord>) -> Image {
        let mut delta = Delta::new(&Image::empty());
        for record in records {
            delta.replay(&record).unwrap();
        }
        delta.image().clone()
    }

    /// Broker 1 is well, 2 has another listener, 3 is fenced; topics `a` of two partitions and `b` of one.
    pub fn cluster() -> Image {
        image([
            broker(1, &["PLAINTEXT", "OTHER"], false),
            broker(2, &["OTHER"], false),
            broker(3, &["PLAINTEXT"], true),
            topic("a"),
            partition("a", 0, 1, &[1, 2]).into(),
            partition("a", 1, 1, &[1]).into(),
            topic("b"),
            partition("b", 0, 1, &[1]).into(),
        ])
    }

    #[test]
    fn the_controller_is_a_broker_that_lives() {
        let image = cluster();
        let view = View { image: &image, listener: "PLAINTEXT" };
        for (this, expected) in [(1, 1), (2, 2), (3, 1), (9, 1)] {
            assert_eq!(view.controller(NodeId(this)), NodeId(expected), "{this}");
        }
        let image = Image::empty();
        let view = View { image: &image, listener: "PLAINTEXT" };
        assert_eq!(view.controller(NodeId(1)), NodeId::NONE);
    }

    #[test]
    fn replicas_are_offline_with_their_broker_listener_or_directory() {
        let image = cluster();
        let check = |listener: &str, directories: Vec<Uuid>, expected: &[i32]| {
            let record = PartitionRecord { directories, ..partition("c", 0, 1, &[1, 2, 3, 9]) };
            let with = [topic("c"), record.into()];
            let mut delta = Delta::new(&image);
            for record in &with {
                delta.replay(record).unwrap();
            }
            let topic = delta.image().topics.named("c").unwrap();
            let partition = &topic.partitions[&crate::types::ids::PartitionId(0)];
            let view = View { image: delta.image(), listener };
            let offline: Vec<i32> =
                view.offline_replicas(partition).iter().map(|id| id.0).collect();
            assert_eq!(offline, expected, "{listener}");
        };
        check("PLAINTEXT", vec![DIRECTORY; 4], &[2, 3, 9]);
        check("OTHER", vec![DIRECTORY; 4], &[3, 9]);
        check("OTHER", vec![DirectoryId::UNASSIGNED.0; 4], &[3, 9]);
        check("OTHER", vec![DirectoryId::LOST.0; 4], &[1, 2, 3, 9]);
        check("OTHER", vec![Uuid::from_u128(0xbad); 4], &[1, 2, 3, 9]);
    }
}
