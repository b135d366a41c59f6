//! All partitions of this node, and the log directories that they lie in.
//!
//! - `apply` is called with each image before anyone else sees it, so a partition that the published image names is
//!   here.
//! - What the disk has beyond the image is put aside (`-stray`), never deleted; a deleted partition's directory is
//!   renamed (`-delete`) at once and removed later.
//! - Partitions are found by topic id and number under a lock that is held for an instant; their own locks do the
//!   rest.
//! - The clean mark is the last thing that a stop writes, only if the start was complete and nothing failed.

mod apply;
mod cleaning;
mod coming;
mod directory;
mod log_dirs;
mod partition;
pub mod requests;
mod schedule;
mod settings;
mod stop;
mod waiter;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

pub use self::directory::LogDirectory;
pub use self::partition::Partition;
pub use self::requests::{
    ListSpec, Listed, LogDirDescription, Offsets, ReadAnswer, ReadSpec, ReplicaDescription,
};
pub use self::waiter::Waiter;
pub use crate::kernel::log::append::{Appended, Origin};
pub use crate::kernel::replica::waiters::Isolation;

use self::directory::Left;
use self::schedule::Schedule;
use self::settings::Inherited;
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::log::file_names::{DirectoryFate, PartitionDirectory};
use crate::shell::disk::data_dirs::list_directories;
use crate::shell::resources::raise_descriptors;
use crate::types::epoch::BrokerEpoch;
use crate::types::ids::{DirectoryId, NodeId, PartitionId, TopicId, TopicName};
use crate::types::seeded_map::SeededMap;
use crate::types::time::{Mono, Now};

type Key = (TopicId, PartitionId);

/// Of the files that the process may have open, this part is the logs'; the others are connections.
const LOGS_SHARE: u64 = 2;

/// See the module.
pub struct Partitions {
    node: NodeId,
    directories: Vec<Arc<LogDirectory>>,
    /// What the clean marks said that the last start found.
    previous_broker_epoch: BrokerEpoch,
    by_key: RwLock<SeededMap<Key, Arc<Partition>>>,
    control: Mutex<Control>,
    schedule: Mutex<Schedule>,
    /// Above so many open files, those of idle partitions are closed.
    open_files_max: usize,
    /// The first image was applied: what is on the disk is known.
    is_started: AtomicBool,
}

/// What `apply` works with.
struct Control {
    inherited: Inherited,
    /// What the last run left, for each directory; dropped after the first image.
    left: Vec<Left>,
    /// Partitions' directories that no image has named yet: where they lie, by the index of the log directory.
    found: BTreeMap<(TopicName, PartitionId), usize>,
    doomed: Vec<Doomed>,
    /// Partitions that are gone, and that the checkpoints may still speak of.
    gone: BTreeSet<(TopicName, PartitionId)>,
}

/// A directory that is to be removed.
struct Doomed {
    at: Mono,
    path: PathBuf,
    directory: Arc<LogDirectory>,
}

/// Why the log directories cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No directory can be read.
    #[error("no log directory can be read: {path}: {source}")]
    Directories {
        /// The last one.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Two directories claim to be the same partition.
    #[error("duplicate log directories found: {first}, {second}")]
    Duplicate {
        /// One.
        first: String,
        /// The other.
        second: String,
    },
}

