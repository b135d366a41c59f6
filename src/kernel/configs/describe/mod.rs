//! The rows of DescribeConfigs: a value, where it comes from, and what it would be without that.
//!
//! As Kafka's `ConfigHelper` builds them. A row's synonyms are all keys and layers that can give the
//! value, in the order in which they count; those before the first one of the row's own name are
//! dropped, and the source is that of the first which is left.

use super::definition::{BROKER, Definition, GROUP, TOPIC};
use super::group;
use super::layers::{BrokerLayers, Source, Texts};
use super::topic;
use super::value::{Value, parse};

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The key.
    pub name: String,
    /// The value; none where there is none, or where it must not be shown.
    pub value: Option<String>,
    /// Whether it can only be changed before the start.
    pub read_only: bool,
    /// Where the value comes from.
    pub source: Source,
    /// Whether the value is never shown.
    pub sensitive: bool,
    /// What can give the value, first what does.
    pub synonyms: Vec<Synonym>,
    /// The number of the value's type; 0 is "unknown".
    pub kind: i8,
    /// What the key does; none for a key that nobody knows.
    pub documentation: Option<&'static str>,
}

/// One of the places that can give a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synonym {
    /// The key there.
    pub name: String,
    /// The value there.
    pub value: Option<String>,
    /// The layer.
    pub source: Source,
}

/// All rows of a topic with these overrides, sorted by name.
pub fn topic(layers: &BrokerLayers<'_>, overrides: &Texts) -> Vec<Row> {
    let is_shown =
        |definition: &&&Definition| !definition.internal || overrides.contains_key(definition.name);
    TOPIC
        .values()
        .filter(is_shown)
        .map(|definition| topic_row(layers, overrides, definition))
        .collect()
}

fn topic_row(layers: &BrokerLayers<'_>, overrides: &Texts, definition: &Definition) -> Row {
    let value = topic::effective(layers, overrides, definition).to_text();
    let mut synonyms = match topic::synonyms(definition.name).first() {
        Some((broker_key, _)) => broker_synonyms(layers, broker_key, definition.is_sensitive()),
        None => Vec::new(),
    };
    if overrides.contains_key(definition.name) {
        let (name, value) = (definition.name.to_owned(), value.clone());
        synonyms.insert(0, Synonym { name, value, source: Source::Topic });
    }
    Row {
        name: definition.name.to_owned(),
        value,
        read_only: false,
        source: synonyms.first().map_or(Source::Default, |synonym| synonym.source),
        sensitive: definition.is_sensitive(),
        synonyms,
        kind: definition.kind.wire_id(),
        documentation: Some(definition.documentation),
    }
}

/// All rows of a group with these overrides, sorted by name.
pub fn group(layers: &BrokerLayers<'_>, overrides: &Texts) -> Vec<Row> {
    GROUP.values().map(|definition| group_row(layers, overrides, definition)).collect()
}

fn group_row(layers: &BrokerLayers<'_>, overrides: &Texts, definition: &Definition) -> Row {
    let name = definition.name;
    let broker_key = group::synonym(name);
    let of_broker = broker_key.and_then(|key| layers.value(key));
    let own = overrides.get(name).map(String::as_str);
    let text = own.or(of_broker).or_else(|| definition.default_text());
    let value = parse(definition, text).unwrap_or(Value::Null).to_text();
    let of = |value, source| Synonym { name: name.to_owned(), value, source };
    let mut synonyms = match broker_key {
        Some(key) => broker_synonyms(layers, key, false),
        None => vec![of(definition.default_text().map(str::to_owned), Source::Default)],
    };
    if own.is_some() {
        synonyms.insert(0, of(value.clone(), Source::Group));
    }
    Row {
        name: name.to_owned(),
        value,
        read_only: false,
        source: synonyms.first().map_or(Source::Default, |synonym| synonym.source),
        sensitive: false,
        synonyms,
        kind: definition.kind.wire_id(),
        documentation: Some(definition.documentation),
    }
}

