//! Apache Kafka of some version: fetched by Maven, started as a broker, and its tools.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// The versions that judge with all their tools.
const VERSIONS: [&str; 3] = ["4.1.1", "4.2.0", "4.3.1"];
/// One whose broker judges; its tools were not published.
const BROKER_ALONE: &str = "4.4.0";

/// One version's jars.
#[derive(Clone, Debug)]
pub struct Apache {
    pub version: &'static str,
    directory: PathBuf,
}

impl Apache {
    /// Fetches it, unless it is there.
    pub fn of(version: &'static str) -> Self {
        static FETCHING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = FETCHING.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = cache().join(format!("kafka-{version}"));
        if !directory.join("complete").exists() {
            fetch(version, &directory);
            fs::write(directory.join("complete"), "").unwrap();
        }
        Self { version, directory }
    }

    /// The same with Kafka Streams and its tests.
    #[cfg(feature = "judge-kills")]
    pub fn with_streams(version: &'static str) -> Self {
        let directory = cache().join(format!("kafka-streams-{version}"));
        if !directory.join("complete").exists() {
            let streams = |classifier| Artefact {
                classifier,
                ..Artefact::of("org.apache.kafka", "kafka-streams", version)
            };
            let clients = Artefact::of("org.apache.kafka", "kafka-clients", version);
            let tests = Artefact { classifier: "test", ..clients };
            fetch_all(&[streams(""), streams("test"), tests, LOGGING[0], LOGGING[1]], &directory);
            fs::write(directory.join("complete"), "").unwrap();
        }
        Self { version, directory }
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        VERSIONS.into_iter().map(Self::of)
    }

    /// All of them, and those that are brokers alone.
    pub fn brokers() -> impl Iterator<Item = Self> {
        Self::all().chain([Self::of(BROKER_ALONE)])
    }

    /// The newest release that it and we know: its first two numbers.
    pub fn release(&self) -> &'static str {
        if self.version == BROKER_ALONE { "4.3" } else { &self.version[..3] }
    }

    /// All its jars.
    pub fn class_path(&self) -> String {
        format!("{}/*", self.directory.display())
    }

    /// The broker as a program that takes the path of a server.properties, and formats what is not formatted.
    pub fn broker(&self) -> PathBuf {
        let script = cache().join(format!("kafka-{}.sh", self.version));
        fs::write(cache().join("log4j2.properties"), LOG_CONFIGURATION).unwrap();
        // Relative to itself: the stages see it in another place.
        let java = format!(
            "java -Xmx512m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC \
             -Dlog4j2.configurationFile=\"$here/log4j2.properties\" -cp \"$here/kafka-{}/*\"",
            self.version
        );
        let text = format!(
            "#!/bin/sh\nhere=$(dirname \"$0\")\ndir=$(sed -n 's/^log.dirs=//p' \"$1\")\n\
             if [ ! -e \"$dir/meta.properties\" ]; then\n  \
             {java} kafka.tools.StorageTool format -t 4L6g3nShT-eMCtK--X86sw -c \"$1\" || exit 1\n\
             fi\nexec {java} kafka.Kafka \"$@\"\n"
        );
        write_whole(&script, &text, 0o755);
        script
    }

    /// Java with this class to run.
    pub fn java(&self, class: &str) -> Command {
        self.java_logging("warn", class)
    }

    /// Java with this class to run, which logs from this level on.
    pub fn java_logging(&self, level: &str, class: &str) -> Command {
        let log = cache().join(format!("log4j2-tools-{level}.properties"));
        let text = TOOL_LOG_CONFIGURATION.replace("LEVEL", level);
        // The same from whichever test: who reads it while it is written anew would read half of it.
        if fs::read_to_string(&log).ok().as_deref() != Some(&text) {
            write_whole(&log, &text, 0o644);
        }
        let mut command = Command::new("java");
        command.args(["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"]);
        command.arg(self.class_path());
        command.arg(format!("-Dlog4j2.configurationFile={}", log.display())).arg(class);
        command
    }

    /// Runs a tool with something to read; its output. It must end well and complain about nothing.
    pub fn tool_reading(&self, input: &str, class: &str, arguments: &[&str]) -> String {
        let what = format!("{class} of {} {arguments:?}", self.version);
        run(self.java(class).args(arguments), input, &what)
    }

    /// Runs a tool that reads nothing.
    pub fn tool(&self, class: &str, arguments: &[&str]) -> String {
        self.tool_reading("", class, arguments)
    }

    /// DumpLogSegments, which moved in 4.3.
    pub fn dump_class(&self) -> &'static str {
        match self.version {
            "4.1.1" | "4.2.0" => "kafka.tools.DumpLogSegments",
            _ => "org.apache.kafka.tools.DumpLogSegments",
        }
    }
}

