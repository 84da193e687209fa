//! Bytes of a memory through whole words: the only way data is ever touched.
//!
//! ```text
//!   bytes        . . . . . a b c d e f g h i j k . . . . .        11 bytes at offset 5
//!   words       |          head |  whole ...    |  tail         |
//!                read, change,   store            read, change,   the ends keep their other bytes
//!                store whole                      store whole
//! ```
//!
//! Every access is one aligned word as a relaxed atomic, so that two threads never touch the same
//! word in different sizes and there is no data race, whatever a reader and a writer do at once.
#![forbid(unsafe_code)]

use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::checksum::{self, WORD};
use super::run::{Bytes, Exchanged, In, Out, Run};

/// Up to so many words are summed one by one: to describe a run costs more.
const FEW: usize = 2;

/// The words that hold a range of bytes.
#[inline]
pub(super) const fn words_of(range: &Range<usize>) -> Range<usize> {
    range.start / WORD..range.end.div_ceil(WORD)
}

/// Some bytes of one word: not none, and not all.
#[derive(Debug, Clone, PartialEq, Eq)]
struct End {
    /// Index of the word in the memory.
    index: usize,
    /// Which of its bytes.
    bytes: Range<usize>,
}

impl End {
    #[inline]
    fn load(&self, data: &[AtomicUsize]) -> usize {
        data[self.index].load(Ordering::Relaxed)
    }

    /// Copies the bytes out of their word.
    #[inline]
    fn copy_to(&self, word: usize, target: &mut [u8]) {
        let bytes = word.to_ne_bytes();
        // Too few to call a function for.
        for (place, &byte) in target.iter_mut().zip(&bytes[self.bytes.clone()]) {
            *place = byte;
        }
    }

    /// Replaces the bytes, and answers what changed in the word.
    #[inline]
    fn store(&self, data: &[AtomicUsize], source: &[u8]) -> usize {
        let old = self.load(data);
        let mut bytes = old.to_ne_bytes();
        // Too few to call a function for.
        for (place, &byte) in bytes[self.bytes.clone()].iter_mut().zip(source) {
            *place = byte;
        }
        let new = usize::from_ne_bytes(bytes);
        data[self.index].store(new, Ordering::Relaxed);
        old ^ new
    }

    /// The bytes alone, as a word whose other bytes are zero.
    fn alone(&self, source: &[u8]) -> usize {
        let mut bytes = [0; WORD];
        bytes[self.bytes.clone()].copy_from_slice(source);
        usize::from_ne_bytes(bytes)
    }
}

/// A range of bytes that is not empty, as the words it touches. A range inside one word is a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    head: Option<End>,
    whole: Range<usize>,
    tail: Option<End>,
    len: usize,
}

impl Span {
    #[inline]
    pub(super) fn new(range: &Range<usize>) -> Self {
        let words = words_of(range);
        let (lead, rest) = (range.start % WORD, range.end % WORD);
        let single = words.len() == 1;
        let end_of_head = if single && rest != 0 { rest } else { WORD };
        let head = (lead != 0 || (single && rest != 0)).then_some(End {
            index: words.start,
            bytes: lead..end_of_head,
        });
        let tail = (rest != 0 && !single).then_some(End {
            index: words.end.wrapping_sub(1),
            bytes: 0..rest,
        });
        let start = words.start + usize::from(head.is_some());
        let end = words.end - usize::from(tail.is_some());
        Self {
            head,
            whole: start..end,
            tail,
            len: range.end - range.start,
        }
    }

    /// Bytes of head and whole words.
    #[inline]
    fn cuts(&self) -> (usize, usize) {
        let of_head = self.head.as_ref().map_or(0, |head| head.bytes.len());
        (of_head, self.whole.len() * WORD)
    }

