//! From configuration and files to the quorum's machine: who votes, who this node is, what it remembers.

use std::time::Duration;

use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::raft::machine::{Raft, RaftError, RaftStart, VotersOrigin};
use crate::kernel::raft::quorum_state::QuorumState;
use crate::kernel::raft::snapshot_retention::SnapshotLimits;
use crate::kernel::raft::view::{QuorumView, ReplicaView};
use crate::kernel::raft::voters::{Endpoint, ReplicaKey, Voter, VoterSet};
use crate::shell::drivers::metadata_log::loader::Loaded;
use crate::types::ids::{DirectoryId, NodeId};
use crate::types::offset::Offset;
use crate::types::time::Timestamp;

/// The quorum as others may see it, from its only voter. `log_end` is the end of this node's log.
pub fn view(raft: &Raft, log_end: Offset) -> QuorumView {
    let replica = |voter: &Voter| ReplicaView {
        key: voter.key,
        log_end_offset: log_end,
        last_fetch: Timestamp::NONE,
        last_caught_up: Timestamp::NONE,
        endpoints: voter.endpoints.iter().map(|(name, it)| (name.clone(), it.clone())).collect(),
    };
    QuorumView {
        leader_id: raft.leader().unwrap_or(NodeId::NONE),
        leader_epoch: raft.epoch(),
        high_watermark: raft.high_watermark().unwrap_or(Offset::UNKNOWN),
        kraft_version: raft.kraft_version(),
        voters: raft.voters().0.values().map(replica).collect(),
        observers: Vec::new(),
    }
}

/// This node as a voter.
#[derive(Clone, Debug)]
pub struct LocalVoter {
    /// The id of the directory that the metadata log lies in.
    pub directory_id: DirectoryId,
    /// The name of the first controller listener.
    pub listener: String,
    /// Where it is reached: the advertised address, with the port that it was bound to.
    pub endpoint: Endpoint,
}

/// The machine of this node's quorum. Voters in the log count more than configured ones, as in Kafka: the setting is
/// where a static quorum keeps them, and is ignored once they have moved into the log.
pub fn raft(
    config: &BrokerConfig,
    local: &LocalVoter,
    loaded: &Loaded,
    quorum_state: Option<QuorumState>,
) -> Result<Raft, RaftError> {
    let (voters, voters_origin) = match &loaded.voters {
        Some((voters, true)) => (voters.clone(), VotersOrigin::Bootstrap),
        Some((voters, false)) => (voters.clone(), VotersOrigin::Log),
        None => (configured_voters(config, &local.listener), VotersOrigin::Config),
    };
    let directory_id = Some(local.directory_id);
    let key = ReplicaKey { id: config.node_id, directory_id };
    Raft::new(RaftStart {
        local: Voter::new(key, &local.listener, local.endpoint.clone()),
        voters,
        voters_origin,
        kraft_version: loaded.kraft_version,
        quorum_state,
        last_epoch: loaded.last_epoch,
        log_end: loaded.next,
    })
}

fn configured_voters(config: &BrokerConfig, listener: &str) -> VoterSet {
    let voters = config
        .controller_quorum_voters
        .iter()
        .map(|voter| (NodeId(voter.id), Endpoint { host: voter.host.clone(), port: voter.port }));
    VoterSet::of_static(voters, listener)
}

/// When snapshots are written and removed.
pub fn snapshot_limits(config: &BrokerConfig) -> SnapshotLimits {
    let interval_ms = u64::try_from(config.metadata_log_max_snapshot_interval_ms).unwrap_or(0);
    SnapshotLimits {
        record_bytes_between_max: u64::try_from(
            config.metadata_log_max_record_bytes_between_snapshots,
        )
        .unwrap_or(u64::MAX),
        interval_max: (interval_ms > 0).then(|| Duration::from_millis(interval_ms)),
        retention_bytes: u64::try_from(config.metadata_max_retention_bytes).ok(),
        retention_ms: Some(config.metadata_max_retention_ms).filter(|ms| *ms >= 0),
    }
}

