//! Feature levels as `format` chooses them: what a release means, what it turns on, what depends on what.
//!
//! Levels and defaults are those of Apache Kafka 4.3. A feature is turned on for new directories only as far as this
//! program keeps its promise; a directory formatted by Apache keeps the levels it has.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::FormatError;
use crate::kernel::controller::feature_table::{
    FEATURES, Feature, METADATA_VERSION_MAX, METADATA_VERSION_MIN,
};
pub use crate::kernel::controller::feature_table::{KRAFT_VERSION, METADATA_VERSION};

/// The names of the metadata versions from the lowest that Kafka 4 reads.
const METADATA_VERSIONS: [&str; 24] = [
    "3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2",
    "3.7-IV0", "3.7-IV1", "3.7-IV2", "3.7-IV3", "3.7-IV4", "3.8-IV0", "3.9-IV0", "4.0-IV0",
    "4.0-IV1", "4.0-IV2", "4.0-IV3", "4.1-IV0", "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0",
];

/// The levels a new directory starts with; `kraft.version` apart, which is not a record of its own kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Levels {
    /// The level of `metadata.version`.
    pub metadata_version: i16,
    /// `kraft.version`, where it was named.
    pub kraft_version: Option<i16>,
    /// The other features with a level above 0, by name.
    pub others: BTreeMap<&'static str, i16>,
}

/// The name of a level: `4.3-IV0`.
pub fn metadata_version_name(level: i16) -> Option<&'static str> {
    let index = level.checked_sub(METADATA_VERSION_MIN)?;
    METADATA_VERSIONS.get(usize::try_from(index).ok()?).copied()
}

/// The level that `4.1-IV0` or, for the latest of a release, `4.1` or `4.1.1` names.
pub fn metadata_version_of(text: &str) -> Option<i16> {
    let release = |name: &str| name.split_once("-IV").map(|(release, _)| release.to_owned());
    let asked = match text.split('.').collect::<Vec<_>>()[..] {
        [major, minor, _patch] if !text.contains("-IV") => format!("{major}.{minor}"),
        _ => text.to_owned(),
    };
    let index = METADATA_VERSIONS.iter().rposition(|name| {
        *name == asked || release(name).is_some_and(|release| release == asked)
    })?;
    Some(METADATA_VERSION_MIN + index as i16)
}

impl Levels {
    /// What `--release-version` and `--feature` ask for.
    pub fn choose(release: Option<&str>, features: &[String]) -> Result<Self, FormatError> {
        let mut asked = BTreeMap::new();
        for feature in features {
            let (name, level) = parse_feature(feature)?;
            asked.insert(name, level);
        }
        let metadata_version = choose_metadata_version(release, &mut asked)?;
        let kraft_version = asked.remove(KRAFT_VERSION);
        if let Some(level) = kraft_version.filter(|level| !(0..=1).contains(level)) {
            return Err(no_such_level(KRAFT_VERSION, level));
        }
        if let Some(unknown) =
            asked.keys().find(|name| FEATURES.iter().all(|feature| feature.name != **name))
        {
            return Err(unsupported(unknown));
        }
        let mut others = BTreeMap::new();
        for feature in &FEATURES {
            let level = match asked.get(feature.name) {
                Some(level) => check(feature, *level, metadata_version)?,
                None => feature.default_level(metadata_version).min(feature.kept),
            };
            if level > 0 {
                others.insert(feature.name, level);
            }
        }
        Ok(Self { metadata_version, kraft_version, others })
    }

    /// Names and levels in the order in which Kafka writes them: `metadata.version` first, the others by name.
    pub fn records(&self) -> impl Iterator<Item = (&'static str, i16)> + '_ {
        let others = self.others.iter().map(|(name, level)| (*name, *level));
        std::iter::once((METADATA_VERSION, self.metadata_version)).chain(others)
    }

    /// The records' values, each in its frame: FeatureLevelRecord (12) version 0.
    pub fn values(&self) -> impl Iterator<Item = Bytes> + '_ {
        self.records().map(|(name, level)| {
            let mut value = vec![1, 12, 0, name.len() as u8 + 1];
            value.extend_from_slice(name.as_bytes());
            value.extend_from_slice(&level.to_be_bytes());
            value.push(0);
            Bytes::from(value)
        })
    }
}

impl Default for Levels {
    /// What a new directory starts with when nothing is asked for.
    fn default() -> Self {
        let levels = Self::choose(None, &[]);
        levels.unwrap_or(Self {
            metadata_version: METADATA_VERSION_MAX,
            kraft_version: None,
            others: BTreeMap::new(),
        })
    }
}

fn check(feature: &Feature, level: i16, metadata_version: i16) -> Result<i16, FormatError> {
    if level == 0 {
        return Ok(level);
    }
    let index = usize::try_from(level - 1).unwrap_or(usize::MAX);
    let Some(needs) = feature.needs.get(index) else {
        return Err(no_such_level(feature.name, level));
    };
    if *needs > metadata_version {
        return Err(FormatError::Refused(format!(
            "{} could not be set to {level} because it depends on metadata.version level {needs}",
            feature.name
        )));
    }
    if level > feature.kept {
        return Err(FormatError::Refused(format!(
            "{} could not be set to {level}: level {} is the highest that works here so far",
            feature.name, feature.kept
        )));
    }
    Ok(level)
}

