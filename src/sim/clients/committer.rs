//! A client without membership: it commits for a group of its own, and looks at what all groups have committed.

use super::administrator::GROUPS;
use super::{Desk, Line, commit_topics, fetch};
use crate::kernel::groups::offsets::CommitRequest;
use crate::kernel::groups::requests::owned;
use crate::sim::asks::{Answer, Ask};
use crate::sim::topics::FIRST_OF_CLIENTS;

/// See the module.
pub struct Committer {
    line: Line,
    offset: i64,
}

impl Committer {
    /// One that has committed nothing.
    pub fn new() -> Self {
        Self { line: Line::default(), offset: 0 }
    }

    /// It has something to do.
    pub fn on_wake(&mut self, desk: &mut Desk<'_>) {
        if self.line.is_waiting(desk) {
            return;
        }
        let pause = desk.chance.between(400, 4_000);
        let topic = FIRST_OF_CLIENTS + desk.chance.below(2) as usize;
        let place = (topic, desk.chance.below(2) as i32);
        let ask = if desk.chance.one_in(3) {
            self.offset += 1;
            Ask::Commit(Box::new(CommitRequest {
                group_id: owned("s0"),
                member_id: owned(""),
                group_instance_id: None,
                generation_id_or_member_epoch: -1,
                api_version: 9,
                retention_time_ms: -1,
                topics: commit_topics(&[(place, self.offset)]),
            }))
        } else {
            let group = desk.chance.pick(&GROUPS).copied().unwrap_or("s0");
            let places = [(FIRST_OF_CLIENTS, 0), (FIRST_OF_CLIENTS, 1), (FIRST_OF_CLIENTS + 1, 0)];
            fetch(group, &places, None, desk.chance.one_in(2))
        };
        self.line.ask(desk, ask, pause);
    }

    /// It is answered.
    pub fn on_answer(&mut self, number: u64, _answer: Answer) {
        self.line.takes(number);
    }
}
