//! A partition as its leader has it: the kernel's log on a disk in memory, a high watermark that replicas may hold back,
//! and appends that fail. Beside it a plain list of what was appended: the truth that checkers compare with.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use crate::kernel::log::append::{AppendError, Appended, Origin};
use crate::kernel::log::cleaner::{Door, Limits, clean};
use crate::kernel::log::config::LogConfig;
use crate::kernel::log::disk::simulated::{Loss, SimulatedDisk};
use crate::kernel::log::producers::verification::VerificationGuard;
use crate::kernel::log::producers::{ProducerEntry, ProducerError};
use crate::kernel::log::read::ReadLimits;
use crate::kernel::log::recovery::LogStart;
use crate::kernel::log::{Log, LogError};
use crate::types::epoch::{LeaderEpoch, ProducerEpoch};
use crate::types::error_code::ErrorCode;
use crate::types::ids::{PartitionId, ProducerId, TopicId};
use crate::types::offset::Offset;
use crate::types::time::Now;
use crate::wire::batch::{Batch, BatchHeader, Batches};

/// What a cleaning takes.
const CLEANING: Limits =
    Limits { map_bytes: 1 << 16, load_factor: 0.9, buffer_bytes: 4096, secret: [1, 2] };

/// How an append fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is refused before anything is written.
    Refused,
    /// The disk fails; nothing was written.
    Unwritten,
    /// The disk fails, and yet it was written.
    Written,
}

/// What happened to a log since the checkers last looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// The batch of that place in the list was appended.
    Appended(usize),
    /// The log was cut: so many batches of the list are left.
    Cut(usize),
}

/// Who a log is of, and in what directory.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The topic.
    pub topic_id: TopicId,
    /// Which of its partitions.
    pub index: PartitionId,
}

/// See the module.
pub struct PartitionLog {
    /// Who it is.
    pub identity: Identity,
    /// The epoch that it is led under.
    pub epoch: LeaderEpoch,
    /// Whether it has a leader now.
    pub leads: bool,
    /// Up to where every replica has it.
    pub high_watermark: Offset,
    /// Replicas lag: the high watermark stays.
    pub lags: bool,
    /// How the next append fails.
    pub fault: Option<Fault>,
    /// All batches that are in the log.
    pub truth: Vec<Batch>,
    /// What was refused since the log was last loaded, and where it ended then.
    pub refused: Vec<(Offset, Batch)>,
    /// What the checkers have not seen, and where it stands among what happened to all logs.
    pub happened: Vec<(u64, Happened)>,
    /// How many batches compaction has taken away.
    pub compacted: usize,
    /// Something of it has changed since the checkers last looked.
    pub is_touched: bool,
    order: Rc<Cell<u64>>,
    disk: SimulatedDisk,
    directory: PathBuf,
    config: Arc<LogConfig>,
    log: Log<SimulatedDisk>,
}

impl PartitionLog {
    /// A new, empty one.
    pub fn create(
        identity: Identity,
        config: Arc<LogConfig>,
        order: Rc<Cell<u64>>,
        now: Now,
    ) -> Result<Self, String> {
        let disk = SimulatedDisk::default();
        let directory = Path::new("/d").join(format!("{}-{}", identity.topic, identity.index.0));
        let (topic_id, epoch) = (identity.topic_id, LeaderEpoch(0));
        let made = Log::create(disk.clone(), &directory, topic_id, Arc::clone(&config), now);
        let mut log = made.map_err(|error| error.to_string())?;
        log.assign_epoch_start(epoch).map_err(|error| error.to_string())?;
        Ok(Self {
            identity,
            epoch,
            leads: true,
            high_watermark: Offset::ZERO,
            lags: false,
            fault: None,
            truth: Vec::new(),
            refused: Vec::new(),
            happened: Vec::new(),
            compacted: 0,
            is_touched: true,
            order,
            disk,
            directory,
            config,
            log,
        })
    }

    /// The offset of the next record.
    pub const fn end(&self) -> Offset {
        self.log.log_end_offset()
    }

