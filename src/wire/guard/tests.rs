use bytes::Bytes;
use proptest::prelude::*;

use super::decoded::decode;
use super::sample::{Fill, Sample, Width, lies};
use super::shape::{NEVER, fields, first, kind, nullable, shape, tag, version};
use super::*;

/// Every API and version that has a shape.
fn every_version() -> impl Iterator<Item = (&'static Shape, i16)> {
    let versions = |shape: &'static Shape| shape.min_version..=shape.max_version;
    SHAPES.iter().flat_map(move |shape| versions(shape).map(move |version| (shape, version)))
}

/// The bytes that the crate writes for what it reads.
fn decode_and_encode(shape: &Shape, version: i16, bytes: &[u8]) -> Option<Bytes> {
    let mut body = Bytes::copy_from_slice(bytes);
    let again = decode(shape.api_key, version, &mut body, true)?;
    assert!(body.is_empty(), "{} {version} leaves {} bytes", shape.name, body.len());
    Some(again)
}

fn check_sample(shape: &Shape, version: i16, fill: Fill, seed: u64) {
    let sample = Sample::new(shape, version, fill, seed);
    let of = format!("{} {version} {fill:?} {seed}: {:02x?}", shape.name, sample.bytes);
    assert_eq!(check(shape.api_key, version, &sample.bytes), Ok(()), "{of}");
    assert_eq!(
        decode_and_encode(shape, version, &sample.bytes).as_deref(),
        Some(&*sample.bytes),
        "{of}"
    );
}

#[test]
fn shapes_are_in_the_order_of_their_keys() {
    assert!(SHAPES.is_sorted_by(|a, b| a.api_key < b.api_key));
    assert!(SHAPES.iter().all(|shape| shape.min_version <= shape.max_version));
    for (api_key, version) in [(0, 9), (1, 9), (8, 10), (9, 10), (27, 2)] {
        assert!(has_own_codec(api_key, version));
        assert!(shape(api_key, version).is_none());
    }
    assert!(every_version().all(|(shape, version)| !has_own_codec(shape.api_key, version)));
}

#[test]
fn every_version_of_every_shape_is_what_the_crate_reads_and_writes() {
    for (shape, version) in every_version() {
        check_sample(shape, version, Fill::Empty, 1);
        check_sample(shape, version, Fill::Full, 1);
    }
}

