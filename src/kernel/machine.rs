//! Replicated machines: what a coordinator is, apart from the disk, the clock and the network.
//!
//! A machine is one shard of a coordinator: it owns one partition of an internal topic, and its hard state is what
//! the records of that partition say, no more and no less. A driver (`shell::drivers::coordinators`) runs it under a
//! mutex, one call at a time, on the thread of whoever asks. A step goes so:
//!
//! 1. The driver asks the machine (`on_request`, `on_timeout`, `on_image`, `on_loaded`). The machine *decides*: it may
//!    read everything it has, may change soft state, and says in an [`Output`] which records are to be written. It does
//!    not touch hard state.
//! 2. The driver appends each [`Write`] as one batch, so that it is in the log whole or not at all, and gives its
//!    records to [`Machine::replay`] right after its append: the only door to hard state, the same as at a load.
//! 3. The replies leave once everything that was appended so far is committed, be it by this step or by others before
//!    it: nobody learns of a state that a failover could take back. A call that no output has replied to is *parked*
//!    until one does.
//!
//! Soft state is what may be lost with the shard: parked joins, timers, members of a forming generation. Where Kafka
//! rolls a failed write back (timeline structures), a shard here is dropped and loads again, if anything was written
//! or if the machine cannot help it; see [`Machine::on_refused`] for what was refused before anything was written.
//!
//! What is kept of a request or of a record is copied: both are slices of larger buffers, which they would pin.

use bytes::Bytes;

use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::metadata::changes::Changes;
use crate::kernel::metadata::image::Image;
use crate::types::epoch::{LeaderEpoch, ProducerEpoch};
use crate::types::error_code::ErrorCode;
use crate::types::ids::{PartitionId, ProducerId};
use crate::types::offset::Offset;
use crate::types::time::{Mono, Now, Timestamp};

/// What a request is known by until it is replied to. No two calls of a run have the same, not those of two shards
/// either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// Which shard a machine is, and of which term of office.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardId {
    /// The partition of the internal topic.
    pub partition: PartitionId,
    /// The epoch under which this node leads it: the coordinator epoch of transactions.
    pub leader_epoch: LeaderEpoch,
}

/// Everything that a machine may look at beside itself.
pub struct Env<'a> {
    /// The present.
    pub now: Now,
    /// The metadata. In `on_image` the new one, which is not published yet.
    pub image: &'a Image,
    /// The configuration, with what is set at run time.
    pub config: &'a BrokerConfig,
    /// 16 random bytes at each call.
    pub random: &'a mut dyn FnMut() -> [u8; 16],
}

/// Records that are appended as one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write<R> {
    /// The records, one at least.
    pub records: Vec<R>,
    /// Whose transaction the batch is part of (`TxnOffsetCommit`), if it is.
    pub transaction: Option<(ProducerId, ProducerEpoch)>,
}

/// What a machine decided.
#[derive(Debug, PartialEq, Eq)]
pub struct Output<R, P, E> {
    /// What is written, in this order, each in a batch of its own. A write may count on those before it.
    pub writes: Vec<Write<R>>,
    /// Replies, to this call or to parked ones. A call that is not known any more, because its client has gone, is
    /// passed over.
    pub replies: Vec<(CallId, P)>,
    /// What else is to happen once everything appended so far is committed: whatever the shell has been taught to do
    /// for such a machine. Lost if the shard is dropped before; what must happen is asked for again after a load.
    pub effects: Vec<E>,
}

impl<R, P, E> Default for Output<R, P, E> {
    fn default() -> Self {
        Self { writes: Vec::new(), replies: Vec::new(), effects: Vec::new() }
    }
}

impl<R, P, E> Output<R, P, E> {
    /// Nothing happens.
    pub fn none() -> Self {
        Self::default()
    }

    /// A reply, and nothing is written.
    pub fn reply(call: CallId, reply: P) -> Self {
        Self::default().with_reply(call, reply)
    }

    /// One write.
    pub fn write(records: Vec<R>) -> Self {
        Self::default().with_write(records)
    }

    /// And a write after the others; none if there are no records.
    #[must_use]
    pub fn with_write(mut self, records: Vec<R>) -> Self {
        if !records.is_empty() {
            self.writes.push(Write { records, transaction: None });
        }
        self
    }

    /// And a write that is part of a transaction; none if there are no records.
    #[cfg(test)]
    #[must_use]
    pub fn with_transactional_write(
        mut self,
        records: Vec<R>,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
    ) -> Self {
        if !records.is_empty() {
            self.writes.push(Write { records, transaction: Some((producer_id, producer_epoch)) });
        }
        self
    }

    /// And a reply.
    #[must_use]
    pub fn with_reply(mut self, call: CallId, reply: P) -> Self {
        self.replies.push((call, reply));
        self
    }

    /// And an effect.
    #[must_use]
    pub fn with_effect(mut self, effect: E) -> Self {
        self.effects.push(effect);
        self
    }

    /// And everything that `other` says, after what is here.
    pub fn append(&mut self, mut other: Self) {
        self.writes.append(&mut other.writes);
        self.replies.append(&mut other.replies);
        self.effects.append(&mut other.effects);
    }
}

/// Where a record lies in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Its offset.
    pub offset: Offset,
    /// Whose transaction it is part of, if it is: it counts from the marker on, if that commits.
    pub transaction: Option<(ProducerId, ProducerEpoch)>,
    /// Its time.
    pub timestamp: Timestamp,
}

/// The end of a transaction that wrote to this partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Where it lies.
    pub offset: Offset,
    /// Whose transaction it was.
    pub producer_id: ProducerId,
    /// The epoch in the marker, which under version 2 of transactions is above that of the records (KIP-890).
    pub producer_epoch: ProducerEpoch,
    /// Whether its records count.
    pub committed: bool,
}

