//! kcat of Debian: an old librdkafka.

use std::process::{Command, Stdio};
use std::sync::Once;

use protocol_tests::node::Node;

use super::apache::run;

fn kcat(input: &str, arguments: &[&str]) -> String {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let there = Command::new("kcat").arg("-V").output().is_ok();
        let apt_get = |arguments: &[&str]| {
            let status = Command::new("apt-get").args(arguments).stdout(Stdio::null()).status();
            status.is_ok_and(|it| it.success())
        };
        // A new machine has no list of packages yet, or an old one.
        let install = || apt_get(&["update", "-q"]) && apt_get(&["install", "-y", "-q", "kcat"]);
        assert!(there || install(), "kcat cannot be installed");
    });
    run(Command::new("kcat").args(arguments), input, &format!("kcat {arguments:?}"))
}

#[test]
fn what_goes_in_comes_out() {
    let node = Node::start();
    let server = node.address().to_string();
    let sent = super::lines(1000, ':');
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        for idempotence in ["false", "true"] {
            let topic = format!("kcat-{codec}-{idempotence}");
            let idempotence = format!("enable.idempotence={idempotence}");
            let producer =
                ["-P", "-b", &server, "-t", &topic, "-K:", "-z", codec, "-X", &idempotence];
            kcat(&sent, &producer);
            let got = kcat("", &["-C", "-b", &server, "-t", &topic, "-K:", "-e", "-q"]);
            assert!(got == sent, "{topic}: {} bytes of {}", got.len(), sent.len());
            let tail = kcat("", &["-C", "-b", &server, "-t", &topic, "-o", "-2", "-e", "-q"]);
            assert_eq!(tail, "value 998\nvalue 999\n");
        }
    }
}

#[test]
fn headers_nulls_and_metadata() {
    let node = Node::start();
    let server = node.address().to_string();
    let producer = ["-P", "-b", &server, "-t", "h", "-K:", "-Z", "-H", "a=1", "-H", "b=2"];
    kcat("k:v\n:empty key is null\nnull value:\n", &producer);
    let format = "%k|%S|%h|%o\n";
    let got = kcat("", &["-C", "-b", &server, "-t", "h", "-e", "-q", "-f", format]);
    assert_eq!(got, "k|1|a=1,b=2|0\n|17|a=1,b=2|1\nnull value|-1|a=1,b=2|2\n");
    let metadata = kcat("", &["-L", "-b", &server]);
    let broker = format!("broker 1 at {server} (controller)");
    assert!(metadata.contains(&broker), "{metadata}");
    assert!(metadata.contains("topic \"h\" with 1 partitions"), "{metadata}");
    assert!(metadata.contains("partition 0, leader 1, replicas: 1, isrs: 1"), "{metadata}");
}
