//! Dialogues with the machine: what it is told on the left of `=>`, what it asks for on the right.

use std::fmt::Write as _;

use bytes::Bytes;

use super::control::ControlRecord;
use super::machine::{Effect, Raft, RaftError, RaftStart, VotersOrigin};
use super::quorum_state::QuorumState;
use super::voters::{Endpoint, ReplicaKey, VoterSet};
use crate::types::epoch::LeaderEpoch;
use crate::types::ids::NodeId;
use crate::types::offset::Offset;

const DIRECTORY: &str = "5EIy9FEKQM-dukS631KzBw";
const OTHER_DIRECTORY: &str = "2fA7Lfc_TdCdPvVwteyUBg";

fn static_voters(ids: &[i32]) -> VoterSet {
    let endpoint = Endpoint { host: "localhost".to_owned(), port: 9093 };
    VoterSet::of_static(ids.iter().map(|id| (NodeId(*id), endpoint.clone())), "CONTROLLER")
}

/// Node 1 of a static quorum, on an empty log.
fn fresh() -> RaftStart {
    let voters = static_voters(&[1]);
    RaftStart {
        local: voters.0[&NodeId(1)].clone(),
        voters,
        voters_origin: VotersOrigin::Config,
        kraft_version: 0,
        quorum_state: None,
        last_epoch: LeaderEpoch(0),
        log_end: Offset(0),
    }
}

/// Node 1 of a dynamic quorum, as `format --standalone` leaves it.
fn standalone() -> RaftStart {
    let text = format!("1@localhost:9093:{DIRECTORY}");
    let voters = VoterSet::from_dynamic(&text, "CONTROLLER").unwrap();
    RaftStart {
        local: voters.0[&NodeId(1)].clone(),
        voters,
        voters_origin: VotersOrigin::Bootstrap,
        kraft_version: 1,
        ..fresh()
    }
}

fn state(epoch: i32, leader: Option<i32>, voted: Option<i32>) -> QuorumState {
    let voted = voted.map(|id| ReplicaKey { id: NodeId(id), directory_id: None });
    QuorumState { epoch: LeaderEpoch(epoch), leader: leader.map(NodeId), voted }
}

fn line(effect: &Effect) -> String {
    match effect {
        Effect::PersistQuorumState { state, kraft_version } => {
            let leader = state.leader.unwrap_or(NodeId::NONE);
            format!("persist v{kraft_version} epoch {} leader {leader}", state.epoch.0)
        }
        Effect::AppendControl { epoch, records } => {
            let mut text = format!("append epoch {}:", epoch.0);
            for record in records {
                let _ = match record {
                    ControlRecord::LeaderChange { leader, voters, granting } => {
                        write!(
                            text,
                            " leader-change {leader} of {} by {}",
                            voters.len(),
                            granting.len()
                        )
                    }
                    ControlRecord::KRaftVersion(level) => write!(text, " kraft.version {level}"),
                    ControlRecord::Voters(voters) => {
                        let endpoint = &voters.0[&NodeId(1)].endpoints[0].1;
                        write!(text, " voters {voters} at {}:{}", endpoint.host, endpoint.port)
                    }
                    other => write!(text, " {other:?}"),
                };
            }
            text
        }
        Effect::Append { epoch, batch } => {
            format!("append epoch {}: {} bytes", epoch.0, batch.len())
        }
        Effect::Flush => "flush".to_owned(),
        Effect::Committed(offset) => format!("committed {offset}"),
    }
}

/// Plays the words of `script` against the machine and writes down each answer.
fn check(start: RaftStart, script: &str) {
    let mut raft = Raft::new(start).unwrap();
    let mut played = String::new();
    for step in script.trim().lines() {
        let told = step.split("=>").next().unwrap().trim();
        let effects: Vec<Effect> = match told.split_once(' ') {
            Some(("flushed", end)) => {
                raft.on_flushed(Offset(end.parse().unwrap())).into_iter().collect()
            }
            Some(("propose", bytes)) => {
                let batch = Bytes::from(vec![0; bytes.parse().unwrap()]);
                raft.propose(vec![batch]).unwrap_or_default()
            }
            None if told == "elect" => raft.elect(),
            None if told == "resign" => {
                raft.resign();
                Vec::new()
            }
            _ => panic!("no such step: {told}"),
        };
        let mut asked = effects.iter().map(line).collect::<Vec<_>>().join("; ");
        if asked.is_empty() {
            "nothing".clone_into(&mut asked);
        }
        let _ = writeln!(played, "{told} => {asked}");
    }
    let expected: String = script.trim().lines().fold(String::new(), |mut text, step| {
        let _ = writeln!(text, "{}", step.trim());
        text
    });
    assert_eq!(played, expected);
}