impl Partitions {
    /// Looks at the log directories. Logs are opened with the first image.
    pub fn open(
        node: NodeId,
        config: BrokerConfig,
        directories: Vec<(PathBuf, DirectoryId)>,
        now: Now,
    ) -> Result<Self, StartError> {
        let directories: Vec<_> = directories
            .into_iter()
            .map(|(path, id)| Arc::new(LogDirectory::new(path, id)))
            .collect();
        let schedule = Schedule::new(&config, now.mono);
        let mut control = Control {
            inherited: Inherited::new(config),
            left: Vec::with_capacity(directories.len()),
            found: BTreeMap::new(),
            doomed: Vec::new(),
            gone: BTreeSet::new(),
        };
        let mut failed = None;
        for (index, directory) in directories.iter().enumerate() {
            let looked = directory
                .read_left()
                .and_then(|left| list_directories(directory.path()).map(|names| (left, names)));
            let (left, names) = looked.unwrap_or_else(|error| {
                directory.fail("read", &error);
                failed = Some((directory.path().display().to_string(), error));
                (Left::default(), Vec::new())
            });
            control.left.push(left);
            for name in names {
                control.note(&directories, index, &name, now)?;
            }
        }
        if let Some((path, source)) = failed
            && directories.iter().all(|directory| directory.is_offline())
        {
            return Err(StartError::Directories { path, source });
        }
        Ok(Self {
            node,
            previous_broker_epoch: previous_epoch(&control.left),
            directories,
            by_key: RwLock::default(),
            control: Mutex::new(control),
            schedule: Mutex::new(schedule),
            open_files_max: (raise_descriptors() / LOGS_SHARE) as usize,
            is_started: AtomicBool::new(false),
        })
    }

    /// A partition of this node.
    pub fn get(&self, topic: TopicId, partition: PartitionId) -> Option<Arc<Partition>> {
        let by_key = self.by_key.read().unwrap_or_else(PoisonError::into_inner);
        by_key.get(&(topic, partition)).cloned()
    }

    /// All partitions, in no order.
    pub fn all(&self) -> Vec<Arc<Partition>> {
        let by_key = self.by_key.read().unwrap_or_else(PoisonError::into_inner);
        by_key.values().cloned().collect()
    }

    /// The epoch of this broker when it stopped in order; unknown if it did not. For its registration (KIP-966).
    pub const fn previous_broker_epoch(&self) -> BrokerEpoch {
        self.previous_broker_epoch
    }

    /// The log directories.
    #[cfg(test)]
    pub fn directories(&self) -> &[Arc<LogDirectory>] {
        &self.directories
    }

    /// Whether any log directory can still be written. A node without one has to end.
    pub fn is_usable(&self) -> bool {
        self.directories.iter().any(|directory| !directory.is_offline())
    }

    fn is_started(&self) -> bool {
        self.is_started.load(Ordering::Acquire)
    }
}

impl Control {
    /// Notes a directory in a log directory.
    fn note(
        &mut self,
        directories: &[Arc<LogDirectory>],
        index: usize,
        name: &str,
        now: Now,
    ) -> Result<(), StartError> {
        let Some(read) = PartitionDirectory::parse(name) else {
            return Ok(());
        };
        let directory = &directories[index];
        let path = directory.path().join(name);
        match read.fate {
            DirectoryFate::Live if read.topic.as_str() == TopicName::METADATA => {}
            DirectoryFate::Live => {
                let before = self.found.insert((read.topic, read.partition), index);
                if let Some(before) = before {
                    let first = directories[before].path().join(name).display().to_string();
                    let second = path.display().to_string();
                    return Err(StartError::Duplicate { first, second });
                }
            }
            DirectoryFate::Delete => {
                let delay_ms = self.inherited.broker_topic().file_delete_delay_ms;
                self.doom(path, Arc::clone(directory), delay_ms, now);
            }
            // Kept for the operator.
            DirectoryFate::Stray | DirectoryFate::Future => {}
        }
        Ok(())
    }

    /// A directory is removed when its time has come.
    fn doom(&mut self, path: PathBuf, directory: Arc<LogDirectory>, delay_ms: i64, now: Now) {
        let delay = Duration::from_millis(delay_ms.max(0).cast_unsigned());
        self.doomed.push(Doomed { at: now.mono.after(delay), path, directory });
    }
}

/// What the marks agree on: with one mark missing, or two epochs, the stop was not clean as a whole.
fn previous_epoch(left: &[Left]) -> BrokerEpoch {
    let mut epochs = left.iter().map(|left| left.clean.unwrap_or(BrokerEpoch::UNKNOWN));
    let first = epochs.next().unwrap_or(BrokerEpoch::UNKNOWN);
    if epochs.all(|epoch| epoch == first) { first } else { BrokerEpoch::UNKNOWN }
}

#[cfg(test)]
pub use tests::cleaning::dirty_partitions;

#[cfg(test)]
mod tests;
