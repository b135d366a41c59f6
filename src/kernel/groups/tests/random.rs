//! Random histories: whatever clients do, and whenever the node starts again, what must hold holds.

use std::collections::BTreeMap;

use super::NO_DELAY;
use crate::kernel::groups::requests::GroupReply;
use crate::kernel::groups::world::{Joiner, World, long, short, show};
use crate::kernel::machine::CallId;

const HISTORIES: u64 = 30;
const STEPS: usize = 200;
const NAMES: [&str; 3] = ["x", "y", "z"];

/// Numbers that follow from a seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let bound = of.len().max(1) as u64;
        of.get(self.below(bound) as usize)
    }
}

/// What the clients know.
struct History {
    world: World,
    numbers: Numbers,
    ids: Vec<String>,
    /// The calls that have no answer, and since when.
    waiting: BTreeMap<CallId, u64>,
    generation: i32,
    clock_ms: u64,
}

impl History {
    fn new(seed: u64) -> Self {
        let config = if seed.is_multiple_of(2) { NO_DELAY } else { &[] };
        Self {
            world: World::new(config),
            numbers: Numbers(seed),
            ids: Vec::new(),
            waiting: BTreeMap::new(),
            generation: 0,
            clock_ms: 0,
        }
    }

    fn step(&mut self) {
        let id = self.numbers.pick(&self.ids).cloned().unwrap_or_default();
        let generation = self.generation - i32::from(self.numbers.below(5) == 0);
        match self.numbers.below(14) {
            0..=1 => self.join(""),
            2..=5 => self.join(&id),
            6..=8 => self.sync(&id, generation),
            9 => {
                self.world.heartbeat(&id, generation);
            }
            10 => {
                self.world.leave(&[(&id, None)]);
            }
            11 | 12 => self.settle(),
            _ => {
                let ms = self.numbers.below(4_000);
                self.clock_ms += ms;
                self.world.pass_ms(ms);
            }
        }
        self.look();
    }

    /// All members do what they ought to.
    fn settle(&mut self) {
        let Some(group) = self.world.shard.groups().classic("g") else { return };
        let members = group.describe().members;
        let ids: Vec<String> = members.iter().map(|it| short(&it.member_id)).collect();
        for id in &ids {
            self.join(id);
            self.look();
        }
        for id in &ids {
            self.sync(id, self.generation);
            self.look();
        }
    }

    fn sync(&mut self, id: &str, generation: i32) {
        let parts: Vec<_> = self.ids.iter().map(|id| (id.as_str(), id.as_str())).collect();
        let call = self.world.sync(id, generation, &parts);
        self.waiting.insert(call, self.clock_ms);
    }

    fn join(&mut self, id: &str) {
        let instance = short(id);
        let instance = instance.split('#').next().filter(|name| NAMES.contains(name));
        let instance_id = match (id.is_empty(), self.numbers.below(3)) {
            (true, 0) => self.numbers.pick(&NAMES).copied(),
            _ => instance,
        };
        let protocols: &[(&str, &str)] = match self.numbers.below(3) {
            0 => &[("range", ""), ("sticky", "")],
            1 => &[("sticky", "")],
            _ => &[("sticky", "1"), ("range", "")],
        };
        let version = if self.numbers.below(2) == 0 { 3 } else { 9 };
        let joiner = Joiner { member_id: id, instance_id, protocols, version, ..Joiner::of("m") };
        let call = self.world.join(&joiner);
        self.waiting.insert(call, self.clock_ms);
    }

    /// Takes in the answers, and checks what must hold.
    fn look(&mut self) {
        for (call, reply) in std::mem::take(&mut self.world.replies) {
            self.waiting.remove(&call).expect("an answer to a call that waits");
            if let GroupReply::JoinGroup(response) = reply {
                let id = short(&response.member_id);
                if !id.is_empty() && !self.ids.contains(&id) {
                    self.ids.push(id);
                }
                if response.error_code == 0 {
                    assert!(response.generation_id >= self.generation, "generations rise");
                    self.generation = response.generation_id;
                }
            }
        }
        let Some(group) = self.world.shard.groups().classic("g") else { return };
        group.assert_consistent();
        for (call, since) in &self.waiting {
            let waited_ms = self.clock_ms - since;
            assert!(waited_ms <= 310_000, "{call:?} has waited for {waited_ms} ms");
        }
        assert_eq!(group.is_waiting(), !self.waiting.is_empty(), "{}", self.world.group());
    }
}

#[test]
fn a_group_stays_consistent_and_is_what_its_log_says() {
    let mut compared = 0;
    for seed in 0..HISTORIES {
        let mut history = History::new(seed);
        // What the group was when each record had been written.
        let mut written = vec!["none".to_owned()];
        for _ in 0..STEPS {
            history.step();
            let world = &history.world;
            if written.len() <= world.log.len() {
                written.resize(world.log.len() + 1, String::new());
                *written.last_mut().unwrap() = world.shard.groups().classic("g").map_or_else(
                    || "none".to_owned(),
                    |group| if group.is_settled() { world.group() } else { String::new() },
                );
            }
        }
        for (records, expected) in written.iter().enumerate().filter(|(_, it)| !it.is_empty()) {
            assert_eq!(show(&history.world.loaded(records)), *expected, "{seed}: {records}");
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
}

/// Left alone, every group comes to rest: whoever waits is answered, and who is silent goes.
#[test]
fn no_group_prepares_for_ever() {
    for seed in 0..HISTORIES {
        let mut history = History::new(seed);
        for _ in 0..STEPS {
            history.step();
        }
        history.world.pass_ms(500_000);
        history.clock_ms += 500_000;
        let group = history.world.group();
        assert!(group == "none" || group.starts_with("Empty"), "{seed}: {group}");
        history.look();
        assert_eq!(history.waiting, BTreeMap::new(), "{seed}");
    }
}

#[test]
fn a_start_at_any_time_loses_only_the_round() {
    for seed in 0..HISTORIES {
        let mut history = History::new(seed);
        for step in 0..STEPS {
            history.step();
            if step % 37 == 36 {
                history.world.restart();
                history.waiting.clear();
                history.generation = 0;
                let at_rest = history.world.shard.groups().classic("g");
                assert!(at_rest.is_none_or(|it| !it.is_waiting()));
            }
        }
        assert_eq!(long("a#1").len(), 38);
    }
}