/// All rows of a broker, sorted by name: every key of the table, and those that were set beside it.
pub fn broker(layers: &BrokerLayers<'_>) -> Vec<Row> {
    let set = layers.layers().into_iter().flat_map(|(_, texts)| texts.keys());
    let shown = BROKER.values().filter(|definition| !definition.internal);
    let mut names: Vec<&str> =
        set.map(String::as_str).chain(shown.map(|definition| definition.name)).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| broker_row(layers, name)).collect()
}

fn broker_row(layers: &BrokerLayers<'_>, name: &str) -> Row {
    let definition = definition_of(name);
    // A key that nobody knows may be a secret of a plugin.
    let sensitive = definition.is_none_or(Definition::is_sensitive);
    let synonyms = broker_synonyms(layers, name, sensitive);
    let text = layers.value(name);
    let value = match BROKER.get(name) {
        // The table's keys are shown as they were understood, others as they were written.
        Some(definition) => parse(definition, text).unwrap_or(Value::Null).to_text(),
        None => text.map(str::to_owned),
    };
    Row {
        name: name.to_owned(),
        value: value.filter(|_| !sensitive),
        read_only: !BROKER.get(name).is_some_and(|definition| definition.is_dynamic()),
        source: synonyms.first().map_or(Source::Default, |synonym| synonym.source),
        sensitive,
        synonyms,
        kind: definition.map_or(0, |definition| definition.kind.wire_id()),
        documentation: BROKER.get(name).map(|definition| definition.documentation),
    }
}

/// The rows of the dynamic values of all brokers, sorted by name.
pub fn cluster_default(dynamic_default: &Texts) -> Vec<Row> {
    let none = Texts::new();
    let layers = BrokerLayers { dynamic_broker: &none, dynamic_default, fixed: &none };
    let mut rows: Vec<Row> = dynamic_default.keys().map(|name| broker_row(&layers, name)).collect();
    for row in &mut rows {
        row.synonyms.retain(|synonym| synonym.source == Source::DynamicDefaultBroker);
        if !row.sensitive {
            row.value = dynamic_default.get(&row.name).cloned();
        }
    }
    rows
}

/// The definition of a key, or of the key that it sets for one listener.
fn definition_of(name: &str) -> Option<&'static Definition> {
    let base = || name.strip_prefix("listener.name.")?.split_once('.').map(|(_, base)| base);
    BROKER.get(name).or_else(|| BROKER.get(base()?)).copied()
}

/// The keys that can give the value of a broker key, in the order in which they count.
fn names_for(name: &str) -> Vec<&str> {
    const FAMILIES: [&[&str]; 3] = [
        &["log.roll.ms", "log.roll.hours"],
        &["log.roll.jitter.ms", "log.roll.jitter.hours"],
        &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
    ];
    if let Some(family) = FAMILIES.into_iter().find(|family| family.contains(&name)) {
        return family.to_vec();
    }
    match name {
        "log.flush.interval.ms" => vec![name, "log.flush.scheduler.interval.ms"],
        _ => match name.strip_prefix("listener.name.").and_then(|rest| rest.split_once('.')) {
            Some((_, base)) => vec![name, base],
            None => vec![name],
        },
    }
}

fn broker_synonyms(layers: &BrokerLayers<'_>, name: &str, sensitive: bool) -> Vec<Synonym> {
    let names = names_for(name);
    let synonym = |name: &str, text: &str, source: Source| Synonym {
        name: name.to_owned(),
        value: (!sensitive).then(|| text.to_owned()),
        source,
    };
    let mut synonyms = Vec::new();
    for (source, texts) in layers.layers() {
        let set = names.iter().filter_map(|name| Some((name, texts.get(*name)?)));
        synonyms.extend(set.map(|(name, text)| synonym(name, text, source)));
    }
    for name in names {
        if let Some(text) = BROKER.get(name).and_then(|definition| definition.default_text()) {
            synonyms.push(synonym(name, text, Source::Default));
        }
    }
    let own = synonyms.iter().position(|synonym| synonym.name == name);
    synonyms.split_off(own.unwrap_or(synonyms.len()))
}

#[cfg(test)]
mod tests;
