//! Requests and what Apache Kafka 4.3.1 answered to them.

use super::*;
use crate::api::configs::resources::tests::{FakeCluster, node};

fn ask(cluster: &FakeCluster, resources: &[(i8, &str)]) -> Vec<(i16, String, usize)> {
    let request = request(resources, None);
    let response = answer((&node(), cluster), &Access::default(), &request);
    let summary = |result: &DescribeConfigsResult| {
        let message = result.error_message.as_ref().map_or("<null>", |message| message);
        (result.error_code, message.to_owned(), result.configs.len())
    };
    response.results.iter().map(summary).collect()
}

fn request(resources: &[(i8, &str)], keys: Option<&[&str]>) -> DescribeConfigsRequest {
    let keys: Option<Vec<StrBytes>> =
        keys.map(|keys| keys.iter().map(|key| text((*key).to_owned())).collect());
    let resource = |&(kind, name): &(i8, &str)| {
        DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name.to_owned()))
            .with_configuration_keys(keys.clone())
    };
    DescribeConfigsRequest::default().with_resources(resources.iter().map(resource).collect())
}

#[test]
fn mistakes_are_answered_in_kafkas_words() {
    let cluster = FakeCluster::with_topic("t1", &[]);
    let long = "x".repeat(250);
    for (kind, name, code, words) in [
        (2, "", 17, "Topic name is invalid: the empty string is not allowed"),
        (2, "nope", 3, ""),
        (2, ".", 17, "Topic name is invalid: '.' is not allowed"),
        (
            2,
            "a b",
            17,
            "Topic name is invalid: 'a b' contains one or more characters other than ASCII \
             alphanumerics, '.', '_' and '-'",
        ),
        (
            2,
            &long,
            17,
            &format!(
                "Topic name is invalid: the length of '{long}' is longer than the max allowed length 249"
            ),
        ),
        (4, "x", 42, "Broker id must be an integer, but it is: x"),
        (4, "99", 42, "Unexpected broker id, expected 1 or empty string, but received 99"),
        (4, "-1", 42, "Unexpected broker id, expected 1 or empty string, but received -1"),
        (8, "", 42, "Broker id must not be empty"),
        (8, "x", 42, "Broker id must be an integer, but it is: x"),
        (8, "99", 42, "Unexpected broker id, expected 1 but received 99"),
        (16, "", 42, "Client metrics subscription name must not be empty"),
        (32, "", 42, "Group name must not be empty"),
    ] {
        assert_eq!(ask(&cluster, &[(kind, name)]), [(code, words.to_owned(), 0)], "{kind} {name}");
    }
}

#[test]
fn a_kind_that_does_not_exist_spoils_the_request() {
    let cluster = FakeCluster::with_topic("t1", &[]);
    let words = ErrorCode::InvalidRequest.message().to_owned();
    for kind in [0, 1, 3, 77, -1] {
        let spoiled = (42, words.clone(), 0);
        assert_eq!(ask(&cluster, &[(2, "t1"), (kind, "a")]), [spoiled.clone(), spoiled], "{kind}");
    }
}

#[test]
fn each_resource_has_its_own_answer() {
    let cluster = FakeCluster::with_topic("t1", &[("retention.ms", "60000")]);
    let answers = ask(&cluster, &[(2, "t1"), (2, "nope"), (4, "1"), (4, ""), (8, "1")]);
    let sizes: Vec<(i16, usize)> = answers.iter().map(|(code, _, rows)| (*code, *rows)).collect();
    // 33 and 340 of Kafka's, one of ours in each; nothing is set for all brokers.
    assert_eq!(sizes, [(0, 34), (3, 0), (0, 341), (0, 0), (0, 0)]);
}

#[test]
fn keys_synonyms_and_documentation_come_as_asked_for() {
    let cluster = FakeCluster::with_topic("t1", &[("retention.ms", "60000")]);
    let plain = request(&[(2, "t1")], Some(&["retention.ms", "foo"]));
    let response = answer((&node(), &cluster), &Access::default(), &plain);
    let [row] = &response.results[0].configs[..] else { panic!("{response:?}") };
    assert_eq!((&*row.name, row.value.as_deref()), ("retention.ms", Some("60000")));
    assert_eq!((row.config_source, row.config_type, row.read_only), (1, 5, false));
    assert_eq!((row.synonyms.len(), row.documentation.as_ref()), (0, None));

    let full = plain.with_include_synonyms(true).with_include_documentation(true);
    let response = answer((&node(), &cluster), &Access::default(), &full);
    let row = &response.results[0].configs[0];
    let synonyms: Vec<(&str, i8)> = row.synonyms.iter().map(|s| (&*s.name, s.source)).collect();
    // The broker's hours are no synonym of log.retention.ms: that key itself has no value.
    assert_eq!(synonyms, [("retention.ms", 1)]);
    assert!(row.documentation.as_ref().is_some_and(|text| text.starts_with("How long")));

    let all = request(&[(2, "t1")], Some(&[]));
    assert_eq!(answer((&node(), &cluster), &Access::default(), &all).results[0].configs.len(), 34);
}

#[test]
fn an_answer_has_a_bounded_number_of_rows() {
    let cluster = FakeCluster::with_topic("t1", &[]);
    let many = vec![(4, "1"); ROWS_MAX / 341 + 2];
    let answers = ask(&cluster, &many);
    assert_eq!(answers.iter().map(|(_, _, rows)| rows).sum::<usize>(), ROWS_MAX / 341 * 341);
    assert_eq!(answers.last().map(|(code, _, _)| *code), Some(42));
}
