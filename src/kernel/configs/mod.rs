//! Configuration as Kafka knows it: the table of keys, parsing and validation of values, what a node
//! and a topic act on, and how each value is described.
//!
//! - [`definition`]: one key: type, default, valid values, importance, how it can change; [`tables`]
//!   holds all of Kafka 4.3.1's, listed also where the feature behind them does not exist yet.
//! - [`value`]: text to typed values with Kafka's own messages.
//! - [`broker`], [`listeners`]: the typed configuration of a node, from the keys that were set.
//! - [`topic`]: the typed configuration of a topic: its overrides over the broker's layers.
//! - [`internal_topics`]: the topics of the coordinators, and how they are made.
//! - [`group`]: what may be set for a group.
//! - [`layers`], [`describe`]: the layers a broker's values come from, and the rows of DescribeConfigs.
//! - [`alter`]: what a change request does to a resource's overrides, and whether it is allowed.
//!
//! Pure: files, environment and arguments are read in `server::config`. Every map is ordered.

pub mod alter;
pub mod broker;
pub mod definition;

pub mod describe;
#[cfg(test)]
mod document;
pub mod group;
pub mod internal_topics;
pub mod layers;
pub mod listeners;
mod rules;
pub mod tables;
pub mod topic;
pub mod value;
