//! The ACLs: who may do what with which resources, and from where.
//!
//! They are found by what they apply to: by their own name, by `*`, and by the beginnings of a name. A set that stands
//! in an image is never changed; it is shared by all images until an ACL comes or goes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::ops::Bound;
use std::sync::Arc;

use uuid::Uuid;

use crate::types::acls::{Operation, PatternType, Permission, ResourceType, WILDCARD};
use crate::wire::records::AccessControlEntryRecord;

/// One ACL. Their order is that in which Kafka lists them, but for the names, which Kafka turns around.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Acl {
    /// What it is about.
    pub resource_type: ResourceType,
    /// Which of them.
    pub resource_name: String,
    /// How that names them.
    pub pattern_type: PatternType,
    /// What is done.
    pub operation: Operation,
    /// Who does it: a type, a colon, a name.
    pub principal: String,
    /// From where: an address as Java writes it, or `*`.
    pub host: String,
    /// Whether it is forbidden or permitted.
    pub permission: Permission,
}

/// An ACL in its place.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its id.
    pub id: Uuid,
    /// What it says.
    pub acl: Acl,
    host: Host,
}

/// The hosts that an ACL is for.
#[derive(Debug, PartialEq, Eq)]
enum Host {
    Any,
    Only(IpAddr),
    /// It is written as no address is, and Kafka compares texts.
    None,
}

/// What ACLs must be like.
#[derive(Clone, Copy, Debug)]
pub struct AclFilter<'a> {
    /// What they are about.
    pub resource_type: ResourceType,
    /// Which name they have; with [`PatternType::MATCH`], which name they apply to.
    pub resource_name: Option<&'a str>,
    /// How they name it.
    pub pattern_type: PatternType,
    /// Whom they concern.
    pub principal: Option<&'a str>,
    /// Their host.
    pub host: Option<&'a str>,
    /// Their operation.
    pub operation: Operation,
    /// Their permission.
    pub permission: Permission,
}

type Rules = BTreeMap<String, Vec<Arc<Rule>>>;

/// The ACLs on one kind of resource, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct OfType {
    literal: Rules,
    prefixed: Rules,
}

/// All ACLs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acls {
    by_id: BTreeMap<Uuid, Arc<Rule>>,
    by_type: BTreeMap<ResourceType, Arc<OfType>>,
}

impl Acl {
    /// What a record says.
    pub fn of_record(record: &AccessControlEntryRecord) -> Self {
        Self {
            resource_type: ResourceType(record.resource_type),
            resource_name: record.resource_name.clone(),
            pattern_type: PatternType(record.pattern_type),
            operation: Operation(record.operation),
            principal: record.principal.clone(),
            host: record.host.clone(),
            permission: Permission(record.permission_type),
        }
    }

    /// Its record under an id.
    pub fn to_record(&self, id: Uuid) -> AccessControlEntryRecord {
        AccessControlEntryRecord {
            id,
            resource_type: self.resource_type.0,
            resource_name: self.resource_name.clone(),
            pattern_type: self.pattern_type.0,
            principal: self.principal.clone(),
            host: self.host.clone(),
            operation: self.operation.0,
            permission_type: self.permission.0,
        }
    }
}

impl Rule {
    /// The record that makes it.
    pub fn to_record(&self) -> AccessControlEntryRecord {
        self.acl.to_record(self.id)
    }

    /// Whether it is for who comes from there.
    pub fn is_for_host(&self, host: IpAddr) -> bool {
        match self.host {
            Host::Any => true,
            Host::Only(only) => only == host.to_canonical(),
            Host::None => false,
        }
    }
}

impl Host {
    fn of(text: &str) -> Self {
        if text == WILDCARD {
            return Self::Any;
        }
        let address = text.parse().ok().filter(|address| java_text(*address) == text);
        address.map_or(Self::None, Self::Only)
    }
}

/// An address as Java writes it: of IPv6 all eight groups, none left out; one that wraps IPv4 as IPv4.
pub fn java_text(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let mut text = String::with_capacity(39);
            for (index, group) in address.segments().into_iter().enumerate() {
                let colon = if index == 0 { "" } else { ":" };
                // Writing to a string never fails.
                let _ = write!(text, "{colon}{group:x}");
            }
            text
        }
    }
}

impl AclFilter<'_> {
    /// Whether the ACL is like that.
    pub fn matches(&self, acl: &Acl) -> bool {
        let is = |asked: Option<&str>, text: &str| asked.is_none_or(|asked| asked == text);
        let is_of_type = matches!(self.resource_type, ResourceType::ANY)
            || self.resource_type == acl.resource_type;
        is_of_type
            && self.matches_pattern(acl)
            && is(self.principal, &acl.principal)
            && is(self.host, &acl.host)
            && (self.operation == Operation::ANY || self.operation == acl.operation)
            && (self.permission == Permission::ANY || self.permission == acl.permission)
    }

    fn matches_pattern(&self, acl: &Acl) -> bool {
        let is_named = |name: &str| name == acl.resource_name;
        match self.pattern_type {
            PatternType::ANY => self.resource_name.is_none_or(is_named),
            PatternType::MATCH => self.resource_name.is_none_or(|name| match acl.pattern_type {
                PatternType::LITERAL => is_named(name) || acl.resource_name == WILDCARD,
                PatternType::PREFIXED => name.starts_with(&acl.resource_name),
                _ => false,
            }),
            pattern_type => {
                pattern_type == acl.pattern_type && self.resource_name.is_none_or(is_named)
            }
        }
    }
}

