//! What a node acts on, typed, from the keys that were set.
//!
//! Every key of Kafka's table is checked, acted on or not; the fields are those that something reads.
//! Times are milliseconds and sizes bytes, as their names say.

use std::collections::BTreeMap;

use super::definition::{BROKER, Definition};
use super::layers::Texts;
use super::listeners::{
    Endpoint, Ports, ProtocolMap, SecurityProtocol, Voter, parse_bootstrap, parse_endpoints,
    parse_protocol_map, parse_voter,
};
use super::value::{ConfigError, Value, parse};
use crate::types::ids::NodeId;

macro_rules! broker_config {
    ($( $(#[$doc:meta])* $field:ident: $type:ty = $read:ident($key:literal), )*) => {
        /// The configuration of a node.
        #[derive(Clone, Debug, PartialEq)]
        pub struct BrokerConfig {
            /// The keys that were set, as text: what DescribeConfigs calls static.
            pub explicit: Texts,
            /// `node.id`, or `broker.id`.
            pub node_id: NodeId,
            /// Where the node listens, controller listeners included.
            pub listeners: Vec<Endpoint>,
            /// What clients are told, without the controller's listeners.
            pub advertised_listeners: Vec<Endpoint>,
            /// What other nodes are told of the controller's listeners.
            pub advertised_controller_listeners: Vec<Endpoint>,
            /// `listener.security.protocol.map`, with the controller's listeners added where it was
            /// not set.
            pub listener_security_protocol_map: ProtocolMap,
            /// The listener that brokers use among themselves.
            pub inter_broker_listener_name: String,
            /// The static voters; empty where the quorum is dynamic.
            pub controller_quorum_voters: Vec<Voter>,
            /// Host and port of each bootstrap server.
            pub controller_quorum_bootstrap_servers: Vec<(String, u16)>,
            /// The data directories: `log.dirs`, or `log.dir`.
            pub log_dirs: Vec<String>,
            /// Limits for single addresses.
            pub max_connections_per_ip_overrides: BTreeMap<String, i32>,
            $( #[doc = concat!("`", $key, "`")] $(#[$doc])* pub $field: $type, )*
        }

        /// The keys that a node reads one by one.
        #[cfg(any(test, feature = "internals"))]
        pub const READ_KEYS: &[&str] = &[$( $key, )*];

        impl BrokerConfig {
            fn read(reader: &mut Reader<'_>, rest: Rest) -> Self {
                Self {
                    explicit: reader.texts.clone(),
                    node_id: rest.node_id,
                    listeners: rest.listeners,
                    advertised_listeners: rest.advertised_listeners,
                    advertised_controller_listeners: rest.advertised_controller_listeners,
                    listener_security_protocol_map: rest.protocols,
                    inter_broker_listener_name: rest.inter_broker_listener_name,
                    controller_quorum_voters: rest.voters,
                    controller_quorum_bootstrap_servers: rest.bootstrap_servers,
                    log_dirs: rest.log_dirs,
                    max_connections_per_ip_overrides: rest.per_ip_overrides,
                    $( $field: reader.$read($key), )*
                }
            }
        }
    };
}

broker_config! {
    process_roles: Vec<String> = list("process.roles"),
    controller_listener_names: Vec<String> = list("controller.listener.names"),
    broker_rack: Option<String> = text("broker.rack"),
    metadata_log_dir: Option<String> = text("metadata.log.dir"),
    authorizer_class_name: Option<String> = text("authorizer.class.name"),
    auto_create_topics_enable: bool = boolean("auto.create.topics.enable"),
    delete_topic_enable: bool = boolean("delete.topic.enable"),
    num_partitions: i32 = int("num.partitions"),
    default_replication_factor: i32 = int("default.replication.factor"),
    num_network_threads: i32 = int("num.network.threads"),
    num_io_threads: i32 = int("num.io.threads"),
    num_recovery_threads_per_data_dir: i32 = int("num.recovery.threads.per.data.dir"),
    group_coordinator_threads: i32 = int("group.coordinator.threads"),
    socket_request_max_bytes: i32 = int("socket.request.max.bytes"),
    socket_send_buffer_bytes: i32 = int("socket.send.buffer.bytes"),
    socket_receive_buffer_bytes: i32 = int("socket.receive.buffer.bytes"),
    socket_listen_backlog_size: i32 = int("socket.listen.backlog.size"),
    connections_max_idle_ms: i64 = long("connections.max.idle.ms"),
    max_connections: i32 = int("max.connections"),
    max_connections_per_ip: i32 = int("max.connections.per.ip"),
    max_connection_creation_rate: i32 = int("max.connection.creation.rate"),
    quota_window_num: i32 = int("quota.window.num"),
    quota_window_size_seconds: i32 = int("quota.window.size.seconds"),
    queued_max_requests: i32 = int("queued.max.requests"),
    queued_max_request_bytes: i64 = long("queued.max.request.bytes"),
    fetch_max_bytes: i32 = int("fetch.max.bytes"),
    max_incremental_fetch_session_cache_slots: i32 =
        int("max.incremental.fetch.session.cache.slots"),
    max_request_partition_size_limit: i32 = int("max.request.partition.size.limit"),
    request_timeout_ms: i32 = int("request.timeout.ms"),
    log_cleaner_enable: bool = boolean("log.cleaner.enable"),
    log_cleaner_threads: i32 = int("log.cleaner.threads"),
    log_cleaner_backoff_ms: i64 = long("log.cleaner.backoff.ms"),
    log_cleaner_dedupe_buffer_size: i64 = long("log.cleaner.dedupe.buffer.size"),
    log_cleaner_io_buffer_load_factor: f64 = double("log.cleaner.io.buffer.load.factor"),
    log_cleaner_io_buffer_size: i32 = int("log.cleaner.io.buffer.size"),
    log_cleaner_io_max_bytes_per_second: f64 = double("log.cleaner.io.max.bytes.per.second"),
    log_retention_check_interval_ms: i64 = long("log.retention.check.interval.ms"),
    log_initial_task_delay_ms: i64 = long("log.initial.task.delay.ms"),
    log_flush_scheduler_interval_ms: i64 = long("log.flush.scheduler.interval.ms"),
    log_flush_offset_checkpoint_interval_ms: i32 = int("log.flush.offset.checkpoint.interval.ms"),
    log_flush_start_offset_checkpoint_interval_ms: i32 =
        int("log.flush.start.offset.checkpoint.interval.ms"),
    replica_high_watermark_checkpoint_interval_ms: i64 =
        long("replica.high.watermark.checkpoint.interval.ms"),
    replica_lag_time_max_ms: i64 = long("replica.lag.time.max.ms"),
    producer_id_expiration_ms: i32 = int("producer.id.expiration.ms"),
    producer_id_expiration_check_interval_ms: i32 = int("producer.id.expiration.check.interval.ms"),
    add_partitions_to_txn_retry_backoff_ms: i32 = int("add.partitions.to.txn.retry.backoff.ms"),
    add_partitions_to_txn_retry_backoff_max_ms: i32 =
        int("add.partitions.to.txn.retry.backoff.max.ms"),
    offsets_commit_timeout_ms: i32 = int("offsets.commit.timeout.ms"),
    offsets_load_buffer_size: i32 = int("offsets.load.buffer.size"),
    offsets_topic_compression_codec: i32 = int("offsets.topic.compression.codec"),
    offsets_topic_num_partitions: i32 = int("offsets.topic.num.partitions"),
    offsets_topic_replication_factor: i32 = int("offsets.topic.replication.factor"),
    offsets_topic_segment_bytes: i32 = int("offsets.topic.segment.bytes"),
    transaction_state_log_load_buffer_size: i32 = int("transaction.state.log.load.buffer.size"),
    transaction_state_log_min_isr: i32 = int("transaction.state.log.min.isr"),
    transaction_state_log_num_partitions: i32 = int("transaction.state.log.num.partitions"),
    transaction_state_log_replication_factor: i32 = int("transaction.state.log.replication.factor"),
    transaction_state_log_segment_bytes: i32 = int("transaction.state.log.segment.bytes"),
    transaction_max_timeout_ms: i32 = int("transaction.max.timeout.ms"),
    group_min_session_timeout_ms: i32 = int("group.min.session.timeout.ms"),
    group_max_session_timeout_ms: i32 = int("group.max.session.timeout.ms"),
    group_max_size: i32 = int("group.max.size"),
    group_initial_rebalance_delay_ms: i32 = int("group.initial.rebalance.delay.ms"),
    offsets_retention_check_interval_ms: i64 = long("offsets.retention.check.interval.ms"),
    offsets_retention_minutes: i32 = int("offsets.retention.minutes"),
    offset_metadata_max_bytes: i32 = int("offset.metadata.max.bytes"),
    transaction_partition_verification_enable: bool =
        boolean("transaction.partition.verification.enable"),
    transaction_remove_expired_transaction_cleanup_interval_ms: i32 =
        int("transaction.remove.expired.transaction.cleanup.interval.ms"),
    transactional_id_expiration_ms: i32 = int("transactional.id.expiration.ms"),
    metadata_log_segment_bytes: i32 = int("metadata.log.segment.bytes"),
    metadata_log_segment_ms: i64 = long("metadata.log.segment.ms"),
    metadata_log_max_record_bytes_between_snapshots: i64 =
        long("metadata.log.max.record.bytes.between.snapshots"),
    metadata_log_max_snapshot_interval_ms: i64 = long("metadata.log.max.snapshot.interval.ms"),
    metadata_max_retention_bytes: i64 = long("metadata.max.retention.bytes"),
    metadata_max_retention_ms: i64 = long("metadata.max.retention.ms"),
    metadata_max_idle_interval_ms: i32 = int("metadata.max.idle.interval.ms"),
    internal_metadata_max_batch_size_in_bytes: i32 = int("internal.metadata.max.batch.size.in.bytes"),
    internal_metadata_delete_delay_ms: i64 = long("internal.metadata.delete.delay.millis"),
    controller_quorum_append_linger_ms: i32 = int("controller.quorum.append.linger.ms"),
    controller_quorum_election_timeout_ms: i32 = int("controller.quorum.election.timeout.ms"),
    controller_quorum_fetch_timeout_ms: i32 = int("controller.quorum.fetch.timeout.ms"),
    broker_heartbeat_interval_ms: i32 = int("broker.heartbeat.interval.ms"),
    broker_session_timeout_ms: i32 = int("broker.session.timeout.ms"),
    group_coordinator_rebalance_protocols: Vec<String> =
        list("group.coordinator.rebalance.protocols"),
    group_consumer_assignors: Vec<String> = list("group.consumer.assignors"),
    group_consumer_migration_policy: Option<String> = text("group.consumer.migration.policy"),
    group_consumer_session_timeout_ms: i32 = int("group.consumer.session.timeout.ms"),
    group_consumer_heartbeat_interval_ms: i32 = int("group.consumer.heartbeat.interval.ms"),
    group_consumer_assignment_interval_ms: i32 = int("group.consumer.assignment.interval.ms"),
    group_consumer_max_size: i32 = int("group.consumer.max.size"),
    group_consumer_min_session_timeout_ms: i32 = int("group.consumer.min.session.timeout.ms"),
    group_consumer_max_session_timeout_ms: i32 = int("group.consumer.max.session.timeout.ms"),
    group_consumer_min_heartbeat_interval_ms: i32 = int("group.consumer.min.heartbeat.interval.ms"),
    group_consumer_max_heartbeat_interval_ms: i32 = int("group.consumer.max.heartbeat.interval.ms"),
    group_consumer_min_assignment_interval_ms: i32 =
        int("group.consumer.min.assignment.interval.ms"),
    group_consumer_max_assignment_interval_ms: i32 =
        int("group.consumer.max.assignment.interval.ms"),
    group_consumer_regex_refresh_interval_ms: i32 = int("group.consumer.regex.refresh.interval.ms"),
    unstable_api_versions_enable: bool = boolean("unstable.api.versions.enable"),
    unstable_feature_versions_enable: bool = boolean("unstable.feature.versions.enable"),
}

/// The keys of [`Rest`].
#[cfg(any(test, feature = "internals"))]
pub const READ_TOGETHER: &[&str] = &[
    "advertised.listeners",
    "broker.id",
    "controller.quorum.bootstrap.servers",
    "controller.quorum.voters",
    "inter.broker.listener.name",
    "listener.security.protocol.map",
    "listeners",
    "log.dir",
    "log.dirs",
    "max.connections.per.ip.overrides",
    "node.id",
    "security.inter.broker.protocol",
];

/// What needs more than one key to be read.
struct Rest {
    node_id: NodeId,
    listeners: Vec<Endpoint>,
    advertised_listeners: Vec<Endpoint>,
    advertised_controller_listeners: Vec<Endpoint>,
    protocols: ProtocolMap,
    inter_broker_listener_name: String,
    voters: Vec<Voter>,
    bootstrap_servers: Vec<(String, u16)>,
    log_dirs: Vec<String>,
    per_ip_overrides: BTreeMap<String, i32>,
}

impl BrokerConfig {
    /// Reads the keys that were set. Every mistake is told, not only the first.
    pub fn new(explicit: &Texts) -> Result<Self, Vec<ConfigError>> {
        let mut texts = explicit.clone();
        // Kafka takes either name of the node's id for both.
        match (texts.get("node.id").cloned(), texts.get("broker.id").cloned()) {
            (Some(id), None) => texts.insert("broker.id".to_owned(), id),
            (None, Some(id)) => texts.insert("node.id".to_owned(), id),
            _ => None,
        };
        let mut reader = Reader { texts: &texts, errors: Vec::new() };
        reader.check_all();
        if !reader.errors.is_empty() {
            return Err(reader.errors);
        }
        let protocols = protocol_map(&mut reader);
        if !reader.errors.is_empty() {
            // What is wrong with the map would be told again for each listener.
            return Err(reader.errors);
        }
        let rest = Rest::read(&mut reader, protocols);
        let config = Self::read(&mut reader, rest);
        if reader.errors.is_empty() {
            super::rules::check(&config, &mut reader.errors);
        }
        if reader.errors.is_empty() { Ok(config) } else { Err(reader.errors) }
    }

    /// The configuration with what was set at run time on top; later layers win. `explicit` stays what was set before
    /// the start.
    pub fn with_dynamic(&self, default: &Texts, broker: &Texts) -> Result<Self, Vec<ConfigError>> {
        let mut texts = self.explicit.clone();
        texts.extend(default.iter().chain(broker).map(|(key, text)| (key.clone(), text.clone())));
        let mut config = Self::new(&texts)?;
        config.explicit.clone_from(&self.explicit);
        Ok(config)
    }

    /// Whether the node has this role: `broker` or `controller`.
    pub fn has_role(&self, role: &str) -> bool {
        self.process_roles.iter().any(|have| have == role)
    }

    /// Whether the listener of this name is one of the controller's.
    pub fn is_controller_listener(&self, name: &str) -> bool {
        self.controller_listener_names.iter().any(|have| have.eq_ignore_ascii_case(name))
    }

    /// The listeners for clients and brokers.
    pub fn broker_listeners(&self) -> impl Iterator<Item = &Endpoint> {
        self.listeners.iter().filter(|endpoint| !self.is_controller_listener(&endpoint.name))
    }

    /// The listeners of the controller.
    pub fn controller_listeners(&self) -> impl Iterator<Item = &Endpoint> {
        self.listeners.iter().filter(|endpoint| self.is_controller_listener(&endpoint.name))
    }

    /// The most connections that a listener accepts in a second: its own key, or else that of all.
    pub fn connection_creation_rate_of(&self, listener: &str) -> Result<i32, ConfigError> {
        const KEY: &str = "max.connection.creation.rate";
        let own = format!("listener.name.{}.{KEY}", listener.to_lowercase());
        let (Some(text), Some(definition)) = (self.explicit.get(&own), BROKER.get(KEY)) else {
            return Ok(self.max_connection_creation_rate);
        };
        match parse(definition, Some(text)) {
            Ok(Value::Integer(rate)) => Ok(i32::try_from(rate).unwrap_or(i32::MAX)),
            Ok(_) => Ok(self.max_connection_creation_rate),
            Err(error) => Err(ConfigError { key: Some(own), ..error }),
        }
    }

    /// The directory of the metadata log.
    pub fn metadata_dir(&self) -> &str {
        let first = || self.log_dirs.first().map_or("", String::as_str);
        self.metadata_log_dir.as_deref().unwrap_or_else(first)
    }
}

impl Rest {
    fn read(reader: &mut Reader<'_>, protocols: ProtocolMap) -> Self {
        let listeners = endpoints(reader, "listeners", &protocols, Ports::Distinct);
        let advertised = if reader.texts.contains_key("advertised.listeners") {
            endpoints(reader, "advertised.listeners", &protocols, Ports::Any)
        } else {
            listeners.clone()
        };
        let controllers = reader.list("controller.listener.names");
        let is_controller =
            |name: &str| controllers.iter().any(|have| have.eq_ignore_ascii_case(name));
        let (mut advertised_controllers, advertised): (Vec<_>, Vec<_>) =
            advertised.into_iter().partition(|endpoint| is_controller(&endpoint.name));
        for endpoint in listeners.iter().filter(|endpoint| is_controller(&endpoint.name)) {
            if !advertised_controllers.iter().any(|have| have.name == endpoint.name) {
                advertised_controllers.push(endpoint.clone());
            }
        }
        let log_dirs = reader.list("log.dirs");
        Self {
            node_id: NodeId(reader.int("node.id")),
            inter_broker_listener_name: inter_broker_listener_name(reader, &protocols),
            listeners,
            advertised_listeners: advertised,
            advertised_controller_listeners: advertised_controllers,
            protocols,
            voters: reader.each("controller.quorum.voters", parse_voter),
            bootstrap_servers: reader.each("controller.quorum.bootstrap.servers", parse_bootstrap),
            log_dirs: if log_dirs.is_empty() { reader.list("log.dir") } else { log_dirs },
            per_ip_overrides: per_ip_overrides(reader),
        }
    }
}

/// The map as it was set; or the default plus PLAINTEXT for the controller's listeners, unless a
/// listener is named after a protocol that is not PLAINTEXT.
fn protocol_map(reader: &mut Reader<'_>) -> ProtocolMap {
    const KEY: &str = "listener.security.protocol.map";
    let text = reader.text(KEY).unwrap_or_default();
    let mut map = reader.keep(parse_protocol_map(&text));
    if !reader.texts.contains_key(KEY) {
        let names = reader.list("controller.listener.names");
        let is_secure = |name: &str| {
            let protocol = SecurityProtocol::from_name(name);
            protocol.is_some_and(|protocol| protocol != SecurityProtocol::Plaintext)
        };
        let listeners = reader.list("listeners");
        let listener_names = listeners.iter().filter_map(|entry| entry.split(':').next());
        if !names.iter().map(String::as_str).chain(listener_names).any(is_secure) {
            let plain = |name: String| (name.to_uppercase(), SecurityProtocol::Plaintext);
            map.extend(names.into_iter().map(plain));
        }
    }
    map
}

fn endpoints(
    reader: &mut Reader<'_>,
    key: &str,
    protocols: &ProtocolMap,
    ports: Ports,
) -> Vec<Endpoint> {
    let entries = reader.list(key);
    reader.keep(parse_endpoints(key, &entries, protocols, ports))
}

fn inter_broker_listener_name(reader: &mut Reader<'_>, protocols: &ProtocolMap) -> String {
    const NAME: &str = "inter.broker.listener.name";
    const PROTOCOL: &str = "security.inter.broker.protocol";
    let Some(name) = reader.text(NAME) else {
        return reader.text(PROTOCOL).unwrap_or_default();
    };
    if reader.texts.contains_key(PROTOCOL) {
        let message = format!("Only one of {NAME} and {PROTOCOL} should be set.");
        reader.errors.push(ConfigError::of(NAME, message));
    }
    let name = name.to_uppercase();
    if !protocols.contains_key(&name) {
        let message = format!(
            "Listener with name {name} defined in {NAME} not found in listener.security.protocol.map."
        );
        reader.errors.push(ConfigError::of(NAME, message));
    }
    name
}

fn per_ip_overrides(reader: &mut Reader<'_>) -> BTreeMap<String, i32> {
    const KEY: &str = "max.connections.per.ip.overrides";
    let text = reader.text(KEY).unwrap_or_default();
    let mut overrides = BTreeMap::new();
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let parsed = entry
            .rsplit_once(':')
            .and_then(|(host, limit)| Some((host.trim(), limit.trim().parse().ok()?)))
            .filter(|(host, _)| super::listeners::is_host_text(host));
        if let Some((host, limit)) = parsed {
            overrides.insert(host.to_owned(), limit);
        } else {
            let message = format!("{KEY} contains invalid addresses : {entry}");
            reader.errors.push(ConfigError::of(KEY, message));
        }
    }
    overrides
}

/// Reads typed values and collects what is wrong. A key of the wrong type reads as zero, which is
/// never seen: a configuration with errors is not handed out.
struct Reader<'a> {
    texts: &'a Texts,
    errors: Vec<ConfigError>,
}

impl Reader<'_> {
    /// Checks each key of the table, so that a mistake in one nobody reads is told too.
    fn check_all(&mut self) {
        for definition in BROKER.values() {
            self.value(definition);
        }
    }

    fn value(&mut self, definition: &Definition) -> Value {
        let text = self.texts.get(definition.name).map(String::as_str);
        match parse(definition, text) {
            Ok(value) => value,
            Err(error) => {
                self.errors.push(error);
                Value::Null
            }
        }
    }

    fn named(&mut self, key: &str) -> Value {
        BROKER.get(key).copied().map_or(Value::Null, |definition| self.value(definition))
    }

    fn keep<T: Default>(&mut self, result: Result<T, ConfigError>) -> T {
        result.unwrap_or_else(|error| {
            self.errors.push(error);
            T::default()
        })
    }

    fn each<T>(&mut self, key: &str, parse: fn(&str) -> Result<T, ConfigError>) -> Vec<T> {
        let entries = self.list(key);
        self.keep(entries.iter().map(|entry| parse(entry)).collect())
    }

    fn list(&mut self, key: &str) -> Vec<String> {
        match self.named(key) {
            Value::List(items) => items,
            _ => Vec::new(),
        }
    }

    fn text(&mut self, key: &str) -> Option<String> {
        match self.named(key) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn double(&mut self, key: &str) -> f64 {
        match self.named(key) {
            Value::Double(number) => number,
            _ => 0.0,
        }
    }

    fn boolean(&mut self, key: &str) -> bool {
        matches!(self.named(key), Value::Boolean(true))
    }

    fn long(&mut self, key: &str) -> i64 {
        match self.named(key) {
            Value::Integer(number) => number,
            _ => 0,
        }
    }

    /// A value of type INT or SHORT fits.
    fn int(&mut self, key: &str) -> i32 {
        i32::try_from(self.long(key)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
