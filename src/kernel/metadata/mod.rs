//! What the metadata log says: an immutable image, and deltas that make the next one.
//!
//! - [`image`]: the image, which everyone reads and nobody changes.

pub mod image;
