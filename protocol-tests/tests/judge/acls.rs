//! ACLs by Apache's tool, on our broker and on Apache's: it prints the same; and they go from one to the other and back
//! with the directory.

use protocol_tests::node::Node;
use protocol_tests::program::broker;

use super::apache::Apache;
use super::jvm::Jvm;

const TOOL: &str = "org.apache.kafka.tools.AclCommand";
const AUTHORIZER: &[(&str, &str)] = &[
    ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
    ("allow.everyone.if.no.acl.found", "true"),
];

/// What the tool is told, one line after the other. Once there is an ACL on the cluster, everybody needs one.
const LINES: &[&str] = &[
    "--add --allow-principal User:ANONYMOUS --operation All --cluster",
    "--add --allow-principal User:a --operation Read --topic t",
    "--add --allow-principal User:a --allow-principal User:b --operation Read --operation Write --topic t",
    "--add --deny-principal User:* --deny-host 10.0.0.1 --operation All --topic pre --resource-pattern-type prefixed",
    "--add --allow-principal User:p --producer --topic t --idempotent",
    "--add --allow-principal User:c --consumer --topic * --group g",
    "--add --allow-principal User:x --operation Describe --transactional-id x",
    "--list",
    "--list --topic t",
    "--list --topic prefix --resource-pattern-type match",
    "--list --topic pre --resource-pattern-type prefixed",
    "--list --principal User:c",
    "--list --topic none",
    "--remove --force --allow-principal User:b --operation Read --topic t",
    "--list --topic t",
    "--remove --force --topic pre --resource-pattern-type any",
    "--remove --force --group g",
    "--list",
];

/// What it prints; resources and their ACLs come in no order.
fn said(jvm: &mut Jvm, node: &Node, line: &str) -> Vec<String> {
    let server = node.address().to_string();
    let arguments: Vec<&str> =
        ["--bootstrap-server", &server].into_iter().chain(line.split(' ')).collect();
    let printed = jvm.run(TOOL, &arguments);
    let mut lines: Vec<String> = printed.lines().map(|it| it.trim().to_owned()).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn kafka_acls_prints_the_same() {
    let apache = Apache::of("4.3.1");
    let mut jvm = apache.jvm();
    let theirs = Node::start_broker_with(apache.broker(), AUTHORIZER);
    let mut ours = Node::start_with(AUTHORIZER);
    for line in LINES {
        let (expected, found) = (said(&mut jvm, &theirs, line), said(&mut jvm, &ours, line));
        assert_eq!(found, expected, "{line}");
    }
    // The directory goes to Apache's broker and comes back, and the ACLs with it.
    let all = said(&mut jvm, &ours, "--list");
    for next in [apache.broker(), broker()] {
        ours.stop();
        ours.restart_as(next);
        assert_eq!(said(&mut jvm, &ours, "--list"), all);
        let add = "--add --allow-principal User:z --operation Alter --topic z";
        said(&mut jvm, &ours, add);
        assert_eq!(said(&mut jvm, &ours, "--list --topic z").len(), 3);
        said(&mut jvm, &ours, "--remove --force --topic z");
        assert_eq!(said(&mut jvm, &ours, "--list"), all);
    }
}
