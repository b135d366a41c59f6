//! Real files behind the disk trait. The only folder with unsafe code.

pub mod data_dirs;
pub mod directory_lock;
pub mod files;
mod map;
