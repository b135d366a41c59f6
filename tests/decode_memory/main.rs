//! What a guarded request takes when the protocol crate decodes it, by an allocator that keeps the books.

mod books;

use bytes::Bytes;
use ottla::internals::wire::guard::decoded::decode;
use ottla::internals::wire::guard::sample::{Fill, Sample, lies};
use ottla::internals::wire::guard::shape::Shape;
use ottla::internals::wire::guard::{self, ELEMENT_MAX_BYTES, SHAPES};

/// An error and what it says, and the books of the shared buffer.
const SMALL_CHANGE_BYTES: usize = 4096;

fn every_version() -> impl Iterator<Item = (&'static Shape, i16)> {
    let versions = |shape: &'static Shape| shape.min_version..=shape.max_version;
    SHAPES.iter().flat_map(move |shape| versions(shape).map(move |version| (shape, version)))
}

/// Decodes what passes the guard, and holds it against the guard's promise. Says whether it passed.
#[track_caller]
fn check(shape: &Shape, version: i16, bytes: Vec<u8>) -> bool {
    let (elements, guard_bytes) =
        books::peak_bytes(|| guard::elements(shape.api_key, version, &bytes));
    assert_eq!(guard_bytes, 0, "the guard allocates");
    let Ok(elements) = elements else { return false };
    let length = bytes.len();
    let mut body = Bytes::from(bytes);
    let (_, peak_bytes) =
        books::peak_bytes(|| decode(shape.api_key, version, &mut body, false).is_some());
    let promised = 4 * length + elements * ELEMENT_MAX_BYTES + SMALL_CHANGE_BYTES;
    assert!(
        peak_bytes <= promised,
        "{} {version}: {length} bytes, {elements} elements, took {peak_bytes}, not {promised}",
        shape.name
    );
    true
}

#[test]
fn what_is_small_on_the_wire_stays_within_the_promise() {
    let mut passed = 0;
    for (shape, version) in every_version() {
        for depth in 0..4 {
            for tagged in [false, true] {
                let fill = Fill::Many { depth, count: 5_000, tagged };
                let sample = Sample::new(shape, version, fill, 0);
                passed += usize::from(check(shape, version, sample.bytes));
            }
        }
    }
    assert!(passed > 1_000, "{passed}");
}

#[test]
fn lies_take_no_more_than_the_truth() {
    for (shape, version) in every_version() {
        for (fill, seed) in [(Fill::Full, 0), (Fill::Random, 1), (Fill::Random, 2)] {
            let sample = Sample::new(shape, version, fill, seed);
            for &mark in &sample.marks {
                let after = (sample.bytes.len() - mark.at) as u32;
                for lie in lies(mark.width, sample.value(mark), after) {
                    check(shape, version, sample.with(mark, lie));
                }
            }
        }
    }
}

#[test]
fn the_books_see_what_is_reserved() {
    let (room, peak_bytes) = books::peak_bytes(|| Vec::<u8>::with_capacity(1 << 20));
    assert_eq!((room.len(), peak_bytes), (0, 1 << 20));
}
