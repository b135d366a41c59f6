//! The configuration of a group: its overrides over the broker's layers, within the bounds that the broker sets (KIP-848).

use super::definition::{BROKER, GROUP};
use super::layers::{BrokerLayers, Texts};
use super::value::{ConfigError, Value, parse};

/// The broker key that stands in for a group's key; some have none.
pub fn synonym(key: &str) -> Option<&'static str> {
    let name = match key {
        "consumer.assignment.interval.ms" => "group.consumer.assignment.interval.ms",
        "consumer.heartbeat.interval.ms" => "group.consumer.heartbeat.interval.ms",
        "consumer.session.timeout.ms" => "group.consumer.session.timeout.ms",
        "share.assignment.interval.ms" => "group.share.assignment.interval.ms",
        "share.delivery.count.limit" => "group.share.delivery.count.limit",
        "share.heartbeat.interval.ms" => "group.share.heartbeat.interval.ms",
        "share.partition.max.record.locks" => "group.share.partition.max.record.locks",
        "share.record.lock.duration.ms" => "group.share.record.lock.duration.ms",
        "share.session.timeout.ms" => "group.share.session.timeout.ms",
        "streams.assignment.interval.ms" => "group.streams.assignment.interval.ms",
        "streams.heartbeat.interval.ms" => "group.streams.heartbeat.interval.ms",
        "streams.initial.rebalance.delay.ms" => "group.streams.initial.rebalance.delay.ms",
        "streams.num.standby.replicas" => "group.streams.num.standby.replicas",
        "streams.session.timeout.ms" => "group.streams.session.timeout.ms",
        _ => return None,
    };
    Some(name)
}

/// The keys that the broker bounds, in the order in which Kafka looks at them, and whether the bounds hold for what the
/// broker itself says, too.
const BOUNDED: [(&str, bool); 12] = [
    ("consumer.heartbeat.interval.ms", true),
    ("consumer.session.timeout.ms", true),
    ("consumer.assignment.interval.ms", false),
    ("share.heartbeat.interval.ms", true),
    ("share.session.timeout.ms", true),
    ("share.record.lock.duration.ms", true),
    ("share.delivery.count.limit", true),
    ("share.partition.max.record.locks", true),
    ("share.assignment.interval.ms", false),
    ("streams.heartbeat.interval.ms", true),
    ("streams.session.timeout.ms", true),
    ("streams.num.standby.replicas", true),
];

/// The kinds of groups, each with a session timeout that must be above the heartbeat interval.
const KINDS: [&str; 3] = ["consumer", "share", "streams"];

const AUTO_OFFSET_RESET: &str = "share.auto.offset.reset";

/// Refuses overrides that Kafka would refuse.
pub fn validate(layers: &BrokerLayers<'_>, overrides: &Texts) -> Result<(), ConfigError> {
    for (name, text) in overrides {
        let Some(definition) = GROUP.get(name.as_str()) else {
            return Err(ConfigError::of(name, format!("Unknown group config name: {name}")));
        };
        parse(definition, Some(text))?;
    }
    check_auto_offset_reset(overrides)?;
    for (key, always) in BOUNDED {
        if always || overrides.contains_key(key) {
            check_bounds(layers, overrides, key)?;
        }
    }
    for kind in KINDS {
        let session = format!("{kind}.session.timeout.ms");
        let heartbeat = format!("{kind}.heartbeat.interval.ms");
        if number(layers, overrides, &session) <= number(layers, overrides, &heartbeat) {
            let message = format!("{session} must be greater than {heartbeat}");
            return Err(ConfigError::of(&session, message));
        }
    }
    Ok(())
}

