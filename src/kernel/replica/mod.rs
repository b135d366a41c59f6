//! A partition as a replica: leader epoch, high watermark, those who wait, fetch sessions.

pub mod fetch_session;
pub mod leadership;
pub mod waiters;
