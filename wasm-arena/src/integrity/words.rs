//! Bytes of a memory through whole words: the only way data is ever touched.
//!
//! ```text
//!   bytes        . . . . . a b c d e f g h i j k . . . . .        a write of 11 bytes at offset 5
//!   words       |               |               |               |
//!                read, change,   store            read, change,   the edges keep their other bytes
//!                store whole                      store whole
//! ```
//!
//! Every access is one aligned word as a relaxed atomic, so that two threads never touch the same
//! word in different sizes and there is no data race, whatever a reader and a writer do at once.
#![forbid(unsafe_code)]

use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::checksum::WORD;

/// Words copied at a time: what lies on the stack during an operation, twice at most.
pub(super) const CHUNK: usize = 64;

/// Some words of a memory, as they were when they were loaded.
#[derive(Debug)]
pub(super) struct Chunk {
    words: [usize; CHUNK],
    len: usize,
}

impl Chunk {
    pub(super) const fn new() -> Self {
        Self {
            words: [0; CHUNK],
            len: 0,
        }
    }

    /// Loads up to [`CHUNK`] words, in place of those that were there.
    #[inline]
    pub(super) fn load(&mut self, from: &[AtomicUsize]) {
        for (place, word) in self.words.iter_mut().zip(from) {
            *place = word.load(Ordering::Relaxed);
        }
        self.len = from.len().min(CHUNK);
    }

    pub(super) fn words(&self) -> &[usize] {
        &self.words[..self.len]
    }

    /// Copies the bytes from `skip` on into `target`, as many as fit.
    pub(super) fn copy_to(&self, skip: usize, target: &mut [u8]) {
        let mut target = target;
        let (first, inside) = (skip / WORD, skip % WORD);
        let mut words = self.words().iter().skip(first);
        if inside != 0
            && let Some(word) = words.next()
        {
            let bytes = word.to_ne_bytes();
            let count = target.len().min(WORD - inside);
            let (head, tail) = target.split_at_mut(count);
            head.copy_from_slice(&bytes[inside..inside + count]);
            target = tail;
        }
        let mut places = target.chunks_exact_mut(WORD);
        for place in &mut places {
            let Some(word) = words.next() else {
                return;
            };
            place.copy_from_slice(&word.to_ne_bytes());
        }
        let rest = places.into_remainder();
        if !rest.is_empty()
            && let Some(word) = words.next()
        {
            rest.copy_from_slice(&word.to_ne_bytes()[..rest.len()]);
        }
    }
}

/// The words that hold a range of bytes.
pub(super) const fn words_of(range: &Range<usize>) -> Range<usize> {
    range.start / WORD..range.end.div_ceil(WORD)
}

/// Loads bytes, in the order of memory, at any offset inside `data`.
pub(super) fn load_bytes(data: &[AtomicUsize], offset: usize, target: &mut [u8]) {
    let range = words_of(&(offset..offset + target.len()));
    let mut position = offset;
    let mut target = target;
    let mut start = range.start;
    let mut chunk = Chunk::new();
    while start < range.end {
        let end = range.end.min(start + CHUNK);
        chunk.load(&data[start..end]);
        let count = target.len().min(end * WORD - position);
        let (head, tail) = target.split_at_mut(count);
        chunk.copy_to(position - start * WORD, head);
        target = tail;
        position += count;
        start = end;
    }
}

/// Words to be stored over a range, and which bits of the edges they replace; room for `K` words.
///
/// Bytes outside the range are zero in `words`.
#[derive(Debug)]
pub(super) struct Patch<const K: usize> {
    words: [usize; K],
    first_mask: usize,
    last_mask: usize,
    /// Bytes of the first word before the range.
    lead: usize,
    /// Index of the first word in the memory.
    start: usize,
    len: usize,
}

impl<const K: usize> Patch<K> {
    /// Takes the bytes of the whole range. Filled in place, because a patch is large to move.
    #[inline]
    pub(super) fn set(&mut self, source: &[u8]) {
        let lead = self.lead;
        let mut rest = source;
        let mut index = 0;
        if lead != 0 {
            let count = rest.len().min(WORD - lead);
            let (head, tail) = rest.split_at(count);
            let mut bytes = [0; WORD];
            bytes[lead..lead + count].copy_from_slice(head);
            self.words[0] = usize::from_ne_bytes(bytes);
            rest = tail;
            index = 1;
        }
        let places = self.words[index..].iter_mut();
        let (whole, last) = rest.as_chunks::<WORD>();
        for (place, &bytes) in places.zip(whole) {
            *place = usize::from_ne_bytes(bytes);
        }
        if !last.is_empty() {
            let mut bytes = [0; WORD];
            bytes[..last.len()].copy_from_slice(last);
            self.words[index + whole.len()] = usize::from_ne_bytes(bytes);
        }
    }

    /// Takes one byte for the whole range.
    #[inline]
    pub(super) fn fill(&mut self, byte: u8) {
        let word = usize::from_ne_bytes([byte; WORD]);
        self.words[..self.len].fill(word);
        self.words[0] &= self.first_mask;
        self.words[self.len - 1] &= self.last_mask;
    }

