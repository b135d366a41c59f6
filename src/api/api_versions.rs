//! ApiVersions (18), versions 0–4: what this node speaks.
//!
//! KIP-35 (versions), KIP-511 (client software name and version, the v0 fallback), KIP-896 (oldest versions). Deviation from Apache Kafka: no features are listed yet.

use bytes::Bytes;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use kafka_protocol::protocol::Decodable;

use super::answer::{Answer, Call};
use super::dispatch::{encode_api_versions, refuse};
use super::table::{API_VERSIONS, ROWS, Row};
use crate::types::error_code::ErrorCode;

/// Decodes and answers a supported version.
pub fn answer(call: &Call, mut body: Bytes) -> Answer {
    match ApiVersionsRequest::decode(&mut body, call.version) {
        Ok(request) => handle(call, &request),
        Err(error) => refuse(call.peer, &error),
    }
}

/// Answers a supported version.
fn handle(call: &Call, request: &ApiVersionsRequest) -> Answer {
    let response = if call.version >= 3 && !names_are_valid(request) {
        ApiVersionsResponse::default().with_error_code(ErrorCode::InvalidRequest.code())
    } else {
        respond()
    };
    encode_api_versions(call, call.version, &response)
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

fn respond() -> ApiVersionsResponse {
    ApiVersionsResponse::default().with_api_keys(ROWS.iter().map(api_version).collect())
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
