//! The guard before the protocol crate: walks a request's body and refuses what would make the crate
//! allocate on a peer's word.
//!
//! kafka-protocol 0.18 reserves an array as long as a request says: four bytes `7f ff ff ff` ask for
//! hundreds of gigabytes and abort the process. So nothing is decoded by the crate which has not passed
//! [`check`]: counts fit the bytes that are left, lengths end within the body, null is where null may be,
//! and all arrays together have no more elements than [`REQUEST_MAX_ELEMENTS`]. What passes decodes within
//! four times the frame and [`ELEMENT_MAX_BYTES`] for each element; it may still be refused by the crate, without harm.
//!
//! The walk allocates nothing. Its depth is that of the shapes in `table.rs`, not of the input. Left to the
//! crate: whether text is UTF-8. Not looked at: what follows a whole body, which Kafka ignores as well.

#[cfg(any(test, feature = "internals"))]
pub mod decoded;
#[cfg(any(test, feature = "internals"))]
pub mod sample;
pub mod shape;
mod table;

use self::shape::{Field, Form, Kind, Shape};
pub use self::table::SHAPES;
use super::fields::{Malformed, REQUEST_MAX_ELEMENTS, TEXT_MAX_BYTES};
use super::varint;

/// Whether requests never meet the crate: those of Produce and Fetch, those in which OffsetCommit and OffsetFetch name
/// topics by their id, and WriteTxnMarkers 2.
pub const fn has_own_codec(api_key: i16, version: i16) -> bool {
    matches!((api_key, version), (0 | 1, _) | (8 | 9, 10) | (27, 2))
}

/// What the crate keeps of an unknown tagged field is a node of a tree, which is as large as a few of the
/// largest elements.
const UNKNOWN_TAG_ELEMENTS: usize = 4;

/// The largest structure that the crate makes of an array's element; `tests/decode_memory` measures it.
pub const ELEMENT_MAX_BYTES: usize = 128;

/// What a checked request may take when it is decoded, above four times its frame.
#[cfg(feature = "internals")]
pub const DECODED_MAX_EXTRA_BYTES: usize = REQUEST_MAX_ELEMENTS * ELEMENT_MAX_BYTES;

/// The shape of a version of an API, if the crate can read it.
pub fn shape(api_key: i16, version: i16) -> Option<&'static Shape> {
    let index = SHAPES.binary_search_by_key(&api_key, |shape| shape.api_key).ok()?;
    let shape = SHAPES.get(index)?;
    (shape.min_version..=shape.max_version).contains(&version).then_some(shape)
}

/// Whether the crate may decode `body`. An API or a version without a shape is refused.
pub fn check(api_key: i16, version: i16, body: &[u8]) -> Result<(), Malformed> {
    elements(api_key, version, body).map(|_| ())
}

/// How many elements `body` counts for, if the crate may decode it: it takes no more than four times the
/// body and [`ELEMENT_MAX_BYTES`] for each element.
pub fn elements(api_key: i16, version: i16, body: &[u8]) -> Result<usize, Malformed> {
    let shape = shape(api_key, version).ok_or(Malformed::Version(version))?;
    walk(shape, version, body)
}

fn walk(shape: &Shape, version: i16, body: &[u8]) -> Result<usize, Malformed> {
    let form = shape.form(version);
    let mut walk = Walk { left: body, form, elements_left: REQUEST_MAX_ELEMENTS };
    walk.structure(shape.fields)?;
    Ok(REQUEST_MAX_ELEMENTS - walk.elements_left)
}

struct Walk<'a> {
    left: &'a [u8],
    form: Form,
    elements_left: usize,
}

