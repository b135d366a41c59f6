//! Changes of configuration: what a request does to a resource's overrides, and whether it may.
//!
//! Kafka checks twice. The broker that gets the request checks the request's shape and, for broker
//! resources, the values ([`check_shape`], [`check_broker`]); the controller computes the new
//! overrides and checks those of topics ([`incremental`], [`legacy`], `topic::validate`).
//!
//! Beyond Kafka: keys of a broker's listeners and security cannot be changed at run time, nor classes
//! be named; only what is known not to run code or open files is let through.

use std::collections::BTreeSet;

use super::broker::BrokerConfig;
use super::definition::{BROKER, Definitions, Kind, Update};
use super::layers::{BrokerLayers, Texts};
use super::value::{ConfigError, parse};
use crate::types::error_code::ErrorCode;

/// Why a resource was not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterRefusal {
    /// The code of the answer.
    pub code: ErrorCode,
    /// The words beside it; none where Kafka sends none.
    pub message: Option<String>,
}

impl AlterRefusal {
    /// A refusal with words.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()) }
    }

    fn request(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidRequest, message)
    }

    fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidConfig, message)
    }
}

/// What happens to one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// It gets the value.
    Set,
    /// Its override goes away.
    Delete,
    /// The values are added to a list.
    Append,
    /// The values are taken from a list.
    Subtract,
}

impl Operation {
    /// The operation of that number in IncrementalAlterConfigs (KIP-339).
    pub const fn from_wire(number: i8) -> Option<Self> {
        match number {
            0 => Some(Self::Set),
            1 => Some(Self::Delete),
            2 => Some(Self::Append),
            3 => Some(Self::Subtract),
            _ => None,
        }
    }
}

/// A change of one key, as the request has it: the operation may be one that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: String,
    /// The operation's number.
    pub operation: i8,
    /// The value; none is right for Delete only.
    pub value: Option<String>,
}

/// Refuses a resource's changes where a key is there twice or a value is missing.
pub fn check_shape(changes: &[Change]) -> Result<(), AlterRefusal> {
    let keys: BTreeSet<&str> = changes.iter().map(|change| change.key.as_str()).collect();
    if keys.len() != changes.len() {
        return Err(AlterRefusal::request("Error due to duplicate config keys"));
    }
    let needs_value = |change: &&Change| {
        Operation::from_wire(change.operation) != Some(Operation::Delete) && change.value.is_none()
    };
    let missing: Vec<&str> =
        changes.iter().filter(needs_value).map(|change| change.key.as_str()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let keys = missing.join(", ");
    Err(AlterRefusal::request(format!("Null value not supported for : {keys}")))
}

/// The keys whose value a request changes, with the new value; none takes the override away. A key of
/// a broker is listed even if its value stays, so that brokers read it again (KAFKA-14136).
pub type Altered = Vec<(String, Option<String>)>;

/// Which resource's overrides are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// A topic's.
    Topic,
    /// One broker's.
    Broker,
    /// All brokers'.
    ClusterDefault,
    /// A group's.
    Group,
}

impl Resource {
    /// The keys that the resource can have.
    pub fn definitions(self) -> &'static Definitions {
        match self {
            Self::Topic => &super::definition::TOPIC,
            Self::Group => &super::definition::GROUP,
            Self::Broker | Self::ClusterDefault => &BROKER,
        }
    }

    const fn is_of_brokers(self) -> bool {
        matches!(self, Self::Broker | Self::ClusterDefault)
    }
}

/// What IncrementalAlterConfigs does to the overrides `current`.
///
/// `elr_enabled` says whether eligible leader replicas (KIP-966) are on.
pub fn incremental(
    resource: Resource,
    current: &Texts,
    changes: &[Change],
    elr_enabled: bool,
) -> Result<Altered, AlterRefusal> {
    let mut altered = Altered::new();
    for change in changes {
        let old = current.get(&change.key);
        let new = changed(resource, old.map(String::as_str), change)?;
        if new.as_ref() != old || resource.is_of_brokers() {
            altered.push((change.key.clone(), new));
        }
    }
    check_min_insync(resource, &altered, elr_enabled)?;
    Ok(altered)
}

