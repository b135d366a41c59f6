//! Row 80: no descriptors left.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use protocol_tests::connection::Connection;
use protocol_tests::node::Node;
use protocol_tests::program::is_foreign;

use super::{api_versions, assert_served};

/// Only ours: Apache's descriptors are the JVM's.
#[test]
fn without_descriptors_it_waits_and_recovers() {
    if is_foreign() {
        return;
    }
    let node = Node::start_limited(64);
    let mut held: Vec<Connection> = Vec::new();
    // Until the system's backlog is full, too.
    while let Ok(stream) = TcpStream::connect_timeout(&node.address(), Duration::from_millis(200)) {
        assert!(held.len() < 1000);
        held.push(Connection::new(stream));
    }
    // Those who came first are served.
    assert_eq!(held[0].ask(3, &api_versions()).error_code, 0);
    let cpu = cpu_ticks(&node);
    let began = Instant::now();
    // An answer once more, a quarter of a second later: nothing spins meanwhile.
    let quarter = Duration::from_millis(250);
    held[1].stream.set_read_timeout(Some(quarter)).unwrap();
    let _ = std::io::Read::read(&mut held[1].stream, &mut [0]);
    assert!(began.elapsed() >= quarter);
    assert!(cpu_ticks(&node) - cpu <= 10, "ticks of a hundredth of a second, in a quarter of one");
    drop(held);
    assert_served(&node);
}

/// User and system time of the process, in ticks.
fn cpu_ticks(node: &Node) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", node.program().id())).unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    let field = |number: usize| after_name.split(' ').nth(number).unwrap().parse::<u64>().unwrap();
    field(11) + field(12)
}
