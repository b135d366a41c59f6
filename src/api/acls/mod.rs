//! ACLs: who may do what. They are described from the image, and created and deleted by the controller.

pub mod create_acls;
pub mod delete_acls;
pub mod describe_acls;

#[cfg(test)]
mod tests;

use crate::types::acls::{Operation, PatternType, Permission, ResourceType};

/// Whether one of the numbers stands for something unknown on purpose: such a request is no request, and ends its
/// connection, as in Kafka. Other numbers that Kafka does not know are answered.
fn has_unknown(
    (resource_type, pattern_type): (ResourceType, PatternType),
    (operation, permission): (Operation, Permission),
) -> bool {
    [resource_type.0, pattern_type.0, operation.0, permission.0].contains(&0)
}
