//! What a changed subscription, or changed topics, mean for the group's epoch.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::member::ConsumerGroupMember;
use super::metadata_hash;
use super::records::Records;
use super::state::{Counts, decrement, increment};
use super::topic_regex::{self, ResolvedRegex, TopicRegex};
use super::{ConsumerGroup, Context, Refusal};
use crate::kernel::authorizer::{Authorizer, Requester};
use crate::types::acls::{ANONYMOUS, Operation, ResourceType};
use crate::types::error_code::ErrorCode;
use crate::types::ids::TopicName;
use crate::wire::coordinator_records::groups::GroupRecord;

/// Expressions are not held against the topics more often than this.
const REGEX_BATCH_REFRESH_MIN_INTERVAL_MS: i64 = 10_000;

/// What a member's expression has become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RegexChange {
    /// It is the one it was.
    None,
    /// It is another one, whose topics are not known yet.
    Updated,
    /// It is another one, whose topics are known, or none.
    UpdatedAndResolved,
}

/// A member before and after a request.
#[derive(Clone, Copy)]
pub(super) struct Change<'a> {
    pub(super) old: &'a ConsumerGroupMember,
    pub(super) new: &'a ConsumerGroupMember,
}

impl Change<'_> {
    /// Writes the member if it has changed; whether the topics it names have.
    pub(super) fn write_member(self, context: Context<'_>, records: &mut Vec<GroupRecord>) -> bool {
        // Most heartbeats change nothing: then both are one.
        if std::ptr::eq(self.old, self.new) || self.old == self.new {
            return false;
        }
        records.push(Records(context.group_id).member(self.new));
        self.old.subscribed_topics != self.new.subscribed_topics
    }

    /// Takes note of another expression; the second tells whether the expressions are to be held against the topics.
    pub(super) fn write_regex(
        self,
        context: Context<'_>,
        group: &ConsumerGroup,
        records: &mut Vec<GroupRecord>,
    ) -> Result<(RegexChange, bool), Refusal> {
        let (old, new) = (self.old.regex(), self.new.regex());
        let members = |regex: &str| group.regex_counts().get(regex).copied().unwrap_or(0);
        let mut change = RegexChange::None;
        let mut is_new = false;
        if self.old.subscribed_regex != self.new.subscribed_regex {
            change = RegexChange::Updated;
            if let Some(old) = old
                && members(old) == 1
            {
                records.push(Records(context.group_id).no_regex(old));
            }
            match new {
                Some(new) if members(new) == 0 => {
                    check_regex(new)?;
                    is_new = true;
                }
                Some(new) if group.resolved_regexes().contains_key(new) => {
                    change = RegexChange::UpdatedAndResolved;
                }
                None if old.is_some() => change = RegexChange::UpdatedAndResolved,
                _ => {}
            }
        }
        Ok((change, self.needs_resolution(context, group, is_new)))
    }

    fn needs_resolution(self, context: Context<'_>, group: &ConsumerGroup, is_new: bool) -> bool {
        if !is_new && group.regex_counts().is_empty() {
            return false;
        }
        let mut regexes: BTreeSet<&str> = group.regex_counts().keys().map(String::as_str).collect();
        if let Some(old) = self.old.regex()
            && group.regex_counts().get(old) == Some(&1)
        {
            regexes.remove(old);
        }
        regexes.extend(self.new.regex());
        let last = group.resolved_regexes().values().next();
        let Some(last) = last else { return !regexes.is_empty() };
        let age_ms = context.now.0.saturating_sub(last.timestamp.0);
        let stale = is_new
            || regexes.len() != group.resolved_regexes().len()
            || last.version < context.last_new_topics
            || age_ms > i64::from(context.settings.regex_refresh_interval_ms);
        stale && age_ms > REGEX_BATCH_REFRESH_MIN_INTERVAL_MS && !regexes.is_empty()
    }

    /// Writes a higher epoch of the group if its topics are others, or other than they were; the epoch it then has.
    pub(super) fn write_epoch(
        self,
        context: Context<'_>,
        group: &ConsumerGroup,
        changed: bool,
        records: &mut Vec<GroupRecord>,
    ) -> i32 {
        let hash = self.metadata_hash(context, group);
        let mut epoch = group.epoch();
        if changed || hash != group.metadata_hash() {
            epoch = epoch.saturating_add(1);
            records.push(Records(context.group_id).epoch(epoch, hash));
        }
        if group.has_partition_metadata() {
            records.push(Records(context.group_id).no_partition_metadata());
        }
        epoch
    }

    fn metadata_hash(self, context: Context<'_>, group: &ConsumerGroup) -> i64 {
        let mut counts = group.topic_counts().clone();
        // A static member that takes another's place has its topics, so taking them off counts for both.
        for topic in &self.old.subscribed_topics {
            decrement(&mut counts, topic);
        }
        for topic in &self.new.subscribed_topics {
            increment(&mut counts, topic);
        }
        let gone = self.old.regex().filter(|old| {
            self.new.regex() != Some(*old) && group.regex_counts().get(*old) == Some(&1)
        });
        hash_of(context, group, &counts, &gone.into_iter().collect())
    }
}

