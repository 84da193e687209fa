//! Writing: one writer at a time, what can be refused is refused first, readers are turned away only
//! while data really changes.
#![forbid(unsafe_code)]

use core::ops::Range;
use core::sync::atomic::AtomicUsize;

use super::lock::WriterGuard;
use super::statistics::count_alone;
use super::store::{Manner, Source};
use super::words::Span;
use super::{AtomicMemoryOps, ChecksumTable, Found, IntegrityError};
use crate::{LittleEndian, Provider, VerificationLevel};

/// A number that can be compared and exchanged in place: an integer of 1, 2, 4 or 8 bytes.
pub trait CompareExchange: LittleEndian + Eq {}

impl CompareExchange for u8 {}
impl CompareExchange for i8 {}
impl CompareExchange for u16 {}
impl CompareExchange for i16 {}
impl CompareExchange for u32 {}
impl CompareExchange for i32 {}
impl CompareExchange for u64 {}
impl CompareExchange for i64 {}

/// Bytes that are made or copied at a time: what lies on the stack during a fill or a copy.
const BUFFER: usize = 1024;

/// The same for short ones, where clearing a large buffer would cost more than the rest.
const SMALL_BUFFER: usize = 64;

/// The caller's bytes, for the range that starts at `offset`.
struct Bytes<'a> {
    offset: usize,
    bytes: &'a [u8],
}

impl Source for Bytes<'_> {
    const AT_A_TIME: usize = 1 << (usize::BITS - 1);

    #[inline]
    fn bytes(&mut self, range: &Range<usize>) -> &[u8] {
        &self.bytes[range.start - self.offset..range.end - self.offset]
    }
}

/// One byte again and again.
struct Fill<const N: usize> {
    buffer: [u8; N],
}

impl<const N: usize> Source for Fill<N> {
    const AT_A_TIME: usize = N;

    #[inline]
    fn bytes(&mut self, range: &Range<usize>) -> &[u8] {
        &self.buffer[..range.len()]
    }
}

/// Bytes of the memory itself: those for `to` lie at `from`.
struct Copy<'a, const N: usize> {
    data: &'a [AtomicUsize],
    from: usize,
    to: usize,
    buffer: [u8; N],
}

impl<const N: usize> Source for Copy<'_, N> {
    const AT_A_TIME: usize = N;

    #[inline]
    fn bytes(&mut self, range: &Range<usize>) -> &[u8] {
        let from = range.start - self.to + self.from..range.end - self.to + self.from;
        let bytes = &mut self.buffer[..range.len()];
        Span::new(&from).load(self.data, bytes);
        bytes
    }
}

impl<P: Provider, T: ChecksumTable> AtomicMemoryOps<P, T> {
    /// Writes bytes at `offset`, and brings the checksums of the blocks they touch up to date. Cost:
    /// the bytes; from [`Full`](VerificationLevel::Full) on also up to two blocks.
    ///
    /// # Errors
    /// [`IntegrityError::OutOfRange`] or [`IntegrityError::Protected`]; from `Full` on also damage
    /// of a block that is written in part. [`IntegrityError::ReadBackFailed`] comes after the fact:
    /// everything was written, and did not hold.
    pub fn atomic_write_with_checksum(
        &self,
        offset: usize,
        bytes: &[u8],
    ) -> Result<(), IntegrityError> {
        let range = self.writable(offset, bytes.len())?;
        self.write_range(&range, &mut Bytes { offset, bytes })
    }

    /// Writes `len` times the same byte. Otherwise as
    /// [`atomic_write_with_checksum`](Self::atomic_write_with_checksum).
    ///
    /// # Errors
    /// As there.
    pub fn atomic_fill(&self, offset: usize, len: usize, byte: u8) -> Result<(), IntegrityError> {
        let range = self.writable(offset, len)?;
        if len <= SMALL_BUFFER {
            let buffer = [byte; SMALL_BUFFER];
            self.write_range(&range, &mut Fill { buffer })
        } else {
            let buffer = [byte; BUFFER];
            self.write_range(&range, &mut Fill { buffer })
        }
    }

    /// Copies `len` bytes from offset `from` to offset `to`; the ranges may overlap. No other
    /// writer comes in between, and no reader sees a part of it.
    ///
    /// # Errors
    /// As [`atomic_write_with_checksum`](Self::atomic_write_with_checksum); and damage of what is
    /// copied, as far as the level has it checked: damage is never copied and then vouched for.
    pub fn atomic_copy_within(
        &self,
        from: usize,
        to: usize,
        len: usize,
    ) -> Result<(), IntegrityError> {
        let source = self.blocks.check(from, len)?;
        let target = self.writable(to, len)?;
        let mut found = self.writers.lock();
        let level = self.enter()?;
        self.check_blocks(&mut found, level, &source)?;
        let data = self.data();
        let backwards = to > from;
        if len <= SMALL_BUFFER {
            let buffer = [0; SMALL_BUFFER];
            let mut copy = Copy {
                data,
                from,
                to,
                buffer,
            };
            self.write_locked(&mut found, level, &target, &mut copy, backwards)
        } else {
            let buffer = [0; BUFFER];
            let mut copy = Copy {
                data,
                from,
                to,
                buffer,
            };
            self.write_locked(&mut found, level, &target, &mut copy, backwards)
        }
    }

