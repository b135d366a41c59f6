//! Each rule of Kafka's authorizer, and random sets of ACLs against a model that is slow and plain.

use std::net::{Ipv4Addr, Ipv6Addr};

use uuid::Uuid;

use super::*;
use crate::kernel::metadata::delta::Delta;
use crate::kernel::metadata::image::Image;
use crate::types::acls::CLUSTER_NAME;

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

fn authorizer(super_users: &str, allow_without_acls: &str) -> Authorizer {
    let set = [
        (AUTHORIZER_CLASS_NAME, STANDARD_AUTHORIZER),
        (SUPER_USERS, super_users),
        (ALLOW_EVERYONE_IF_NO_ACL_IS_FOUND, allow_without_acls),
    ];
    let set = set.map(|(key, text)| (key.to_owned(), text.to_owned()));
    Authorizer::of(&set.into()).unwrap().unwrap()
}

fn acls_of(acls: &[Acl]) -> Image {
    let mut delta = Delta::new(&Image::empty());
    for (index, acl) in acls.iter().enumerate() {
        delta.replay(&acl.to_record(Uuid::from_u128(index as u128 + 1)).into()).unwrap();
    }
    delta.image().clone()
}

/// `+ Read topic:foo* User:a 10.0.0.1`: a permission or a prohibition, an operation, a kind and a name, which is a
/// prefix if `~` comes first, a principal, a host.
fn acl(text: &str) -> Acl {
    let [permission, operation, resource, principal, host] =
        text.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let (kind, name) = resource.split_once(':').unwrap();
    let prefix = name.strip_prefix('~');
    Acl {
        resource_type: match kind {
            "topic" => ResourceType::TOPIC,
            "group" => ResourceType::GROUP,
            "cluster" => ResourceType::CLUSTER,
            other => panic!("{other}"),
        },
        resource_name: prefix.unwrap_or(name).to_owned(),
        pattern_type: if prefix.is_some() { PatternType::PREFIXED } else { PatternType::LITERAL },
        operation: operation_of(operation),
        principal: principal.to_owned(),
        host: host.to_owned(),
        permission: if permission == "+" { Permission::ALLOW } else { Permission::DENY },
    }
}

fn operation_of(text: &str) -> Operation {
    (2..=15).map(Operation).find(|it| it.as_str() == text).unwrap()
}

fn asked(acls: &[&str], (principal, host): (&str, IpAddr), operation: &str, topic: &str) -> bool {
    let acls: Vec<Acl> = acls.iter().map(|text| acl(text)).collect();
    let image = acls_of(&acls);
    let who = Requester { principal, host };
    let resource = (ResourceType::TOPIC, topic);
    authorizer("User:root", "").allows(&image.acls, who, operation_of(operation), resource)
}

