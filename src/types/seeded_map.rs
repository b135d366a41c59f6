//! Hash maps whose order depends on a seed and on nothing else.
//!
//! The quality variant of foldhash is used because keys are often chosen by clients. Where the order
//! of iteration can be seen from outside (an answer, a file, a record), use an ordered map instead.

use hashbrown::HashMap;

/// The hasher of all maps here.
pub type Seed = foldhash::quality::RandomState;

/// A hash map with a seeded hasher.
pub type SeededMap<K, V> = HashMap<K, V, Seed>;
