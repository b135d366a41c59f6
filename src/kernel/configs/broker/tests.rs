//! Whole configurations, and what Apache Kafka 4.3.1 said to them.

use super::*;

/// A combined node, with some keys changed or (where the value is none) taken away.
fn read(changes: &[(&str, Option<&str>)]) -> Result<BrokerConfig, Vec<ConfigError>> {
    let mut texts: Texts = [
        ("node.id", "1"),
        ("process.roles", "broker,controller"),
        ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("controller.listener.names", "CONTROLLER"),
        ("controller.quorum.voters", "1@localhost:9093"),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect();
    for (key, value) in changes {
        match value {
            Some(value) => texts.insert((*key).to_owned(), (*value).to_owned()),
            None => texts.remove(*key),
        };
    }
    BrokerConfig::new(&texts)
}

fn endpoints(endpoints: &[Endpoint]) -> String {
    endpoints.iter().map(Endpoint::to_string).collect::<Vec<_>>().join(",")
}

#[test]
fn listeners_are_read_as_kafka_reads_them() {
    for (listeners, expected) in [
        ("PLAINTEXT://:9092,CONTROLLER://:9093", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        (" PLAINTEXT://:9092 , CONTROLLER://:9093 ", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("plaintext://h:1,controller://:0", "PLAINTEXT://h:1,CONTROLLER://:0"),
        ("PLAINTEXT://[::1]:9092,CONTROLLER://:0", "PLAINTEXT://[::1]:9092,CONTROLLER://:0"),
        ("PLAINTEXT://::1:9092,CONTROLLER://:0", "PLAINTEXT://[::1]:9092,CONTROLLER://:0"),
        ("PLAINTEXT://a_b:0,CONTROLLER://:0", "PLAINTEXT://a_b:0,CONTROLLER://:0"),
    ] {
        let config = read(&[("listeners", Some(listeners))]).unwrap();
        assert_eq!(endpoints(&config.listeners), expected);
        assert_eq!(config.advertised_listeners, config.listeners[..1]);
        assert_eq!(config.advertised_controller_listeners, config.listeners[1..]);
    }
    let pair = read(&[
        ("listeners", Some("PLAINTEXT://127.0.0.1:9092,P6://[::1]:9092,CONTROLLER://:9093")),
        (
            "listener.security.protocol.map",
            Some("P6:PLAINTEXT,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"),
        ),
    ]);
    assert_eq!(pair.unwrap().advertised_listeners.len(), 2);
}

#[test]
fn advertised_listeners_may_differ() {
    let config =
        read(&[("advertised.listeners", Some("PLAINTEXT://h:1,CONTROLLER://h:2"))]).unwrap();
    assert_eq!(endpoints(&config.advertised_listeners), "PLAINTEXT://h:1");
    assert_eq!(endpoints(&config.advertised_controller_listeners), "CONTROLLER://h:2");
    assert_eq!(config.inter_broker_listener_name, "PLAINTEXT");
}

#[test]
fn either_name_of_the_id_sets_both() {
    for set in [
        [("node.id", Some("7")), ("broker.id", None)],
        [("node.id", None), ("broker.id", Some("7"))],
    ] {
        let config = read(&[set[0], set[1], ("controller.quorum.voters", Some("7@h:1"))]).unwrap();
        assert_eq!(config.node_id, NodeId(7));
        assert_eq!(config.explicit["node.id"], "7");
        assert_eq!(config.explicit["broker.id"], "7");
    }
}

/// Kafka's words to a configuration with these changes. Kafka stops at its first mistake, we tell all.
fn check(changes: &[(&str, Option<&str>)], expected: &str) {
    let told: Vec<String> = match read(changes) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.into_iter().map(|error| error.message).collect(),
    };
    assert_eq!(told.first().map(String::as_str), Some(expected), "{changes:?}");
}

#[test]
fn listeners_that_do_not_fit_are_refused_in_kafkas_words() {
    let in_listeners = |entries: &str, why: &str| {
        format!("Error creating broker listeners from '[{entries}]': {why}")
    };
    for (changes, expected) in [
        (
            vec![("listeners", Some("PLAINTEXT://:1,PLAINTEXT://:2,CONTROLLER://:3"))],
            in_listeners("PLAINTEXT://:1, PLAINTEXT://:2, CONTROLLER://:3", "Each listener must have a different name, listeners: [PLAINTEXT://:1, PLAINTEXT://:2, CONTROLLER://:3]"),
        ),
        (
            vec![("listeners", Some("FOO://:1,CONTROLLER://:3"))],
            in_listeners("FOO://:1, CONTROLLER://:3", "No security protocol defined for listener FOO"),
        ),
        (
            vec![("listeners", Some("PLAINTEXT://localhost,CONTROLLER://:3"))],
            in_listeners("PLAINTEXT://localhost, CONTROLLER://:3", "Unable to parse PLAINTEXT://localhost to a broker endpoint"),
        ),
        (
            vec![("listeners", Some("PLAINTEXT://:3,CONTROLLER://:3"))],
            in_listeners("PLAINTEXT://:3, CONTROLLER://:3", "Each listener must have a different port, listeners: [PLAINTEXT://:3, CONTROLLER://:3]"),
        ),
        (
            vec![("listeners", Some("PLAINTEXT://127.0.0.1:3,CONTROLLER://127.0.0.2:3"))],
            in_listeners("PLAINTEXT://127.0.0.1:3, CONTROLLER://127.0.0.2:3", "If you have two listeners on the same port then one needs to be IPv4 and the other IPv6, listeners: [PLAINTEXT://127.0.0.1:3, CONTROLLER://127.0.0.2:3], port: 3"),
        ),
        (
            vec![("listeners", Some("PLAINTEXT://:9092"))],
            "controller.listener.names must contain at least one value appearing in the 'listeners' configuration when running the KRaft controller role".to_owned(),
        ),
        (
            vec![("listeners", Some("CONTROLLER://:9093"))],
            "There must be at least one broker advertised listener. Perhaps all listeners appear in controller.listener.names?".to_owned(),
        ),
        (
            vec![("listener.security.protocol.map", Some("FOO:BAR"))],
            "Invalid security protocol `BAR` defined in listener.security.protocol.map".to_owned(),
        ),
        (
            vec![("listener.security.protocol.map", Some("PLAINTEXT:PLAINTEXT"))],
            in_listeners("PLAINTEXT://:9092, CONTROLLER://:9093", "No security protocol defined for listener CONTROLLER"),
        ),
        (
            vec![("listeners", Some("PLAINTEXT://0.0.0.0:9092,CONTROLLER://:9093"))],
            "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address.".to_owned(),
        ),
    ] {
        check(&changes, &expected);
    }
}

#[test]
fn keys_that_do_not_go_together_are_refused_in_kafkas_words() {
    for (changes, expected) in [
        (
            vec![("advertised.listeners", Some("SSL://h:9092"))],
            "inter.broker.listener.name must be a listener name defined in advertised.listeners. The valid options based on currently configured listeners are SSL".to_owned(),
        ),
        (
            vec![("controller.quorum.voters", None)],
            "If using process.roles, either controller.quorum.bootstrap.servers must contain the set of bootstrap controllers or controller.quorum.voters must contain a parseable set of controllers.".to_owned(),
        ),
        (
            vec![("controller.quorum.voters", Some("2@h:1"))],
            "If process.roles contains the 'controller' role, the node id 1 must be included in the set of voters controller.quorum.voters=Set(2)".to_owned(),
        ),
        (
            vec![("controller.quorum.voters", Some("x@h:1"))],
            "Failed to parse voter ID as an integer from x".to_owned(),
        ),
        (vec![("controller.quorum.voters", Some("1@h:99999"))], "port out of range:99999".to_owned()),
        (
            vec![("broker.id", Some("3"))],
            "You must set `node.id` to the same value as `broker.id`.".to_owned(),
        ),
        (
            vec![("node.id", None)],
            "Missing required configuration \"node.id\" which has no default value.".to_owned(),
        ),
        (vec![("log.roll.ms", Some("0"))], "log.roll.ms must be greater than or equal to 1".to_owned()),
        (
            vec![("log.retention.hours", Some("0"))],
            "log.retention.ms must be unlimited (-1) or, greater than or equal to 1".to_owned(),
        ),
        (
            vec![("inter.broker.listener.name", Some("PLAINTEXT")), ("security.inter.broker.protocol", Some("PLAINTEXT"))],
            "Only one of inter.broker.listener.name and security.inter.broker.protocol should be set.".to_owned(),
        ),
        (
            vec![("queued.max.request.bytes", Some("100"))],
            "queued.max.request.bytes must be larger or equal to socket.request.max.bytes".to_owned(),
        ),
        (
            vec![("max.connections.per.ip.overrides", Some("a:1,a b:2"))],
            "max.connections.per.ip.overrides contains invalid addresses : a b:2".to_owned(),
        ),
        (
            vec![("listener.name.plaintext.max.connection.creation.rate", Some("-1"))],
            "Invalid value -1 for configuration max.connection.creation.rate: Value must be at least 0"
                .to_owned(),
        ),
    ] {
        check(&changes, &expected);
    }
    assert!(read(&[("replica.fetch.wait.max.ms", Some("30000"))]).is_ok());
}

#[test]
fn dynamic_values_win_over_fixed_ones() {
    let texts = |key: &str, value: &str| Texts::from([(key.to_owned(), value.to_owned())]);
    let config = read(&[("max.connections", Some("5"))]).unwrap();
    let default = texts("max.connections", "6");
    assert_eq!(config.with_dynamic(&default, &Texts::new()).unwrap().max_connections, 6);
    let broker = texts("max.connections", "7");
    assert_eq!(config.with_dynamic(&default, &broker).unwrap().max_connections, 7);
    assert_eq!(config.with_dynamic(&default, &broker).unwrap().explicit, config.explicit);
    assert!(config.with_dynamic(&texts("max.connections", "x"), &Texts::new()).is_err());
}

proptest::proptest! {
    /// Whatever stands behind a key, it is read or refused.
    #[test]
    fn any_value_is_read_or_refused(index: proptest::sample::Index, value in "[ -~]{0,30}|[0-9,:@/*.-]{0,30}") {
        let key = index.get(&BROKER.keys().copied().collect::<Vec<_>>()).to_owned();
        if let Err(errors) = read(&[(key, Some(&value))]) {
            proptest::prop_assert!(!errors.is_empty());
        }
    }
}
