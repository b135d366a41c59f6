//! The random choices of a stage, which can be repeated.

/// The seed of a run that names none.
const SEED: u64 = 20_241_126;

/// Xorshift: enough to choose fruit.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// A sequence for one purpose.
    pub fn of(purpose: &str) -> Self {
        let seed = std::env::var("STAGES_SEED").ok().and_then(|seed| seed.parse().ok());
        let mixed = purpose.bytes().fold(seed.unwrap_or(SEED), |state, byte| {
            (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(17)
        });
        Self(mixed | 1)
    }

    /// A number from `low` to below `high`.
    pub fn from(&mut self, low: i32, high: i32) -> i32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let span = i64::from(high) - i64::from(low);
        (i64::from(low) + (self.0 >> 16) as i64 % span) as i32
    }

    /// A correlation id as the tester draws it.
    pub fn correlation_id(&mut self) -> i32 {
        self.from(0, i32::MAX - 1)
    }

    /// `count` distinct ones of `words`, in any order.
    pub fn distinct(&mut self, words: &[&'static str], count: usize) -> Vec<&'static str> {
        let mut left = words.to_vec();
        (0..count).map(|_| left.swap_remove(self.from(0, left.len() as i32) as usize)).collect()
    }
}
