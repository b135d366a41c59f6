//! From arguments, files and environment to the configuration a node starts with.
//!
//! Later sources win: a file, the environment (as the container images map it), `--override`. A bad
//! value stops the start, and every bad value is told at once: where it stands, what it is, what is
//! allowed. A key that Kafka does not know is told once and passed over, as Kafka does. What this
//! version cannot do yet ([`refusals`]) stops the start too, rather than being silently left out.

mod embedded;
mod environment;
mod keys;
mod properties;
mod refusals;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use self::embedded::EphemeralDir;
use self::keys::{Keys, Origin};
use crate::kernel::configs::broker::BrokerConfig;

pub use self::embedded::Listen;
pub use self::environment::Environment;

/// Where the configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Plain `ottla`: what is built in, with a place for the data and an address.
    Embedded {
        /// Where the data lies.
        data: Data,
        /// Where clients connect.
        listen: Option<Listen>,
        /// `--override`.
        overrides: Vec<(String, String)>,
    },
    /// `ottla start FILE`.
    File {
        /// A `server.properties`.
        path: PathBuf,
        /// `--override`.
        overrides: Vec<(String, String)>,
    },
    /// `ottla start`: the `KAFKA_*` variables of the container images.
    Environment {
        /// `--override`.
        overrides: Vec<(String, String)>,
    },
}

/// Where the built-in configuration keeps its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// In the platform's directory for data.
    Platform,
    /// `--data`.
    Directory(PathBuf),
    /// `--ephemeral`: in a new directory that is removed at the end.
    Ephemeral,
}

/// What a node starts with.
#[derive(Debug)]
pub struct Settings {
    /// Every key that was set, checked and typed.
    pub broker: BrokerConfig,
    /// The cluster id to format an empty directory with, where the environment names one.
    pub cluster_id: Option<String>,
    /// Lines for the operator, each told once at the start.
    pub warnings: Vec<String>,
    /// Removes the data when it is dropped.
    ephemeral: Option<EphemeralDir>,
}

impl Settings {
    /// Whether the data goes away with the node.
    pub const fn is_ephemeral(&self) -> bool {
        self.ephemeral.is_some()
    }
}

/// Why a node does not start: one line for each reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines.join("\n"))]
pub struct Refusal {
    /// Each names its key, its place and what is allowed.
    pub lines: Vec<String>,
}

impl Refusal {
    fn one(line: impl Into<String>) -> Self {
        Self { lines: vec![line.into()] }
    }
}

impl Source {
    /// Reads the source. An ephemeral directory is made here, and removed if the rest is refused.
    pub fn load(&self, environment: &Environment) -> Result<Settings, Refusal> {
        let mut keys = Keys::default();
        let mut cluster_id = None;
        let overrides = match self {
            Self::Embedded { data, listen, overrides } => {
                embedded::add(&mut keys, data, listen.as_ref(), environment)?;
                overrides
            }
            Self::File { path, overrides } => {
                keys.add_file(path)?;
                overrides
            }
            Self::Environment { overrides } => {
                environment.add(&mut keys)?;
                cluster_id = Some(environment.cluster_id());
                if keys.is_empty() {
                    embedded::add(&mut keys, &Data::Platform, None, environment)?;
                }
                overrides
            }
        };
        for (key, value) in overrides {
            keys.set(key, value, Origin::Override);
        }
        let ephemeral = matches!(self, Self::Embedded { data: Data::Ephemeral, .. })
            .then(EphemeralDir::create)
            .transpose()?;
        if let Some(directory) = &ephemeral {
            keys.set("log.dirs", &directory.text(), Origin::Embedded);
        }
        let broker = keys.read()?;
        Ok(Settings { broker, cluster_id, warnings: keys.warnings(), ephemeral })
    }
}
