//! What the controller answers, in each version of the protocol.

use bytes::Bytes;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{
    CreatePartitionsResponse, CreateTopicsResponse, DeleteTopicsResponse, TopicName,
};
use kafka_protocol::protocol::Decodable;
use uuid::Uuid;

use super::*;
use crate::api::answer::{Answer, Call};
use crate::api::configs::resources::text;
use crate::kernel::controller::Reply;
use crate::wire::reply::Chunk;

/// Length, correlation id, and the tags of a flexible header.
fn decoded<R: Decodable>(answer: Option<Answer>, version: i16, flexible_from: i16) -> R {
    let Some(Answer::Now(reply)) = answer else { panic!("no answer to version {version}") };
    let [Chunk::Bytes(frame)] = &reply.chunks[..] else { panic!("several chunks") };
    let header_bytes = if version >= flexible_from { 9 } else { 8 };
    let mut body: Bytes = frame.slice(header_bytes..);
    let response = R::decode(&mut body, version).unwrap();
    assert_eq!(body.len(), 0, "bytes are left in version {version}");
    response
}

const ID: Uuid = Uuid::from_u128(0x1d);

#[test]
fn create_topics_is_answered_in_every_version() {
    let row = CreatableTopicConfigs::default()
        .with_name(text("a"))
        .with_value(None)
        .with_config_source(5);
    let topic = CreatableTopicResult::default()
        .with_name(TopicName(text("t")))
        .with_topic_id(ID)
        .with_error_message(None)
        .with_num_partitions(3)
        .with_replication_factor(1)
        .with_configs(Some(vec![row]));
    for version in 2..=7 {
        let reply = CreateTopicsResponse::default().with_topics(vec![topic.clone()]);
        let call = Call::for_test(19, version);
        let answer = create_topics::answer(&call, Reply::CreateTopics(reply));
        let response: CreateTopicsResponse = decoded(answer, version, 5);
        let told = &response.topics[0];
        assert_eq!((&**told.name, told.error_code), ("t", 0));
        assert_eq!(told.num_partitions, if version >= 5 { 3 } else { -1 });
        assert_eq!(told.topic_id, if version >= 7 { ID } else { Uuid::nil() });
    }
}

#[test]
fn delete_topics_has_its_own_error_for_switched_off_deletion_since_version_3() {
    let topic = DeletableTopicResult::default()
        .with_name(Some(TopicName(text("t"))))
        .with_topic_id(ID)
        .with_error_code(73);
    for version in 1..=6 {
        let reply = DeleteTopicsResponse::default().with_responses(vec![topic.clone()]);
        let call = Call::for_test(20, version);
        let answer = delete_topics::answer(&call, Reply::DeleteTopics(reply));
        let response: DeleteTopicsResponse = decoded(answer, version, 4);
        let told = &response.responses[0];
        assert_eq!(told.error_code, if version >= 3 { 73 } else { 42 }, "{version}");
        assert_eq!(told.topic_id, if version >= 6 { ID } else { Uuid::nil() });
    }
}

#[test]
fn create_partitions_is_answered_in_every_version() {
    let topic = CreatePartitionsTopicResult::default()
        .with_name(TopicName(text("t")))
        .with_error_code(37)
        .with_error_message(Some(text("no")));
    for version in 0..=3 {
        let reply = CreatePartitionsResponse::default().with_results(vec![topic.clone()]);
        let call = Call::for_test(37, version);
        let answer = create_partitions::answer(&call, Reply::CreatePartitions(reply));
        let response: CreatePartitionsResponse = decoded(answer, version, 2);
        assert_eq!(response.results, std::slice::from_ref(&topic));
    }
}

#[test]
fn a_reply_to_something_else_is_no_answer() {
    let other = Reply::CreatePartitions(CreatePartitionsResponse::default());
    assert!(create_topics::answer(&Call::for_test(19, 7), other).is_none());
}
