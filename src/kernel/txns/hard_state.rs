//! What the records of the shard's partition say, and nothing else: always the same as after a load.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::asking::LogRecord;
use super::transaction::Transaction;

/// About what an entry takes beside its id and its partitions.
const ENTRY_BYTES: usize = 3 * size_of::<Transaction>();

/// Each transactional id's last record. In the order of the ids.
#[derive(Debug, Default, PartialEq)]
pub struct HardState {
    by_id: BTreeMap<Arc<str>, Transaction>,
    size_bytes: usize,
}

impl HardState {
    /// Takes a record.
    pub fn replay(&mut self, record: LogRecord) {
        let LogRecord { transactional_id: id, transaction, .. } = record;
        let Some(transaction) = transaction else {
            self.remove(&id);
            return;
        };
        self.size_bytes += size_bytes(&id, &transaction);
        match self.by_id.get_mut(&id) {
            Some(there) => {
                self.size_bytes -= size_bytes(&id, there);
                *there = transaction;
            }
            None => {
                self.by_id.insert(id, transaction);
            }
        }
    }

    fn remove(&mut self, id: &str) {
        if let Some((id, before)) = self.by_id.remove_entry(id) {
            self.size_bytes -= size_bytes(&id, &before);
        }
    }

    /// What is known of an id.
    pub fn get(&self, id: &str) -> Option<&Transaction> {
        self.by_id.get(id)
    }

    /// All ids, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Transaction)> {
        self.by_id.iter()
    }

    /// Those after `id`, in order; all of them if there is none.
    pub fn after<'a>(
        &'a self,
        id: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Transaction)> {
        use std::ops::Bound;
        let from = id.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_id.range::<str, _>((from, Bound::Unbounded))
    }

    /// About how much memory it takes.
    pub const fn size_bytes(&self) -> usize {
        self.size_bytes
    }
}

fn size_bytes(id: &str, transaction: &Transaction) -> usize {
    ENTRY_BYTES + id.len() + transaction.partitions.size_bytes()
}
