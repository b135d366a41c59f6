//! The rules between keys: what Kafka checks once every single value is right.
//!
//! In Kafka's order and words. Its rules for security and tiered storage are not here: nothing acts
//! on those keys yet, and a node refuses to start where they would be needed (`server::config`).

use super::broker::BrokerConfig;
use super::definition::BROKER;
use super::layers::{BrokerLayers, Texts};
use super::listeners::Endpoint;
use super::topic::TopicConfig;
use super::value::ConfigError;

/// Adds to `errors` what is wrong between the keys of `config`.
pub fn check(config: &BrokerConfig, errors: &mut Vec<ConfigError>) {
    let mut require = |holds: bool, key: &str, message: &dyn Fn() -> String| {
        if !holds {
            errors.push(ConfigError { is_requirement: true, ..ConfigError::of(key, message()) });
        }
    };
    identity(config, &mut require);
    times(config, &mut require);
    quorum(config, &mut require);
    listeners(config, &mut require);
    connections(config, &mut require);
    let rates = config.listeners.iter().map(|it| config.connection_creation_rate_of(&it.name));
    errors.extend(rates.filter_map(Result::err));
}

type Require<'a> = dyn FnMut(bool, &str, &dyn Fn() -> String) + 'a;

fn identity(config: &BrokerConfig, require: &mut Require<'_>) {
    let broker_id = config.explicit.get("broker.id").map(|id| id.trim());
    let same = broker_id.is_none_or(|id| id.parse() == Ok(config.node_id.0));
    require(same, "broker.id", &|| {
        "You must set `node.id` to the same value as `broker.id`.".to_owned()
    });
}

fn times(config: &BrokerConfig, require: &mut Require<'_>) {
    let none = Texts::new();
    let fixed = &config.explicit;
    let layers = BrokerLayers { dynamic_broker: &none, dynamic_default: &none, fixed };
    let defaults = TopicConfig::resolve(&layers, &none);
    require(defaults.segment_ms >= 1, "log.roll.ms", &|| {
        "log.roll.ms must be greater than or equal to 1".to_owned()
    });
    require(defaults.segment_jitter_ms >= 0, "log.roll.jitter.ms", &|| {
        "log.roll.jitter.ms must be greater than or equal to 0".to_owned()
    });
    let retention_ms = defaults.retention_ms;
    require(retention_ms >= 1 || retention_ms == -1, "log.retention.ms", &|| {
        "log.retention.ms must be unlimited (-1) or, greater than or equal to 1".to_owned()
    });
    let number = |key: &str| integer(config, key);
    // Kafka divides by it.
    let threads = number("log.cleaner.threads");
    require(threads >= 1, "log.cleaner.threads", &|| {
        "log.cleaner.threads must be at least 1".to_owned()
    });
    let per_thread = number("log.cleaner.dedupe.buffer.size") / threads.max(1);
    require(per_thread > 1024 * 1024, "log.cleaner.dedupe.buffer.size", &|| {
        "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.".to_owned()
    });
    let wait_ms = number("replica.fetch.wait.max.ms");
    let fits = wait_ms <= number("replica.socket.timeout.ms");
    require(fits, "replica.socket.timeout.ms", &|| {
        "replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent \
         unnecessary socket timeouts"
            .to_owned()
    });
    require(wait_ms <= config.replica_lag_time_max_ms, "replica.fetch.wait.max.ms", &|| {
        "replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms \
         to prevent frequent changes in ISR"
            .to_owned()
    });
}

