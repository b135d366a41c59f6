//! What a new leader writes first, and what this node writes when it comes and goes: the first records of a new
//! cluster, registrations, and the changes of the partitions that follow from them.

use crate::kernel::configs::topic::TopicConfig;
use crate::kernel::metadata::image::{
    FeatureRange, LeaderRecoveryState, ListenerEndpoint, PartitionRegistration, TopicImage,
};
use crate::types::epoch::BrokerEpoch;
use crate::types::ids::NodeId;
use crate::types::offset::Offset;
use crate::wire::records::brokers::{BrokerEndpoint, BrokerFeature};
use crate::wire::records::{
    AbortTransactionRecord, BeginTransactionRecord, BrokerRegistrationChangeRecord, ConfigRecord,
    EndTransactionRecord, FeatureLevelRecord, MetadataRecord, PartitionChangeRecord,
    RegisterBrokerRecord, RegisterControllerRecord,
};

use super::ControllerStart;
use super::configs::fixed_min_insync_replicas;
use super::feature_table::{
    CONTROLLERS_REGISTER, METADATA_VERSION, METADATA_VERSION_MAX, supported,
};
use super::partition_change::{PartitionChange, Rules};
use super::view::{BROKER, ELR, TOPIC, View};

/// From this metadata.version on, there are transactions (KIP-868).
const TRANSACTIONS: i16 = 13;
/// From this metadata.version on, registrations name directories (KIP-858).
const DIRECTORIES: i16 = 17;
/// From this metadata.version on, brokers say which directories take no new partitions (KIP-1066).
const CORDONED_DIRECTORIES: i16 = 30;

/// What is written, and whether it counts only as a whole.
#[derive(Debug, Default, PartialEq)]
pub struct Step {
    /// In this order.
    pub records: Vec<MetadataRecord>,
    /// Whether they must be in one batch.
    pub atomic: bool,
}

impl Step {
    fn atomic(records: Vec<MetadataRecord>) -> Self {
        Self { records, atomic: true }
    }

    fn loose(records: Vec<MetadataRecord>) -> Self {
        Self { records, atomic: false }
    }
}

/// The first records of a new cluster, and the end of a transaction that its leader did not live to end.
pub fn begin(view: &View<'_>, start: &ControllerStart) -> Step {
    let is_new = view.image.metadata_version() == 0;
    let abort = start
        .open_transaction
        .map(|_| AbortTransactionRecord { reason: Some("Controller failover".to_owned()) }.into());
    if !is_new {
        return Step::atomic(abort.into_iter().collect());
    }
    let level = |name: &str| {
        start.bootstrap.iter().rev().find_map(|record| match record {
            MetadataRecord::FeatureLevel(feature) if feature.name == name => {
                Some(feature.feature_level)
            }
            _ => None,
        })
    };
    let mut bootstrap = start.bootstrap.clone();
    let metadata_version = level(METADATA_VERSION).unwrap_or_else(|| {
        let name = METADATA_VERSION.to_owned();
        bootstrap
            .insert(0, FeatureLevelRecord { name, feature_level: METADATA_VERSION_MAX }.into());
        METADATA_VERSION_MAX
    });
    if level(ELR).unwrap_or(0) > 0 {
        bootstrap.push(
            ConfigRecord {
                resource_type: BROKER,
                resource_name: String::new(),
                name: "min.insync.replicas".to_owned(),
                value: Some(fixed_min_insync_replicas(view).to_owned()),
            }
            .into(),
        );
    }
    if metadata_version < TRANSACTIONS {
        return Step::atomic(bootstrap);
    }
    let name = Some("Bootstrap records".to_owned());
    let mut records: Vec<MetadataRecord> = abort.into_iter().collect();
    records.push(BeginTransactionRecord { name }.into());
    records.append(&mut bootstrap);
    records.push(EndTransactionRecord::default().into());
    Step::loose(records)
}

/// The registration of this node's controller.
pub fn register_controller(view: &View<'_>, start: &ControllerStart) -> Step {
    if view.image.metadata_version() < CONTROLLERS_REGISTER {
        return Step::default();
    }
    let record = RegisterControllerRecord {
        controller_id: view.config.node_id.0,
        incarnation_id: start.controller_incarnation_id,
        zk_migration_ready: false,
        end_points: end_points(&start.controller_listeners),
        features: features(view),
    };
    Step::atomic(vec![record.into()])
}