    /// Up to where readers of committed records read.
    pub fn last_stable_offset(&self) -> Offset {
        let unstable = self.log.first_unstable_offset().unwrap_or(self.high_watermark);
        unstable.min(self.high_watermark)
    }

    /// Appends a batch at its end, for someone who leads under this epoch, or does not care.
    pub fn append(
        &mut self,
        batch: &Batch,
        origin: Origin,
        epoch: Option<LeaderEpoch>,
        now: Now,
    ) -> Result<Appended, ErrorCode> {
        self.is_touched = true;
        if !self.leads {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        if epoch.is_some_and(|epoch| epoch != self.epoch) {
            return Err(ErrorCode::FencedLeaderEpoch);
        }
        let fault = self.fault.take();
        match fault {
            Some(Fault::Refused) => {
                self.refused.push((self.end(), batch.clone()));
                return Err(ErrorCode::RecordListTooLarge);
            }
            Some(Fault::Unwritten) => return Err(ErrorCode::KafkaStorageError),
            Some(Fault::Written) | None => {}
        }
        let appended = self.log.append_from(batch, self.epoch, origin, now);
        let appended = appended.map_err(|error| match error {
            AppendError::Producer(error) => error.code(),
            AppendError::TooLarge { .. } => ErrorCode::RecordListTooLarge,
            AppendError::Offsets { .. } | AppendError::Marker => ErrorCode::InvalidRecord,
            AppendError::Log(_) => ErrorCode::KafkaStorageError,
        })?;
        if !appended.duplicate {
            let header = BatchHeader {
                base_offset: appended.base_offset,
                partition_leader_epoch: self.epoch,
                ..batch.header
            };
            self.note(Happened::Appended(self.truth.len()));
            self.truth.push(Batch { header, bytes: batch.bytes.clone() });
        }
        if !self.lags {
            self.replicate(self.end());
        }
        if fault == Some(Fault::Written) {
            return Err(ErrorCode::KafkaStorageError);
        }
        Ok(appended)
    }

    /// All replicas have it up to there.
    pub fn replicate(&mut self, up_to: Offset) {
        self.is_touched = true;
        self.high_watermark = self.high_watermark.max(up_to.min(self.end()));
        self.log.on_high_watermark(self.high_watermark);
    }

    /// Who writes to it.
    pub fn producers(&self) -> Vec<(ProducerId, &ProducerEntry)> {
        self.log.producers().sorted()
    }

    /// See [`Log::start_verification`].
    pub fn start_verification(
        &mut self,
        producer: (ProducerId, ProducerEpoch),
        sequence: i32,
        bumps_epoch: bool,
        now: Now,
    ) -> Result<Option<VerificationGuard>, ErrorCode> {
        if !self.leads {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        let started = self.log.start_verification(producer, sequence, bumps_epoch, now.wall);
        started.map_err(ProducerError::code)
    }

    /// See [`Log::answer_verification`].
    pub fn answer_verification(&mut self, id: ProducerId, guard: VerificationGuard) -> bool {
        self.log.answer_verification(id, guard)
    }

    /// Its batches from its start to its end, in reads of so many bytes.
    pub fn read(&mut self, max_bytes: u32) -> Result<Vec<Batch>, String> {
        let mut batches = Vec::with_capacity(self.truth.len());
        let mut next = Offset::ZERO;
        while next < self.end() {
            let limits = ReadLimits { max_bytes, at_least_one_batch: true, up_to: self.end() };
            let plan = self.log.read(next, limits).map_err(|error| error.to_string())?;
            let before = next;
            for range in &plan.ranges {
                let mut bytes = vec![0; range.length_bytes as usize];
                let read = range.source.read_exact_at(&mut bytes, range.position);
                read.map_err(|error| error.to_string())?;
                for batch in Batches::new(Bytes::from(bytes)) {
                    let Ok(batch) = batch else { break };
                    next = batch.header.last_offset().next();
                    batches.push(batch);
                }
            }
            if next == before {
                return Err(format!("nothing to read at {next}"));
            }
        }
        Ok(batches)
    }

    /// Takes away what a later record of the same key has made superfluous, in what is closed and stable. Returns whether
    /// there was anything to look at.
    pub fn compact(&mut self, now: Now) -> Result<bool, String> {
        let stable = self.last_stable_offset();
        let plan = self.log.begin_cleaning(stable, now).map_err(|error| error.to_string())?;
        let Some(plan) = plan else { return Ok(false) };
        let door = Alone(RefCell::new(&mut self.log));
        let cleaned = clean(&door, plan, &CLEANING, &mut |_| true);
        cleaned.map_err(|error| format!("a cleaning fails: {error}"))?;
        let left = self.read(u32::MAX >> 8)?.len();
        self.compacted = self.truth.len().saturating_sub(left);
        Ok(true)
    }

    /// Its list of aborted transactions: whose, where each begins, where its marker is.
    pub fn aborted(&mut self) -> Result<Vec<(i64, Offset, Offset)>, String> {
        let end = self.end();
        let listed = self.log.aborted_transactions(Offset::ZERO, end);
        let listed = listed.map_err(|error| error.to_string())?;
        Ok(listed.iter().map(|it| (it.producer_id.0, it.first_offset, it.last_offset)).collect())
    }

    /// The process dies, and opens the log again. A write that nobody was told of may be torn.
    pub fn crash(&mut self, tears: bool, now: Now) -> Result<bool, String> {
        self.is_touched = true;
        let is_torn = tears && self.end() > self.high_watermark;
        let loss = if is_torn { Loss::Torn { kept_bytes: 40 } } else { Loss::Nothing };
        self.disk = self.disk.after_crash(self.disk.operations(), loss);
        let start =
            LogStart { recovery_point: Offset::ZERO, log_start_offset: Offset::ZERO, clean: false };
        let (topic_id, config) = (self.identity.topic_id, Arc::clone(&self.config));
        let opened = Log::open(self.disk.clone(), &self.directory, topic_id, config, start, now);
        let (log, _) = opened.map_err(|error| error.to_string())?;
        let cleaned_to = self.log.cleaned_to();
        self.log = log;
        self.log.set_cleaned_to(cleaned_to);
        self.fault = None;
        self.cut_truth();
        self.log.on_high_watermark(self.high_watermark);
        Ok(is_torn)
    }

    /// Another leads, who has it up to some offset that is not below the high watermark.
    pub fn cut(&mut self, at: Offset, now: Now) -> Result<(), String> {
        self.is_touched = true;
        let at = at.max(self.high_watermark);
        self.log.truncate_to(at, now).map_err(|error| error.to_string())?;
        self.cut_truth();
        self.log.on_high_watermark(self.high_watermark);
        Ok(())
    }

    /// It is led under the next epoch.
    pub fn elect(&mut self) -> Result<(), String> {
        self.epoch = self.epoch.next();
        self.leads = true;
        self.log.assign_epoch_start(self.epoch).map_err(|error| error.to_string())
    }

    fn note(&mut self, happened: Happened) {
        self.order.set(self.order.get() + 1);
        self.happened.push((self.order.get(), happened));
    }

    fn cut_truth(&mut self) {
        let end = self.end();
        let kept = self.truth.partition_point(|batch| batch.header.last_offset() < end);
        if kept < self.truth.len() {
            self.truth.truncate(kept);
            self.note(Happened::Cut(kept));
        }
    }
}

/// The way of a cleaning to a log that nobody else uses.
struct Alone<'a>(RefCell<&'a mut Log<SimulatedDisk>>);

impl Door<SimulatedDisk> for Alone<'_> {
    fn with_log<R>(
        &self,
        act: impl FnOnce(&mut Log<SimulatedDisk>) -> Result<R, LogError>,
    ) -> Result<Option<R>, LogError> {
        act(&mut self.0.borrow_mut()).map(Some)
    }
}
