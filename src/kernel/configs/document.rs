//! docs/CONFIG.md, made from the tables; `UPDATE=1 cargo test --lib config_page` writes it.

use std::fmt::Write as _;

use super::definition::{Default, Definition, Importance, Kind, Update};
use super::{broker, tables, topic};

const FRONT: &str = "# Configuration

Made from the tables in `src/kernel/configs/tables`; do not edit. A test compares this page with them, and
`UPDATE=1 cargo test --lib config_page` writes it.

Ottla takes Apache Kafka's `server.properties` (Java's syntax) and understands every key of Kafka 4.3.1: each is
checked, and shown by `kafka-configs --describe --all`. A key with a dot (●) in the first column is read by this
version; the others belong to features that are not there yet and have no effect. Unknown keys are told once and
passed over. A bad value stops the start.

`--override KEY=VALUE` wins over the file. `ottla start` without a file reads the `KAFKA_*` environment variables of
the container images: `KAFKA_LOG_DIRS` sets `log.dirs`.

What this version refuses at the start, by key: roles other than `broker,controller`, more than one voter, listeners
other than PLAINTEXT, more than one data directory, another authorizer than Kafka's own, policies, quota callbacks,
tiered storage and configuration providers.

With `authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer` every request is held against the
ACLs of the metadata log. Two keys of its own go with it, as in Kafka: `super.users` names those who may do everything,
with semicolons between them, and `allow.everyone.if.no.acl.found=true` permits what no ACL says anything of. Who comes
through a PLAINTEXT listener is `User:ANONYMOUS`. Who is refused is told in the log, at level INFO.

Changes: **file** keys are read once at the start; **cluster** keys can be changed at run time for all brokers or
one, **broker** keys for one in Kafka, and not at all in this version; **topic** and **group** keys at any time.
";

#[test]
fn config_page_is_current() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/CONFIG.md");
    let page = page();
    if std::env::var_os("UPDATE").is_some() {
        write(&path, &page);
    }
    let current = read(&path);
    assert!(current == page, "docs/CONFIG.md is not current: run with UPDATE=1");
}

#[expect(clippy::disallowed_methods, reason = "a page of the documentation, in a test")]
fn write(path: &std::path::Path, page: &str) {
    std::fs::write(path, page).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "a page of the documentation, in a test")]
fn read(path: &std::path::Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn page() -> String {
    let mut page = FRONT.to_owned();
    let is_read = |key: &str| {
        let synonyms = topic::READ_KEYS.iter().flat_map(|key| topic::synonyms(key));
        broker::READ_KEYS.contains(&key)
            || broker::READ_TOGETHER.contains(&key)
            || synonyms.into_iter().any(|(name, _)| *name == key)
    };
    section(&mut page, "Topics", tables::TOPIC, &|key| topic::READ_KEYS.contains(&key));
    section(&mut page, "Groups", tables::GROUP, &|key| key.starts_with("consumer."));
    let titles = [
        "Coordinators",
        "Groups",
        "Logs and new topics",
        "Listeners, sockets, requests, metrics",
        "Identity, quorum, metadata log",
        "Replication and tiered storage",
        "SASL",
        "TLS and other security",
    ];
    for (title, table) in titles.into_iter().zip(tables::BROKER_FAMILIES) {
        section(&mut page, &format!("Broker: {title}"), table, &is_read);
    }
    page
}

fn section(page: &mut String, title: &str, table: &[Definition], is_read: &dyn Fn(&str) -> bool) {
    let heads = "| | key | type | default | valid | importance | change | what it does |";
    write!(page, "\n## {title}\n\n{heads}\n|---|---|---|---|---|---|---|---|\n").unwrap();
    for definition in table {
        let dot = if is_read(definition.name) { "●" } else { "" };
        let default = match definition.default {
            Default::Is("") => "empty".to_owned(),
            Default::Is(text) => format!("`{text}`"),
            Default::Null => "none".to_owned(),
            Default::Required => "required".to_owned(),
        };
        let importance = match definition.importance {
            Importance::High => "high",
            Importance::Medium => "medium",
            Importance::Low => "low",
        };
        let update = match definition.update {
            Update::ReadOnly => "file",
            Update::ClusterWide => "cluster",
            Update::PerBroker => "broker",
            Update::PerTopic => "topic",
            Update::PerGroup => "group",
        };
        let kind = if definition.kind == Kind::Str { "string" } else { definition.kind.name() };
        writeln!(
            page,
            "| {dot} | `{}` | {} | {default} | {} | {importance} | {update} | {}{} |",
            definition.name,
            kind.to_lowercase(),
            definition.valid,
            definition.documentation,
            if definition.internal { " (Internal: shown only where it is set.)" } else { "" },
        )
        .unwrap();
    }
}
