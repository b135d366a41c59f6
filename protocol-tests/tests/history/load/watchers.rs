//! Who looks on: where each partition ends for readers of both kinds, and who owns what in the groups whose node
//! decides that.

use kafka_protocol::messages::{ConsumerGroupDescribeRequest, GroupId};
use protocol_tests::history::{Action, Isolation, Outcome};
use protocol_tests::requests::{ends_of, text};

use super::consumers::{self, CONSUMER_GROUP_HEARTBEAT};
use super::link::{Link, error};
use super::{CONSUMER_GROUPS, FIRST_CONSUMER_GROUP, FIRST_STEADY_GROUP, PARTITIONS, TOPIC, steady};

/// How often it pauses before it looks again: others have more to do.
const PAUSES: u32 = 8;
/// The error of a group that is not there yet.
const GROUP_ID_NOT_FOUND: i16 = 69;

/// One who looks on, as long as the load lasts.
pub fn run(mut link: Link<'_>, _: u32) {
    let groups =
        (0..CONSUMER_GROUPS).map(|it| (FIRST_CONSUMER_GROUP + it, consumers::group_id(it)));
    let groups: Vec<_> = groups.chain([(FIRST_STEADY_GROUP + 1, steady::group_id(1))]).collect();
    while !link.world.is_over() {
        let isolations = [Isolation::Uncommitted, Isolation::Committed];
        let isolation = isolations[link.random.index(isolations.len())];
        look_at_ends(&mut link, isolation);
        if link.world.has(CONSUMER_GROUP_HEARTBEAT) {
            let (group, group_id) = &groups[link.random.index(groups.len())];
            look_at_owners(&mut link, *group, group_id);
        }
        for _ in 0..PAUSES {
            link.world.pause();
        }
    }
}

fn look_at_ends(link: &mut Link<'_>, isolation: Isolation) {
    let request = ends_of(TOPIC, PARTITIONS as i32).with_isolation_level(isolation as i8);
    let begun = link.begin();
    let Some(answer) = link.try_ask(7, &request) else { return };
    for it in answer.topics.iter().flat_map(|topic| &topic.partitions) {
        assert_eq!(it.error_code, error::NONE, "ListOffsets of {}", it.partition_index);
        let (partition, offset) = (it.partition_index as u32, it.offset);
        link.end(begun, Outcome::Ok, Action::Latest { partition, isolation, offset });
    }
}

fn look_at_owners(link: &mut Link<'_>, group: u32, group_id: &str) {
    let request =
        ConsumerGroupDescribeRequest::default().with_group_ids(vec![GroupId(text(group_id))]);
    let begun = link.begin();
    let Some(answer) = link.try_ask(1, &request) else { return };
    let of = &answer.groups[0];
    let code = of.error_code;
    if code == GROUP_ID_NOT_FOUND || error::is_coordinator_away(code) {
        return;
    }
    assert_eq!(code, error::NONE, "ConsumerGroupDescribe of {group_id}");
    let owned = of.members.iter().flat_map(|member| &member.assignment.topic_partitions);
    let partitions = owned.flat_map(|topic| &topic.partitions).map(|it| *it as u32).collect();
    let generation = of.group_epoch;
    link.end(begun, Outcome::Ok, Action::Owned { group, generation, partitions });
}