/// How long the metadata log may stay without a record; none for 0, which switches the idle records off.
pub fn idle_interval(config: &BrokerConfig) -> Option<Duration> {
    let ms = u64::try_from(config.metadata_max_idle_interval_ms).unwrap_or(0);
    (ms > 0).then(|| Duration::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::epoch::LeaderEpoch;

    const DIRECTORY: &str = "5EIy9FEKQM-dukS631KzBw";

    fn config(lines: &[(&str, &str)]) -> BrokerConfig {
        let base = [
            ("process.roles", "broker,controller"),
            ("node.id", "1"),
            ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
            ("controller.listener.names", "CONTROLLER"),
            ("log.dirs", "/data"),
        ];
        let texts = base.iter().chain(lines).map(|(key, text)| ((*key).into(), (*text).into()));
        BrokerConfig::new(&texts.collect()).unwrap()
    }

    fn local() -> LocalVoter {
        let id = crate::types::ids::uuid_from_text(DIRECTORY).unwrap();
        LocalVoter {
            directory_id: DirectoryId(id),
            listener: "CONTROLLER".to_owned(),
            endpoint: Endpoint { host: "localhost".to_owned(), port: 9093 },
        }
    }

    fn loaded(voters: Option<(VoterSet, bool)>) -> Loaded {
        Loaded {
            next: Offset(4),
            last_epoch: LeaderEpoch(1),
            last_timestamp: Timestamp(0),
            open_transaction: None,
            kraft_version: i16::from(voters.is_some()),
            voters,
        }
    }

    fn in_log(entries: &str) -> (VoterSet, bool) {
        (VoterSet::from_dynamic(entries, "CONTROLLER").unwrap(), false)
    }

    #[test]
    fn a_static_voter_needs_no_directory_and_no_record() {
        let config = config(&[("controller.quorum.voters", "1@localhost:9093")]);
        let mut raft = raft(&config, &local(), &loaded(None), None).unwrap();
        raft.elect();
        assert_eq!((raft.epoch(), raft.kraft_version()), (LeaderEpoch(2), 0));
    }

    #[test]
    fn voters_in_the_log_count_more_than_configured_ones() {
        let entry = format!("1@localhost:9093:{DIRECTORY}");
        let config = config(&[("controller.quorum.voters", "1@a:1,2@b:2,3@c:3")]);
        let raft_of = |voters| raft(&config, &local(), &loaded(voters), None);
        assert!(raft_of(Some(in_log(&entry))).is_ok());
        let several = RaftError::OtherVoters { voters: "1, 2, 3".to_owned(), local: NodeId(1) };
        assert_eq!(raft_of(None).map(|_| ()), Err(several));
        let moved = in_log("1@localhost:9093:2fA7Lfc_TdCdPvVwteyUBg");
        assert_eq!(raft_of(Some(moved)).map(|_| ()), Err(RaftError::OtherDirectory(NodeId(1))));
    }

    #[test]
    fn a_dynamic_quorum_without_voters_is_told_how_to_get_them() {
        let config = config(&[("controller.quorum.bootstrap.servers", "localhost:9093")]);
        let refused = raft(&config, &local(), &loaded(None), None).map(|_| ());
        assert_eq!(refused, Err(RaftError::NoVoters));
    }

    #[test]
    fn limits_are_off_at_zero_or_below_as_kafka_has_it() {
        let quorum = ("controller.quorum.voters", "1@localhost:9093");
        let defaults = config(&[quorum]);
        let hour = Some(Duration::from_hours(1));
        let expected = SnapshotLimits {
            record_bytes_between_max: 20 * 1024 * 1024,
            interval_max: hour,
            retention_bytes: Some(100 * 1024 * 1024),
            retention_ms: Some(7 * 24 * 3_600_000),
        };
        assert_eq!(snapshot_limits(&defaults), expected);
        assert_eq!(idle_interval(&defaults), Some(Duration::from_millis(500)));
        let off = config(&[
            quorum,
            ("metadata.log.max.snapshot.interval.ms", "0"),
            ("metadata.max.retention.bytes", "-1"),
            ("metadata.max.retention.ms", "-1"),
            ("metadata.max.idle.interval.ms", "0"),
        ]);
        let limits = snapshot_limits(&off);
        assert_eq!(limits.interval_max, None);
        assert_eq!((limits.retention_bytes, limits.retention_ms), (None, None));
        assert_eq!(idle_interval(&off), None);
    }
}