/// The registration of this node's broker, after what follows from the end of its last incarnation.
pub fn register_broker(view: &View<'_>, start: &ControllerStart, next: Offset) -> Step {
    let id = view.config.node_id;
    let stored = view.broker(id).map(|broker| broker.epoch);
    // It is in `.kafka_cleanshutdown` if this node stopped in order.
    let is_clean = stored.is_some_and(|epoch| epoch == start.previous_broker_epoch)
        && start.previous_broker_epoch != BrokerEpoch::UNKNOWN;
    let who = if view.elr_enabled() && !is_clean {
        Who { unclean_shutdown: Some(id), ..Who::default() }
    } else {
        Who { removed: Some(id), ..Who::default() }
    };
    let mut records = partition_changes(view, who);
    let has_directories = view.image.metadata_version() >= DIRECTORIES;
    let record = RegisterBrokerRecord {
        broker_id: id.0,
        is_migrating_zk_broker: false,
        incarnation_id: start.broker_incarnation_id,
        broker_epoch: next.0,
        end_points: end_points(&start.broker_listeners),
        features: features(view),
        rack: view.config.broker_rack.clone(),
        fenced: true,
        in_controlled_shutdown: false,
        log_dirs: start.log_dirs.iter().filter(|_| has_directories).map(|id| id.0).collect(),
        cordoned_log_dirs: None,
    };
    // The registration comes last: without it the next start does all this again.
    records.push(record.into());
    Step::loose(records)
}

/// Says that every directory of this node takes new partitions, where that can be said.
pub fn uncordon(view: &View<'_>) -> Step {
    let id = view.config.node_id;
    match view.broker(id) {
        Some(broker)
            if view.image.metadata_version() >= CORDONED_DIRECTORIES
                && broker.cordoned_log_dirs.is_none() =>
        {
            let mut record = change(id, broker.epoch);
            record.cordoned_log_dirs = Some(Vec::new());
            Step::atomic(vec![record.into()])
        }
        _ => Step::default(),
    }
}

/// Puts this node's broker to work.
pub fn unfence(view: &View<'_>) -> Step {
    let id = view.config.node_id;
    let Some(broker) = view.broker(id).filter(|broker| broker.fenced) else {
        return Step::default();
    };
    let mut record = change(id, broker.epoch);
    record.fenced = -1;
    let mut records = vec![record.into()];
    records.extend(partition_changes(view, Who { added: Some(id), ..Who::default() }));
    Step::loose(records)
}

/// Ends the recovery of the partitions that this node leads after an unclean election (KIP-704): what it has is what
/// there is, and no other replica could say otherwise.
pub fn recover(view: &View<'_>) -> Step {
    let leader = view.config.node_id;
    let mut records = Vec::new();
    for topic in view.image.topics.by_id.values() {
        for (id, partition) in &topic.partitions {
            let recovers = partition.leader_recovery_state == LeaderRecoveryState::Recovering;
            if recovers && partition.leader == leader {
                let mut record = PartitionChangeRecord {
                    partition_id: id.0,
                    topic_id: topic.id.0,
                    ..PartitionChangeRecord::default()
                };
                record.leader_recovery_state = LeaderRecoveryState::Recovered as i8;
                records.push(record.into());
            }
        }
    }
    Step::loose(records)
}

/// Hands over what this node leads, before it ends.
pub fn shut_down(view: &View<'_>) -> Step {
    let id = view.config.node_id;
    let Some(broker) = view.broker(id).filter(|broker| !broker.in_controlled_shutdown) else {
        return Step::default();
    };
    let mut record = change(id, broker.epoch);
    record.in_controlled_shutdown = 1;
    let mut records = vec![record.into()];
    records.extend(partition_changes(view, Who { removed: Some(id), ..Who::default() }));
    Step::loose(records)
}

/// The last word of a broker.
pub fn fence(view: &View<'_>) -> Step {
    let id = view.config.node_id;
    let Some(broker) = view.broker(id).filter(|broker| !broker.fenced) else {
        return Step::default();
    };
    let mut records: Vec<MetadataRecord> =
        partition_changes(view, Who { removed: Some(id), ..Who::default() });
    let mut record = change(id, broker.epoch);
    record.fenced = 1;
    records.push(record.into());
    Step::loose(records)
}

