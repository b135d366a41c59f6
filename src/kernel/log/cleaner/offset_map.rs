//! The latest offset of each key in the dirty part of a log, by the digests of the keys: 24 bytes each.
//!
//! The table is made for as many keys as the dirty part can have, and never for more than its share of
//! `log.cleaner.dedupe.buffer.size` holds. One that is full ends there: what lies behind is cleaned another time.

use super::digest::{Digest, Secret, digest};
use crate::types::offset::Offset;

/// The size of an entry.
pub const SLOT_BYTES: usize = 24;
/// A table of at least this many bytes is allocated as large as [`APART_BYTES`], of which it touches its own part
/// only.
const SMALL_BYTES: usize = 256 * 1024;
/// An allocation of this size lies apart whatever happened before (glibc's largest `M_MMAP_THRESHOLD`), so that a
/// node that has compacted rests in as little memory as before.
const APART_BYTES: usize = 33 * 1024 * 1024;
/// There is always room for so many keys, so that each cleaning gets on.
const ENTRIES_MIN: usize = 16;

/// A digest, and one more than the offset; all 0 where it is free. An array of numbers, because a table of these is
/// allocated without being touched.
type Slot = [u64; 3];

const _: () = assert!(size_of::<Slot>() == SLOT_BYTES);

const fn digest_of([first, second, _]: Slot) -> Digest {
    [first, second]
}

const fn is_free([.., offset_plus_one]: Slot) -> bool {
    offset_plus_one == 0
}

/// See the module.
pub struct OffsetMap {
    secret: Secret,
    table: Vec<Slot>,
    /// How many of the table are used.
    slots: usize,
    entries: usize,
    entries_max: usize,
    /// Everything up to here is in it.
    end: Offset,
}

impl OffsetMap {
    /// An empty table for a dirty part that begins at `start` and has at most `keys_max` keys.
    #[expect(clippy::cast_precision_loss, reason = "a table need not be exact to the slot")]
    pub fn new(
        secret: Secret,
        max_bytes: usize,
        load_factor: f64,
        keys_max: u64,
        start: Offset,
    ) -> Self {
        let load_factor = if load_factor > 0.0 && load_factor < 1.0 { load_factor } else { 0.9 };
        let wanted = usize::try_from(keys_max).unwrap_or(usize::MAX).max(ENTRIES_MIN);
        let slots_max = (max_bytes / SLOT_BYTES).max(2 * ENTRIES_MIN);
        let slots = ((wanted as f64 / load_factor) as usize).saturating_add(1).min(slots_max);
        let entries_max = ((slots as f64 * load_factor) as usize).max(ENTRIES_MIN);
        let allocated = if slots * SLOT_BYTES < SMALL_BYTES {
            slots
        } else {
            slots.max(APART_BYTES / SLOT_BYTES)
        };
        let table = vec![[0; 3]; allocated];
        Self { secret, table, slots, entries: 0, entries_max, end: start }
    }

    /// Everything below is in it.
    pub const fn end(&self) -> Offset {
        self.end
    }

    /// Everything below `end` was looked at.
    pub fn advance_to(&mut self, end: Offset) {
        self.end = self.end.max(end);
    }

    /// Notes that `key` has a record at `offset`. False, and nothing is noted, if there is no room for another key.
    pub fn put(&mut self, key: &[u8], offset: Offset) -> bool {
        let digest = digest(self.secret, key);
        let place = self.place(digest);
        let is_full = self.entries >= self.entries_max;
        let Some(slot) = self.table.get_mut(place) else {
            return false;
        };
        if is_free(*slot) {
            if is_full {
                return false;
            }
            self.entries += 1;
        }
        let [first, second] = digest;
        *slot = [first, second, (offset.0 as u64).wrapping_add(1)];
        true
    }

    /// The latest offset of a key; none if it has none here.
    pub fn get(&self, key: &[u8]) -> Option<Offset> {
        let slot = *self.table.get(self.place(digest(self.secret, key)))?;
        let [.., offset_plus_one] = slot;
        (!is_free(slot)).then(|| Offset(offset_plus_one.wrapping_sub(1) as i64))
    }

    /// Where a digest is, or the free slot where it belongs. There always is one that is free.
    fn place(&self, digest: Digest) -> usize {
        let slots = self.slots;
        // The high half of the product spreads the digest over any number of slots.
        let mut place = ((u128::from(digest[0]) * slots as u128) >> 64) as usize;
        for _ in 0..slots {
            match self.table.get(place) {
                Some(slot) if !is_free(*slot) && digest_of(*slot) != digest => {}
                _ => break,
            }
            place = if place + 1 == slots { 0 } else { place + 1 };
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_table_is_as_large_as_it_must_be_and_may_be() {
        let check = |max_bytes: usize, keys_max: u64, slots: usize, entries: usize| {
            let map = OffsetMap::new([1, 2], max_bytes, 0.9, keys_max, Offset(0));
            assert_eq!((map.slots, map.entries_max), (slots, entries), "{keys_max}");
        };
        check(1 << 20, 900, 1001, 900);
        check(1 << 20, u64::MAX, 43_690, 39_321);
        check(1 << 20, 0, 18, 16);
        check(0, 1000, 32, 28);
    }

    #[test]
    fn one_that_is_full_takes_new_offsets_of_its_keys_only() {
        let mut map = OffsetMap::new([1, 2], 0, 0.9, 1000, Offset(0));
        for key in 0..28u8 {
            assert!(map.put(&[key], Offset(i64::from(key))));
        }
        assert!(!map.put(b"another", Offset(28)));
        assert_eq!(map.get(b"another"), None);
        assert!(map.put(&[3], Offset(29)));
        assert_eq!(map.get(&[3]), Some(Offset(29)));
        assert_eq!(map.get(&[27]), Some(Offset(27)));
    }

    proptest! {
        #[test]
        fn it_is_a_map(keys in prop::collection::vec(any::<u16>(), 0..300), secret: [u64; 2]) {
            let mut map = OffsetMap::new(secret, 1 << 20, 0.9, keys.len() as u64, Offset(0));
            let mut model = BTreeMap::new();
            for (offset, key) in keys.iter().enumerate() {
                let offset = Offset(offset as i64);
                prop_assert!(map.put(&key.to_be_bytes(), offset));
                model.insert(*key, offset);
            }
            for key in 0..=u16::MAX {
                prop_assert_eq!(map.get(&key.to_be_bytes()), model.get(&key).copied());
            }
        }
    }
}
