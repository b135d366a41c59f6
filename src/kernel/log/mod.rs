//! One partition's log over a small disk trait: append, read, roll, retain, recover.

pub mod clean_shutdown;
pub mod file_names;
pub mod leader_epochs;
pub mod meta_properties;
pub mod offset_checkpoint;
pub mod offset_index;
pub mod partition_metadata;
pub mod producers;
pub mod time_index;
pub mod transaction_index;