#[test]
fn each_rule_is_kafkas() {
    let check = |acls: &[&str], operation: &str, topic: &str, expected: bool| {
        let allowed = asked(acls, ("User:a", HOST), operation, topic);
        assert_eq!(allowed, expected, "{acls:?} {operation} {topic}");
    };
    check(&[], "READ", "foo", false);
    check(&["+ READ topic:foo User:a *"], "READ", "foo", true);
    check(&["+ READ topic:foo User:a *"], "READ", "food", false);
    check(&["+ READ topic:foo User:a *"], "WRITE", "foo", false);
    check(&["+ READ topic:foo User:A *"], "READ", "foo", false);
    check(&["+ READ topic:foo Group:a *"], "READ", "foo", false);
    check(&["+ READ topic:foo User:* *"], "READ", "foo", true);
    check(&["+ READ topic:* User:a *"], "READ", "foo", true);
    check(&["+ READ topic:~f User:a *"], "READ", "foo", true);
    check(&["+ READ topic:~foo User:a *"], "READ", "foo", true);
    check(&["+ READ topic:~food User:a *"], "READ", "foo", false);
    check(&["+ READ group:foo User:a *"], "READ", "foo", false);
    check(&["+ ALL topic:foo User:a *"], "ALTER_CONFIGS", "foo", true);
    // A prefix `*` is not the wildcard.
    check(&["+ READ topic:~* User:a *"], "READ", "foo", false);
    check(&["+ READ topic:~* User:a *"], "READ", "*foo", true);
    // What forbids comes first, however it is written.
    for deny in ["foo", "~f", "*"] {
        for allow in ["foo", "~fo", "*"] {
            let deny = format!("- READ topic:{deny} User:a *");
            let allow = format!("+ READ topic:{allow} User:* *");
            check(&[&deny, &allow], "READ", "foo", false);
            check(&[&allow, &deny], "READ", "foo", false);
        }
    }
    for operation in ["READ", "WRITE", "DELETE", "ALTER"] {
        check(&[&format!("+ {operation} topic:foo User:a *")], "DESCRIBE", "foo", true);
        let forbidden = format!("- {operation} topic:foo User:a *");
        check(&[&forbidden, "+ DESCRIBE topic:foo User:a *"], "DESCRIBE", "foo", true);
    }
    for operation in ["CREATE", "ALTER_CONFIGS", "DESCRIBE_CONFIGS"] {
        check(&[&format!("+ {operation} topic:foo User:a *")], "DESCRIBE", "foo", false);
    }
    check(&["+ ALTER_CONFIGS topic:foo User:a *"], "DESCRIBE_CONFIGS", "foo", true);
    check(&["+ ALTER topic:foo User:a *"], "DESCRIBE_CONFIGS", "foo", false);
    check(&["+ DESCRIBE topic:foo User:a *"], "READ", "foo", false);
}

#[test]
fn who_is_super_is_asked_nothing() {
    let forbidden = ["- ALL topic:* User:* *"];
    assert!(asked(&forbidden, ("User:root", HOST), "READ", "foo"));
    assert!(!asked(&forbidden, ("User:Root", HOST), "READ", "foo"));
}

#[test]
fn hosts_are_compared_as_java_writes_them() {
    let check = |host: &str, from: IpAddr, expected: bool| {
        let allowed =
            asked(&[&format!("+ READ topic:foo User:a {host}")], ("User:a", from), "READ", "foo");
        assert_eq!(allowed, expected, "{host} {from}");
    };
    let mapped = IpAddr::V6(Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped());
    check("10.0.0.1", HOST, true);
    check("10.0.0.1", mapped, true);
    check("10.0.0.2", HOST, false);
    check("10.0.0", HOST, false);
    let loopback = IpAddr::V6(Ipv6Addr::LOCALHOST);
    check("0:0:0:0:0:0:0:1", loopback, true);
    check("::1", loopback, false);
    check("localhost", loopback, false);
    check("::ffff:10.0.0.1", mapped, false);
    let long = "2001:db8:0:0:0:0:a:1";
    check(long, long.parse().unwrap(), true);
}

/// KIP-11: a setting decides only where no ACL is on the resource, whoever that is for.
#[test]
fn without_any_acl_a_setting_decides() {
    let check = |acls: &[&str], topic: &str, expected: bool| {
        let acls: Vec<Acl> = acls.iter().map(|text| acl(text)).collect();
        let who = Requester { principal: "User:a", host: HOST };
        let allowed = authorizer("", " True ").allows(
            &acls_of(&acls).acls,
            who,
            Operation::READ,
            (ResourceType::TOPIC, topic),
        );
        assert_eq!(allowed, expected, "{acls:?} {topic}");
    };
    check(&[], "foo", true);
    check(&["+ READ topic:bar User:b *"], "foo", true);
    check(&["+ READ topic:foo User:b *"], "foo", false);
    check(&["+ READ topic:~f User:b *"], "foo", false);
    check(&["- WRITE topic:* User:b 1.1.1.1"], "foo", false);
    check(&["+ READ group:foo User:b *"], "foo", true);
}

