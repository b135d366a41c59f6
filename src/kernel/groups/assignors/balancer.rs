//! Who of some members has the fewest partitions and who the most, while partitions go from one to the other.
//!
//! The members stand in the order of their loads. Those with the lowest load are a range at the start, those with the
//! highest one at the end; a partition given to each of a range lifts the whole range by one, until it meets the next
//! member and takes it in. So the next member is found in constant time, and always the same one.

/// Loads as numbers that may fall below zero at the ends.
pub(super) type Load = i64;

/// The order of some members while they are being balanced.
#[derive(Default)]
pub(super) struct Balancer {
    members: Vec<usize>,
    lowest_end: usize,
    lowest_load: Load,
    next_lowest: usize,
    highest_start: usize,
    highest_end: usize,
    highest_load: Load,
    /// One above the next member to be taken from; 0 when there is none.
    next_highest: usize,
}

impl Balancer {
    /// Begins with these members, of which there must be one; the difference between their loads.
    pub(super) fn begin(&mut self, members: &[usize], loads: &[Load]) -> Load {
        let load = |member: usize| loads.get(member).copied().unwrap_or(0);
        self.members.clear();
        self.members.extend_from_slice(members);
        self.members.sort_by_key(|&member| (load(member), member));
        let lowest = self.members.first().map_or(0, |&member| load(member));
        let highest = self.members.last().map_or(0, |&member| load(member));
        let count = self.members.len();
        (self.lowest_end, self.lowest_load, self.next_lowest) = (0, lowest - 1, 0);
        (self.highest_start, self.highest_end) = (count, count);
        (self.highest_load, self.next_highest) = (highest + 1, count);
        highest - lowest
    }

    /// The member that gets the next partition.
    pub(super) fn next_lowest(&mut self, loads: &[Load]) -> Option<usize> {
        if self.next_lowest >= self.lowest_end {
            self.lowest_load += 1;
            while self.load_at(self.lowest_end, loads) == Some(self.lowest_load) {
                self.lowest_end += 1;
            }
            self.next_lowest = 0;
        }
        let member = self.members.get(self.next_lowest).copied();
        self.next_lowest += 1;
        member
    }

    /// The member that loses the next partition; none if nobody can.
    pub(super) fn next_highest(&mut self, loads: &[Load]) -> Option<usize> {
        if self.next_highest <= self.highest_start {
            if self.highest_end <= self.highest_start && self.highest_start > 0 {
                // The range has become empty: the next lower members are one.
                self.highest_load = self.load_at(self.highest_start - 1, loads)?;
            } else {
                self.highest_load -= 1;
            }
            while self.highest_start > 0
                && self.load_at(self.highest_start - 1, loads) == Some(self.highest_load)
            {
                self.highest_start -= 1;
            }
            self.next_highest = self.highest_end;
        }
        let member = self.members.get(self.next_highest.checked_sub(1)?).copied();
        self.next_highest -= 1;
        member
    }

    /// The member that was last taken as the highest has nothing to give: it is left out from now on.
    pub(super) fn exclude_highest(&mut self) {
        if let Some(last) = self.highest_end.checked_sub(1)
            && self.next_highest < self.members.len()
        {
            self.members.swap(self.next_highest, last);
            self.highest_end = last;
        }
    }

    /// Whether no partition can go from the highest to the lowest and make anything better.
    pub(super) const fn is_balanced(&self) -> bool {
        self.highest_load - self.lowest_load <= 1
    }

    fn load_at(&self, position: usize, loads: &[Load]) -> Option<Load> {
        loads.get(*self.members.get(position)?).copied()
    }
}
