//! Who makes transactions: some batches and some offsets of a group, then a commit or an abort; sometimes nothing
//! any more. Half of them speak as clients do since KIP-890.

use kafka_protocol::protocol::StrBytes;

use super::link::Link;
use super::members::{can_run, committed};
use super::transaction::{Broken, Producer, Reader};
use super::{GROUPS, PARTITIONS, SOURCES};

const END_TXN: i16 = 26;
const TXN_OFFSET_COMMIT: i16 = 28;

/// The group whose offsets a transactor commits.
pub fn group_id(number: u32) -> String {
    format!("copier-{number}")
}

/// Whether the node has transactions.
pub fn can_transact(link: &Link<'_>) -> bool {
    link.world.has(END_TXN) && link.world.has(TXN_OFFSET_COMMIT) && can_run(link.world)
}

struct Transactor {
    producer: Producer,
    group: u32,
    group_id: String,
    /// Offsets that were never tried before, for each partition.
    next_offsets: [i64; PARTITIONS as usize],
}

/// One who makes transactions as long as the load lasts.
pub fn run(mut link: Link<'_>, number: u32) {
    if !can_transact(&link) {
        return link.wait();
    }
    let id = format!("transactor-{number}");
    let producer = Producer::new(&mut link, id, number.is_multiple_of(2));
    let group_id = group_id(number);
    link.find_coordinator(0, &group_id);
    let group = GROUPS + number;
    let next_offsets = [1; PARTITIONS as usize];
    let mut transactor = Transactor { producer, group, group_id, next_offsets };
    while !link.world.is_over() {
        transactor.producer.begin_life(&mut link);
        let transactions = 1 + link.random.below(40);
        for _ in 0..transactions {
            if link.world.is_over() || transactor.transact(&mut link).is_err() {
                break;
            }
        }
    }
    // What the last transaction left open is over with the next life.
    transactor.producer.begin_life(&mut link);
}

impl Transactor {
    fn transact(&mut self, link: &mut Link<'_>) -> Result<(), Broken> {
        self.producer.begin(link);
        for _ in 0..=link.random.below(4) {
            let partition = link.random.below(SOURCES.into()) as u32;
            self.producer.write(link, partition)?;
        }
        if link.random.once_in(3) {
            self.commit_offsets(link)?;
        }
        if link.random.once_in(40) {
            // It is left as it is.
            return Err(Broken);
        }
        let commit = !link.random.once_in(8);
        self.producer.end(link, commit)?;
        if link.random.once_in(8) {
            let partition = link.random.below(PARTITIONS.into()) as u32;
            committed(link, self.group, &self.group_id, &[partition]);
        }
        Ok(())
    }

    fn commit_offsets(&mut self, link: &mut Link<'_>) -> Result<(), Broken> {
        let partition = link.random.below(PARTITIONS.into()) as u32;
        let next = &mut self.next_offsets[partition as usize];
        let offset = *next;
        *next += 1 + link.random.below(10) as i64;
        let Self { group, group_id, .. } = self;
        let (member_id, generation) = (StrBytes::default(), -1);
        let reader = Reader { group: *group, group_id, member_id, generation };
        self.producer.commit_offsets(link, &reader, &[(partition, offset)])
    }
}
