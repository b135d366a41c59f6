//! What a peer sends first.

use bytes::Bytes;
use ottla::internals::wire::fetch_request::FetchRequest;
use ottla::internals::wire::frame as frames;
use ottla::internals::wire::guard::decoded::decode;
use ottla::internals::wire::guard::sample::{Fill, Sample};
use ottla::internals::wire::guard::{self, SHAPES};
use ottla::internals::wire::produce::ProduceRequest;

use crate::Dice;

const FRAME_MAX_BYTES: i32 = 1 << 20;

/// A frame with its length prefix: the length, the header.
pub fn frame(data: &[u8]) {
    let Ok(Some(length)) = frames::announced_length(data, FRAME_MAX_BYTES) else { return };
    assert!(length <= FRAME_MAX_BYTES as usize);
    let after = data.get(frames::LENGTH_BYTES..).unwrap_or_default();
    let Some(frame) = after.get(..length) else { return };
    if let Ok((_, body)) = frames::split(Bytes::copy_from_slice(frame)) {
        assert!(body.len() < length, "a header takes bytes");
    }
}

/// A request of any API and version, past the guard, through the protocol crate. The bytes are a body, or a
/// seed for a valid body and the lies to put into it.
pub fn request(data: &[u8]) {
    let mut dice = Dice(data);
    let (api_key, how) = (i16::from(dice.u8()), dice.u8());
    let Some(shape) = SHAPES.iter().find(|shape| shape.api_key == api_key) else { return };
    let version = i16::from(how >> 1).clamp(shape.min_version, shape.max_version);
    let body = if how & 1 == 0 {
        dice.rest().to_vec()
    } else {
        let sample = Sample::new(shape, version, Fill::Random, dice.u64());
        let mut body = match usize::from(dice.u16()).checked_rem(sample.marks.len()) {
            Some(mark) => sample.with(sample.marks[mark], dice.u32()),
            None => sample.bytes,
        };
        while !dice.rest().is_empty() {
            if let Some(at) = usize::from(dice.u16()).checked_rem(body.len()) {
                body[at] = dice.u8();
            }
        }
        body
    };
    if guard::check(shape.api_key, version, &body).is_err() {
        return;
    }
    let Some(again) = decode(shape.api_key, version, &mut Bytes::from(body), true) else { return };
    assert_eq!(
        guard::check(shape.api_key, version, &again),
        Ok(()),
        "what the crate writes passes"
    );
    let twice = decode(shape.api_key, version, &mut again.clone(), true);
    assert_eq!(twice.as_ref(), Some(&again), "what the crate writes, it reads");
}

/// A Produce request, and the batches in it.
pub fn produce(data: &[u8]) {
    let mut dice = Dice(data);
    let version = 3 + i16::from(dice.u8()) % 11;
    let Ok(request) = ProduceRequest::parse(version, Bytes::copy_from_slice(dice.rest())) else {
        return;
    };
    for records in request.topics.iter().flat_map(|topic| &topic.partitions) {
        if let Some(records) = &records.records {
            crate::records::check_and_read(records, 0, version);
        }
    }
}

/// A Fetch request.
pub fn fetch(data: &[u8]) {
    let mut dice = Dice(data);
    let version = 4 + i16::from(dice.u8()) % 15;
    let body = Bytes::copy_from_slice(dice.rest());
    let Ok(request) = FetchRequest::parse(version, body) else { return };
    let partitions: usize = request.topics.iter().map(|topic| topic.partitions.len()).sum();
    assert!(partitions <= dice.rest().len() / 16, "a partition takes 16 bytes at least");
}
