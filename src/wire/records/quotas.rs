//! Quotas of clients (KIP-546).

use super::notation::structure;

structure! {
    /// A part of what a quota is for.
    EntityData {
        /// `user`, `client-id` or `ip`.
        0+ entity_type: String;
        /// Its name; null for the default.
        0+ entity_name: Option<String>;
    }
}

structure! {
    /// A quota is set or deleted (type 14).
    ClientQuotaRecord {
        /// What it is for.
        0+ entity: Vec<EntityData>;
        /// Which quota.
        0+ key: String;
        /// Its value.
        0+ value: f64;
        /// Whether it is deleted.
        0+ remove: bool;
    }
}
