//! The log of events: a hash of all that happened, and the text of it where someone wants to read it.

use std::fmt::{Arguments, Write as _};

/// See the module.
#[derive(Clone, Debug)]
pub struct Trace {
    hash: u64,
    events: u64,
    line: String,
    lines: Option<Vec<String>>,
}

/// FNV-1a: its value depends on the bytes and on nothing else.
const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

impl Trace {
    /// Before the first event. The text is kept if `keeps_text`.
    pub fn new(keeps_text: bool) -> Self {
        let lines = keeps_text.then(Vec::new);
        Self { hash: BASIS, events: 0, line: String::new(), lines }
    }

    /// Something happened.
    pub fn note(&mut self, at_ms: u64, what: Arguments<'_>) {
        self.line.clear();
        // Writing to a string does not fail.
        let _ = write!(self.line, "{at_ms:>7} {what}");
        for byte in self.line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(PRIME);
        }
        if let Some(lines) = &mut self.lines {
            lines.push(self.line.clone());
        }
    }

    /// More about what happened, for whoever reads it; no part of the hash.
    pub fn detail(&mut self, what: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("          {}", what()));
        }
    }

    /// One more event of the queue.
    pub const fn count(&mut self) {
        self.events += 1;
    }

    /// The hash of everything so far.
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// How many events of the queue there were.
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// The text, if it was kept.
    pub fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}
