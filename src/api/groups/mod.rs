//! Groups and their committed offsets; and where coordinators are found, those of transactions too.

pub mod find_coordinator;