fn change(id: NodeId, epoch: BrokerEpoch) -> BrokerRegistrationChangeRecord {
    BrokerRegistrationChangeRecord {
        broker_id: id.0,
        broker_epoch: epoch.0,
        ..BrokerRegistrationChangeRecord::default()
    }
}

fn end_points(listeners: &[ListenerEndpoint]) -> Vec<BrokerEndpoint> {
    let end_point = |listener: &ListenerEndpoint| BrokerEndpoint {
        name: listener.name.clone(),
        host: listener.host.clone(),
        port: listener.port,
        security_protocol: listener.security_protocol,
    };
    listeners.iter().map(end_point).collect()
}

/// What this node says it can work with: what this program supports, and every level that its directory has finalised
/// already, which it cannot refuse to live with.
fn features(view: &View<'_>) -> Vec<BrokerFeature> {
    let mut ranges: std::collections::BTreeMap<&str, FeatureRange> = supported().collect();
    for (name, level) in view.image.features.iter() {
        let range = ranges.entry(name).or_insert(FeatureRange { min: 0, max: 0 });
        range.max = range.max.max(*level);
        range.min = range.min.min(*level);
    }
    let feature = |(name, range): (&str, FeatureRange)| BrokerFeature {
        name: name.to_owned(),
        min_supported_version: range.min,
        max_supported_version: range.max,
    };
    ranges.into_iter().map(feature).collect()
}

/// The broker that a change of partitions is about.
#[derive(Clone, Copy, Default)]
struct Who {
    /// It leaves the ISR, and leads nothing.
    removed: Option<NodeId>,
    /// It may lead, though the image does not say so yet.
    added: Option<NodeId>,
    /// It leaves the ISR and the eligible leader replicas, and leads nothing.
    unclean_shutdown: Option<NodeId>,
}

/// The changes of all partitions that this is about: those without a leader where a broker is added, otherwise those
/// with the broker in their ISR, or their eligible leader replicas.
fn partition_changes(view: &View<'_>, who: Who) -> Vec<MetadataRecord> {
    let is_about = |partition: &PartitionRegistration| match (who.removed, who.unclean_shutdown) {
        (Some(id), _) => partition.isr.contains(&id),
        (None, Some(id)) => {
            partition.isr.contains(&id) || partition.eligible_leader_replicas.contains(&id)
        }
        (None, None) => partition.leader == NodeId::NONE,
    };
    let leaves = |id: NodeId| who.removed == Some(id) || who.unclean_shutdown == Some(id);
    let mut records = Vec::new();
    for topic in view.image.topics.by_id.values() {
        let mut of_topic = None;
        for (id, partition) in topic.partitions.iter().filter(|(_, it)| is_about(it)) {
            let may_lead = |id: NodeId| {
                let is_up = !leaves(id) && (who.added == Some(id) || view.is_active(id));
                is_up && view.has_online_directory(partition, id)
            };
            let change = PartitionChange {
                partition,
                // Resolving a topic's configuration costs more than an election.
                rules: *of_topic.get_or_insert_with(|| rules(view, topic)),
                is_acceptable_leader: &may_lead,
                isr: partition.isr.iter().copied().filter(|id| !leaves(*id)).collect(),
                unclean_shutdown: who.unclean_shutdown,
                leader_recovery_state: partition.leader_recovery_state,
            };
            records.extend(change.build(topic.id, *id).map(MetadataRecord::from));
        }
    }
    records
}

fn rules(view: &View<'_>, topic: &TopicImage) -> Rules {
    let overrides = view.overrides(TOPIC, topic.name.as_str());
    let config = TopicConfig::resolve(&view.layers(), overrides);
    let first = topic.partitions.values().next();
    let replicas = first.map_or(0, |partition| partition.replicas.len());
    Rules {
        metadata_version: view.image.metadata_version(),
        elr_enabled: view.elr_enabled(),
        min_isr: replicas.min(usize::try_from(config.min_insync_replicas).unwrap_or(0)),
        unclean: config.unclean_leader_election_enable,
    }
}
