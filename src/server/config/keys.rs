//! The keys that were set, each with the place that set it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{Refusal, properties, refusals};
use crate::kernel::authorizer::{ALLOW_EVERYONE_IF_NO_ACL_IS_FOUND, SUPER_USERS};
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::configs::definition::{BROKER, Default as KeyDefault, Definition};
use crate::kernel::configs::layers::Texts;
use crate::kernel::configs::value::ConfigError;

/// The most bytes read of a configuration file: far above any that was meant.
const FILE_MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Which place set a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This line of this file.
    File(Arc<Path>, usize),
    /// `--override`.
    Override,
    /// This variable.
    Variable(String),
    /// Built in, or an argument of plain `ottla`.
    Embedded,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Override => f.write_str("--override"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Embedded => f.write_str("built-in configuration"),
        }
    }
}

/// Keys and values, with their origin.
#[derive(Debug, Default)]
pub struct Keys {
    set: BTreeMap<String, (String, Origin)>,
}

impl Keys {
    /// Sets a key; what it was before is forgotten.
    pub fn set(&mut self, key: &str, value: &str, origin: Origin) {
        self.set.insert(key.to_owned(), (value.to_owned(), origin));
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// Adds what a `server.properties` sets.
    pub fn add_file(&mut self, path: &Path) -> Result<(), Refusal> {
        let shown = path.display();
        let bytes = read_file(path).map_err(|error| Refusal::one(format!("{shown}: {error}")))?;
        let properties =
            properties::parse(&bytes).map_err(|error| Refusal::one(format!("{shown}: {error}")))?;
        let path: Arc<Path> = Arc::from(path);
        for property in properties {
            let origin = Origin::File(Arc::clone(&path), property.line);
            self.set.insert(property.key, (property.value, origin));
        }
        Ok(())
    }

    /// The typed configuration, or a line for each mistake.
    pub fn read(&self) -> Result<BrokerConfig, Refusal> {
        let texts: Texts =
            self.set.iter().map(|(key, (value, _))| (key.clone(), value.clone())).collect();
        let errors = match BrokerConfig::new(&texts) {
            Ok(config) => match refusals::of(&config) {
                none if none.is_empty() => return Ok(config),
                refused => refused,
            },
            Err(errors) => errors,
        };
        let mut lines: Vec<String> = errors.iter().map(|error| self.line(error)).collect();
        lines.dedup();
        Err(Refusal { lines })
    }

    /// One line on a mistake: where, what, why, what is allowed.
    fn line(&self, error: &ConfigError) -> String {
        let Some(key) = &error.key else {
            return error.message.clone();
        };
        // `broker.id` is the older name of `node.id`, which an error may be about.
        let set = self.set.get_key_value(key).or_else(|| {
            let older = (key == "node.id").then_some("broker.id")?;
            self.set.get_key_value(older)
        });
        let definition = BROKER.get(key.as_str()).copied();
        let place = match set {
            Some((key, (_, origin))) if definition.is_some_and(Definition::is_sensitive) => {
                format!("{origin}: {key}=[hidden]: ")
            }
            Some((key, (value, origin))) => format!("{origin}: {key}={value}: "),
            None => String::new(),
        };
        let allowed = definition.map(allowed).unwrap_or_default();
        format!("{place}{}{allowed}", error.message)
    }

    /// A line on the keys that Kafka 4.3 does not have, and one on those of a listener that it has and that do nothing
    /// here yet; none if there are none.
    pub fn warnings(&self) -> Vec<String> {
        let line = |what: &str, is_meant: &dyn Fn(&str) -> bool| {
            let meant = self.set.iter().filter(|(key, _)| is_meant(key));
            let keys: Vec<String> =
                meant.map(|(key, (_, origin))| format!("{key} ({origin})")).collect();
            (!keys.is_empty()).then(|| format!("{what}: {}", keys.join(", ")))
        };
        let is_unknown = |key: &str| {
            !BROKER.contains_key(key) && !is_prefixed(key) && !OF_AUTHORIZER.contains(&key)
        };
        let lines = [
            line("keys that Kafka 4.3 does not know are ignored", &is_unknown),
            line("keys of a listener that have no effect yet", &is_idle),
        ];
        lines.into_iter().flatten().collect()
    }
}

/// Keys that are the authorizer's alone, and in no table of Kafka's.
const OF_AUTHORIZER: [&str; 2] = [SUPER_USERS, ALLOW_EVERYONE_IF_NO_ACL_IS_FOUND];
/// The prefix of the keys of one listener.
const LISTENER: &str = "listener.name.";
/// The one of them that is heeded.
const HEEDED: &str = ".max.connection.creation.rate";

/// Keys of a listener or a plugin, whose names are not in the table.
fn is_prefixed(key: &str) -> bool {
    [LISTENER, "rsm.config.", "rlmm.config."].iter().any(|prefix| key.starts_with(prefix))
}

/// Keys of a listener which are read by nobody.
fn is_idle(key: &str) -> bool {
    key.starts_with(LISTENER) && !key.ends_with(HEEDED)
}

/// What a key takes, and what it is when nobody sets it.
fn allowed(definition: &Definition) -> String {
    let default = match definition.default {
        KeyDefault::Is(text) => format!("default {text:?}"),
        KeyDefault::Null => "no default".to_owned(),
        KeyDefault::Required => "required".to_owned(),
    };
    format!(" ({}; {}; {default})", definition.kind.name(), definition.valid)
}

/// Reads a file that a person wrote.
fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    #[expect(clippy::disallowed_methods, reason = "the configuration file is no log data")]
    let file = std::fs::File::open(path)?;
    let mut bytes = Vec::new();
    file.take(FILE_MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_MAX_BYTES {
        return Err(std::io::Error::other(format!("longer than {FILE_MAX_BYTES} bytes")));
    }
    Ok(bytes)
}
