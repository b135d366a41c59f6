//! One file per Kafka API, by family: decode, check, call a machine, encode.

pub mod access;
pub mod acls;
pub mod answer;
pub mod api_versions;
pub mod cluster;
pub mod codec;
pub mod configs;
pub mod context;
pub mod coordinators;
pub mod data;
pub mod dispatch;
pub mod forward;
pub mod groups;
#[cfg(test)]
pub mod harness;
pub mod table;
pub mod topics;
pub mod txns;
