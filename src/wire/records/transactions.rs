//! Transactions of the metadata log (KIP-868), and records which only move the offset.

use super::notation::structure;

structure! {
    /// What follows counts whole or not at all (type 23).
    BeginTransactionRecord {}
    tagged {
        /// What it is, for people.
        0+ tag 0 name: Option<String>;
    }
}

structure! {
    /// What came since the begin counts (type 24).
    EndTransactionRecord {}
}

structure! {
    /// What came since the begin does not count (type 25).
    AbortTransactionRecord {}
    tagged {
        /// Why, for people.
        0+ tag 0 reason: Option<String>;
    }
}

structure! {
    /// Nothing (type 20, KIP-835): an idle controller writes it, so that followers see that it lives.
    NoOpRecord {}
}
