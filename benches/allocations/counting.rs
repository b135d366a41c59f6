//! An allocator that counts, and the loop that reads it.
#![expect(unsafe_code, reason = "an allocator cannot be written without")]
#![expect(clippy::disallowed_methods, reason = "a stopwatch needs the clock")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

fn count(bytes: usize) {
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    BYTES.fetch_add(bytes as u64, Ordering::Relaxed);
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches no memory of its own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promises are handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        count(bytes);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, bytes) }
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;

/// What one step costs.
pub struct Cost {
    /// Calls of the allocator, rounded up.
    pub allocations: u64,
    /// What they asked for.
    pub bytes: u64,
    /// The quickest of a few rounds, per step.
    pub nanoseconds: u128,
}

const WARM_UP_STEPS: u32 = 4;
const ROUNDS: u32 = 5;
/// How long a round should take, roughly; slow steps are run at least twice in it.
const ROUND: Duration = Duration::from_millis(10);

/// Runs a step often enough that what happens once does not count.
pub fn measure(step: &dyn Fn()) -> Cost {
    let start = Instant::now();
    for _ in 0..WARM_UP_STEPS {
        step();
    }
    let one = (start.elapsed() / WARM_UP_STEPS).max(Duration::from_nanos(1));
    let round_steps = (ROUND.as_nanos() / one.as_nanos()).clamp(2, 1000);
    let before = (ALLOCATIONS.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
    let mut quickest = u128::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..round_steps {
            black_box(step)();
        }
        quickest = quickest.min(start.elapsed().as_nanos() / round_steps);
    }
    let steps = u64::from(ROUNDS) * round_steps as u64;
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before.0;
    let bytes = BYTES.load(Ordering::Relaxed) - before.1;
    Cost { allocations: allocations.div_ceil(steps), bytes: bytes / steps, nanoseconds: quickest }
}
