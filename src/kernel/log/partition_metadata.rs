//! `partition.metadata`: which topic a partition's directory belongs to, across deletion and re-creation (KIP-516).

use crate::types::ids::{TopicId, uuid_from_text, uuid_to_text};

/// The name of the file in a partition's directory.
pub const PARTITION_METADATA: &str = "partition.metadata";
/// No honest file is longer; a longer one is not read.
pub const PARTITION_METADATA_BYTES_MAX: u64 = 4 * 1024;

/// Why a text is not a partition's metadata.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartitionMetadataError {
    /// A line that is not `key: value`, or not the expected key.
    #[error("malformed line in partition metadata: {0}")]
    Line(String),
    /// A line too few.
    #[error("partition metadata ends before {0}")]
    Missing(&'static str),
    /// Another version.
    #[error("unrecognized version of partition metadata: {0}")]
    Version(String),
    /// No topic's id.
    #[error("invalid topic ID in partition metadata: {0}")]
    TopicId(String),
}

/// The topic id that the text names.
pub fn parse(text: &str) -> Result<TopicId, PartitionMetadataError> {
    use PartitionMetadataError as E;
    let mut lines = text.lines();
    let mut value = |key: &'static str| {
        let line = lines.next().ok_or(E::Missing(key))?;
        match line.split_once(':') {
            Some((name, value)) if name.trim() == key => Ok(value.trim()),
            _ => Err(E::Line(line.to_owned())),
        }
    };
    let version = value("version")?;
    if version != "0" {
        return Err(E::Version(version.to_owned()));
    }
    let text = value("topic_id")?;
    let id = uuid_from_text(text).map(TopicId).filter(|id| *id != TopicId::ZERO);
    id.ok_or_else(|| E::TopicId(text.to_owned()))
}

/// The text that Kafka writes; no newline at the end.
pub fn to_text(topic_id: TopicId) -> String {
    format!("version: 0\ntopic_id: {}", uuid_to_text(topic_id.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_apache_writes_is_read_and_written_alike() {
        let text = "version: 0\ntopic_id: 7T7Dh2zYSeWlFgt6CAkQlg";
        assert_eq!(to_text(parse(text).unwrap()), text);
        let by_hand = "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ==\n";
        assert_eq!(parse(by_hand), Ok(TopicId::METADATA));
    }

    #[test]
    fn a_damaged_file_is_refused() {
        use PartitionMetadataError as E;
        let check = |text: &str, expected: E| assert_eq!(parse(text), Err(expected), "{text}");
        check("", E::Missing("version"));
        check("version: 0", E::Missing("topic_id"));
        check("version 0", E::Line("version 0".to_owned()));
        check("topic_id: x", E::Line("topic_id: x".to_owned()));
        check("version: 1\n", E::Version("1".to_owned()));
        check("version: 0\ntopic_id: x", E::TopicId("x".to_owned()));
        let zero = "AAAAAAAAAAAAAAAAAAAAAA";
        check(&format!("version: 0\ntopic_id: {zero}"), E::TopicId(zero.to_owned()));
    }
}
