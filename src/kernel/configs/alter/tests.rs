//! Requests and the answers Apache Kafka 4.3.1 gave to them.

use super::*;

fn texts(pairs: &[(&str, &str)]) -> Texts {
    pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn change(key: &str, operation: i8, value: impl Into<Option<&'static str>>) -> Change {
    Change { key: key.to_owned(), operation, value: value.into().map(str::to_owned) }
}

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

fn refusal<T: std::fmt::Debug>(result: Result<T, AlterRefusal>) -> (i16, String) {
    let refusal = result.unwrap_err();
    (refusal.code.code(), refusal.message.unwrap_or_default())
}

#[test]
fn a_request_names_each_key_once_and_gives_values() {
    let twice = [change("a", SET, "1"), change("a", DELETE, None)];
    let words = "Error due to duplicate config keys".to_owned();
    assert_eq!(refusal(check_shape(&twice)), (42, words));
    let nulls = [change("a", SET, None), change("b", DELETE, None), change("c", APPEND, None)];
    let words = "Null value not supported for : a, c".to_owned();
    assert_eq!(refusal(check_shape(&nulls)), (42, words));
    assert_eq!(check_shape(&[change("a", SET, "1"), change("b", DELETE, None)]), Ok(()));
}

#[test]
fn lists_grow_and_shrink_from_the_default() {
    let check = |old: Option<&str>, operation, value, new: &str| {
        let current = old.map(|old| texts(&[("cleanup.policy", old)])).unwrap_or_default();
        let changes = [change("cleanup.policy", operation, value)];
        let altered = incremental(Resource::Topic, &current, &changes, true).unwrap();
        assert_eq!(applied(&current, &altered)["cleanup.policy"], new, "{old:?} {value}");
    };
    check(None, APPEND, "compact", "delete,compact");
    check(Some("compact"), APPEND, "delete", "compact,delete");
    check(Some("compact,delete"), APPEND, "delete", "compact,delete");
    check(Some("compact,delete"), SUBTRACT, "compact,zz", "delete");
    check(Some("delete"), SUBTRACT, "delete", "");
    check(Some(""), APPEND, "compact", "compact");
    for (operation, verb) in [(APPEND, "APPEND"), (SUBTRACT, "SUBTRACT")] {
        for key in ["retention.ms", "foo"] {
            let changes = [change(key, operation, "1")];
            let answer = refusal(incremental(Resource::Topic, &Texts::new(), &changes, true));
            let words = format!("Can't {verb} to key {key} because its type is not LIST.");
            assert_eq!(answer, (40, words));
        }
    }
    let odd = incremental(Resource::Topic, &Texts::new(), &[change("retention.ms", 9, "1")], true);
    assert_eq!(refusal(odd), (-1, String::new()));
}

#[test]
fn only_what_changes_is_recorded_but_all_of_a_broker() {
    let current = texts(&[("retention.ms", "1"), ("segment.ms", "2")]);
    let same = [change("retention.ms", SET, "1"), change("foo", DELETE, None)];
    assert_eq!(incremental(Resource::Topic, &current, &same, true), Ok(Vec::new()));
    let altered = incremental(Resource::Broker, &current, &same, true).unwrap();
    assert_eq!(
        altered,
        [("retention.ms".to_owned(), Some("1".to_owned())), ("foo".to_owned(), None)]
    );
    let new = texts(&[("retention.ms", "1"), ("flush.ms", "3")]);
    let altered = legacy(Resource::Topic, &current, &new, true).unwrap();
    assert_eq!(altered.len(), 2);
    assert_eq!(applied(&current, &altered), new);
}

#[test]
fn min_insync_replicas_belongs_to_the_cluster_where_elr_is_on() {
    let set = [change("min.insync.replicas", SET, "2")];
    let gone = [change("min.insync.replicas", DELETE, None)];
    let none = Texts::new();
    let broker = "Broker-level min.insync.replicas cannot be altered while ELR is enabled.";
    let cluster = "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.";
    for changes in [&set, &gone] {
        let answer = refusal(incremental(Resource::Broker, &none, changes, true));
        assert_eq!(answer, (40, broker.to_owned()));
        assert!(incremental(Resource::Broker, &none, changes, false).is_ok());
        assert!(incremental(Resource::Topic, &none, changes, true).is_ok());
    }
    assert!(incremental(Resource::ClusterDefault, &none, &set, true).is_ok());
    let answer = refusal(incremental(Resource::ClusterDefault, &none, &gone, true));
    assert_eq!(answer, (40, cluster.to_owned()));
    let current = texts(&[("min.insync.replicas", "2")]);
    let answer = refusal(legacy(Resource::ClusterDefault, &current, &none, true));
    assert_eq!(answer, (40, cluster.to_owned()));
}

fn node() -> BrokerConfig {
    BrokerConfig::new(&texts(&[
        ("node.id", "1"),
        ("process.roles", "broker,controller"),
        ("controller.listener.names", "CONTROLLER"),
        ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("controller.quorum.voters", "1@localhost:9093"),
    ]))
    .unwrap()
}

fn at_broker(resource: Resource, changes: &[Change]) -> Result<(), AlterRefusal> {
    let (config, none) = (node(), Texts::new());
    let layers =
        BrokerLayers { dynamic_broker: &none, dynamic_default: &none, fixed: &config.explicit };
    check_broker_changes(resource, &config, &layers, changes)
}

#[test]
fn a_broker_takes_dynamic_keys_only() {
    let threads = |key_value: &str, why: &str| {
        format!(
            "Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count \
             update validation failed for {key_value}, {why} for configuration Invalid dynamic \
             configuration"
        )
    };
    let more = threads(
        "num.io.threads=100",
        "value should not be greater than double the current value 8",
    );
    let less = threads("num.io.threads=2", "value should be at least half the current value 8");
    let tls = "These security configs can be dynamically updated only per-listener using the \
               listener prefix: [ssl.keystore.location]";
    for (key, operation, value, code, words) in [
        (
            "num.partitions",
            SET,
            "2",
            42,
            "Cannot update these configs dynamically: [num.partitions]",
        ),
        ("ssl.keystore.location", SET, "x", 42, tls),
        (
            "log.retention.ms",
            SET,
            "x",
            42,
            "Invalid value x for configuration log.retention.ms: Not a number of type LONG",
        ),
        (
            "num.io.threads",
            SET,
            "0",
            42,
            "Invalid value 0 for configuration num.io.threads: Value must be at least 1",
        ),
        ("num.io.threads", SET, "100", 42, &more),
        ("num.io.threads", SET, "2", 42, &less),
        ("log.retention.ms", 9, "1", 42, "Unknown operations type 9"),
        (
            "log.retention.ms",
            APPEND,
            "1",
            40,
            "Config value append is not allowed for config key: log.retention.ms",
        ),
        (
            "log.retention.ms",
            SUBTRACT,
            "1",
            40,
            "Config value subtract is not allowed for config key: log.retention.ms",
        ),
        ("fooz", APPEND, "1", 40, "Unknown config name: fooz"),
    ] {
        for resource in [Resource::Broker, Resource::ClusterDefault] {
            let answer = refusal(at_broker(resource, &[change(key, operation, value)]));
            assert_eq!(answer, (code, words.to_owned()), "{key} {resource:?}");
        }
    }
    for (key, value) in [("log.retention.ms", "90000"), ("foo.bar", "x"), ("num.io.threads", "16")]
    {
        for resource in [Resource::Broker, Resource::ClusterDefault] {
            assert_eq!(at_broker(resource, &[change(key, SET, value)]), Ok(()), "{key}");
        }
    }
}

#[test]
fn the_whole_configuration_must_stay_right() {
    let both = [Resource::Broker, Resource::ClusterDefault];
    for (key, value, words) in [
        (
            "log.retention.ms",
            "0",
            "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1",
        ),
        (
            "max.connections.per.ip",
            "0",
            "requirement failed: max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.",
        ),
        ("log.cleaner.threads", "0", "requirement failed: log.cleaner.threads must be at least 1"),
        (
            "log.cleaner.dedupe.buffer.size",
            "1",
            "requirement failed: log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.",
        ),
    ] {
        for resource in both {
            let (code, message) = refusal(at_broker(resource, &[change(key, SET, value)]));
            assert_eq!((code, message.as_str()), (42, words), "{key}");
        }
    }
    // A value of the cluster that this broker overrides does no harm, as in Kafka.
    let (config, none) = (node(), Texts::new());
    let own = texts(&[("log.retention.ms", "90000")]);
    let layers =
        BrokerLayers { dynamic_broker: &own, dynamic_default: &none, fixed: &config.explicit };
    let zero = [change("log.retention.ms", SET, "0")];
    assert_eq!(check_broker_changes(Resource::ClusterDefault, &config, &layers, &zero), Ok(()));
}

/// A start may have these limits, since whoever sets them so has the file in hand.
#[test]
fn a_change_does_not_shut_everyone_out() {
    let words = |key: &str, limit: &str| {
        let why = format!("Invalid {key} {limit}");
        let exception = "org.apache.kafka.common.config.ConfigException";
        format!("Invalid value {exception}: {why} for configuration Invalid dynamic configuration")
    };
    for key in ["max.connections", "max.connection.creation.rate"] {
        for resource in [Resource::Broker, Resource::ClusterDefault] {
            let answer = refusal(at_broker(resource, &[change(key, SET, "0")]));
            assert_eq!(answer, (42, words(key, "0")));
            assert_eq!(at_broker(resource, &[change(key, SET, "1")]), Ok(()));
        }
    }
    // What the file says is not looked at until one of the two changes.
    let file = [("max.connections", "0")];
    let mut fixed = node().explicit;
    fixed.extend(texts(&file));
    let (config, none) = (BrokerConfig::new(&fixed).unwrap(), Texts::new());
    let layers = BrokerLayers { dynamic_broker: &none, dynamic_default: &none, fixed: &fixed };
    let check = |key: &str| {
        check_broker_changes(Resource::Broker, &config, &layers, &[change(key, SET, "9")])
    };
    assert_eq!(check("log.cleaner.io.buffer.load.factor"), Ok(()));
    assert_eq!(check("max.connections"), Ok(()));
    let rate = refusal(check("max.connection.creation.rate"));
    assert_eq!(rate, (42, words("max.connections", "0")));
}

/// As the pools of threads.
#[test]
fn the_cleaner_has_at_most_twice_or_half_its_threads() {
    let words = |why: &str| {
        format!(
            "Invalid value org.apache.kafka.common.config.ConfigException: Log cleaner threads \
             {why} for configuration Invalid dynamic configuration"
        )
    };
    let check = |now: &str, key: &str, value: &'static str| {
        let mut fixed = node().explicit;
        fixed.extend(texts(&[("log.cleaner.threads", now)]));
        let (config, none) = (BrokerConfig::new(&fixed).unwrap(), Texts::new());
        let layers = BrokerLayers { dynamic_broker: &none, dynamic_default: &none, fixed: &fixed };
        check_broker_changes(Resource::Broker, &config, &layers, &[change(key, SET, value)])
    };
    let threads = "log.cleaner.threads";
    for (now, key, value, why) in [
        ("4", threads, "1", "cannot be reduced to less than half the current value 4"),
        ("4", threads, "9", "cannot be increased to more than double the current value 4"),
    ] {
        assert_eq!(refusal(check(now, key, value)), (42, words(why)), "{now} {key} {value}");
    }
    for (now, key, value) in [
        ("4", threads, "2"),
        ("4", threads, "8"),
        ("1", threads, "2"),
        ("4", "log.retention.ms", "90000"),
    ] {
        assert_eq!(check(now, key, value), Ok(()), "{now} {key} {value}");
    }
}

