//! Values of every field's type, for the tests.

use bytes::Bytes;
use uuid::Uuid;

/// Numbers from a seed.
pub fn numbers(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Can be drawn.
pub trait Sample: Sized {
    /// A value made of numbers that `draw` gives.
    fn sample(draw: &mut dyn FnMut() -> u64) -> Self;
}

macro_rules! integers {
    ($( $kind:ident )*) => { $(
        impl Sample for $kind {
            fn sample(draw: &mut dyn FnMut() -> u64) -> Self {
                draw() as Self
            }
        }
    )* };
}

integers! { i8 i16 u16 i32 i64 }

impl Sample for f64 {
    fn sample(draw: &mut dyn FnMut() -> u64) -> Self {
        Self::from(draw() as i32) / 7.0
    }
}

impl Sample for bool {
    fn sample(draw: &mut dyn FnMut() -> u64) -> Self {
        draw() % 2 == 1
    }
}

impl Sample for Uuid {
    fn sample(draw: &mut dyn FnMut() -> u64) -> Self {
        Self::from_u64_pair(draw(), draw())
    }
}

impl Sample for String {
    fn sample(draw: &mut dyn FnMut() -> u64) -> Self {
        let length = draw() % 140;
        (0..length).map(|_| char::from(b'a' + (draw() % 26) as u8)).collect()
    }
}

impl Sample for Bytes {
    fn sample(draw: &mut dyn FnMut() -> u64) -> Self {
        String::sample(draw).into()
    }
}

impl<T: Sample> Sample for Vec<T> {
    fn sample(draw: &mut dyn FnMut() -> u64) -> Self {
        let length = draw() % 4;
        (0..length).map(|_| T::sample(draw)).collect()
    }
}

impl<T: Sample> Sample for Option<T> {
    fn sample(draw: &mut dyn FnMut() -> u64) -> Self {
        bool::sample(draw).then(|| T::sample(draw))
    }
}