/// The hash of topics that are named so often, and of those which all expressions but some match.
pub(super) fn hash_of(
    context: Context<'_>,
    group: &ConsumerGroup,
    named: &Counts<TopicName>,
    without: &BTreeSet<&str>,
) -> i64 {
    let regexes = group.resolved_regexes().iter();
    let regexes = regexes.filter(|(regex, _)| !without.contains(regex.as_str()));
    let matched = regexes.flat_map(|(_, resolved)| &resolved.topics);
    metadata_hash::of_topics(named.keys().chain(matched), context.image)
}

fn check_regex(regex: &str) -> Result<(), Refusal> {
    let invalid = |error: topic_regex::InvalidRegex| {
        Refusal::new(ErrorCode::InvalidRegularExpression, error.to_string())
    };
    TopicRegex::new(regex).map(|_| ()).map_err(invalid)
}

/// An expression matches no topic that one of those who subscribe with it may not describe.
fn hide(
    context: Context<'_>,
    group: &ConsumerGroup,
    authorizer: &Authorizer,
    (regex, resolved): (&str, &mut ResolvedRegex),
) {
    let members = group.members().values().filter(|member| member.regex() == Some(regex));
    // As Kafka prints an address, and it stands in the group's records.
    let host = |text: &str| text.trim_start_matches('/').parse::<IpAddr>().ok();
    let hosts: BTreeSet<Option<IpAddr>> = members.map(|it| host(&it.client_host)).collect();
    resolved.topics.retain(|topic| {
        hosts.iter().all(|host| {
            let resource = (ResourceType::TOPIC, topic.as_str());
            host.is_some_and(|host| {
                let who = Requester { principal: ANONYMOUS, host };
                authorizer.allows(&context.image.acls, who, Operation::DESCRIBE, resource)
            })
        })
    });
}

/// Holds the group's expressions against the topics: what they match is written, and a higher epoch if that has changed.
pub(super) fn resolve_regexes(
    context: Context<'_>,
    group: &ConsumerGroup,
    authorizer: Option<&Authorizer>,
) -> Vec<GroupRecord> {
    let of_group = Records(context.group_id);
    let regexes = group.regex_counts().keys().map(String::as_str);
    let mut resolved = topic_regex::resolve(regexes, context.image, context.now);
    if let Some(authorizer) = authorizer {
        for (regex, resolved) in &mut resolved {
            hide(context, group, authorizer, (*regex, resolved));
        }
    }
    let mut records = Vec::new();
    let mut changed = false;
    for (regex, new) in &resolved {
        let old = group.resolved_regexes().get(*regex);
        changed |= old.map_or(!new.topics.is_empty(), |old| old.topics != new.topics);
        records.push(of_group.regex(regex, new));
    }
    let kept = group.resolved_regexes().iter();
    let kept = kept.filter(|(regex, _)| !group.regex_counts().contains_key(*regex));
    let matched = kept.map(|(_, old)| old).chain(resolved.iter().map(|(_, new)| new));
    let matched = matched.flat_map(|resolved| &resolved.topics);
    let names = group.topic_counts().keys().chain(matched);
    let hash = metadata_hash::of_topics(names, context.image);
    if changed || hash != group.metadata_hash() {
        records.push(of_group.epoch(group.epoch().saturating_add(1), hash));
    }
    records
}