fn parse_feature(text: &str) -> Result<(&str, i16), FormatError> {
    let Some((name, level)) = text.split_once('=') else {
        return Err(FormatError::Refused(format!(
            "Can't parse feature=level string {text}: equals sign not found."
        )));
    };
    let (name, level) = (name.trim(), level.trim());
    let parsed = level.parse().map_err(|_| {
        FormatError::Refused(format!(
            "Can't parse feature=level string {text}: unable to parse {level} as a short."
        ))
    })?;
    Ok((name, parsed))
}

fn choose_metadata_version(
    release: Option<&str>,
    asked: &mut BTreeMap<&str, i16>,
) -> Result<i16, FormatError> {
    match (release, asked.remove(METADATA_VERSION)) {
        (Some(_), Some(_)) => Err(FormatError::Refused(format!(
            "Use --release-version instead of --feature {METADATA_VERSION}=X to avoid ambiguity."
        ))),
        (None, None) => Ok(METADATA_VERSION_MAX),
        (None, Some(level)) => match metadata_version_name(level) {
            Some(_) => Ok(level),
            None => {
                Err(FormatError::Refused(format!("No MetadataVersion with feature level {level}")))
            }
        },
        (Some(release), None) => metadata_version_of(release).ok_or_else(|| {
            FormatError::Refused(format!(
                "Unknown metadata.version '{release}'. Supported metadata.version are: {}",
                METADATA_VERSIONS.join(", ")
            ))
        }),
    }
}

fn no_such_level(name: &str, level: i16) -> FormatError {
    FormatError::Refused(format!("No feature:{name} with feature level {level}"))
}

fn unsupported(name: &str) -> FormatError {
    let mut names: Vec<&str> = FEATURES.iter().map(|feature| feature.name).collect();
    names.push(KRAFT_VERSION);
    names.sort_unstable();
    let names = names.join(", ");
    FormatError::Refused(format!("Unsupported feature: {name}. Supported features are: {names}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(release: Option<&str>, features: &[&str]) -> Result<Levels, String> {
        let features: Vec<String> = features.iter().map(|text| (*text).to_owned()).collect();
        Levels::choose(release, &features).map_err(|error| error.to_string())
    }

    #[test]
    fn a_release_names_its_latest_level() {
        for (text, level) in
            [("3.3", 7), ("3.7-IV4", 19), ("3.7", 19), ("4.0", 25), ("4.1.1", 27), ("4.3-IV0", 30)]
        {
            assert_eq!(metadata_version_of(text), Some(level), "{text}");
        }
        for text in ["3.2", "9.9", "4", "4.1-IV9", "", "4.1.1.1"] {
            assert_eq!(metadata_version_of(text), None, "{text}");
        }
        assert_eq!(metadata_version_name(20), Some("3.8-IV0"));
        assert_eq!(metadata_version_name(30), Some("4.3-IV0"));
        assert_eq!((metadata_version_name(6), metadata_version_name(31)), (None, None));
    }

    #[test]
    fn kafkas_defaults_are_known_even_where_they_are_not_kept_yet() {
        let defaults = |metadata_version| {
            FEATURES
                .iter()
                .map(|feature| feature.default_level(metadata_version))
                .collect::<Vec<_>>()
        };
        assert_eq!(defaults(21), [0, 0, 0, 0, 0]);
        assert_eq!(defaults(25), [0, 1, 0, 0, 2]);
        assert_eq!(defaults(27), [1, 1, 0, 0, 2]);
        assert_eq!(defaults(30), [1, 1, 1, 1, 2]);
    }

    #[test]
    fn a_new_directory_promises_nothing_that_is_not_kept() {
        let levels = choose(None, &[]).unwrap();
        let promised = [("metadata.version", 30), ("group.version", 1), ("transaction.version", 2)];
        assert_eq!(levels.records().collect::<Vec<_>>(), promised);
        let levels = choose(Some("4.1"), &["share.version=0", "kraft.version=1"]).unwrap();
        assert_eq!((levels.metadata_version, levels.kraft_version), (27, Some(1)));
    }

    #[test]
    fn refusals_are_worded_as_kafka_words_them() {
        let refused = |release, features: &[&str]| choose(release, features).unwrap_err();
        assert_eq!(
            refused(None, &["foo=1"]),
            "Unsupported feature: foo. Supported features are: eligible.leader.replicas.version, group.version, kraft.version, share.version, streams.version, transaction.version"
        );
        assert_eq!(
            refused(None, &["group.version=7"]),
            "No feature:group.version with feature level 7"
        );
        assert_eq!(
            refused(Some("3.9"), &["eligible.leader.replicas.version=1"]),
            "eligible.leader.replicas.version could not be set to 1 because it depends on metadata.version level 23"
        );
        assert_eq!(
            refused(Some("4.1"), &["metadata.version=29"]),
            "Use --release-version instead of --feature metadata.version=X to avoid ambiguity."
        );
        assert_eq!(
            refused(None, &["bad"]),
            "Can't parse feature=level string bad: equals sign not found."
        );
        assert_eq!(
            refused(None, &["group.version=x"]),
            "Can't parse feature=level string group.version=x: unable to parse x as a short."
        );
        assert!(refused(Some("9.9"), &[]).starts_with(
            "Unknown metadata.version '9.9'. Supported metadata.version are: 3.3-IV3, "
        ));
        assert!(refused(None, &["share.version=1"]).contains("works here so far"));
        assert!(refused(None, &["kraft.version=2"]).contains("No feature:kraft.version"));
        assert!(refused(None, &["metadata.version=6"]).contains("feature level 6"));
    }
}
