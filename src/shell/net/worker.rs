//! A thread with a runtime of its own, and its share of the connections.
//!
//! A connection stays on its thread: what it does there needs no lock and wakes no other thread. One timer per thread
//! looks after all its connections, instead of one timer for each.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{AbortHandle, Id};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::buffers;
use super::connection::{Activity, Connection, End, Shared};
use super::inbound::Broken;
use super::limits::Place;
use super::memory_budget::MemoryBudget;
use super::wrong_door::WrongDoor;
use crate::shell::service::{Origin, Service};
use crate::shell::tasks::{Tasks, Thread};
use crate::types::seeded_map::SeededMap;

/// How long answers that are under way may take when the node stops.
pub const STOP_GRACE: Duration = Duration::from_millis(500);
/// The longest time between two looks at the connections.
pub const TICK_MAX: Duration = Duration::from_secs(10);
/// Who has a place in memory and sends nothing for so many ticks gives it up, if others wait for one.
const WASTING_TICKS: u64 = 2;
/// A connection is closed this many ticks after it fell idle, at the earliest.
const IDLE_TICKS: u32 = 8;

/// What a thread is told. There are never more connections on the way than the limits admit.
enum Message {
    Connection(TcpStream, Origin, Place),
    Stop,
}

/// What all threads share.
#[derive(Clone, Debug)]
pub struct Rules {
    /// `socket.request.max.bytes`.
    pub request_bytes_max: i32,
    /// `connections.max.idle.ms`; none for ever.
    pub idle_max: Option<Duration>,
    /// The longest time between two looks at the connections: [`TICK_MAX`] but in tests.
    pub tick_max: Duration,
    /// The memory of large frames.
    pub budget: MemoryBudget,
    /// The memory of what large requests decode to.
    pub decoded: MemoryBudget,
    /// What is said about those who speak another protocol.
    pub wrong_door: Arc<WrongDoor>,
}

/// A running thread.
pub struct Worker {
    inbox: UnboundedSender<Message>,
    load: Arc<AtomicUsize>,
    thread: Thread,
}

impl Worker {
    /// Starts a thread whose connections `service` answers.
    pub fn start<S: Service>(name: &str, rules: Rules, service: Arc<S>) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (inbox, messages) = unbounded_channel();
        let load = Arc::new(AtomicUsize::new(0));
        let floor = Floor {
            rules,
            service,
            shared: Arc::default(),
            load: Arc::clone(&load),
            tasks: Tasks::default(),
            connections: SeededMap::default(),
        };
        let thread = Thread::start(name, move || {
            buffers::keep_buffers();
            runtime.block_on(floor.run(messages));
        })?;
        Ok(Self { inbox, load, thread })
    }

    /// Tells the thread to end; [`Self::join`] waits for it.
    pub fn stop(&self) {
        // A thread that has ended needs no telling.
        let _ = self.inbox.send(Message::Stop);
    }

    /// Waits until the thread has ended.
    pub fn join(self) {
        if let Err(error) = self.thread.join() {
            tracing::error!(%error, "a fault of this program");
        }
    }
}

/// Deals connections to threads: to the one that has the fewest, in turn where that is even.
#[derive(Clone)]
pub struct Dealer {
    threads: Arc<[(UnboundedSender<Message>, Arc<AtomicUsize>)]>,
    turn: usize,
}

impl Dealer {
    /// Deals to `workers`.
    pub fn new(workers: &[Worker]) -> Self {
        let of = |worker: &Worker| (worker.inbox.clone(), Arc::clone(&worker.load));
        Self { threads: workers.iter().map(of).collect(), turn: 0 }
    }

    /// Hands a connection over.
    pub fn deal(&mut self, stream: TcpStream, origin: Origin, place: Place) {
        let count = self.threads.len();
        self.turn = (self.turn + 1) % count.max(1);
        let from_turn = self.threads.iter().cycle().skip(self.turn).take(count);
        let Some((inbox, load)) = from_turn.min_by_key(|(_, load)| load.load(Relaxed)) else {
            return;
        };
        load.fetch_add(1, Relaxed);
        // A thread that has ended drops the connection: the node is stopping.
        let _ = inbox.send(Message::Connection(stream, origin, place));
    }
}

/// What a thread knows.
struct Floor<S> {
    rules: Rules,
    service: Arc<S>,
    shared: Arc<Shared>,
    load: Arc<AtomicUsize>,
    tasks: Tasks,
    connections: SeededMap<Id, (AbortHandle, Arc<Activity>)>,
}

