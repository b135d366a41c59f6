//! DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, ListConfigResources.

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::{
    AlterConfigsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest,
    ListConfigResourcesRequest, alter_configs_request, incremental_alter_configs_request,
};
use protocol_tests::requests::text;

use super::script::Script;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

/// Keys of a broker whose values do not depend on the machine.
const BROKER_KEYS: [&str; 8] = [
    "log.retention.ms",
    "log.retention.hours",
    "num.io.threads",
    "message.max.bytes",
    "compression.type",
    "log.cleaner.threads",
    "auto.create.topics.enable",
    "ssl.keystore.password",
];

fn resource(kind: i8, name: &str, keys: Option<&[&str]>) -> DescribeConfigsResource {
    DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configuration_keys(keys.map(|keys| keys.iter().map(|key| text(*key)).collect()))
}

#[test]
fn describe_configs() {
    let mut script = Script::begin("describe-configs");
    script.topic("wire", 1, &[("retention.ms", "1000"), ("cleanup.policy", "compact,delete")]);
    for version in 1..=4 {
        for synonyms in [false, true] {
            for resource in [
                resource(TOPIC, "wire", None),
                resource(TOPIC, "wire", Some(&["retention.ms", "segment.bytes", "no.such.key"])),
                resource(TOPIC, "unknown", None),
                resource(TOPIC, "bad name", None),
                resource(BROKER, "1", Some(&BROKER_KEYS)),
                resource(BROKER, "", None),
                resource(BROKER, "7", None),
                resource(BROKER, "x", None),
                resource(99, "x", None),
            ] {
                let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
                let request = request.with_include_synonyms(synonyms);
                script.ask_hiding(version, &request, |answer| {
                    // Kafka gives them in the order of a hash table.
                    for result in &mut answer.results {
                        // And has none of our keys; it has this one of the cluster, where the feature
                        // eligible.leader.replicas.version is in force (KIP-966).
                        result.configs.retain(|config| {
                            !config.name.starts_with("ottla.")
                                && &*config.name != "min.insync.replicas"
                        });
                        result.configs.sort_by(|one, other| one.name.cmp(&other.name));
                    }
                });
            }
        }
    }
    let request = DescribeConfigsRequest::default()
        .with_resources(vec![resource(TOPIC, "wire", Some(&["retention.ms"]))])
        .with_include_documentation(true);
    script.ask_hiding(4, &request, |answer| {
        let documentation = answer.results[0].configs[0].documentation.take();
        assert!(documentation.is_some_and(|text| !text.is_empty()));
    });
    script.end();
}

#[test]
fn incremental_alter_configs() {
    use incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
    let mut script = Script::begin("incremental-alter-configs");
    script.topic("wire", 1, &[]);
    let change = |kind, name: &str, changes: &[(&str, i8, Option<&str>)]| {
        let config = |(key, operation, value): &(&str, i8, Option<&str>)| {
            AlterableConfig::default()
                .with_name(text(*key))
                .with_config_operation(*operation)
                .with_value(value.map(text))
        };
        AlterConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configs(changes.iter().map(config).collect())
    };
    for version in 0..=1 {
        for change in [
            change(TOPIC, "wire", &[("retention.ms", 0, Some("5000"))]),
            change(TOPIC, "wire", &[("cleanup.policy", 2, Some("compact"))]),
            change(TOPIC, "wire", &[("cleanup.policy", 3, Some("delete"))]),
            change(TOPIC, "wire", &[("retention.ms", 1, None)]),
            change(TOPIC, "wire", &[("retention.ms", 0, Some("x"))]),
            change(TOPIC, "wire", &[("retention.ms", 0, None)]),
            change(TOPIC, "wire", &[("retention.ms", 2, Some("1"))]),
            change(TOPIC, "wire", &[("retention.ms", 9, Some("1"))]),
            change(TOPIC, "wire", &[("no.such.key", 0, Some("1"))]),
            change(TOPIC, "unknown", &[("retention.ms", 0, Some("1"))]),
            change(TOPIC, "wire", &[("a", 0, Some("1")), ("a", 0, Some("2"))]),
            change(BROKER, "1", &[("log.cleaner.threads", 0, Some("5"))]),
            change(BROKER, "1", &[("log.cleaner.threads", 0, Some("2"))]),
            change(BROKER, "", &[("message.max.bytes", 0, Some("2000000"))]),
            change(BROKER, "1", &[("node.id", 0, Some("2"))]),
            change(BROKER, "7", &[("log.cleaner.threads", 0, Some("2"))]),
            change(BROKER, "x", &[("log.cleaner.threads", 0, Some("2"))]),
            change(99, "x", &[]),
        ] {
            let request = IncrementalAlterConfigsRequest::default().with_resources(vec![change]);
            script.ask(version, &request.clone().with_validate_only(true));
            script.ask(version, &request);
        }
    }
    script.end();
}

#[test]
fn alter_configs() {
    use alter_configs_request::{AlterConfigsResource, AlterableConfig};
    let mut script = Script::begin("alter-configs");
    script.topic("wire", 1, &[]);
    let set = |kind, name: &str, values: &[(&str, Option<&str>)]| {
        let config = |(key, value): &(&str, Option<&str>)| {
            AlterableConfig::default().with_name(text(*key)).with_value(value.map(text))
        };
        AlterConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configs(values.iter().map(config).collect())
    };
    for version in 0..=2 {
        for resource in [
            set(TOPIC, "wire", &[("retention.ms", Some("5000")), ("flush.ms", Some("7"))]),
            set(TOPIC, "wire", &[]),
            set(TOPIC, "wire", &[("retention.ms", Some("x"))]),
            set(TOPIC, "wire", &[("retention.ms", None)]),
            set(TOPIC, "wire", &[("no.such.key", Some("1"))]),
            set(TOPIC, "unknown", &[("retention.ms", Some("1"))]),
            set(BROKER, "1", &[("log.cleaner.threads", Some("2"))]),
            set(BROKER, "x", &[]),
            set(99, "x", &[]),
        ] {
            let request = AlterConfigsRequest::default().with_resources(vec![resource]);
            script.ask(version, &request.clone().with_validate_only(true));
            script.ask(version, &request);
        }
    }
    script.end();
}

#[test]
fn list_config_resources() {
    let mut script = Script::begin("list-config-resources");
    script.topic("wire", 1, &[("retention.ms", "1000")]);
    script.ask(0, &ListConfigResourcesRequest::default());
    for types in [vec![], vec![TOPIC], vec![BROKER], vec![TOPIC, BROKER], vec![16], vec![99]] {
        let request = ListConfigResourcesRequest::default().with_resource_types(types);
        script.ask_hiding(1, &request, |answer| {
            let key =
                |it: &kafka_protocol::messages::list_config_resources_response::ConfigResource| {
                    (it.resource_type, it.resource_name.to_string())
                };
            answer.config_resources.sort_by_key(key);
        });
    }
    script.end();
}
