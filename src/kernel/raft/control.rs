//! The records that consensus writes for itself, in control batches: elections, voters, the ends of snapshots.
//!
//! A key is a version and a type; a value starts with its own version, without a prefix (KIP-595, KIP-630, KIP-853).
//! Values are written at version 0, as Kafka writes them; later versions only add fields, which are skipped.

use std::collections::BTreeMap;

use bytes::Bytes;
use uuid::Uuid;

use super::voters::{Endpoint, ReplicaKey, Voter, VoterSet};
use crate::types::ids::{DirectoryId, NodeId};
use crate::types::time::Timestamp;
use crate::wire::batch_builder::ControlType;

/// A control record of the metadata log or of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlRecord {
    /// The first record of each epoch.
    LeaderChange {
        /// Who leads from here on.
        leader: NodeId,
        /// Who could vote.
        voters: Vec<NodeId>,
        /// Who voted for it.
        granting: Vec<NodeId>,
    },
    /// The first record of a snapshot.
    SnapshotHeader {
        /// The time of the last record that the snapshot contains.
        last_contained_log_timestamp: Timestamp,
    },
    /// The last record of a snapshot; without it the file is cut short.
    SnapshotFooter,
    /// The `kraft.version` from here on.
    KRaftVersion(i16),
    /// The voters from here on.
    Voters(VoterSet),
}

/// A control record of a known type that does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed control record of type {0:?}")]
pub struct ControlRecordError(pub ControlType);

impl ControlRecord {
    /// What its key says.
    pub const fn kind(&self) -> ControlType {
        match self {
            Self::LeaderChange { .. } => ControlType::LeaderChange,
            Self::SnapshotHeader { .. } => ControlType::SnapshotHeader,
            Self::SnapshotFooter => ControlType::SnapshotFooter,
            Self::KRaftVersion(_) => ControlType::KRaftVersion,
            Self::Voters(_) => ControlType::KRaftVoters,
        }
    }

    /// The record's value.
    pub fn value(&self) -> Bytes {
        let mut out = vec![0, 0];
        match self {
            Self::LeaderChange { leader, voters, granting } => {
                out.extend_from_slice(&leader.0.to_be_bytes());
                for ids in [voters, granting] {
                    put_length(&mut out, ids.len());
                    for id in ids {
                        out.extend_from_slice(&id.0.to_be_bytes());
                        out.push(0);
                    }
                }
            }
            Self::SnapshotHeader { last_contained_log_timestamp } => {
                out.extend_from_slice(&last_contained_log_timestamp.0.to_be_bytes());
            }
            Self::SnapshotFooter => {}
            Self::KRaftVersion(level) => out.extend_from_slice(&level.to_be_bytes()),
            Self::Voters(voters) => {
                put_length(&mut out, voters.0.len());
                voters.0.values().for_each(|voter| put_voter(&mut out, voter));
            }
        }
        out.push(0);
        out.into()
    }

    /// Reads a control record; none if its type is not of the metadata log (a transaction's marker, or one to come).
    pub fn decode(key: &[u8], value: &[u8]) -> Result<Option<Self>, ControlRecordError> {
        let Some(kind) = ControlType::of_key(key) else {
            return Ok(None);
        };
        let mut reader = Reader(value);
        let record = match kind {
            ControlType::LeaderChange => reader.leader_change(),
            ControlType::SnapshotHeader => reader
                .i16()
                .and_then(|_| reader.i64())
                .map(|at| Self::SnapshotHeader { last_contained_log_timestamp: Timestamp(at) }),
            ControlType::SnapshotFooter => reader.i16().map(|_| Self::SnapshotFooter),
            ControlType::KRaftVersion => {
                reader.i16().and_then(|_| reader.i16()).map(Self::KRaftVersion)
            }
            ControlType::KRaftVoters => reader.voters(),
            ControlType::Abort | ControlType::Commit => return Ok(None),
        };
        record.map(Some).ok_or(ControlRecordError(kind))
    }
}

