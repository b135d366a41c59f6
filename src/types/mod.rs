//! The words everyone speaks: identifiers, offsets, epochs, points in time, error codes, seeded maps.
//!
//! No logic beyond what a word needs to be itself (text forms, order, successors). No clock, no
//! randomness: values of time and seeds come in as arguments.

pub mod acls;
pub mod epoch;
pub mod error_code;
pub mod ids;
pub mod offset;
pub mod seeded_map;
pub mod time;
