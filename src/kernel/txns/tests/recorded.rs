//! Partitions of `__transaction_state` that were recorded: of Apache's broker and of this one, under producers who
//! commit, abort, and go away, and what Apache's left when it was killed.

use super::*;
use crate::kernel::coordinator::recorded::check_prefixes;

/// When all that was recorded is past.
const LATER: Timestamp = Timestamp(1_800_000_000_000);

fn same(one: &TransactionShard, other: &TransactionShard, what: &str) {
    assert_eq!(one.hard, other.hard, "{what}");
}

/// Whatever is decided is asked to be written, and what is open is aborted in time.
fn go_on(shard: TransactionShard) {
    let mut world = World::new(2);
    world.shard = shard;
    world.now.wall = LATER;
    let decided = world.shard.hard.iter().filter(|(_, it)| it.state.is_prepared()).count();
    let open = |world: &World| {
        let all = world.shard.hard.iter();
        all.filter(|(_, it)| it.state == TransactionState::Ongoing).count()
    };
    let was_open = open(&world);
    world.run(TransactionShard::on_loaded);
    assert_eq!(world.effects.len(), decided, "markers of what is decided");
    world.pass(600_000);
    assert_eq!(open(&world), 0, "what was open is aborted");
    assert!(world.effects.len() >= was_open, "with its markers");
}

macro_rules! check {
    ($( $name:ident $file:literal )*) => { $(
        #[test]
        fn $name() {
            let log = include_bytes!(concat!("testdata/", $file, ".log"));
            check_prefixes($file, log, same, go_on);
        }
    )* };
}

check! {
    prefixes_of_apache "apache-4.3.1-transactions-0"
    more_prefixes_of_apache "apache-4.3.1-transactions-1"
    prefixes_of_apache_that_was_killed "apache-4.3.1-killed-transactions-0"
    prefixes_of_an_older_apache_that_was_killed "apache-4.1.1-killed-transactions-0"
    prefixes_of_ours "ottla-transactions-3"
}
