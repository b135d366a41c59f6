//! DescribeLogDirs (35), versions 1–5: what lies in which log directory, and how much room it has.
//!
//! KIP-113, KIP-482 (2: flexible), KIP-784 (3: an error for the whole), KIP-827 (4: the volume), KIP-1066 (5: cordoned).
//!
//! Deviations from Apache Kafka: topics and partitions are answered in the order of their names; no replica is ever on its
//! way from one directory to another.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, frame_of};
use crate::api::context::Ctx;
use crate::api::dispatch::refuse;
use crate::shell::drivers::partitions::{LogDirDescription, ReplicaDescription};
use crate::types::acls::Operation;
use crate::wire::messages::describe_log_dirs;

/// From here on there is an error for the whole.
const FIRST_WITH_ERROR: i16 = 3;

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: &Call, body: Bytes) -> Answer {
    let request: DescribeLogDirsRequest = match decode(call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let response = match Access::of(ctx, call).cluster(Operation::DESCRIBE) {
        Ok(()) => {
            let wanted = wanted(&request);
            let directories = ctx.partitions.log_dirs();
            let results = directories.iter().map(|it| described(it, wanted.as_ref()));
            DescribeLogDirsResponse::default().with_results(results.collect())
        }
        // Before version 3 there is no place for an error.
        Err(code) if call.version >= FIRST_WITH_ERROR => {
            DescribeLogDirsResponse::default().with_error_code(code.code())
        }
        Err(_) => DescribeLogDirsResponse::default(),
    };
    let mut body = BytesMut::new();
    // A directory is cordoned by a configuration that comes with more than one node.
    match describe_log_dirs::encode(call.version, &response, |_| false, &mut body) {
        Ok(()) => frame_of::<DescribeLogDirsRequest>(call, &body),
        Err(error) => refuse(call.peer, &error),
    }
}

type Wanted<'a> = BTreeMap<&'a str, BTreeSet<i32>>;

/// The partitions that a request asks for; none if it asks for all.
fn wanted(request: &DescribeLogDirsRequest) -> Option<Wanted<'_>> {
    let topics = request.topics.as_ref()?;
    let mut wanted = Wanted::new();
    for topic in topics {
        wanted.entry(&topic.topic).or_default().extend(&topic.partitions);
    }
    Some(wanted)
}

fn described(directory: &LogDirDescription, wanted: Option<&Wanted<'_>>) -> DescribeLogDirsResult {
    let is_wanted = |replica: &&ReplicaDescription| {
        wanted.is_none_or(|wanted| {
            let partitions = wanted.get(replica.topic.as_str());
            partitions.is_some_and(|partitions| partitions.contains(&replica.partition.0))
        })
    };
    let mut topics: Vec<DescribeLogDirsTopic> = Vec::new();
    for replica in directory.replicas.iter().filter(is_wanted) {
        let partition = DescribeLogDirsPartition::default()
            .with_partition_index(replica.partition.0)
            .with_partition_size(i64::try_from(replica.size_bytes).unwrap_or(i64::MAX))
            .with_offset_lag(replica.offset_lag);
        match topics.last_mut() {
            Some(last) if **last.name == *replica.topic.as_str() => last.partitions.push(partition),
            _ => {
                let name = StrBytes::from_string(replica.topic.as_str().to_owned());
                let topic = DescribeLogDirsTopic::default().with_name(TopicName(name));
                topics.push(topic.with_partitions(vec![partition]));
            }
        }
    }
    DescribeLogDirsResult::default()
        .with_error_code(directory.error.code())
        .with_log_dir(StrBytes::from_string(directory.path.clone()))
        .with_topics(topics)
        .with_total_bytes(directory.total_bytes)
        .with_usable_bytes(directory.usable_bytes)
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
    use kafka_protocol::protocol::{Decodable as _, Encodable as _};

    use super::*;
    use crate::api::harness::{Node, bytes_of};

    fn ask(node: &Node, topics: Option<&[(&'static str, &[i32])]>) -> DescribeLogDirsResponse {
        let topics = topics.map(|topics| {
            let topics = topics.iter().map(|(name, partitions)| {
                DescribableLogDirTopic::default()
                    .with_topic(TopicName(StrBytes::from_static_str(name)))
                    .with_partitions(partitions.to_vec())
            });
            topics.collect()
        });
        let mut body = BytesMut::new();
        let request = DescribeLogDirsRequest::default().with_topics(topics);
        request.encode(&mut body, 1).unwrap();
        let mut answer = Bytes::from(bytes_of(node.ask(35, 1, body.freeze())));
        DescribeLogDirsResponse::decode(&mut answer, 1).unwrap()
    }

    #[test]
    fn a_directory_tells_of_what_is_asked_for() {
        let node = Node::with(&[("a", 2, &[]), ("b", 1, &[])]);
        let check = |topics: Option<&[(&'static str, &[i32])]>, expected: &[(&str, &[i32])]| {
            let response = ask(&node, topics);
            let [directory] = &response.results[..] else { panic!("{response:?}") };
            assert_eq!(
                (directory.error_code, &*directory.log_dir),
                (0, node.root.path().to_str().unwrap())
            );
            let index = |it: &DescribeLogDirsPartition| it.partition_index;
            let got: Vec<(&str, Vec<i32>)> = directory
                .topics
                .iter()
                .map(|topic| (topic.name.as_str(), topic.partitions.iter().map(index).collect()))
                .collect();
            let expected: Vec<_> = expected.iter().map(|it| (it.0, it.1.to_vec())).collect();
            assert_eq!(got, expected);
        };
        check(None, &[("a", &[0, 1]), ("b", &[0])]);
        check(Some(&[]), &[]);
        check(Some(&[("a", &[1, 9]), ("nope", &[0])]), &[("a", &[1])]);
        check(Some(&[("b", &[0]), ("a", &[0]), ("a", &[1])]), &[("a", &[0, 1]), ("b", &[0])]);
    }
}
