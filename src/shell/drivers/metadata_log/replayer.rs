//! The image that a start makes of the log.

use bytes::Bytes;

use super::loader::Replay;
use crate::kernel::metadata::delta::Delta;
use crate::kernel::metadata::image::Image;
use crate::wire::records::MetadataRecord;

/// Replays into an image, and goes back where a transaction does not count.
#[derive(Clone, Debug)]
pub struct Replayer {
    delta: Delta,
    /// What to go back to. It shares with `delta` what has not changed since.
    kept: Delta,
}

impl Default for Replayer {
    fn default() -> Self {
        let delta = Delta::new(&Image::empty());
        Self { kept: delta.clone(), delta }
    }
}

impl Replayer {
    /// All that is in the log as the beginning of what a controller builds upon.
    pub fn into_delta(self) -> Delta {
        self.delta
    }
}

impl Replay for Replayer {
    fn replay(&mut self, value: &Bytes) -> Result<(), String> {
        let record = MetadataRecord::decode(value).map_err(|error| error.to_string())?;
        self.delta.replay(&record).map_err(|error| error.to_string())
    }

    fn keep(&mut self) {
        self.kept = self.delta.clone();
    }

    fn forget(&mut self) {
        self.delta = self.kept.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::metadata::changes::Changes;
    use crate::kernel::metadata::image::Provenance;
    use crate::kernel::raft::batches;
    use crate::shell::drivers::metadata_log::loader::{LoadError, Loader};
    use crate::types::epoch::LeaderEpoch;
    use crate::types::ids::TopicName;
    use crate::types::offset::Offset;
    use crate::types::time::Timestamp;
    use crate::wire::records::{
        AbortTransactionRecord, BeginTransactionRecord, EndTransactionRecord, TopicRecord,
    };

    fn load(log: &Bytes) -> Result<(Image, Changes), LoadError> {
        let mut replayer = Replayer::default();
        let mut loader = Loader::new(&mut replayer);
        loader.batches(log)?;
        let loaded = loader.finish();
        let at = Provenance {
            offset: Offset(loaded.next.0 - 1),
            epoch: loaded.last_epoch,
            timestamp: loaded.last_timestamp,
        };
        Ok(replayer.into_delta().finish(at))
    }

    /// A log of words: `(`, `)` and `!` begin, end and abort a transaction, the others are topics.
    fn log(words: &str) -> Bytes {
        let record = |(index, word): (usize, &str)| match word {
            "(" => MetadataRecord::from(BeginTransactionRecord::default()),
            ")" => EndTransactionRecord::default().into(),
            "!" => AbortTransactionRecord::default().into(),
            name => {
                let topic_id = uuid::Uuid::from_u128(index as u128 + 100);
                TopicRecord { name: name.to_owned(), topic_id }.into()
            }
        };
        let values: Vec<Bytes> =
            words.split_whitespace().enumerate().map(|word| record(word).encode(30)).collect();
        batches::records(Offset(0), LeaderEpoch(2), Timestamp(77), &values)
    }

    #[test]
    fn what_is_aborted_or_left_open_is_in_no_image() {
        let check = |words: &str, expected: &str| {
            let (image, changes) = load(&log(words)).unwrap();
            let names: Vec<&str> = image.topics.by_name.keys().map(TopicName::as_str).collect();
            assert_eq!(names.join(" "), expected, "{words}");
            assert_eq!(changes.topics_created.len(), names.len(), "{words}");
            let last = words.split_whitespace().count() as i64 - 1;
            let at = Provenance {
                offset: Offset(last),
                epoch: LeaderEpoch(2),
                timestamp: Timestamp(77),
            };
            assert_eq!(image.at, at, "{words}");
        };
        check("a b", "a b");
        check("a ( b ) c", "a b c");
        check("a ( b ! c", "a c");
        check("a ( b", "a");
        check("( a ! ( a ) ( b", "a");
    }

    #[test]
    fn a_record_that_contradicts_or_does_not_read_ends_the_load() {
        let why = "there is a topic named a already".to_owned();
        assert_eq!(load(&log("a b a")), Err(LoadError::Record { offset: Offset(2), why }));
        let value = Bytes::from_static(&[1, 2, 0, 1]);
        let unread = batches::records(Offset(5), LeaderEpoch(2), Timestamp(1), &[value]);
        let why = "a record of type 2: it ends within a field".to_owned();
        assert_eq!(load(&unread), Err(LoadError::Record { offset: Offset(5), why }));
    }

    #[test]
    fn apaches_log_loads() {
        let bytes = include_bytes!("../../../wire/records/testdata/apache-4.3.1.log");
        let (image, changes) = load(&Bytes::from_static(bytes)).unwrap();
        assert_eq!(image.metadata_version(), 30);
        assert_eq!(image.at.offset, Offset(46));
        assert_eq!((changes.topics_created.len(), changes.partitions_changed.len()), (3, 3));
        assert!(changes.features_changed);
    }
}
