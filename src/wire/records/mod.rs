//! Records on disk which the protocol crate lacks, declared in our notation.
