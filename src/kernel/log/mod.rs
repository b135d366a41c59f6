//! One partition's log over a small disk trait: append, read, roll, retain, recover.

pub mod meta_properties;
