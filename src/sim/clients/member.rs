//! A member of a group: it lives as a member of the one protocol or the other, reads what it is given, commits, dies, and
//! begins anew.

use std::collections::BTreeMap;

use super::classic::Classic;
use super::consumer::Consumer;
use super::{Desk, Line, commit_topics, fetch};
use crate::kernel::groups::offsets::CommitRequest;
use crate::kernel::groups::requests::{GroupReply, owned};
use crate::sim::asks::{Answer, Ask};
use crate::sim::chance::Chance;
use crate::sim::sometimes::Sometimes;
use crate::sim::topics::{self, FIRST_OF_CLIENTS, NAMES, Place};
use crate::types::error_code::ErrorCode;

/// How long a client waits for most answers.
pub const TIMEOUT_MS: u64 = 4_000;
/// How often it shows that it is alive.
pub const HEARTBEAT_MS: u64 = 3_000;
/// How long it may take to give partitions back.
pub const REBALANCE_TIMEOUT_MS: i32 = 15_000;
/// How long a classic member may be silent.
pub const SESSION_TIMEOUT_MS: i32 = 10_000;

/// What kinds of members a group has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinds {
    /// Classic ones, which give everything back.
    Eager,
    /// Classic ones, which give back only what they must.
    Cooperative,
    /// Those of the new protocol.
    Consumer,
    /// Cooperative ones and those of the new protocol: the group goes from one protocol to the other and back.
    Mixed,
}

impl Kinds {
    /// One of them.
    pub fn draw(chance: &mut Chance) -> Self {
        let all = [Self::Eager, Self::Cooperative, Self::Consumer, Self::Mixed];
        chance.pick(&all).copied().unwrap_or(Self::Mixed)
    }
}

/// What a client is to its group.
pub enum Life {
    /// It is no member.
    Out,
    /// It speaks the classic protocol.
    Classic(Classic),
    /// It speaks the new one.
    Consumer(Consumer),
}

/// What became of an answer for a member, whatever its protocol.
pub enum Heard {
    /// All is well.
    Well,
    /// It has lost its place, and everything with it.
    Lost,
    /// It is at an end: another has its name.
    Fenced,
}

/// What a member reads: where it is in each partition. None: it has not asked yet where to begin.
#[derive(Debug, Default)]
pub struct Reading {
    positions: BTreeMap<Place, Option<i64>>,
    committed: BTreeMap<Place, i64>,
}

impl Reading {
    /// What it has.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        self.positions.keys().copied()
    }

    /// It has these from now on; of those that it had, it knows where it is.
    pub fn assign(&mut self, places: &[Place]) {
        self.positions.retain(|place, _| places.contains(place));
        self.committed.retain(|place, _| places.contains(place));
        for place in places {
            self.positions.entry(*place).or_insert(None);
        }
    }

    /// It has nothing any more.
    pub fn lose_all(&mut self) {
        self.positions.clear();
        self.committed.clear();
    }

    fn unknown(&self) -> Vec<Place> {
        let unknown = self.positions.iter().filter(|(_, it)| it.is_none());
        unknown.map(|(place, _)| *place).collect()
    }

    fn advance(&mut self, chance: &mut Chance) {
        for position in self.positions.values_mut().flatten() {
            *position += chance.below(3) as i64;
        }
    }

    fn uncommitted(&self) -> Vec<(Place, i64)> {
        let known = self.positions.iter().filter_map(|(place, it)| Some((*place, (*it)?)));
        known.filter(|(place, at)| self.committed.get(place) != Some(at)).collect()
    }
}

/// See the module.
pub struct Member {
    group: String,
    kinds: Kinds,
    name: String,
    instance: Option<String>,
    life: Life,
    line: Line,
    reading: Reading,
    subscribed: Vec<usize>,
    next_heartbeat_ms: u64,
    begins_at_ms: u64,
    commits: Vec<(Place, i64)>,
    lives: u32,
}

impl Member {
    /// One of a group.
    pub fn new(chance: &mut Chance, group: u64, at: u64, kinds: Kinds) -> Self {
        // Two clients may believe that they are the same static member.
        let instance = chance.one_in(3).then(|| format!("i{}", chance.below(3)));
        let both = vec![FIRST_OF_CLIENTS, FIRST_OF_CLIENTS + 1];
        let subscribed = if chance.one_in(3) { vec![FIRST_OF_CLIENTS] } else { both };
        Self {
            group: format!("g{group}"),
            kinds,
            name: format!("m{at}"),
            instance,
            life: Life::Out,
            line: Line::default(),
            reading: Reading::default(),
            subscribed,
            next_heartbeat_ms: 0,
            begins_at_ms: 0,
            commits: Vec::new(),
            lives: 0,
        }
    }