/// A compact length: one more than the number, as an unsigned varint.
fn put_length(out: &mut Vec<u8>, length: usize) {
    let mut rest = length + 1;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

fn put_voter(out: &mut Vec<u8>, voter: &Voter) {
    out.extend_from_slice(&voter.key.id.0.to_be_bytes());
    out.extend_from_slice(voter.key.directory_id.unwrap_or_default().0.as_bytes());
    put_length(out, voter.endpoints.len());
    for (name, endpoint) in &voter.endpoints {
        put_text(out, name);
        put_text(out, &endpoint.host);
        out.extend_from_slice(&endpoint.port.to_be_bytes());
        out.push(0);
    }
    out.extend_from_slice(&voter.kraft_versions.0.to_be_bytes());
    out.extend_from_slice(&voter.kraft_versions.1.to_be_bytes());
    out.extend_from_slice(&[0, 0]);
}

/// Reads values front to back; none once the bytes run out.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    fn i16(&mut self) -> Option<i16> {
        self.take().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_be_bytes)
    }

    fn varint(&mut self) -> Option<usize> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.take()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value as usize);
            }
        }
        None
    }

    /// A compact length; none for null, which none of these fields may be.
    fn length(&mut self) -> Option<usize> {
        self.varint()?.checked_sub(1)
    }

    fn text(&mut self) -> Option<String> {
        let length = self.length()?;
        std::str::from_utf8(self.slice(length)?).ok().map(str::to_owned)
    }

    fn skip_tags(&mut self) -> Option<()> {
        for _ in 0..self.varint()? {
            let _tag = self.varint()?;
            let length = self.varint()?;
            self.slice(length)?;
        }
        Some(())
    }

    fn leader_change(&mut self) -> Option<ControlRecord> {
        let version = self.i16()?;
        let leader = NodeId(self.i32()?);
        let voters = self.voter_ids(version)?;
        let granting = self.voter_ids(version)?;
        Some(ControlRecord::LeaderChange { leader, voters, granting })
    }

    fn voter_ids(&mut self, version: i16) -> Option<Vec<NodeId>> {
        let mut ids = Vec::new();
        for _ in 0..self.length()? {
            ids.push(NodeId(self.i32()?));
            if version >= 1 {
                self.take::<16>()?;
            }
            self.skip_tags()?;
        }
        Some(ids)
    }

    fn voters(&mut self) -> Option<ControlRecord> {
        let _version = self.i16()?;
        let mut voters = BTreeMap::new();
        for _ in 0..self.length()? {
            let voter = self.voter()?;
            voters.insert(voter.key.id, voter);
        }
        Some(ControlRecord::Voters(VoterSet(voters)))
    }

    fn voter(&mut self) -> Option<Voter> {
        let id = NodeId(self.i32()?);
        let directory = Uuid::from_bytes(self.take()?);
        let mut endpoints = Vec::new();
        for _ in 0..self.length()? {
            let name = self.text()?;
            let host = self.text()?;
            let port = self.i16()?.cast_unsigned();
            self.skip_tags()?;
            endpoints.push((name, Endpoint { host, port }));
        }
        let kraft_versions = (self.i16()?, self.i16()?);
        self.skip_tags()?;
        self.skip_tags()?;
        let directory_id = (!directory.is_nil()).then_some(DirectoryId(directory));
        Some(Voter { key: ReplicaKey { id, directory_id }, endpoints, kraft_versions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values as Apache 4.3.1 wrote them.
    const LEADER_CHANGE_VALUE: &[u8] = &[0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1, 0, 2, 0, 0, 0, 1, 0, 0];

    fn voters_value() -> Vec<u8> {
        let mut value = vec![0, 0, 2, 0, 0, 0, 1];
        value.extend_from_slice(&[
            0xe4, 0x42, 0x32, 0xf4, 0x51, 0x0a, 0x40, 0xcf, 0x9d, 0xba, 0x44, 0xba, 0xdf, 0x52,
            0xb3, 0x07,
        ]);
        value.extend_from_slice(b"\x02\x0bCONTROLLER\x0a127.0.0.1\x74\xc5\x00");
        value.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0]);
        value
    }

    fn voters() -> VoterSet {
        let text = "1@127.0.0.1:29893:5EIy9FEKQM-dukS631KzBw";
        VoterSet::from_dynamic(text, "CONTROLLER").unwrap()
    }

    #[test]
    fn values_are_those_of_apache() {
        let leader_change = ControlRecord::LeaderChange {
            leader: NodeId(1),
            voters: vec![NodeId(1)],
            granting: vec![NodeId(1)],
        };
        assert_eq!(leader_change.value(), LEADER_CHANGE_VALUE);
        assert_eq!(leader_change.kind().key(), [0, 0, 0, 2]);
        assert_eq!(ControlRecord::Voters(voters()).value(), voters_value());
        assert_eq!(ControlRecord::KRaftVersion(1).value().as_ref(), &[0, 0, 0, 1, 0]);
        assert_eq!(ControlRecord::SnapshotFooter.value().as_ref(), &[0, 0, 0]);
    }

    #[test]
    fn every_record_reads_back_and_no_cut_one_does() {
        let ids = |range: std::ops::Range<i32>| range.map(NodeId).collect::<Vec<_>>();
        let records = [
            ControlRecord::LeaderChange {
                leader: NodeId(5),
                voters: ids(0..200),
                granting: ids(0..2),
            },
            ControlRecord::SnapshotHeader { last_contained_log_timestamp: Timestamp(77) },
            ControlRecord::SnapshotFooter,
            ControlRecord::KRaftVersion(1),
            ControlRecord::Voters(voters()),
        ];
        for record in records {
            let (key, value) = (record.kind().key(), record.value());
            assert_eq!(ControlRecord::decode(&key, &value), Ok(Some(record.clone())));
            // The tag buffer at the very end is not looked at: what may follow it is of a later version.
            for cut in 0..value.len() - 1 {
                assert!(ControlRecord::decode(&key, &value[..cut]).is_err(), "{record:?} {cut}");
            }
        }
    }

    #[test]
    fn other_types_are_skipped_and_huge_counts_are_refused() {
        assert_eq!(ControlRecord::decode(&[0, 0, 0, 1], &[0; 6]), Ok(None));
        assert_eq!(ControlRecord::decode(&[0, 0, 0, 99], &[]), Ok(None));
        assert_eq!(ControlRecord::decode(&[0], &[]), Ok(None));
        let huge = [0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f];
        let refused = ControlRecord::decode(&[0, 0, 0, 6], &huge);
        assert_eq!(refused, Err(ControlRecordError(ControlType::KRaftVoters)));
    }
}
