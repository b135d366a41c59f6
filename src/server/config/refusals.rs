//! What Kafka can do and this version cannot: said at the start, by key, instead of left out silently.

use crate::kernel::authorizer::Authorizer;
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::configs::listeners::SecurityProtocol;
use crate::kernel::configs::value::ConfigError;

/// Keys that would change who may do what, or what is kept, if they were passed over; each with what
/// it asks for. A value that is empty or `false` asks for nothing.
const MUST_BE_UNSET: &[(&str, &str)] = &[
    ("alter.config.policy.class.name", "a policy for changes of configuration"),
    ("create.topic.policy.class.name", "a policy for new topics"),
    ("client.quota.callback.class", "a quota callback"),
    ("remote.log.storage.system.enable", "tiered storage"),
    ("config.providers", "configuration providers"),
];

/// What this configuration asks for in vain.
pub fn of(config: &BrokerConfig) -> Vec<ConfigError> {
    let mut refused: Vec<ConfigError> =
        Authorizer::of(&config.explicit).err().into_iter().collect();
    let mut refuse = |key: &str, message: String| refused.push(ConfigError::of(key, message));
    if !(config.has_role("broker") && config.has_role("controller")) {
        let roles = config.process_roles.join(",");
        let message = format!(
            "this version runs as broker and controller in one node: process.roles must be \
             broker,controller and not {roles}"
        );
        refuse("process.roles", message);
    }
    if config.controller_quorum_voters.len() > 1 {
        let message = "this version runs as a quorum of one: controller.quorum.voters must name \
                       this node alone";
        refuse("controller.quorum.voters", message.to_owned());
    }
    for listener in &config.listeners {
        if listener.protocol != SecurityProtocol::Plaintext {
            let message = format!(
                "this version serves PLAINTEXT listeners only: {listener} is {}",
                listener.protocol.name()
            );
            refuse("listeners", message);
        }
    }
    if config.log_dirs.len() > 1 {
        let message = format!(
            "this version keeps its data in one directory: log.dirs names {}",
            config.log_dirs.len()
        );
        refuse("log.dirs", message);
    }
    let only = config.log_dirs.first().map(String::as_str);
    if config.metadata_log_dir.is_some() && config.metadata_log_dir.as_deref() != only {
        let message = "this version keeps the metadata log in the directory of log.dirs";
        refuse("metadata.log.dir", message.to_owned());
    }
    for (key, what) in MUST_BE_UNSET {
        let text = config.explicit.get(*key).map_or("", |text| text.trim());
        if !text.is_empty() && !text.eq_ignore_ascii_case("false") {
            refuse(key, format!("this version has not got {what}, and does not start without it"));
        }
    }
    refused
}
