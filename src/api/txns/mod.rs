//! Transactions: what their clients, other brokers and administrators ask.

pub mod describe_producers;
