//! Topics: create, delete, grow.
