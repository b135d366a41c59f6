//! Our rows beside Kafka's: the files of `observed/` are what Apache Kafka 4.3.1 answered.

use super::*;
use crate::kernel::configs::broker::BrokerConfig;

const OWN_KEY: &str = "ottla.validate.compressed";

/// What the layers of an observed answer held: each `LAYER:key=value` of the synonyms.
#[derive(Default)]
struct Observed {
    topic: Texts,
    broker: Texts,
    default: Texts,
    fixed: Texts,
    lines: Vec<String>,
}

impl Observed {
    fn read(text: &str) -> Self {
        let mut observed = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<&str> = line.split('\t').collect();
            let [name, kind, value, source, flags, synonyms] = fields[..] else { panic!("{line}") };
            let default = format!("DEFAULT:{name}={value}");
            let synonyms = if synonyms == "=" { &default } else { synonyms };
            observed.learn(synonyms);
            observed.lines.push([name, kind, value, source, flags, synonyms].join("\t"));
        }
        observed
    }

    fn learn(&mut self, synonyms: &str) {
        for synonym in synonyms.split(' ').filter(|synonym| *synonym != "-") {
            let (layer, set) = synonym.split_once(':').unwrap();
            let (key, value) = set.split_once('=').unwrap();
            let layer = match layer {
                "TOPIC" => &mut self.topic,
                "DYNAMIC_BROKER" => &mut self.broker,
                "DYNAMIC_DEFAULT_BROKER" => &mut self.default,
                "STATIC_BROKER" => &mut self.fixed,
                _ => continue,
            };
            layer.insert(key.to_owned(), value.to_owned());
        }
    }

    fn layers(&self) -> BrokerLayers<'_> {
        BrokerLayers {
            dynamic_broker: &self.broker,
            dynamic_default: &self.default,
            fixed: &self.fixed,
        }
    }
}

fn line(row: &Row) -> String {
    const KINDS: [&str; 10] = [
        "UNKNOWN", "BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS",
        "PASSWORD",
    ];
    let source = |source: Source| match source {
        Source::Group => "GROUP",
        Source::Topic => "TOPIC",
        Source::DynamicBroker => "DYNAMIC_BROKER",
        Source::DynamicDefaultBroker => "DYNAMIC_DEFAULT_BROKER",
        Source::StaticBroker => "STATIC_BROKER",
        Source::Default => "DEFAULT",
    };
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "<null>".to_owned());
    let flags = match (row.read_only, row.sensitive) {
        (true, true) => "read-only,sensitive",
        (true, false) => "read-only",
        (false, true) => "sensitive",
        (false, false) => "-",
    };
    let synonyms: Vec<String> = row
        .synonyms
        .iter()
        .map(|synonym| {
            format!("{}:{}={}", source(synonym.source), synonym.name, text(&synonym.value))
        })
        .collect();
    let synonyms = if synonyms.is_empty() { "-".to_owned() } else { synonyms.join(" ") };
    let kind = KINDS[usize::try_from(row.kind).unwrap()];
    [&row.name, kind, &text(&row.value), source(row.source), flags, &synonyms].join("\t")
}

fn compare(rows: &[Row], expected: &[String]) {
    let ours: Vec<String> = rows.iter().filter(|row| row.name != OWN_KEY).map(line).collect();
    for (ours, theirs) in ours.iter().zip(expected) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), expected.len());
}

#[test]
fn a_broker_is_described_as_kafka_describes_it() {
    let observed = Observed::read(include_str!("../observed/broker-4.3.1.tsv"));
    // What is set is a configuration that starts a node.
    let config = BrokerConfig::new(&observed.fixed).unwrap();
    assert_eq!(config.explicit, observed.fixed);
    assert_eq!(observed.lines.len(), 340);
    compare(&broker(&observed.layers()), &observed.lines);
}

#[test]
fn a_topic_is_described_as_kafka_describes_it() {
    let observed = Observed::read(include_str!("../observed/topic-4.3.1.tsv"));
    assert_eq!(observed.lines.len(), 33);
    compare(&topic(&observed.layers(), &observed.topic), &observed.lines);
}

#[test]
fn values_set_at_run_time_are_described_as_kafka_describes_them() {
    let brokers = Observed::read(include_str!("../observed/broker-layers-4.3.1.tsv"));
    let mut topics = Observed::read(include_str!("../observed/topic-layers-4.3.1.tsv"));
    // Of the broker's answer only the rows with dynamic values were kept.
    let rows = broker(&brokers.layers());
    let is_dynamic = |synonym: &Synonym| {
        matches!(synonym.source, Source::DynamicBroker | Source::DynamicDefaultBroker)
    };
    let dynamic: Vec<Row> =
        rows.into_iter().filter(|row| row.synonyms.iter().any(is_dynamic)).collect();
    compare(&dynamic, &brokers.lines);

    (topics.broker, topics.default) = (brokers.broker, brokers.default);
    compare(&topic(&topics.layers(), &topics.topic), &topics.lines);
}

#[test]
fn the_cluster_default_shows_its_own_keys_only() {
    let texts = |pairs: &[(&str, &str)]| -> Texts {
        pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    };
    let rows = cluster_default(&texts(&[("foo.bar", "x"), ("log.retention.ms", " 0 ")]));
    let lines: Vec<String> = rows.iter().map(line).collect();
    assert_eq!(
        lines,
        [
            "foo.bar\tUNKNOWN\t<null>\tDYNAMIC_DEFAULT_BROKER\tread-only,sensitive\t\
         DYNAMIC_DEFAULT_BROKER:foo.bar=<null>",
            "log.retention.ms\tLONG\t 0 \tDYNAMIC_DEFAULT_BROKER\t-\t\
         DYNAMIC_DEFAULT_BROKER:log.retention.ms= 0 ",
        ]
    );
}

#[test]
fn a_secret_is_never_shown() {
    let mut fixed = Texts::new();
    fixed.insert("ssl.key.password".to_owned(), "hunter2".to_owned());
    fixed.insert("listener.name.a.ssl.key.password".to_owned(), "hunter2".to_owned());
    fixed.insert("some.plugin.token".to_owned(), "hunter2".to_owned());
    let none = Texts::new();
    let layers = BrokerLayers { dynamic_broker: &none, dynamic_default: &none, fixed: &fixed };
    let rows = broker(&layers);
    assert_eq!(rows.iter().filter(|row| fixed.contains_key(&row.name)).count(), 3);
    assert!(!format!("{rows:?}").contains("hunter2"));
}

#[test]
fn internal_keys_are_shown_when_they_are_set() {
    let none = Texts::new();
    let layers = BrokerLayers { dynamic_broker: &none, dynamic_default: &none, fixed: &none };
    assert!(!topic(&layers, &none).iter().any(|row| row.name == "internal.segment.bytes"));
    let mut overrides = Texts::new();
    overrides.insert("internal.segment.bytes".to_owned(), "5000".to_owned());
    let rows = topic(&layers, &overrides);
    let row = rows.iter().find(|row| row.name == "internal.segment.bytes").unwrap();
    assert_eq!((row.value.as_deref(), row.source), (Some("5000"), Source::Topic));
}
