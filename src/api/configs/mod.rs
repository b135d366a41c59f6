//! Configuration of topics and brokers, read and changed at run time.
//!
//! What the values are and what may change is decided in `kernel::configs` and, for changes, by the
//! controller; here requests are taken apart and answers put together.

pub mod alter;
pub mod alter_configs;
pub mod describe_configs;
pub mod incremental_alter_configs;
pub mod list_config_resources;
pub mod resources;
