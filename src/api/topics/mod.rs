//! Topics: create, delete, grow.
//!
//! All is decided by the controller; what is here speaks its versions.

pub mod create_partitions;
pub mod create_topics;
pub mod delete_topics;
mod denied;

#[cfg(test)]
mod tests;
