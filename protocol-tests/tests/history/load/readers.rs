//! Readers without a group: of all partitions, sometimes again from an earlier offset.

use protocol_tests::history::Isolation;

use super::PARTITIONS;
use super::link::Link;
use super::sight::read;

/// How much an answer may have of each partition: sometimes less than one batch, always enough for one.
const BYTES_MAX: u64 = 64 << 10;
/// How far back a reader goes: what lies there was read by then, and is still the same.
const BACK_MAX: u64 = 2000;

/// One who reads all that it is allowed to see.
pub fn run(mut link: Link<'_>, number: u32) {
    let all = [Isolation::Uncommitted, Isolation::Committed];
    let isolation = all[number as usize % all.len()];
    let mut positions: Vec<(u32, i64)> = (0..PARTITIONS).map(|partition| (partition, 0)).collect();
    while !link.world.is_over() {
        let bytes_max = link.random.below(BYTES_MAX) as i32;
        read(&mut link, isolation, bytes_max, &mut positions);
        if link.random.once_in(200) {
            let at = link.random.index(positions.len());
            let position = &mut positions[at].1;
            *position = (*position - link.random.below(BACK_MAX) as i64).max(0);
        }
    }
}
