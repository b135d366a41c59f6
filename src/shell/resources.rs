//! What this machine, or the container around us, lets us have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::system::{sysinfo, uname};

/// Where a container's limit stands (cgroup 2).
const CONTAINER_MEMORY: &str = "/sys/fs/cgroup/memory.max";
/// What is assumed where the system sets no limit to descriptors.
const UNLIMITED_DESCRIPTORS: u64 = 1 << 20;

/// How much memory there is for us, in bytes.
pub fn memory_bytes() -> u64 {
    let info = sysinfo();
    let machine = info.totalram.saturating_mul(u64::from(info.mem_unit).max(1));
    let addresses = getrlimit(Resource::As).current.unwrap_or(u64::MAX);
    machine.min(container_memory_bytes().unwrap_or(u64::MAX)).min(addresses)
}

#[expect(clippy::disallowed_methods, reason = "a file of the kernel, not of ours")]
fn container_memory_bytes() -> Option<u64> {
    // "max" without a limit, and no such file outside a container.
    std::fs::read_to_string(CONTAINER_MEMORY).ok()?.trim().parse().ok()
}

/// Asks for as many descriptors as we may have, as the JVM does for Kafka, and says how many that is.
pub fn raise_descriptors() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let granted = if setrlimit(Resource::Nofile, raised).is_ok() { raised } else { limit };
    granted.current.unwrap_or(UNLIMITED_DESCRIPTORS)
}

/// What this machine calls itself.
pub fn host_name() -> String {
    let name = uname();
    name.nodename().to_string_lossy().into_owned()
}

/// On how many processors we may run at once.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_something_to_work_with() {
        assert!(memory_bytes() > 16 << 20);
        assert!(raise_descriptors() >= 64);
        assert!(processors() >= 1);
        assert!(!host_name().is_empty());
    }
}
