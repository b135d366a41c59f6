//! Configuration, features and producer ids.

use kafka_protocol::messages::alter_configs_request::{
    AlterConfigsResource as Legacy, AlterableConfig as LegacyConfig,
};
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::update_features_request::FeatureUpdateKey;
use kafka_protocol::messages::{
    AllocateProducerIdsRequest, AlterConfigsRequest, IncrementalAlterConfigsRequest,
    UpdateFeaturesRequest,
};

use super::*;

/// A resource's kind and name, and what happens to its keys.
type Asked<'a> = (i8, &'a str, &'a [(&'a str, i8, Option<&'a str>)]);

fn alter(node: &mut Node, asked: &[Asked<'_>]) -> (String, Vec<(i16, String)>) {
    let resource = |(kind, name, changes): &Asked<'_>| {
        let config = |(key, operation, value): &(&str, i8, Option<&str>)| {
            AlterableConfig::default()
                .with_name(text(*key))
                .with_config_operation(*operation)
                .with_value(value.map(text))
        };
        AlterConfigsResource::default()
            .with_resource_type(*kind)
            .with_resource_name(text(*name))
            .with_configs(changes.iter().map(config).collect())
    };
    let resources = asked.iter().map(resource).collect();
    let request = IncrementalAlterConfigsRequest::default().with_resources(resources);
    let (records, reply) = node.ask(&Request::IncrementalAlterConfigs(request));
    let Reply::IncrementalAlterConfigs(response) = reply else { panic!("{reply:?}") };
    let answers = response.responses.iter().map(|resource| {
        (resource.error_code, resource.error_message.as_deref().unwrap_or("-").to_owned())
    });
    (show(&records), answers.collect())
}

#[test]
fn values_are_set_and_deleted_key_by_key() {
    let mut node = Node::new(&[]);
    node.create(vec![topic("a", 1, 1, &[("segment.ms", "7")])]);
    let (records, answers) = alter(
        &mut node,
        &[
            (2, "a", &[("segment.ms", 1, None), ("cleanup.policy", 2, Some("compact"))]),
            (4, "", &[("log.retention.ms", 0, Some("90000"))]),
            (4, "1", &[("log.retention.ms", 0, Some("80000"))]),
        ],
    );
    assert_eq!(
        records,
        "config 2:a segment.ms=null\n\
         config 2:a cleanup.policy=delete,compact\n\
         config 4: log.retention.ms=90000\n\
         config 4:1 log.retention.ms=80000"
    );
    assert_eq!(answers, vec![(0, "-".to_owned()); 3]);
    assert_eq!(node.controller.image().overrides(2, "a").unwrap().len(), 1);
}

#[test]
fn a_resource_that_cannot_be_changed_is_answered_and_others_are_changed() {
    let mut node = Node::new(&[]);
    node.create(vec![topic("a", 1, 1, &[]), topic("b", 1, 1, &[])]);
    let one: &[(&str, i8, Option<&str>)] = &[("segment.ms", 0, Some("1"))];
    for (kind, name, code, words) in [
        (2, "x", 3, "The topic 'x' does not exist."),
        (2, "", 42, "Default topic resources are not allowed."),
        (4, "7", 102, "No node with id 7 found."),
        (4, "x", 42, "Unable to parse broker name as a base 10 number."),
        (4, "-1", 42, "Invalid negative broker ID."),
        (8, "1", 42, "Unexpected resource type BROKER_LOGGER."),
        (77, "1", 35, "Unknown resource type 77."),
    ] {
        let (records, answers) = alter(&mut node, &[(kind, name, one), (2, "b", one)]);
        assert_eq!(answers, [(code, words.to_owned()), (0, "-".to_owned())], "{kind} {name}");
        assert!(records == "config 2:b segment.ms=1" || records.is_empty());
    }
    let (_, answers) = alter(&mut node, &[(2, "a", &[("foo", 0, Some("1"))])]);
    assert_eq!(answers, [(40, "Unknown topic config name: foo".to_owned())]);
    let (records, answers) = alter(&mut node, &[(2, "a", one), (2, "a", one)]);
    assert_eq!((records.as_str(), answers), ("", vec![(42, "Duplicate resource.".to_owned())]));
}

#[test]
fn an_operation_that_does_not_exist_spoils_the_request() {
    let mut node = Node::new(&[]);
    node.create(vec![topic("a", 1, 1, &[]), topic("b", 1, 1, &[])]);
    let good: &[(&str, i8, Option<&str>)] = &[("segment.ms", 0, Some("1"))];
    let bad: &[(&str, i8, Option<&str>)] = &[("segment.ms", 9, Some("1"))];
    let (records, answers) = alter(&mut node, &[(2, "a", good), (2, "b", bad)]);
    assert_eq!((records.as_str(), answers), ("", vec![(-1, "-".to_owned()); 2]));
}

#[test]
fn the_older_api_replaces_all_keys() {
    let mut node = Node::new(&[]);
    node.create(vec![topic("a", 1, 1, &[("segment.ms", "7"), ("retention.ms", "8")])]);
    let config = LegacyConfig::default().with_name(text("segment.ms")).with_value(Some(text("9")));
    let resource = Legacy::default()
        .with_resource_type(2)
        .with_resource_name(text("a"))
        .with_configs(vec![config]);
    let request = AlterConfigsRequest::default().with_resources(vec![resource]);
    let validation = request.clone().with_validate_only(true);
    assert_eq!(node.ask(&Request::AlterConfigs(validation)).0, []);
    let (records, reply) = node.ask(&Request::AlterConfigs(request));
    assert_eq!(show(&records), "config 2:a segment.ms=9\nconfig 2:a retention.ms=null");
    let Reply::AlterConfigs(response) = reply else { panic!("{reply:?}") };
    assert_eq!(response.responses[0].error_code, 0);
}

