//! What ConsumerGroupDescribe tells of a group (KIP-848, KIP-1099).

use std::collections::BTreeMap;

use kafka_protocol::messages::consumer_group_describe_response::{
    Assignment as DescribedAssignment, DescribedGroup, Member, TopicPartitions,
};
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{GroupId, TopicName as WireTopicName};
use kafka_protocol::protocol::StrBytes;

use super::classic_members::PROTOCOL_TYPE;
use super::member::ConsumerGroupMember;
use super::{ConsumerGroup, Context, GROUP_TYPE};
use crate::kernel::groups::assignors::Assignment;
use crate::kernel::metadata::image::Image;
use crate::types::error_code::ErrorCode;
use crate::types::ids::{PartitionId, TopicId};

/// A group.
pub fn describe(context: Context<'_>, group: &ConsumerGroup) -> DescribedGroup {
    let assignor = group.preferred_assignor(None, None);
    let assignor = assignor.unwrap_or_else(|| context.settings.default_assignor());
    let members = group.members().values();
    let members = members.map(|it| describe_member(it, group.target(&it.id), context.image));
    DescribedGroup::default()
        .with_group_id(GroupId(text(context.group_id)))
        .with_group_state(StrBytes::from_static_str(group.state().name()))
        .with_group_epoch(group.epoch())
        .with_assignment_epoch(group.assignment_epoch())
        .with_assignor_name(StrBytes::from_static_str(assignor.name()))
        .with_members(members.collect())
}

/// A group in a list of groups.
pub fn listed(group_id: &str, group: &ConsumerGroup) -> ListedGroup {
    ListedGroup::default()
        .with_group_id(GroupId(text(group_id)))
        .with_protocol_type(StrBytes::from_static_str(PROTOCOL_TYPE))
        .with_group_state(StrBytes::from_static_str(group.state().name()))
        .with_group_type(StrBytes::from_static_str(GROUP_TYPE))
}

/// A group that is not there, or not a consumer group.
pub fn not_found(group_id: &str, is_there: bool) -> DescribedGroup {
    let message = if is_there {
        format!("Group {group_id} is not a consumer group.")
    } else {
        format!("Group {group_id} not found.")
    };
    DescribedGroup::default()
        .with_group_id(GroupId(text(group_id)))
        .with_error_code(ErrorCode::GroupIdNotFound.code())
        .with_error_message(Some(StrBytes::from_string(message)))
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn describe_member(
    member: &ConsumerGroupMember,
    target: Option<&Assignment>,
    image: &Image,
) -> Member {
    let mut current: BTreeMap<TopicId, Vec<PartitionId>> = BTreeMap::new();
    for (&topic, partitions) in member.assigned.iter().chain(&member.pending_revocation) {
        current.entry(topic).or_default().extend(partitions.keys());
    }
    let target = target.into_iter().flatten();
    let target = target.map(|(&topic, partitions)| (topic, partitions.iter().copied().collect()));
    let names = member.subscribed_topics.iter().map(|name| WireTopicName(text(name.as_str())));
    Member::default()
        .with_member_id(text(&member.id))
        .with_instance_id(member.instance_id.as_deref().map(text))
        .with_rack_id(member.rack_id.as_deref().map(text))
        .with_member_epoch(member.epoch)
        .with_client_id(text(&member.client_id))
        .with_client_host(text(&member.client_host))
        .with_subscribed_topic_names(names.collect())
        .with_subscribed_topic_regex(member.subscribed_regex.as_deref().map(text))
        .with_assignment(describe_assignment(current.into_iter(), image))
        .with_target_assignment(describe_assignment(target, image))
        .with_member_type(i8::from(!member.uses_classic_protocol()))
}

/// Topics that are gone are left out.
fn describe_assignment(
    topics: impl Iterator<Item = (TopicId, Vec<PartitionId>)>,
    image: &Image,
) -> DescribedAssignment {
    let topics = topics.filter_map(|(topic, partitions)| {
        let name = &image.topics.of_id(topic)?.name;
        let partitions = partitions.into_iter().map(|partition| partition.0);
        Some(
            TopicPartitions::default()
                .with_topic_id(topic.0)
                .with_topic_name(WireTopicName(text(name.as_str())))
                .with_partitions(partitions.collect()),
        )
    });
    DescribedAssignment::default().with_topic_partitions(topics.collect())
}
