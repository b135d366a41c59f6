//! Message versions which the protocol crate lacks, declared in our notation.
