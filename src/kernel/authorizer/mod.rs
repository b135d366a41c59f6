//! Whether somebody may do something: Kafka's standard authorizer over the ACLs of an image.
//!
//! What forbids comes before what permits, whichever of them is more specific. Where no ACL is on a resource at all, a
//! setting decides; where there are some, but none permits it, it is forbidden. A permission to read, write, delete or
//! alter is one to describe, too, and one to alter configurations is one to describe them; a prohibition is only what
//! it says. Nothing is allocated on the way.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::kernel::configs::layers::Texts;
use crate::kernel::configs::value::ConfigError;
use crate::kernel::metadata::acls::{Acl, Acls};
use crate::types::acls::{
    Operation, PatternType, Permission, ResourceType, WILDCARD, WILDCARD_PRINCIPAL,
    supported_operations,
};

/// The key that names the class of the authorizer.
pub const AUTHORIZER_CLASS_NAME: &str = "authorizer.class.name";
/// The key that names those who may do everything.
pub const SUPER_USERS: &str = "super.users";
/// The key that says what holds for resources without ACLs.
pub const ALLOW_EVERYONE_IF_NO_ACL_IS_FOUND: &str = "allow.everyone.if.no.acl.found";
/// The authorizer that there is.
pub const STANDARD_AUTHORIZER: &str = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";

/// A name that is in no ACL: who may write to it, may write to any.
const ANY_NAME: &str = "hardcode";

/// What the authorizer is configured with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorizer {
    super_users: BTreeSet<String>,
    allow_without_acls: bool,
}

/// Who asks, and from where.
#[derive(Clone, Copy, Debug)]
pub struct Requester<'a> {
    /// A type, a colon, a name.
    pub principal: &'a str,
    /// The address of the other end.
    pub host: IpAddr,
}

impl Authorizer {
    /// The authorizer that a configuration asks for; none where it asks for none.
    pub fn of(set: &Texts) -> Result<Option<Self>, ConfigError> {
        match set.get(AUTHORIZER_CLASS_NAME).map_or("", |class| class.trim()) {
            "" => return Ok(None),
            STANDARD_AUTHORIZER => {}
            other => {
                let message = format!(
                    "this version has not got the authorizer {other}, and does not start without \
                     it; it has {STANDARD_AUTHORIZER}"
                );
                return Err(ConfigError::of(AUTHORIZER_CLASS_NAME, message));
            }
        }
        let names = set.get(SUPER_USERS).map_or("", String::as_str).split(';').map(str::trim);
        let super_users: BTreeSet<String> =
            names.filter(|name| !name.is_empty()).map(str::to_owned).collect();
        if let Some(wrong) = super_users.iter().find(|name| !name.contains(':')) {
            let message =
                format!("expected a string in format principalType:principalName but got {wrong}");
            return Err(ConfigError::of(SUPER_USERS, message));
        }
        let allow = set.get(ALLOW_EVERYONE_IF_NO_ACL_IS_FOUND).map_or("", |text| text.trim());
        Ok(Some(Self { super_users, allow_without_acls: allow.eq_ignore_ascii_case("true") }))
    }

    /// Whether `who` may do this with the resource.
    pub fn allows(
        &self,
        acls: &Acls,
        who: Requester<'_>,
        operation: Operation,
        (resource_type, name): (ResourceType, &str),
    ) -> bool {
        if self.super_users.contains(who.principal) {
            return true;
        }
        let (mut has_acls, mut is_allowed) = (false, false);
        for rule in acls.on(resource_type, name) {
            has_acls = true;
            let acl = &rule.acl;
            if !is_for(acl, who.principal) || !rule.is_for_host(who.host) {
                continue;
            }
            if acl.permission == Permission::ALLOW {
                is_allowed = is_allowed || permits(acl.operation, operation);
            } else if forbids(acl.operation, operation) {
                return false;
            }
        }
        is_allowed || (!has_acls && self.allow_without_acls)
    }

    /// Whether `who` may do this with at least one resource of the kind, whether that exists or not. As in Kafka, an
    /// operation implies no other here, and a prohibition counts only if it covers a whole permission.
    pub fn allows_any(
        &self,
        acls: &Acls,
        who: Requester<'_>,
        operation: Operation,
        resource_type: ResourceType,
    ) -> bool {
        if self.allows(acls, who, operation, (resource_type, ANY_NAME)) {
            return true;
        }
        let own = |permission: Permission| {
            let rules = acls.of_type(resource_type);
            let own = rules.filter(move |rule| {
                let acl = &rule.acl;
                acl.permission == permission
                    && forbids(acl.operation, operation)
                    && is_for(acl, who.principal)
                    && rule.is_for_host(who.host)
            });
            own.map(|rule| &rule.acl)
        };
        let is_wildcard =
            |acl: &Acl| acl.pattern_type == PatternType::LITERAL && acl.resource_name == WILDCARD;
        if own(Permission::DENY).any(is_wildcard) {
            return false;
        }
        if own(Permission::ALLOW).any(is_wildcard) {
            return true;
        }
        let (mut literal, mut prefixed) = (BTreeSet::new(), BTreeSet::new());
        for acl in own(Permission::DENY) {
            let denied = match acl.pattern_type {
                PatternType::LITERAL => &mut literal,
                _ => &mut prefixed,
            };
            denied.insert(acl.resource_name.as_str());
        }
        own(Permission::ALLOW).any(|acl| {
            let name = acl.resource_name.as_str();
            let is_literal = acl.pattern_type == PatternType::LITERAL;
            let mut beginnings = name.char_indices().map(|(at, it)| &name[..at + it.len_utf8()]);
            !(is_literal && literal.contains(name))
                && (prefixed.is_empty() || !beginnings.any(|prefix| prefixed.contains(prefix)))
        })
    }

    /// What `who` may do with the resource: a bit for each operation, by its number (KIP-430).
    pub fn operations(
        &self,
        acls: &Acls,
        who: Requester<'_>,
        resource: (ResourceType, &str),
    ) -> i32 {
        bits(resource.0, |operation| self.allows(acls, who, operation, resource))
    }
}

/// A bit for each of the operations on a kind of resource which `is_allowed`.
pub fn bits(resource_type: ResourceType, is_allowed: impl Fn(Operation) -> bool) -> i32 {
    let operations = supported_operations(resource_type).iter().copied();
    operations.filter(|it| is_allowed(*it)).fold(0, |bits, operation| bits | 1 << operation.0)
}

fn is_for(acl: &Acl, principal: &str) -> bool {
    acl.principal == principal || acl.principal == WILDCARD_PRINCIPAL
}

/// Whether the permission of `of` is one to do `operation`.
fn permits(of: Operation, operation: Operation) -> bool {
    let implies = match operation {
        Operation::DESCRIBE => {
            matches!(of, Operation::READ | Operation::WRITE | Operation::DELETE | Operation::ALTER)
        }
        Operation::DESCRIBE_CONFIGS => of == Operation::ALTER_CONFIGS,
        _ => false,
    };
    implies || forbids(of, operation)
}

fn forbids(of: Operation, operation: Operation) -> bool {
    of == operation || of == Operation::ALL
}

#[cfg(test)]
mod tests;