fn with_elr() -> Node {
    let bootstrap =
        vec![level("metadata.version", 30), level("eligible.leader.replicas.version", 1)];
    Node::started(ControllerStart { bootstrap, ..start(&[]) }, &Image::empty())
}

#[test]
fn eligible_leaders_are_forgotten_when_min_insync_replicas_changes() {
    let mut node = with_elr();
    node.create(vec![topic("a", 1, 1, &[])]);
    let two: &[(&str, i8, Option<&str>)] = &[("min.insync.replicas", 0, Some("2"))];
    let (records, _) = alter(&mut node, &[(2, "a", two)]);
    assert_eq!(records, "config 2:a min.insync.replicas=2\nclear-elr 'a'");
    let (records, _) = alter(&mut node, &[(4, "", two)]);
    assert_eq!(records, "config 4: min.insync.replicas=2\nclear-elr ''");
    let (_, answers) = alter(&mut node, &[(4, "1", two)]);
    let words = "Broker-level min.insync.replicas cannot be altered while ELR is enabled.";
    assert_eq!(answers, [(40, words.to_owned())]);
}

/// Each update: feature, level, upgrade type.
fn update(node: &mut Node, asked: &[(&str, i16, i8)]) -> (String, i16, String) {
    let key = |(feature, level, kind): &(&str, i16, i8)| {
        FeatureUpdateKey::default()
            .with_feature(text(*feature))
            .with_max_version_level(*level)
            .with_upgrade_type(*kind)
    };
    let updates = asked.iter().map(key).collect();
    let request = UpdateFeaturesRequest::default().with_feature_updates(updates);
    let validation = request.clone().with_validate_only(true);
    assert_eq!(node.ask(&Request::UpdateFeatures(validation)).0, []);
    let (records, reply) = node.ask(&Request::UpdateFeatures(request));
    let Reply::UpdateFeatures(response) = reply else { panic!("{reply:?}") };
    let prefix = "The update failed for all features since the following feature had an error: ";
    let message = response.error_message.as_deref().unwrap_or("-");
    let message = message.strip_prefix(prefix).unwrap_or(message).to_owned();
    let told = if response.error_code == 0 { asked.len() } else { 0 };
    assert_eq!(response.results.len(), told);
    (show(&records), response.error_code, message)
}

fn at_level(metadata_version: i16) -> Node {
    let bootstrap = vec![level("metadata.version", metadata_version)];
    Node::started(ControllerStart { bootstrap, ..start(&[]) }, &Image::empty())
}

#[test]
fn a_level_goes_up_and_down_where_nothing_is_lost() {
    let mut node = at_level(27);
    for (level, kind) in [(29, 1), (25, 2), (25, 1), (30, 1)] {
        let expected = (format!("metadata.version {level}"), 0, "-".to_owned());
        assert_eq!(update(&mut node, &[("metadata.version", level, kind)]), expected);
    }
    assert_eq!(node.controller.image().metadata_version(), 30);
    assert_eq!(update(&mut node, &[]), (String::new(), 0, "-".to_owned()));
    let no_op = ("no-op".to_owned(), 0, "-".to_owned());
    assert_eq!(update(&mut node, &[("kraft.version", 0, 1)]), no_op);
}

#[test]
fn a_level_that_cannot_be_is_refused_in_kafkas_words() {
    let mut node = at_level(30);
    for (feature, level, kind, words) in [
        ("metadata.version", 31, 1, "Local controller 1 only supports versions 7-30"),
        ("metadata.version", 6, 2, "Local controller 1 only supports versions 7-30"),
        ("metadata.version", 29, 0, "The controller does not support the given upgrade type."),
        ("metadata.version", -1, 1, "A feature version cannot be less than 0."),
        (
            "metadata.version",
            29,
            1,
            "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe \
             downgrade.",
        ),
        ("foo", 1, 1, "Local controller 1 does not support this feature."),
        ("foo", 0, 2, "Feature foo not found."),
        ("kraft.version", 1, 2, "Can't downgrade to a newer version."),
    ] {
        let (records, code, message) = update(&mut node, &[(feature, level, kind)]);
        let expected = format!("Invalid update version {level} for feature {feature}. {words}");
        assert_eq!((records.as_str(), code, message), ("", 95, expected));
    }
    for (kind, words) in [
        (
            2,
            "Refusing to perform the requested downgrade because it might delete metadata information.",
        ),
        (3, "Unsafe metadata downgrade is not supported in this version."),
    ] {
        let (_, code, message) = update(&mut node, &[("metadata.version", 29, kind)]);
        let expected = format!("Unsupported metadata.version downgrade from 30 to 29. {words}");
        assert_eq!((code, message), (95, expected));
    }
    let (records, code, _) = update(&mut node, &[("kraft.version", 1, 1)]);
    assert_eq!((records.as_str(), code), ("", 95));
}

#[test]
fn a_block_of_producer_ids_is_given_out_once() {
    let mut node = Node::new(&[]);
    let mut ask = |epoch| {
        let request = AllocateProducerIdsRequest::default()
            .with_broker_id(BrokerId(1))
            .with_broker_epoch(epoch);
        let (records, reply) = node.ask(&Request::AllocateProducerIds(request));
        let Reply::AllocateProducerIds(response) = reply else { panic!("{reply:?}") };
        let block = (response.producer_id_start.0, response.producer_id_len);
        (show(&records), response.error_code, block)
    };
    assert_eq!(ask(5), ("producer ids 1@5 1000".to_owned(), 0, (0, 1000)));
    assert_eq!(ask(5), ("producer ids 1@5 2000".to_owned(), 0, (1000, 1000)));
    assert_eq!(ask(4).1, 77);
}
