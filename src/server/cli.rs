//! The command line: what was asked for, nothing done yet.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use super::config::{Data, Listen, Source};

/// What the program was asked to do. `--help`, `--version` and mistakes are answered by [`parse`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Run a node.
    Start(Source),
    /// Format log directories.
    Format(FormatArgs),
}

/// Reads the arguments of this process. `--help`, `--version` and mistakes are printed here; what is left
/// to do then is to exit with the code.
pub fn of_process() -> Result<Command, ExitCode> {
    parse(std::env::args_os()).map_err(|error| {
        // Nobody is left to tell if this cannot be printed.
        let _ = error.print();
        u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
    })
}

/// Reads arguments, the program's name first. The error prints itself and knows its
/// exit code: `--help` and `--version` are "errors" of code 0.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, clap::Error> {
    Ok(Cli::try_parse_from(arguments)?.command())
}

/// A broker that speaks Apache Kafka's protocol and writes Kafka's files.
///
/// Without a subcommand it starts a single node: on localhost:9092 with its own configuration, or with
/// that of FILE, a server.properties.
#[derive(Debug, Parser)]
#[command(
    name = "ottla",
    version = concat!(env!("CARGO_PKG_VERSION"), " (speaks Kafka 4.3)"),
    args_conflicts_with_subcommands = true,
    after_help = "Stop it with Ctrl-C or SIGTERM. Clients connect to localhost:9092."
)]
struct Cli {
    #[command(subcommand)]
    subcommand: Option<Sub>,

    /// A server.properties, as for kafka-server-start.sh
    file: Option<PathBuf>,

    /// Keep the data in DIR [default: $XDG_DATA_HOME/ottla or ~/.local/share/ottla]
    #[arg(long, value_name = "DIR", conflicts_with_all = ["file", "ephemeral"])]
    data: Option<PathBuf>,

    /// Keep the data in a new temporary directory that is removed at the end
    #[arg(long, conflicts_with = "file")]
    ephemeral: bool,

    /// Where clients connect; port 0 takes a free one, an empty host is every address
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "file")]
    listen: Option<Listen>,

    #[command(flatten)]
    overrides: Overrides,
}

#[derive(Debug, Args)]
struct Overrides {
    /// Set KEY to VALUE, whatever the file says; may be given several times
    #[arg(long = "override", value_name = "KEY=VALUE", value_parser = key_value)]
    overrides: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Start a node with a server.properties
    ///
    /// Without FILE the configuration comes from KAFKA_* environment variables, as in the container
    /// images of Apache Kafka: KAFKA_NODE_ID sets node.id, and so on; an empty directory is formatted
    /// with CLUSTER_ID.
    Start {
        /// A server.properties: Java's syntax, Kafka's keys and defaults
        file: Option<PathBuf>,

        #[command(flatten)]
        overrides: Overrides,
    },
    /// Format the log directories of a server.properties, as kafka-storage.sh format does
    Format(FormatArgs),
}

/// `ottla format`, with the arguments of `kafka-storage.sh format`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct FormatArgs {
    /// The id of the cluster: 16 bytes in URL-safe base64
    #[arg(short = 't', long, value_name = "ID", allow_hyphen_values = true)]
    pub cluster_id: String,

    /// The server.properties of the node
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,

    /// Pass over directories that are formatted already
    #[arg(short = 'g', long)]
    pub ignore_formatted: bool,

    /// The release whose features to use, such as 4.1 or 4.3-IV0 [default: the newest]
    #[arg(short, long, value_name = "VERSION")]
    pub release_version: Option<String>,

    /// Set a feature to a level, as NAME=LEVEL; may be given several times
    #[arg(short, long = "feature", value_name = "NAME=LEVEL")]
    pub features: Vec<String>,

    /// Start a dynamic quorum with this node as its only voter
    #[arg(short, long, conflicts_with_all = ["no_initial_controllers", "initial_controllers"])]
    pub standalone: bool,

    /// Format for a dynamic quorum whose voters are elsewhere
    #[arg(short = 'N', long, conflicts_with = "initial_controllers")]
    pub no_initial_controllers: bool,

    /// Start a dynamic quorum with these voters, as ID@HOST:PORT:DIRECTORY-ID separated by commas
    #[arg(short = 'I', long, value_name = "LIST")]
    pub initial_controllers: Option<String>,
}

