//! Real files behind the disk trait. The only folder with unsafe code.

pub mod files;
mod map;
