//! ACLs come, are found, and go.

use super::*;
use crate::kernel::metadata::delta::{Delta, ReplayError};
use crate::kernel::metadata::image::Image;
use crate::kernel::metadata::snapshot::snapshot_records;
use crate::wire::records::{MetadataRecord, RemoveAccessControlEntryRecord};

fn acl(name: &str, pattern_type: PatternType, principal: &str) -> Acl {
    Acl {
        resource_type: ResourceType::TOPIC,
        resource_name: name.to_owned(),
        pattern_type,
        operation: Operation::READ,
        principal: principal.to_owned(),
        host: WILDCARD.to_owned(),
        permission: Permission::ALLOW,
    }
}

fn add(id: u128, acl: &Acl) -> MetadataRecord {
    acl.to_record(Uuid::from_u128(id)).into()
}

fn remove(id: u128) -> MetadataRecord {
    RemoveAccessControlEntryRecord { id: Uuid::from_u128(id) }.into()
}

fn replayed(records: &[MetadataRecord]) -> Result<Image, ReplayError> {
    let mut delta = Delta::new(&Image::empty());
    records.iter().try_for_each(|record| delta.replay(record))?;
    Ok(delta.image().clone())
}

fn names<'a>(rules: impl Iterator<Item = &'a Arc<Rule>>) -> Vec<&'a str> {
    rules.map(|rule| rule.acl.resource_name.as_str()).collect()
}

/// CVE-2024-27309: of several ACLs on one resource, the removal of one took others with it.
#[test]
fn one_of_three_goes_and_two_stay() {
    let three: Vec<_> = [(1, "User:a"), (2, "User:b"), (3, "User:c")]
        .map(|(id, who)| add(id, &acl("t", PatternType::LITERAL, who)))
        .into();
    let image = replayed(&[&three[..], &[remove(2)]].concat()).unwrap();
    let left: Vec<_> =
        image.acls.on(ResourceType::TOPIC, "t").map(|rule| rule.acl.principal.as_str()).collect();
    assert_eq!(left, ["User:a", "User:c"]);
    assert!(snapshot_records(&image).eq([three[0].clone(), three[2].clone()]));
    let gone = replayed(&[&three[..], &[remove(1), remove(2), remove(3)]].concat()).unwrap();
    assert_eq!(gone.acls, Arc::default());
}

#[test]
fn an_acl_that_is_not_there_cannot_go() {
    let one = add(1, &acl("t", PatternType::LITERAL, "User:a"));
    assert_eq!(replayed(&[one, remove(2)]), Err(ReplayError::NoAcl(Uuid::from_u128(2))));
}

#[test]
fn an_acl_of_the_same_id_takes_the_place_of_another() {
    let image = replayed(&[
        add(1, &acl("t", PatternType::LITERAL, "User:a")),
        add(1, &acl("u", PatternType::PREFIXED, "User:a")),
    ]);
    let acls = image.unwrap().acls;
    assert_eq!(acls.count(), 1);
    assert!(names(acls.on(ResourceType::TOPIC, "t")).is_empty());
    assert_eq!(names(acls.on(ResourceType::TOPIC, "under")), ["u"]);
}

/// Patterns and permissions that this version does not know are kept, and apply to nothing.
#[test]
fn what_is_unknown_is_kept() {
    let mut unknown = acl("t", PatternType(9), "User:a");
    unknown.permission = Permission(7);
    let record = add(1, &unknown);
    let image = replayed(std::slice::from_ref(&record)).unwrap();
    assert!(names(image.acls.on(ResourceType::TOPIC, "t")).is_empty());
    assert!(snapshot_records(&image).eq([record.clone()]));
    assert_eq!(replayed(&[record, remove(1)]).unwrap().acls, Arc::default());
}

#[test]
fn prefixes_are_found_across_what_lies_between_them() {
    let prefixes = ["a", "ab", "abba", "abc", "abd", "äb", "ä", "b"];
    let records: Vec<_> = prefixes
        .iter()
        .zip(1..)
        .map(|(name, id)| add(id, &acl(name, PatternType::PREFIXED, "User:a")))
        .collect();
    let acls = replayed(&records).unwrap().acls;
    for (name, expected) in [
        ("abcd", &["abc", "ab", "a"][..]),
        ("abb", &["ab", "a"]),
        ("abe", &["ab", "a"]),
        ("", &[]),
        ("äc", &["ä"]),
        ("äbc", &["äb", "ä"]),
        // Its second byte is not that of the other letter, and its first one is.
        ("ö", &[]),
        ("c", &[]),
    ] {
        assert_eq!(names(acls.on(ResourceType::TOPIC, name)), expected, "{name}");
    }
}

#[test]
fn filters_are_kafkas() {
    let set = [
        acl("foo", PatternType::LITERAL, "User:a"),
        acl("foo", PatternType::PREFIXED, "User:a"),
        acl("fo", PatternType::PREFIXED, "User:b"),
        acl("*", PatternType::LITERAL, "User:a"),
        acl("bar", PatternType::LITERAL, "User:a"),
    ];
    let records: Vec<_> = set.iter().zip(1..).map(|(acl, id)| add(id, acl)).collect();
    let acls = replayed(&records).unwrap().acls;
    let any = AclFilter {
        resource_type: ResourceType::ANY,
        resource_name: None,
        pattern_type: PatternType::ANY,
        principal: None,
        host: None,
        operation: Operation::ANY,
        permission: Permission::ANY,
    };
    let check = |filter: AclFilter<'_>, expected: &[u128]| {
        let mut ids: Vec<_> = acls.matching(filter).map(|rule| rule.id.as_u128()).collect();
        ids.sort_unstable();
        assert_eq!(ids, expected, "{filter:?}");
        let mut slow: Vec<_> =
            acls.iter().filter(|it| filter.matches(&it.acl)).map(|it| it.id.as_u128()).collect();
        slow.sort_unstable();
        assert_eq!(slow, expected, "{filter:?}");
    };
    let named = |pattern_type| AclFilter { resource_name: Some("foo"), pattern_type, ..any };
    check(any, &[1, 2, 3, 4, 5]);
    check(named(PatternType::ANY), &[1, 2]);
    check(named(PatternType::LITERAL), &[1]);
    check(named(PatternType::PREFIXED), &[2]);
    check(named(PatternType::MATCH), &[1, 2, 3, 4]);
    let star = AclFilter { resource_name: Some("*"), ..any };
    check(star, &[4]);
    check(AclFilter { pattern_type: PatternType::PREFIXED, ..any }, &[2, 3]);
    check(AclFilter { pattern_type: PatternType::MATCH, ..any }, &[1, 2, 3, 4, 5]);
    check(AclFilter { principal: Some("User:b"), ..any }, &[3]);
    check(AclFilter { host: Some("10.0.0.1"), ..any }, &[]);
    check(AclFilter { host: Some("*"), ..any }, &[1, 2, 3, 4, 5]);
    check(AclFilter { operation: Operation::ALL, ..any }, &[]);
    check(AclFilter { permission: Permission::DENY, ..any }, &[]);
    check(AclFilter { resource_type: ResourceType::GROUP, ..any }, &[]);
}
