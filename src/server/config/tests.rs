//! Sources, their order, and what is told when they are wrong.

use std::path::Path;

use super::*;

/// The file of the protocol stages, but for its last line.
const STAGES: &str = "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
";

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn load_file(text: &str, overrides: &[(&str, &str)]) -> (Result<Settings, Refusal>, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("server.properties");
    std::io::Write::write_all(&mut create(&path), text.as_bytes()).unwrap();
    let source = Source::File { path: path.clone(), overrides: pairs(overrides) };
    (source.load(&Environment::default()), path.display().to_string())
}

#[expect(clippy::disallowed_methods, reason = "a configuration file for the test")]
fn create(path: &Path) -> std::fs::File {
    std::fs::File::create(path).unwrap()
}

/// The lines of the refusal, with the file's path shortened to F.
fn refused(text: &str, overrides: &[(&str, &str)]) -> Vec<String> {
    let (result, path) = load_file(text, overrides);
    result.unwrap_err().lines.into_iter().map(|line| line.replace(&path, "F")).collect()
}

#[test]
fn the_file_of_the_protocol_stages_is_read() {
    let (result, _) = load_file(&format!("{STAGES}log.dirs=/tmp/kraft-combined-logs"), &[]);
    let settings = result.unwrap();
    let broker = &settings.broker;
    assert_eq!(broker.node_id.0, 1);
    assert_eq!(broker.log_dirs, ["/tmp/kraft-combined-logs"]);
    assert_eq!(broker.advertised_listeners.len(), 1);
    assert_eq!(broker.broker_listeners().next().unwrap().to_string(), "PLAINTEXT://:9092");
    assert_eq!(broker.controller_listeners().next().unwrap().port, 9093);
    assert_eq!((broker.num_partitions, broker.fetch_max_bytes), (1, 57_671_680));
    assert!(settings.warnings.is_empty() && settings.cluster_id.is_none());
}

#[test]
fn a_bad_value_is_told_with_its_place_and_what_is_allowed() {
    let text = format!("{STAGES}\n# many\nnum.partitions=1\nnum.partitions=many\nlog.dirs=/d\n");
    assert_eq!(
        refused(&text, &[]),
        ["F:10: num.partitions=many: Invalid value many for configuration num.partitions: Not a \
         number of type INT (INT; [1,...]; default \"1\")"]
    );
    assert_eq!(
        refused(&text, &[("num.partitions", "0")]),
        ["--override: num.partitions=0: Invalid value 0 for configuration num.partitions: Value \
         must be at least 1 (INT; [1,...]; default \"1\")"]
    );
}

#[test]
fn every_mistake_is_told_at_once() {
    let text = format!(
        "{STAGES}auto.create.topics.enable=maybe\nnode.id=-4\ndelegation.token.secret.key=x\n"
    );
    let lines = refused(&text, &[]);
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(lines[0].starts_with("F:7: auto.create.topics.enable=maybe: "), "{}", lines[0]);
    assert!(lines[1].starts_with("F:8: node.id=-4: Invalid value -4"), "{}", lines[1]);
}

#[test]
fn what_is_missing_is_named() {
    let lines = refused("log.dirs=/d\n", &[]);
    for key in ["controller.listener.names", "node.id", "process.roles"] {
        let message =
            format!("Missing required configuration \"{key}\" which has no default value.");
        assert!(lines.iter().any(|line| line.starts_with(&message)), "{key}: {lines:#?}");
    }
}

#[test]
fn what_this_version_cannot_do_is_refused_by_key() {
    for (key, value, says) in [
        ("process.roles", "broker", "this version runs as broker and controller in one node"),
        ("log.dirs", "/a,/b", "this version keeps its data in one directory: log.dirs names 2"),
        ("metadata.log.dir", "/m", "this version keeps the metadata log in the directory"),
        ("listeners", "SSL://:9092,PLAINTEXT://:9094,CONTROLLER://:9093", "SSL://:9092 is SSL"),
        ("authorizer.class.name", "a.B", "this version has not got the authorizer a.B"),
        ("controller.quorum.voters", "1@a:1,2@b:2", "a quorum of one"),
        ("remote.log.storage.system.enable", "true", "this version has not got tiered storage"),
    ] {
        let lines = refused(&format!("{STAGES}log.dirs=/d\n"), &[(key, value)]);
        let starts = format!("--override: {key}={value}: ");
        let is_told = lines.iter().any(|line| line.starts_with(&starts) && line.contains(says));
        assert!(is_told, "{key}: {lines:#?}");
    }
}

#[test]
fn unknown_keys_are_told_once_and_passed_over() {
    let text = format!(
        "{STAGES}log.dirs=/d\nzookeeper.connect=z\nconfluent.x=1\nlistener.name.plaintext.x=1\n\
         listener.name.plaintext.max.connection.creation.rate=9\n"
    );
    let (result, path) = load_file(&text, &[("foo", "bar")]);
    let settings = result.unwrap();
    let expected = format!(
        "keys that Kafka 4.3 does not know are ignored: confluent.x ({path}:9), foo (--override), \
         zookeeper.connect ({path}:8)"
    );
    let idle = format!(
        "keys of a listener that have no effect yet: listener.name.plaintext.x ({path}:10)"
    );
    assert_eq!(settings.warnings, [expected, idle]);
    assert_eq!(settings.broker.explicit["foo"], "bar");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let path = "/nonexistent/server.properties".into();
    let refusal = Source::File { path, overrides: Vec::new() }.load(&Environment::default());
    let line = refusal.unwrap_err().to_string();
    assert!(line.starts_with("/nonexistent/server.properties: No such file"), "{line}");
    assert!(refused("a=\\u12", &[])[0].starts_with("F: line 1: malformed"));
}

