//! ListGroups (16), versions 0–5: the groups that this node coordinates.
//!
//! KIP-482 (3: flexible), KIP-518 (4: states, to filter by, too), KIP-848 (5: the kinds of groups, likewise).
//! Deviations from Apache Kafka: groups are listed by partition and name, where Kafka has no order.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{ListGroupsRequest, ListGroupsResponse};

use super::reply_of;
use crate::api::access::Access;
use crate::api::answer::{Answer, Call};
use crate::api::codec::{decode, reply};
use crate::api::context::Ctx;
use crate::kernel::groups::requests::{GroupFilter, GroupReply, GroupRequest};
use crate::shell::drivers::coordinators::Called;
use crate::types::acls::{Operation, ResourceType};
use crate::types::error_code::ErrorCode;

/// Answers a request.
pub fn handle(ctx: &Arc<Ctx>, call: Call, body: Bytes) -> Answer {
    let request: ListGroupsRequest = match decode(&call, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let filter = filter(&request);
    let access = Access::of(ctx, &call);
    let sees_all = access.may_on_cluster(Operation::DESCRIBE);
    let asked = ctx.groups.partitions().into_iter().map(|partition| {
        ctx.groups.call(partition, call.now, GroupRequest::ListGroups(filter.clone()))
    });
    let asked: Vec<_> = asked.collect();
    Answer::Later(Box::pin(async move {
        let response = match gather(asked).await {
            Ok(mut groups) => {
                groups.retain(|group| {
                    let kind = ResourceType::GROUP;
                    sees_all || access.may_see(Operation::DESCRIBE, kind, &group.group_id)
                });
                ListGroupsResponse::default().with_groups(groups)
            }
            Err(error) => ListGroupsResponse::default().with_error_code(error.code()),
        };
        reply::<ListGroupsRequest>(&call, &response)
    }))
}

/// Kafka compares names of states in small letters and without spaces around them, those of kinds in small letters.
fn filter(request: &ListGroupsRequest) -> GroupFilter {
    let states = request.states_filter.iter().map(|state| state.to_lowercase().trim().to_owned());
    let types = request.types_filter.iter().map(|kind| kind.to_lowercase());
    GroupFilter { states: states.collect(), types: types.collect() }
}

/// What all shards have. One that has gone meanwhile is another node's; one that is loading makes the list incomplete,
/// and the client is told to ask again.
async fn gather(asked: Vec<Called<GroupReply>>) -> Result<Vec<ListedGroup>, ErrorCode> {
    let mut groups = Vec::new();
    for called in asked {
        match reply_of!(called.told().await, ListGroups) {
            Ok(listed) => groups.extend(listed),
            Err(ErrorCode::NotCoordinator) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use kafka_protocol::protocol::StrBytes;

    use super::*;

    #[test]
    fn names_are_compared_as_kafka_does() {
        let names = |names: &[&'static str]| {
            names.iter().map(|name| StrBytes::from_static_str(name)).collect()
        };
        let request = ListGroupsRequest::default()
            .with_states_filter(names(&["Stable ", "EMPTY"]))
            .with_types_filter(names(&["Classic", "consumer "]));
        let filter = filter(&request);
        assert_eq!(filter.states, ["stable", "empty"]);
        assert_eq!(filter.types, ["classic", "consumer "]);
    }
}