fn changed(
    resource: Resource,
    old: Option<&str>,
    change: &Change,
) -> Result<Option<String>, AlterRefusal> {
    let Some(operation) = Operation::from_wire(change.operation) else {
        // Kafka's controller fails on its own mistake here and answers with no words.
        return Err(AlterRefusal { code: ErrorCode::UnknownServerError, message: None });
    };
    let value = change.value.as_deref().unwrap_or_default();
    let (appends, verb) = match operation {
        Operation::Set => return Ok(Some(value.to_owned())),
        Operation::Delete => return Ok(None),
        Operation::Append => (true, "APPEND"),
        Operation::Subtract => (false, "SUBTRACT"),
    };
    let key = &change.key;
    let definition = resource.definitions().get(key.as_str()).copied();
    let Some(definition) = definition.filter(|definition| definition.kind == Kind::List) else {
        let message = format!("Can't {verb} to key {key} because its type is not LIST.");
        return Err(AlterRefusal::config(message));
    };
    let old = old.or_else(|| definition.default_text()).unwrap_or_default();
    let mut parts: Vec<&str> = old.split(',').filter(|part| !part.is_empty()).collect();
    for part in value.split(',') {
        let place = parts.iter().position(|have| *have == part);
        match (appends, place) {
            (true, None) => parts.push(part),
            (false, Some(place)) => {
                parts.remove(place);
            }
            _ => {}
        }
    }
    Ok(Some(parts.join(",")))
}

/// What the older AlterConfigs does to the overrides `current`: keys that are not named go away.
pub fn legacy(
    resource: Resource,
    current: &Texts,
    new: &Texts,
    elr_enabled: bool,
) -> Result<Altered, AlterRefusal> {
    let set = new
        .iter()
        .filter(|(key, value)| current.get(*key) != Some(*value) || resource.is_of_brokers())
        .map(|(key, value)| (key.clone(), Some(value.clone())));
    let gone = current.keys().filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), None));
    let altered: Altered = set.chain(gone).collect();
    check_min_insync(resource, &altered, elr_enabled)?;
    Ok(altered)
}

/// The overrides after a change.
pub fn applied(current: &Texts, altered: &Altered) -> Texts {
    let mut new = current.clone();
    for (key, value) in altered {
        match value {
            Some(value) => new.insert(key.clone(), value.clone()),
            None => new.remove(key),
        };
    }
    new
}

/// With eligible leader replicas the cluster has one min.insync.replicas, and has it always.
fn check_min_insync(
    resource: Resource,
    altered: &Altered,
    elr_enabled: bool,
) -> Result<(), AlterRefusal> {
    let change = altered.iter().find(|(key, _)| key == "min.insync.replicas");
    match (resource, change) {
        (Resource::Broker, Some(_)) if elr_enabled => Err(AlterRefusal::config(
            "Broker-level min.insync.replicas cannot be altered while ELR is enabled.",
        )),
        (Resource::ClusterDefault, Some((_, None))) if elr_enabled => Err(AlterRefusal::config(
            "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.",
        )),
        _ => Ok(()),
    }
}

/// Whether a broker can take these changes at run time, as the broker that gets the request checks
/// them. `layers` are its values now; `dynamic_default` there is changed if `resource` is the cluster's
/// default, otherwise `dynamic_broker`.
pub fn check_broker_changes(
    resource: Resource,
    config: &BrokerConfig,
    layers: &BrokerLayers<'_>,
    changes: &[Change],
) -> Result<(), AlterRefusal> {
    let current = own_layer(resource, layers);
    let mut new = current.clone();
    for change in changes {
        let Some(operation) = Operation::from_wire(change.operation) else {
            let message = format!("Unknown operations type {}", change.operation);
            return Err(AlterRefusal::request(message));
        };
        if matches!(operation, Operation::Append | Operation::Subtract) {
            check_is_list(change, operation)?;
        }
        match changed(resource, current.get(&change.key).map(String::as_str), change)? {
            Some(value) => new.insert(change.key.clone(), value),
            None => new.remove(&change.key),
        };
    }
    check_broker(resource, config, layers, &new)
}

