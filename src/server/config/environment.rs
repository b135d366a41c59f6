//! Environment variables, as the container images of Kafka turn them into keys.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Refusal;
use super::keys::{Keys, Origin};

/// Where the image of Apache Kafka looks for a mounted file.
const MOUNTED_FILE: &str = "/mnt/shared/config/server.properties";

/// The cluster id of the image where `CLUSTER_ID` is not set.
const DEFAULT_CLUSTER_ID: &str = "5L6g3nShT-eMCtK--X86sw";

/// `KAFKA_*` variables that are no keys: they are for the JVM and its logging.
const NO_KEYS: &[&str] = &[
    "KAFKA_VERSION",
    "KAFKA_HEAP_OPTS",
    "KAFKA_LOG4J_OPTS",
    "KAFKA_OPTS",
    "KAFKA_JMX_OPTS",
    "KAFKA_JVM_PERFORMANCE_OPTS",
    "KAFKA_GC_LOG_OPTS",
    "KAFKA_LOG4J_ROOT_LOGLEVEL",
    "KAFKA_LOG4J_LOGGERS",
    "KAFKA_TOOLS_LOG4J_LOGLEVEL",
    "KAFKA_JMX_HOSTNAME",
];

/// The variables, and the file that may be mounted beside them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    mounted_file: Option<PathBuf>,
}

impl Environment {
    /// That of the process. Variables that are not text are passed over.
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            variables: std::env::vars_os().filter_map(text).collect(),
            mounted_file: Some(PathBuf::from(MOUNTED_FILE)),
        }
    }

    #[cfg(test)]
    pub fn of(variables: &[(&str, &str)], mounted_file: Option<&std::path::Path>) -> Self {
        let text = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            variables: variables.iter().map(text).collect(),
            mounted_file: mounted_file.map(std::path::Path::to_owned),
        }
    }

    /// A variable that is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// `CLUSTER_ID`, or what the image takes instead.
    pub fn cluster_id(&self) -> String {
        self.variable("CLUSTER_ID").unwrap_or(DEFAULT_CLUSTER_ID).to_owned()
    }

    /// The mounted file's keys, if there is one, and then those of the variables.
    pub fn add(&self, keys: &mut Keys) -> Result<(), Refusal> {
        if let Some(path) = self.mounted_file.as_deref().filter(|path| path.exists()) {
            keys.add_file(path)?;
        }
        for (name, value) in &self.variables {
            if let Some(key) = key_of(name) {
                keys.set(&key, value, Origin::Variable(name.clone()));
            }
        }
        self.derive_listeners(keys);
        Ok(())
    }

    /// The image listens on every address at the advertised ports where listeners are not set.
    fn derive_listeners(&self, keys: &mut Keys) {
        const ADVERTISED: &str = "KAFKA_ADVERTISED_LISTENERS";
        let Some(advertised) = self.variable(ADVERTISED) else { return };
        let is_controller = self.variable("KAFKA_PROCESS_ROLES") == Some("controller");
        if self.variable("KAFKA_LISTENERS").is_some() || is_controller {
            return;
        }
        let listeners: Vec<String> = advertised
            .split(',')
            .map(|entry| match (entry.find("://"), entry.rfind(':')) {
                (Some(name), Some(port)) if port > name => {
                    format!("{}://0.0.0.0{}", &entry[..name], &entry[port..])
                }
                _ => entry.to_owned(),
            })
            .collect();
        keys.set("listeners", &listeners.join(","), Origin::Variable(ADVERTISED.to_owned()));
    }
}

/// The key that a variable sets: without its prefix, in lower case, `_` to `.`, `__` to `_`, `___` to
/// `-`. Bitnami's images prefix `KAFKA_CFG_`.
fn key_of(name: &str) -> Option<String> {
    if NO_KEYS.contains(&name) {
        return None;
    }
    let rest = name.strip_prefix("KAFKA_")?;
    let rest = rest.strip_prefix("CFG_").unwrap_or(rest);
    let dotted = rest.to_lowercase().replace('_', ".");
    Some(dotted.replace("...", "-").replace("..", "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_become_keys_as_in_the_image() {
        for (name, key) in [
            ("KAFKA_NODE_ID", Some("node.id")),
            ("KAFKA_listeners", Some("listeners")),
            ("KAFKA_A__B", Some("a_b")),
            ("KAFKA_A___B", Some("a-b")),
            ("KAFKA_CFG_NUM_PARTITIONS", Some("num.partitions")),
            ("KAFKA_HEAP_OPTS", None),
            ("kafka_node_id", None),
            ("PATH", None),
        ] {
            assert_eq!(key_of(name).as_deref(), key, "{name}");
        }
    }
}