/// InitProducerId asks this. Each line is one of Kafka's own cases.
#[test]
fn some_resource_of_a_kind() {
    let check = |acls: &[&str], expected: bool| {
        let acls: Vec<Acl> = acls.iter().map(|text| acl(text)).collect();
        let who = Requester { principal: "User:a", host: HOST };
        let image = acls_of(&acls);
        let authorizer = authorizer("", "");
        let kind = ResourceType::TOPIC;
        let allowed = authorizer.allows_any(&image.acls, who, Operation::WRITE, kind);
        assert_eq!(allowed, expected, "{acls:?}");
    };
    check(&[], false);
    check(&["+ WRITE topic:foo User:a *"], true);
    check(&["+ ALL topic:~f User:* 10.0.0.1"], true);
    check(&["+ READ topic:foo User:a *"], false);
    check(&["+ WRITE group:foo User:a *"], false);
    check(&["+ WRITE topic:foo User:b *"], false);
    check(&["+ WRITE topic:foo User:a 10.0.0.2"], false);
    check(&["+ WRITE topic:* User:a *", "- WRITE topic:foo User:a *"], true);
    check(&["+ WRITE topic:foo User:a *", "- WRITE topic:* User:a *"], false);
    check(&["+ WRITE topic:foo User:a *", "- WRITE topic:foo User:a *"], false);
    check(&["+ WRITE topic:foo User:a *", "- WRITE topic:~f User:a *"], false);
    check(&["+ WRITE topic:foo User:a *", "- WRITE topic:~fooo User:a *"], true);
    check(&["+ WRITE topic:~foo User:a *", "- WRITE topic:foo User:a *"], true);
    check(&["+ WRITE topic:~foo User:a *", "- ALL topic:~foo User:* *"], false);
    check(
        &["+ WRITE topic:foo User:a *", "+ WRITE topic:b User:a *", "- WRITE topic:foo User:a *"],
        true,
    );
}

#[test]
fn permitted_operations_are_bits() {
    let bits_of = |acls: &[&str], resource: (ResourceType, &str)| {
        let acls: Vec<Acl> = acls.iter().map(|text| acl(text)).collect();
        let who = Requester { principal: "User:a", host: HOST };
        authorizer("User:root", "").operations(&acls_of(&acls).acls, who, resource)
    };
    let topic = (ResourceType::TOPIC, "foo");
    assert_eq!(bits_of(&[], topic), 0);
    assert_eq!(bits_of(&["+ READ topic:foo User:a *"], topic), 1 << 3 | 1 << 8);
    assert_eq!(bits_of(&["+ ALL topic:foo User:a *"], topic), 3576);
    let cluster = (ResourceType::CLUSTER, CLUSTER_NAME);
    assert_eq!(bits_of(&["+ ALL cluster:kafka-cluster User:a *"], cluster), 8096);
    let group = ["+ ALL group:foo User:a *", "- DELETE group:foo User:a *"];
    assert_eq!(bits_of(&group, (ResourceType::GROUP, "foo")), 1 << 3 | 1 << 8 | 1 << 10 | 1 << 11);
}

#[test]
fn what_a_configuration_asks_for() {
    let of = |set: &[(&str, &str)]| {
        let set = set.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
        Authorizer::of(&set.collect())
    };
    assert_eq!(of(&[]), Ok(None));
    assert_eq!(of(&[(AUTHORIZER_CLASS_NAME, " "), (SUPER_USERS, "nobody")]), Ok(None));
    let standard = (AUTHORIZER_CLASS_NAME, STANDARD_AUTHORIZER);
    let users = of(&[standard, (SUPER_USERS, " User:a ;;User:CN=b,O=c; ")]).unwrap().unwrap();
    assert_eq!(Vec::from_iter(users.super_users), ["User:CN=b,O=c", "User:a"]);
    assert!(!users.allow_without_acls);
    let wrong = of(&[standard, (SUPER_USERS, "User:a;b")]).unwrap_err();
    assert_eq!(wrong.key.as_deref(), Some(SUPER_USERS));
    let other = of(&[(AUTHORIZER_CLASS_NAME, "kafka.security.authorizer.AclAuthorizer")]);
    assert_eq!(other.unwrap_err().key.as_deref(), Some(AUTHORIZER_CLASS_NAME));
}

