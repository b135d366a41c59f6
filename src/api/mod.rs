//! One file per Kafka API, by family: decode, check, call a machine, encode.

pub mod cluster;
pub mod configs;
pub mod data;
pub mod topics;
