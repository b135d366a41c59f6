//! KRaft: the raft of the metadata log, pull-based as Kafka's (KIP-595), without I/O.
