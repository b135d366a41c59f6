//! Load on groups and transactions: scenarios on one broker or several, in turn. One line of JSON for each trial on
//! standard output, a table of all on standard error. Ends with 1 when anything is not as it must be.
//!
//! ```text
//! load [option value]… scenario[:key=value,…]…
//! ```
//!
//! `--broker PROGRAM` (again for each; ours), `--rounds N` (2, in the order A B B A), `--before SCENARIO` (once on
//! each broker before all others, not told: a JVM needs it), `--cpus BROKERS,OWN` (where the brokers and this program run), `--set key=value`
//! (for every broker).

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program that tells")]
#![expect(clippy::unwrap_used, reason = "a trial that cannot go on has failed")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;

use protocol_tests::load::{Cpus, Report, Spec, Subject, run, table};
use protocol_tests::program::broker;

/// What was asked for.
#[derive(Debug, Default)]
struct Arguments {
    brokers: Vec<PathBuf>,
    rounds: usize,
    before: Vec<Spec>,
    cpus: Option<Cpus>,
    properties: Vec<(String, String)>,
    scenarios: Vec<Spec>,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Self {
        let mut arguments = Self { rounds: 2, ..Self::default() };
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| panic!("{word} has no value"));
            match word.as_str() {
                "--broker" => arguments.brokers.push(value().into()),
                "--rounds" => arguments.rounds = value().parse().unwrap(),
                "--before" => arguments.before.push(Spec::parse(&value())),
                "--cpus" => {
                    let pair = value();
                    let (broker, own) = pair.split_once(',').unwrap();
                    let (broker, own) = (broker.parse().unwrap(), own.parse().unwrap());
                    arguments.cpus = Some(Cpus { broker, own });
                }
                "--set" => {
                    let pair = value();
                    let (key, value) = pair.split_once('=').unwrap();
                    arguments.properties.push((key.to_owned(), value.to_owned()));
                }
                option if option.starts_with("--") => panic!("there is no option {option}"),
                scenario => arguments.scenarios.push(Spec::parse(scenario)),
            }
        }
        assert!(!arguments.scenarios.is_empty(), "no scenario");
        if arguments.brokers.is_empty() {
            arguments.brokers.push(broker());
        }
        arguments
    }
}

fn main() -> ExitCode {
    // What was wrong is told when it happens.
    match catch_unwind(AssertUnwindSafe(measure)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn measure() {
    let arguments = Arguments::parse(std::env::args().skip(1));
    let properties: Vec<(&str, &str)> =
        arguments.properties.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let start = |program: &PathBuf| {
        let subject = Subject::start(program, &properties, arguments.cpus);
        subject.suspend();
        subject
    };
    let mut subjects: Vec<Subject> = arguments.brokers.iter().map(start).collect();
    for spec in &arguments.before {
        for subject in &mut subjects {
            trial(spec, subject);
        }
    }
    let mut reports = Vec::new();
    for spec in &arguments.scenarios {
        for round in 0..arguments.rounds {
            for turn in 0..subjects.len() {
                let is_back = round % 2 == 1;
                let index = if is_back { subjects.len() - 1 - turn } else { turn };
                let told = trial(spec, &mut subjects[index]);
                for report in &told {
                    println!("{report}");
                }
                reports.extend(told);
            }
        }
    }
    eprint!("{}", table(&reports));
}

fn trial(spec: &Spec, subject: &mut Subject) -> Vec<Report> {
    subject.resume();
    let reports = run(spec, subject);
    subject.suspend();
    reports
}
