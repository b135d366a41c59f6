//! The answers of the four APIs, decoded as the tester does.

use protocol_tests::fields::{Malformed, Reader};

type Read<T> = Result<T, Malformed>;

/// The range of one API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    pub key: i16,
    pub min: i16,
    pub max: i16,
}

/// ApiVersions v4.
#[derive(Debug)]
pub struct ApiVersions {
    pub error: i16,
    pub keys: Vec<Listed>,
    /// Name and level of the features in force.
    pub finalized: Vec<(String, i16)>,
}

impl ApiVersions {
    pub fn decode(body: &[u8]) -> Read<Self> {
        let reader = &mut Reader(body);
        let error = reader.i16()?;
        let keys = reader.array(|reader| {
            let listed = Listed { key: reader.i16()?, min: reader.i16()?, max: reader.i16()? };
            reader.tags().map(|_| listed)
        })?;
        reader.i32()?;
        let mut finalized = None;
        for (number, bytes) in reader.tags()? {
            if number == 2 {
                finalized = Reader(bytes).array(|reader| {
                    let name = reader.text()?.unwrap_or_default();
                    let level = reader.i16()?;
                    reader.i16()?;
                    reader.tags().map(|_| (name, level))
                })?;
            }
        }
        ended(reader)?;
        Ok(Self { error, keys: keys.unwrap_or_default(), finalized: finalized.unwrap_or_default() })
    }

    /// Whether a request of this version is within what is listed.
    pub fn covers(&self, key: i16, version: i16) -> bool {
        let listed = self.keys.iter().find(|listed| listed.key == key);
        listed.is_some_and(|it| it.min >= 0 && it.min <= version && it.max >= version)
    }
}

/// DescribeTopicPartitions v0.
#[derive(Debug)]
pub struct Listing {
    pub topics: Vec<ListedTopic>,
    /// Where the next page starts.
    pub cursor: Option<(String, i32)>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct ListedTopic {
    pub error: i16,
    pub name: Option<String>,
    pub id: [u8; 16],
    pub partitions: Vec<ListedPartition>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct ListedPartition {
    pub error: i16,
    pub index: i32,
    pub leader: i32,
    pub replicas: Vec<i32>,
    pub isr: Vec<i32>,
}

impl Listing {
    pub fn decode(body: &[u8]) -> Read<Self> {
        let reader = &mut Reader(body);
        reader.i32()?;
        let topics = reader.array(ListedTopic::decode)?.unwrap_or_default();
        let cursor = if reader.i8()? == -1 {
            None
        } else {
            let cursor = (reader.text()?.unwrap_or_default(), reader.i32()?);
            reader.tags()?;
            Some(cursor)
        };
        reader.tags()?;
        ended(reader)?;
        Ok(Self { topics, cursor })
    }
}

impl ListedTopic {
    fn decode(reader: &mut Reader<'_>) -> Read<Self> {
        let error = reader.i16()?;
        let name = reader.text()?;
        let id = reader.uuid()?;
        reader.i8()?;
        let partitions = reader.array(ListedPartition::decode)?.unwrap_or_default();
        reader.i32()?;
        reader.tags()?;
        Ok(Self { error, name, id, partitions })
    }
}

impl ListedPartition {
    fn decode(reader: &mut Reader<'_>) -> Read<Self> {
        let nodes =
            |reader: &mut Reader<'_>| reader.array(Reader::i32).map(Option::unwrap_or_default);
        let (error, index, leader) = (reader.i16()?, reader.i32()?, reader.i32()?);
        let _leader_epoch = reader.i32()?;
        let (replicas, isr) = (nodes(reader)?, nodes(reader)?);
        for _eligible_last_known_and_offline in 0..3 {
            nodes(reader)?;
        }
        reader.tags()?;
        Ok(Self { error, index, leader, replicas, isr })
    }
}

/// Fetch v16.
#[derive(Debug)]
pub struct Fetched {
    pub throttle_time_ms: i32,
    pub error: i16,
    /// The topics; null, which no broker sends, is `None`.
    pub topics: Option<Vec<FetchedTopic>>,
}

#[derive(Debug)]
pub struct FetchedTopic {
    pub id: [u8; 16],
    pub partitions: Vec<FetchedPartition>,
}

#[derive(Debug)]
pub struct FetchedPartition {
    pub index: i32,
    pub error: i16,
    pub high_watermark: i64,
    pub log_start_offset: i64,
    pub records: Vec<u8>,
}

impl Fetched {
    pub fn decode(body: &[u8]) -> Read<Self> {
        let reader = &mut Reader(body);
        let (throttle_time_ms, error) = (reader.i32()?, reader.i16()?);
        reader.i32()?;
        let topics = reader.array(|reader| {
            let id = reader.uuid()?;
            let partitions = reader.array(FetchedPartition::decode)?.unwrap_or_default();
            reader.tags().map(|_| FetchedTopic { id, partitions })
        })?;
        reader.tags()?;
        ended(reader)?;
        Ok(Self { throttle_time_ms, error, topics })
    }
}

impl FetchedPartition {
    fn decode(reader: &mut Reader<'_>) -> Read<Self> {
        let (index, error) = (reader.i32()?, reader.i16()?);
        let (high_watermark, _, log_start_offset) = (reader.i64()?, reader.i64()?, reader.i64()?);
        // The tester cannot decode an aborted transaction.
        let aborted = reader.array(|_| Ok(()))?.unwrap_or_default();
        assert!(aborted.is_empty(), "aborted transactions");
        reader.i32()?;
        let records = reader.compact()?.unwrap_or_default().to_vec();
        reader.tags()?;
        Ok(Self { index, error, high_watermark, log_start_offset, records })
    }
}

/// Produce v11.
#[derive(Debug)]
pub struct Produced {
    pub topics: Vec<(String, Vec<ProducedPartition>)>,
    pub throttle_time_ms: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducedPartition {
    pub index: i32,
    pub error: i16,
    pub base_offset: i64,
    pub log_append_time_ms: i64,
    pub log_start_offset: i64,
}

impl Produced {
    pub fn decode(body: &[u8]) -> Read<Self> {
        let reader = &mut Reader(body);
        let topics = reader.array(|reader| {
            let name = reader.text()?.unwrap_or_default();
            let partitions = reader.array(ProducedPartition::decode)?.unwrap_or_default();
            reader.tags().map(|_| (name, partitions))
        })?;
        let throttle_time_ms = reader.i32()?;
        reader.tags()?;
        ended(reader)?;
        Ok(Self { topics: topics.unwrap_or_default(), throttle_time_ms })
    }
}

impl ProducedPartition {
    fn decode(reader: &mut Reader<'_>) -> Read<Self> {
        let partition = Self {
            index: reader.i32()?,
            error: reader.i16()?,
            base_offset: reader.i64()?,
            log_append_time_ms: reader.i64()?,
            log_start_offset: reader.i64()?,
        };
        reader.array(|reader| {
            reader.i32()?;
            reader.text()?;
            reader.tags()
        })?;
        reader.text()?;
        reader.tags()?;
        Ok(partition)
    }
}

/// Stricter than the tester, which looks at the length prefix alone.
fn ended(reader: &Reader<'_>) -> Read<()> {
    match reader.0.len() {
        0 => Ok(()),
        left => Err(Malformed(format!("{left} bytes after the last field"))),
    }
}
