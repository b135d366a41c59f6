//! Variable-length integers, as records and flexible messages carry them.
//!
//! Seven bits a byte, the lowest first; signed values are zigzagged. As in Kafka, a fifth byte (tenth for
//! 64 bits) may carry bits that do not fit and are dropped, but it may not announce another byte.

/// The longest encoding of 32 bits.
pub const VARINT_MAX_BYTES: usize = 5;
/// The longest encoding of 64 bits.
pub const VARLONG_MAX_BYTES: usize = 10;

/// Takes an unsigned 32-bit value off the front of `bytes`; None if it does not end in time.
#[inline]
pub fn take_unsigned(bytes: &mut &[u8]) -> Option<u32> {
    let (&first, rest) = bytes.split_first()?;
    if first < 0x80 {
        *bytes = rest;
        return Some(u32::from(first));
    }
    let (value, length) = longer(bytes, VARINT_MAX_BYTES)?;
    *bytes = bytes.get(length..)?;
    Some(value as u32)
}

/// Takes a zigzagged 32-bit value off the front of `bytes`; None if it does not end in time.
#[inline]
pub fn take_signed(bytes: &mut &[u8]) -> Option<i32> {
    let raw = take_unsigned(bytes)?;
    Some((raw >> 1) as i32 ^ -((raw & 1) as i32))
}

/// Takes a zigzagged 64-bit value off the front of `bytes`; None if it does not end in time.
#[inline]
pub fn take_signed_long(bytes: &mut &[u8]) -> Option<i64> {
    let (raw, length) = longer(bytes, VARLONG_MAX_BYTES)?;
    *bytes = bytes.get(length..)?;
    Some((raw >> 1) as i64 ^ -((raw & 1) as i64))
}

fn longer(bytes: &[u8], max_bytes: usize) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (index, &byte) in bytes.iter().take(max_bytes).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Some((value, index + 1));
        }
    }
    None
}

/// Appends an unsigned value.
pub fn put_unsigned(into: &mut Vec<u8>, value: u32) {
    put_unsigned_long(into, u64::from(value));
}

/// Appends a zigzagged 32-bit value.
pub fn put_signed(into: &mut Vec<u8>, value: i32) {
    put_unsigned(into, ((value << 1) ^ (value >> 31)) as u32);
}

/// Appends a zigzagged 64-bit value.
pub fn put_signed_long(into: &mut Vec<u8>, value: i64) {
    put_unsigned_long(into, ((value << 1) ^ (value >> 63)) as u64);
}

fn put_unsigned_long(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

/// How many bytes an unsigned value takes.
#[cfg(any(test, feature = "internals"))]
pub const fn unsigned_len_bytes(value: u32) -> usize {
    unsigned_long_len_bytes(value as u64)
}

/// How many bytes a zigzagged 32-bit value takes.
pub const fn signed_len_bytes(value: i32) -> usize {
    unsigned_long_len_bytes(((value << 1) ^ (value >> 31)) as u32 as u64)
}

/// How many bytes a zigzagged 64-bit value takes.
pub const fn signed_long_len_bytes(value: i64) -> usize {
    unsigned_long_len_bytes(((value << 1) ^ (value >> 63)) as u64)
}

const fn unsigned_long_len_bytes(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_put_is_taken(unsigned: u32, signed: i32, long: i64) {
            let mut bytes = Vec::new();
            put_unsigned(&mut bytes, unsigned);
            prop_assert_eq!(bytes.len(), unsigned_len_bytes(unsigned));
            put_signed(&mut bytes, signed);
            put_signed_long(&mut bytes, long);
            let lengths = signed_len_bytes(signed) + signed_long_len_bytes(long);
            prop_assert_eq!(bytes.len(), unsigned_len_bytes(unsigned) + lengths);
            let mut left = &bytes[..];
            prop_assert_eq!(take_unsigned(&mut left), Some(unsigned));
            prop_assert_eq!(take_signed(&mut left), Some(signed));
            prop_assert_eq!(take_signed_long(&mut left), Some(long));
            prop_assert!(left.is_empty());
        }
    }

    #[test]
    fn kafkas_own_vectors() {
        for (value, expected) in [
            (0, &[0x00][..]),
            (-1, &[0x01]),
            (1, &[0x02]),
            (63, &[0x7e]),
            (-64, &[0x7f]),
            (64, &[0x80, 0x01]),
            (8191, &[0xfe, 0x7f]),
            (i32::MAX, &[0xfe, 0xff, 0xff, 0xff, 0x0f]),
            (i32::MIN, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        ] {
            let mut bytes = Vec::new();
            put_signed(&mut bytes, value);
            assert_eq!(bytes, expected, "{value}");
        }
    }

    #[test]
    fn what_never_ends_or_ends_too_late_is_refused() {
        for bytes in [&[][..], &[0x80], &[0xff; 4], &[0xff; 5], &[0x80, 0x80, 0x80, 0x80, 0x80, 0]]
        {
            let mut left = bytes;
            assert_eq!(take_unsigned(&mut left), None, "{bytes:x?}");
            assert_eq!(left, bytes, "nothing is taken");
        }
        assert_eq!(take_signed_long(&mut &[0xff; 11][..]), None);
        assert_eq!(take_signed_long(&mut &[0x80; 9][..]), None);
    }
}
