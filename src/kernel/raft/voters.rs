//! Who votes: the static set of `controller.quorum.voters`, or the dynamic one that the log carries (KIP-853).
//!
//! A voter is an id and, in a dynamic quorum, the id of the directory it keeps its vote in: the same node with a
//! new disk is another voter, because what it promised is gone.

use std::collections::BTreeMap;
use std::fmt;

use crate::types::ids::{DirectoryId, NodeId, uuid_from_text};

/// One member of a quorum; a static quorum does not know directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReplicaKey {
    /// `node.id`.
    pub id: NodeId,
    /// Where its vote is kept; none in a static quorum.
    pub directory_id: Option<DirectoryId>,
}

/// Where a voter listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A host name or address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// One voter and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voter {
    /// Who it is.
    pub key: ReplicaKey,
    /// Where it listens, by listener name, in the order in which it was written.
    pub endpoints: Vec<(String, Endpoint)>,
    /// The lowest and highest `kraft.version` that it understands.
    pub kraft_versions: (i16, i16),
}

impl Voter {
    /// A voter that runs this program.
    pub fn new(key: ReplicaKey, listener: &str, endpoint: Endpoint) -> Self {
        let endpoints = vec![(listener.to_owned(), endpoint)];
        Self { key, endpoints, kraft_versions: (0, KRAFT_VERSION_MAX) }
    }
}

/// The voters by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VoterSet(pub BTreeMap<NodeId, Voter>);

/// The highest `kraft.version` that this program understands: 1, voters in the log.
pub const KRAFT_VERSION_MAX: i16 = 1;

/// A `--initial-controllers` that does not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VoterTextError {
    /// One entry of `--initial-controllers`.
    #[error("invalid initial controller `{entry}`: {why}")]
    Dynamic {
        /// The entry.
        entry: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Two entries with one id.
    #[error("node id {0} appears twice among the voters")]
    Twice(NodeId),
}

impl VoterSet {
    /// A quorum of one.
    pub fn of_one(key: ReplicaKey, listener: &str, endpoint: Endpoint) -> Self {
        Self(BTreeMap::from([(key.id, Voter::new(key, listener, endpoint))]))
    }

    /// The voters of `controller.quorum.voters`, which listen on the controller's first listener.
    pub fn of_static(voters: impl IntoIterator<Item = (NodeId, Endpoint)>, listener: &str) -> Self {
        let voters = voters.into_iter().map(|(id, endpoint)| {
            let key = ReplicaKey { id, directory_id: None };
            (id, Voter::new(key, listener, endpoint))
        });
        Self(voters.collect())
    }

    /// Reads `--initial-controllers`: `1@host:9093:JEXY6aqzQY-32P5TStzaFg,…`.
    pub fn from_dynamic(text: &str, listener: &str) -> Result<Self, VoterTextError> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let mut voters = BTreeMap::new();
        for entry in entries {
            let voter = dynamic_voter(entry, listener)
                .map_err(|why| VoterTextError::Dynamic { entry: entry.to_owned(), why })?;
            let id = voter.key.id;
            if voters.insert(id, voter).is_some() {
                return Err(VoterTextError::Twice(id));
            }
        }
        Ok(Self(voters))
    }

    /// Whether `key` votes here: a directory counts only where both sides name one.
    pub fn is_voter(&self, key: ReplicaKey) -> bool {
        self.0.get(&key.id).is_some_and(|voter| match (voter.key.directory_id, key.directory_id) {
            (Some(known), Some(asked)) => known == asked,
            _ => true,
        })
    }

    /// Whether `key` is the one and only voter.
    pub fn is_only_voter(&self, key: ReplicaKey) -> bool {
        self.0.len() == 1 && self.is_voter(key)
    }

    /// The ids in ascending order.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.0.keys().copied()
    }

    /// This set with `voter` in the place of the one of its id; none if nothing would change.
    pub fn with_updated(&self, voter: &Voter) -> Option<Self> {
        let known = self.0.get(&voter.key.id)?;
        let same =
            known.endpoints == voter.endpoints && known.kraft_versions == voter.kraft_versions;
        (!same).then(|| {
            let mut updated = self.clone();
            let voter = Voter { key: known.key, ..voter.clone() };
            updated.0.insert(voter.key.id, voter);
            updated
        })
    }
}

impl fmt::Display for VoterSet {
    /// The ids, for messages: `1, 2, 3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, id) in self.ids().enumerate() {
            write!(f, "{}{id}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

fn dynamic_voter(entry: &str, listener: &str) -> Result<Voter, &'static str> {
    let (id, rest) = entry.split_once('@').ok_or("No @ found in dynamic voter string.")?;
    let id: i32 = id.parse().map_err(|_| "Failed to parse node id in dynamic voter string.")?;
    if id < 0 {
        return Err("Invalid negative node id in dynamic voter string.");
    }
    let (host, rest) = if let Some(bracketed) = rest.strip_prefix('[') {
        bracketed
            .split_once(']')
            .ok_or("Hostname began with left bracket, but no right bracket was found.")?
    } else {
        let colon = rest.find(':').ok_or("No colon following hostname could be found.")?;
        rest.split_at(colon)
    };
    if host.is_empty() {
        return Err("No hostname found after node id.");
    }
    let rest = rest.strip_prefix(':').ok_or("Port section must start with a colon.")?;
    let (port, directory) =
        rest.split_once(':').ok_or("No colon following port could be found.")?;
    let port = port.parse().map_err(|_| "Failed to parse port in dynamic voter string.")?;
    let directory =
        uuid_from_text(directory).ok_or("Failed to parse directory ID in dynamic voter string.")?;
    let key = ReplicaKey { id: NodeId(id), directory_id: Some(DirectoryId(directory)) };
    Ok(Voter::new(key, listener, Endpoint { host: host.to_owned(), port }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dynamic_voters_carry_their_directory() {
        let text = "1@127.0.0.1:9093:5EIy9FEKQM-dukS631KzBw";
        let set = VoterSet::from_dynamic(text, "C").unwrap();
        let key = set.0[&NodeId(1)].key;
        assert!(set.is_only_voter(key));
        let other = DirectoryId(uuid::Uuid::from_u128(7 << 64));
        assert!(!set.is_voter(ReplicaKey { id: NodeId(1), directory_id: Some(other) }));
        assert!(set.is_voter(ReplicaKey { id: NodeId(1), directory_id: None }));
        for wrong in
            ["1", "1@h", "1@h:1", "1@h:x:AAAA", "1@h:1:AAAA", "1@[::1:1:A", "-1@h:1:A", "1@:1:A"]
        {
            assert!(VoterSet::from_dynamic(wrong, "C").is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_voter_that_moved_changes_the_set_and_keeps_its_key() {
        let set = VoterSet::from_dynamic("1@a:1:5EIy9FEKQM-dukS631KzBw", "C").unwrap();
        let key = ReplicaKey { id: NodeId(1), directory_id: None };
        let moved = Voter::new(key, "C", Endpoint { host: "b".to_owned(), port: 2 });
        let updated = set.with_updated(&moved).unwrap();
        assert_eq!(updated.0[&NodeId(1)].key, set.0[&NodeId(1)].key);
        assert_eq!(updated.with_updated(&moved), None);
    }
}
