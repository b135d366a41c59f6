//! Brokers: who is registered, and in what state.

use uuid::Uuid;

use super::notation::structure;

structure! {
    /// Where a broker or controller listens.
    BrokerEndpoint {
        /// The listener's name.
        0+ name: String;
        /// What clients connect to.
        0+ host: String;
        /// What clients connect to.
        0+ port: u16;
        /// 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
        0+ security_protocol: i16;
    }
}

structure! {
    /// The levels of a feature that a broker or controller can work with.
    BrokerFeature {
        /// Its name.
        0+ name: String;
        /// The lowest.
        0+ min_supported_version: i16;
        /// The highest.
        0+ max_supported_version: i16;
    }
}

structure! {
    /// A broker registers (type 0). Version 1 brings controlled shutdown (KIP-841), 2 the migration from ZooKeeper, 3
    /// log directories (KIP-858), 4 those that take no new partitions (KIP-1066).
    RegisterBrokerRecord {
        /// The broker.
        0+ broker_id: i32;
        /// Always false since Kafka 4.0.
        2+ is_migrating_zk_broker: bool = false;
        /// Drawn anew at each start.
        0+ incarnation_id: Uuid;
        /// The offset at which the controller took the registration.
        0+ broker_epoch: i64;
        /// Where it listens.
        0+ end_points: Vec<BrokerEndpoint>;
        /// What it can work with.
        0+ features: Vec<BrokerFeature>;
        /// Its rack.
        0+ rack: Option<String>;
        /// Whether it may not lead yet.
        0+ fenced: bool = true;
        /// Whether it is about to leave.
        1+ in_controlled_shutdown: bool = false;
    }
    tagged {
        /// Its log directories.
        3+ tag 0 log_dirs: Vec<Uuid>;
        /// Those that take no new partitions; null where it did not say.
        4+ tag 1 cordoned_log_dirs: Option<Vec<Uuid>>;
    }
}

structure! {
    /// A broker is no longer registered (type 1).
    UnregisterBrokerRecord {
        /// The broker.
        0+ broker_id: i32;
        /// Which of its registrations.
        0+ broker_epoch: i64;
    }
}

structure! {
    /// A registered broker changes (type 17).
    BrokerRegistrationChangeRecord {
        /// The broker.
        0+ broker_id: i32;
        /// Which of its registrations.
        0+ broker_epoch: i64;
    }
    tagged {
        /// −1 it is unfenced, 0 no change, 1 it is fenced.
        0+ tag 0 fenced: i8;
        /// 0 no change, 1 it is about to leave.
        1+ tag 1 in_controlled_shutdown: i8;
        /// Its directories from now on; empty for no change.
        2+ tag 2 log_dirs: Vec<Uuid>;
        /// The directories without new partitions from now on; null for no change.
        3+ tag 3 cordoned_log_dirs: Option<Vec<Uuid>>;
    }
}

impl BrokerRegistrationChangeRecord {
    /// The lowest version that carries what is said, which is the one that Kafka writes.
    pub fn needed_version(&self) -> i16 {
        if self.cordoned_log_dirs.is_some() {
            3
        } else if !self.log_dirs.is_empty() {
            2
        } else {
            i16::from(self.in_controlled_shutdown != 0)
        }
    }
}

structure! {
    /// A broker is fenced (type 7): as metadata.version 5 and before said it.
    FenceBrokerRecord {
        /// The broker.
        0+ id: i32;
        /// Which of its registrations.
        0+ epoch: i64;
    }
}

structure! {
    /// A broker is unfenced (type 8): as metadata.version 5 and before said it.
    UnfenceBrokerRecord {
        /// The broker.
        0+ id: i32;
        /// Which of its registrations.
        0+ epoch: i64;
    }
}