    /// Cuts the bytes of the range as its words are.
    #[inline]
    fn cut<'b>(&self, bytes: &'b [u8]) -> (&'b [u8], &'b [Bytes], &'b [u8]) {
        let (of_head, of_whole) = self.cuts();
        let (head, rest) = bytes[..self.len].split_at(of_head);
        let (whole, tail) = rest.split_at(of_whole);
        (head, whole.as_chunks().0, tail)
    }

    #[inline]
    fn cut_mut<'b>(&self, bytes: &'b mut [u8]) -> (&'b mut [u8], &'b mut [Bytes], &'b mut [u8]) {
        let (of_head, of_whole) = self.cuts();
        let (head, rest) = bytes[..self.len].split_at_mut(of_head);
        let (whole, tail) = rest.split_at_mut(of_whole);
        (head, whole.as_chunks_mut().0, tail)
    }

    /// Copies the bytes out of the memory.
    #[inline]
    pub(super) fn load(&self, data: &[AtomicUsize], target: &mut [u8]) {
        let (of_head, of_whole, of_tail) = self.cut_mut(target);
        if let Some(head) = &self.head {
            head.copy_to(head.load(data), of_head);
        }
        let run = Out {
            from: &data[self.whole.clone()],
            target: of_whole,
        };
        run.words().for_each(drop);
        if let Some(tail) = &self.tail {
            tail.copy_to(tail.load(data), of_tail);
        }
    }

    /// As [`load`](Self::load), and carries `state` over every word that was touched, as it was
    /// loaded.
    #[inline]
    pub(super) fn load_and_sum(
        &self,
        mut state: u32,
        data: &[AtomicUsize],
        target: &mut [u8],
    ) -> u32 {
        let (of_head, of_whole, of_tail) = self.cut_mut(target);
        if let Some(head) = &self.head {
            let word = head.load(data);
            head.copy_to(word, of_head);
            state = checksum::update(state, word);
        }
        let from = &data[self.whole.clone()];
        let target = of_whole;
        state = checksum::sum(state, Out { from, target });
        if let Some(tail) = &self.tail {
            let word = tail.load(data);
            tail.copy_to(word, of_tail);
            state = checksum::update(state, word);
        }
        state
    }

    /// Puts the bytes into the memory.
    #[inline]
    pub(super) fn store(&self, data: &[AtomicUsize], source: &[u8]) {
        let (of_head, source, of_tail) = self.cut(source);
        if let Some(head) = &self.head {
            head.store(data, of_head);
        }
        let to = &data[self.whole.clone()];
        In { source, to }.words().for_each(drop);
        if let Some(tail) = &self.tail {
            tail.store(data, of_tail);
        }
    }

    /// As [`store`](Self::store), and answers the remainder of what changed in the words.
    #[inline]
    pub(super) fn store_and_sum_change(&self, data: &[AtomicUsize], source: &[u8]) -> u32 {
        let (of_head, source, of_tail) = self.cut(source);
        let mut state = 0;
        if let Some(head) = &self.head {
            state = checksum::update(state, head.store(data, of_head));
        }
        let to = &data[self.whole.clone()];
        let run = Exchanged(In { source, to });
        state = if run.len() <= FEW {
            run.words().fold(state, checksum::update)
        } else {
            checksum::sum(state, run)
        };
        if let Some(tail) = &self.tail {
            state = checksum::update(state, tail.store(data, of_tail));
        }
        state
    }

    /// As [`store`](Self::store), for a range of whole words, and carries `state` over them.
    #[inline]
    pub(super) fn store_and_sum(&self, state: u32, data: &[AtomicUsize], source: &[u8]) -> u32 {
        let (_none, source, _nor_here) = self.cut(source);
        let to = &data[self.whole.clone()];
        checksum::sum(state, In { source, to })
    }

    /// The first word of `data` that does not hold what was stored: its index, what was stored in
    /// it and what it holds, of the bytes of the range alone.
    pub(super) fn first_difference(
        &self,
        data: &[AtomicUsize],
        source: &[u8],
    ) -> Option<(usize, usize, usize)> {
        let (of_head, whole, of_tail) = self.cut(source);
        let end = |end: &End, bytes: &[u8]| {
            let word = end.load(data).to_ne_bytes();
            let found = end.alone(&word[end.bytes.clone()]);
            let stored = end.alone(bytes);
            (found != stored).then_some((end.index, stored, found))
        };
        let in_head = || self.head.as_ref().and_then(|head| end(head, of_head));
        let in_tail = || self.tail.as_ref().and_then(|tail| end(tail, of_tail));
        let in_whole = || {
            let words = self.whole.clone().zip(&data[self.whole.clone()]);
            words.zip(whole).find_map(|((index, word), bytes)| {
                let (stored, found) = (usize::from_ne_bytes(*bytes), word.load(Ordering::Relaxed));
                (found != stored).then_some((index, stored, found))
            })
        };
        in_head().or_else(in_whole).or_else(in_tail)
    }
}

