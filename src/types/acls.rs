//! The words of access control: kinds of resources, of patterns, operations, permissions. They are the numbers of
//! Kafka's protocol and records, kept as they came, so that one that is not known is still the same one afterwards.

use std::fmt;

macro_rules! code {
    ($(#[$doc:meta])* $name:ident { $( $(#[$each:meta])* $constant:ident = $code:literal $text:literal, )* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub i8);

        impl $name {
            $( $(#[$each])* pub const $constant: Self = Self($code); )*

            /// As Kafka writes it.
            pub const fn as_str(self) -> &'static str {
                match self.0 {
                    $( $code => $text, )*
                    _ => "UNKNOWN",
                }
            }

            /// Whether Kafka has no such word.
            pub fn is_unknown(self) -> bool {
                ![$( $code ),*].contains(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", self.as_str(), self.0)
            }
        }
    };
}

code! {
    /// A kind of resource.
    ResourceType {
        /// In a filter, any.
        ANY = 1 "ANY",
        /// A topic.
        TOPIC = 2 "TOPIC",
        /// A group.
        GROUP = 3 "GROUP",
        /// The cluster, whose only name is [`CLUSTER_NAME`].
        CLUSTER = 4 "CLUSTER",
        /// A transactional id.
        TRANSACTIONAL_ID = 5 "TRANSACTIONAL_ID",
        /// A delegation token.
        DELEGATION_TOKEN = 6 "DELEGATION_TOKEN",
        /// A user.
        USER = 7 "USER",
    }
}

code! {
    /// How a pattern names resources (KIP-290).
    PatternType {
        /// In a filter, any.
        ANY = 1 "ANY",
        /// In a filter, every pattern that applies to a resource of the name.
        MATCH = 2 "MATCH",
        /// Just this name, or with `*` every name.
        LITERAL = 3 "LITERAL",
        /// Every name that begins with this.
        PREFIXED = 4 "PREFIXED",
    }
}

code! {
    /// What somebody does with a resource.
    Operation {
        /// In a filter, any.
        ANY = 1 "ANY",
        /// Every operation.
        ALL = 2 "ALL",
        /// Read.
        READ = 3 "READ",
        /// Write.
        WRITE = 4 "WRITE",
        /// Create.
        CREATE = 5 "CREATE",
        /// Delete.
        DELETE = 6 "DELETE",
        /// Alter.
        ALTER = 7 "ALTER",
        /// Describe.
        DESCRIBE = 8 "DESCRIBE",
        /// What brokers do among themselves.
        CLUSTER_ACTION = 9 "CLUSTER_ACTION",
        /// Describe configurations.
        DESCRIBE_CONFIGS = 10 "DESCRIBE_CONFIGS",
        /// Alter configurations.
        ALTER_CONFIGS = 11 "ALTER_CONFIGS",
        /// Write with a producer id, without transactions.
        IDEMPOTENT_WRITE = 12 "IDEMPOTENT_WRITE",
        /// Make tokens for a user.
        CREATE_TOKENS = 13 "CREATE_TOKENS",
        /// Describe the tokens of a user.
        DESCRIBE_TOKENS = 14 "DESCRIBE_TOKENS",
        /// Take part in transactions that others decide (KIP-939).
        TWO_PHASE_COMMIT = 15 "TWO_PHASE_COMMIT",
    }
}

code! {
    /// Whether an ACL forbids or permits.
    Permission {
        /// In a filter, any.
        ANY = 1 "ANY",
        /// It forbids.
        DENY = 2 "DENY",
        /// It permits.
        ALLOW = 3 "ALLOW",
    }
}

/// The name of the one cluster.
pub const CLUSTER_NAME: &str = "kafka-cluster";
/// What stands for any name of a resource, and for any host.
pub const WILDCARD: &str = "*";
/// Who stands for everybody.
pub const WILDCARD_PRINCIPAL: &str = "User:*";
/// Who comes through a listener that does not ask who comes.
pub const ANONYMOUS: &str = "User:ANONYMOUS";

impl ResourceType {
    /// As Kafka's tools and audit log write it.
    pub const fn pascal_case(self) -> &'static str {
        match self {
            Self::TOPIC => "Topic",
            Self::GROUP => "Group",
            Self::CLUSTER => "Cluster",
            Self::TRANSACTIONAL_ID => "TransactionalId",
            Self::DELEGATION_TOKEN => "DelegationToken",
            Self::USER => "User",
            _ => "Unknown",
        }
    }
}

/// The operations that there are on a kind of resource.
pub const fn supported_operations(resource_type: ResourceType) -> &'static [Operation] {
    match resource_type {
        ResourceType::TOPIC => &[
            Operation::READ,
            Operation::WRITE,
            Operation::CREATE,
            Operation::DESCRIBE,
            Operation::DELETE,
            Operation::ALTER,
            Operation::DESCRIBE_CONFIGS,
            Operation::ALTER_CONFIGS,
        ],
        ResourceType::GROUP => &[
            Operation::READ,
            Operation::DESCRIBE,
            Operation::DELETE,
            Operation::DESCRIBE_CONFIGS,
            Operation::ALTER_CONFIGS,
        ],
        ResourceType::CLUSTER => &[
            Operation::CREATE,
            Operation::CLUSTER_ACTION,
            Operation::DESCRIBE_CONFIGS,
            Operation::ALTER_CONFIGS,
            Operation::IDEMPOTENT_WRITE,
            Operation::ALTER,
            Operation::DESCRIBE,
        ],
        ResourceType::TRANSACTIONAL_ID => {
            &[Operation::DESCRIBE, Operation::WRITE, Operation::TWO_PHASE_COMMIT]
        }
        ResourceType::DELEGATION_TOKEN => &[Operation::DESCRIBE],
        ResourceType::USER => &[Operation::CREATE_TOKENS, Operation::DESCRIBE_TOKENS],
        _ => &[],
    }
}