impl Cli {
    fn command(self) -> Command {
        match self.subcommand {
            Some(Sub::Format(arguments)) => Command::Format(arguments),
            Some(Sub::Start { file, overrides }) => {
                let overrides = overrides.overrides;
                Command::Start(match file {
                    Some(path) => Source::File { path, overrides },
                    None => Source::Environment { overrides },
                })
            }
            None => {
                let overrides = self.overrides.overrides;
                let data = match (self.data, self.ephemeral) {
                    (_, true) => Data::Ephemeral,
                    (Some(directory), false) => Data::Directory(directory),
                    (None, false) => Data::Platform,
                };
                Command::Start(match self.file {
                    Some(path) => Source::File { path, overrides },
                    None => Source::Embedded { data, listen: self.listen, overrides },
                })
            }
        }
    }
}

/// The text before the first `=` and that after it.
fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.to_owned()))
        }
        _ => Err(format!("{text:?} is not KEY=VALUE")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Command, clap::Error> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn file(path: &str, overrides: &[(&str, &str)]) -> Command {
        let overrides = overrides.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
        Command::Start(Source::File { path: path.into(), overrides })
    }

    #[test]
    fn a_file_starts_with_and_without_the_word() {
        assert_eq!(read("ottla start s.properties").unwrap(), file("s.properties", &[]));
        assert_eq!(read("ottla s.properties").unwrap(), file("s.properties", &[]));
        for line in [
            "ottla start f --override a=1 --override b=c=d",
            "ottla f --override a=1 --override=b=c=d",
            "ottla --override a=1 --override b=c=d f",
        ] {
            assert_eq!(read(line).unwrap(), file("f", &[("a", "1"), ("b", "c=d")]), "{line}");
        }
    }

    #[test]
    fn plain_ottla_takes_a_place_and_an_address() {
        let embedded = |data, listen: Option<&str>| {
            let listen = listen.map(|text| text.parse().unwrap());
            Command::Start(Source::Embedded { data, listen, overrides: Vec::new() })
        };
        assert_eq!(read("ottla").unwrap(), embedded(Data::Platform, None));
        assert_eq!(read("ottla --data d").unwrap(), embedded(Data::Directory("d".into()), None));
        let ephemeral = embedded(Data::Ephemeral, Some("[::1]:0"));
        assert_eq!(read("ottla --ephemeral --listen [::1]:0").unwrap(), ephemeral);
        let environment = Command::Start(Source::Environment { overrides: Vec::new() });
        assert_eq!(read("ottla start").unwrap(), environment);
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for line in [
            "ottla f --ephemeral",
            "ottla --data d --ephemeral",
            "ottla --listen 9092",
            "ottla --override a",
            "ottla start f --override =b",
            "ottla start f --data d",
            "ottla --ephemeral start f",
            "ottla format -t X",
            "ottla format -t X -c f --standalone --no-initial-controllers",
            "ottla f g",
        ] {
            let error = read(line).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn format_takes_the_arguments_of_the_storage_tool() {
        let line = "ottla format -t -5L6g3nShT-eMCtK--X86s -c f -g -r 4.1 -f kraft.version=1 \
                    --feature share.version=1 --standalone";
        let Ok(Command::Format(arguments)) = read(line) else { panic!("{line}") };
        assert_eq!(
            arguments,
            FormatArgs {
                cluster_id: "-5L6g3nShT-eMCtK--X86s".to_owned(),
                config: "f".into(),
                ignore_formatted: true,
                release_version: Some("4.1".to_owned()),
                features: vec!["kraft.version=1".to_owned(), "share.version=1".to_owned()],
                standalone: true,
                no_initial_controllers: false,
                initial_controllers: None,
            }
        );
        let line = "ottla format --cluster-id=X --config f -I 1@h:1:d";
        let Ok(Command::Format(arguments)) = read(line) else { panic!("{line}") };
        assert_eq!(arguments.initial_controllers.as_deref(), Some("1@h:1:d"));
    }

    #[test]
    fn help_and_version_say_what_is_true() {
        let version = read("ottla --version").unwrap_err();
        assert_eq!(version.to_string(), "ottla 0.1.0 (speaks Kafka 4.3)\n");
        assert_eq!(version.exit_code(), 0);
        let help = read("ottla --help").unwrap_err();
        assert!(help.to_string().contains("--ephemeral") && help.exit_code() == 0);
    }
}
