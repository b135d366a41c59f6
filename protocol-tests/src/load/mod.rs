//! Load on groups and transactions: what a broker spends on them, and how long it takes, beside another in one run.
//!
//! - `spec`: which scenario, with which settings.
//! - `subject`: a broker under test. `cost`: what it and this process spend.
//! - `lanes`: many connections on one thread. `template`: a request that is sent many times.
//! - `latencies`, `report`: what is told.
//! - `members`, `producers`: the clients of the scenarios.
//! - `floor`: what the machine alone spends where a broker would work.
//! - `groups`, `live`, `rebalance`, `transactions`, `load_time`: the scenarios.
//!
//! A trial whose answers are not what they must be, in any byte that is looked at, panics: a figure of a broker
//! that does something else is worth nothing.

#![expect(clippy::cast_precision_loss, reason = "figures have fewer digits than a float")]

mod cost;
mod floor;
mod groups;
mod lanes;
mod latencies;
mod live;
mod load_time;
mod members;
mod producers;
mod readback;
mod rebalance;
mod report;
mod spec;
mod subject;
mod template;
mod transactions;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use kafka_protocol::messages::DeleteTopicsRequest;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use uuid::Uuid;

use crate::connection::Connection;
use crate::requests::{create_topic, topic_name};

pub use cost::Window;
pub use latencies::Latencies;
pub use report::{Report, table};
pub use spec::Spec;
pub use subject::{Cpus, Subject};

/// The errors of the protocol that clients act upon.
mod error {
    pub const NONE: i16 = 0;
    pub const ILLEGAL_GENERATION: i16 = 22;
    pub const REBALANCE_IN_PROGRESS: i16 = 27;
    pub const CONCURRENT_TRANSACTIONS: i16 = 51;
    pub const MEMBER_ID_REQUIRED: i16 = 79;

    /// The coordinator is not there yet: loading, not available, or another one.
    pub fn is_coordinator_away(code: i16) -> bool {
        matches!(code, 14..=16)
    }
}

/// Runs a scenario on a broker: a report for each trial.
pub fn run(spec: &Spec, subject: &mut Subject) -> Vec<Report> {
    let mut settings = spec.settings();
    let mut reports = match spec.name() {
        "groups" => groups::run(&groups::Settings::take(&mut settings), subject),
        "live" => vec![live::run(&live::Settings::take(&mut settings), subject)],
        "rebalance" => rebalance::run(&rebalance::Settings::take(&mut settings), subject),
        "transactions" => transactions::run(&transactions::Settings::take(&mut settings), subject),
        "load-time" => vec![load_time::run(&load_time::Settings::take(&mut settings), subject)],
        name => panic!("there is no scenario {name}"),
    };
    for report in &mut reports {
        if report.said("broker").is_empty() {
            report.lead("broker", &subject.name);
        }
        report.lead("scenario", spec.text());
    }
    reports
}

/// A name that nothing else of this run has.
fn unique(what: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{what}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A topic of a trial.
#[derive(Clone, Debug)]
struct Topic {
    name: String,
    id: Uuid,
    partitions: i32,
}

impl Topic {
    fn create(connection: &mut Connection, partitions: i32) -> Self {
        let name = unique("load");
        let id = create_topic(connection, &name, partitions, &[]);
        Self { name, id, partitions }
    }

    /// Trials must not pile up.
    fn delete(self, connection: &mut Connection) {
        let state = DeleteTopicState::default().with_name(Some(topic_name(&self.name)));
        let request =
            DeleteTopicsRequest::default().with_topics(vec![state]).with_timeout_ms(30_000);
        let answer = connection.ask(6, &request);
        assert_eq!(answer.responses[0].error_code, error::NONE, "{answer:?}");
    }
}

fn connect(address: SocketAddr) -> Connection {
    Connection::new(std::net::TcpStream::connect(address).unwrap())
}
