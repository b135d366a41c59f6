//! Who may do what: the door to the authorizer for every handler.
//!
//! A node without an authorizer asks nothing: its [`Access`] is empty, and each question one branch. With one, a request
//! is judged by the ACLs of the image at its beginning, however long it waits. Whoever is refused is told in the log, in
//! the words of Kafka's audit log, unless the question was only what may be shown.
//!
//! `GUARDS` says for every API of the table what it asks, or why it asks nothing.

use std::net::IpAddr;
use std::sync::Arc;

use super::answer::Call;
use super::context::Ctx;
use super::table;
use crate::kernel::authorizer::{Authorizer, Requester, bits};
use crate::kernel::metadata::acls::{Acls, java_text};
use crate::types::acls::{ANONYMOUS, CLUSTER_NAME, Operation, ResourceType};
use crate::types::error_code::ErrorCode;

/// What a request may do.
#[derive(Clone, Debug, Default)]
pub struct Access(Option<Guarded>);

#[derive(Clone, Debug)]
struct Guarded {
    authorizer: Arc<Authorizer>,
    acls: Arc<Acls>,
    host: IpAddr,
    api_key: i16,
}

impl Access {
    /// What the request of `call` may do.
    pub fn of(ctx: &Ctx, call: &Call) -> Self {
        Self(ctx.authorizer.as_ref().map(|authorizer| Guarded {
            authorizer: Arc::clone(authorizer),
            acls: Arc::clone(&ctx.image.load().acls),
            host: call.peer.ip(),
            api_key: call.api_key,
        }))
    }

    /// Whether nobody is asked for anything.
    pub const fn is_open(&self) -> bool {
        self.0.is_none()
    }

    /// Whether this may be done with the resource.
    pub fn may(&self, operation: Operation, resource_type: ResourceType, name: &str) -> bool {
        let Some(guarded) = &self.0 else { return true };
        let is_allowed = guarded.allows(operation, (resource_type, name));
        if !is_allowed {
            guarded.tell_denied(operation, (resource_type, name));
        }
        is_allowed
    }

    /// The same where a no is nothing that anybody asked for: it says what an answer may show.
    pub fn may_see(&self, operation: Operation, resource_type: ResourceType, name: &str) -> bool {
        self.0.as_ref().is_none_or(|guarded| guarded.allows(operation, (resource_type, name)))
    }

    /// On a topic.
    pub fn topic(&self, operation: Operation, name: &str) -> bool {
        self.may(operation, ResourceType::TOPIC, name)
    }

    /// On a group.
    pub fn group(&self, operation: Operation, id: &str) -> Result<(), ErrorCode> {
        let is_allowed = self.may(operation, ResourceType::GROUP, id);
        is_allowed.then_some(()).ok_or(ErrorCode::GroupAuthorizationFailed)
    }

    /// On a transactional id.
    pub fn transactional_id(&self, operation: Operation, id: &str) -> Result<(), ErrorCode> {
        let is_allowed = self.may(operation, ResourceType::TRANSACTIONAL_ID, id);
        is_allowed.then_some(()).ok_or(ErrorCode::TransactionalIdAuthorizationFailed)
    }

    /// On the cluster.
    pub fn cluster(&self, operation: Operation) -> Result<(), ErrorCode> {
        let is_allowed = self.may(operation, ResourceType::CLUSTER, CLUSTER_NAME);
        is_allowed.then_some(()).ok_or(ErrorCode::ClusterAuthorizationFailed)
    }

    /// On the cluster, where a no leads to another question.
    pub fn may_on_cluster(&self, operation: Operation) -> bool {
        self.may_see(operation, ResourceType::CLUSTER, CLUSTER_NAME)
    }

    /// On at least one resource of a kind.
    pub fn may_on_any(&self, operation: Operation, resource_type: ResourceType) -> bool {
        self.0.as_ref().is_none_or(|guarded| {
            let who = guarded.requester();
            guarded.authorizer.allows_any(&guarded.acls, who, operation, resource_type)
        })
    }

    /// Everything that may be done with a resource, a bit for each operation (KIP-430).
    pub fn operations(&self, resource_type: ResourceType, name: &str) -> i32 {
        match &self.0 {
            None => bits(resource_type, |_| true),
            Some(guarded) => {
                let resource = (resource_type, name);
                guarded.authorizer.operations(&guarded.acls, guarded.requester(), resource)
            }
        }
    }

    /// The same of the cluster: nothing to who may not describe it.
    pub fn cluster_operations(&self) -> i32 {
        match self.cluster(Operation::DESCRIBE) {
            Ok(()) => self.operations(ResourceType::CLUSTER, CLUSTER_NAME),
            Err(_) => 0,
        }
    }
}

