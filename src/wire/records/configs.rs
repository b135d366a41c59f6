//! Configuration, feature levels and blocks of producer ids.

use super::notation::structure;

structure! {
    /// A value is set for a resource, or is no longer (type 4).
    ConfigRecord {
        /// 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group.
        0+ resource_type: i8;
        /// Its name; empty for all brokers.
        0+ resource_name: String;
        /// The key.
        0+ name: String;
        /// The value; null removes it.
        0+ value: Option<String>;
    }
}

structure! {
    /// A feature is finalised at a level (type 12, KIP-584).
    FeatureLevelRecord {
        /// The feature.
        0+ name: String;
        /// The level; 0 for none.
        0+ feature_level: i16;
    }
}

structure! {
    /// A block of producer ids is given to a broker (type 15, KIP-730).
    ProducerIdsRecord {
        /// The broker.
        0+ broker_id: i32;
        /// Which of its registrations.
        0+ broker_epoch: i64 = -1;
        /// The first id after the block.
        0+ next_producer_id: i64;
    }
}

structure! {
    /// The migration from ZooKeeper advances (type 21). Written by Kafka 3 only; it changes nothing here.
    ZkMigrationStateRecord {
        /// 0 none, 1 pre-migration, 2 migration, 3 post-migration, 4 pre-migration of a later attempt.
        0+ zk_migration_state: i8;
    }
}
