//! Controllers, which register since KIP-919.

use uuid::Uuid;

use super::brokers::{BrokerEndpoint, BrokerFeature};
use super::notation::structure;

/// Where a controller listens.
pub type ControllerEndpoint = BrokerEndpoint;
/// What a controller can work with.
pub type ControllerFeature = BrokerFeature;

structure! {
    /// A controller registers (type 27).
    RegisterControllerRecord {
        /// The controller.
        0+ controller_id: i32;
        /// Drawn anew at each start.
        0+ incarnation_id: Uuid;
        /// Always false since Kafka 4.0.
        0+ zk_migration_ready: bool;
        /// Where it listens.
        0+ end_points: Vec<ControllerEndpoint>;
        /// What it can work with.
        0+ features: Vec<ControllerFeature>;
    }
}

structure! {
    /// A controller is no longer registered (type 29, KIP-1312, since metadata.version 33).
    UnregisterControllerRecord {
        /// The controller.
        0+ controller_id: i32;
    }
}
