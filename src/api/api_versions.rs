//! ApiVersions (18), versions 0–4: what this node speaks.
//!
//! KIP-35 (versions), KIP-511 (client software name and version, the v0 fallback), KIP-584 (features), KIP-896 (oldest
//! versions). 4: features that begin at level 0 (KAFKA-17011: older clients cannot read them). Deviation from Apache
//! Kafka: of features whose promise this program does not keep nothing is said, whatever their finalised level:
//! clients act upon it.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::{
    ApiVersion, FinalizedFeatureKey, SupportedFeatureKey,
};
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use kafka_protocol::protocol::{Decodable, Encodable as _};

use super::answer::{Answer, Call, ListenerType};
use super::configs::resources::text;
use super::context::Ctx;
use super::dispatch::{answer_api_versions, encode_api_versions, refuse};
use super::table::{API_VERSIONS, ROWS, Row};
use crate::kernel::controller::feature_table;
use crate::kernel::metadata::image::Image;
use crate::types::error_code::ErrorCode;
use crate::types::offset::Offset;

/// Decodes and answers a supported version.
pub fn answer(ctx: &Ctx, call: &Call, mut body: Bytes) -> Answer {
    match ApiVersionsRequest::decode(&mut body, call.version) {
        Ok(request) => handle(ctx, call, &request),
        Err(error) => refuse(call.peer, &error),
    }
}

/// Answers a supported version.
fn handle(ctx: &Ctx, call: &Call, request: &ApiVersionsRequest) -> Answer {
    if call.version >= 3 && !names_are_valid(request) {
        let error = ErrorCode::InvalidRequest.code();
        let response = ApiVersionsResponse::default().with_error_code(error);
        return encode_api_versions(call, call.version, &response);
    }
    let kraft_version = ctx.quorum.load().kraft_version;
    let body = ctx.api_versions.body(call, &ctx.image.load(), kraft_version);
    body.map_or(Answer::Close, |body| answer_api_versions(call, &body))
}

/// So many versions of ApiVersions there are.
const VERSIONS: usize = 5;
/// So many kinds of listeners there are.
const LISTENER_TYPES: usize = 2;

/// What was answered since the metadata changed last: every client asks, and what it is told hardly ever changes.
#[derive(Default)]
pub struct Bodies(ArcSwapOption<BodiesOf>);

/// Encoded answers, for one state of the metadata.
struct BodiesOf {
    at: Offset,
    kraft_version: i16,
    bodies: [[OnceLock<Bytes>; VERSIONS]; LISTENER_TYPES],
}

impl Bodies {
    /// The body of an answer; none if it cannot be written.
    fn body(&self, call: &Call, image: &Image, kraft_version: i16) -> Option<Bytes> {
        let at = image.at.offset;
        let known = self.0.load_full();
        let known = known.filter(|it| (it.at, it.kraft_version) == (at, kraft_version));
        let of = known.unwrap_or_else(|| {
            let new = Arc::new(BodiesOf { at, kraft_version, bodies: Default::default() });
            self.0.store(Some(Arc::clone(&new)));
            new
        });
        let version = usize::try_from(call.version).ok()?;
        let slot = of.bodies.get(call.listener_type as usize)?.get(version)?;
        if let Some(body) = slot.get() {
            return Some(body.clone());
        }
        let response = respond(call.version, call.listener_type, image, kraft_version);
        let mut body = BytesMut::new();
        response.encode(&mut body, call.version).ok()?;
        Some(slot.get_or_init(|| body.freeze()).clone())
    }
}

/// Answers a version above ours: version 0, error 35, and which versions of this API there are (KIP-511).
pub fn unsupported_version(call: &Call) -> Answer {
    let response = ApiVersionsResponse::default()
        .with_error_code(ErrorCode::UnsupportedVersion.code())
        .with_api_keys(
            ROWS.iter().filter(|row| row.key == API_VERSIONS).map(api_version).collect(),
        );
    encode_api_versions(call, 0, &response)
}

fn respond(
    version: i16,
    listener_type: ListenerType,
    image: &Image,
    kraft_version: i16,
) -> ApiVersionsResponse {
    let rows = ROWS.iter().filter(|row| row.listeners.contains(&listener_type));
    let response = ApiVersionsResponse::default().with_api_keys(rows.map(api_version).collect());
    if version < 3 {
        return response;
    }
    response
        .with_supported_features(supported_features(version))
        .with_finalized_features_epoch(image.at.offset.0)
        .with_finalized_features(finalized_features(image, kraft_version))
}

/// Before version 4 a feature that begins at level 0 is left out: clients up to Kafka 3.8 would not connect.
fn supported_features(version: i16) -> Vec<SupportedFeatureKey> {
    let listed = feature_table::supported().filter(|(_, range)| version >= 4 || range.min > 0);
    let feature = listed.map(|(name, range)| {
        SupportedFeatureKey::default()
            .with_name(text(name))
            .with_min_version(range.min)
            .with_max_version(range.max)
    });
    feature.collect()
}

/// The levels that are in force, of features that are supported, and no higher than that.
fn finalized_features(image: &Image, kraft_version: i16) -> Vec<FinalizedFeatureKey> {
    let feature = feature_table::supported().filter_map(|(name, range)| {
        let level = match name {
            feature_table::KRAFT_VERSION => kraft_version,
            _ => image.features.get(name).copied().unwrap_or(0),
        };
        let level = level.min(range.max);
        let key = FinalizedFeatureKey::default()
            .with_name(text(name))
            .with_min_version_level(level)
            .with_max_version_level(level);
        (level > 0).then_some(key)
    });
    feature.collect()
}

