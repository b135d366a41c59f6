//! Who commits offsets without being a member of a group, as tools and those do who assign partitions themselves.

use kafka_protocol::messages::OffsetCommitRequest;

use super::link::{Link, error};
use super::members::{can_run, commit, committed, group_name};
use super::{FIRST_COMMITTER_GROUP, PARTITIONS};

/// The group of a committer.
pub fn group_id(number: u32) -> String {
    format!("committer-{number}")
}

/// One who commits what is next, and asks for it, as long as the load lasts.
pub fn run(mut link: Link<'_>, number: u32) {
    if !can_run(link.world) {
        return link.wait();
    }
    let (group, group_id) = (FIRST_COMMITTER_GROUP + number, group_id(number));
    link.find_coordinator(0, &group_id);
    let mut positions: Vec<(u32, i64)> = (0..PARTITIONS).map(|it| (it, 0)).collect();
    while !link.world.is_over() {
        for (_, offset) in &mut positions {
            *offset += link.random.below(5) as i64;
        }
        let request = OffsetCommitRequest::default()
            .with_group_id(group_name(&group_id))
            .with_generation_id_or_member_epoch(-1);
        let refused = commit(&mut link, group, request, 8, &positions);
        let is_away = refused.is_none_or(error::is_coordinator_away);
        assert!(is_away, "{group_id}: {refused:?}");
        if link.random.once_in(10) {
            let partition = link.random.below(PARTITIONS.into()) as u32;
            committed(&mut link, group, &group_id, &[partition]);
        }
    }
}