fn own_layer<'a>(resource: Resource, layers: &BrokerLayers<'a>) -> &'a Texts {
    match resource {
        Resource::ClusterDefault => layers.dynamic_default,
        Resource::Broker | Resource::Topic | Resource::Group => layers.dynamic_broker,
    }
}

/// The broker's own words, which differ from the controller's.
fn check_is_list(change: &Change, operation: Operation) -> Result<(), AlterRefusal> {
    let key = &change.key;
    let Some(definition) = BROKER.get(key.as_str()) else {
        return Err(AlterRefusal::config(format!("Unknown config name: {key}")));
    };
    if definition.kind == Kind::List {
        return Ok(());
    }
    let verb = if operation == Operation::Append { "append" } else { "subtract" };
    let message = format!("Config value {verb} is not allowed for config key: {key}");
    Err(AlterRefusal::config(message))
}

/// Whether a broker can run with `new` in place of the layer that `resource` names.
pub fn check_broker(
    resource: Resource,
    config: &BrokerConfig,
    layers: &BrokerLayers<'_>,
    new: &Texts,
) -> Result<(), AlterRefusal> {
    let with = |why: &str, names: Vec<&str>| {
        if names.is_empty() {
            return Ok(());
        }
        Err(AlterRefusal::request(format!("{why}: [{}]", names.join(", "))))
    };
    let named = |is: &dyn Fn(&str) -> bool| -> Vec<&str> {
        new.keys().map(String::as_str).filter(|key| is(key)).collect()
    };
    let update = |key: &str| BROKER.get(key).map(|definition| definition.update);
    let is_read_only = |key: &str| update(key) == Some(Update::ReadOnly);
    with("Cannot update these configs dynamically", named(&is_read_only))?;
    let is_tls = |key: &str| {
        key.starts_with("ssl.")
            && key != "ssl.client.auth"
            && update(key) == Some(Update::PerBroker)
    };
    let why = "These security configs can be dynamically updated only per-listener using the \
               listener prefix";
    with(why, named(&is_tls))?;
    for (key, text) in new {
        let base = listener_base(key).unwrap_or(key);
        if let Some(definition) = BROKER.get(base) {
            parse(definition, Some(text)).map_err(|error| AlterRefusal::request(error.message))?;
        }
    }
    if resource == Resource::ClusterDefault {
        let is_per_broker =
            |key: &str| listener_base(key).is_some() || update(key) == Some(Update::PerBroker);
        let why =
            "Cannot update these configs at default cluster level, broker id must be specified";
        with(why, named(&is_per_broker))?;
    }
    let none = |errors: Vec<ConfigError>| {
        let words = |error: ConfigError| {
            let mark = if error.is_requirement { "requirement failed: " } else { "" };
            format!("{mark}{}", error.message)
        };
        AlterRefusal::request(errors.into_iter().next().map(words).unwrap_or_default())
    };
    let (default, broker) = match resource {
        Resource::ClusterDefault => (new, layers.dynamic_broker),
        Resource::Broker | Resource::Topic | Resource::Group => (layers.dynamic_default, new),
    };
    config.with_dynamic(default, broker).map_err(none)?;
    let fixed = layers.fixed;
    let merged = BrokerLayers { dynamic_broker: broker, dynamic_default: default, fixed };
    check_connections(layers, &merged)?;
    check_threads(layers, &merged)?;
    check_cleaner_threads(layers, &merged)?;
    check_allowed(own_layer(resource, layers), new)
}

/// The key behind `listener.name.NAME.`, which sets it for one listener.
fn listener_base(key: &str) -> Option<&str> {
    key.strip_prefix("listener.name.")?.split_once('.').map(|(_, base)| base)
}