    /// Writes `new` at `offset` if the number there equals `current`; answers the number that was
    /// there, as `Ok` if it was exchanged and as `Err` if not. The offset need not be aligned.
    ///
    /// # Errors
    /// As [`atomic_copy_within`](Self::atomic_copy_within).
    pub fn atomic_compare_exchange<N: CompareExchange>(
        &self,
        offset: usize,
        current: N,
        new: N,
    ) -> Result<Result<N, N>, IntegrityError> {
        let range = self.writable(offset, size_of::<N>())?;
        let mut found = self.writers.lock();
        let level = self.enter()?;
        self.check_blocks(&mut found, level, &range)?;
        let mut bytes = N::Bytes::default();
        Span::new(&range).load(self.data(), bytes.as_mut());
        let before = N::from_bytes(bytes);
        if before != current {
            return Ok(Err(before));
        }
        let bytes = new.into_bytes();
        let mut source = Bytes {
            offset,
            bytes: bytes.as_ref(),
        };
        self.write_locked(&mut found, level, &range, &mut source, false)?;
        Ok(Ok(before))
    }

    /// Writes a little-endian number at `offset`, which need not be aligned.
    ///
    /// # Errors
    /// As [`atomic_write_with_checksum`](Self::atomic_write_with_checksum).
    pub fn write_le<N: LittleEndian>(&self, offset: usize, value: N) -> Result<(), IntegrityError> {
        self.atomic_write_with_checksum(offset, value.into_bytes().as_ref())
    }

    /// The range, if it is inside the memory and nothing forbids to write it.
    #[inline]
    fn writable(&self, offset: usize, len: usize) -> Result<Range<usize>, IntegrityError> {
        let range = self.blocks.check(offset, len)?;
        match self.provider.first_refusal(range.clone(), true) {
            None => Ok(range),
            Some(offset) => Err(IntegrityError::Protected { offset }),
        }
    }

    fn write_range(
        &self,
        range: &Range<usize>,
        source: &mut impl Source,
    ) -> Result<(), IntegrityError> {
        let mut found = self.writers.lock();
        let level = self.enter()?;
        self.write_locked(&mut found, level, range, source, false)
    }

    fn write_locked(
        &self,
        found: &mut WriterGuard<'_, Found>,
        level: VerificationLevel,
        range: &Range<usize>,
        source: &mut impl Source,
        backwards: bool,
    ) -> Result<(), IntegrityError> {
        if range.is_empty() {
            return Ok(());
        }
        let view = self.view();
        let thorough = level >= VerificationLevel::Full;
        if thorough {
            let covered = self.blocks.covered(range);
            let touched = self.blocks.touched(range);
            // Only the first and the last can be written in part; they may be the same.
            let edges = [
                Some(touched.start),
                (touched.len() > 1).then(|| touched.end - 1),
            ];
            for number in edges.into_iter().flatten() {
                let block = self.blocks.block(number);
                if !covered.contains(&block.bytes.start) {
                    self.check_or_mend(found, level, number)?;
                }
            }
        }
        let manner = Manner {
            checked: level != VerificationLevel::Off,
            read_back: thorough,
            backwards,
        };
        let written = self.sequence.write(|| view.write(range, source, manner));
        count_alone(&self.counters.writes, 1);
        count_alone(&self.counters.bytes_written, range.len());
        if let Err(error) = written {
            self.note(found, error);
        }
        written
    }

    /// Checks the blocks of a range that is about to be read under the lock, as far as they are due.
    fn check_blocks(
        &self,
        found: &mut WriterGuard<'_, Found>,
        level: VerificationLevel,
        range: &Range<usize>,
    ) -> Result<(), IntegrityError> {
        for number in self.blocks.touched(range) {
            if self.is_due(level) {
                self.check_or_mend(found, level, number)?;
            }
        }
        Ok(())
    }

    fn check_or_mend(
        &self,
        found: &mut WriterGuard<'_, Found>,
        level: VerificationLevel,
        number: usize,
    ) -> Result<(), IntegrityError> {
        let block = self.blocks.block(number);
        match self.view().check(&block, level >= VerificationLevel::Full) {
            Ok(()) => Ok(()),
            Err(error) => self.mend_or_fail(found, error),
        }
    }
}
