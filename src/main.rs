//! Arguments to configuration, configuration to a running node, its end to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ottla::Config::of_process().map_or_else(|code| code, ottla::run)
}