/// Numbers that look random.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }
}

/// Names of few letters, so that they are often beginnings of one another; one letter is of two bytes.
fn name(dice: &mut Dice) -> String {
    let length = 1 + dice.below(5);
    let name = (0..length).map(|_| dice.of(&['a', 'b', 'ß', 'ä'])).collect();
    if dice.below(12) == 0 { WILDCARD.to_owned() } else { name }
}

fn any_acl(dice: &mut Dice) -> Acl {
    Acl {
        resource_type: dice.of(&[ResourceType::TOPIC, ResourceType::GROUP]),
        resource_name: name(dice),
        pattern_type: dice.of(&[PatternType::LITERAL, PatternType::PREFIXED]),
        operation: Operation(2 + dice.below(10) as i8),
        principal: dice.of(&["User:a", "User:b", "User:*"]).to_owned(),
        host: dice.of(&["*", "*", "10.0.0.1", "10.0.0.2"]).to_owned(),
        permission: dice.of(&[Permission::ALLOW, Permission::ALLOW, Permission::DENY]),
    }
}

/// What Kafka's documentation says, of all ACLs one after the other.
fn model(acls: &[Acl], operation: Operation, kind: ResourceType, name: &str, allow: bool) -> bool {
    let on = |acl: &&Acl| {
        acl.resource_type == kind
            && match acl.pattern_type {
                PatternType::LITERAL => acl.resource_name == name || acl.resource_name == "*",
                _ => name.starts_with(&acl.resource_name),
            }
    };
    let own = |acl: &&Acl| {
        (acl.principal == "User:a" || acl.principal == "User:*")
            && (acl.host == "*" || acl.host == "10.0.0.1")
    };
    let on: Vec<&Acl> = acls.iter().filter(on).collect();
    if on.is_empty() {
        return allow;
    }
    let has = |permission: Permission, operations: &[i8]| {
        let mut own = on.iter().copied().filter(own);
        own.any(|acl| acl.permission == permission && operations.contains(&acl.operation.0))
    };
    let permitting: &[i8] = match operation.0 {
        8 => &[2, 8, 3, 4, 6, 7],
        10 => &[2, 10, 11],
        other => &[2, other],
    };
    !has(Permission::DENY, &[2, operation.0]) && has(Permission::ALLOW, permitting)
}

#[test]
fn random_acls_decide_as_a_plain_model_does() {
    let mut dice = Dice(0x5eed_ac15);
    let (mut allowed, mut forbidden) = (0, 0);
    for _ in 0..300 {
        let count = dice.below(30);
        let mut acls: Vec<Acl> = (0..count).map(|_| any_acl(&mut dice)).collect();
        let mut delta = Delta::new(&acls_of(&acls));
        // Some go again.
        for index in (0..acls.len()).rev().filter(|index| index % 3 == 0) {
            let id = Uuid::from_u128(index as u128 + 1);
            let record = crate::wire::records::RemoveAccessControlEntryRecord { id };
            delta.replay(&record.into()).unwrap();
            acls.remove(index);
        }
        let set = &delta.image().acls;
        assert_eq!(set.count(), acls.len());
        let allow = dice.below(2) == 0;
        let authorizer = authorizer("", if allow { "true" } else { "false" });
        let who = Requester { principal: "User:a", host: HOST };
        for _ in 0..40 {
            let operation = Operation(3 + dice.below(9) as i8);
            let kind = dice.of(&[ResourceType::TOPIC, ResourceType::GROUP]);
            let name = name(&mut dice);
            let expected = model(&acls, operation, kind, &name, allow);
            let is_allowed = authorizer.allows(set, who, operation, (kind, &name));
            assert_eq!(is_allowed, expected, "{operation} {kind} {name}: {acls:?}");
            if expected { allowed += 1 } else { forbidden += 1 }
        }
    }
    assert!(allowed > 2000 && forbidden > 2000, "{allowed} {forbidden}");
}
