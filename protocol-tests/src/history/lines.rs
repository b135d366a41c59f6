//! An operation as a line of words: `CLIENT INVOKED COMPLETED OUTCOME ACTION …`, `-` for what is not known.

use std::io::{self, Write};
use std::str::{FromStr, SplitAsciiWhitespace};

use super::{Action, Isolation, Operation, Outcome, Run, Writer};

/// A number, or `-`.
struct Maybe<T>(Option<T>);

impl<T: std::fmt::Display> std::fmt::Display for Maybe<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("-"),
        }
    }
}

fn word(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::Uncommitted => "uncommitted",
        Isolation::Committed => "committed",
    }
}

/// Writes an operation, and the end of its line.
pub fn write(operation: &Operation, to: &mut impl Write) -> io::Result<()> {
    let Operation { client, invoked, completed, outcome, action } = operation;
    let outcome = match outcome {
        Outcome::Ok => "ok",
        Outcome::Fail => "fail",
        Outcome::Unknown => "unknown",
    };
    write!(to, "{client} {invoked} {completed} {outcome} ")?;
    match action {
        Action::Write { partition, first, count, writer, offset } => {
            write!(to, "write {partition} {first} {count} ")?;
            match writer {
                Writer::Plain => write!(to, "plain")?,
                Writer::Idempotent => write!(to, "idempotent")?,
                Writer::Transaction(number) => write!(to, "{number}")?,
            }
            writeln!(to, " {}", Maybe(*offset))
        }
        Action::Read {
            partition,
            isolation,
            from,
            next,
            high_watermark,
            last_stable_offset,
            runs,
        } => {
            write!(to, "read {partition} {} {from} {next} ", word(*isolation))?;
            write!(to, "{high_watermark} {last_stable_offset}")?;
            for Run { offset, value, count } in runs {
                write!(to, " {offset} {value} {count}")?;
            }
            writeln!(to)
        }
        Action::End { transaction, commit } => {
            writeln!(to, "end {transaction} {}", if *commit { "commit" } else { "abort" })
        }
        Action::Commit { group, partition, offset, transaction } => {
            writeln!(to, "commit {group} {partition} {offset} {}", Maybe(*transaction))
        }
        Action::Committed { group, partition, offset } => {
            writeln!(to, "committed {group} {partition} {}", Maybe(*offset))
        }
        Action::Assigned { group, generation, partitions } => {
            write!(to, "assigned {group} {generation}")?;
            for partition in partitions {
                write!(to, " {partition}")?;
            }
            writeln!(to)
        }
        Action::Settled { group } => writeln!(to, "settled {group}"),
        Action::Owned { group, generation, partitions } => {
            write!(to, "owned {group} {generation}")?;
            for partition in partitions {
                write!(to, " {partition}")?;
            }
            writeln!(to)
        }
        Action::Copied { group, partition, from, next, transaction } => {
            writeln!(to, "copied {group} {partition} {from} {next} {transaction}")
        }
        Action::Latest { partition, isolation, offset } => {
            writeln!(to, "latest {partition} {} {offset}", word(*isolation))
        }
        Action::Kill => writeln!(to, "kill"),
    }
}

/// The words of a line.
struct Words<'a>(SplitAsciiWhitespace<'a>);

impl<'a> Words<'a> {
    fn word(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    fn number<T: FromStr>(&mut self) -> Option<T> {
        self.word()?.parse().ok()
    }

    fn maybe<T: FromStr>(&mut self) -> Option<Maybe<T>> {
        match self.word()? {
            "-" => Some(Maybe(None)),
            word => word.parse().ok().map(|number| Maybe(Some(number))),
        }
    }

    /// What is left, each read by `item`; nothing when an item is not whole.
    fn rest<T>(&mut self, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut items = Vec::new();
        while self.0.clone().next().is_some() {
            items.push(item(self)?);
        }
        Some(items)
    }

    fn outcome(&mut self) -> Option<Outcome> {
        match self.word()? {
            "ok" => Some(Outcome::Ok),
            "fail" => Some(Outcome::Fail),
            "unknown" => Some(Outcome::Unknown),
            _ => None,
        }
    }

    fn writer(&mut self) -> Option<Writer> {
        match self.word()? {
            "plain" => Some(Writer::Plain),
            "idempotent" => Some(Writer::Idempotent),
            number => number.parse().ok().map(Writer::Transaction),
        }
    }

    fn isolation(&mut self) -> Option<Isolation> {
        match self.word()? {
            "uncommitted" => Some(Isolation::Uncommitted),
            "committed" => Some(Isolation::Committed),
            _ => None,
        }
    }

    fn is_commit(&mut self) -> Option<bool> {
        match self.word()? {
            "commit" => Some(true),
            "abort" => Some(false),
            _ => None,
        }
    }

    fn run(&mut self) -> Option<Run> {
        Some(Run { offset: self.number()?, value: self.number()?, count: self.number()? })
    }

    fn action(&mut self) -> Option<Action> {
        let action = match self.word()? {
            "write" => Action::Write {
                partition: self.number()?,
                first: self.number()?,
                count: self.number()?,
                writer: self.writer()?,
                offset: self.maybe()?.0,
            },
            "read" => Action::Read {
                partition: self.number()?,
                isolation: self.isolation()?,
                from: self.number()?,
                next: self.number()?,
                high_watermark: self.number()?,
                last_stable_offset: self.number()?,
                runs: self.rest(Self::run)?,
            },
            "end" => Action::End { transaction: self.number()?, commit: self.is_commit()? },
            "commit" => Action::Commit {
                group: self.number()?,
                partition: self.number()?,
                offset: self.number()?,
                transaction: self.maybe()?.0,
            },
            "committed" => Action::Committed {
                group: self.number()?,
                partition: self.number()?,
                offset: self.maybe()?.0,
            },
            "assigned" => Action::Assigned {
                group: self.number()?,
                generation: self.number()?,
                partitions: self.rest(Self::number)?,
            },
            "settled" => Action::Settled { group: self.number()? },
            "owned" => Action::Owned {
                group: self.number()?,
                generation: self.number()?,
                partitions: self.rest(Self::number)?,
            },
            "copied" => Action::Copied {
                group: self.number()?,
                partition: self.number()?,
                from: self.number()?,
                next: self.number()?,
                transaction: self.number()?,
            },
            "latest" => Action::Latest {
                partition: self.number()?,
                isolation: self.isolation()?,
                offset: self.number()?,
            },
            "kill" => Action::Kill,
            _ => return None,
        };
        self.word().is_none().then_some(action)
    }
}

/// The operation that a line tells; nothing when it tells none.
pub fn parse(line: &str) -> Option<Operation> {
    let mut words = Words(line.split_ascii_whitespace());
    Some(Operation {
        client: words.number()?,
        invoked: words.number()?,
        completed: words.number()?,
        outcome: words.outcome()?,
        action: words.action()?,
    })
}
