//! Formatting: what makes a directory one of a cluster, done by `ottla format` or at the start of an empty one.
//!
//! The files are those of Kafka 4.3's storage tool: `meta.properties`, `bootstrap.checkpoint`, and in a dynamic quorum
//! (KIP-853) the snapshot 0-0 with the first voters. `meta.properties` is written last, because it is what says that
//! a directory is formatted: after a crash before it, formatting starts over.
//! Deliberately absent: SCRAM credentials (`--add-scram`), which come with SASL.

pub mod command;
pub mod features;
mod files;
pub mod start;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use self::features::Levels;
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::log::meta_properties::{META_PROPERTIES, MetaProperties};
use crate::kernel::raft::checkpoint::Checkpoint;
use crate::kernel::raft::control::ControlRecord;
use crate::kernel::raft::snapshot_id::SnapshotId;
use crate::kernel::raft::voters::{Endpoint, ReplicaKey, VoterSet};
use crate::types::ids::{DirectoryId, NodeId, uuid_from_random};
use crate::types::time::{Now, Timestamp};

/// The name of the file with the first records of a new cluster, in each log directory.
pub const BOOTSTRAP_CHECKPOINT: &str = "bootstrap.checkpoint";
/// The directory of the metadata log within the metadata directory.
pub const METADATA_DIRECTORY: &str = "__cluster_metadata-0";

/// How the first voters of the quorum are chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum InitialQuorum {
    /// Not said: only a static quorum can do without.
    #[default]
    Unspecified,
    /// `--standalone`: this node alone.
    Standalone,
    /// `--no-initial-controllers`: this node will be told later.
    NoInitialControllers,
    /// `--initial-controllers`: these, as `id@host:port:directory,…`.
    Controllers(String),
}

/// What the command line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FormatOptions {
    /// `--cluster-id`.
    pub cluster_id: String,
    /// `--release-version`.
    pub release_version: Option<String>,
    /// Each `--feature`, as `name=level`.
    pub features: Vec<String>,
    /// `--ignore-formatted`.
    pub ignore_formatted: bool,
    /// `--standalone` and its kin.
    pub quorum: InitialQuorum,
}

/// Where the first controller listener is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControllerListener {
    /// The first of `controller.listener.names`.
    pub name: String,
    /// Its advertised host; empty where none is configured.
    pub host: String,
    /// Its advertised port.
    pub port: u16,
}

/// What the configuration says of storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// `node.id`.
    pub node_id: NodeId,
    /// Whether `process.roles` has the controller in it.
    pub is_controller: bool,
    /// `log.dirs`.
    pub log_dirs: Vec<PathBuf>,
    /// `metadata.log.dir`, by default the first of `log.dirs`.
    pub metadata_log_dir: PathBuf,
    /// The first controller listener.
    pub controller_listener: ControllerListener,
    /// Whether `controller.quorum.voters` names the voters.
    pub static_quorum: bool,
}

impl Storage {
    /// What the configuration of a node says.
    pub fn of(config: &BrokerConfig) -> Self {
        let listener = config.advertised_controller_listeners.first();
        let first_name = config.controller_listener_names.first();
        let listener = ControllerListener {
            name: listener
                .map(|endpoint| &endpoint.name)
                .or(first_name)
                .cloned()
                .unwrap_or_default(),
            host: listener.and_then(|endpoint| endpoint.host.clone()).unwrap_or_default(),
            port: listener.map_or(0, |endpoint| endpoint.port),
        };
        Self {
            node_id: config.node_id,
            is_controller: config.has_role("controller"),
            log_dirs: config.log_dirs.iter().map(PathBuf::from).collect(),
            metadata_log_dir: PathBuf::from(config.metadata_dir()),
            controller_listener: listener,
            static_quorum: !config.controller_quorum_voters.is_empty(),
        }
    }
}

/// Why a directory was not formatted, or cannot be started on.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// What is asked for does not go together, or with what is there.
    #[error("{0}")]
    Refused(String),
    /// A `meta.properties` that cannot be used.
    #[error("{}: {why}", path.display())]
    MetaProperties {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The directory holds something that is not ours.
    #[error(
        "the directory {} is not formatted, and it is not empty: it contains {found}. Name another directory, or format this one with `ottla format`",
        directory.display()
    )]
    ForeignContent {
        /// The directory.
        directory: PathBuf,
        /// The first name in it.
        found: String,
    },
    /// Reading or writing failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Draws 16 random bytes.
pub type Random<'a> = &'a mut dyn FnMut() -> [u8; 16];