impl Walk<'_> {
    fn structure(&mut self, fields: &'static [Field]) -> Result<(), Malformed> {
        let form = self.form;
        for field in fields.iter().filter(|field| field.is_in_place(form)) {
            self.field(field)?;
        }
        if self.form.flexible { self.tags(fields) } else { Ok(()) }
    }

    fn field(&mut self, field: &'static Field) -> Result<(), Malformed> {
        let nullable = field.is_nullable(self.form);
        if nullable && let Kind::Structure(fields) = field.kind {
            return match self.byte()? {
                1 => self.structure(fields),
                0xff => Ok(()),
                _ => Err(Malformed::Presence),
            };
        }
        self.value(&field.kind, nullable)
    }

    fn value(&mut self, kind: &'static Kind, nullable: bool) -> Result<(), Malformed> {
        match kind {
            Kind::Fixed(bytes) => self.skip(*bytes),
            Kind::Text => match self.text_length()? {
                Some(length) if length > TEXT_MAX_BYTES => Err(Malformed::Length),
                length => self.skip(or_null(length, nullable)?),
            },
            Kind::Bytes => {
                let length = self.long_length()?;
                self.skip(or_null(length, nullable)?)
            }
            Kind::Array(element) => {
                let count = self.long_length()?;
                self.elements(or_null(count, nullable)?, element)
            }
            Kind::Structure(fields) => self.structure(fields),
        }
    }

    fn elements(&mut self, count: usize, element: &'static Kind) -> Result<(), Malformed> {
        let min_bytes = element.min_bytes(self.form).max(1);
        if count > self.left.len() / min_bytes {
            return Err(Malformed::Elements);
        }
        self.charge(count)?;
        if let Kind::Fixed(bytes) = element {
            return self.skip(count * bytes);
        }
        for _ in 0..count {
            self.value(element, false)?;
        }
        Ok(())
    }

    /// The tagged fields at the end of a structure. As in Kafka they come in any order, and one that comes
    /// twice counts as often.
    fn tags(&mut self, fields: &'static [Field]) -> Result<(), Malformed> {
        let count = self.unsigned()? as usize;
        // The tag and the length take a byte each.
        if count > self.left.len() / 2 {
            return Err(Malformed::Elements);
        }
        for _ in 0..count {
            let tag = self.unsigned()?;
            // The crate keeps such a tag as a negative number, and loses it when it writes.
            if tag > i32::MAX as u32 {
                return Err(Malformed::Tag);
            }
            let length = self.unsigned()? as usize;
            let (inside, after) = self.left.split_at_checked(length).ok_or(Malformed::Cut)?;
            let is_it = |field: &&Field| field.tag == Some(tag) && field.is_known(self.form);
            if let Some(field) = fields.iter().find(is_it) {
                self.left = inside;
                self.field(field)?;
                if !self.left.is_empty() {
                    return Err(Malformed::Tag);
                }
            } else {
                self.charge(UNKNOWN_TAG_ELEMENTS)?;
            }
            self.left = after;
        }
        Ok(())
    }

    /// Takes elements off what the request may have.
    fn charge(&mut self, elements: usize) -> Result<(), Malformed> {
        let left = self.elements_left.checked_sub(elements);
        self.elements_left = left.ok_or(Malformed::Elements)?;
        Ok(())
    }

    fn text_length(&mut self) -> Result<Option<usize>, Malformed> {
        if self.form.flexible {
            return self.compact_length();
        }
        let bytes = self.take::<2>()?;
        from_signed(i32::from(i16::from_be_bytes(bytes)))
    }

    /// The length of bytes or the count of an array.
    fn long_length(&mut self) -> Result<Option<usize>, Malformed> {
        if self.form.flexible {
            return self.compact_length();
        }
        let bytes = self.take::<4>()?;
        from_signed(i32::from_be_bytes(bytes))
    }

    /// Lengths of the flexible form are one more than they mean; zero is null.
    fn compact_length(&mut self) -> Result<Option<usize>, Malformed> {
        let length = self.unsigned()?;
        // Kafka reads the number as signed.
        if length > i32::MAX as u32 {
            return Err(Malformed::Length);
        }
        Ok(length.checked_sub(1).map(|length| length as usize))
    }

    fn unsigned(&mut self) -> Result<u32, Malformed> {
        varint::take_unsigned(&mut self.left).ok_or(Malformed::Cut)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (bytes, left) = self.left.split_first_chunk::<N>().ok_or(Malformed::Cut)?;
        self.left = left;
        Ok(*bytes)
    }

    fn skip(&mut self, bytes: usize) -> Result<(), Malformed> {
        self.left = self.left.get(bytes..).ok_or(Malformed::Cut)?;
        Ok(())
    }
}

/// A length or a count; null is none, where null may be.
fn or_null(length: Option<usize>, nullable: bool) -> Result<usize, Malformed> {
    match length {
        None if !nullable => Err(Malformed::Null),
        length => Ok(length.unwrap_or(0)),
    }
}

fn from_signed(length: i32) -> Result<Option<usize>, Malformed> {
    match length {
        -1 => Ok(None),
        length => usize::try_from(length).map(Some).map_err(|_| Malformed::Length),
    }
}

#[cfg(test)]
mod tests;
