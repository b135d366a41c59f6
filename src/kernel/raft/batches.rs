//! Batches of the metadata log and of snapshots: uncompressed, of one append time, without a producer.

use bytes::Bytes;

use super::control::ControlRecord;
use crate::types::epoch::LeaderEpoch;
use crate::types::offset::Offset;
use crate::types::time::Timestamp;

const HEADER_BYTES: usize = 61;
const CRC_START: usize = 21;
const CONTROL: i16 = 0x20;

/// Why bytes are not a row of batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchReadError {
    /// Cut short.
    #[error("the batch at byte {0} is cut short")]
    Short(usize),
    /// Damaged.
    #[error("the batch at byte {0} is damaged")]
    Damaged(usize),
}

/// What a reader is told of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchInfo {
    pub base_offset: Offset,
    pub last_offset: Offset,
    pub epoch: LeaderEpoch,
    pub is_control: bool,
    pub max_timestamp: Timestamp,
}

/// A record.
pub struct Record {
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
}

/// A control batch.
pub fn control(
    base: Offset,
    epoch: LeaderEpoch,
    now: Timestamp,
    records: &[ControlRecord],
) -> Bytes {
    let pairs: Vec<_> = records.iter().map(|r| (Some(r.key()), r.value())).collect();
    build(base, epoch, now, CONTROL, &pairs)
}

/// A batch of metadata records.
pub fn records(base: Offset, epoch: LeaderEpoch, now: Timestamp, values: &[Bytes]) -> Bytes {
    let pairs: Vec<_> = values.iter().map(|v| (None, v.clone())).collect();
    build(base, epoch, now, 0, &pairs)
}

fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut z = ((value << 1) ^ (value >> 63)) as u64;
    while z >= 0x80 {
        out.push(z as u8 | 0x80);
        z >>= 7;
    }
    out.push(z as u8);
}

fn build(
    base: Offset,
    epoch: LeaderEpoch,
    now: Timestamp,
    attributes: i16,
    pairs: &[(Option<Bytes>, Bytes)],
) -> Bytes {
    let mut out = Vec::new();
    out.extend_from_slice(&base.0.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&epoch.0.to_be_bytes());
    out.push(2);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&attributes.to_be_bytes());
    out.extend_from_slice(&(pairs.len() as i32 - 1).to_be_bytes());
    out.extend_from_slice(&now.0.to_be_bytes());
    out.extend_from_slice(&now.0.to_be_bytes());
    out.extend_from_slice(&[0xff; 14]);
    out.extend_from_slice(&(pairs.len() as i32).to_be_bytes());
    for (index, (key, value)) in pairs.iter().enumerate() {
        let mut r = vec![0, 0];
        put_varint(&mut r, index as i64);
        match key {
            None => put_varint(&mut r, -1),
            Some(k) => {
                put_varint(&mut r, k.len() as i64);
                r.extend_from_slice(k);
            }
        }
        put_varint(&mut r, value.len() as i64);
        r.extend_from_slice(value);
        r.push(0);
        put_varint(&mut out, r.len() as i64);
        out.extend_from_slice(&r);
    }
    let length = out.len() as i32 - 12;
    out[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c::crc32c(&out[CRC_START..]);
    out[17..21].copy_from_slice(&crc.to_be_bytes());
    out.into()
}

/// Reads batch by batch.
pub fn read<E: From<BatchReadError>>(
    bytes: &Bytes,
    mut each: impl FnMut(&BatchInfo, Offset, Record) -> Result<(), E>,
) -> Result<(), E> {
    let mut at = 0;
    while at < bytes.len() {
        let short = BatchReadError::Short(at);
        let head = bytes.get(at..at + HEADER_BYTES).ok_or(short)?;
        let i32_at = |p: usize| i32::from_be_bytes(head[p..p + 4].try_into().unwrap_or_default());
        let i64_at = |p: usize| i64::from_be_bytes(head[p..p + 8].try_into().unwrap_or_default());
        let length = 12 + i32_at(8) as usize;
        let batch = bytes.get(at..at + length).ok_or(short)?;
        if crc32c::crc32c(&batch[CRC_START..]) != i32_at(17) as u32 {
            return Err(BatchReadError::Damaged(at).into());
        }
        let info = BatchInfo {
            base_offset: Offset(i64_at(0)),
            last_offset: Offset(i64_at(0) + i64::from(i32_at(23))),
            epoch: LeaderEpoch(i32_at(12)),
            is_control: batch[22] & 0x20 != 0,
            max_timestamp: Timestamp(i64_at(35)),
        };
        let mut rest = &batch[HEADER_BYTES..];
        let damaged = BatchReadError::Damaged(at);
        for _ in 0..i32_at(57) {
            let record = (|| {
                let _length = varint(&mut rest)?;
                rest = rest.get(1..)?;
                varint(&mut rest)?;
                let delta = varint(&mut rest)?;
                let key = slice(bytes, &mut rest)?;
                let value = slice(bytes, &mut rest)?;
                varint(&mut rest)?;
                Some((delta, Record { key, value }))
            })();
            let (delta, record) = record.ok_or(damaged)?;
            each(&info, info.base_offset + delta, record)?;
        }
        at += length;
    }
    Ok(())
}

fn varint(rest: &mut &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for shift in 0..10 {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(byte & 0x7f) << (7 * shift);
        if byte & 0x80 == 0 {
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

/// A nullable byte string: the outer none is a cut, the inner one a null.
#[expect(clippy::option_option, reason = "a cut is not a null")]
fn slice(bytes: &Bytes, rest: &mut &[u8]) -> Option<Option<Bytes>> {
    let length = varint(rest)?;
    if length < 0 {
        return Some(None);
    }
    let (head, tail) = rest.split_at_checked(length as usize)?;
    *rest = tail;
    Some(Some(bytes.slice_ref(head)))
}
