//! What is configured for a consumer group: the broker's keys, and the group's own where it has some (KIP-848).

use smallvec::SmallVec;

use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::configs::layers::Texts;
use crate::kernel::groups::assignors::Assignor;
use crate::kernel::metadata::image::Image;

/// The number of groups among the resources that can be configured.
pub const GROUP_RESOURCE: i8 = 32;

/// Which groups may change their protocol while they have members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MigrationPolicy {
    /// From the classic protocol to the new one.
    pub upgrade: bool,
    /// Back.
    pub downgrade: bool,
}

impl MigrationPolicy {
    fn named(name: &str) -> Self {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let both = is("bidirectional");
        Self { upgrade: both || is("upgrade"), downgrade: both || is("downgrade") }
    }

    /// Whether a group may have members of both protocols.
    pub const fn is_disabled(self) -> bool {
        !self.upgrade && !self.downgrade
    }
}

/// What is configured for a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSettings {
    /// How long a member may be silent.
    pub session_timeout_ms: i32,
    /// How often a member sends heartbeats.
    pub heartbeat_interval_ms: i32,
    /// The least time between two target assignments.
    pub assignment_interval_ms: i32,
    /// How long an expression's matches hold.
    pub regex_refresh_interval_ms: i32,
    /// The most members.
    pub max_size: usize,
    /// The most members of a classic group.
    pub classic_max_size: usize,
    /// The assignors that a member may ask for; the first is the default.
    pub assignors: SmallVec<[Assignor; 2]>,
    /// Which groups may change their protocol.
    pub migration: MigrationPolicy,
}

impl GroupSettings {
    /// What holds for a group.
    pub fn of(group_id: &str, config: &BrokerConfig, image: &Image) -> Self {
        let names = config.group_consumer_assignors.iter();
        let mut settings = Self {
            session_timeout_ms: config.group_consumer_session_timeout_ms,
            heartbeat_interval_ms: config.group_consumer_heartbeat_interval_ms,
            assignment_interval_ms: config.group_consumer_assignment_interval_ms,
            regex_refresh_interval_ms: config.group_consumer_regex_refresh_interval_ms,
            max_size: config.group_consumer_max_size as usize,
            classic_max_size: config.group_max_size as usize,
            assignors: names.filter_map(|name| Assignor::named(name)).collect(),
            migration: MigrationPolicy::named(
                config.group_consumer_migration_policy.as_deref().unwrap_or_default(),
            ),
        };
        if !image.configs.is_empty()
            && let Some(texts) = image.overrides(GROUP_RESOURCE, group_id)
        {
            settings.override_with(texts, config);
        }
        settings
    }

    /// A value that was allowed when it was set, and is not any more because the broker's bounds were changed, counts as the
    /// bound it exceeds.
    fn override_with(&mut self, texts: &Texts, config: &BrokerConfig) {
        let within = |key: &str, current: i32, min: i32, max: i32| {
            let number = texts.get(key).and_then(|text| text.trim().parse::<i32>().ok());
            number.map_or(current, |number| number.min(max).max(min))
        };
        self.session_timeout_ms = within(
            "consumer.session.timeout.ms",
            self.session_timeout_ms,
            config.group_consumer_min_session_timeout_ms,
            config.group_consumer_max_session_timeout_ms,
        );
        self.heartbeat_interval_ms = within(
            "consumer.heartbeat.interval.ms",
            self.heartbeat_interval_ms,
            config.group_consumer_min_heartbeat_interval_ms,
            config.group_consumer_max_heartbeat_interval_ms,
        );
        self.assignment_interval_ms = within(
            "consumer.assignment.interval.ms",
            self.assignment_interval_ms,
            config.group_consumer_min_assignment_interval_ms,
            config.group_consumer_max_assignment_interval_ms,
        );
    }

    /// The assignor of members that ask for none.
    pub fn default_assignor(&self) -> Assignor {
        self.assignors.first().copied().unwrap_or(Assignor::Uniform)
    }
}
