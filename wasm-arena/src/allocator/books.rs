//! The few numbers that describe a memory, kept twice.
//!
//! The second copy is stored inverted, so that neither a stuck bit nor a cleared run of memory
//! leaves both alike. Keeping it costs one store per change; comparing it is for
//! [`VerificationLevel::Critical`](crate::VerificationLevel::Critical).
#![forbid(unsafe_code)]

/// One number of the books.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entry {
    /// Bytes of data.
    Size = 0,
    /// Bytes of data at allocation.
    Initial = 1,
    /// The limit of growth, in bytes; `usize::MAX` for none.
    Maximum = 2,
    /// Bytes from the base that were ever data since they were last zeroed.
    HighWater = 3,
    /// Address of the base.
    Base = 4,
}

/// The numbers, and their inverted copies.
#[derive(Debug, Clone)]
pub(super) struct Books {
    values: [usize; 5],
    inverted: [usize; 5],
}

impl Books {
    pub(super) fn new(base: usize, size: usize, maximum: Option<usize>) -> Self {
        let values = [size, size, maximum.unwrap_or(usize::MAX), size, base];
        Self {
            values,
            inverted: values.map(|value| !value),
        }
    }

    pub(super) const fn get(&self, entry: Entry) -> usize {
        self.values[entry as usize]
    }

    pub(super) const fn set(&mut self, entry: Entry, value: usize) {
        self.values[entry as usize] = value;
        self.inverted[entry as usize] = !value;
    }

    pub(super) const fn maximum(&self) -> Option<usize> {
        match self.get(Entry::Maximum) {
            usize::MAX => None,
            maximum => Some(maximum),
        }
    }

    /// Whether both copies agree.
    pub(super) fn copies_agree(&self) -> bool {
        self.values
            .iter()
            .zip(&self.inverted)
            .all(|(value, inverted)| *value == !*inverted)
    }

    /// Whether the numbers fit each other and the region.
    pub(super) fn consistent_with(&self, base: usize, accessible: usize, capacity: usize) -> bool {
        let size = self.get(Entry::Size);
        self.get(Entry::Base) == base
            && size <= accessible
            && accessible <= capacity
            && size <= self.get(Entry::Maximum)
            && self.get(Entry::Initial) <= size
            && size <= self.get(Entry::HighWater)
            && self.get(Entry::HighWater) <= accessible
    }

    /// Flips one bit of one copy: for tests of the detectors.
    #[cfg(test)]
    pub(super) fn flip(&mut self, index: usize, bit: u32, second_copy: bool) {
        let copy = if second_copy {
            &mut self.inverted
        } else {
            &mut self.values
        };
        copy[index] ^= 1 << bit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_noticed() {
        let books = Books::new(0x7f00_1000, 65_536, Some(1 << 20));
        assert!(books.copies_agree());
        assert!(books.consistent_with(0x7f00_1000, 65_536, 1 << 20));
        for index in 0..5 {
            for bit in 0..usize::BITS {
                for second_copy in [false, true] {
                    let mut damaged = books.clone();
                    damaged.flip(index, bit, second_copy);
                    assert!(!damaged.copies_agree());
                }
            }
        }
    }
}
