//! UpdateFeatures: levels go up as far as every node can work with them, and down where nothing is lost.

use std::collections::BTreeMap;

use kafka_protocol::messages::update_features_request::FeatureUpdateKey;
use kafka_protocol::messages::update_features_response::UpdatableFeatureResult;
use kafka_protocol::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};

use super::configs::make_safe_for_elr;
use super::feature_table::{
    CONTROLLERS_REGISTER, KRAFT_VERSION, METADATA_CHANGES, METADATA_VERSION, feature, supported,
};
use super::requests::text;
use super::view::{ELR, View};
use super::{Decided, Refusal, Reply};
use crate::kernel::metadata::image::FeatureRange;
use crate::types::error_code::ErrorCode;
use crate::wire::records::{FeatureLevelRecord, MetadataRecord, NoOpRecord};

const UPGRADE: i8 = 1;
const UNSAFE_DOWNGRADE: i8 = 3;

/// Decides on the request. `kraft_version` is the quorum's level now.
pub fn update_features(
    view: &View<'_>,
    request: &UpdateFeaturesRequest,
    kraft_version: i16,
) -> Decided {
    let mut records = Vec::new();
    // Of a feature that is there twice the last update counts.
    let updates: BTreeMap<&str, &FeatureUpdateKey> =
        request.feature_updates.iter().map(|update| (&*update.feature, update)).collect();
    for update in updates.values() {
        match update_feature(view, &updates, update, kraft_version) {
            Ok(record) => records.extend(record),
            Err(refusal) => return Decided { records: Vec::new(), reply: refused(&refusal) },
        }
    }
    let turns_elr_on = updates.get(ELR).is_some_and(|update| update.max_version_level > 0);
    if turns_elr_on {
        records.splice(0..0, make_safe_for_elr(view));
    }
    if request.validate_only {
        records.clear();
    }
    let result = |update: &FeatureUpdateKey| {
        UpdatableFeatureResult::default()
            .with_feature(update.feature.clone())
            .with_error_message(Some(text(ErrorCode::None.message())))
    };
    let results = request.feature_updates.iter().map(result).collect();
    let reply = UpdateFeaturesResponse::default().with_error_message(None).with_results(results);
    Decided { records, reply: Reply::UpdateFeatures(reply) }
}

fn refused(refusal: &Refusal) -> Reply {
    let why = refusal.message.as_deref().unwrap_or("null");
    let message = format!(
        "The update failed for all features since the following feature had an error: {why}"
    );
    Reply::UpdateFeatures(
        UpdateFeaturesResponse::default()
            .with_error_code(refusal.code.code())
            .with_error_message(Some(text(message))),
    )
}

fn invalid(message: String) -> Refusal {
    Refusal::new(ErrorCode::InvalidUpdateVersion, message)
}

/// The record of one update, if it needs one.
fn update_feature(
    view: &View<'_>,
    updates: &BTreeMap<&str, &FeatureUpdateKey>,
    update: &FeatureUpdateKey,
    kraft_version: i16,
) -> Result<Option<MetadataRecord>, Refusal> {
    let (name, new) = (&*update.feature, update.max_version_level);
    let refuse =
        |why: &str| Err(invalid(format!("Invalid update version {new} for feature {name}. {why}")));
    if !(UPGRADE..=UNSAFE_DOWNGRADE).contains(&update.upgrade_type) {
        return refuse("The controller does not support the given upgrade type.");
    }
    let current = match name {
        KRAFT_VERSION => kraft_version,
        _ => view.image.features.get(name).copied().unwrap_or(0),
    };
    if new < 0 {
        return refuse("A feature version cannot be less than 0.");
    }
    if let Some(why) = not_supported(view, name, new) {
        return refuse(&why);
    }
    let is_upgrade = update.upgrade_type == UPGRADE;
    if new < current && is_upgrade {
        return refuse(
            "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe \
             downgrade.",
        );
    }
    if new > current && !is_upgrade {
        return refuse("Can't downgrade to a newer version.");
    }
    match name {
        METADATA_VERSION => {
            check_metadata_version(current, new, update.upgrade_type == UNSAFE_DOWNGRADE)?;
        }
        KRAFT_VERSION if new == current && is_upgrade => {
            return Ok(Some(NoOpRecord::default().into()));
        }
        KRAFT_VERSION if new == current => return Ok(None),
        KRAFT_VERSION if is_upgrade => {
            // The voters of a static quorum stay where they are: in the configuration.
            let message = format!(
                "Invalid upgrade of kraft.version from version {current} to {new}: this version does not move the \
                 voters into the log"
            );
            return Err(invalid(message));
        }
        KRAFT_VERSION => return refuse("Can't downgrade the version of this feature."),
        _ => {
            if let Some(why) = missing_dependency(view, updates, name, new) {
                return refuse(&why);
            }
        }
    }
    Ok(Some(FeatureLevelRecord { name: name.to_owned(), feature_level: new }.into()))
}

/// Which node cannot work with the level.
fn not_supported(view: &View<'_>, name: &str, level: i16) -> Option<String> {
    let none = FeatureRange { min: 0, max: 0 };
    let reason = |who: String, range: FeatureRange| {
        if (range.min..=range.max).contains(&level) {
            None
        } else if range.max == 0 {
            Some(format!("{who} does not support this feature."))
        } else if range.min == range.max {
            Some(format!("{who} only supports versions {}", range.min))
        } else {
            Some(format!("{who} only supports versions {}-{}", range.min, range.max))
        }
    };
    let local = supported().find(|(have, _)| *have == name).map_or(none, |(_, range)| range);
    let controller = view.config.node_id;
    let local = reason(format!("Local controller {controller}"), local);
    let brokers = || {
        view.image.brokers.values().find_map(|broker| {
            let range = broker.features.get(name).copied().unwrap_or(none);
            reason(format!("Broker {}", broker.id), range)
        })
    };
    let controllers = || {
        let registered = view.image.metadata_version() >= CONTROLLERS_REGISTER;
        let others = view.image.controllers.values().filter(|other| other.id != controller);
        registered.then_some(others)?.find_map(|other| {
            let range = other.features.get(name).copied().unwrap_or(none);
            reason(format!("Controller {}", other.id), range)
        })
    };
    local.or_else(brokers).or_else(controllers)
}

/// Nothing goes back to a format that lacks what may be written already.
fn check_metadata_version(current: i16, new: i16, unsafely: bool) -> Result<(), Refusal> {
    let loses = METADATA_CHANGES.iter().any(|change| new < *change && *change <= current);
    if !loses {
        return Ok(());
    }
    let why = if unsafely {
        "Unsafe metadata downgrade is not supported in this version."
    } else {
        "Refusing to perform the requested downgrade because it might delete metadata information."
    };
    Err(invalid(format!("Unsupported metadata.version downgrade from {current} to {new}. {why}")))
}

fn missing_dependency(
    view: &View<'_>,
    updates: &BTreeMap<&str, &FeatureUpdateKey>,
    name: &str,
    level: i16,
) -> Option<String> {
    let Some(feature) = feature(name) else {
        return Some(format!("Feature {name} not found."));
    };
    let index = usize::try_from(level - 1).ok()?;
    let needs = *feature.needs.get(index)?;
    let proposed = updates.get(METADATA_VERSION).map(|update| update.max_version_level);
    let metadata_version = proposed.unwrap_or_else(|| view.image.metadata_version());
    (metadata_version < needs).then(|| {
        format!("{name} could not be set to {level} because it depends on metadata.version level {needs}")
    })
}