/// `ottla format`: formats what is not formatted, and says so on `out`.
pub fn format(
    options: &FormatOptions,
    storage: &Storage,
    out: &mut dyn Write,
    now: Now,
    random: Random<'_>,
) -> Result<(), FormatError> {
    let plan = Plan::new(options, storage, random)?;
    let found = Found::read(storage)?;
    found.check(Some(&options.cluster_id), storage.node_id)?;
    if let Some(first) = found.formatted.keys().next().filter(|_| !options.ignore_formatted) {
        return Err(FormatError::Refused(format!(
            "Log directory {} is already formatted. Use --ignore-formatted to ignore this directory and format the others.",
            first.display()
        )));
    }
    let mut say = |line: String| {
        writeln!(out, "{line}")
            .map_err(|source| FormatError::Io { path: PathBuf::from("standard output"), source })
    };
    if found.empty.is_empty() {
        return say("All of the log directories are already formatted.".to_owned());
    }
    for directory in &found.empty {
        say(format!(
            "Formatting {} {} with metadata.version {}.",
            plan.kind(directory, storage),
            directory.display(),
            features::metadata_version_name(plan.levels.metadata_version).unwrap_or("unknown"),
        ))?;
        plan.write(directory, storage, now, random)?;
    }
    Ok(())
}

/// What is written into every directory of this run.
struct Plan {
    cluster_id: String,
    levels: Levels,
    /// The first voters, in a dynamic quorum that names them.
    voters: Option<VoterSet>,
}

impl Plan {
    fn new(
        options: &FormatOptions,
        storage: &Storage,
        random: Random<'_>,
    ) -> Result<Self, FormatError> {
        let refused = |text: &str| Err(FormatError::Refused(text.to_owned()));
        let listener = &storage.controller_listener;
        let voters = match &options.quorum {
            InitialQuorum::Standalone | InitialQuorum::Controllers(_) if storage.static_quorum => {
                return refused(
                    "You cannot specify controller.quorum.voters and format the node with --initial-controllers or --standalone. If you want to use dynamic quorum, please remove controller.quorum.voters and specify controller.quorum.bootstrap.servers instead.",
                );
            }
            InitialQuorum::Standalone if !storage.is_controller => {
                return refused("You can only use --standalone on a controller.");
            }
            InitialQuorum::Standalone => Some(standalone_voters(storage, random)),
            InitialQuorum::Controllers(text) => Some(
                VoterSet::from_dynamic(text, &listener.name)
                    .map_err(|error| FormatError::Refused(error.to_string()))?,
            ),
            InitialQuorum::Unspecified if storage.is_controller && !storage.static_quorum => {
                return refused(
                    "Because controller.quorum.voters is not set on this controller, you must specify one of the following: --standalone, --initial-controllers, or --no-initial-controllers.",
                );
            }
            InitialQuorum::Unspecified | InitialQuorum::NoInitialControllers => None,
        };
        let levels = Levels::choose(options.release_version.as_deref(), &options.features)?;
        check_kraft_version(&levels, options, storage)?;
        Ok(Self { cluster_id: options.cluster_id.clone(), levels, voters })
    }

    /// What Kafka calls such a directory.
    fn kind(&self, directory: &Path, storage: &Storage) -> &'static str {
        if directory != storage.metadata_log_dir {
            return "data directory";
        }
        match &self.voters {
            None => "metadata directory",
            Some(voters) if voters.0.contains_key(&storage.node_id) => {
                "dynamic metadata voter directory"
            }
            Some(_) => "dynamic metadata directory",
        }
    }

    fn write(
        &self,
        directory: &Path,
        storage: &Storage,
        now: Now,
        random: Random<'_>,
    ) -> Result<MetaProperties, FormatError> {
        files::create_directories(directory)?;
        let bootstrap = self.bootstrap_checkpoint(now.wall);
        files::write_durably(&directory.join(BOOTSTRAP_CHECKPOINT), &bootstrap, files::WRITABLE)?;
        let mut directory_id = None;
        if directory == storage.metadata_log_dir
            && let Some(voters) = &self.voters
        {
            let metadata = directory.join(METADATA_DIRECTORY);
            files::create_directories(&metadata)?;
            let bytes = self.voters_checkpoint(voters, now.wall);
            let path = metadata.join(SnapshotId::BOOTSTRAP.file_name());
            files::write_durably(&path, &bytes, files::READ_ONLY)?;
            directory_id = voters.0.get(&storage.node_id).and_then(|voter| voter.key.directory_id);
        }
        let meta_properties = MetaProperties {
            cluster_id: self.cluster_id.clone(),
            node_id: storage.node_id,
            directory_id: Some(directory_id.unwrap_or_else(|| random_directory_id(random))),
        };
        write_meta_properties(directory, &meta_properties, now.wall)?;
        Ok(meta_properties)
    }

    fn bootstrap_checkpoint(&self, now: Timestamp) -> Vec<u8> {
        let header = ControlRecord::SnapshotHeader { last_contained_log_timestamp: Timestamp(0) };
        Checkpoint::encode(&[header], self.levels.values(), SnapshotId::BOOTSTRAP, now)
    }

    fn voters_checkpoint(&self, voters: &VoterSet, now: Timestamp) -> Vec<u8> {
        let control = [
            ControlRecord::SnapshotHeader { last_contained_log_timestamp: now },
            ControlRecord::KRaftVersion(self.levels.kraft_version.unwrap_or(1)),
            ControlRecord::Voters(voters.clone()),
        ];
        Checkpoint::encode(&control, std::iter::empty(), SnapshotId::BOOTSTRAP, now)
    }
}