#[test]
fn the_only_voter_elects_itself_and_commits_what_it_flushed() {
    check(
        fresh(),
        "elect => persist v0 epoch 1 leader 1; append epoch 1: leader-change 1 of 1 by 1; flush
         flushed 1 => committed 1
         propose 90 => append epoch 1: 90 bytes; flush
         flushed 4 => committed 4
         flushed 4 => nothing
         elect => nothing
         resign => nothing
         propose 90 => nothing
         flushed 5 => nothing",
    );
}

#[test]
fn the_first_leader_of_a_dynamic_quorum_copies_its_voters_into_the_log() {
    check(
        standalone(),
        "elect => persist v1 epoch 1 leader 1; append epoch 1: leader-change 1 of 1 by 1 kraft.version 1 voters 1 at localhost:9093; flush
         flushed 3 => committed 3",
    );
}

#[test]
fn voters_in_the_log_are_written_again_only_when_this_node_moved() {
    let stayed = RaftStart { voters_origin: VotersOrigin::Log, ..standalone() };
    check(
        stayed.clone(),
        "elect => persist v1 epoch 1 leader 1; append epoch 1: leader-change 1 of 1 by 1; flush",
    );
    let mut moved = stayed;
    moved.local.endpoints[0].1.port = 19093;
    check(
        moved,
        "elect => persist v1 epoch 1 leader 1; append epoch 1: leader-change 1 of 1 by 1 kraft.version 1 voters 1 at localhost:19093; flush",
    );
}

#[test]
fn no_epoch_is_used_twice() {
    // What the file and the log remember, and the epoch that must follow.
    let cases = [
        (Some(state(4, Some(1), None)), 4, 5, "it led the epoch"),
        (Some(state(4, None, Some(1))), 3, 5, "it had voted for itself"),
        (Some(state(4, None, Some(2))), 4, 5, "it had voted for another"),
        (Some(state(4, Some(2), None)), 4, 5, "another led"),
        (Some(state(4, None, None)), 7, 8, "the file is older than the log"),
        (None, 1, 2, "no file beside a hand-written log"),
        (None, 0, 1, "nothing at all"),
    ];
    for (quorum_state, last_epoch, expected, case) in cases {
        let last_epoch = LeaderEpoch(last_epoch);
        let mut raft = Raft::new(RaftStart { quorum_state, last_epoch, ..fresh() }).unwrap();
        assert_eq!(raft.leader(), None, "{case}");
        raft.elect();
        assert_eq!(raft.epoch(), LeaderEpoch(expected), "{case}");
        assert_eq!(raft.leader(), Some(NodeId(1)), "{case}");
    }
}

#[test]
fn the_high_watermark_waits_for_the_epochs_own_record() {
    let start = RaftStart { log_end: Offset(40), last_epoch: LeaderEpoch(3), ..fresh() };
    check(
        start,
        "elect => persist v0 epoch 4 leader 1; append epoch 4: leader-change 1 of 1 by 1; flush
         flushed 40 => nothing
         flushed 41 => committed 41",
    );
}

#[test]
fn a_quorum_of_others_is_refused_by_name() {
    let with = |ids: &[i32]| RaftStart { voters: static_voters(ids), ..fresh() };
    let refused = |start| Raft::new(start).map(|_| ()).unwrap_err();
    let others =
        |voters: &str| RaftError::OtherVoters { voters: voters.to_owned(), local: NodeId(1) };
    assert_eq!(refused(with(&[1, 2, 3])), others("1, 2, 3"));
    assert_eq!(refused(with(&[2])), others("2"));
    assert_eq!(refused(with(&[])), RaftError::NoVoters);
    assert_eq!(refused(RaftStart { kraft_version: 2, ..fresh() }), RaftError::KRaftVersion(2));

    let mut other_disk = standalone();
    let text = format!("1@localhost:9093:{OTHER_DIRECTORY}");
    other_disk.voters = VoterSet::from_dynamic(&text, "CONTROLLER").unwrap();
    assert_eq!(refused(other_disk), RaftError::OtherDirectory(NodeId(1)));
}
