//! Records of parts that this version carries on but does not act upon: quotas, SCRAM credentials, delegation
//! tokens. They are kept as they are written, by what identifies them, so that a removal finds what it removes, and a
//! snapshot loses nothing.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::wire::records::{ClientQuotaRecord, MetadataRecord};

/// A part; the order of the numbers is that of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Part {
    Quotas = 0,
    Scram = 1,
    Tokens = 2,
}

/// All are of version 0 at every metadata.version.
const ANY_METADATA_VERSION: i16 = 0;

/// Keeps or removes what the record says; other records change nothing.
pub(super) fn replay(carried: &mut BTreeMap<Vec<u8>, Bytes>, record: &MetadataRecord) {
    let (key, removes) = match record {
        MetadataRecord::ClientQuota(record) => (quota_key(record), record.remove),
        MetadataRecord::UserScramCredential(record) => {
            (scram_key(record.mechanism, &record.name), false)
        }
        MetadataRecord::RemoveUserScramCredential(record) => {
            (scram_key(record.mechanism, &record.name), true)
        }
        MetadataRecord::DelegationToken(record) => {
            (key(Part::Tokens, record.token_id.as_bytes()), false)
        }
        MetadataRecord::RemoveDelegationToken(record) => {
            (key(Part::Tokens, record.token_id.as_bytes()), true)
        }
        _ => return,
    };
    if removes {
        carried.remove(&key);
    } else {
        carried.insert(key, record.encode(ANY_METADATA_VERSION));
    }
}

/// Whether the key is that of a quota; a snapshot has those before the producer ids.
pub(super) fn is_quota(key: &[u8]) -> bool {
    key.first() == Some(&(Part::Quotas as u8))
}

fn key(part: Part, identity: &[u8]) -> Vec<u8> {
    [&[part as u8], identity].concat()
}

fn scram_key(mechanism: i8, name: &str) -> Vec<u8> {
    [&[Part::Scram as u8, mechanism as u8], name.as_bytes()].concat()
}

/// What a quota is for is a set: the order in which its parts are named means nothing.
fn quota_key(record: &ClientQuotaRecord) -> Vec<u8> {
    let mut entity: Vec<_> =
        record.entity.iter().map(|part| (&part.entity_type, part.entity_name.as_ref())).collect();
    entity.sort_unstable();
    let mut out = vec![Part::Quotas as u8];
    for (kind, name) in entity {
        put(&mut out, Some(kind));
        put(&mut out, name);
    }
    out.extend_from_slice(record.key.as_bytes());
    out
}

/// A text with its length in front; one more than its length, so that null is not empty.
fn put(out: &mut Vec<u8>, text: Option<&String>) {
    let length = text.map_or(0, |text| text.len() as u32 + 1);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(text.map_or("", String::as_str).as_bytes());
}