    /// Whether it believes to be a member, and what it has.
    pub fn is_settled(&self) -> bool {
        match &self.life {
            Life::Out => true,
            Life::Classic(it) => it.is_stable(),
            Life::Consumer(it) => it.is_stable(),
        }
    }

    /// Whether it is this member of the classic protocol, and has that partition.
    pub fn reads(&self, member_id: &str, place: Place) -> bool {
        matches!(&self.life, Life::Classic(it) if it.id() == member_id)
            && self.reading.positions.contains_key(&place)
    }

    /// How it stands, for whoever looks for a fault.
    pub fn show(&self) -> String {
        let life = match &self.life {
            Life::Out => "out".to_owned(),
            Life::Classic(it) => it.show(),
            Life::Consumer(it) => it.show(),
        };
        format!("{} of {} ({:?}): {life}", self.name, self.group, self.instance)
    }

    fn begin(&mut self, desk: &mut Desk<'_>) {
        let is_consumer = match self.kinds {
            Kinds::Eager | Kinds::Cooperative => false,
            Kinds::Consumer => true,
            Kinds::Mixed => desk.chance.one_in(2),
        };
        self.lives += 1;
        self.next_heartbeat_ms = 0;
        self.reading.lose_all();
        let instance = self.instance.clone();
        self.life = if is_consumer {
            let id = format!("{}-{}-{:08x}", self.group, self.name, desk.chance.draw() >> 32);
            let regex = desk.chance.one_in(4);
            if regex {
                desk.counters.hit(Sometimes::RegexMember);
            }
            let assignor =
                *desk.chance.pick(&[None, Some("range"), Some("uniform")]).unwrap_or(&None);
            Life::Consumer(Consumer::new(id, instance, regex, assignor))
        } else {
            let is_eager = self.kinds == Kinds::Eager;
            let version = if desk.chance.one_in(4) { 3 } else { 9 };
            Life::Classic(Classic::new(is_eager, instance, version))
        };
    }

    /// It dies without a word, and may come back.
    fn die(&mut self, desk: &mut Desk<'_>) {
        self.line.hang_up();
        self.life = Life::Out;
        self.reading.lose_all();
        let delay = if desk.chance.one_in(2) { desk.chance.between(100, 25_000) } else { 300 };
        self.begins_at_ms = desk.now_ms + delay;
        desk.wake_in(delay);
    }

    /// It has something to do.
    pub fn on_wake(&mut self, desk: &mut Desk<'_>) {
        if self.line.is_waiting(desk) {
            return;
        }
        if self.line.has_timed_out() {
            self.on_silence();
        }
        if matches!(self.life, Life::Out) {
            if desk.now_ms < self.begins_at_ms {
                let delay = self.begins_at_ms - desk.now_ms;
                desk.wake_in(delay);
                return;
            }
            self.begin(desk);
        } else if !desk.is_healed && desk.chance.one_in(60) {
            self.die(desk);
            return;
        }
        self.act(desk);
    }

    /// No answer came. What was asked is asked again; a consumer says everything then.
    const fn on_silence(&mut self) {
        if let Life::Consumer(it) = &mut self.life {
            it.on_silence();
        }
    }

    fn act(&mut self, desk: &mut Desk<'_>) {
        let is_reading = match &self.life {
            Life::Out => return,
            Life::Classic(it) => it.is_stable(),
            Life::Consumer(it) => it.epoch() > 0,
        };
        let leaves = is_reading && !desk.is_healed && desk.chance.one_in(80);
        if is_reading && !leaves && desk.now_ms < self.next_heartbeat_ms {
            self.read(desk);
            return;
        }
        self.next_heartbeat_ms = desk.now_ms + HEARTBEAT_MS;
        let (group, name) = (self.group.as_str(), self.name.as_str());
        let ask = match &mut self.life {
            Life::Out => return,
            Life::Classic(it) if leaves => it.leave(group),
            Life::Consumer(it) if leaves => it.leave(group),
            Life::Classic(it) => it.next(group, name, &self.subscribed, &self.reading, desk.image),
            Life::Consumer(it) => it.next(group, &self.subscribed, &self.reading, desk.image),
        };
        let timeout = match &ask {
            Ask::Join(_) => u64::from(REBALANCE_TIMEOUT_MS.unsigned_abs()) + 5_000,
            Ask::Sync(_) => 8_000,
            _ => TIMEOUT_MS,
        };
        self.line.ask(desk, ask, timeout);
        if leaves {
            // Whatever the answer is.
            self.die(desk);
        }
    }

