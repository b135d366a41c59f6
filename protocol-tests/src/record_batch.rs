//! Record batches made and checked byte by byte.

use crate::fields::{Malformed, Reader, Writer};

/// The bytes before a batch's length counts: base offset and the length itself.
const PREFIX_BYTES: usize = 12;
/// Where the checksum covers from: attributes.
const CHECKED_FROM: usize = 21;

/// What a batch says before its records; `sealed` makes it a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct RecordBatch {
    /// The offset of the first record.
    pub base_offset: i64,
    /// The epoch of the leader that appended it.
    pub partition_leader_epoch: i32,
    /// The format.
    pub magic: i8,
    /// Codec, kind of timestamp, transactional, control.
    pub attributes: i16,
    /// The offset of the last record, from the base.
    pub last_offset_delta: i32,
    /// The time of the first record.
    pub base_timestamp: i64,
    /// The latest time.
    pub max_timestamp: i64,
    /// Who produced it.
    pub producer_id: i64,
    /// Which life of the producer.
    pub producer_epoch: i16,
    /// The producer's number of the first record.
    pub base_sequence: i32,
    /// How many records the header tells.
    pub count: i32,
    /// The records, encoded and perhaps compressed.
    pub records: Vec<u8>,
}

impl RecordBatch {
    /// A batch of no producer, at offset 0, whose records are all of one time.
    pub fn new(timestamp: i64) -> Self {
        Self {
            base_offset: 0,
            partition_leader_epoch: 0,
            magic: 2,
            attributes: 0,
            last_offset_delta: -1,
            base_timestamp: timestamp,
            max_timestamp: timestamp,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            count: 0,
            records: Vec::new(),
        }
    }

    /// With one more record, without headers.
    pub fn record(self, key: Option<&[u8]>, value: Option<&[u8]>) -> Self {
        self.record_with_header_count(key, value, 0)
    }

    /// With one more record that announces so many headers and has none.
    pub fn record_with_header_count(
        mut self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        header_count: i64,
    ) -> Self {
        let blob = |writer: Writer, bytes: Option<&[u8]>| match bytes {
            Some(bytes) => writer.varint(bytes.len() as i64).raw(bytes),
            None => writer.varint(-1),
        };
        let body = Writer::default().i8(0).varint(0).varint(i64::from(self.count));
        let body = blob(blob(body, key), value).varint(header_count).0;
        self.records = Writer(self.records).varint(body.len() as i64).raw(&body).0;
        self.count += 1;
        self.last_offset_delta += 1;
        self
    }

    /// From a producer.
    pub fn from_producer(mut self, id: i64, epoch: i16, base_sequence: i32) -> Self {
        (self.producer_id, self.producer_epoch, self.base_sequence) = (id, epoch, base_sequence);
        self
    }

    /// The bytes, with their length and checksum.
    pub fn sealed(&self) -> Vec<u8> {
        let mut bytes = Writer::default()
            .i64(self.base_offset)
            .i32(0)
            .i32(self.partition_leader_epoch)
            .i8(self.magic)
            .i32(0)
            .i16(self.attributes)
            .i32(self.last_offset_delta)
            .i64(self.base_timestamp)
            .i64(self.max_timestamp)
            .i64(self.producer_id)
            .i16(self.producer_epoch)
            .i32(self.base_sequence)
            .i32(self.count)
            .raw(&self.records)
            .0;
        let length = (bytes.len() - PREFIX_BYTES) as i32;
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        seal(&mut bytes);
        bytes
    }

    /// Takes one batch from the front, whose length, records and checksum must be right. Header counts are
    /// not looked at: the stages' files have -1 there.
    pub fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let whole = reader.0;
        let base_offset = reader.i64()?;
        let length = usize::try_from(reader.i32()?).map_err(|_| Malformed("length < 0".into()))?;
        let mut body = Reader(reader.raw(length)?);
        let partition_leader_epoch = body.i32()?;
        let magic = body.i8()?;
        let crc = body.i32()? as u32;
        let computed = crc32c::crc32c(&whole[CHECKED_FROM..PREFIX_BYTES + length]);
        if magic != 2 || crc != computed {
            return Err(Malformed(format!("magic {magic}, crc {crc:08x} for {computed:08x}")));
        }
        let mut batch = Self {
            base_offset,
            partition_leader_epoch,
            magic,
            attributes: body.i16()?,
            last_offset_delta: body.i32()?,
            base_timestamp: body.i64()?,
            max_timestamp: body.i64()?,
            producer_id: body.i64()?,
            producer_epoch: body.i16()?,
            base_sequence: body.i32()?,
            count: body.i32()?,
            records: Vec::new(),
        };
        batch.records = body.0.to_vec();
        if batch.attributes % 8 == 0 {
            for _ in 0..batch.count {
                let length = body.varint()?;
                body.raw(usize::try_from(length).map_err(|_| Malformed("record < 0".into()))?)?;
            }
            if !body.0.is_empty() {
                return Err(Malformed(format!("{} bytes after the records", body.0.len())));
            }
        }
        Ok(batch)
    }

    /// The values of its records, which are not compressed and not null.
    pub fn values(&self) -> Vec<Vec<u8>> {
        let mut reader = Reader(&self.records);
        let value = |_| {
            let length = reader.varint()?;
            let mut record = Reader(reader.raw(length as usize)?);
            record.i8()?;
            record.varint()?;
            record.varint()?;
            let key = record.varint()?;
            record.raw(key.max(0) as usize)?;
            let value = record.varint()?;
            record.raw(value as usize).map(<[u8]>::to_vec)
        };
        (0..self.count).map(value).collect::<Result<_, Malformed>>().unwrap()
    }

    /// All batches of `bytes`, which they must fill exactly.
    pub fn all(bytes: &[u8]) -> Result<Vec<Self>, Malformed> {
        let mut reader = Reader(bytes);
        let mut batches = Vec::new();
        while !reader.0.is_empty() {
            batches.push(Self::take(&mut reader)?);
        }
        Ok(batches)
    }
}

/// The checksum that a batch's bytes carry.
pub fn crc_of(batch: &[u8]) -> u32 {
    u32::from_be_bytes(batch[17..21].try_into().unwrap())
}

/// Makes the checksum of a batch's bytes right.
pub fn seal(batch: &mut [u8]) {
    let crc = crc32c::crc32c(&batch[CHECKED_FROM..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}
