//! Consumer groups of the new protocol (KIP-848).

use bytes::Bytes;
use uuid::Uuid;

use crate::wire::records::notation::structure;

structure! {
    /// Which group it is.
    ConsumerGroupMetadataKey {
        /// The group's id.
        0+ group_id: String;
    }
}

structure! {
    /// A group's epoch.
    ConsumerGroupMetadataValue {
        /// Rises with each change of the members, their subscriptions, or the topics.
        0+ epoch: i32;
    }
    tagged {
        /// A hash of the topics that are subscribed to (KIP-1101).
        0+ tag 0 metadata_hash: i64;
    }
}

structure! {
    /// Which group it is.
    ConsumerGroupPartitionMetadataKey {
        /// The group's id.
        0+ group_id: String;
    }
}

structure! {
    /// The topics that are subscribed to. Kafka 4.1 replaced it by a hash (KIP-1101).
    ConsumerGroupPartitionMetadataValue {
        /// The topics.
        0+ topics: Vec<TopicMetadata>;
    }
}

structure! {
    /// A topic that is subscribed to.
    TopicMetadata {
        /// Its id.
        0+ topic_id: Uuid;
        /// Its name.
        0+ topic_name: String;
        /// How many partitions it has.
        0+ num_partitions: i32;
        /// Where they are.
        0+ partition_metadata: Vec<PartitionMetadata>;
    }
}

structure! {
    /// The racks of a partition.
    PartitionMetadata {
        /// Its index.
        0+ partition: i32;
        /// The racks.
        0+ racks: Vec<String>;
    }
}

structure! {
    /// Which member it is.
    ConsumerGroupMemberMetadataKey {
        /// The group's id.
        0+ group_id: String;
        /// The member's id.
        0+ member_id: String;
    }
}

structure! {
    /// What a member says of itself.
    ConsumerGroupMemberMetadataValue {
        /// Its own name, if it is a static member.
        0+ instance_id: Option<String>;
        /// Its rack.
        0+ rack_id: Option<String>;
        /// The client's id.
        0+ client_id: String;
        /// The client's address.
        0+ client_host: String;
        /// The topics that it subscribes to by name.
        0+ subscribed_topic_names: Vec<String>;
        /// The regular expression for the topics that it subscribes to.
        0+ subscribed_topic_regex: Option<String>;
        /// How long it may take to give partitions back.
        0+ rebalance_timeout_ms: i32 = -1;
        /// The assignor that it asks for.
        0+ server_assignor: Option<String>;
    }
    tagged {
        /// What it needs as a member that speaks the classic protocol; null if it does not. The default is not null,
        /// as in Kafka, whose schema says null without meaning it.
        0+ tag 0 classic_member_metadata: Option<ClassicMemberMetadata> =
            Some(ClassicMemberMetadata::default());
    }
}

structure! {
    /// A member that speaks the classic protocol.
    ClassicMemberMetadata {
        /// How long it may be silent.
        0+ session_timeout_ms: i32;
        /// The protocols that it supports.
        0+ supported_protocols: Vec<ClassicProtocol>;
    }
}

structure! {
    /// A protocol of a classic member.
    ClassicProtocol {
        /// Its name.
        0+ name: String;
        /// What the member said of itself for it.
        0+ metadata: Bytes;
    }
}

structure! {
    /// Which group it is.
    ConsumerGroupTargetAssignmentMetadataKey {
        /// The group's id.
        0+ group_id: String;
    }
}

structure! {
    /// The group's epoch for which the target assignment was made.
    ConsumerGroupTargetAssignmentMetadataValue {
        /// The epoch.
        0+ assignment_epoch: i32;
    }
    tagged {
        /// When the assignment was made, in milliseconds since 1970 (KIP-1263).
        0+ tag 0 assignment_timestamp: i64;
    }
}

structure! {
    /// Which member it is.
    ConsumerGroupTargetAssignmentMemberKey {
        /// The group's id.
        0+ group_id: String;
        /// The member's id.
        0+ member_id: String;
    }
}

structure! {
    /// What a member shall have.
    ConsumerGroupTargetAssignmentMemberValue {
        /// The partitions.
        0+ topic_partitions: Vec<TopicPartition>;
    }
}

structure! {
    /// Partitions of a topic that a member shall have.
    TopicPartition {
        /// The topic's id.
        0+ topic_id: Uuid;
        /// The partitions' indices.
        0+ partitions: Vec<i32>;
    }
}

structure! {
    /// Which member it is.
    ConsumerGroupCurrentMemberAssignmentKey {
        /// The group's id.
        0+ group_id: String;
        /// The member's id.
        0+ member_id: String;
    }
}

structure! {
    /// What a member has.
    ConsumerGroupCurrentMemberAssignmentValue {
        /// The epoch that it has reached.
        0+ member_epoch: i32;
        /// The epoch before, with which it comes if the answer to its last heartbeat was lost.
        0+ previous_member_epoch: i32;
        /// Where it is on its way to the target: 0 stable, 1 gives partitions back, 2 waits for others to do so.
        0+ state: i8;
        /// The partitions that it has.
        0+ assigned_partitions: Vec<TopicPartitions>;
        /// The partitions that it must give back.
        0+ partitions_pending_revocation: Vec<TopicPartitions>;
    }
}

structure! {
    /// Partitions of a topic that a member has.
    TopicPartitions {
        /// The topic's id.
        0+ topic_id: Uuid;
        /// The partitions' indices.
        0+ partitions: Vec<i32>;
    }
    tagged {
        /// For each partition the epoch at which it was assigned; empty or null if unknown. The default is empty.
        0+ tag 0 assignment_epochs: Option<Vec<i32>> = Some(Vec::new());
    }
}

structure! {
    /// Which expression it is.
    ConsumerGroupRegularExpressionKey {
        /// The group's id.
        0+ group_id: String;
        /// The regular expression.
        0+ regular_expression: String;
    }
}

structure! {
    /// The topics that an expression matches.
    ConsumerGroupRegularExpressionValue {
        /// Their names.
        0+ topics: Vec<String>;
        /// The offset of the metadata that was looked at.
        0+ version: i64;
        /// When it was looked at, in milliseconds since 1970.
        0+ timestamp: i64;
    }
}