fn api_version(row: &Row) -> ApiVersion {
    ApiVersion::default()
        .with_api_key(row.key)
        .with_min_version(row.listed_min_version)
        .with_max_version(row.max_version)
}

/// Kafka's pattern for both names: letters and digits, with `-` and `.` inside.
fn names_are_valid(request: &ApiVersionsRequest) -> bool {
    [&request.client_software_name, &request.client_software_version].into_iter().all(|name| {
        let bytes = name.as_bytes();
        let ends = [bytes.first(), bytes.last()];
        ends.into_iter().all(|end| end.is_some_and(u8::is_ascii_alphanumeric))
            && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::metadata::delta::Delta;
    use crate::wire::records::FeatureLevelRecord;

    const BROKER: ListenerType = ListenerType::Broker;

    fn image(levels: &[(&str, i16)]) -> Image {
        let mut delta = Delta::new(&Image::empty());
        for &(name, feature_level) in levels {
            let record = FeatureLevelRecord { name: name.to_owned(), feature_level };
            delta.replay(&record.into()).unwrap();
        }
        let mut image = delta.image().clone();
        image.at.offset = Offset(41);
        image
    }

    fn supported(response: &ApiVersionsResponse) -> Vec<(&str, i16, i16)> {
        let features = response.supported_features.iter();
        features.map(|it| (it.name.as_str(), it.min_version, it.max_version)).collect()
    }

    fn finalized(response: &ApiVersionsResponse) -> Vec<(&str, i16, i16)> {
        let features = response.finalized_features.iter();
        features.map(|it| (it.name.as_str(), it.min_version_level, it.max_version_level)).collect()
    }

    #[test]
    fn features_that_begin_at_0_are_told_from_version_4_on() {
        let image = image(&[("metadata.version", 30)]);
        let (metadata, kraft) = (("metadata.version", 7, 30), ("kraft.version", 0, 1));
        for (version, expected) in [(2, vec![]), (3, vec![metadata]), (4, vec![kraft, metadata])] {
            let response = respond(version, BROKER, &image, 1);
            let listed = supported(&response);
            assert!(expected.iter().all(|feature| listed.contains(feature)), "{version}");
            let min_1 = listed.iter().all(|&(_, min, _)| min > 0);
            assert!(version >= 4 || min_1 && listed.len() == expected.len(), "{version}");
        }
    }

    /// Of what Apache Kafka's controller lists, that which works here.
    #[test]
    fn a_controllers_listener_has_a_list_of_its_own() {
        let keys = |listener_type: ListenerType| -> Vec<i16> {
            let response = respond(4, listener_type, &image(&[]), 1);
            response.api_keys.iter().map(|api| api.api_key).collect()
        };
        let of_controllers = keys(ListenerType::Controller);
        assert_eq!(of_controllers, [18, 19, 20, 29, 30, 31, 32, 33, 37, 44, 55, 57, 60]);
        let of_brokers = keys(BROKER);
        assert!(of_controllers.iter().all(|key| of_brokers.contains(key)));
        assert_eq!(of_brokers.len(), ROWS.len());
    }

    #[test]
    fn what_is_answered_again_is_what_was_answered_until_the_metadata_changes() {
        let bodies = Bodies::default();
        let call = |version, listener_type| Call {
            listener_type,
            ..Call::for_test(API_VERSIONS, version)
        };
        let mut image = image(&[("metadata.version", 20)]);
        for _ in 0..2 {
            for (version, listener_type) in
                [(0, BROKER), (4, BROKER), (4, ListenerType::Controller)]
            {
                let mut body = bodies.body(&call(version, listener_type), &image, 1).unwrap();
                let answered = ApiVersionsResponse::decode(&mut body, version).unwrap();
                assert_eq!(answered, respond(version, listener_type, &image, 1), "{version}");
            }
            image.at.offset = image.at.offset.next();
        }
        let before = bodies.body(&call(4, BROKER), &image, 1);
        assert_ne!(bodies.body(&call(4, BROKER), &image, 0), before);
        assert_eq!(bodies.body(&call(5, BROKER), &image, 1), None);
    }

    #[test]
    fn what_is_finalised_but_not_supported_is_not_told() {
        let levels = [("metadata.version", 33), ("transaction.version", 2), ("unheard.of", 1)];
        let response = respond(3, BROKER, &image(&levels), 1);
        let told = finalized(&response);
        assert!(
            told.contains(&("kraft.version", 1, 1)) && told.contains(&("metadata.version", 30, 30))
        );
        for (name, min, max) in told {
            let range = feature_table::supported().find(|(other, _)| *other == name).unwrap().1;
            assert!(min == max && max <= range.max, "{name}");
        }
        assert_eq!(response.finalized_features_epoch, 41);
        let response = respond(3, BROKER, &image(&[("metadata.version", 20)]), 0);
        assert_eq!(finalized(&response), [("metadata.version", 20, 20)]);
        assert!(finalized(&respond(2, BROKER, &image(&[("metadata.version", 20)]), 0)).is_empty());
    }
}
