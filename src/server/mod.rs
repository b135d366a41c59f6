//! Configuration, and the assembly of the node in start order.

pub mod cli;
pub mod config;
pub mod format;

mod connections;
mod logging;
mod node;

use std::process::ExitCode;

use cli::Command;
use config::Environment;

/// What the node is told from outside.
pub struct Config(Command);

impl Config {
    /// Reads this process's arguments. `--help`, `--version` and mistakes are printed; what is left
    /// then is the exit code.
    pub fn of_process() -> Result<Self, ExitCode> {
        cli::of_process().map(Self)
    }
}

/// Does what was asked for, until it is done or told to stop.
pub fn run(config: Config) -> ExitCode {
    let environment = Environment::of_process();
    match config.0 {
        Command::Format(arguments) => format::command::run(arguments, &environment),
        Command::Start(source) => node::run(&source, &environment),
    }
}
