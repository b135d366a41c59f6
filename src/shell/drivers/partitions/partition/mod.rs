//! One partition of this node: its log and its role, behind one short mutex that is never held over an await.
//!
//! - Offsets and the epoch can be read without the mutex: a long poll looks at them before it reads again.
//! - An append writes, moves the high watermark and publishes the offsets under the mutex, and wakes after it.
//! - No wake-up is lost: who watches enters the list and looks at the offsets after that; who appends publishes the
//!   offsets and looks at the list after that. Between the two steps of each lies a full fence, so at least one
//!   sees the other.
//! - When the disk fails, the whole directory is offline: nothing is written to it, and every request to its
//!   partitions is answered `KAFKA_STORAGE_ERROR`.

mod appends;
mod cleaning;
mod lookups;
mod reads;
mod upkeep;

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

pub(super) use self::upkeep::Checkpointed;
use super::{LogDirectory, Offsets, Waiter};
use crate::kernel::configs::topic::TopicConfig;
use crate::kernel::log::{Log, LogError};
use crate::kernel::metadata::image::PartitionRegistration;
use crate::kernel::replica::leadership::Leadership;
use crate::kernel::replica::waiters::{Ends, Waiters, Woken};
use crate::shell::disk::files::Files;
use crate::types::epoch::LeaderEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::{NodeId, PartitionId, TopicId, TopicName};
use crate::types::offset::Offset;
use crate::types::time::Mono;

/// See the module.
pub struct Partition {
    /// The topic's name.
    pub topic: TopicName,
    /// The topic.
    pub topic_id: TopicId,
    /// Which of its partitions.
    pub id: PartitionId,
    directory: Arc<LogDirectory>,
    config: ArcSwap<TopicConfig>,
    published: Published,
    /// How many entries `waiters` has, so that an append need not lock it for nothing.
    waiting: AtomicUsize,
    waiters: Mutex<Waiters<Waiter>>,
    /// Appended to or read since the last look.
    used: AtomicBool,
    /// Whether a checkpoint of the directory speaks of it.
    checkpointed: AtomicBool,
    /// It cannot be compacted: what is in it is damaged.
    set_aside: AtomicBool,
    /// Held while a flush runs, so that the next one covers all who came meanwhile.
    flushing: Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct Published {
    log_start: AtomicI64,
    high_watermark: AtomicI64,
    last_stable: AtomicI64,
    log_end: AtomicI64,
    leader_epoch: AtomicI32,
}

/// What the mutex guards.
struct State {
    store: Store,
    leadership: Leadership,
    /// When the log was last flushed, or opened.
    flushed_at: Mono,
}

/// Where the log is.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are open, and an append follows no pointer"
)]
enum Store {
    /// It is open.
    Open(Log<Files>),
    /// It could not be opened: its directory is offline, or it is damaged.
    Unreadable(ErrorCode),
    /// The partition was deleted, or moved away, while a request still held it.
    Gone,
}

impl State {
    fn log(&mut self) -> Result<&mut Log<Files>, ErrorCode> {
        match &mut self.store {
            Store::Open(log) => Ok(log),
            Store::Unreadable(code) => Err(*code),
            Store::Gone => Err(ErrorCode::UnknownTopicOrPartition),
        }
    }
}

/// Who a partition is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The topic's name.
    pub topic: TopicName,
    /// The topic.
    pub topic_id: TopicId,
    /// Which of its partitions.
    pub id: PartitionId,
}

impl Partition {
    /// A partition whose log is open, or cannot be. It has no role before [`Self::change_role`]: what it is created
    /// with only says so much.
    pub(super) fn new(
        identity: Identity,
        directory: Arc<LogDirectory>,
        config: Arc<TopicConfig>,
        log: Result<Log<Files>, ErrorCode>,
        leadership: Leadership,
        now: Mono,
    ) -> Self {
        let store = match log {
            Ok(log) => Store::Open(log),
            Err(code) => Store::Unreadable(code),
        };
        let partition = Self {
            topic: identity.topic,
            topic_id: identity.topic_id,
            id: identity.id,
            directory,
            config: ArcSwap::new(config),
            published: Published::default(),
            waiting: AtomicUsize::new(0),
            waiters: Mutex::default(),
            used: AtomicBool::new(false),
            checkpointed: AtomicBool::new(false),
            set_aside: AtomicBool::new(false),
            flushing: Mutex::default(),
            state: Mutex::new(State { store, leadership, flushed_at: now }),
        };
        partition.publish(&mut partition.lock());
        partition
    }

    /// The configuration of its topic.
    pub fn config(&self) -> Arc<TopicConfig> {
        self.config.load_full()
    }

    /// The directory that it lies in.
    pub const fn directory(&self) -> &Arc<LogDirectory> {
        &self.directory
    }

    /// The offsets, without a lock: each is right, and none is newer than those that are read after it.
    pub fn offsets(&self) -> Offsets {
        let published = &self.published;
        let of = |offset: &AtomicI64| Offset(offset.load(Ordering::Acquire));
        Offsets {
            log_start: of(&published.log_start),
            last_stable: of(&published.last_stable),
            high_watermark: of(&published.high_watermark),
            log_end: of(&published.log_end),
            leader_epoch: LeaderEpoch(published.leader_epoch.load(Ordering::Acquire)),
        }
    }

