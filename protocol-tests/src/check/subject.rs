//! What an anomaly is about, and which operations of a history tell of it.

use crate::history::{Action, Operation, Value, Writer};

/// A place, a value, a transaction or a group's partition: as much of it as the anomaly is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The partition.
    pub partition: u32,
    /// The offset in it.
    pub offset: Option<i64>,
    /// The value.
    pub value: Option<Value>,
    /// The transaction.
    pub transaction: Option<u32>,
    /// The group; then partition is what it reads.
    pub group: Option<u32>,
}

impl Subject {
    /// A place in a log.
    pub fn place(partition: u32, offset: i64) -> Self {
        Self { partition, offset: Some(offset), ..Self::default() }
    }

    /// A value, and the partition in question.
    pub fn value(partition: u32, value: Value) -> Self {
        Self { partition, value: Some(value), ..Self::default() }
    }

    /// What a group has of a partition.
    pub fn group(group: u32, partition: u32) -> Self {
        Self { partition, group: Some(group), ..Self::default() }
    }

    /// Whether an operation tells of it; kills tell of everything.
    pub fn is_told_by(&self, operation: &Operation) -> bool {
        let Self { partition: of, offset: at, value, transaction: within, group: by } = *self;
        let is_in_group = |group: u32, partition: u32| by == Some(group) && partition == of;
        match &operation.action {
            Action::Write { partition, first, count, writer, offset } => {
                let count = *count;
                let has_value = value.is_some_and(|it| (*first..*first + count).contains(&it));
                let is_here = match (at, offset) {
                    (Some(at), Some(offset)) => (*offset..*offset + i64::from(count)).contains(&at),
                    _ => false,
                };
                let is_within = within.is_some_and(|it| *writer == Writer::Transaction(it));
                has_value || is_within || is_here && *partition == of
            }
            Action::Read { partition, from, next, .. } => {
                let is_over = at.is_some_and(|at| (*from..*next).contains(&at));
                is_over && *partition == of && by.is_none()
            }
            Action::End { transaction, .. } => within == Some(*transaction),
            Action::Commit { group, partition, transaction, .. } => {
                is_in_group(*group, *partition) || within.is_some() && within == *transaction
            }
            Action::Committed { group, partition, .. } => is_in_group(*group, *partition),
            Action::Assigned { group, partitions, .. }
            | Action::Owned { group, partitions, .. } => {
                by == Some(*group) && partitions.contains(&of)
            }
            Action::Settled { group } => by == Some(*group),
            Action::Copied { group, partition, transaction, .. } => {
                is_in_group(*group, *partition) || within == Some(*transaction)
            }
            Action::Latest { partition, offset, .. } => at == Some(*offset) && *partition == of,
            Action::Kill => true,
        }
    }
}
