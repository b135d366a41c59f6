//! The text of `quorum-state`: the epoch, the leader and the vote that a voter must not forget.
//!
//! One line of JSON. `data_version` 0 belongs to static quorums, 1 to dynamic ones (KIP-853); both are read, the one
//! of the quorum's `kraft.version` is written. Unknown fields are skipped, as Kafka's reader does not look for them.

use std::fmt::Write as _;

use super::json::{self, Value};
use super::voters::{ReplicaKey, VoterSet};
use crate::types::epoch::LeaderEpoch;
use crate::types::ids::{DirectoryId, NodeId, uuid_from_text, uuid_to_text};

/// The name of the file in the metadata log's directory.
pub const QUORUM_STATE: &str = "quorum-state";
/// No honest file is longer; a longer one is not read.
pub const QUORUM_STATE_BYTES_MAX: u64 = 64 * 1024;

/// What a voter remembers of elections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuorumState {
    /// The latest epoch it knows of.
    pub epoch: LeaderEpoch,
    /// That epoch's leader, once known.
    pub leader: Option<NodeId>,
    /// Whom it voted for in that epoch.
    pub voted: Option<ReplicaKey>,
}

impl Default for QuorumState {
    /// Before anything was written: epoch 0, no leader, no vote.
    fn default() -> Self {
        Self { epoch: LeaderEpoch(0), leader: None, voted: None }
    }
}

/// Why a text is not a quorum state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuorumStateError {
    /// Not JSON, or not an object.
    #[error("not a JSON object: {0}")]
    Json(#[from] json::JsonError),
    /// A field that is not there, or of another type.
    #[error("the field {0} is missing or malformed")]
    Field(&'static str),
    /// A later version of the file.
    #[error("data_version ({0}) is not within the min (0) and max (1) supported version")]
    Version(i64),
}

impl QuorumState {
    /// Reads the file's text.
    pub fn parse(text: &str) -> Result<Self, QuorumStateError> {
        let fields = json::parse_object(text.lines().next().unwrap_or_default())?;
        let int = |name: &'static str| match fields.get(name) {
            Some(Value::Int(value)) => Ok(*value),
            _ => Err(QuorumStateError::Field(name)),
        };
        let version = int("data_version")?;
        if !(0..=1).contains(&version) {
            return Err(QuorumStateError::Version(version));
        }
        let int32 = |name| i32::try_from(int(name)?).map_err(|_| QuorumStateError::Field(name));
        let epoch = LeaderEpoch(int32("leaderEpoch")?);
        let leader = Some(NodeId(int32("leaderId")?)).filter(|id| id.0 >= 0);
        let voted = NodeId(int32("votedId")?);
        let directory_id = match fields.get("votedDirectoryId") {
            Some(Value::Text(text)) => {
                let id = uuid_from_text(text).ok_or(QuorumStateError::Field("votedDirectoryId"))?;
                (!id.is_nil()).then_some(DirectoryId(id))
            }
            None if version == 0 => None,
            _ => return Err(QuorumStateError::Field("votedDirectoryId")),
        };
        let voted = (voted.0 >= 0).then_some(ReplicaKey { id: voted, directory_id });
        Ok(Self { epoch, leader, voted })
    }

    /// The line which Kafka writes at this `kraft.version`; version 0 names the voters.
    pub fn to_text(self, kraft_version: i16, voters: &VoterSet) -> String {
        let leader = self.leader.unwrap_or(NodeId::NONE);
        let voted = self.voted.map_or(NodeId::NONE, |voted| voted.id);
        let epoch = self.epoch.0;
        if kraft_version >= 1 {
            let directory = self.voted.and_then(|voted| voted.directory_id).unwrap_or_default();
            return format!(
                r#"{{"leaderId":{leader},"leaderEpoch":{epoch},"votedId":{voted},"votedDirectoryId":"{}","data_version":1}}"#,
                uuid_to_text(directory.0)
            );
        }
        let mut text = format!(
            r#"{{"clusterId":"","leaderId":{leader},"leaderEpoch":{epoch},"votedId":{voted},"appliedOffset":0,"currentVoters":["#
        );
        for (index, id) in voters.ids().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let _ = write!(text, r#"{comma}{{"voterId":{id}}}"#);
        }
        text.push_str(r#"],"data_version":0}"#);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::raft::voters::Endpoint;

    const VERSION_1: &str = r#"{"leaderId":1,"leaderEpoch":1,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}"#;
    const VERSION_0: &str = r#"{"clusterId":"","leaderId":-1,"leaderEpoch":7,"votedId":2,"appliedOffset":0,"currentVoters":[{"voterId":1},{"voterId":2}],"data_version":0}"#;

    #[test]
    fn what_apache_writes_is_read_and_written_alike() {
        let state = QuorumState::parse(VERSION_1).unwrap();
        assert_eq!(
            state,
            QuorumState { epoch: LeaderEpoch(1), leader: Some(NodeId(1)), voted: None }
        );
        assert_eq!(state.to_text(1, &VoterSet::default()), VERSION_1);

        let endpoint = |host: &str| Endpoint { host: host.to_owned(), port: 1 };
        let two = [(NodeId(1), endpoint("a")), (NodeId(2), endpoint("b"))];
        let voters = VoterSet::of_static(two, "C");
        let state = QuorumState::parse(VERSION_0).unwrap();
        let voted = Some(ReplicaKey { id: NodeId(2), directory_id: None });
        assert_eq!(state, QuorumState { epoch: LeaderEpoch(7), leader: None, voted });
        assert_eq!(state.to_text(0, &voters), VERSION_0);
    }

    #[test]
    fn a_vote_keeps_its_directory() {
        let text = r#"{"leaderId":-1,"leaderEpoch":2,"votedId":1,"votedDirectoryId":"J8aAPcfLQt2bqs1JT_rMgQ","data_version":1}"#;
        let state = QuorumState::parse(text).unwrap();
        assert!(state.voted.unwrap().directory_id.is_some());
        assert_eq!(state.to_text(1, &VoterSet::default()), text);
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let field = |name| Err(QuorumStateError::Field(name));
        assert_eq!(QuorumState::parse("{}"), field("data_version"));
        assert_eq!(QuorumState::parse(r#"{"data_version":2}"#), Err(QuorumStateError::Version(2)));
        assert_eq!(QuorumState::parse(r#"{"data_version":1}"#), field("leaderEpoch"));
        let text = VERSION_1.replace("AAAAAAAAAAAAAAAAAAAAAA", "AA");
        assert_eq!(QuorumState::parse(&text), field("votedDirectoryId"));
        for cut in 0..VERSION_0.len() {
            assert!(QuorumState::parse(&VERSION_0[..cut]).is_err(), "{cut}");
        }
    }
}
