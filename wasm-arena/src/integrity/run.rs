//! Runs of words that are seen one after the other, and on the way loaded, stored or copied.
//!
//! A checksum looks at every word once, and a read or a write has to touch every word once: a run
//! does both in one pass. The checksum decides how it goes through a run: word by word, or in
//! several lanes side by side.
//!
//! | run | words seen | on the way |
//! |---|---|---|
//! | [`Shown`] | the caller's | |
//! | [`Loaded`] | those of the memory | |
//! | [`In`] | the caller's | are stored into the memory |
//! | [`Exchanged`] | the memory's, exclusive-or the caller's | the caller's are stored into the memory |
//! | [`Out`] | those of the memory | are copied to the caller |
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicUsize, Ordering};

use super::checksum::WORD;
use super::hardware::wide::Vectors;

/// The bytes of a word, in the order of memory.
pub(super) type Bytes = [u8; WORD];

/// Some words, to be gone through once.
#[allow(
    dead_code,
    reason = "processors without an instruction only go through the words"
)]
pub(super) trait Run: Vectors + Sized {
    /// How many words there are.
    fn len(&self) -> usize;

    /// The first `words` of them, and the rest.
    fn split_at(self, words: usize) -> (Self, Self);

    /// Goes through them.
    fn words(self) -> impl Iterator<Item = usize>;
}

/// The caller's words.
#[derive(Debug)]
pub(super) struct Shown<'a>(pub(super) &'a [Bytes]);

impl Run for Shown<'_> {
    #[inline]
    fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    fn split_at(self, words: usize) -> (Self, Self) {
        let (first, rest) = self.0.split_at(words);
        (Self(first), Self(rest))
    }

    #[inline]
    fn words(self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|&bytes| usize::from_ne_bytes(bytes))
    }
}

/// Words of the memory.
#[derive(Debug)]
pub(super) struct Loaded<'a>(pub(super) &'a [AtomicUsize]);

impl Run for Loaded<'_> {
    #[inline]
    fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    fn split_at(self, words: usize) -> (Self, Self) {
        let (first, rest) = self.0.split_at(words);
        (Self(first), Self(rest))
    }

    #[inline]
    fn words(self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|word| word.load(Ordering::Relaxed))
    }
}

/// The caller's words, on their way into the memory. Both parts are equally long.
#[derive(Debug)]
pub(super) struct In<'a> {
    pub(super) source: &'a [Bytes],
    pub(super) to: &'a [AtomicUsize],
}

impl Run for In<'_> {
    #[inline]
    fn len(&self) -> usize {
        self.to.len()
    }

    #[inline]
    fn split_at(self, words: usize) -> (Self, Self) {
        let (source, to) = (self.source.split_at(words), self.to.split_at(words));
        let part = |source, to| Self { source, to };
        (part(source.0, to.0), part(source.1, to.1))
    }

    #[inline]
    fn words(self) -> impl Iterator<Item = usize> {
        self.source.iter().zip(self.to).map(|(&bytes, word)| {
            let new = usize::from_ne_bytes(bytes);
            word.store(new, Ordering::Relaxed);
            new
        })
    }
}

/// As [`In`], but what is seen is what changes.
#[derive(Debug)]
pub(super) struct Exchanged<'a>(pub(super) In<'a>);

impl Run for Exchanged<'_> {
    #[inline]
    fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    fn split_at(self, words: usize) -> (Self, Self) {
        let (first, rest) = self.0.split_at(words);
        (Self(first), Self(rest))
    }

    #[inline]
    fn words(self) -> impl Iterator<Item = usize> {
        self.0.source.iter().zip(self.0.to).map(|(&bytes, word)| {
            let new = usize::from_ne_bytes(bytes);
            let old = word.load(Ordering::Relaxed);
            word.store(new, Ordering::Relaxed);
            old ^ new
        })
    }
}

/// Words of the memory, on their way to the caller. Both parts are equally long.
#[derive(Debug)]
pub(super) struct Out<'a> {
    pub(super) from: &'a [AtomicUsize],
    pub(super) target: &'a mut [Bytes],
}

impl Run for Out<'_> {
    #[inline]
    fn len(&self) -> usize {
        self.from.len()
    }

    #[inline]
    fn split_at(self, words: usize) -> (Self, Self) {
        let (from, target) = (self.from.split_at(words), self.target.split_at_mut(words));
        let part = |from, target| Self { from, target };
        (part(from.0, target.0), part(from.1, target.1))
    }

    #[inline]
    fn words(self) -> impl Iterator<Item = usize> {
        self.from.iter().zip(self.target).map(|(word, bytes)| {
            let word = word.load(Ordering::Relaxed);
            *bytes = word.to_ne_bytes();
            word
        })
    }
}
