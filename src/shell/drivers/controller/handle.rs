//! The door to the controller: a bounded queue in front of the one thread which decides.
//!
//! A permit is held from before a request is queued until its reply is there, so the queue behind the permits cannot
//! grow without bound, and a caller waits without holding a thread.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use tokio::sync::{Semaphore, oneshot};

use crate::types::error_code::ErrorCode;

/// How many requests may wait for the controller, or for its disk, at once.
pub const QUEUED_REQUESTS_MAX: usize = 1024;

/// A request and where its reply goes.
pub struct Call<Q, R> {
    /// What is asked.
    pub request: Q,
    /// Where the answer goes; a caller that left is not an error.
    pub reply: oneshot::Sender<Result<R, ErrorCode>>,
}

/// What the controller's thread waits for.
pub enum Message<Q, R> {
    /// Decide, write, answer.
    Call(Call<Q, R>),
    /// Leave in order: fence this broker, flush, end.
    Stop,
}

/// Asks the controller. Cheap to clone.
pub struct Handle<Q, R> {
    queue: Sender<Message<Q, R>>,
    permits: Arc<Semaphore>,
}

impl<Q, R> Clone for Handle<Q, R> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), permits: Arc::clone(&self.permits) }
    }
}

impl<Q, R> Handle<Q, R> {
    /// A door to the thread that reads the other end of `queue`.
    pub fn new(queue: Sender<Message<Q, R>>) -> Self {
        Self { queue, permits: Arc::new(Semaphore::new(QUEUED_REQUESTS_MAX)) }
    }

    /// Waits for the controller's decision, which is on disk and published when this returns.
    /// The error is the one of a node without a controller: the thread has ended, or its disk failed.
    pub async fn call(&self, request: Q) -> Result<R, ErrorCode> {
        let gone = ErrorCode::NotController;
        let _permit = self.permits.acquire().await.map_err(|_| gone)?;
        let (reply, answer) = oneshot::channel();
        self.queue.send(Message::Call(Call { request, reply })).map_err(|_| gone)?;
        answer.await.map_err(|_| gone)?
    }

    #[cfg(test)]
    pub fn send(&self, message: Message<Q, R>) {
        assert!(self.queue.send(message).is_ok());
    }

    /// Tells the thread to end after what is queued already.
    pub fn stop(&self) {
        // A thread that has ended needs no telling.
        let _ = self.queue.send(Message::Stop);
    }
}
