//! Rows 12 to 19: bodies whose counts, lengths, nulls and tags lie.

use kafka_protocol::messages::MetadataRequest;
use protocol_tests::connection::{Outcome, frame_of, header_of};
use protocol_tests::fields::Writer;
use protocol_tests::node::Node;
use protocol_tests::program::is_foreign;

use super::{api_versions, assert_frame_closed, assert_growth_below, assert_served};

/// Keys whose body begins with an array, at a version with int32 counts and at one with compact counts.
const ARRAYS_FIRST: [(i16, i16, i16); 4] = [(3, 1, 12), (19, 2, 7), (20, 1, 5), (32, 1, 4)];

/// The largest unsigned varint of 32 bits.
const U32_MAX: u64 = 0xffff_ffff;

/// 12
#[test]
fn a_header_with_more_tags_than_bytes_closes() {
    let node = Node::start();
    assert_growth_below(&node, 8, || {
        for count in [1, 100, U32_MAX] {
            let header = header_of(3, 12, 1, false).uvarint(count).0;
            assert_frame_closed(&node, &header);
        }
    });
}

/// 12: only ours, which needs a bound because it does not have Apache's heap.
#[test]
fn a_header_of_twenty_million_empty_tags_closes() {
    if is_foreign() {
        return;
    }
    let node = Node::start();
    // The frame itself is 40 MB.
    assert_growth_below(&node, 100, || {
        let header = header_of(3, 12, 1, false).uvarint(20_000_000);
        let mut frame = header.0;
        frame.resize(frame.len() + 40_000_000, 0);
        assert_frame_closed(&node, &frame);
    });
}

/// 13: tags that nobody knows are passed over, in any order.
#[test]
fn unknown_tags_are_passed_over() {
    let node = Node::shared();
    let mut connection = node.connect();
    let tags = Writer::default().uvarint(2).uvarint(70).compact(b"").uvarint(900).uvarint(3);
    let body = frame_of(4, 1, &api_versions());
    // The body without its own empty tags.
    let body = &body[header_of(18, 4, 1, true).0.len()..body.len() - 1];
    let body = Writer::default().raw(body).raw(&tags.raw(b"abc").0).0;
    assert!(matches!(connection.ask_body(18, 4, true, &body), Outcome::Answer(_)));
}

/// 13
#[test]
fn a_tag_longer_than_the_frame_closes() {
    let node = Node::shared();
    for length in [2, 1000, U32_MAX] {
        let frame =
            header_of(18, 4, 1, true).raw(b"\x02a\x02b").uvarint(1).uvarint(0).uvarint(length);
        assert_frame_closed(&node, &frame.raw(&[0]).0);
    }
}

/// 14
#[test]
fn a_varint_without_end_closes() {
    let node = Node::shared();
    for length in [5, 6, 11] {
        let endless = vec![0x80; length];
        assert_frame_closed(&node, &header_of(3, 12, 1, true).raw(&endless).raw(&[1; 8]).0);
    }
}

/// 15 and 16
#[test]
fn a_count_larger_than_the_frame_closes_and_allocates_nothing() {
    let node = Node::start();
    assert_growth_below(&node, 8, || {
        for (key, plain, compact) in ARRAYS_FIRST {
            for count in [i32::MAX, 100_000_000, 5] {
                assert_frame_closed(&node, &header_of(key, plain, 1, false).i32(count).0);
            }
            for count in [U32_MAX, 1 << 31, 100_000_000, 5] {
                assert_frame_closed(&node, &header_of(key, compact, 1, true).uvarint(count).0);
            }
        }
    });
}

/// 15: the same in the two requests with codecs of our own.
#[test]
fn counts_in_produce_and_fetch_are_checked_too() {
    let node = Node::start();
    assert_growth_below(&node, 8, || {
        for count in [i32::MAX, 1000, -2] {
            let produce = header_of(0, 3, 1, false).i16(-1).i16(1).i32(1000).i32(count).0;
            assert_frame_closed(&node, &produce);
            let produce = header_of(0, 3, 1, false).i16(-1).i16(1).i32(1000).i32(1).string("t");
            assert_frame_closed(&node, &produce.clone().i32(count).0);
            if count > 0 {
                assert_frame_closed(&node, &produce.i32(1).i32(0).i32(count).0);
            }
            let fetch = header_of(1, 4, 1, false).i32(-1).i32(0).i32(0).i32(1).i8(0);
            assert_frame_closed(&node, &fetch.i32(count).0);
        }
        for count in [U32_MAX, 1000] {
            let produce = header_of(0, 9, 1, true).uvarint(0).i16(1).i32(1000).uvarint(count).0;
            assert_frame_closed(&node, &produce);
            let fetch = header_of(1, 12, 1, true).i32(-1).i32(0).i32(0).i32(1).i8(0).i32(0).i32(0);
            assert_frame_closed(&node, &fetch.uvarint(count).0);
        }
    });
}

/// 17: only ours; Apache's heap would be full.
#[test]
fn millions_of_empty_names_take_no_more_than_their_frame() {
    if is_foreign() {
        return;
    }
    let node = Node::start();
    assert_growth_below(&node, 160, || {
        let count = 20_000_000;
        let mut frame = header_of(3, 1, 1, false).i32(count).0;
        frame.resize(frame.len() + 2 * count as usize, 0);
        let mut connection = node.connect();
        connection.send_frame(&frame);
        // Refused, in whichever way.
        let _ = connection.receive();
    });
}

/// 18: what must be there is null.
#[test]
fn null_where_it_may_not_be_closes() {
    let node = Node::shared();
    for (key, plain, compact) in ARRAYS_FIRST.into_iter().skip(1) {
        if key != 20 {
            assert_frame_closed(&node, &header_of(key, plain, 1, false).i32(-1).raw(&[0; 16]).0);
            assert_frame_closed(
                &node,
                &header_of(key, compact, 1, true).uvarint(0).raw(&[0; 16]).0,
            );
        }
    }
    // A negative count is none either.
    for (key, plain, _) in ARRAYS_FIRST.into_iter().skip(1) {
        assert_frame_closed(&node, &header_of(key, plain, 1, false).i32(-2).raw(&[0; 16]).0);
    }
    // Metadata version 0 has no null: all topics are the empty list there.
    assert_frame_closed(&node, &header_of(3, 0, 1, false).i32(-1).0);
    let produce = header_of(0, 3, 1, false).i16(-1).i16(1).i32(1000).i32(-1).0;
    assert_frame_closed(&node, &produce);
}

/// 19: Kafka ignores them.
#[test]
fn bytes_after_a_whole_body_are_ignored() {
    let node = Node::shared();
    let mut connection = node.connect();
    for version in [1, 12] {
        let mut frame = frame_of(version, 1, &MetadataRequest::default()).to_vec();
        frame.extend_from_slice(&[0xff; 100]);
        connection.send_frame(&frame);
        assert!(matches!(connection.receive(), Outcome::Answer(_)), "version {version}");
    }
    assert_served(&node);
}
