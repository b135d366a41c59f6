//! Configuration, and the assembly of the node in start order.

pub mod cli;
pub mod config;
pub mod format;

use std::process::ExitCode;

/// What the node is told from outside.
pub struct Config;

/// Runs the node until it is told to stop.
pub fn run(_config: Config) -> ExitCode {
    ExitCode::SUCCESS
}
