//! A partition has one owner in one generation of a group, and at one instant.

use std::collections::HashMap;

use super::facts::Facts;
use super::{Check, Found, Kind, Subject};
use crate::history::{Action, Operation};

/// The owners, by group, generation and partition.
#[derive(Debug, Default)]
pub struct DoubleOwner(HashMap<(u32, i32, u32), u32>);

impl Check for DoubleOwner {
    fn operation(&mut self, operation: &Operation, _: &Facts, found: &mut Found) {
        if let Action::Owned { group, generation, partitions } = &operation.action {
            let twice = |(at, it): (usize, &u32)| partitions[..at].contains(it).then_some(*it);
            if let Some(partition) = partitions.iter().enumerate().find_map(twice) {
                found.add(Kind::DoubleOwner, Subject::group(*group, partition), || {
                    format!("group {group}, {generation}: {partition} has two owners")
                });
            }
        }
        let Action::Assigned { group, generation, partitions } = &operation.action else {
            return;
        };
        let client = operation.client;
        for partition in partitions {
            let owner = *self.0.entry((*group, *generation, *partition)).or_insert(client);
            if owner != client {
                found.add(Kind::DoubleOwner, Subject::group(*group, *partition), || {
                    format!("group {group}, {generation}: {partition} to {owner} and {client}")
                });
            }
        }
    }
}
