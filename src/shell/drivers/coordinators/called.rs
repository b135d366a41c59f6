//! What becomes of a call: an answer, or a future of one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::shell::drivers::partitions::{Isolation, Partition, Waiter};
use crate::shell::service::Answer;
use crate::types::epoch::LeaderEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::offset::Offset;

/// What a parked call is told: the reply, and up to where the log must be committed before it may leave.
pub(super) type Told<P> = Result<(P, Offset), ErrorCode>;

/// What becomes of a call. An error is the driver's own: the shard is not here, or its log failed.
#[derive(Debug)]
pub enum Called<P> {
    /// It is answered.
    Now(Result<P, ErrorCode>),
    /// It is parked, or its write waits for replicas. To drop it does no harm.
    Later(Later<P>),
}

/// See [`Called::Later`].
#[derive(Debug)]
pub struct Later<P> {
    from: From<P>,
    commit: Commit,
}

#[derive(Debug)]
enum From<P> {
    Parked(oneshot::Receiver<Told<P>>),
    Told(P, Offset),
}

/// How a write is seen to be committed.
#[derive(Clone, Debug)]
pub(super) struct Commit {
    pub partition: Arc<Partition>,
    pub leader_epoch: LeaderEpoch,
    pub timeout: Duration,
}

impl Called<()> {
    /// Something was appended to a partition up to `end`: that is told once all replicas in sync have it.
    pub(in super::super) fn appended(
        partition: Arc<Partition>,
        end: Offset,
        timeout: Duration,
    ) -> Self {
        let leader_epoch = partition.offsets().leader_epoch;
        let commit = Commit { partition, leader_epoch, timeout };
        match commit.is_there(end) {
            Ok(false) => Self::uncommitted((), end, commit),
            there => Self::Now(there.map(|_| ())),
        }
    }
}

impl<P: Send + 'static> Called<P> {
    pub(super) const fn parked(receiver: oneshot::Receiver<Told<P>>, commit: Commit) -> Self {
        Self::Later(Later { from: From::Parked(receiver), commit })
    }

    pub(super) const fn uncommitted(reply: P, end: Offset, commit: Commit) -> Self {
        Self::Later(Later { from: From::Told(reply, end), commit })
    }

    /// The answer to a request, made of the reply or of the driver's error.
    pub fn answer(
        self,
        answer: impl FnOnce(Result<P, ErrorCode>) -> Answer + Send + 'static,
    ) -> Answer {
        match self {
            Self::Now(result) => answer(result),
            Self::Later(later) => {
                Answer::Later(Box::pin(async move { answer(later.told().await) }))
            }
        }
    }

    /// The reply once it is there.
    pub async fn told(self) -> Result<P, ErrorCode> {
        match self {
            Self::Now(result) => result,
            Self::Later(later) => later.told().await,
        }
    }
}

impl<P> Later<P> {
    /// The reply once it is decided and committed.
    pub async fn told(self) -> Result<P, ErrorCode> {
        let (reply, end) = match self.from {
            From::Told(reply, end) => (reply, end),
            // Dropped with the shard.
            From::Parked(receiver) => receiver.await.map_err(|_| ErrorCode::NotCoordinator)??,
        };
        self.commit.wait(end).await?;
        Ok(reply)
    }
}

impl Commit {
    /// Whether everything before `end` is committed, under the epoch in which it was written.
    pub fn is_there(&self, end: Offset) -> Result<bool, ErrorCode> {
        // The epoch is read after the high watermark: what that was in another epoch says nothing of our records.
        let offsets = self.partition.offsets();
        if offsets.leader_epoch != self.leader_epoch {
            return Err(ErrorCode::NotCoordinator);
        }
        Ok(offsets.high_watermark >= end)
    }

    /// Returns once everything before `end` is committed. Kafka gives up in time, too, and says the same.
    pub async fn wait(&self, end: Offset) -> Result<(), ErrorCode> {
        if self.is_there(end)? {
            return Ok(());
        }
        let waited = timeout(self.timeout, self.reached(end));
        waited.await.unwrap_or(Err(ErrorCode::CoordinatorNotAvailable))
    }

    /// The same, however long it takes: until another leads, or under another epoch.
    pub async fn reached(&self, end: Offset) -> Result<(), ErrorCode> {
        let waiter = Arc::new(Waiter::of(Isolation::HighWatermark, 0));
        loop {
            self.partition.watch(&waiter, Offset(end.0 - 1));
            if self.is_there(end)? {
                return Ok(());
            }
            waiter.woken().await;
        }
    }
}