#[test]
fn keys_of_one_broker_need_its_id() {
    for key in ["listeners", "sasl.jaas.config", "listener.name.plaintext.ssl.protocol"] {
        let value = if key == "listeners" { "PLAINTEXT://:1" } else { "x" };
        let answer = refusal(at_broker(Resource::ClusterDefault, &[change(key, SET, value)]));
        let words = format!(
            "Cannot update these configs at default cluster level, broker id must be specified: \
             [{key}]"
        );
        assert_eq!(answer, (42, words));
    }
}

/// librdkafka's 0081 alters a broker by `sasl.kerberos.min.time.before.relogin`, which Kafka takes of a broker
/// without Kerberos, too; it was refused here as if it were one of the listener's secrets.
#[test]
fn times_of_logins_are_changed_at_run_time() {
    for (key, value) in [
        ("sasl.kerberos.min.time.before.relogin", "58000"),
        ("sasl.kerberos.ticket.renew.jitter", "0.1"),
        ("sasl.login.refresh.min.period.seconds", "30"),
    ] {
        assert_eq!(at_broker(Resource::Broker, &[change(key, SET, value)]), Ok(()), "{key}");
        let answer = refusal(at_broker(Resource::ClusterDefault, &[change(key, SET, value)]));
        assert_eq!(answer.0, 42, "{key}");
    }
    let key = "sasl.kerberos.min.time.before.relogin";
    assert_eq!(refusal(at_broker(Resource::Broker, &[change(key, SET, "soon")])).0, 42);
}

#[test]
fn secrets_classes_and_listeners_are_not_changed_at_run_time() {
    // CVE-2025-27818 and -27819: what a client can set must not run code or read files.
    for (key, value) in [
        ("sasl.jaas.config", "com.sun.security.auth.module.JndiLoginModule required;"),
        ("listener.name.plaintext.ssl.keystore.location", "/etc/passwd"),
        ("principal.builder.class", "a.B"),
        ("metric.reporters", "a.B"),
        ("config.providers", "file"),
        ("cordoned.log.dirs", "*"),
    ] {
        let answer = refusal(at_broker(Resource::Broker, &[change(key, SET, value)]));
        let words = format!("This version cannot change {key} while the broker runs.");
        assert_eq!(answer, (42, words), "{key}");
    }
}
