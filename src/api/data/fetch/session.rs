//! Where the partitions of a request come from, and what is remembered of it.

use std::sync::{Arc, MutexGuard, PoisonError};

use crate::api::context::Ctx;
use crate::kernel::replica::fetch_session::{Begun, FetchSessions, Session};

/// All sessions. Nothing that panics is done under this lock, and what it guards stays right if something did.
pub fn lock(ctx: &Ctx) -> MutexGuard<'_, FetchSessions> {
    ctx.fetch_sessions.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the partitions of a request come from.
pub enum Source {
    /// From the request, which is not remembered.
    Sessionless,
    /// From the request, which starts a session.
    Full,
    /// From a session.
    Session(Lease),
}

/// A session while a request works on it. It goes back when the request ends, answered or not.
pub struct Lease {
    ctx: Arc<Ctx>,
    /// None only while it goes back.
    session: Option<Box<Session>>,
}

impl Source {
    /// What a request turned out to be.
    pub fn new(ctx: &Arc<Ctx>, begun: Begun) -> Self {
        match begun {
            Begun::Full => Self::Full,
            Begun::Incremental(session) => {
                Self::Session(Lease { ctx: Arc::clone(ctx), session: Some(session) })
            }
            Begun::Sessionless | Begun::Refused(_) => Self::Sessionless,
        }
    }

    /// The session, where there is one.
    pub fn session(&self) -> Option<&Session> {
        match self {
            Self::Session(lease) => lease.session.as_deref(),
            _ => None,
        }
    }

    /// The session, where there is one.
    pub fn session_mut(&mut self) -> Option<&mut Session> {
        match self {
            Self::Session(lease) => lease.session.as_deref_mut(),
            _ => None,
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            lock(&self.ctx).give_back(session);
        }
    }
}
