//! What the metadata log says: an immutable image, and deltas that make the next one.
//!
//! - [`image`]: the image, which everyone reads and nobody changes.
//! - [`delta`]: replays records; [`changes`] tells what they changed.
//! - [`topics`], [`brokers`], [`acls`], [`carried`]: the parts of a delta.
//! - [`snapshot`]: the records that say an image.

pub mod acls;
mod brokers;
mod carried;
pub mod changes;
pub mod delta;
pub mod image;
pub mod snapshot;
pub mod topics;
