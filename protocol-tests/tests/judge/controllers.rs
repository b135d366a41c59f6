//! Apache's tools with `--bootstrap-controller` (KIP-919): ours answers them as Apache's controller does.

use protocol_tests::node::Node;

use super::apache::Apache;

/// What the tools print, without what is this node's alone: ports, ids, offsets, times.
fn ask(node: &Node, tools: &Apache) -> Vec<String> {
    let (server, port) = (node.controller_address().to_string(), node.controller_address().port());
    let ask = |class: &str, arguments: &[&str]| {
        let arguments =
            arguments.iter().map(|it| if *it == "AT" { &server } else { *it }).collect::<Vec<_>>();
        tools.tool(class, &arguments).replace(&port.to_string(), "PORT")
    };
    let at = ["--bootstrap-controller", "AT"];
    let package = "org.apache.kafka.tools";
    let quorum = |what: &str| {
        let arguments = [&at[..], &["describe", what]].concat();
        ask(&format!("{package}.MetadataQuorumCommand"), &arguments)
    };
    let cluster = |what: &str| {
        let arguments = [&[what], &at[..]].concat();
        ask(&format!("{package}.ClusterTool"), &arguments)
    };
    let configs = |arguments: &[&str]| {
        let broker = ["--entity-type", "brokers", "--entity-name", "1"];
        ask("kafka.admin.ConfigCommand", &[&at[..], &broker, arguments].concat())
    };
    let features = [&at[..], &["describe"]].concat();
    let features = ask(&format!("{package}.FeatureCommand"), &features);
    let lines = |text: &str, begins: &[&str]| {
        let is_one = |line: &&str| begins.iter().any(|begin| line.starts_with(begin));
        text.lines().filter(is_one).collect::<Vec<_>>().join("\n")
    };
    let status = quorum("--status");
    let (level, _epoch) = features
        .lines()
        .find(|line| line.starts_with("Feature: metadata.version"))
        .and_then(|line| line.split_once("Epoch: "))
        .unwrap();
    vec![
        lines(&status, &["LeaderId", "MaxFollowerLag:", "CurrentVoters", "CurrentObservers"]),
        quorum("--replication").split_whitespace().count().to_string(),
        cluster("list-endpoints"),
        cluster("cluster-id").split(':').next().unwrap_or_default().to_owned(),
        level.to_owned(),
        configs(&["--alter", "--add-config", "log.cleaner.backoff.ms=14000"]),
        configs(&["--describe"]),
        configs(&["--alter", "--delete-config", "log.cleaner.backoff.ms"]),
        configs(&["--describe"]),
    ]
}

#[test]
fn tools_speak_with_our_controller_as_with_apaches() {
    let tools = Apache::of("4.3.1");
    let ours = ask(&Node::start(), &tools);
    let theirs = ask(&Node::start_broker(tools.broker()), &tools);
    assert_eq!(ours, theirs);
    assert!(ours[2].contains("controller") && ours[6].contains("log.cleaner.backoff.ms=14000"));
}
