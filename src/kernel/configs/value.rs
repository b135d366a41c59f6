//! Text to typed values, with the messages of Kafka's `ConfigDef`.

use std::fmt;

use super::definition::{Default, Definition, EmptyList, Kind, Valid};

/// Why a configuration was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    /// The key at fault, where it is one.
    pub key: Option<String>,
    /// Kafka's words where Kafka has a rule for it.
    pub message: String,
    /// Whether it is a rule between keys, which Kafka's answers mark.
    pub is_requirement: bool,
}

impl ConfigError {
    /// A refusal of one key's value.
    pub fn of(key: &str, message: impl Into<String>) -> Self {
        Self { key: Some(key.to_owned()), message: message.into(), is_requirement: false }
    }

    /// Kafka's form: "Invalid value x for configuration y: why".
    pub fn invalid(key: &str, value: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self::of(key, format!("Invalid value {value} for configuration {key}: {why}"))
    }
}

/// A parsed value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// BOOLEAN.
    Boolean(bool),
    /// SHORT, INT and LONG.
    Integer(i64),
    /// DOUBLE.
    Double(f64),
    /// STRING, CLASS and PASSWORD.
    Text(String),
    /// LIST.
    List(Vec<String>),
}

impl Value {
    /// The text that DescribeConfigs shows; none for no value.
    pub fn to_text(&self) -> Option<String> {
        Some(match self {
            Self::Null => return None,
            Self::Boolean(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Double(value) => double_text(*value),
            Self::Text(value) => value.clone(),
            Self::List(values) => values.join(","),
        })
    }
}

/// How messages print a value: a list in brackets, everything else as it is.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(values) => write!(f, "[{}]", values.join(", ")),
            other => f.write_str(other.to_text().as_deref().unwrap_or("null")),
        }
    }
}

/// The value of `definition`: parsed from `text`, or the default, and checked either way.
pub fn parse(definition: &Definition, text: Option<&str>) -> Result<Value, ConfigError> {
    let value = match (text, definition.default) {
        (Some(text), _) | (None, Default::Is(text)) => {
            parse_kind(definition.name, definition.kind, text)?
        }
        (None, Default::Null) => return Ok(Value::Null),
        (None, Default::Required) => {
            let name = definition.name;
            return Err(ConfigError::of(
                name,
                format!("Missing required configuration \"{name}\" which has no default value."),
            ));
        }
    };
    check(definition.name, definition.valid, &value)?;
    Ok(value)
}

/// Text to a value of `kind`, not checked further. The text is trimmed as Java trims.
fn parse_kind(name: &str, kind: Kind, text: &str) -> Result<Value, ConfigError> {
    let trimmed = java_trim(text);
    let not_a_number =
        || ConfigError::invalid(name, text, format_args!("Not a number of type {}", kind.name()));
    Ok(match kind {
        Kind::Boolean if trimmed.eq_ignore_ascii_case("true") => Value::Boolean(true),
        Kind::Boolean if trimmed.eq_ignore_ascii_case("false") => Value::Boolean(false),
        Kind::Boolean => {
            let why = "Expected value to be either true or false";
            return Err(ConfigError::invalid(name, text, why));
        }
        Kind::Short => Value::Integer(trimmed.parse::<i16>().map_err(|_| not_a_number())?.into()),
        Kind::Int => Value::Integer(trimmed.parse::<i32>().map_err(|_| not_a_number())?.into()),
        Kind::Long => Value::Integer(trimmed.parse::<i64>().map_err(|_| not_a_number())?),
        Kind::Double => Value::Double(parse_double(trimmed).ok_or_else(not_a_number)?),
        Kind::List if trimmed.is_empty() => Value::List(Vec::new()),
        Kind::List => Value::List(trimmed.split(',').map(|item| item.trim().to_owned()).collect()),
        // A class cannot be loaded here; its name is kept, and what acts on it says so.
        Kind::Str | Kind::Class | Kind::Password => Value::Text(trimmed.to_owned()),
    })
}

/// `String.trim`: every character up to the space.
pub fn java_trim(text: &str) -> &str {
    text.trim_matches(|character| character <= ' ')
}

/// `Double.parseDouble`: Rust's reading without its words for infinity, with Java's.
fn parse_double(text: &str) -> Option<f64> {
    let unsigned = text.trim_start_matches(['+', '-']);
    if unsigned == "Infinity" || unsigned == "NaN" {
        return text.parse().ok();
    }
    let number = text.trim_end_matches(['d', 'D', 'f', 'F']);
    if text.len() - number.len() > 1
        || !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
    {
        return None;
    }
    number.parse().ok()
}

/// `Double.toString`: at least one decimal, and an exponent from 10^7 up and below 10^-3.
fn double_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() };
    }
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        return format!("{value:?}");
    }
    let scientific = format!("{value:e}");
    match scientific.split_once('e') {
        Some((digits, exponent)) if digits.contains('.') => format!("{digits}E{exponent}"),
        Some((digits, exponent)) => format!("{digits}.0E{exponent}"),
        None => scientific,
    }
}

