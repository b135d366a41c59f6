//! What producers are told to be: nobody gets what another has, and no epoch is outside of what clients may have.

use std::collections::{BTreeMap, BTreeSet};

use crate::kernel::txns::{Answered, TransactionReply};
use crate::sim::asks::Ask;
use crate::sim::sometimes::{Counters, Sometimes};
use crate::types::error_code::ErrorCode;

/// See the module.
#[derive(Debug, Default)]
pub struct Identities {
    /// What newcomers were told.
    given: BTreeSet<(i64, i16)>,
    /// What the end of each transaction was answered with.
    ended: BTreeMap<(i64, i16), (i64, i16)>,
}

impl Identities {
    /// A reply leaves.
    pub fn check(
        &mut self,
        ask: &Ask,
        reply: &TransactionReply,
        counters: &mut Counters,
    ) -> Result<(), String> {
        if let (Ask::End(_), Err(ErrorCode::ProducerFenced | ErrorCode::InvalidTxnState)) =
            (ask, reply)
        {
            counters.hit(Sometimes::LateEndRefused);
        }
        let Ok(Answered::Producer(id, epoch)) = reply else { return Ok(()) };
        let told = (id.0, epoch.0);
        if told.0 < 0 || told.1 < 0 || told.1 == i16::MAX {
            return Err(format!("a producer is told to be {told:?}"));
        }
        match ask {
            Ask::Init(asked) if asked.expected.is_none() && !self.given.insert(told) => {
                return Err(format!("two producers are told to be {told:?}"));
            }
            Ask::End(asked) => {
                let ended = (asked.producer_id.0, asked.producer_epoch.0);
                if ended == told {
                    return Err(format!("{told:?} is to go on as it is after an end"));
                }
                let before = self.ended.insert(ended, told);
                if before == Some(told) {
                    counters.hit(Sometimes::EndRepeated);
                } else if let Some(before) = before {
                    return Err(format!("{ended:?} is told {before:?}, and then {told:?}"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
