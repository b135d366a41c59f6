//! The log directories as DescribeLogDirs tells of them (KIP-113, KIP-827).

use std::sync::Arc;

use super::{LogDirDescription, LogDirectory, Partitions, ReplicaDescription};
use crate::shell::disk::data_dirs::space;
use crate::types::error_code::ErrorCode;

impl Partitions {
    /// All log directories.
    pub fn log_dirs(&self) -> Vec<LogDirDescription> {
        let mut all = self.all();
        all.sort_unstable_by(|left, right| (&left.topic, left.id).cmp(&(&right.topic, right.id)));
        let describe = |directory: &Arc<LogDirectory>| {
            let mut description = described(directory);
            if description.error != ErrorCode::None {
                return description;
            }
            for partition in &all {
                if Arc::ptr_eq(partition.directory(), directory)
                    && let Some(size) = partition.size()
                {
                    description.replicas.push(ReplicaDescription {
                        topic: partition.topic.clone(),
                        topic_id: partition.topic_id,
                        partition: partition.id,
                        size_bytes: size.size_bytes,
                        offset_lag: size.offset_lag,
                    });
                }
            }
            description
        };
        self.directories.iter().map(describe).collect()
    }
}

/// The directory without its replicas.
fn described(directory: &LogDirectory) -> LogDirDescription {
    let space = (!directory.is_offline()).then(|| space(directory.path()).ok()).flatten();
    let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    LogDirDescription {
        path: std::path::absolute(directory.path())
            .unwrap_or_else(|_| directory.path().to_owned())
            .display()
            .to_string(),
        error: if directory.is_offline() { ErrorCode::KafkaStorageError } else { ErrorCode::None },
        total_bytes: space.map_or(-1, |space| bytes(space.total_bytes)),
        usable_bytes: space.map_or(-1, |space| bytes(space.usable_bytes)),
        replicas: Vec::new(),
    }
}