fn check_bounds(
    layers: &BrokerLayers<'_>,
    overrides: &Texts,
    key: &str,
) -> Result<(), ConfigError> {
    let value = number(layers, overrides, key);
    let (kind, rest) = key.split_once('.').unwrap_or((key, ""));
    let rest = rest.strip_prefix("num.").unwrap_or(rest);
    let (low, high) = (format!("group.{kind}.min.{rest}"), format!("group.{kind}.max.{rest}"));
    if broker_number(layers, &low).is_some_and(|low| value < low) {
        return Err(ConfigError::of(key, format!("{key} must be greater than or equal to {low}")));
    }
    if broker_number(layers, &high).is_some_and(|high| value > high) {
        return Err(ConfigError::of(key, format!("{key} must be less than or equal to {high}")));
    }
    Ok(())
}

fn check_auto_offset_reset(overrides: &Texts) -> Result<(), ConfigError> {
    let Some(text) = overrides.get(AUTO_OFFSET_RESET) else { return Ok(()) };
    if matches!(text.as_str(), "earliest" | "latest") || text.starts_with("by_duration:P") {
        return Ok(());
    }
    let why = "it is neither earliest nor latest nor by_duration: with a duration";
    Err(ConfigError::invalid(AUTO_OFFSET_RESET, text, why))
}

/// The number that holds for a group.
fn number(layers: &BrokerLayers<'_>, overrides: &Texts, key: &str) -> i64 {
    let own = || as_number(&parse(GROUP.get(key)?, Some(overrides.get(key)?)).ok()?);
    let broker = || broker_number(layers, synonym(key)?);
    own().or_else(broker).unwrap_or(0)
}

fn broker_number(layers: &BrokerLayers<'_>, key: &str) -> Option<i64> {
    as_number(&parse(BROKER.get(key)?, layers.value(key)).ok()?)
}

fn as_number(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(*number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pairs: &[(&str, &str)]) -> Texts {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_group_is_refused_what_kafka_refuses() {
        let check = |fixed: &[(&str, &str)], overrides: &[(&str, &str)], expected: Option<&str>| {
            let (none, fixed) = (Texts::new(), texts(fixed));
            let layers =
                BrokerLayers { dynamic_broker: &none, dynamic_default: &none, fixed: &fixed };
            let refused = validate(&layers, &texts(overrides)).err();
            assert_eq!(refused.map(|error| error.message).as_deref(), expected);
        };
        check(&[], &[], None);
        check(&[], &[("consumer.session.timeout.ms", "50000")], None);
        check(&[], &[("retention.ms", "1")], Some("Unknown group config name: retention.ms"));
        check(
            &[],
            &[("consumer.session.timeout.ms", "44999")],
            Some(
                "consumer.session.timeout.ms must be greater than or equal to \
                 group.consumer.min.session.timeout.ms",
            ),
        );
        check(
            &[],
            &[("consumer.heartbeat.interval.ms", "15001")],
            Some(
                "consumer.heartbeat.interval.ms must be less than or equal to \
                 group.consumer.max.heartbeat.interval.ms",
            ),
        );
        check(
            &[],
            &[("streams.num.standby.replicas", "3")],
            Some(
                "streams.num.standby.replicas must be less than or equal to \
                 group.streams.max.standby.replicas",
            ),
        );
        let low = ("group.consumer.min.session.timeout.ms", "1000");
        check(
            &[low],
            &[("consumer.session.timeout.ms", "5000")],
            Some("consumer.session.timeout.ms must be greater than consumer.heartbeat.interval.ms"),
        );
        check(&[low], &[("consumer.session.timeout.ms", "5001")], None);
        check(&[], &[("share.auto.offset.reset", "by_duration:PT1H")], None);
        check(
            &[],
            &[("consumer.assignment.interval.ms", "x")],
            Some(
                "Invalid value x for configuration consumer.assignment.interval.ms: Not a number \
                 of type INT",
            ),
        );
    }

    #[test]
    fn every_synonym_is_a_key_of_the_broker() {
        let names = GROUP.keys().filter_map(|key| synonym(key));
        assert_eq!(names.filter(|name| BROKER.contains_key(name)).count(), 14);
    }
}
