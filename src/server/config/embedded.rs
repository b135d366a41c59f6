//! The configuration of plain `ottla`: a combined node on the loopback addresses.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::environment::Environment;
use super::keys::{Keys, Origin};
use super::{Data, Refusal};

/// Kafka's port for clients, and the one beside it for the controller.
const CLIENT_PORT: u16 = 9092;
const CONTROLLER_PORT: u16 = 9093;

/// How often another name is tried for an ephemeral directory.
const EPHEMERAL_TRIES: u32 = 1000;

/// `--listen HOST:PORT`; an IPv6 address in brackets, an empty host for every address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    host: String,
    port: u16,
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not HOST:PORT");
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if bare.is_none() && host.contains(':') {
            return Err(format!("{text:?}: an IPv6 address goes in brackets, as in [::1]:9092"));
        }
        let host = bare.unwrap_or(host);
        if !crate::kernel::configs::listeners::is_host_text(host) {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), port: port.parse().map_err(|_| wrong())? })
    }
}

/// Adds the built-in keys. `localhost` stands for both loopback addresses.
pub fn add(
    keys: &mut Keys,
    data: &Data,
    listen: Option<&Listen>,
    environment: &Environment,
) -> Result<(), Refusal> {
    let loopback = Listen { host: "localhost".to_owned(), port: CLIENT_PORT };
    let listen = listen.unwrap_or(&loopback);
    // A second node on another port must not meet the first one's controller.
    let controller_port = if listen.port == CLIENT_PORT { CONTROLLER_PORT } else { 0 };
    let is_any = matches!(listen.host.as_str(), "" | "0.0.0.0" | "::");
    let bracketed = |host: &str| {
        if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
    };
    let host = if is_any { String::new() } else { bracketed(&listen.host) };
    let mut set = |key: &str, value: &str| keys.set(key, value, Origin::Embedded);
    set("process.roles", "broker,controller");
    set("node.id", "1");
    let port = listen.port;
    let controller = format!("CONTROLLER://localhost:{controller_port}");
    set("listeners", &format!("PLAINTEXT://{host}:{port},{controller}"));
    set("controller.listener.names", "CONTROLLER");
    set("controller.quorum.voters", &format!("1@localhost:{controller_port}"));
    // One node cannot hold the three replicas that Kafka's defaults ask for.
    for (key, value) in [
        ("offsets.topic.replication.factor", "1"),
        ("transaction.state.log.replication.factor", "1"),
        ("transaction.state.log.min.isr", "1"),
        ("share.coordinator.state.topic.replication.factor", "1"),
        ("share.coordinator.state.topic.min.isr", "1"),
        ("group.initial.rebalance.delay.ms", "0"),
    ] {
        set(key, value);
    }
    let directory = match data {
        Data::Directory(path) => path.clone(),
        Data::Platform => platform_directory(environment)?,
        // Made and set by the caller, who keeps it.
        Data::Ephemeral => return Ok(()),
    };
    set("log.dirs", path_text(&directory)?);
    Ok(())
}

/// `$XDG_DATA_HOME/ottla`, or `~/.local/share/ottla`.
fn platform_directory(environment: &Environment) -> Result<PathBuf, Refusal> {
    let absolute = |name: &str| {
        environment.variable(name).map(PathBuf::from).filter(|path| path.is_absolute())
    };
    let data_home = absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .ok_or_else(|| {
            Refusal::one("no place for the data: set HOME, or name a directory with --data DIR")
        })?;
    Ok(data_home.join("ottla"))
}

/// A directory as the value of `log.dirs`, which is a list.
fn path_text(path: &Path) -> Result<&str, Refusal> {
    let text = path.to_str().filter(|text| !text.is_empty() && !text.contains(','));
    text.ok_or_else(|| {
        Refusal::one(format!("{}: a data directory is text without commas", path.display()))
    })
}

/// A new directory that is removed, with everything in it, when this is dropped.
#[derive(Debug)]
pub struct EphemeralDir {
    path: PathBuf,
}

impl EphemeralDir {
    /// Makes one among the system's temporary files, readable by this user only.
    pub fn create() -> Result<Self, Refusal> {
        use std::os::unix::fs::DirBuilderExt as _;
        let parent = std::env::temp_dir();
        let id = std::process::id();
        for attempt in 0..EPHEMERAL_TRIES {
            let path = parent.join(format!("ottla-{id}-{attempt}"));
            path_text(&path)?;
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Refusal::one(format!("{}: {error}", path.display()))),
            }
        }
        Err(Refusal::one(format!("{}: no free name for a directory", parent.display())))
    }

    /// As the value of `log.dirs`.
    pub fn text(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }
}

impl Drop for EphemeralDir {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "remove the ephemeral data");
        }
    }
}
