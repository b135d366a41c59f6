//! What the cluster looks like: Metadata, DescribeCluster, DescribeQuorum and their kin.
//!
//! Answers are made of the published image alone, which has all that was decided before: [`view`] is how clients of one
//! listener see it. [`auto_creation`] is the one thing here that leads to a change.

pub mod auto_creation;
pub mod describe_cluster;
pub mod describe_quorum;
pub mod describe_topic_partitions;
pub mod metadata;
pub mod update_features;
pub mod view;