/// A pool of threads may at most double or halve in one step.
fn check_threads(layers: &BrokerLayers<'_>, merged: &BrokerLayers<'_>) -> Result<(), AlterRefusal> {
    for key in [
        "num.io.threads",
        "num.network.threads",
        "num.replica.fetchers",
        "num.recovery.threads.per.data.dir",
        "background.threads",
    ] {
        let number = |text: Option<&str>| text.and_then(|text| text.trim().parse::<i64>().ok());
        let (new, now) = (number(merged.value(key)), number(layers.value(key)));
        let (Some(new), Some(now)) = (new, now) else { continue };
        let limit = if new < now / 2 {
            format!("value should be at least half the current value {now}")
        } else if new > now * 2 {
            format!("value should not be greater than double the current value {now}")
        } else {
            continue;
        };
        return Err(invalid_dynamic(&format!(
            "Dynamic thread count update validation failed for {key}={new}, {limit}"
        )));
    }
    Ok(())
}

/// The cleaner's threads may at most double or halve in one step, too, which Kafka says in other words.
fn check_cleaner_threads(
    layers: &BrokerLayers<'_>,
    merged: &BrokerLayers<'_>,
) -> Result<(), AlterRefusal> {
    let number = |layers: &BrokerLayers<'_>| {
        layers.value("log.cleaner.threads").and_then(|text| text.trim().parse::<i64>().ok())
    };
    let (Some(new), Some(now)) = (number(merged), number(layers)) else { return Ok(()) };
    let limit = if new < now / 2 {
        "reduced to less than half"
    } else if new > now * 2 {
        "increased to more than double"
    } else {
        return Ok(());
    };
    Err(invalid_dynamic(&format!("Log cleaner threads cannot be {limit} the current value {now}")))
}

/// Nobody could connect any more, and so nobody could take it back: a start may have such limits, a change may not.
/// Kafka looks at both limits when either changes.
fn check_connections(
    layers: &BrokerLayers<'_>,
    merged: &BrokerLayers<'_>,
) -> Result<(), AlterRefusal> {
    const LIMITS: [&str; 2] = ["max.connections", "max.connection.creation.rate"];
    let number = |layers: &BrokerLayers<'_>, key: &str| {
        layers.value(key).and_then(|text| text.trim().parse::<i64>().ok())
    };
    if LIMITS.iter().all(|key| number(layers, key) == number(merged, key)) {
        return Ok(());
    }
    for key in LIMITS {
        if let Some(limit @ ..=0) = number(merged, key) {
            return Err(invalid_dynamic(&format!("Invalid {key} {limit}")));
        }
    }
    Ok(())
}

/// What a part of Kafka's broker refuses, in the words of two exceptions around its own.
fn invalid_dynamic(why: &str) -> AlterRefusal {
    AlterRefusal::request(format!(
        "Invalid value org.apache.kafka.common.config.ConfigException: {why} for configuration \
         Invalid dynamic configuration"
    ))
}

/// Refuses what this version cannot change while it runs, and what names code. Kafka changes the numbers of a
/// listener, too: they time logins by Kerberos and OAUTHBEARER, and mean nothing where nobody logs in so.
fn check_allowed(current: &Texts, new: &Texts) -> Result<(), AlterRefusal> {
    for (key, text) in new {
        let definition = BROKER.get(key.as_str());
        let is_fixed = listener_base(key).is_some()
            || definition.is_some_and(|definition| {
                definition.update == Update::PerBroker && !is_number(definition.kind)
            })
            || matches!(key.as_str(), "metric.reporters" | "config.providers");
        if is_fixed && current.get(key) != Some(text) {
            let message = format!("This version cannot change {key} while the broker runs.");
            return Err(AlterRefusal::request(message));
        }
    }
    Ok(())
}

const fn is_number(kind: Kind) -> bool {
    matches!(kind, Kind::Short | Kind::Int | Kind::Long | Kind::Double)
}

#[cfg(test)]
mod tests;
