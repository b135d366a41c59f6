//! Digests of keys: SipHash-2-4 with 128 bits and a secret.
//!
//! Two keys with one digest would cost a record. Kafka uses MD5, for which two such keys can be made; here that takes
//! the secret, which is drawn anew for each cleaning and never leaves the process.

/// The secret of one cleaning.
pub type Secret = [u64; 2];
/// What stands for a key.
pub type Digest = [u64; 2];

struct State([u64; 4]);

impl State {
    const fn new([k0, k1]: Secret) -> Self {
        Self([
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d ^ 0xee,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ])
    }

    const fn rounds(&mut self, count: u32) {
        let [mut v0, mut v1, mut v2, mut v3] = self.0;
        let mut done = 0;
        while done < count {
            v0 = v0.wrapping_add(v1);
            v2 = v2.wrapping_add(v3);
            v1 = v1.rotate_left(13) ^ v0;
            v3 = v3.rotate_left(16) ^ v2;
            v0 = v0.rotate_left(32);
            v2 = v2.wrapping_add(v1);
            v0 = v0.wrapping_add(v3);
            v1 = v1.rotate_left(17) ^ v2;
            v3 = v3.rotate_left(21) ^ v0;
            v2 = v2.rotate_left(32);
            done += 1;
        }
        self.0 = [v0, v1, v2, v3];
    }

    const fn word(&mut self, word: u64) {
        self.0[3] ^= word;
        self.rounds(2);
        self.0[0] ^= word;
    }

    const fn finish(&mut self, mark: (usize, u64)) -> u64 {
        self.0[mark.0] ^= mark.1;
        self.rounds(4);
        self.0[0] ^ self.0[1] ^ self.0[2] ^ self.0[3]
    }
}

/// The digest of a key.
pub fn digest(secret: Secret, key: &[u8]) -> Digest {
    let mut state = State::new(secret);
    let (words, rest) = key.as_chunks::<8>();
    for word in words {
        state.word(u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    for (into, byte) in last.iter_mut().zip(rest) {
        *into = *byte;
    }
    last[7] = key.len() as u8;
    state.word(u64::from_le_bytes(last));
    [state.finish((2, 0xee)), state.finish((1, 0xdd))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_reference() {
        let secret: [u8; 16] = std::array::from_fn(|index| index as u8);
        let secret = [0, 8].map(|at| u64::from_le_bytes(secret[at..at + 8].try_into().unwrap()));
        let check = |length: u8, expected: u128| {
            let key: Vec<u8> = (0..length).collect();
            let [first, second] = digest(secret, &key).map(u64::to_le_bytes);
            let both: Vec<u8> = first.into_iter().chain(second).collect();
            assert_eq!(both, expected.to_be_bytes(), "{length}");
        };
        check(0, 0xa381_7f04_ba25_a8e6_6df6_7214_c755_0293);
        check(1, 0xda87_c1d8_6b99_af44_3476_5911_9b22_fc45);
        check(2, 0x8177_228d_a4a4_5dc7_fca3_8bde_f60a_ffe4);
    }

    #[test]
    fn the_secret_and_each_byte_count() {
        let of = |secret: u64, key: &[u8]| digest([secret, 2], key);
        assert_ne!(of(1, b"key"), of(2, b"key"));
        assert_ne!(of(1, b"12345678"), of(1, b"12345679"));
        assert_ne!(of(1, b"12345678"), of(1, b"12345678\0"));
        assert_ne!(of(1, b""), of(1, b"\0"));
    }
}
