//! The only source of randomness: the kernel's. Machines are handed bytes as values.

use rustix::rand::{GetRandomFlags, getrandom};

/// 16 random bytes, as many as a UUID takes.
pub fn random_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        // Without flags it waits for the kernel's pool to be ready, which it is once a machine is up, and is
        // interrupted by signals only before that.
        if let Ok(count) = getrandom(rest, GetRandomFlags::empty()) {
            filled += count;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        assert_ne!(random_bytes(), random_bytes());
    }
}