/// Runs a command to its good end and returns what it printed; what it complains about fails the test.
pub fn run(command: &mut Command, input: &str, what: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    // It may end without having read all.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {}\n{text}\n{errors}", output.status);
    assert_no_complaint(what, &text, &errors);
    text
}

/// What a tool says when it is not content.
pub fn assert_no_complaint(what: &str, text: &str, errors: &str) {
    let complaint = [" ERROR ", " WARN ", "Exception"]
        .into_iter()
        .find(|word| errors.contains(word) || text.contains(word));
    assert_eq!(complaint, None, "{what}\n{text}\n{errors}");
}

/// Written anew and renamed: another test may be using the old one.
fn write_whole(path: &Path, text: &str, mode: u32) {
    let mut new = tempfile::NamedTempFile::new_in(cache()).unwrap();
    new.write_all(text.as_bytes()).unwrap();
    new.as_file().set_permissions(fs::Permissions::from_mode(mode)).unwrap();
    new.into_temp_path().persist(path).unwrap();
}

/// What is kept from run to run.
fn cache() -> PathBuf {
    // This test lies in target/PROFILE/deps.
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(3).unwrap();
    let cache = target.join("judge");
    fs::create_dir_all(&cache).unwrap();
    cache
}

/// What Maven fetches.
#[derive(Clone, Copy)]
struct Artefact<'a> {
    group: &'a str,
    name: &'a str,
    version: &'a str,
    classifier: &'a str,
    /// The name of another one that it does not bring with it.
    without: Option<&'a str>,
}

impl<'a> Artefact<'a> {
    const fn of(group: &'a str, name: &'a str, version: &'a str) -> Self {
        Self { group, name, version, classifier: "", without: None }
    }

    fn dependency(&self) -> String {
        let Self { group, name, version, classifier, without } = self;
        let exclusion = |name: &str| {
            format!(
                "<exclusions><exclusion><groupId>{group}</groupId>\
                 <artifactId>{name}</artifactId></exclusion></exclusions>"
            )
        };
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>\
             <version>{version}</version><classifier>{classifier}</classifier>{}</dependency>",
            without.map_or_else(String::new, exclusion)
        )
    }
}

const LOGGING: [Artefact<'_>; 2] = [
    Artefact::of("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.1"),
    Artefact::of("org.apache.logging.log4j", "log4j-core", "2.25.1"),
];

fn fetch(version: &str, directory: &Path) {
    let broker = Artefact::of("org.apache.kafka", "kafka_2.13", version);
    let [binding, core] = LOGGING;
    if version == BROKER_ALONE {
        // What was not published is taken from the release before.
        let interface = "kafka-tools-api";
        let broker = Artefact { without: Some(interface), ..broker };
        let interface = Artefact::of("org.apache.kafka", interface, "4.3.1");
        fetch_all(&[broker, interface, binding, core], directory);
    } else {
        let tools = Artefact::of("org.apache.kafka", "kafka-tools", version);
        fetch_all(&[broker, tools, binding, core], directory);
    }
}

fn fetch_all(artefacts: &[Artefact<'_>], directory: &Path) {
    let dependencies: String = artefacts.iter().map(Artefact::dependency).collect();
    let pom = format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>ottla</groupId><artifactId>judge</artifactId><version>1</version>\
         <dependencies>{dependencies}</dependencies></project>"
    );
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("pom.xml");
    fs::write(&path, pom).unwrap();
    let status = Command::new("mvn")
        .args(["-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-f"])
        .arg(path)
        .arg(format!("-DoutputDirectory={}", directory.display()))
        .status();
    let names: Vec<_> = artefacts.iter().map(|it| it.name).collect();
    assert!(status.is_ok_and(|status| status.success()), "Maven cannot fetch {names:?}");
}

const LOG_CONFIGURATION: &str = "status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
";

/// Tools print their results; what they log goes beside them.
const TOOL_LOG_CONFIGURATION: &str = "status=error
appender.err.type=Console
appender.err.name=err
appender.err.target=SYSTEM_ERR
appender.err.follow=true
appender.err.layout.type=PatternLayout
appender.err.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=LEVEL
rootLogger.appenderRef.err.ref=err
";
