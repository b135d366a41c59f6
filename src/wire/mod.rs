//! Bytes to values and back: frames, record batches, records, answers. No sockets, no state.
//!
//! Nothing here trusts a length: what a peer claims is compared with the bytes that are left before
//! anything is allocated or skipped.

pub mod batch;
pub mod batch_builder;
pub mod batch_check;
pub mod compression;
pub mod coordinator_records;
pub mod fetch_reply;
pub mod fetch_request;
pub mod fields;
pub mod frame;
pub mod guard;
pub mod messages;
pub mod produce;
pub mod record_iter;
pub mod record_view;
pub mod records;
pub mod reply;
pub mod varint;