impl OfType {
    fn of_pattern(&mut self, pattern_type: PatternType) -> Option<&mut Rules> {
        match pattern_type {
            PatternType::LITERAL => Some(&mut self.literal),
            PatternType::PREFIXED => Some(&mut self.prefixed),
            _ => None,
        }
    }
}

/// The rules of the prefixes of `name`, the longest first. Each step is one search, and there are at most two for each
/// byte of the name, whatever the number of rules.
fn of_prefixes<'a>(rules: &'a Rules, name: &'a str) -> impl Iterator<Item = &'a Vec<Arc<Rule>>> {
    let mut at_most: Bound<&'a str> = Bound::Included(name);
    std::iter::from_fn(move || {
        loop {
            let range = (Bound::Unbounded, at_most);
            let (prefix, rules) = rules.range::<str, _>(range).next_back()?;
            if name.starts_with(prefix.as_str()) {
                at_most = Bound::Excluded(prefix);
                return Some(rules);
            }
            let same = name.bytes().zip(prefix.bytes()).take_while(|(a, b)| a == b).count();
            let common = name.get(..name.floor_char_boundary(same)).unwrap_or_default();
            at_most = Bound::Included(common);
        }
    })
}

impl Acls {
    /// How many there are.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is one of this id.
    pub fn contains_id(&self, id: Uuid) -> bool {
        self.by_id.contains_key(&id)
    }

    /// Whether there is one that says the same.
    pub fn contains(&self, acl: &Acl) -> bool {
        let Some(of_type) = self.by_type.get(&acl.resource_type) else { return false };
        let rules = match acl.pattern_type {
            PatternType::LITERAL => &of_type.literal,
            _ => &of_type.prefixed,
        };
        rules.get(&acl.resource_name).is_some_and(|rules| rules.iter().any(|it| it.acl == *acl))
    }

    /// All of them, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.by_id.values()
    }

    /// Those on a kind of resource.
    pub fn of_type(&self, resource_type: ResourceType) -> impl Iterator<Item = &Arc<Rule>> {
        let of_type = self.by_type.get(&resource_type).into_iter();
        of_type.flat_map(|it| it.literal.values().chain(it.prefixed.values())).flatten()
    }

    /// Those that apply to a resource, whoever they are for: a single walk, in which nothing is allocated.
    pub fn on<'a>(
        &'a self,
        resource_type: ResourceType,
        name: &'a str,
    ) -> impl Iterator<Item = &'a Arc<Rule>> {
        let of_type = self.by_type.get(&resource_type).into_iter();
        of_type
            .flat_map(move |of_type| {
                let exact = of_type.literal.get(name);
                let wildcard = of_type.literal.get(WILDCARD).filter(|_| name != WILDCARD);
                exact.into_iter().chain(wildcard).chain(of_prefixes(&of_type.prefixed, name))
            })
            .flatten()
    }

    /// Those that are like the filter.
    pub fn matching<'a>(&'a self, filter: AclFilter<'a>) -> impl Iterator<Item = &'a Arc<Rule>> {
        let types = self.by_type.iter();
        let types = types.filter(move |(resource_type, _)| {
            filter.resource_type == ResourceType::ANY || filter.resource_type == **resource_type
        });
        let rules = types.flat_map(move |(&resource_type, _)| -> Box<dyn Iterator<Item = _>> {
            match filter.resource_name {
                // What has a name is found by it.
                Some(name) => Box::new(self.on(resource_type, name)),
                None => Box::new(self.of_type(resource_type)),
            }
        });
        rules.filter(move |rule| filter.matches(&rule.acl))
    }

    /// An ACL comes. One of the same id makes way for it.
    pub(super) fn add(&mut self, id: Uuid, acl: Acl) {
        self.remove(id);
        let host = Host::of(&acl.host);
        let rule = Arc::new(Rule { id, acl, host });
        let of_type = Arc::make_mut(self.by_type.entry(rule.acl.resource_type).or_default());
        if let Some(rules) = of_type.of_pattern(rule.acl.pattern_type) {
            rules.entry(rule.acl.resource_name.clone()).or_default().push(Arc::clone(&rule));
        }
        self.by_id.insert(id, rule);
    }

    /// An ACL goes, if it is there.
    pub(super) fn remove(&mut self, id: Uuid) {
        let Some(rule) = self.by_id.remove(&id) else { return };
        let Some(of_type) = self.by_type.get_mut(&rule.acl.resource_type) else { return };
        let of_type = Arc::make_mut(of_type);
        if let Some(rules) = of_type.of_pattern(rule.acl.pattern_type)
            && let Some(same_name) = rules.get_mut(&rule.acl.resource_name)
        {
            same_name.retain(|it| it.id != id);
            if same_name.is_empty() {
                rules.remove(&rule.acl.resource_name);
            }
        }
        if of_type.literal.is_empty() && of_type.prefixed.is_empty() {
            self.by_type.remove(&rule.acl.resource_type);
        }
    }
}

#[cfg(test)]
mod tests;
