//! When all faults are over: every partition is read from its first offset to its last, by readers of both kinds,
//! and every group's offsets are asked for.

use std::time::Instant;

use protocol_tests::history::Isolation;

use super::link::Link;
use super::sight::read;
use super::{
    COMMITTERS, CONSUMER_GROUPS, FIRST_COMMITTER_GROUP, FIRST_CONSUMER_GROUP, FIRST_STEADY_GROUP,
    GROUPS, PARTITIONS, STEADY_GROUPS, STUCK_AFTER, TRANSACTORS, committers, consumers, members,
    steady, transactors,
};

/// How much an answer may have.
const BYTES_MAX: i32 = 4 << 20;

fn read_all(link: &mut Link<'_>, isolation: Isolation, partition: u32) {
    // What is still open may take its time; when that is over, the judge has seen that it did.
    let deadline = Instant::now() + STUCK_AFTER + STUCK_AFTER / 4;
    let mut position = [(partition, 0)];
    while Instant::now() < deadline {
        let Some(watermarks) = read(link, isolation, BYTES_MAX, &mut position) else { continue };
        let (high_watermark, last_stable_offset) = watermarks.first().copied().unwrap_or((-1, -1));
        if high_watermark == last_stable_offset && position[0].1 == high_watermark {
            return;
        }
    }
}

/// The last reads.
pub fn run(mut link: Link<'_>) {
    for partition in 0..PARTITIONS {
        read_all(&mut link, Isolation::Committed, partition);
        read_all(&mut link, Isolation::Uncommitted, partition);
    }
    let groups = (0..GROUPS).map(|group| (group, members::group_id(group)));
    let copiers = (0..TRANSACTORS).map(|number| (GROUPS + number, transactors::group_id(number)));
    let consumers =
        (0..CONSUMER_GROUPS).map(|it| (FIRST_CONSUMER_GROUP + it, consumers::group_id(it)));
    let steady = (0..STEADY_GROUPS).map(|it| (FIRST_STEADY_GROUP + it, steady::group_id(it)));
    let committers =
        (0..COMMITTERS).map(|it| (FIRST_COMMITTER_GROUP + it, committers::group_id(it)));
    let others = consumers.chain(steady).chain(committers);
    let groups: Vec<_> = groups.chain(copiers).chain(others).collect();
    for (group, group_id) in groups {
        if members::can_run(link.world) {
            members::committed(&mut link, group, &group_id, &(0..PARTITIONS).collect::<Vec<_>>());
        }
    }
}