impl Guarded {
    /// All listeners are of a kind that does not ask who comes.
    const fn requester(&self) -> Requester<'_> {
        Requester { principal: ANONYMOUS, host: self.host }
    }

    fn allows(&self, operation: Operation, resource: (ResourceType, &str)) -> bool {
        self.authorizer.allows(&self.acls, self.requester(), operation, resource)
    }

    #[cold]
    fn tell_denied(&self, operation: Operation, (resource_type, name): (ResourceType, &str)) {
        let api = table::row(self.api_key).map_or("?", |row| row.name);
        let host = java_text(self.host);
        let resource_type = resource_type.pascal_case();
        tracing::info!(
            "Principal = {ANONYMOUS} is Denied operation = {operation} from host = {host} on \
             resource = {resource_type}:LITERAL:{name} for request = {api}"
        );
    }
}

/// What an API asks of the authorizer.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// This much, in Kafka's order: what is refused as a whole comes first.
    Asks(&'static str),
    /// Nothing, and why.
    Nothing(&'static str),
}

#[cfg(test)]
use Guard::{Asks, Nothing};

/// What each API asks, in the order of the table.
#[cfg(test)]
pub const GUARDS: &[(i16, Guard)] = &[
    (0, Asks("TransactionalId:Write of transactional batches, Topic:Write")),
    (1, Asks("Topic:Read; Cluster:ClusterAction of a replica")),
    (2, Asks("Topic:Describe")),
    (3, Asks("Topic:Describe; Cluster:Create or Topic:Create of topics to be made")),
    (8, Asks("Group:Read, Topic:Read")),
    (9, Asks("Group:Describe, Topic:Describe")),
    (10, Asks("Group:Describe, TransactionalId:Describe")),
    (11, Asks("Group:Read")),
    (12, Asks("Group:Read")),
    (13, Asks("Group:Read")),
    (14, Asks("Group:Read")),
    (15, Asks("Group:Describe")),
    (16, Asks("Cluster:Describe, or Group:Describe of each group that is shown")),
    (18, Nothing("clients must know what to say before anybody knows who they are")),
    (19, Asks("Cluster:Create or Topic:Create; Topic:DescribeConfigs of what is shown")),
    (20, Asks("Cluster:Delete, or Topic:Delete; Topic:Describe of names that are shown")),
    (21, Asks("Topic:Delete")),
    (22, Asks("TransactionalId:Write; else Cluster:IdempotentWrite or Write on any topic")),
    (23, Asks("Cluster:ClusterAction or Topic:Describe")),
    (24, Asks("TransactionalId:Write, Topic:Write; of brokers Cluster:ClusterAction")),
    (25, Asks("TransactionalId:Write, Group:Read")),
    (26, Asks("TransactionalId:Write")),
    (27, Asks("Cluster:Alter or Cluster:ClusterAction")),
    (28, Asks("TransactionalId:Write, Group:Read, Topic:Read")),
    (29, Asks("Cluster:Describe")),
    (30, Asks("Cluster:Alter")),
    (31, Asks("Cluster:Alter")),
    (32, Asks("DescribeConfigs on the cluster, a topic or a group")),
    (33, Asks("AlterConfigs on the cluster, a topic or a group")),
    (35, Asks("Cluster:Describe")),
    (37, Asks("Topic:Alter")),
    (42, Asks("Group:Delete")),
    (44, Asks("AlterConfigs on the cluster, a topic or a group")),
    (47, Asks("Group:Delete, Topic:Read")),
    (55, Asks("Cluster:Describe")),
    (57, Asks("Cluster:Alter")),
    (60, Asks("Cluster:Describe of the operations; Cluster:Alter of a controller")),
    (61, Asks("Topic:Read")),
    (65, Asks("TransactionalId:Describe; Topic:Describe of topics that are shown")),
    (66, Asks("TransactionalId:Describe of each id that is shown")),
    (68, Asks("Group:Read; Topic:Describe of names that are subscribed to")),
    (69, Asks("Group:Describe; Topic:Describe of all that is assigned")),
    (74, Asks("Cluster:DescribeConfigs")),
    (75, Asks("Topic:Describe")),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Without an authorizer all that there is on a kind of resource is permitted (KIP-430).
    #[test]
    fn the_bits_are_kafkas() {
        let access = Access::default();
        let bits = |kind| access.operations(kind, "x");
        assert_eq!(bits(ResourceType::TOPIC), 3576);
        assert_eq!(bits(ResourceType::GROUP), 3400);
        assert_eq!(bits(ResourceType::CLUSTER), 8096);
    }

    /// Whoever adds an API says here what it asks, and shows it in `protocol-tests/tests/wire/acls.rs`.
    #[test]
    fn every_api_has_a_guard_or_a_reason_for_none() {
        let keys = |rows: &[(i16, Guard)]| rows.iter().map(|(key, _)| *key).collect::<Vec<_>>();
        let rows: Vec<i16> = table::ROWS.iter().map(|row| row.key).collect();
        assert_eq!(keys(GUARDS), rows);
        for (key, guard) in GUARDS {
            let (Asks(text) | Nothing(text)) = guard;
            assert!(!text.is_empty(), "{key}");
        }
    }
}
