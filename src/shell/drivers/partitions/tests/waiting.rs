//! Who waits is woken, by what concerns it.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;

fn is_woken(waiter: &Waiter) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    pin!(waiter.woken()).poll(&mut context) == Poll::Ready(())
}

#[test]
fn appends_wake_those_who_have_enough_then() {
    let mut node = Node::with_topic();
    node.create("b", 2, 1);
    let size_bytes = record(0).bytes.len() as u64;
    let (one, two) = (Arc::new(Waiter::new(1)), Arc::new(Waiter::new(size_bytes * 2)));
    for waiter in [&one, &two] {
        node.partition(1).watch(waiter, Offset(0));
        node.partition(2).watch(waiter, Offset(0));
    }
    node.append(1);
    assert!(is_woken(&one));
    assert!(!is_woken(&two));
    node.append(2);
    assert!(is_woken(&two));
}

#[test]
fn a_partition_without_waiters_has_an_empty_list() {
    let node = Node::with_topic();
    let partition = node.partition(1);
    let waiter = Arc::new(Waiter::new(1));
    partition.watch(&waiter, Offset(0));
    node.append(1);
    assert!(is_woken(&waiter));
    node.append(1);
    assert!(!is_woken(&waiter), "it is not in the list any more");
}

#[test]
fn a_reader_of_committed_records_sleeps_through_a_transaction() {
    let node = Node::with_topic();
    let partition = node.partition(1);
    let waiter = Arc::new(Waiter::of(Isolation::LastStable, 1));
    partition.watch(&waiter, Offset(0));
    partition.append(&transactional(0), -1, node.now).unwrap();
    node.append(1);
    assert!(!is_woken(&waiter));
    let marker = marker(ControlType::Commit);
    partition.append_from(&marker, Origin::COORDINATOR, -1, node.now).unwrap();
    assert!(is_woken(&waiter));
}

#[test]
fn another_leader_a_deletion_and_a_failure_wake_everyone() {
    let mut node = Node::with_topic();
    let watched = |node: &Node| {
        let waiter = Arc::new(Waiter::new(u64::MAX));
        node.partition(1).watch(&waiter, Offset(100));
        waiter
    };
    let waiter = watched(&node);
    node.change(1, registration(0));
    assert!(!is_woken(&waiter), "nothing changed");
    node.change(1, registration(1));
    assert!(is_woken(&waiter));

    let waiter = watched(&node);
    let partition = node.partition(1);
    node.delete(1);
    assert!(is_woken(&waiter));
    let error = partition.read(&spec(0)).unwrap_err();
    assert_eq!(error, ErrorCode::UnknownTopicOrPartition);

    node.create("a", 3, 1);
    let waiter = Arc::new(Waiter::new(u64::MAX));
    node.partition(3).watch(&waiter, Offset(0));
    node.partitions.directories()[0].fail("test", &"failure");
    node.partitions.on_time(node.now);
    assert!(is_woken(&waiter));
}
