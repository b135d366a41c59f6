//! Groups of both protocols whose members all stay: each copies what it reads into a partition that nobody else
//! writes to, with its offsets in the same transaction. Their sessions are longer than a node is ever away, so that
//! no kill is a reason for a rebalance, and each record is the base of one transaction that is committed.

use kafka_protocol::protocol::StrBytes;
use protocol_tests::history::{Action, Isolation, Outcome};

use super::consumers::{self, Consumer};
use super::link::Link;
use super::members::{Membership, committed};
use super::sight::read;
use super::transaction::{Broken, Producer, Reader};
use super::transactors::can_transact;
use super::{
    FIRST_STEADY_GROUP, SOURCES, STEADY_GROUPS, STEADY_MEMBERS, STEADY_SESSION_TIMEOUT_MS,
};

const BYTES_MAX: u64 = 32 << 10;

/// What a group is called: the first one is a classic one.
pub fn group_id(group: u32) -> String {
    format!("steady-{group}")
}

/// A member of either protocol.
enum Member {
    Classic(Membership),
    Consumer(Consumer),
}

impl Member {
    fn new(group: u32) -> Self {
        let (number, group_id) = (FIRST_STEADY_GROUP + group, group_id(group));
        if group.is_multiple_of(2) {
            Self::Classic(Membership::new(number, group_id, STEADY_SESSION_TIMEOUT_MS))
        } else {
            Self::Consumer(Consumer::new(number, group_id))
        }
    }

    /// Stays in its group, or comes back to it.
    fn heartbeat(&mut self, link: &mut Link<'_>) {
        match self {
            Self::Consumer(consumer) => consumer.heartbeat(link),
            Self::Classic(membership) => {
                if !membership.is_in || membership.heartbeat(link).is_err() {
                    membership.positions.clear();
                    membership.is_in = membership.join(link).is_ok();
                }
            }
        }
    }

    fn positions(&mut self) -> &mut Vec<(u32, i64)> {
        match self {
            Self::Classic(membership) => &mut membership.positions,
            Self::Consumer(consumer) => &mut consumer.positions,
        }
    }

    /// Its id, and the generation or epoch that it is in.
    fn identity(&self) -> (StrBytes, i32) {
        match self {
            Self::Classic(membership) => (membership.member_id.clone(), membership.generation),
            Self::Consumer(consumer) => (consumer.member_id.clone(), consumer.epoch),
        }
    }
}

struct Copier {
    number: u32,
    group: u32,
    member: Member,
    producer: Producer,
}

/// A member of one of the groups, as long as the load lasts. It does not leave: the others would be told.
pub fn run(mut link: Link<'_>, number: u32) {
    if !can_transact(&link) || !link.world.has(consumers::CONSUMER_GROUP_HEARTBEAT) {
        return link.wait();
    }
    let group = number % STEADY_GROUPS;
    link.find_coordinator(0, &group_id(group));
    let id = format!("steady-copier-{number}");
    let producer = Producer::new(&mut link, id, (number / STEADY_GROUPS).is_multiple_of(2));
    let mut member = Member::new(group);
    if let Member::Consumer(consumer) = &mut member {
        consumer.begin_life(&mut link);
    }
    let mut copier = Copier { number, group, member, producer };
    while !link.world.is_over() {
        copier.producer.begin_life(&mut link);
        copier.look_again(&mut link);
        let transactions = 1 + link.random.below(60);
        for _ in 0..transactions {
            if link.world.is_over() || copier.work(&mut link).is_err() {
                break;
            }
        }
    }
    copier.producer.begin_life(&mut link);
}

impl Copier {
    /// One thing that it does.
    fn work(&mut self, link: &mut Link<'_>) -> Result<(), Broken> {
        if link.random.once_in(4) || self.member.positions().is_empty() {
            self.member.heartbeat(link);
            let (_, generation) = self.member.identity();
            let is_whole = self.member.positions().len() == super::STEADY_SHARE;
            link.world.tell_steady(self.number, if is_whole { generation } else { -1 });
            return Ok(());
        }
        self.copy(link)
    }

    /// Where the group is, when nothing is open any more.
    fn look_again(&mut self, link: &mut Link<'_>) {
        let partitions: Vec<u32> = self.member.positions().iter().map(|(it, _)| *it).collect();
        if partitions.is_empty() {
            return;
        }
        let group = FIRST_STEADY_GROUP + self.group;
        let offsets = loop {
            if let Some(offsets) = committed(link, group, &group_id(self.group), &partitions) {
                break offsets;
            }
        };
        for (partition, position) in self.member.positions() {
            *position = offsets[partition].unwrap_or(0);
        }
    }

    fn copy(&mut self, link: &mut Link<'_>) -> Result<(), Broken> {
        let mut ahead: Vec<(u32, i64)> = self.member.positions().clone();
        // What the groups write themselves is not copied again.
        ahead.retain(|(partition, _)| *partition < SOURCES);
        let bytes_max = link.random.below(BYTES_MAX) as i32;
        if ahead.is_empty() || read(link, Isolation::Committed, bytes_max, &mut ahead).is_none() {
            link.world.pause();
            return Ok(());
        }
        let before = self.member.positions().clone();
        let is_new = |it: &(u32, i64)| !before.contains(it);
        ahead.retain(is_new);
        if ahead.is_empty() {
            return Ok(());
        }
        let transaction = self.producer.begin(link);
        let sink = SOURCES + self.number % STEADY_MEMBERS;
        self.producer.write(link, sink)?;
        let (member_id, generation) = self.member.identity();
        let (group, group_id) = (FIRST_STEADY_GROUP + self.group, group_id(self.group));
        let reader = Reader { group, group_id: &group_id, member_id, generation };
        self.producer.commit_offsets(link, &reader, &ahead)?;
        for (partition, next) in &ahead {
            let from = before.iter().find(|(it, _)| it == partition).map_or(0, |(_, at)| *at);
            let (partition, next) = (*partition, *next);
            let action = Action::Copied { group, partition, from, next, transaction };
            link.end(link.begin(), Outcome::Ok, action);
        }
        if link.random.once_in(60) {
            return Err(Broken);
        }
        let commit = !link.random.once_in(10);
        self.producer.end(link, commit)?;
        if !commit {
            self.look_again(link);
            return Ok(());
        }
        for (partition, position) in self.member.positions() {
            *position =
                ahead.iter().find(|(it, _)| it == partition).map_or(*position, |(_, at)| *at);
        }
        Ok(())
    }
}