    /// It asks where to begin, or reads on and commits.
    fn read(&mut self, desk: &mut Desk<'_>) {
        let unknown = self.reading.unknown();
        if !unknown.is_empty() {
            let member = match &self.life {
                Life::Consumer(it) => Some((it.id(), it.epoch())),
                _ => None,
            };
            let ask = fetch(&self.group, &unknown, member, true);
            self.line.ask(desk, ask, TIMEOUT_MS);
            return;
        }
        self.reading.advance(desk.chance);
        self.commits = self.reading.uncommitted();
        if self.commits.is_empty() || desk.chance.one_in(2) {
            let delay = self.next_heartbeat_ms.saturating_sub(desk.now_ms).clamp(1, 1_500);
            desk.wake_in(delay);
            return;
        }
        let (member_id, epoch) = match &self.life {
            Life::Out => return,
            Life::Classic(it) => (it.id(), it.generation()),
            Life::Consumer(it) => (it.id(), it.epoch()),
        };
        let is_classic = matches!(self.life, Life::Classic(_));
        let request = CommitRequest {
            group_id: owned(&self.group),
            member_id: owned(member_id),
            group_instance_id: self.instance.as_deref().filter(|_| is_classic).map(owned),
            generation_id_or_member_epoch: epoch,
            api_version: 9,
            retention_time_ms: -1,
            topics: commit_topics(&self.commits),
        };
        self.line.ask(desk, Ask::Commit(Box::new(request)), TIMEOUT_MS);
    }

    /// It is answered.
    pub fn on_answer(&mut self, desk: &mut Desk<'_>, number: u64, answer: Answer) {
        if !self.line.takes(number) {
            return;
        }
        desk.wake_in(20);
        if super::super::world::is_retriable(answer.code()) {
            self.on_silence();
            self.next_heartbeat_ms = self.next_heartbeat_ms.min(desk.now_ms + 300);
            desk.wake_at_ms = Some(desk.now_ms + 300);
            return;
        }
        let heard = match answer {
            Answer::Group(GroupReply::OffsetFetch(Ok(topics))) => {
                self.on_offsets(&topics);
                Heard::Well
            }
            Answer::Group(GroupReply::OffsetCommit(Ok(_))) => {
                desk.wake_at_ms = Some(desk.now_ms + desk.chance.between(500, 2_500));
                self.reading.committed.extend(self.commits.drain(..));
                Heard::Well
            }
            answer => {
                let heard = match &mut self.life {
                    Life::Out => Heard::Well,
                    Life::Classic(it) => it.on_answer(desk, answer, &mut self.reading),
                    Life::Consumer(it) => it.on_answer(desk, answer, &mut self.reading),
                };
                if self.has_more_to_say() {
                    self.next_heartbeat_ms = desk.now_ms;
                }
                heard
            }
        };
        match heard {
            Heard::Well => {}
            Heard::Lost => {
                self.reading.lose_all();
                self.next_heartbeat_ms = desk.now_ms;
            }
            Heard::Fenced => {
                desk.counters.hit(Sometimes::StaticFenced);
                // Whoever runs it notices, and gives it a name of its own.
                self.instance = None;
                self.die(desk);
            }
        }
    }

    fn has_more_to_say(&self) -> bool {
        match &self.life {
            Life::Out => false,
            Life::Classic(it) => !it.is_stable(),
            Life::Consumer(it) => it.has_news(),
        }
    }

    fn on_offsets(
        &mut self,
        topics: &[kafka_protocol::messages::offset_fetch_response::OffsetFetchResponseTopics],
    ) {
        for topic in topics {
            let Some(place) = topics::place_of(&topic.name) else { continue };
            for partition in &topic.partitions {
                let at = (place, partition.partition_index);
                if partition.error_code != ErrorCode::None.code() {
                    continue;
                }
                if let Some(position @ None) = self.reading.positions.get_mut(&at) {
                    *position = Some(partition.committed_offset.max(0));
                }
            }
        }
    }
}

/// All partitions of these topics, as they are.
pub fn all_places(image: &crate::kernel::metadata::image::Image, topics: &[usize]) -> Vec<Place> {
    let partitions = |topic: &usize| {
        let topic = *topic;
        (0..topics::partitions(image, topic)).map(move |at| (topic, at))
    };
    topics.iter().flat_map(partitions).collect()
}

/// The names of topics.
pub fn names(topics: &[usize]) -> Vec<String> {
    topics.iter().map(|topic| NAMES[*topic].to_owned()).collect()
}