/// Whether `value` is what `valid` asks for.
fn check(name: &str, valid: Valid, value: &Value) -> Result<(), ConfigError> {
    match (valid, value) {
        (Valid::AtLeast(low), _) => check_range(name, low, f64::INFINITY, value),
        (Valid::Between(low, high), _) => check_range(name, low, high, value),
        (Valid::OneOf(texts), Value::Text(text)) => check_one_of(name, texts, text),
        (Valid::OneOfIgnoringCase(texts), Value::Text(text)) => {
            if texts.iter().any(|valid| valid.eq_ignore_ascii_case(text)) {
                return Ok(());
            }
            let why = format!("String must be one of (case insensitive): {}", texts.join(", "));
            Err(ConfigError::invalid(name, value, why))
        }
        (Valid::ListOf(texts, empty), Value::List(items)) => {
            check_list(name, items, empty, &format!("[{}]", texts.join(", ")))?;
            items.iter().try_for_each(|item| check_one_of(name, texts, item))
        }
        (Valid::Distinct(empty), Value::List(items)) => {
            check_list(name, items, empty, "any non-empty value")?;
            if items.iter().any(String::is_empty) {
                let message = format!("Configuration '{name}' values must not be empty.");
                return Err(ConfigError::of(name, message));
            }
            Ok(())
        }
        (Valid::NonEmptyString, Value::Text(text)) if text.is_empty() => {
            Err(ConfigError::invalid(name, value, "String must be non-empty"))
        }
        (Valid::GzipLevel, Value::Integer(level)) if *level != -1 && !(1..=9).contains(level) => {
            let why = "Value must be between 1 and 9 or equal to -1";
            Err(ConfigError::invalid(name, value, why))
        }
        (Valid::ThrottledReplicas, Value::List(items)) => check_throttled(name, items, value),
        (Valid::QuorumVoters, Value::List(items)) => {
            items.iter().try_for_each(|item| super::listeners::parse_voter(item).map(|_| ()))
        }
        (Valid::BootstrapServers, Value::List(items)) => {
            items.iter().try_for_each(|item| super::listeners::parse_bootstrap(item).map(|_| ()))
        }
        _ => Ok(()),
    }
}

fn check_range(name: &str, low: f64, high: f64, value: &Value) -> Result<(), ConfigError> {
    #[expect(clippy::cast_precision_loss, reason = "Kafka compares the same doubles")]
    let number = match value {
        Value::Integer(number) => *number as f64,
        Value::Double(number) => *number,
        _ => return Ok(()),
    };
    if number < low {
        let why = format!("Value must be at least {low}");
        return Err(ConfigError::invalid(name, value, why));
    }
    if number > high {
        let why = format!("Value must be no more than {high}");
        return Err(ConfigError::invalid(name, value, why));
    }
    Ok(())
}

fn check_one_of(name: &str, texts: &[&str], text: &str) -> Result<(), ConfigError> {
    if texts.contains(&text) {
        return Ok(());
    }
    let why = format!("String must be one of: {}", texts.join(", "));
    Err(ConfigError::invalid(name, text, why))
}

fn check_list(
    name: &str,
    items: &[String],
    empty: EmptyList,
    valid: &str,
) -> Result<(), ConfigError> {
    if items.is_empty() && empty == EmptyList::NotEmpty {
        let message =
            format!("Configuration '{name}' must not be empty. Valid values include: {valid}");
        return Err(ConfigError::of(name, message));
    }
    let distinct: std::collections::BTreeSet<&String> = items.iter().collect();
    if distinct.len() != items.len() {
        let message = format!("Configuration '{name}' values must not be duplicated.");
        return Err(ConfigError::of(name, message));
    }
    Ok(())
}

fn check_throttled(name: &str, items: &[String], value: &Value) -> Result<(), ConfigError> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_pair = |item: &String| {
        item.split_once(':')
            .is_some_and(|(partition, broker)| is_number(partition) && is_number(broker))
    };
    if items.iter().all(is_pair) || items == ["*"] {
        return Ok(());
    }
    let why = format!(
        "{name} must be the literal '*' or a list of replicas in the following format: {}",
        Valid::ThrottledReplicas
    );
    Err(ConfigError::invalid(name, value, why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::configs::definition::{BROKER, TOPIC};

    /// Key, value and what Kafka 4.3.1's own parser answered; `OK text` is the value it made.
    const OBSERVED: &str = include_str!("observed/parse-4.3.1.tsv");

    #[test]
    fn values_are_parsed_and_refused_in_kafkas_words() {
        let mut seen = 0;
        for line in OBSERVED.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<&str> = line.splitn(4, '\t').collect();
            let [table, name, text, expected] = fields[..] else { panic!("{line}") };
            let table = if table == "topic" { &*TOPIC } else { &*BROKER };
            let answer = match parse(table[name], Some(text)) {
                Ok(value) => format!("OK {}", value.to_text().unwrap()),
                Err(error) => error.message,
            };
            assert_eq!(answer, expected, "{line}");
            seen += 1;
        }
        assert!(seen > 100, "{seen}");
    }

    #[test]
    fn every_default_is_valid() {
        for definition in BROKER.values().chain(TOPIC.values()) {
            let parsed = parse(definition, None);
            assert_eq!(parsed.is_err(), definition.default == Default::Required, "{definition:?}");
        }
    }

    #[test]
    fn doubles_are_printed_as_java_prints_them() {
        for (value, text) in [
            (f64::MAX, "1.7976931348623157E308"),
            (0.0, "0.0"),
            (0.001, "0.001"),
            (0.000_5, "5.0E-4"),
            (9_999_999.0, "9999999.0"),
            (10_000_000.0, "1.0E7"),
            (-12_345_678.5, "-1.23456785E7"),
        ] {
            assert_eq!(double_text(value), text);
        }
    }
}
