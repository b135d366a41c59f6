//! How and when the node goes down: mostly by SIGKILL, now and then by SIGTERM; mostly at work, but also while it
//! starts, or soon after that, while it loads what it knew of groups and transactions.

use std::time::{Duration, Instant};

use protocol_tests::history::{Action, Outcome};
use protocol_tests::node::Node;
use protocol_tests::random::Random;

use super::{CLIENTS, FIRST_STEADY_GROUP, STEADY_GROUPS, World};

/// How long the next kill is put off for clients that were not served since the last one.
const SERVED_LIMIT: Duration = Duration::from_secs(80);
/// How long the groups may need whose members stay, until they are complete.
const SETTLED_LIMIT: Duration = Duration::from_mins(1);
/// How long a node may take to stop, with all that a long run has written, on a machine that is full.
const STOP_LIMIT: Duration = Duration::from_mins(1);
/// How long a node lives at most that is killed while it starts, or while it loads.
const START_MS_MAX: u64 = 10;
const LOAD_MS_MAX: u64 = 300;

/// Runs the load until there are so many operations, with so many kills at random points of it; the last one ends it.
pub fn run(
    world: &World,
    node: &mut Node,
    operations: u64,
    kills: u64,
    has_failed: &dyn Fn() -> bool,
) {
    let mut random = Random::new(world.seed);
    let check = |node: &Node| {
        assert!(!has_failed(), "a client has ended\n{}", node.program().said());
        world.pause();
    };
    settle(world, node, &check);
    let mut is_early = false;
    for round in 1..=kills + 1 {
        if is_early {
            let until = Instant::now() + Duration::from_millis(random.below(LOAD_MS_MAX));
            while Instant::now() < until {
                check(node);
            }
        } else {
            // Somewhere between this and the next one's share of the operations.
            let goal = (operations * round - random.below(operations)) / (kills + 1);
            let goal = if round == kills + 1 { operations } else { goal };
            let deadline = Instant::now() + SERVED_LIMIT;
            // A node that needs longer to load than it lives serves nobody, and is not to blame.
            while world.recorder.operations() < goal
                || !world.are_all_served() && Instant::now() < deadline
            {
                check(node);
            }
        }
        let is_last = round == kills + 1;
        is_early = !is_last && random.once_in(5);
        let begun = world.recorder.begin(CLIENTS);
        world.set_up(false);
        if random.once_in(10) {
            let status = node.stop_within(STOP_LIMIT);
            assert!(status.success(), "a node that is told to stop: {status}");
        } else {
            node.kill();
        }
        if is_last {
            world.is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        } else if random.once_in(10) {
            node.start_in_vain(Duration::from_millis(random.below(START_MS_MAX)));
        }
        node.restart();
        world.recorder.end(begun, Outcome::Ok, Action::Kill);
        world.nobody_is_served();
        world.set_up(true);
    }
}

/// Waits for the groups whose members stay: before the first kill, and each before it is called settled.
fn settle(world: &World, node: &Node, check: &dyn Fn(&Node)) {
    if !world.has(super::consumers::CONSUMER_GROUP_HEARTBEAT) {
        return;
    }
    let deadline = Instant::now() + SETTLED_LIMIT;
    for group in 0..STEADY_GROUPS {
        let begun = world.recorder.begin(CLIENTS);
        while !world.is_settled(group) {
            assert!(Instant::now() < deadline, "group {group} does not settle");
            check(node);
        }
        let group = FIRST_STEADY_GROUP + group;
        world.recorder.end(begun, Outcome::Ok, Action::Settled { group });
    }
}
