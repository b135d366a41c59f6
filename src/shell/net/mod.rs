//! Listeners and connections: frames in, answers out, nothing decided.
//!
//! A few threads, each with a runtime of its own, share the connections; whoever runs [`Server::start`] accepts them
//! and deals them out. What a frame means is the [`Service`]'s business.
//!
//! - [`listen`]: addresses to sockets. [`acceptor`]: sockets to connections. [`limits`]: how many there may be;
//!   [`creation_rate`]: how fast they may come.
//! - [`worker`]: a thread and its connections. [`connection`]: one of them, as a state machine.
//! - [`inbound`]: bytes to frames. [`outbound`]: answers to bytes. [`buffers`]: what both borrow from their thread.
//! - [`memory_budget`]: what large frames, and what they decode to, may take in all.
//! - [`foreign`], [`wrong_door`]: who came by mistake.
//!
//! Bounds: answers queued per connection ([`outbound::QUEUED_ANSWERS_MAX`]) and bytes behind a slow socket, frames by
//! `socket.request.max.bytes`, their memory by `queued.max.request.bytes`, connections by `max.connections`, silence by
//! `connections.max.idle.ms`.

pub mod acceptor;
pub mod buffers;
pub mod connection;
pub mod creation_rate;
pub mod foreign;
pub mod inbound;
pub mod limits;
pub mod listen;
pub mod memory_budget;
pub mod outbound;
pub mod worker;
pub mod wrong_door;

#[cfg(test)]
mod tests;

use std::io;
#[cfg(test)]
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use self::acceptor::Acceptor;
use self::limits::{Limits, QuotaSource};
use self::listen::Bound;
use self::memory_budget::MemoryBudget;
use self::worker::{Dealer, Rules, Worker};
use self::wrong_door::WrongDoor;
use super::clock::Clock;
use super::service::{ListenerType, Service};
use super::tasks::Tasks;

/// What a server may do.
#[derive(Clone)]
pub struct Settings {
    /// How many threads share the connections.
    pub threads: usize,
    /// `socket.request.max.bytes`.
    pub request_bytes_max: i32,
    /// `connections.max.idle.ms`; none for ever.
    pub idle_max: Option<Duration>,
    /// The longest time between two looks at the connections: [`worker::TICK_MAX`] but in tests.
    pub tick_max: Duration,
    /// What connections there may be to listeners of brokers.
    pub quotas: QuotaSource,
    /// The same for listeners of the controller, which has limits of its own: clients, however many, do not lock out
    /// those who would help.
    pub controller_quotas: QuotaSource,
    /// `queued.max.request.bytes`: of frames, and once more of what they decode to.
    pub queued_bytes_max: usize,
}

/// Everything that runs for the sake of connections.
pub struct Server {
    acceptors: Tasks,
    workers: Vec<Worker>,
    #[cfg(test)]
    addresses: Vec<SocketAddr>,
}

impl Server {
    /// Listens on what is bound; connections are answered by `service`. The acceptors run on the caller's runtime.
    pub fn start<S: Service>(
        settings: &Settings,
        bound: Vec<Bound>,
        service: &Arc<S>,
        clock: Clock,
    ) -> io::Result<Self> {
        let rules = Rules {
            request_bytes_max: settings.request_bytes_max,
            idle_max: settings.idle_max,
            tick_max: settings.tick_max,
            budget: MemoryBudget::new(settings.queued_bytes_max),
            // A frame keeps its place while its request waits for this one: with one budget for both, all could wait
            // for each other.
            decoded: MemoryBudget::new(settings.queued_bytes_max),
            wrong_door: Arc::new(WrongDoor::new(clock)),
        };
        let start = |index| {
            Worker::start(&format!("connections-{index}"), rules.clone(), Arc::clone(service))
        };
        let workers = (0..settings.threads.max(1)).map(start).collect::<io::Result<Vec<_>>>()?;
        let limits = |quotas: &QuotaSource| Arc::new(Limits::new(Arc::clone(quotas)));
        let of_brokers = limits(&settings.quotas);
        let of_controllers = limits(&settings.controller_quotas);
        #[cfg(test)]
        let addresses = bound.iter().map(Bound::address).collect();
        let mut acceptors = Tasks::default();
        for one in bound {
            let of = (Arc::clone(one.name()), one.listener_type());
            let limits = match one.listener_type() {
                ListenerType::Broker => &of_brokers,
                ListenerType::Controller => &of_controllers,
            };
            let (limits, dealer) = ((Arc::clone(limits), clock), Dealer::new(&workers));
            let acceptor = Acceptor::new(one.listen()?, of, limits, dealer)?;
            acceptors.spawn(acceptor.run());
        }
        Ok(Self {
            acceptors,
            workers,
            #[cfg(test)]
            addresses,
        })
    }

    /// Where clients connect, with the ports that the system chose.
    #[cfg(test)]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Accepts no more, answers what is under way, closes everything, and waits for all that; it takes no longer than
    /// [`worker::STOP_GRACE`] and a little.
    pub async fn stop(mut self) {
        self.acceptors.stop().await;
        for worker in &self.workers {
            worker.stop();
        }
        self.workers.into_iter().for_each(Worker::join);
    }
}
