//! What consumers say of themselves, as far as the coordinator reads it: the topics that they subscribe to.
//!
//! It is the client's business and may be anything; version 0 is the beginning of every version that is known, and of
//! those that come.

use std::collections::BTreeSet;

use bytes::{Buf, Bytes};
use kafka_protocol::protocol::StrBytes;

use super::group::ClassicGroup;
use crate::kernel::groups::requests::owned;

/// The topics that the members subscribe to. None if it cannot be known: the members are not consumers, or one says
/// what cannot be read.
pub(super) fn subscribed_topics(group: &ClassicGroup) -> Option<BTreeSet<StrBytes>> {
    if !group.has_consumers() {
        return None;
    }
    if group.members.is_empty() {
        return Some(BTreeSet::new());
    }
    let protocol = group.protocol_name.as_ref()?;
    let mut topics = BTreeSet::new();
    for member in group.members.values() {
        read_topics(member.metadata(protocol), &mut topics)?;
    }
    Some(topics)
}

/// A version (16 bits, any but a negative one), and a list of topics.
fn read_topics(mut metadata: Bytes, topics: &mut BTreeSet<StrBytes>) -> Option<()> {
    if metadata.try_get_i16().ok()? < 0 {
        return None;
    }
    let count = metadata.try_get_i32().ok()?;
    for _ in 0..usize::try_from(count).ok()? {
        let length = usize::try_from(metadata.try_get_i16().ok()?).ok()?;
        let name = metadata.get(..length)?;
        let name = std::str::from_utf8(name).ok()?;
        if !topics.contains(name.as_bytes()) {
            topics.insert(owned(name));
        }
        metadata.advance(length);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_as_far_as_they_are_there() {
        let check = |metadata: &'static [u8], expected: Option<&[&str]>| {
            let mut topics = BTreeSet::new();
            let read = read_topics(Bytes::from_static(metadata), &mut topics);
            let names: Vec<&str> = topics.iter().map(StrBytes::as_str).collect();
            assert_eq!(read.map(|()| names.as_slice()), expected, "{metadata:?}");
        };
        check(b"", None);
        check(b"\0\0", None);
        check(b"\0\0\0\0\0\0", Some(&[]));
        check(b"\0\0\0\0\0\x02\0\x01b\0\x01a\0\0\0\0", Some(&["a", "b"]));
        check(b"\0\x03\0\0\0\x01\0\x01a and what version 3 has", Some(&["a"]));
        check(b"\0\x09\0\0\0\x01\0\x01a", Some(&["a"]));
        check(b"\xff\xff\0\0\0\x01\0\x01a", None);
        check(b"\0\0\0\0\0\x02\0\x01a", None);
        check(b"\0\0\0\0\0\x01\0\x09a", None);
        check(b"\0\0\xff\xff\xff\xff", None);
        check(b"\0\0\x7f\xff\xff\xff", None);
        check(b"\0\0\0\0\0\x01\0\x01\xff", None);
    }
}
