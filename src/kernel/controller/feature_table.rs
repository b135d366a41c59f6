//! Features and their levels (KIP-584): what there is in Apache Kafka 4.3, and how far this program keeps each promise.

use crate::kernel::metadata::image::FeatureRange;

/// The feature that names the format of the metadata log itself.
pub const METADATA_VERSION: &str = "metadata.version";
/// The feature of the quorum: 1 where the voters are in the log (KIP-853).
pub const KRAFT_VERSION: &str = "kraft.version";
/// The lowest metadata.version that Kafka 4 reads: 3.3-IV3.
pub const METADATA_VERSION_MIN: i16 = 7;
/// The highest of Kafka 4.3: 4.3-IV0.
pub const METADATA_VERSION_MAX: i16 = 30;

/// From this metadata.version on (3.7-IV0), controllers register (KIP-919).
pub const CONTROLLERS_REGISTER: i16 = 15;

/// The metadata versions that brought records, or fields of records, which older ones do not have: nothing goes back
/// over one of them.
pub const METADATA_CHANGES: [i16; 9] = [7, 8, 11, 13, 14, 15, 17, 23, 30];

/// One feature that an operator may name.
pub struct Feature {
    /// Its name.
    pub name: &'static str,
    /// The metadata version at which Kafka turns on level 1, 2 and so on.
    pub defaults: &'static [i16],
    /// The metadata version which each level cannot do without.
    pub needs: &'static [i16],
    /// The highest level whose promise this program keeps.
    pub kept: i16,
}

impl Feature {
    /// The level that a new cluster of this metadata version has in Kafka.
    pub fn default_level(&self, metadata_version: i16) -> i16 {
        self.defaults.iter().take_while(|from| **from <= metadata_version).count() as i16
    }
}

/// In the order of their names, which is the order of the records.
pub const FEATURES: [Feature; 5] = [
    Feature { name: "eligible.leader.replicas.version", defaults: &[26], needs: &[23], kept: 0 },
    Feature { name: "group.version", defaults: &[22], needs: &[7], kept: 1 },
    Feature { name: "share.version", defaults: &[28], needs: &[7], kept: 0 },
    Feature { name: "streams.version", defaults: &[29], needs: &[7], kept: 0 },
    Feature { name: "transaction.version", defaults: &[24, 24], needs: &[7, 7], kept: 2 },
];

/// The feature of this name; `metadata.version` and `kraft.version` are not in the table.
pub fn feature(name: &str) -> Option<&'static Feature> {
    FEATURES.iter().find(|feature| feature.name == name)
}

/// What this program can work with, by name. A feature whose promise is not kept at all is not among them.
pub fn supported() -> impl Iterator<Item = (&'static str, FeatureRange)> {
    let fixed = [
        (KRAFT_VERSION, FeatureRange { min: 0, max: 1 }),
        (METADATA_VERSION, FeatureRange { min: METADATA_VERSION_MIN, max: METADATA_VERSION_MAX }),
    ];
    let kept = FEATURES.iter().filter(|feature| feature.kept > 0);
    kept.map(|feature| (feature.name, FeatureRange { min: 0, max: feature.kept })).chain(fixed)
}
