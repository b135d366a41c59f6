//! Whatever is asked in whatever order, with crashes in between: the promises at the head of the module hold.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Init {
        goes_on: bool,
    },
    Add {
        partition: i32,
        epochs_back: i16,
    },
    End {
        commit: bool,
        epochs_back: i16,
    },
    Markers {
        outcome: MarkerOutcome,
    },
    Pass {
        time_ms: i64,
    },
    Load,
    /// The next request runs out of epochs.
    Exhaust,
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        4 => Just(MarkerOutcome::Written),
        1 => Just(MarkerOutcome::Failed),
    ];
    prop_oneof![
        2 => any::<bool>().prop_map(|goes_on| Step::Init { goes_on }),
        4 => (0..4, 0..2_i16).prop_map(|(partition, epochs_back)| Step::Add { partition, epochs_back }),
        4 => (any::<bool>(), 0..2_i16)
            .prop_map(|(commit, epochs_back)| Step::End { commit, epochs_back }),
        4 => outcome.prop_map(|outcome| Step::Markers { outcome }),
        1 => prop_oneof![Just(100), Just(70_000)].prop_map(|time_ms| Step::Pass { time_ms }),
        1 => Just(Step::Load),
        1 => Just(Step::Exhaust),
    ]
}

/// What the log has said about each producer id and epoch.
#[derive(Default)]
struct Checker {
    seen: usize,
    /// The highest epoch of each producer id.
    epochs: BTreeMap<i64, i16>,
    state: Option<TransactionState>,
}

impl Checker {
    fn check(&mut self, world: &World) {
        for (key, value) in &world.log[self.seen..] {
            let record = TransactionShard::decode(Some(key), value.as_ref()).unwrap().unwrap();
            let read = record.transaction.unwrap();
            let before = self.state.unwrap_or(TransactionState::Empty);
            assert!(read.state.may_follow(before), "from {before} to {}", read.state);
            self.state = Some(read.state);
            let highest = self.epochs.entry(read.producer_id.0).or_insert(-1);
            assert!(read.producer_epoch.0 >= *highest, "an epoch went back");
            *highest = read.producer_epoch.0;
            if read.state == TransactionState::Ongoing {
                assert!(read.producer_epoch.0 < i16::MAX, "nobody has the last epoch");
            }
        }
        self.seen = world.log.len();
        // What the shard knows is what the log says.
        assert_eq!(world.replayed(world.log.len()).hard, world.shard.hard);
    }
}

fn take(world: &mut World, step: &Step, version: i16) {
    let back = |(id, epoch): (i64, i16), epochs: i16| (id, epoch.saturating_sub(epochs));
    let known = world.shard.hard.get(ID).is_some();
    match step {
        Step::Init { goes_on } => {
            let expected = (known && *goes_on).then(|| world.current());
            let _ = world.init(expected);
        }
        Step::Add { partition, epochs_back } if known => {
            let producer = back(world.current(), *epochs_back);
            world.add(producer, &[("a", *partition)], version);
        }
        Step::End { commit, epochs_back } if known => {
            let producer = back(world.current(), *epochs_back);
            let _ = world.end(producer, *commit, version);
        }
        Step::Markers { outcome } if !world.effects.is_empty() => {
            world.write_markers(*outcome);
        }
        Step::Pass { time_ms } => world.pass(*time_ms),
        Step::Load => world.load(),
        Step::Exhaust if known && world.transaction().producer_epoch.0 < i16::MAX - 1 => {
            let last = ProducerEpoch(i16::MAX - 1);
            let exhausted = Transaction { producer_epoch: last, ..world.transaction().clone() };
            if !exhausted.state.is_prepared() {
                world.put(&exhausted);
            }
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn promises_hold(steps in prop::collection::vec(step(), 1..60), version in 0..3_i16) {
        let mut world = World::new(version);
        let mut checker = Checker::default();
        for step in &steps {
            take(&mut world, step, version);
            if matches!(step, Step::Exhaust) {
                // The test put that record there, which repeats a state.
                checker.seen = world.log.len();
                checker.state = world.shard.hard.get(ID).map(|it| it.state);
            }
            checker.check(&world);
        }
        // Each prefix of the log is a state from which what was decided is completed as it was decided.
        for count in 0..=world.log.len() {
            let mut after = World::new(version);
            after.log = world.log[..count].to_vec();
            after.now = world.now;
            after.load();
            let decided = after.shard.hard.get(ID).map(|it| it.state);
            let expected = match decided {
                Some(TransactionState::PrepareCommit) => Some(TransactionState::CompleteCommit),
                Some(TransactionState::PrepareAbort) => Some(TransactionState::CompleteAbort),
                other => other,
            };
            while !after.effects.is_empty() {
                after.write_markers(MarkerOutcome::Written);
            }
            prop_assert_eq!(after.shard.hard.get(ID).map(|it| it.state), expected);
        }
    }
}
