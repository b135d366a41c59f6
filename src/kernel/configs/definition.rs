//! What is known about a configuration key.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use super::tables;

/// The type of a key's value, as DescribeConfigs tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`, in any case.
    Boolean,
    /// Text; Kafka's STRING.
    Str,
    /// 32-bit.
    Int,
    /// 16-bit.
    Short,
    /// 64-bit.
    Long,
    /// A floating point number.
    Double,
    /// Texts separated by commas.
    List,
    /// The name of a Java class, kept as text.
    Class,
    /// Text that is never shown.
    Password,
}

impl Kind {
    /// Kafka's name of the type, as in its messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::Str => "STRING",
            Self::Int => "INT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }

    /// The type's number in DescribeConfigs answers (KIP-569); 0 is "unknown".
    pub const fn wire_id(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::Str => 2,
            Self::Int => 3,
            Self::Short => 4,
            Self::Long => 5,
            Self::Double => 6,
            Self::List => 7,
            Self::Class => 8,
            Self::Password => 9,
        }
    }
}

/// The value of a key that nobody set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// This text.
    Is(&'static str),
    /// No value.
    Null,
    /// There is none: the key has to be set.
    Required,
}

/// Whether a list may be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmptyList {
    /// It may.
    Empty,
    /// It may not.
    NotEmpty,
}

/// What a value has to be, beyond its type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Valid {
    /// Anything.
    Any,
    /// A number that is not below.
    AtLeast(f64),
    /// A number within, both ends included.
    Between(f64, f64),
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// One of these texts, in any case.
    OneOfIgnoringCase(&'static [&'static str]),
    /// A list of these texts, none twice.
    ListOf(&'static [&'static str], EmptyList),
    /// A list of texts, none twice and none empty.
    Distinct(EmptyList),
    /// A text of at least one character.
    NonEmptyString,
    /// Any text, but not no value.
    NonNull,
    /// 1 to 9, or -1.
    GzipLevel,
    /// `*`, or partition:broker pairs.
    ThrottledReplicas,
    /// id@host:port entries.
    QuorumVoters,
    /// host:port entries.
    BootstrapServers,
}

impl fmt::Display for Valid {
    /// As Kafka's documentation prints it, or in our words where Kafka says nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::AtLeast(low) => write!(f, "[{low},...]"),
            Self::Between(low, high) => write!(f, "[{low},...,{high}]"),
            Self::OneOf(texts) | Self::ListOf(texts, _) => write!(f, "[{}]", texts.join(", ")),
            Self::OneOfIgnoringCase(texts) => {
                write!(f, "(case insensitive) [{}]", texts.join(", "))
            }
            Self::Distinct(_) => f.write_str("a list without duplicates"),
            Self::NonEmptyString => f.write_str("non-empty string"),
            Self::NonNull => f.write_str("non-null string"),
            Self::GzipLevel => f.write_str("[1,...,9] or -1"),
            Self::ThrottledReplicas => {
                f.write_str("[partitionId]:[brokerId],[partitionId]:[brokerId],...")
            }
            Self::QuorumVoters => f.write_str("a list of {id}@{host}:{port}"),
            Self::BootstrapServers => f.write_str("a list of {host}:{port}"),
        }
    }
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    /// HIGH.
    High,
    /// MEDIUM.
    Medium,
    /// LOW.
    Low,
}

/// Where and when a key can be changed (KIP-226).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// Only in the file, before the start.
    ReadOnly,
    /// At run time, for one broker or for all by default.
    ClusterWide,
    /// At run time, for one broker.
    PerBroker,
    /// A key of topics: at any time, per topic.
    PerTopic,
    /// A key of groups: at any time, per group.
    PerGroup,
}

/// One key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Definition {
    /// Kafka's name.
    pub name: &'static str,
    /// The type of its value.
    pub kind: Kind,
    /// Its value where nobody set it.
    pub default: Default,
    /// What the value has to be.
    pub valid: Valid,
    /// How much it matters.
    pub importance: Importance,
    /// How it can change.
    pub update: Update,
    /// Not shown unless it is set.
    pub internal: bool,
    /// What it does, in one sentence.
    pub documentation: &'static str,
}

impl Definition {
    /// The text of the default; none where it is null or where there is no default.
    pub const fn default_text(&self) -> Option<&'static str> {
        match self.default {
            Default::Is(text) => Some(text),
            Default::Null | Default::Required => None,
        }
    }

    /// Whether its value is never shown.
    pub const fn is_sensitive(&self) -> bool {
        matches!(self.kind, Kind::Password)
    }

    /// Whether it can be changed while the broker runs.
    pub const fn is_dynamic(&self) -> bool {
        !matches!(self.update, Update::ReadOnly)
    }
}

/// The definitions by name.
pub type Definitions = BTreeMap<&'static str, &'static Definition>;

/// Every broker key.
pub static BROKER: LazyLock<Definitions> = LazyLock::new(|| {
    let all = tables::BROKER_FAMILIES.into_iter().flatten();
    all.map(|definition| (definition.name, definition)).collect()
});

/// Every group key.
pub static GROUP: LazyLock<Definitions> = LazyLock::new(|| {
    tables::GROUP.iter().map(|definition| (definition.name, definition)).collect()
});

/// Every topic key.
pub static TOPIC: LazyLock<Definitions> = LazyLock::new(|| {
    tables::TOPIC.iter().map(|definition| (definition.name, definition)).collect()
});