/// kraft.version follows from the quorum; naming one that contradicts it is a mistake.
fn check_kraft_version(
    levels: &Levels,
    options: &FormatOptions,
    storage: &Storage,
) -> Result<(), FormatError> {
    let dynamic = !storage.static_quorum && options.quorum != InitialQuorum::Unspecified;
    let quorum = "controller.quorum.voters is empty and one of the flags --standalone, --initial-controllers, or --no-initial-controllers is used";
    match levels.kraft_version {
        Some(0) if dynamic => Err(FormatError::Refused(format!(
            "Cannot set kraft.version to 0 if {quorum}. For dynamic controllers support, try removing the --feature flag for kraft.version."
        ))),
        Some(level) if level > 0 && !dynamic => Err(FormatError::Refused(format!(
            "Cannot set kraft.version to {level} unless {quorum}. For dynamic controllers support, try using one of --standalone, --initial-controllers, or --no-initial-controllers and removing controller.quorum.voters."
        ))),
        _ => Ok(()),
    }
}

fn standalone_voters(storage: &Storage, random: Random<'_>) -> VoterSet {
    let listener = &storage.controller_listener;
    let host = if listener.host.is_empty() { "localhost" } else { &listener.host };
    let key = ReplicaKey { id: storage.node_id, directory_id: Some(random_directory_id(random)) };
    VoterSet::of_one(key, &listener.name, Endpoint { host: host.to_owned(), port: listener.port })
}

fn random_directory_id(random: Random<'_>) -> DirectoryId {
    loop {
        if let Some(uuid) = uuid_from_random(random()) {
            return DirectoryId(uuid);
        }
    }
}

fn write_meta_properties(
    directory: &Path,
    meta_properties: &MetaProperties,
    now: Timestamp,
) -> Result<(), FormatError> {
    let text = meta_properties.to_text(now);
    files::write_durably(&directory.join(META_PROPERTIES), text.as_bytes(), files::WRITABLE)
}

/// What the log directories say of themselves.
struct Found {
    formatted: BTreeMap<PathBuf, MetaProperties>,
    empty: BTreeSet<PathBuf>,
}

impl Found {
    fn read(storage: &Storage) -> Result<Self, FormatError> {
        let mut found = Self { formatted: BTreeMap::new(), empty: BTreeSet::new() };
        let directories = storage.log_dirs.iter().chain([&storage.metadata_log_dir]);
        for directory in directories.collect::<BTreeSet<_>>() {
            let path = directory.join(META_PROPERTIES);
            match files::read_text(&path)? {
                None => {
                    found.empty.insert(directory.clone());
                }
                Some(text) => {
                    let meta_properties = MetaProperties::parse(&text).map_err(|error| {
                        FormatError::MetaProperties { path, why: error.to_string() }
                    })?;
                    found.formatted.insert(directory.clone(), meta_properties);
                }
            }
        }
        Ok(found)
    }

    /// All directories belong to one cluster and to this node, and no two are one.
    fn check(&self, cluster_id: Option<&str>, node_id: NodeId) -> Result<(), FormatError> {
        let mut cluster_id = cluster_id;
        let mut seen: BTreeMap<DirectoryId, &Path> = BTreeMap::new();
        for (directory, properties) in &self.formatted {
            let path = directory.join(META_PROPERTIES);
            let expected = *cluster_id.get_or_insert(&properties.cluster_id);
            if properties.cluster_id != expected {
                return Err(FormatError::Refused(format!(
                    "Invalid cluster.id in: {}. Expected {expected}, but read {}",
                    path.display(),
                    properties.cluster_id
                )));
            }
            if properties.node_id != node_id {
                return Err(FormatError::Refused(format!(
                    "Stored node id {} doesn't match previous node id {node_id} in {}. If you moved your data, make sure your configured node id matches. If you intend to create a new node, you should remove all data in your data directories.",
                    properties.node_id,
                    path.display()
                )));
            }
            let Some(id) = properties.directory_id else { continue };
            if let Some(other) = seen.insert(id, directory) {
                return Err(FormatError::Refused(format!(
                    "Duplicate directory ID {id} found. It was the ID of {}, but also of {}",
                    other.display(),
                    directory.display()
                )));
            }
        }
        Ok(())
    }
}
