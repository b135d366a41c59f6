//! Values of every field's type, for the tests.

use bytes::Bytes;
use uuid::Uuid;

/// Can be drawn.
pub trait Sample: Sized {
    /// A value made of numbers that `draw` gives.
    fn sample(draw: &mut dyn FnMut() -> u64) -> Self;
}

macro_rules! numbers {
    ($( $kind:ident )*) => { $(
        impl Sample for $kind {
            fn sample(draw: &mut dyn FnMut() -> u64) -> Self {
                draw() as Self
            }
        }
    )* };
}

numbers! { i8 i16 u16 i32 i64 }

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