proptest! {
    #[test]
    fn random_requests_pass_and_are_what_the_crate_reads_and_writes(seed: u64) {
        for (shape, version) in every_version() {
            check_sample(shape, version, Fill::Random, seed);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_harmless(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        for (shape, version) in every_version() {
            if check(shape.api_key, version, &bytes).is_ok() {
                decode(shape.api_key, version, &mut Bytes::copy_from_slice(&bytes), false);
            }
        }
    }
}

/// Each count and each length replaced by each lie: the crate, let loose on what passes, would abort the
/// process if one of them made it reserve what it says.
#[test]
fn lengths_and_counts_that_lie_are_refused_or_harmless() {
    let mut refused = 0;
    for (shape, version) in every_version() {
        for (fill, seed) in [(Fill::Full, 0), (Fill::Random, 1), (Fill::Random, 2)] {
            let sample = Sample::new(shape, version, fill, seed);
            for &mark in &sample.marks {
                let after = (sample.bytes.len() - mark.at) as u32;
                for lie in lies(mark.width, sample.value(mark), after) {
                    let bytes = sample.with(mark, lie);
                    if check(shape.api_key, version, &bytes).is_ok() {
                        decode(shape.api_key, version, &mut Bytes::from(bytes), false);
                    } else {
                        refused += 1;
                    }
                }
            }
        }
    }
    assert!(refused > 10_000, "{refused}");
}

/// What can never be true is refused by the walk, not left to luck.
#[test]
fn lengths_and_counts_that_cannot_be_true_are_refused() {
    for (shape, version) in every_version() {
        let sample = Sample::new(shape, version, Fill::Full, 0);
        for &mark in &sample.marks {
            let impossible: &[u32] = match mark.width {
                Width::Byte => &[0, 2, 0x80, 0xfe],
                Width::Short => &[0x7fff, 0x8000, 0xfffe],
                Width::Long | Width::Variable => {
                    &[100_000_000, i32::MAX as u32, i32::MIN as u32, u32::MAX - 1]
                }
            };
            for lie in impossible {
                let bytes = sample.with(mark, *lie);
                let checked = check(shape.api_key, version, &bytes);
                assert!(checked.is_err(), "{} {version} {mark:?} {lie}", shape.name);
            }
            if mark.width == Width::Variable {
                let endless = sample.with_bytes(mark, &[0xff; 6]);
                let checked = check(shape.api_key, version, &endless);
                assert!(checked.is_err(), "{} {version} {mark:?}", shape.name);
            }
        }
    }
}

#[test]
fn a_request_that_ends_early_is_refused() {
    for (shape, version) in every_version() {
        let sample = Sample::new(shape, version, Fill::Full, 0);
        for length in 0..sample.bytes.len() {
            let cut = &sample.bytes[..length];
            let checked = check(shape.api_key, version, cut);
            assert!(checked.is_err(), "{} {version} cut at {length}", shape.name);
        }
    }
}

#[test]
fn what_follows_a_whole_request_is_ignored() {
    for (shape, version) in every_version() {
        let mut bytes = Sample::new(shape, version, Fill::Full, 0).bytes;
        bytes.extend([0xff; 8]);
        assert_eq!(check(shape.api_key, version, &bytes), Ok(()), "{} {version}", shape.name);
    }
}

#[track_caller]
fn checked(api_key: i16, version: i16, body: &[u8], expected: Result<(), Malformed>) {
    assert_eq!(check(api_key, version, body), expected, "{body:02x?}");
}

#[test]
fn the_bodies_that_abort_the_crate_are_refused() {
    checked(3, 1, &[0x7f, 0xff, 0xff, 0xff], Err(Malformed::Elements));
    checked(3, 9, &[0xff, 0xff, 0xff, 0xff, 0x0f], Err(Malformed::Length));
    checked(3, 9, &[0xff, 0xff, 0xff, 0xff, 0x07], Err(Malformed::Elements));
    checked(19, 5, &[0xff, 0xff, 0xff, 0xff, 0x07], Err(Malformed::Elements));
}

#[test]
fn null_is_where_null_may_be() {
    // All topics: null from version 1 on, empty before.
    checked(3, 0, &[0xff; 4], Err(Malformed::Null));
    checked(3, 1, &[0xff; 4], Ok(()));
    // A topic without a name: from version 10 on, which has ids.
    checked(3, 9, &[2, 0, 0, 0, 0, 0, 0], Err(Malformed::Null));
    let by_id = [&[2][..], &[7; 16], &[0, 0, 1, 0, 0]].concat();
    checked(3, 12, &by_id, Ok(()));
    // −2 is no length.
    checked(3, 1, &[0xff, 0xff, 0xff, 0xfe], Err(Malformed::Length));
}

#[test]
fn only_what_has_a_shape_passes() {
    checked(0, 9, &[], Err(Malformed::Version(9)));
    checked(3, 14, &[], Err(Malformed::Version(14)));
    checked(3, -1, &[], Err(Malformed::Version(-1)));
    checked(-1, 0, &[], Err(Malformed::Version(0)));
}

#[test]
fn a_text_is_as_long_as_kafka_lets_it_be() {
    let request = |length: usize| {
        let mut body = Vec::new();
        varint::put_unsigned(&mut body, length as u32 + 1);
        body.resize(body.len() + length, b'x');
        body.extend([1, 0]);
        body
    };
    checked(18, 3, &request(32_767), Ok(()));
    checked(18, 3, &request(32_768), Err(Malformed::Length));
}

#[test]
fn all_arrays_together_have_so_many_elements() {
    // Empty names of two bytes.
    let names = |count: u32| [&count.to_be_bytes()[..], &vec![0; 2 * count as usize]].concat();
    checked(3, 0, &names(REQUEST_MAX_ELEMENTS as u32), Ok(()));
    checked(3, 0, &names(REQUEST_MAX_ELEMENTS as u32 + 1), Err(Malformed::Elements));
    // Numbers count as well, one array after the other: two topics of so many partitions each.
    let topics = |each: u32| {
        let topic = [&[0, 0][..], &each.to_be_bytes(), &vec![0; 4 * each as usize]].concat();
        [&[0, 0, 0, 2][..], &topic, &topic].concat()
    };
    checked(35, 1, &topics(REQUEST_MAX_ELEMENTS as u32 / 2 - 1), Ok(()));
    checked(35, 1, &topics(REQUEST_MAX_ELEMENTS as u32 / 2), Err(Malformed::Elements));
}

/// Found by the fuzzer: the crate counts a tag above 2³¹ when it writes, but does not write it.
#[test]
fn a_tag_is_no_more_than_a_signed_number_holds() {
    checked(60, 0, &[0, 1, 0x80, 0x80, 0x80, 0x80, 0x08, 0], Err(Malformed::Tag));
}

/// As in Kafka: any order, any number of times; but each takes memory.
#[test]
fn unknown_tags_come_in_any_order_and_are_counted() {
    checked(60, 0, &[0, 3, 9, 0, 5, 1, 0xaa, 5, 0], Ok(()));
    checked(60, 0, &[0, 1, 9, 2, 0], Err(Malformed::Cut));
    checked(60, 0, &[0, 1, 0xff, 0xff, 0xff, 0xff, 0x07, 0], Ok(()));
    checked(60, 0, &[0, 2, 9, 0], Err(Malformed::Elements));
    let tags = |count: usize| {
        let mut body = vec![0];
        varint::put_unsigned(&mut body, count as u32);
        body.resize(body.len() + 2 * count, 0);
        body
    };
    let max = REQUEST_MAX_ELEMENTS / UNKNOWN_TAG_ELEMENTS;
    checked(60, 0, &tags(max), Ok(()));
    checked(60, 0, &tags(max + 1), Err(Malformed::Elements));
}

#[test]
fn a_known_tag_is_as_long_as_its_field() {
    let shape = shape!(7 Tagged 0-1 flexible 0: i8, text? tag 0, [i32]@1 tag 3);
    let check = |version, body: &[u8]| walk(&shape, version, body).map(|_| ());
    let with_text = [0, 1, 0, 4, 4, b'a', b'b', b'c'];
    assert_eq!(check(0, &with_text), Ok(()));
    assert_eq!(check(0, &[0, 1, 0, 5, 4, b'a', b'b', b'c', b'd']), Err(Malformed::Tag));
    assert_eq!(check(0, &[0, 1, 0, 3, 4, b'a', b'b', b'c']), Err(Malformed::Cut));
    assert_eq!(check(0, &[0, 1, 0, 1, 0]), Ok(()), "null");
    // Descending and twice, as Kafka reads them.
    assert_eq!(check(1, &[0, 3, 3, 5, 2, 0, 0, 0, 7, 0, 1, 0, 0, 1, 0]), Ok(()));
    // A count inside a tag is held against the tag's bytes, not the request's.
    assert_eq!(check(1, &[0, 1, 3, 5, 3, 0, 0, 0, 7, 0, 0, 0, 0]), Err(Malformed::Elements));
    // Not known in version 0, so its length says it all.
    assert_eq!(check(0, &[0, 1, 3, 2, 0xff, 0xff]), Ok(()));
}

#[test]
fn a_structure_that_may_be_null_is_there_or_not() {
    let topics_and_limit = [1, 0, 0, 0, 9];
    let body = |cursor: &[u8]| [&topics_and_limit[..], cursor].concat();
    checked(75, 0, &body(&[0xff, 0]), Ok(()));
    checked(75, 0, &body(&[1, 2, b't', 0, 0, 0, 3, 0, 0]), Ok(()));
    checked(75, 0, &body(&[1, 0, 0, 0, 0, 3, 0, 0]), Err(Malformed::Null));
    for presence in [0, 2, 0x7f, 0xfe] {
        checked(75, 0, &body(&[presence, 0]), Err(Malformed::Presence));
    }
}
