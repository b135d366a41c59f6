//! `__cluster_metadata-0` as the controller's thread sees it: what is appended, replaced and flushed, and the replay
//! of all that at a start.
//!
//! The newest snapshot and the log after it make the image. A directory that a tool or a test wrote by hand, without
//! snapshots, `quorum-state` or a record at offset 0, is as good as any. The log is recovered in full at each start,
//! as Kafka does: it is in no checkpoint file.

pub mod loader;
pub mod replayer;
pub mod store;

use std::io;

use bytes::Bytes;

use crate::kernel::raft::snapshot_id::SnapshotId;
use crate::types::offset::Offset;
use crate::types::time::{Now, Timestamp};

/// The files behind the quorum. Any error is final: what was not written must not be built upon.
pub trait MetadataStore: Send {
    /// The offset of the next record.
    fn end_offset(&self) -> Offset;

    /// Replaces `quorum-state`, durably.
    fn persist_quorum_state(&mut self, text: &str) -> io::Result<()>;

    /// Appends one whole batch, whose offsets begin at the end of the log.
    fn append(&mut self, batch: Bytes, now: Now) -> io::Result<()>;

    /// Makes everything appended so far durable.
    fn flush(&mut self) -> io::Result<()>;

    /// Whether enough was appended, or enough time has passed, since the last snapshot.
    fn is_snapshot_due(&self, now: Now) -> bool;

    /// Writes a snapshot, durably; old ones and the log before them may go then. The time is that of its last record.
    fn write_snapshot(
        &mut self,
        id: SnapshotId,
        last_contained: Timestamp,
        bytes: &[u8],
        now: Now,
    ) -> io::Result<()>;

    /// Removes what is due for removal.
    fn clean(&mut self, now: Now) -> io::Result<()>;

    /// Closes the log in order, after the last flush.
    fn close(&mut self, now: Now) -> io::Result<()>;
}
