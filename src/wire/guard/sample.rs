//! Requests made up from a shape: for tests and fuzzers.
//!
//! The same seed gives the same bytes. A sample knows where its lengths and counts are, so that each can be
//! replaced by a lie.

use super::shape::{Field, Form, Kind, Shape};
use crate::wire::varint;

/// How a sample is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Everything that may be null is; arrays and texts are empty.
    Empty,
    /// Nothing is null, every array has two elements, there are no unknown tags.
    Full,
    /// As the seed decides.
    Random,
    /// As small as can be, but for many elements in the arrays of one depth: what takes most memory for its
    /// bytes.
    #[cfg_attr(
        not(feature = "internals"),
        expect(dead_code, reason = "what measures memory asks for it")
    )]
    Many {
        /// Inside how many arrays those are; the arrays around them have one element.
        depth: usize,
        /// How many elements.
        count: u32,
        /// Whether each structure has a tagged field that nobody knows.
        tagged: bool,
    },
}

/// A request's body.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// The body.
    pub bytes: Vec<u8>,
    /// Where its lengths and counts are, in order.
    pub marks: Vec<Mark>,
}

/// A length or a count in a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Where it starts.
    pub at: usize,
    /// How it is written.
    pub width: Width,
}

/// How a length or a count is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// One byte: whether a structure is there.
    Byte,
    /// Two bytes.
    Short,
    /// Four bytes.
    Long,
    /// A variable number of bytes.
    Variable,
}

impl Sample {
    /// A valid request.
    pub fn new(shape: &Shape, version: i16, fill: Fill, seed: u64) -> Self {
        let mut maker = Maker {
            form: shape.form(version),
            fill,
            state: seed,
            depth: 0,
            sample: Self::default(),
        };
        maker.structure(shape.fields);
        maker.sample
    }

    /// What stands at a mark, as an unsigned number of its width.
    pub fn value(&self, mark: Mark) -> u32 {
        let mut rest = self.bytes.get(mark.at..).unwrap_or_default();
        let fixed = |bytes: usize| {
            rest.iter().take(bytes).fold(0, |value, byte| value << 8 | u32::from(*byte))
        };
        match mark.width {
            Width::Byte => fixed(1),
            Width::Short => fixed(2),
            Width::Long => fixed(4),
            Width::Variable => varint::take_unsigned(&mut rest).unwrap_or(0),
        }
    }

    /// The request with another number at `mark`.
    pub fn with(&self, mark: Mark, value: u32) -> Vec<u8> {
        let mut number = Vec::new();
        match mark.width {
            Width::Byte => number.push(value as u8),
            Width::Short => number.extend((value as u16).to_be_bytes()),
            Width::Long => number.extend(value.to_be_bytes()),
            Width::Variable => varint::put_unsigned(&mut number, value),
        }
        self.with_bytes(mark, &number)
    }

    /// The request with other bytes instead of the number at `mark`.
    pub fn with_bytes(&self, mark: Mark, number: &[u8]) -> Vec<u8> {
        let length = match mark.width {
            Width::Byte => 1,
            Width::Short => 2,
            Width::Long => 4,
            Width::Variable => varint::unsigned_len_bytes(self.value(mark)),
        };
        let mut bytes = self.bytes.clone();
        bytes.splice(mark.at..mark.at + length, number.iter().copied());
        bytes
    }
}

struct Maker {
    form: Form,
    fill: Fill,
    state: u64,
    depth: usize,
    sample: Sample,
}

