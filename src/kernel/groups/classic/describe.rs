//! What a group looks like from outside: DescribeGroups and ListGroups.

use kafka_protocol::messages::GroupId;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::protocol::StrBytes;

use super::GROUP_TYPE;
use super::group::{ClassicGroup, State};
use crate::kernel::groups::requests::owned;

impl ClassicGroup {
    /// The group and its members. What they say of themselves, and what they agreed on, is there while the group is
    /// stable only.
    pub fn describe(&self) -> DescribedGroup {
        let protocol = match self.state {
            State::Stable => self.protocol_name.clone(),
            _ => None,
        };
        let members = self.members.values().map(|member| {
            let metadata = protocol.as_ref().map(|protocol| member.metadata(protocol));
            DescribedGroupMember::default()
                .with_member_id(member.id.clone())
                .with_group_instance_id(member.instance_id.clone())
                .with_client_id(member.client_id.clone())
                .with_client_host(member.client_host.clone())
                .with_member_assignment(member.assignment.clone())
                .with_member_metadata(metadata.unwrap_or_default())
        });
        DescribedGroup::default()
            .with_group_id(GroupId(owned(&self.id)))
            .with_group_state(StrBytes::from_static_str(self.state.name()))
            .with_protocol_type(self.protocol_type.clone().unwrap_or_default())
            .with_members(members.collect())
            .with_protocol_data(protocol.unwrap_or_default())
    }

    /// The group in a list of groups.
    pub fn listed(&self) -> ListedGroup {
        ListedGroup::default()
            .with_group_id(GroupId(owned(&self.id)))
            .with_protocol_type(self.protocol_type.clone().unwrap_or_default())
            .with_group_state(StrBytes::from_static_str(self.state.name()))
            .with_group_type(StrBytes::from_static_str(GROUP_TYPE))
    }
}