/// A write that was refused before anything of it was written: it is too large, its producer is fenced, too few
/// replicas are in sync.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused<R> {
    /// What the calls were told, as Kafka's coordinators map it. The calls are those that the output replied to.
    pub code: ErrorCode,
    /// What is not in the log: the refused write and those after it. The ones before it are, and were replayed.
    pub writes: Vec<Write<R>>,
}

/// What a machine decides, in its own types.
pub type OutputOf<M> =
    Output<<M as Machine>::Record, <M as Machine>::Reply, <M as Machine>::Effect>;

/// See the module.
pub trait Machine: Send + Sized + 'static {
    /// What its log is made of: keys and values, decoded.
    type Record: Send;
    /// What it is asked.
    type Request: Send;
    /// What it replies. A refusal that concerns a client is a reply like any other; the driver's own errors reach the
    /// handler as an [`ErrorCode`] instead of a reply.
    type Reply: Send;
    /// What it wants done in the world; [`std::convert::Infallible`] if nothing.
    type Effect: Send;
    /// Why a record cannot be decoded.
    type DecodeError: std::fmt::Display;

    /// A shard before the first record of its log.
    fn new(id: ShardId) -> Self;

    /// Reads a record. None if it is of a type that this version does not know: it is passed over. An error ends the
    /// load, as in Kafka: the shard stays unavailable rather than forgetting something.
    fn decode(
        key: Option<&Bytes>,
        value: Option<&Bytes>,
    ) -> Result<Option<Self::Record>, Self::DecodeError>;

    /// A record's key and value; a tombstone has none.
    fn encode(record: &Self::Record) -> (Bytes, Option<Bytes>);

    /// The same, behind what the buffers hold, which are used again and again. False for a tombstone.
    fn encode_into(record: &Self::Record, key: &mut Vec<u8>, value: &mut Vec<u8>) -> bool {
        let (key_bytes, value_bytes) = Self::encode(record);
        key.extend_from_slice(&key_bytes);
        value.extend_from_slice(value_bytes.as_deref().unwrap_or_default());
        value_bytes.is_some()
    }

    /// Takes a record that is in the log, at a load or right after its append. Never fails, and depends on nothing but
    /// the records so far: the log may be a compacted one, in which any record but the last of each key may be missing.
    fn replay(&mut self, record: Self::Record, at: Replayed);

    /// Reads a record of the log at a load, and replays it. False if it is of a type that this version does not know. A
    /// machine with many records of one kind can do both without making a [`Self::Record`] of each.
    fn load(
        &mut self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        at: Replayed,
    ) -> Result<bool, Self::DecodeError> {
        let (key, value) = (key.map(Bytes::copy_from_slice), value.map(Bytes::copy_from_slice));
        let record = Self::decode(key.as_ref(), value.as_ref())?;
        Ok(record.map(|record| self.replay(record, at)).is_some())
    }

    /// Takes the end of a transaction that is in the log, at a load or right after its append.
    fn replay_marker(&mut self, marker: Marker);

    /// The whole log was replayed: timers of what was loaded begin. Nothing is asked before.
    fn on_loaded(&mut self, env: &mut Env<'_>) -> OutputOf<Self>;

    /// Decides a request.
    fn on_request(
        &mut self,
        env: &mut Env<'_>,
        call: CallId,
        request: Self::Request,
    ) -> OutputOf<Self>;

    /// Whether [`Self::on_image`] is to be called for such changes. The driver asks once for all shards.
    fn is_concerned_by(changes: &Changes) -> bool {
        let _ = changes;
        false
    }

    /// The metadata changed.
    fn on_image(&mut self, env: &mut Env<'_>, changes: &Changes) -> OutputOf<Self> {
        let _ = (env, changes);
        Output::none()
    }

    /// When [`Self::on_timeout`] is to be called, if ever. Asked after each step, so it costs next to nothing.
    fn next_deadline(&self) -> Option<Mono>;

    /// [`Self::next_deadline`] has come. What is left over for another call is due then, not before the driver has been
    /// elsewhere.
    fn on_timeout(&mut self, env: &mut Env<'_>) -> OutputOf<Self>;

    /// A write was refused before anything of it was written; the calls that the output replied to were told so, and
    /// its effects were dropped. The machine takes back what soft state said of it, and goes on with another output
    /// (for calls that are still parked, say). With None the shard is dropped and loads again, and all parked calls are
    /// told; that is right for every machine, but costs a load, so a write that a client can make fail at will must not
    /// end so. A second refusal in a row drops the shard all the same.
    fn on_refused(
        &mut self,
        env: &mut Env<'_>,
        refused: Refused<Self::Record>,
    ) -> Option<OutputOf<Self>> {
        let _ = (env, refused);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type TestOutput = Output<u8, &'static str, char>;

    #[test]
    fn an_output_adds_up_in_order_and_has_no_empty_write() {
        let mut output = TestOutput::write(vec![1])
            .with_write(Vec::new())
            .with_transactional_write(vec![2], ProducerId(7), ProducerEpoch(0))
            .with_transactional_write(Vec::new(), ProducerId(7), ProducerEpoch(0));
        output.append(TestOutput::reply(CallId(1), "yes").with_effect('x').with_write(vec![3]));
        let plain = |record| Write { records: vec![record], transaction: None };
        let transaction = Some((ProducerId(7), ProducerEpoch(0)));
        let transactional = Write { records: vec![2], transaction };
        assert_eq!(output.writes, [plain(1), transactional, plain(3)]);
        assert_eq!((output.replies, output.effects), (vec![(CallId(1), "yes")], vec!['x']));
        assert_eq!(TestOutput::none(), TestOutput::default());
    }
}
