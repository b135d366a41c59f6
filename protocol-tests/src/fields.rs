//! The primitive types of Kafka's protocol, written and read: what the tests need, and nothing of the broker's.

use std::fmt::{self, Write as _};

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A String takes everything.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Appends primitives to bytes.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Writer(pub Vec<u8>);

impl Writer {
    /// Bytes as they are.
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// int8
    pub fn i8(self, value: i8) -> Self {
        self.raw(&value.to_be_bytes())
    }

    /// int16
    pub fn i16(self, value: i16) -> Self {
        self.raw(&value.to_be_bytes())
    }

    /// int32
    pub fn i32(self, value: i32) -> Self {
        self.raw(&value.to_be_bytes())
    }

    /// int64
    pub fn i64(self, value: i64) -> Self {
        self.raw(&value.to_be_bytes())
    }

    /// An unsigned varint.
    pub fn uvarint(mut self, mut value: u64) -> Self {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    /// A zigzag varint or varlong.
    pub fn varint(self, value: i64) -> Self {
        self.uvarint(((value << 1) ^ (value >> 63)) as u64)
    }

    /// A compact string, or compact bytes.
    pub fn compact(self, bytes: &[u8]) -> Self {
        self.uvarint(bytes.len() as u64 + 1).raw(bytes)
    }

    /// A string with an int16 length.
    pub fn string(self, text: &str) -> Self {
        self.i16(text.len() as i16).raw(text.as_bytes())
    }

    /// A compact array of what `item` writes.
    pub fn array<T>(self, items: &[T], item: impl Fn(Self, &T) -> Self) -> Self {
        items.iter().fold(self.uvarint(items.len() as u64 + 1), item)
    }

    /// No tagged fields.
    pub fn tags(self) -> Self {
        self.uvarint(0)
    }
}

/// Why bytes cannot be read as what they should be.
#[derive(Debug)]
pub struct Malformed(pub String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Takes primitives from the front of bytes.
#[derive(Clone, Debug)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The next `count` bytes.
    pub fn raw(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.0.split_at_checked(count).ok_or_else(|| {
            Malformed(format!("{count} bytes are wanted, {} are left", self.0.len()))
        })?;
        self.0 = rest;
        Ok(head)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let bytes = self.raw(N)?;
        <[u8; N]>::try_from(bytes).map_err(|error| Malformed(error.to_string()))
    }

    /// int8
    pub fn i8(&mut self) -> Result<i8, Malformed> {
        self.fixed().map(i8::from_be_bytes)
    }

    /// int16
    pub fn i16(&mut self) -> Result<i16, Malformed> {
        self.fixed().map(i16::from_be_bytes)
    }

    /// int32
    pub fn i32(&mut self) -> Result<i32, Malformed> {
        self.fixed().map(i32::from_be_bytes)
    }

    /// int64
    pub fn i64(&mut self) -> Result<i64, Malformed> {
        self.fixed().map(i64::from_be_bytes)
    }

    /// A uuid.
    pub fn uuid(&mut self) -> Result<[u8; 16], Malformed> {
        self.fixed()
    }

    /// An unsigned varint of at most ten bytes.
    pub fn uvarint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let byte = self.fixed::<1>()?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed("a varint without end".to_owned()))
    }

    /// A zigzag varint or varlong.
    pub fn varint(&mut self) -> Result<i64, Malformed> {
        let value = self.uvarint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// Compact bytes; null is `None`.
    pub fn compact(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        match self.uvarint()? {
            0 => Ok(None),
            length => self.raw(length as usize - 1).map(Some),
        }
    }

    /// A compact string; null is `None`.
    pub fn text(&mut self) -> Result<Option<String>, Malformed> {
        let bytes = self.compact()?;
        bytes
            .map(|bytes| String::from_utf8(bytes.to_vec()))
            .transpose()
            .map_err(|error| Malformed(error.to_string()))
    }

    /// A compact array of what `item` reads; null is `None`.
    pub fn array<T>(
        &mut self,
        item: impl Fn(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<Vec<T>>, Malformed> {
        match self.uvarint()? {
            0 => Ok(None),
            length => (1..length).map(|_| item(self)).collect::<Result<_, _>>().map(Some),
        }
    }

    /// Tagged fields, each as its number and bytes.
    pub fn tags(&mut self) -> Result<Vec<(u64, &'a [u8])>, Malformed> {
        let count = self.uvarint()?;
        (0..count)
            .map(|_| {
                let number = self.uvarint()?;
                let length = self.uvarint()?;
                Ok((number, self.raw(length as usize)?))
            })
            .collect()
    }
}