/// Copies the words of one memory, or of a part of it, to another of the same size.
pub(super) fn copy(from: &[AtomicUsize], to: &[AtomicUsize]) {
    for (from, to) in from.iter().zip(to) {
        to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::super::run::Loaded;
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

    #[inline]
    fn load(words: &[AtomicUsize]) -> Vec<usize> {
        let load = |word: &AtomicUsize| word.load(Ordering::Relaxed);
        words.iter().map(load).collect()
    }

    #[test]
    fn every_range_is_stored_and_loaded_and_nothing_else() {
        for start in 0..LEN {
            for end in start + 1..=LEN {
                let (words, mut bytes) = memory();
                let source: Vec<u8> = (0..end - start)
                    .map(|at| u8::try_from(at ^ 0xf0).unwrap())
                    .collect();
                let span = Span::new(&(start..end));
                span.store(&words, &source);
                bytes[start..end].copy_from_slice(&source);
                let mut all = std::vec![0; LEN];
                Span::new(&(0..LEN)).load(&words, &mut all);
                assert_eq!(all, bytes, "{start}..{end}");
                let mut back = std::vec![0; end - start];
                span.load(&words, &mut back);
                assert_eq!(back, source);
                back.fill(0);
                let touched = &words[words_of(&(start..end))];
                let state = span.load_and_sum(3, &words, &mut back);
                assert_eq!(state, checksum::sum(3, Loaded(touched)));
                assert_eq!(back, source);
                assert_eq!(span.first_difference(&words, &source), None);
                // The same again, by what changes.
                let (old, _) = memory();
                let changed = span.store_and_sum_change(&old, &source);
                assert_eq!(load(&old), load(&words));
                let (before, _) = memory();
                let change = before.iter().zip(&words);
                let change: Vec<AtomicUsize> = change
                    .map(|(old, new)| {
                        AtomicUsize::new(old.load(Ordering::Relaxed) ^ new.load(Ordering::Relaxed))
                    })
                    .collect();
                let expected = checksum::sum(0, Loaded(&change[words_of(&(start..end))]));
                assert_eq!(changed, expected, "{start}..{end}");
            }
        }
    }

    #[test]
    fn a_store_that_did_not_take_is_found() {
        for start in 0..LEN {
            for end in start + 1..=LEN {
                let span = Span::new(&(start..end));
                for at in 0..LEN {
                    let (words, bytes) = memory();
                    let source = &bytes[start..end];
                    span.store(&words, source);
                    let mut flipped = [0; WORD];
                    flipped[at % WORD] = 0x10;
                    let flipped = usize::from_ne_bytes(flipped);
                    words[at / WORD].fetch_xor(flipped, Ordering::Relaxed);
                    let found = span.first_difference(&words, source);
                    if (start..end).contains(&at) {
                        let (index, stored, found) = found.unwrap();
                        assert_eq!((index, stored ^ found), (at / WORD, flipped));
                    } else {
                        // A bit next to the range is none of its business.
                        assert_eq!(found, None);
                    }
                }
            }
        }
    }
}
