//! Every key of Kafka 4.3.1, as data. One file per family, each sorted by name.
//!
//! A row reads: name, type, default (`null` and `required` are words), valid values, importance, how
//! it can change, `internal` where Kafka does not show it, and its documentation in our own words.

mod broker_coordinators;
mod broker_groups;
mod broker_logs;
mod broker_network;
mod broker_quorum;
mod broker_replication;
mod broker_sasl;
mod broker_security;
mod group;
mod topic;

use super::definition::Definition;

pub use group::GROUP;
pub use topic::TOPIC;

/// The families of broker keys; a key is in exactly one.
pub const BROKER_FAMILIES: [&[Definition]; 8] = [
    broker_coordinators::BROKER_COORDINATORS,
    broker_groups::BROKER_GROUPS,
    broker_logs::BROKER_LOGS,
    broker_network::BROKER_NETWORK,
    broker_quorum::BROKER_QUORUM,
    broker_replication::BROKER_REPLICATION,
    broker_sasl::BROKER_SASL,
    broker_security::BROKER_SECURITY,
];

/// The notation of the rows; see the folder's front page.
macro_rules! definitions {
    ($table:ident: $(
        $name:literal $kind:ident $default:tt, $valid:expr, $importance:ident $update:ident
        $($internal:ident)?, $doc:literal;
    )*) => {
        /// The rows of this family, sorted by name.
        pub const $table: &[crate::kernel::configs::definition::Definition] = {
            use crate::kernel::configs::definition::{Default, Definition, Importance, Kind, Update};
            &[ $( Definition {
                name: $name,
                kind: Kind::$kind,
                default: definitions!(@default $default),
                valid: $valid,
                importance: Importance::$importance,
                update: Update::$update,
                internal: definitions!(@internal $($internal)?),
                documentation: $doc,
            }, )* ]
        };
    };
    (@default null) => { Default::Null };
    (@default required) => { Default::Required };
    (@default $text:literal) => { Default::Is($text) };
    (@internal internal) => { true };
    (@internal) => { false };
}
use definitions;