#[test]
fn plain_ottla_listens_on_loopback_and_keeps_its_data_at_home() {
    let source = |data, listen: Option<&str>| Source::Embedded {
        data,
        listen: listen.map(|text| text.parse().unwrap()),
        overrides: Vec::new(),
    };
    let home = Environment::of(&[("HOME", "/home/o"), ("KAFKA_NODE_ID", "7")], None);
    let settings = source(Data::Platform, None).load(&home).unwrap();
    assert_eq!(settings.broker.log_dirs, ["/home/o/.local/share/ottla"]);
    assert_eq!(
        settings.broker.explicit["listeners"],
        "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093"
    );
    assert_eq!(settings.broker.node_id.0, 1);
    assert!(!settings.is_ephemeral());

    let xdg = Environment::of(&[("HOME", "/home/o"), ("XDG_DATA_HOME", "/x")], None);
    let settings = source(Data::Platform, Some("127.0.0.1:0")).load(&xdg).unwrap();
    assert_eq!(settings.broker.log_dirs, ["/x/ottla"]);
    assert_eq!(
        settings.broker.explicit["listeners"],
        "PLAINTEXT://127.0.0.1:0,CONTROLLER://localhost:0"
    );

    let settings = source(Data::Directory("/d".into()), Some("0.0.0.0:9095")).load(&xdg).unwrap();
    assert_eq!(settings.broker.advertised_listeners[0].to_string(), "PLAINTEXT://:9095");
    let settings = source(Data::Directory("/d".into()), Some("[::1]:9095")).load(&xdg).unwrap();
    assert_eq!(settings.broker.advertised_listeners[0].to_string(), "PLAINTEXT://[::1]:9095");

    let lines = source(Data::Platform, None).load(&Environment::default()).unwrap_err().lines;
    assert_eq!(lines, ["no place for the data: set HOME, or name a directory with --data DIR"]);
    for wrong in ["9092", "::1:9092", "h:x", "h:70000", "a b:1"] {
        assert!(wrong.parse::<Listen>().is_err(), "{wrong}");
    }
}

#[test]
fn ephemeral_data_goes_away_with_the_settings() {
    let load = || {
        let listen = Some("localhost:0".parse().unwrap());
        let source = Source::Embedded { data: Data::Ephemeral, listen, overrides: Vec::new() };
        source.load(&Environment::default()).unwrap()
    };
    let (first, second) = (load(), load());
    let paths = [&first, &second].map(|s| PathBuf::from(&s.broker.log_dirs[0]));
    assert_ne!(paths[0], paths[1]);
    assert!(first.is_ephemeral() && paths.iter().all(|path| path.is_dir()));
    drop((first, second));
    assert!(!paths.iter().any(|path| path.exists()));
}

#[test]
fn the_variables_of_the_images_start_a_node() {
    let variables = [
        ("KAFKA_NODE_ID", "3"),
        ("KAFKA_PROCESS_ROLES", "broker,controller"),
        ("KAFKA_ADVERTISED_LISTENERS", "PLAINTEXT://broker:9092,OUT://[fe80::1]:19092"),
        (
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP",
            "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,OUT:PLAINTEXT",
        ),
        ("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER"),
        ("KAFKA_CONTROLLER_QUORUM_VOTERS", "3@localhost:9093"),
        ("KAFKA_LOG_DIRS", "/d"),
        ("KAFKA_OPTS", "-Xmx1g"),
        ("CLUSTER_ID", "4L6g3nShT-eMCtK--X86sw"),
    ];
    let source = Source::Environment { overrides: pairs(&[("num.partitions", "4")]) };
    // As in the image, the derived listeners lack the controller's, and Kafka says so.
    let lines = source.load(&Environment::of(&variables, None)).unwrap_err().lines;
    assert!(lines[0].starts_with(
        "environment variable KAFKA_CONTROLLER_LISTENER_NAMES: controller.listener.names=CONTROLLER"
    ), "{lines:#?}");

    let mut all = variables.to_vec();
    all.push(("KAFKA_LISTENERS", "PLAINTEXT://:9092,OUT://:19092,CONTROLLER://:9093"));
    let settings = source.load(&Environment::of(&all, None)).unwrap();
    assert_eq!((settings.broker.node_id.0, settings.broker.num_partitions), (3, 4));
    assert_eq!(settings.cluster_id.as_deref(), Some("4L6g3nShT-eMCtK--X86sw"));
    assert_eq!(settings.broker.advertised_listeners[1].host.as_deref(), Some("fe80::1"));
    assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
}

#[test]
fn a_mounted_file_is_read_before_the_variables() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("server.properties");
    let text = format!("{STAGES}log.dirs=/d\nnum.partitions=2\n");
    std::io::Write::write_all(&mut create(&path), text.as_bytes()).unwrap();
    let environment = Environment::of(&[("KAFKA_NUM_PARTITIONS", "3")], Some(&path));
    let settings = Source::Environment { overrides: Vec::new() }.load(&environment).unwrap();
    assert_eq!((settings.broker.node_id.0, settings.broker.num_partitions), (1, 3));
    assert_eq!(settings.cluster_id.as_deref(), Some("5L6g3nShT-eMCtK--X86sw"));
}
