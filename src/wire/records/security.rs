//! Who may do what, and who is who: ACLs, SCRAM credentials, delegation tokens.

use bytes::Bytes;
use uuid::Uuid;

use super::notation::structure;

structure! {
    /// An ACL comes to be (type 18).
    AccessControlEntryRecord {
        /// Its id.
        0+ id: Uuid;
        /// What it is about.
        0+ resource_type: i8;
        /// Which of them.
        0+ resource_name: String;
        /// 3 that name, 4 names that begin with it.
        0+ pattern_type: i8;
        /// Whom it concerns.
        0+ principal: String;
        /// From which host.
        0+ host: String;
        /// Which operation.
        0+ operation: i8;
        /// 2 deny, 3 allow.
        0+ permission_type: i8;
    }
}

structure! {
    /// An ACL is deleted (type 19).
    RemoveAccessControlEntryRecord {
        /// Its id.
        0+ id: Uuid;
    }
}

structure! {
    /// A user's SCRAM credential is set (type 11, KIP-900).
    UserScramCredentialRecord {
        /// The user.
        0+ name: String;
        /// 1 SCRAM-SHA-256, 2 SCRAM-SHA-512.
        0+ mechanism: i8;
        /// The salt.
        0+ salt: Bytes;
        /// The stored key.
        0+ stored_key: Bytes;
        /// The server key.
        0+ server_key: Bytes;
        /// How many iterations.
        0+ iterations: i32;
    }
}

structure! {
    /// A user's SCRAM credential is deleted (type 22).
    RemoveUserScramCredentialRecord {
        /// The user.
        0+ name: String;
        /// 1 SCRAM-SHA-256, 2 SCRAM-SHA-512.
        0+ mechanism: i8;
    }
}

structure! {
    /// A delegation token comes to be, or is renewed (type 10, KIP-48).
    DelegationTokenRecord {
        /// Whose it is.
        0+ owner: String;
        /// Who asked for it.
        0+ requester: String;
        /// Who may renew it.
        0+ renewers: Vec<String>;
        /// When it was made.
        0+ issue_timestamp: i64;
        /// Until when it can be renewed.
        0+ max_timestamp: i64;
        /// Until when it counts.
        0+ expiration_timestamp: i64;
        /// Its id.
        0+ token_id: String;
    }
}

structure! {
    /// A delegation token is deleted (type 26).
    RemoveDelegationTokenRecord {
        /// Its id.
        0+ token_id: String;
    }
}