impl<S: Service> Floor<S> {
    async fn run(mut self, mut messages: UnboundedReceiver<Message>) {
        let tick_max = self.rules.tick_max;
        let period = self.rules.idle_max.map_or(tick_max, |idle| idle / IDLE_TICKS);
        let mut ticks = interval(period.min(tick_max).max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let idle_ticks = self.rules.idle_max.map(|idle| {
            u64::try_from(idle.as_nanos().div_ceil(ticks.period().as_nanos())).unwrap_or(u64::MAX)
        });
        loop {
            let has_work = !self.tasks.is_empty() || buffers::keeps_any();
            tokio::select! {
                message = messages.recv() => match message {
                    Some(Message::Connection(stream, origin, place)) => {
                        self.take(stream, origin, place);
                    }
                    Some(Message::Stop) | None => break,
                },
                Some(id) = self.tasks.ended() => self.forget(id),
                _ = ticks.tick(), if has_work => self.tick(idle_ticks),
            }
        }
        self.stop().await;
    }

    fn take(&mut self, stream: TcpStream, origin: Origin, place: Place) {
        let stream = match tokio::net::TcpStream::from_std(stream) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be watched");
                self.load.fetch_sub(1, Relaxed);
                return;
            }
        };
        let activity = Arc::new(Activity::new(self.shared.tick.load(Relaxed)));
        let mut connection = Connection::new(
            (stream, origin),
            Arc::clone(&self.service),
            (Arc::clone(&self.shared), Arc::clone(&activity)),
            self.rules.request_bytes_max,
            (self.rules.budget.clone(), self.rules.decoded.clone()),
        );
        let wrong_door = Arc::clone(&self.rules.wrong_door);
        let task = self.tasks.spawn(async move {
            let end = connection.run().await;
            let Origin { listener, peer, .. } = connection.origin();
            match &end {
                End::Broken(Broken::Foreign(protocol)) => {
                    wrong_door.tell(*protocol, listener, *peer);
                }
                end => tracing::debug!(%peer, %listener, %end, "a connection ended"),
            }
            drop(connection);
            drop(place);
        });
        self.connections.insert(task.id(), (task, activity));
    }

    fn forget(&mut self, id: Id) {
        self.connections.remove(&id);
        self.load.fetch_sub(1, Relaxed);
    }

    fn tick(&mut self, idle_ticks: Option<u64>) {
        let tick = self.shared.tick.fetch_add(1, Relaxed) + 1;
        buffers::trim();
        let oldest = idle_ticks.map_or(0, |idle| tick.saturating_sub(idle));
        let is_wanted = self.rules.budget.is_wanted();
        for (task, activity) in self.connections.values() {
            let is_wasting =
                is_wanted && activity.wastes_a_place_since(tick.saturating_sub(WASTING_TICKS));
            if is_wasting || activity.is_idle_since(oldest) {
                task.abort();
            }
        }
    }

    /// Ends idle connections now and the others when they are answered, or when the time is up.
    async fn stop(mut self) {
        self.shared.is_stopping.store(true, Relaxed);
        for (task, activity) in self.connections.values() {
            if !activity.is_answering() {
                task.abort();
            }
        }
        let all_ended = async { while self.tasks.ended().await.is_some() {} };
        // Who is not answered by then is cut off.
        let _ = timeout(STOP_GRACE, all_ended).await;
        self.tasks.stop().await;
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;
    use crate::shell::net::limits::Limits;
    use crate::shell::net::limits::tests::{fixed, quotas};
    use crate::shell::service::ListenerType;

    #[tokio::test]
    async fn connections_go_to_the_thread_with_the_fewest() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = listener.local_addr().unwrap();
        let limits = fixed(quotas(99, 99));
        let (mut inboxes, mut threads) = (Vec::new(), Vec::new());
        for load in [0, 2, 0] {
            let (inbox, messages) = unbounded_channel();
            inboxes.push(messages);
            threads.push((inbox, Arc::new(AtomicUsize::new(load))));
        }
        let mut dealer = Dealer { threads: threads.into(), turn: 0 };
        let dealt = |dealer: &Dealer| {
            dealer.threads.iter().map(|(_, load)| load.load(Relaxed)).collect::<Vec<_>>()
        };
        for expected in
            [[0, 2, 1], [1, 2, 1], [2, 2, 1], [2, 2, 2], [2, 2, 3], [3, 2, 3], [3, 3, 3]]
        {
            let stream = TcpStream::connect(peer).unwrap();
            let slot = limits.slot().await;
            let place = Limits::place(slot, Ipv4Addr::LOCALHOST.into()).unwrap();
            let listener_type = ListenerType::Broker;
            dealer.deal(stream, Origin { listener: "T".into(), listener_type, peer }, place);
            assert_eq!(dealt(&dealer), expected);
        }
        assert_eq!(inboxes.iter().map(UnboundedReceiver::len).collect::<Vec<_>>(), [3, 1, 3]);
    }
}
