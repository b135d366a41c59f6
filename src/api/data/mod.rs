//! The data path: Produce, Fetch, ListOffsets and their kin.
