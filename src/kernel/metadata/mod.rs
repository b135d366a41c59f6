//! What the metadata log says: an immutable image, and deltas that make the next one.
