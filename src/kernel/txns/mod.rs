//! Transactions: who is in the middle of one, how it was decided, and what is still to be told to its partitions (KIP-98,
//! KIP-360, KIP-664, KIP-890).
//!
//! A [`TransactionShard`] owns one partition of `__transaction_state`, and with it all transactional ids whose hash falls
//! there. For each id the log's last record says which producer id and epoch it has, and in what state its transaction
//! is. What holds at any time:
//!
//! - states change along the edges of [`TransactionState::may_follow`] and no others;
//! - a producer id and epoch has one open transaction at most; an epoch never wraps, but goes on under a new producer id;
//! - a decision is in the log before the first marker of it is written, and each marker of a transaction says the same;
//! - a decided transaction is completed, whatever fails: its markers are asked for again until all are written, also
//!   after a load. While that lasts, whoever asks for more is told `CONCURRENT_TRANSACTIONS`.
//!
//! Producer ids come from blocks of the controller, which the shard cannot wait for: where it needs one it says so, and
//! whoever asks brings one along.
//!
//! Differences from Apache Kafka: a transaction that takes too long is aborted at its time, where Kafka looks every
//! `transaction.abort.timed.out.transaction.cleanup.interval.ms`; an abort of the coordinator's own that exhausts the
//! epochs goes on under the old producer id at the last epoch, which no client has, until the next `InitProducerId`.
pub mod asking;
pub mod state;
pub mod transaction;
pub mod vouching;

mod ending;
mod hard_state;
mod initializing;
mod joining;
mod listing;
mod shard;
mod soft_state;
#[cfg(test)]
mod tests;

pub use asking::{
    AddPartitions, Answered, EndTransaction, InitProducerId, Listing, MarkerOutcome,
    MarkerOutcomes, TransactionReply, TransactionRequest, VerifyPartitions, WriteMarkers,
};
#[cfg(test)]
pub use asking::{Description, ListedTransaction};
pub use shard::TransactionShard;
#[cfg(any(test, feature = "sim"))]
pub use shard::record as log_record;
pub use state::TransactionState;

use crate::types::epoch::ProducerEpoch;

/// The feature whose level says how transactions work here: 1 logs flexible records, 2 bumps the epoch with each
/// transaction (KIP-890).
pub const TRANSACTION_VERSION: &str = "transaction.version";
/// From this level on, records have room for what a producer had before and goes on with.
pub const FLEXIBLE_VALUES: i16 = 1;
/// From this level on, the epoch rises with each transaction.
pub const EPOCH_BUMPS: i16 = 2;

/// So many partitions may take part in one transaction: its record would not fit into a batch otherwise.
pub const PARTITIONS_MAX: usize = 50_000;
/// The longest transactional id: what a length of 16 bits can say, as it stands in the records.
pub const TRANSACTIONAL_ID_BYTES_MAX: usize = i16::MAX as usize;
/// What the ids and partitions of one shard may take together; a new id is refused beyond.
pub const STATE_BYTES_MAX: usize = 32 << 20;

/// Whether an epoch is the last that a client may have: the one above is kept for fencing it.
pub const fn is_exhausted(epoch: ProducerEpoch) -> bool {
    epoch.0 >= i16::MAX - 1
}
