//! Topics and their partitions.

use uuid::Uuid;

use super::notation::structure;

structure! {
    /// A topic comes to be (type 2).
    TopicRecord {
        /// Its name.
        0+ name: String;
        /// Its id.
        0+ topic_id: Uuid;
    }
}

structure! {
    /// A topic is deleted, with its partitions (type 9).
    RemoveTopicRecord {
        /// Its id.
        0+ topic_id: Uuid;
    }
}

structure! {
    /// A partition comes to be, or is said anew in full (type 3). Version 1 brings directories (KIP-858), version 2
    /// the eligible leader replicas (KIP-966).
    PartitionRecord {
        /// Its index.
        0+ partition_id: i32 = -1;
        /// Its topic.
        0+ topic_id: Uuid;
        /// Where it lies, the preferred leader first.
        0+ replicas: Vec<i32>;
        /// The in-sync replicas.
        0+ isr: Vec<i32>;
        /// Replicas that a reassignment takes away.
        0+ removing_replicas: Vec<i32>;
        /// Replicas that a reassignment brings in.
        0+ adding_replicas: Vec<i32>;
        /// The leader; −1 for none.
        0+ leader: i32 = -1;
        /// Rises with each change of the leader.
        0+ leader_epoch: i32 = -1;
        /// Rises with each change.
        0+ partition_epoch: i32 = -1;
        /// The directory of each replica.
        1+ directories: Vec<Uuid>;
    }
    tagged {
        /// 1 while the leader recovers from an unclean election (KIP-704).
        0+ tag 0 leader_recovery_state: i8 = 0;
        /// The eligible leader replicas; null for none.
        2+ tag 1 eligible_leader_replicas: Option<Vec<i32>>;
        /// The last known eligible leader replicas; null for none.
        2+ tag 2 last_known_elr: Option<Vec<i32>>;
    }
}

structure! {
    /// A partition changes (type 5): what is null or has its default stays as it is.
    PartitionChangeRecord {
        /// Its index.
        0+ partition_id: i32 = -1;
        /// Its topic.
        0+ topic_id: Uuid;
    }
    tagged {
        /// The new in-sync replicas.
        0+ tag 0 isr: Option<Vec<i32>>;
        /// The new leader; −1 for none, −2 for no change.
        0+ tag 1 leader: i32 = -2;
        /// The new replicas.
        0+ tag 2 replicas: Option<Vec<i32>>;
        /// The new replicas on their way out.
        0+ tag 3 removing_replicas: Option<Vec<i32>>;
        /// The new replicas on their way in.
        0+ tag 4 adding_replicas: Option<Vec<i32>>;
        /// 0 recovered, 1 recovering, −1 no change.
        0+ tag 5 leader_recovery_state: i8 = -1;
        /// The new eligible leader replicas.
        2+ tag 6 eligible_leader_replicas: Option<Vec<i32>>;
        /// The new last known eligible leader replicas.
        2+ tag 7 last_known_elr: Option<Vec<i32>>;
        /// The new directories.
        1+ tag 8 directories: Option<Vec<Uuid>>;
    }
}

structure! {
    /// The eligible leader replicas of a topic, or of all, are forgotten (type 28).
    ClearElrRecord {
        /// Its name; empty for all topics.
        0+ topic_name: String;
    }
}