    /// A patch of zeros over a range: not empty, and within `K` words from the one that holds its
    /// first byte.
    #[inline]
    pub(super) const fn new(bytes: &Range<usize>) -> Self {
        let range = words_of(bytes);
        let mut first_mask = mask(bytes.start % WORD, WORD);
        let mut last_mask = mask(0, (bytes.end - 1) % WORD + 1);
        let len = range.end - range.start;
        if len == 1 {
            first_mask &= last_mask;
            last_mask = first_mask;
        }
        Self {
            words: [0; K],
            first_mask,
            last_mask,
            lead: bytes.start % WORD,
            start: range.start,
            len,
        }
    }

    /// Index of the first word, and of the one behind the last.
    pub(super) const fn range(&self) -> Range<usize> {
        self.start..self.start + self.len
    }

    /// Stores the patch into `data`, and adds what changed to `changes`, which are zero: old xor
    /// new, word by word. They are the caller's, because they are large to return.
    #[inline]
    pub(super) fn store(&self, data: &[AtomicUsize], changes: &mut [usize; K]) {
        let data = &data[self.range()];
        let last = self.len - 1;
        for (index, mask) in [(0, self.first_mask), (last, self.last_mask)] {
            let old = data[index].load(Ordering::Relaxed);
            let new = (old & !mask) | self.words[index];
            data[index].store(new, Ordering::Relaxed);
            // With one word, the second turn changes nothing more.
            changes[index] |= old ^ new;
        }
        if last > 1 {
            let whole = data[1..last].iter().zip(&self.words[1..last]);
            for ((word, &new), change) in whole.zip(&mut changes[1..last]) {
                let old = word.load(Ordering::Relaxed);
                word.store(new, Ordering::Relaxed);
                *change = old ^ new;
            }
        }
    }

    /// The patch's own words. Only for patches without edges are they what memory then holds.
    pub(super) fn words(&self) -> &[usize] {
        &self.words[..self.len]
    }

    /// The first word of `data` that does not hold what was stored: its index, what was stored in
    /// it and what it holds, of the bytes in the patch.
    pub(super) fn first_difference(&self, data: &[AtomicUsize]) -> Option<(usize, usize, usize)> {
        let pairs = data[self.range()].iter().zip(self.words()).enumerate();
        for (index, (word, &stored)) in pairs {
            let mut found = word.load(Ordering::Relaxed);
            if index == 0 {
                found &= self.first_mask;
            }
            if index + 1 == self.len {
                found &= self.last_mask;
            }
            if found != stored {
                return Some((self.start + index, stored, found));
            }
        }
        None
    }
}

/// The bits of the bytes `start..end` of a word, in the order of memory; at least one byte.
const fn mask(start: usize, end: usize) -> usize {
    let little_endian = (usize::MAX << (8 * start)) & (usize::MAX >> (8 * (WORD - end)));
    usize::from_le(little_endian)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const LEN: usize = 6 * WORD;

    fn memory() -> (Vec<AtomicUsize>, Vec<u8>) {
        let bytes: Vec<u8> = (0..LEN).map(|at| u8::try_from(at + 1).unwrap()).collect();
        let words = bytes
            .chunks_exact(WORD)
            .map(|word| AtomicUsize::new(usize::from_ne_bytes(word.try_into().unwrap())))
            .collect();
        (words, bytes)
    }

    fn patch(offset: usize, source: &[u8]) -> Patch<6> {
        let mut patch = Patch::new(&(offset..offset + source.len()));
        patch.set(source);
        patch
    }

    #[test]
    fn every_range_is_stored_and_loaded_and_nothing_else() {
        for start in 0..LEN {
            for end in start + 1..=LEN {
                let (words, mut bytes) = memory();
                let source: Vec<u8> = (0..end - start)
                    .map(|at| u8::try_from(at ^ 0xf0).unwrap())
                    .collect();
                let patch = patch(start, &source);
                let mut changes = [0; 6];
                patch.store(&words, &mut changes);
                bytes[start..end].copy_from_slice(&source);
                let mut same = Patch::<6>::new(&(start..end));
                same.fill(0xcc);
                let bytes_alone = self::patch(start, &std::vec![0xcc; end - start]);
                assert_eq!(same.words(), bytes_alone.words());
                let mut all = std::vec![0; LEN];
                load_bytes(&words, 0, &mut all);
                assert_eq!(all, bytes, "{start}..{end}");
                let mut back = std::vec![0; end - start];
                load_bytes(&words, start, &mut back);
                assert_eq!(back, source);
                assert_eq!(patch.first_difference(&words), None);
                let (old, _) = memory();
                for (index, change) in patch.range().zip(changes) {
                    let before = old[index].load(Ordering::Relaxed);
                    assert_eq!(words[index].load(Ordering::Relaxed), before ^ change);
                }
            }
        }
    }

    #[test]
    fn a_store_that_did_not_take_is_found() {
        let (words, _) = memory();
        let patch = patch(3, &[0xaa; WORD]);
        patch.store(&words, &mut [0; 6]);
        // A bit next to the patch is none of its business; a bit inside is.
        words[0].fetch_xor(mask(2, 3) & mask(0, 3), Ordering::Relaxed);
        assert_eq!(patch.first_difference(&words), None);
        words[1].fetch_xor(mask(0, 1), Ordering::Relaxed);
        assert_eq!(
            patch.first_difference(&words).map(|(index, ..)| index),
            Some(1)
        );
    }
}
