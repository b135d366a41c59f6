//! Registrations of brokers and controllers, out of records and into them.

use std::collections::BTreeMap;

use super::delta::{ReplayError, directories};
use super::image::{
    BrokerRegistration, ControllerRegistration, FeatureRange, Image, ListenerEndpoint,
};
use crate::types::epoch::BrokerEpoch;
use crate::types::ids::{DirectoryId, NodeId};
use crate::wire::records::brokers::{BrokerEndpoint, BrokerFeature};
use crate::wire::records::{
    BrokerRegistrationChangeRecord, RegisterBrokerRecord, RegisterControllerRecord,
};

/// A broker as its record says.
pub(super) fn of_record(record: &RegisterBrokerRecord) -> BrokerRegistration {
    BrokerRegistration {
        id: NodeId(record.broker_id),
        epoch: BrokerEpoch(record.broker_epoch),
        incarnation_id: record.incarnation_id,
        listeners: listeners(&record.end_points),
        features: features(&record.features),
        rack: record.rack.clone(),
        fenced: record.fenced,
        in_controlled_shutdown: record.in_controlled_shutdown,
        log_dirs: directories(&record.log_dirs),
        cordoned_log_dirs: record.cordoned_log_dirs.as_deref().map(directories),
    }
}

/// The record that says a broker.
pub(super) fn to_record(broker: &BrokerRegistration) -> RegisterBrokerRecord {
    RegisterBrokerRecord {
        broker_id: broker.id.0,
        is_migrating_zk_broker: false,
        incarnation_id: broker.incarnation_id,
        broker_epoch: broker.epoch.0,
        end_points: end_points(&broker.listeners),
        features: feature_ranges(&broker.features),
        rack: broker.rack.clone(),
        fenced: broker.fenced,
        in_controlled_shutdown: broker.in_controlled_shutdown,
        log_dirs: broker.log_dirs.iter().map(|id| id.0).collect(),
        cordoned_log_dirs: broker
            .cordoned_log_dirs
            .as_ref()
            .map(|ids| ids.iter().map(|id| id.0).collect()),
    }
}

/// A controller as its record says.
pub(super) fn controller_of_record(record: &RegisterControllerRecord) -> ControllerRegistration {
    ControllerRegistration {
        id: NodeId(record.controller_id),
        incarnation_id: record.incarnation_id,
        zk_migration_ready: record.zk_migration_ready,
        listeners: listeners(&record.end_points),
        features: features(&record.features),
    }
}

/// The record that says a controller.
pub(super) fn controller_to_record(
    controller: &ControllerRegistration,
) -> RegisterControllerRecord {
    RegisterControllerRecord {
        controller_id: controller.id.0,
        incarnation_id: controller.incarnation_id,
        zk_migration_ready: controller.zk_migration_ready,
        end_points: end_points(&controller.listeners),
        features: feature_ranges(&controller.features),
    }
}

/// The broker, if it is registered with just this epoch.
pub(super) fn registered(
    image: &Image,
    id: NodeId,
    said: BrokerEpoch,
) -> Result<&BrokerRegistration, ReplayError> {
    let broker = image.brokers.get(&id).ok_or(ReplayError::NoBroker(id))?;
    if broker.epoch != said {
        return Err(ReplayError::BrokerEpoch { id, said, epoch: broker.epoch });
    }
    Ok(broker)
}

/// What becomes of a registered broker; none leaves it as it is.
pub(super) struct Change {
    fenced: Option<bool>,
    in_controlled_shutdown: Option<bool>,
    log_dirs: Option<Vec<DirectoryId>>,
    cordoned_log_dirs: Option<Vec<DirectoryId>>,
}

impl Change {
    /// It is fenced, or no longer.
    pub(super) const fn fenced(fenced: bool) -> Self {
        Self {
            fenced: Some(fenced),
            in_controlled_shutdown: None,
            log_dirs: None,
            cordoned_log_dirs: None,
        }
    }

    /// What the record says.
    pub(super) fn of_record(record: &BrokerRegistrationChangeRecord) -> Result<Self, ReplayError> {
        let state = |said: i8| match said {
            -1 => Ok(Some(false)),
            0 => Ok(None),
            1 => Ok(Some(true)),
            other => Err(ReplayError::BrokerState(other)),
        };
        let log_dirs = directories(&record.log_dirs);
        Ok(Self {
            fenced: state(record.fenced)?,
            in_controlled_shutdown: state(record.in_controlled_shutdown)?,
            log_dirs: (!log_dirs.is_empty()).then_some(log_dirs),
            cordoned_log_dirs: record.cordoned_log_dirs.as_deref().map(directories),
        })
    }

    /// The broker with this change.
    pub(super) fn apply(self, broker: &BrokerRegistration) -> BrokerRegistration {
        let mut changed = broker.clone();
        changed.fenced = self.fenced.unwrap_or(changed.fenced);
        let leaves = self.in_controlled_shutdown;
        changed.in_controlled_shutdown = leaves.unwrap_or(changed.in_controlled_shutdown);
        if let Some(log_dirs) = self.log_dirs {
            changed.log_dirs = log_dirs;
        }
        if self.cordoned_log_dirs.is_some() {
            changed.cordoned_log_dirs = self.cordoned_log_dirs;
        }
        changed
    }
}

fn listeners(end_points: &[BrokerEndpoint]) -> Vec<ListenerEndpoint> {
    let listener = |end_point: &BrokerEndpoint| ListenerEndpoint {
        name: end_point.name.clone(),
        host: end_point.host.clone(),
        port: end_point.port,
        security_protocol: end_point.security_protocol,
    };
    end_points.iter().map(listener).collect()
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

fn features(said: &[BrokerFeature]) -> BTreeMap<String, FeatureRange> {
    let range = |feature: &BrokerFeature| FeatureRange {
        min: feature.min_supported_version,
        max: feature.max_supported_version,
    };
    said.iter().map(|feature| (feature.name.clone(), range(feature))).collect()
}

fn feature_ranges(features: &BTreeMap<String, FeatureRange>) -> Vec<BrokerFeature> {
    let said = |(name, range): (&String, &FeatureRange)| BrokerFeature {
        name: name.clone(),
        min_supported_version: range.min,
        max_supported_version: range.max,
    };
    features.iter().map(said).collect()
}