/// The value of a key that is an integer and that was checked before.
fn integer(config: &BrokerConfig, key: &str) -> i64 {
    let default = BROKER.get(key).and_then(|definition| definition.default_text());
    let text = config.explicit.get(key).map(|text| text.trim()).or(default);
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn quorum(config: &BrokerConfig, require: &mut Require<'_>) {
    let voters = &config.controller_quorum_voters;
    let known = !voters.is_empty() || !config.controller_quorum_bootstrap_servers.is_empty();
    require(known, "process.roles", &|| {
        "If using process.roles, either controller.quorum.bootstrap.servers must contain the set of \
         bootstrap controllers or controller.quorum.voters must contain a parseable set of \
         controllers."
            .to_owned()
    });
    let id = config.node_id.0;
    let is_voter = voters.iter().any(|voter| voter.id == id);
    let names: Vec<&str> = config.listeners.iter().map(|listener| listener.name.as_str()).collect();
    let listed = |name: &String| names.iter().any(|have| have.eq_ignore_ascii_case(name));
    if config.has_role("controller") {
        require(voters.is_empty() || is_voter, "controller.quorum.voters", &|| {
            let ids: Vec<String> = voters.iter().map(|voter| voter.id.to_string()).collect();
            format!(
                "If process.roles contains the 'controller' role, the node id {id} must be included \
                 in the set of voters controller.quorum.voters=Set({})",
                ids.join(", ")
            )
        });
        let some = config.controller_listener_names.iter().any(listed);
        require(some, "controller.listener.names", &|| {
            "controller.listener.names must contain at least one value appearing in the 'listeners' \
             configuration when running the KRaft controller role"
                .to_owned()
        });
        let all = !some || config.controller_listener_names.iter().all(listed);
        require(all, "controller.listener.names", &|| {
            "controller.listener.names must only contain values appearing in the 'listeners' \
             configuration when running the KRaft controller role"
                .to_owned()
        });
    }
}

fn listeners(config: &BrokerConfig, require: &mut Require<'_>) {
    let advertised = &config.advertised_listeners;
    let join = |endpoints: &[Endpoint]| {
        let names: Vec<&str> = endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
        names.join(",")
    };
    if config.has_role("broker") {
        require(!advertised.is_empty(), "advertised.listeners", &|| {
            "There must be at least one broker advertised listener. Perhaps all listeners appear in \
             controller.listener.names?"
                .to_owned()
        });
        let inter_broker = &config.inter_broker_listener_name;
        let found = advertised.is_empty()
            || advertised.iter().any(|endpoint| endpoint.name == *inter_broker);
        require(found, "inter.broker.listener.name", &|| {
            format!(
                "inter.broker.listener.name must be a listener name defined in advertised.listeners. \
                 The valid options based on currently configured listeners are {}",
                join(advertised)
            )
        });
        let bound = |endpoint: &Endpoint| config.listeners.iter().any(|l| l.name == endpoint.name);
        require(advertised.iter().all(bound), "advertised.listeners", &|| {
            format!(
                "advertised.listeners listener names must be equal to or a subset of the ones \
                 defined in listeners. Found {}. The valid options based on the current \
                 configuration are {}",
                join(advertised),
                join(&config.listeners)
            )
        });
    }
    let routable = |endpoint: &Endpoint| endpoint.host.as_deref() != Some("0.0.0.0");
    let controllers = &config.advertised_controller_listeners;
    let all = advertised.iter().chain(controllers).all(routable);
    require(all, "advertised.listeners", &|| {
        "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP \
         address."
            .to_owned()
    });
}

fn connections(config: &BrokerConfig, require: &mut Require<'_>) {
    let queued = config.queued_max_request_bytes;
    let enough = queued <= 0 || queued >= i64::from(config.socket_request_max_bytes);
    require(enough, "queued.max.request.bytes", &|| {
        "queued.max.request.bytes must be larger or equal to socket.request.max.bytes".to_owned()
    });
    let zero_of_all =
        config.max_connections_per_ip == 0 && config.max_connections_per_ip_overrides.is_empty();
    require(!zero_of_all, "max.connections.per.ip", &|| {
        "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides \
         property is set."
            .to_owned()
    });
    let delay_ms = integer(config, "connection.failed.authentication.delay.ms");
    let idle_ms = config.connections_max_idle_ms;
    require(idle_ms < 0 || delay_ms < idle_ms, "connections.max.idle.ms", &|| {
        format!(
            "connection.failed.authentication.delay.ms={delay_ms} should always be less than \
             connections.max.idle.ms={idle_ms} to prevent failed authentication responses from \
             timing out"
        )
    });
}
