//! `ottla format` from its arguments to its exit code: 0, or 1 with one line on stderr, as kafka-storage.

use std::io::{self, Write};
use std::process::ExitCode;

use super::{FormatOptions, InitialQuorum, Storage, format};
use crate::server::cli::FormatArgs;
use crate::server::config::{Environment, Source};
use crate::shell::clock::Clock;
use crate::shell::random::random_bytes;

impl From<FormatArgs> for FormatOptions {
    fn from(arguments: FormatArgs) -> Self {
        let quorum = match arguments.initial_controllers {
            Some(controllers) => InitialQuorum::Controllers(controllers),
            None if arguments.standalone => InitialQuorum::Standalone,
            None if arguments.no_initial_controllers => InitialQuorum::NoInitialControllers,
            None => InitialQuorum::Unspecified,
        };
        Self {
            cluster_id: arguments.cluster_id,
            release_version: arguments.release_version,
            features: arguments.features,
            ignore_formatted: arguments.ignore_formatted,
            quorum,
        }
    }
}

/// Runs the subcommand.
pub fn run(arguments: FormatArgs, environment: &Environment) -> ExitCode {
    let source = Source::File { path: arguments.config.clone(), overrides: Vec::new() };
    let done = match source.load(environment) {
        Err(refusal) => Err(refusal.to_string()),
        Ok(settings) => {
            let options = FormatOptions::from(arguments);
            let storage = Storage::of(&settings.broker);
            let now = Clock::new().now();
            format(&options, &storage, &mut io::stdout(), now, &mut random_bytes)
                .map_err(|error| error.to_string())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(line) => {
            // With stderr gone there is nobody left to tell; the exit code says it.
            let _ = writeln!(io::stderr(), "{line}");
            ExitCode::FAILURE
        }
    }
}
