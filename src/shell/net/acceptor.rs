//! Accepts connections of one listener and deals them to the threads.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{SocketFlags, acceptfrom_with};
use tokio::io::unix::AsyncFd;

use super::limits::Limits;
use super::worker::Dealer;
use crate::shell::clock::Clock;
use crate::shell::service::{ListenerType, Origin};

/// How long to wait when the system has no memory or descriptors for another connection, not even a spare one.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// See the module.
pub struct Acceptor {
    listener: AsyncFd<TcpListener>,
    of: (Arc<str>, ListenerType),
    limits: Arc<Limits>,
    clock: Clock,
    dealer: Dealer,
    /// Given up when there are no descriptors left, so that a client is told rather than left in the backlog.
    spare: Option<OwnedFd>,
}

impl Acceptor {
    /// `of` is the name and the type of the listener. Needs a runtime around it. The listener does not block.
    #[expect(
        deprecated,
        reason = "unsound only for types that close their descriptor early, which a listener does not; the successor \
                  is unsafe, and unsafe code is for shell::disk alone"
    )]
    pub fn new(
        listener: TcpListener,
        of: (Arc<str>, ListenerType),
        (limits, clock): (Arc<Limits>, Clock),
        dealer: Dealer,
    ) -> io::Result<Self> {
        let spare = spare(&listener);
        Ok(Self { listener: AsyncFd::new(listener)?, of, limits, clock, dealer, spare })
    }

    /// Accepts until it is dropped.
    pub async fn run(mut self) {
        loop {
            let slot = self.limits.slot().await;
            match self.accept().await {
                Ok((stream, peer)) => {
                    let delay = self.limits.delay(&self.of.0, self.clock.now().mono);
                    if !delay.is_zero() {
                        tokio::time::sleep(delay).await;
                    }
                    if let Some(place) = Limits::place(slot, peer.ip()) {
                        let (listener, listener_type) = (Arc::clone(&self.of.0), self.of.1);
                        let origin = Origin { listener, listener_type, peer };
                        self.dealer.deal(stream, origin, place);
                    } else {
                        tracing::debug!(%peer, "closed: too many connections from this address");
                    }
                }
                Err(Errno::MFILE | Errno::NFILE) => self.turn_away().await,
                Err(Errno::NOBUFS | Errno::NOMEM) => tokio::time::sleep(EXHAUSTED_PAUSE).await,
                // That client has gone already; the next may be there.
                Err(error) => tracing::debug!(%error, "a connection could not be accepted"),
            }
        }
    }

    async fn accept(&self) -> Result<(TcpStream, SocketAddr), Errno> {
        loop {
            // Fails only when the runtime is going down, and this task with it.
            let Ok(mut guard) = self.listener.readable().await else {
                return std::future::pending().await;
            };
            match accept_now(guard.get_inner()) {
                Err(Errno::AGAIN) => guard.clear_ready(),
                Err(Errno::INTR) => {}
                result => return result,
            }
        }
    }

    /// No descriptor is left: the spare one serves to accept a client and close it at once.
    async fn turn_away(&mut self) {
        let had_spare = self.spare.take().is_some();
        let accepted = accept_now(self.listener.get_ref());
        if let Ok((_, peer)) = &accepted {
            tracing::debug!(%peer, "closed: no file descriptor is left");
        }
        let is_told = accepted.is_ok();
        drop(accepted);
        self.spare = spare(self.listener.get_ref());
        if !(had_spare && is_told) {
            tokio::time::sleep(EXHAUSTED_PAUSE).await;
        }
    }
}

fn spare(listener: &TcpListener) -> Option<OwnedFd> {
    listener.as_fd().try_clone_to_owned().ok()
}

fn accept_now(listener: &TcpListener) -> Result<(TcpStream, SocketAddr), Errno> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (socket, peer) = acceptfrom_with(listener.as_fd(), flags)?;
    let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok()).ok_or(Errno::CONNABORTED)?;
    // An IPv4 client of an IPv6 listener is an IPv4 client.
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    Ok((socket.into(), peer))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::shell::net::limits::tests::{fixed, quotas};

    #[tokio::test]
    async fn without_a_descriptor_a_client_is_closed_rather_than_left_waiting() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let to = listener.local_addr().unwrap();
        let limits = (fixed(quotas(9, 9)), Clock::new());
        let of = ("T".into(), ListenerType::Broker);
        let mut acceptor = Acceptor::new(listener, of, limits, Dealer::new(&[])).unwrap();
        for _ in 0..3 {
            let mut client = TcpStream::connect(to).unwrap();
            acceptor.turn_away().await;
            assert_eq!(client.read(&mut [0]).unwrap(), 0);
            assert!(acceptor.spare.is_some());
        }
    }
}
