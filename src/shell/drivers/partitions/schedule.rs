//! What happens to partitions from time to time: checkpoints, retention, flushes, removals.
//!
//! One thread calls `on_time` and is told when to call again. Nothing here holds the lock of `apply` while the disk
//! works, and a partition's lock only for what concerns that partition. A failure takes a directory offline and is
//! not tried again.

use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use super::partition::{Checkpointed, lock};
use super::{Doomed, LogDirectory, Partition, Partitions};
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::log::disk::Disk as _;
use crate::kernel::log::offset_checkpoint::{
    LOG_START_CHECKPOINT, RECOVERY_POINT_CHECKPOINT, REPLICATION_CHECKPOINT,
};
use crate::shell::disk::files::Files;
use crate::types::error_code::ErrorCode;
use crate::types::time::{Mono, Now};

/// What is done again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    /// Writes down the high watermarks, and the leader epochs that have begun.
    HighWatermarks,
    /// Flushes segments that are full, and writes down up to where logs are durable.
    RecoveryPoints,
    /// Writes down where logs start.
    LogStarts,
    /// Gives up what retention takes.
    Retention,
    /// Forgets silent producers.
    Producers,
    /// Removes what was given up a while ago, and closes files that are not in use if too many are open.
    Removals,
}

const TASKS: [Task; 6] = [
    Task::HighWatermarks,
    Task::RecoveryPoints,
    Task::LogStarts,
    Task::Retention,
    Task::Producers,
    Task::Removals,
];

/// How often files and directories are looked for that are to be removed.
const REMOVAL_INTERVAL: Duration = Duration::from_secs(5);
/// No task comes more often, whatever is configured.
const INTERVAL_MIN: Duration = Duration::from_millis(1);

/// When each task is due.
#[derive(Debug)]
pub struct Schedule {
    every: [Duration; TASKS.len()],
    due: [Mono; TASKS.len()],
    /// What the last checkpoint of high watermarks said, by directory, so that an idle node writes nothing.
    written: Vec<u64>,
    /// Directories that were offline last time.
    offline: Vec<bool>,
}

fn intervals(config: &BrokerConfig) -> [Duration; TASKS.len()] {
    let ms = |ms: i64| Duration::from_millis(ms.max(0).cast_unsigned()).max(INTERVAL_MIN);
    TASKS.map(|task| match task {
        Task::HighWatermarks => ms(config.replica_high_watermark_checkpoint_interval_ms),
        Task::RecoveryPoints => ms(i64::from(config.log_flush_offset_checkpoint_interval_ms)),
        Task::LogStarts => ms(i64::from(config.log_flush_start_offset_checkpoint_interval_ms)),
        Task::Retention => ms(config.log_retention_check_interval_ms),
        Task::Producers => ms(i64::from(config.producer_id_expiration_check_interval_ms)),
        Task::Removals => REMOVAL_INTERVAL,
    })
}

impl Schedule {
    /// Everything is first due as Kafka's tasks are: after `log.initial.task.delay.ms`, the high watermarks at once.
    pub fn new(config: &BrokerConfig, now: Mono) -> Self {
        let every = intervals(config);
        let delay_ms = config.log_initial_task_delay_ms.max(0).cast_unsigned();
        let first = now.after(Duration::from_millis(delay_ms));
        let due = std::array::from_fn(|index| match TASKS[index] {
            Task::HighWatermarks | Task::Removals | Task::Producers => now.after(every[index]),
            _ => first,
        });
        Self { every, due, written: Vec::new(), offline: Vec::new() }
    }

    /// Takes other intervals, which hold after the next time.
    pub fn change(&mut self, config: &BrokerConfig) {
        self.every = intervals(config);
    }

    /// The tasks that are due, which are due again after their interval.
    fn take_due(&mut self, now: Mono) -> Vec<Task> {
        let mut tasks = Vec::new();
        for (index, task) in TASKS.into_iter().enumerate() {
            if self.due[index] <= now {
                self.due[index] = now.after(self.every[index]);
                tasks.push(task);
            }
        }
        tasks
    }

    fn next(&self) -> Option<Mono> {
        self.due.iter().min().copied()
    }
}

impl Partitions {
    /// Does what is due. To be called again at the time that it gives, or earlier.
    pub fn on_time(&self, now: Now) -> Mono {
        self.tell_of_failures();
        let tasks = lock(&self.schedule).take_due(now.mono);
        let partitions = self.all();
        for task in tasks {
            self.run(task, &partitions, now);
        }
        let flush = flush_the_due(&partitions, now);
        let next = lock(&self.schedule).next().unwrap_or(now.mono);
        flush.map_or(next, |flush| flush.min(next))
    }

    fn run(&self, task: Task, partitions: &[Arc<Partition>], now: Now) {
        match task {
            Task::HighWatermarks => {
                self.checkpoint_high_watermarks(false);
                each(partitions, Partition::write_epochs);
            }
            Task::RecoveryPoints => {
                each(partitions, |partition| partition.flush_closed(now));
                self.checkpoint_recovery_points();
            }
            Task::LogStarts => self.checkpoint_log_starts(),
            Task::Retention => each(partitions, |partition| partition.retain(now)),
            Task::Producers => each(partitions, |partition| partition.expire_producers(now)),
            Task::Removals => {
                each(partitions, |partition| partition.remove_due_files(now));
                self.remove_the_doomed(now);
                self.close_idle_files(partitions);
            }
        }
    }

    /// Those who wait for a partition of a directory that has failed must learn that, not only who asked it last.
    fn tell_of_failures(&self) {
        let offline: Vec<bool> = self.directories.iter().map(|it| it.is_offline()).collect();
        let before = std::mem::replace(&mut lock(&self.schedule).offline, offline.clone());
        if offline == before || !offline.contains(&true) {
            return;
        }
        for partition in self.all() {
            if partition.directory().is_offline() {
                partition.wake_all();
            }
        }
    }