    /// `waiter` is woken when enough comes for it at or after `from`, or something happens that it must see. To be
    /// followed by a read.
    pub fn watch(&self, waiter: &Arc<Waiter>, from: Offset) {
        let mut waiters = lock(&self.waiters);
        waiters.add(waiter, from);
        self.waiting.store(waiters.len(), Ordering::Relaxed);
        drop(waiters);
        // Before the offsets are looked at: see the module.
        fence(Ordering::SeqCst);
    }

    /// The metadata says that the partition is led otherwise now. True if this node begins to lead it.
    pub(super) fn change_role(&self, node: NodeId, registration: &PartitionRegistration) -> bool {
        let mut state = self.lock();
        let change = state.leadership.change(node, registration);
        if change.begins_to_lead {
            let begun = self.begin_to_lead(&mut state);
            if let Err(error) = begun {
                self.on_log_error("begin an epoch of", &error);
            }
        }
        self.publish(&mut state);
        drop(state);
        if change.new_epoch {
            self.wake_all();
        }
        change.begins_to_lead
    }

    fn begin_to_lead(&self, state: &mut State) -> Result<(), LogError> {
        let epoch = state.leadership.leader_epoch();
        if let Store::Open(log) = &mut state.store {
            log.assign_epoch_start(epoch)?;
            self.move_high_watermark(state);
        }
        Ok(())
    }

    /// The high watermark follows the log as far as that alone can move it.
    fn move_high_watermark(&self, state: &mut State) {
        let State { store: Store::Open(log), leadership, .. } = state else {
            return;
        };
        let min_insync_replicas = self.config.load().min_insync_replicas;
        if leadership.on_log_end(log.log_end_offset(), min_insync_replicas) {
            log.on_high_watermark(leadership.high_watermark());
        }
    }

    /// Shows the offsets to those who do not lock. Gives the ends.
    fn publish(&self, state: &mut State) -> Ends {
        let leader_epoch = state.leadership.leader_epoch();
        self.published.leader_epoch.store(leader_epoch.0, Ordering::Release);
        let State { store: Store::Open(log), leadership, .. } = state else {
            return Ends::default();
        };
        let ends = ends(log, leadership);
        self.published.log_end.store(ends.log_end.0, Ordering::Release);
        self.published.high_watermark.store(ends.high_watermark.0, Ordering::Release);
        self.published.last_stable.store(ends.last_stable.0, Ordering::Release);
        self.published.log_start.store(log.log_start_offset().0, Ordering::Release);
        ends
    }

    /// Wakes those who have enough now. No lock is held.
    fn wake(&self, before: Ends, after: Ends, bytes: u64) {
        // After the offsets were published: see the module.
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut waiters = lock(&self.waiters);
        let woken = waiters.on_moved(before, after, bytes);
        self.waiting.store(waiters.len(), Ordering::Relaxed);
        drop(waiters);
        wake_each(&woken);
    }

    /// Wakes all who wait: they must see something.
    pub(super) fn wake_all(&self) {
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut waiters = lock(&self.waiters);
        let woken = waiters.take_all();
        self.waiting.store(0, Ordering::Relaxed);
        drop(waiters);
        wake_each(&woken);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn check_online(&self) -> Result<(), ErrorCode> {
        if self.directory.is_offline() { Err(ErrorCode::KafkaStorageError) } else { Ok(()) }
    }

    /// What a failure of the log means: to the directory, and to who asked.
    fn on_log_error(&self, doing: &str, error: &LogError) -> ErrorCode {
        log_error(&self.directory, &self.topic, self.id, doing, error)
    }
}

/// What a failure of a log means. A disk that fails takes the directory with it; damage to one log is its own
/// affair.
pub(super) fn log_error(
    directory: &LogDirectory,
    topic: &TopicName,
    id: PartitionId,
    doing: &str,
    error: &LogError,
) -> ErrorCode {
    match error {
        LogError::Io(_) if error.is_shortage_of_descriptors() => {
            tracing::error!(%topic, partition = %id, doing, %error, "no file can be opened");
            ErrorCode::KafkaStorageError
        }
        LogError::Io(_) | LogError::Offline => {
            directory.fail(doing, error);
            ErrorCode::KafkaStorageError
        }
        LogError::TopicId { .. } => ErrorCode::InconsistentTopicId,
        _ => {
            tracing::error!(%topic, partition = %id, doing, %error, "the log is damaged");
            ErrorCode::CorruptMessage
        }
    }
}

fn ends(log: &Log<Files>, leadership: &Leadership) -> Ends {
    let high_watermark = leadership.high_watermark();
    let unstable = log.first_unstable_offset().unwrap_or(high_watermark);
    Ends {
        log_end: log.log_end_offset(),
        high_watermark,
        last_stable: unstable.min(high_watermark),
    }
}

fn wake_each(woken: &Woken<Waiter>) {
    for waiter in woken {
        waiter.wake();
    }
}

/// A mutex whose holder panicked is taken all the same: damaged memory ends the process elsewhere.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{} {:?}", self.topic, self.id, self.offsets())
    }
}