impl Maker {
    /// A number below `limit` (splitmix64).
    fn below(&mut self, limit: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    fn flip(&mut self) -> bool {
        self.below(2) == 0
    }

    fn structure(&mut self, fields: &'static [Field]) {
        let form = self.form;
        for field in fields.iter().filter(|field| field.is_in_place(form)) {
            self.field(field);
        }
        if self.form.flexible {
            self.tags(fields);
        }
    }

    fn field(&mut self, field: &'static Field) {
        let nullable = field.is_nullable(self.form);
        let is_null = nullable
            && match self.fill {
                Fill::Empty => true,
                Fill::Full => false,
                Fill::Random => self.below(3) == 0,
                Fill::Many { depth, .. } => {
                    self.depth > depth || matches!(field.kind, Kind::Text | Kind::Bytes)
                }
            };
        match &field.kind {
            Kind::Structure(fields) if nullable => {
                self.number(Width::Byte, if is_null { 0xff } else { 1 });
                if !is_null {
                    self.structure(fields);
                }
            }
            kind if is_null => self.length(kind, None),
            kind => self.value(kind),
        }
    }

    fn value(&mut self, kind: &'static Kind) {
        match kind {
            // Zero or one, so that a bool stays what it is.
            Kind::Fixed(1) => {
                let byte = self.below(2) as u8;
                self.sample.bytes.push(byte);
            }
            Kind::Fixed(bytes) => {
                for _ in 0..*bytes {
                    let byte = self.below(256) as u8;
                    self.sample.bytes.push(byte);
                }
            }
            Kind::Text | Kind::Bytes => {
                let length = match self.fill {
                    Fill::Empty | Fill::Many { .. } => 0,
                    Fill::Full => 3,
                    // Sometimes long enough for a second byte of length.
                    Fill::Random => self.below(12) * self.below(20),
                };
                self.length(kind, Some(length as usize));
                for _ in 0..length {
                    let byte = b'a' + self.below(26) as u8;
                    self.sample.bytes.push(byte);
                }
            }
            Kind::Array(element) => {
                let count = match self.fill {
                    Fill::Full => 2,
                    Fill::Random => self.below(4),
                    Fill::Many { depth, .. } if self.depth < depth => 1,
                    Fill::Many { depth, count, .. } if self.depth == depth => u64::from(count),
                    Fill::Empty | Fill::Many { .. } => 0,
                };
                self.length(kind, Some(count as usize));
                self.depth += 1;
                for _ in 0..count {
                    self.value(element);
                }
                self.depth -= 1;
            }
            Kind::Structure(fields) => self.structure(fields),
        }
    }

    /// Known tags and, if the seed wants, one or two that nobody knows.
    fn tags(&mut self, fields: &'static [Field]) {
        let form = self.form;
        let mut known: Vec<_> =
            fields.iter().filter(|field| field.tag.is_some() && field.is_known(form)).collect();
        known.retain(|_| self.fill == Fill::Full || self.fill == Fill::Random && self.flip());
        let unknown = match self.fill {
            Fill::Random => [1, 2, 0, 0, 0, 0, 0, 0][self.below(8) as usize],
            Fill::Many { tagged, .. } => u32::from(tagged),
            Fill::Empty | Fill::Full => 0,
        };
        self.number(Width::Variable, known.len() as u32 + unknown);
        for field in known {
            varint::put_unsigned(&mut self.sample.bytes, field.tag.unwrap_or_default());
            let outside = std::mem::take(&mut self.sample);
            // The crate writes no tagged field that is null or empty.
            let fill = std::mem::replace(&mut self.fill, Fill::Full);
            self.field(field);
            self.fill = fill;
            let inside = std::mem::replace(&mut self.sample, outside);
            self.number(Width::Variable, inside.bytes.len() as u32);
            let offset = self.sample.bytes.len();
            let moved = inside.marks.iter().map(|mark| Mark { at: mark.at + offset, ..*mark });
            self.sample.marks.extend(moved);
            self.sample.bytes.extend(inside.bytes);
        }
        for tag in 0..unknown {
            varint::put_unsigned(&mut self.sample.bytes, 100 + 900 * tag);
            let length = self.below(5) as usize;
            self.number(Width::Variable, length as u32);
            self.sample.bytes.extend(std::iter::repeat_n(0x5a, length));
        }
    }

    fn length(&mut self, kind: &Kind, length: Option<usize>) {
        let length = length.map(|length| length as u32);
        if self.form.flexible {
            return self.number(Width::Variable, length.map_or(0, |length| length + 1));
        }
        let width = if matches!(kind, Kind::Text) { Width::Short } else { Width::Long };
        self.number(width, length.unwrap_or(u32::MAX));
    }

    fn number(&mut self, width: Width, value: u32) {
        let mark = Mark { at: self.sample.bytes.len(), width };
        self.sample.marks.push(mark);
        match width {
            Width::Byte => self.sample.bytes.push(value as u8),
            Width::Short => self.sample.bytes.extend((value as u16).to_be_bytes()),
            Width::Long => self.sample.bytes.extend(value.to_be_bytes()),
            Width::Variable => varint::put_unsigned(&mut self.sample.bytes, value),
        }
    }
}

/// Numbers that lie, for one that says `true_value` and has `bytes_after` behind it.
pub fn lies(width: Width, true_value: u32, bytes_after: u32) -> Vec<u32> {
    let mut lies = vec![
        0,
        true_value.wrapping_add(1),
        true_value.wrapping_sub(1),
        bytes_after,
        bytes_after.wrapping_add(2),
        100_000_000,
        i32::MAX as u32,
        i32::MIN as u32,
        u32::MAX - 1,
        u32::MAX,
    ];
    if width == Width::Short {
        lies.extend([0x7fff, 0x8000, 0xfffe, 0xffff]);
    }
    lies.retain(|lie| *lie != true_value);
    lies
}