    /// Writes down the high watermarks, where they are others than last time.
    pub(super) fn checkpoint_high_watermarks(&self, always: bool) {
        for (index, directory) in self.online() {
            let turn = directory.checkpoint_turn();
            let lines = self.lines_of(directory);
            let content = content_hash(&lines);
            let mut schedule = lock(&self.schedule);
            if schedule.written.len() <= index {
                schedule.written.resize(index + 1, 0);
            }
            let is_same = std::mem::replace(&mut schedule.written[index], content) == content;
            drop(schedule);
            if is_same && !always {
                continue;
            }
            let lines = lines.iter().map(|(partition, offsets)| {
                (partition.topic.as_str(), partition.id, offsets.high_watermark)
            });
            let written = directory.write(REPLICATION_CHECKPOINT, lines);
            directory.failing("write high watermarks to", written);
            drop(turn);
        }
    }

    pub(super) fn checkpoint_recovery_points(&self) {
        for (_, directory) in self.online() {
            self.checkpoint_recovery_points_of(directory);
        }
    }

    pub(super) fn checkpoint_recovery_points_of(&self, directory: &Arc<LogDirectory>) {
        let turn = directory.checkpoint_turn();
        let lines = self.lines_of(directory);
        for (partition, _) in &lines {
            partition.note_checkpointed(true);
        }
        let lines = lines.iter().map(|(partition, offsets)| {
            (partition.topic.as_str(), partition.id, offsets.recovery_point)
        });
        let written = directory.write(RECOVERY_POINT_CHECKPOINT, lines);
        directory.failing("write recovery points to", written);
        drop(turn);
    }

    pub(super) fn checkpoint_log_starts(&self) {
        for (_, directory) in self.online() {
            self.checkpoint_log_starts_of(directory);
        }
    }

    pub(super) fn checkpoint_log_starts_of(&self, directory: &Arc<LogDirectory>) {
        let turn = directory.checkpoint_turn();
        let lines = self.lines_of(directory);
        let lines: Vec<_> = lines
            .iter()
            .filter_map(|(partition, offsets)| {
                partition.note_checkpointed(true);
                Some((partition.topic.as_str(), partition.id, offsets.log_start_offset?))
            })
            .collect();
        let written = directory.write(LOG_START_CHECKPOINT, lines.into_iter());
        directory.failing("write log starts to", written);
        drop(turn);
    }

    fn online(&self) -> impl Iterator<Item = (usize, &Arc<LogDirectory>)> {
        self.directories.iter().enumerate().filter(|(_, directory)| !directory.is_offline())
    }

    /// The partitions of a directory, in the order of their names.
    pub(super) fn lines_of(
        &self,
        directory: &Arc<LogDirectory>,
    ) -> Vec<(Arc<Partition>, Checkpointed)> {
        let all = self.all().into_iter();
        let mut lines: Vec<_> = all
            .filter(|partition| Arc::ptr_eq(partition.directory(), directory))
            .filter_map(|partition| partition.checkpointed().map(|offsets| (partition, offsets)))
            .collect();
        lines.sort_unstable_by(|(left, _), (right, _)| {
            (&left.topic, left.id).cmp(&(&right.topic, right.id))
        });
        lines
    }

    /// Where more files are open than may be, those of partitions that nobody has used since the last time are
    /// closed: they are opened again when they are needed.
    fn close_idle_files(&self, partitions: &[Arc<Partition>]) {
        let open: usize = partitions.iter().map(|partition| partition.open_files()).sum();
        let must_close = open > self.open_files_max;
        for partition in partitions {
            partition.pass_idle(must_close);
        }
    }

    fn remove_the_doomed(&self, now: Now) {
        let due: Vec<Doomed> = {
            let mut control = lock(&self.control);
            let (due, wait) = std::mem::take(&mut control.doomed)
                .into_iter()
                .partition(|doomed| doomed.at <= now.mono);
            control.doomed = wait;
            due
        };
        for doomed in due {
            if !doomed.directory.is_offline() {
                let removed = Files.remove_directory(&doomed.path);
                doomed.directory.failing("remove a deleted partition from", removed);
            }
        }
    }
}

/// Flushes where `flush.ms` asks for it. Gives when that is due next.
fn flush_the_due(partitions: &[Arc<Partition>], now: Now) -> Option<Mono> {
    let mut next: Option<Mono> = None;
    for partition in partitions {
        let Some((every, due)) = partition.flush_due() else {
            continue;
        };
        let due = due.unwrap_or_else(|| now.mono.after(every));
        let due = if due <= now.mono {
            ignore_offline(partition.flush(now));
            now.mono.after(every)
        } else {
            due
        };
        next = Some(next.map_or(due, |next| next.min(due)));
    }
    next
}

fn each(partitions: &[Arc<Partition>], act: impl Fn(&Partition) -> Result<(), ErrorCode>) {
    for partition in partitions {
        ignore_offline(act(partition));
    }
}

/// The failure was noted, and reported, where it happened: the directory is offline, or the partition is gone.
fn ignore_offline(result: Result<(), ErrorCode>) {
    if let Err(error) = result {
        tracing::debug!(?error, "passed over a partition");
    }
}

/// Never 0, which is what nothing written is.
fn content_hash(lines: &[(Arc<Partition>, Checkpointed)]) -> u64 {
    let mut hasher = foldhash::quality::FixedState::default().build_hasher();
    for (partition, offsets) in lines {
        hasher.write(partition.topic_id.0.as_bytes());
        hasher.write_i32(partition.id.0);
        hasher.write_i64(offsets.high_watermark.0);
    }
    hasher.finish() | 1
}
