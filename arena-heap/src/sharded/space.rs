//! The address space of a sharded heap: one reservation, of which each shard has an equal share, so
//! that an address tells its shard by arithmetic alone.
//!
//! ```text
//!   base                                                              base + SHARDS × share
//!     | share of shard 0 | share of shard 1 | …            | share of shard SHARDS-1 |
//!     |granule|granule|…
//! ```
//!
//! A share is a whole number of *granules*, fewer than 128, and a granule is a power of two of host
//! pages: then a shift, a product and a shift find the share, and less than a 64th of what was asked
//! for, or less than a page for each shard, remains unused.
#![forbid(unsafe_code)]

use core::ptr::NonNull;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use os::{Mutex, OsCall, OsError, PageSize, PageSource, Reason};

/// More shards than this are no use to anybody, and the sums below rely on it.
pub(super) const MOST_SHARDS: usize = 64;

/// How address space is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Division {
    granule_log2: u32,
    /// Granules of one share: 1 to 127.
    granules: u32,
}

/// Bits of the fraction that stands for one over the granules of a share.
const FRACTION: u32 = 20;

impl Division {
    /// `None` if a share has not even one page.
    fn of(bytes: usize, shards: usize, page_size: PageSize) -> Option<Self> {
        let share = bytes / shards;
        let granule_log2 = share.checked_ilog2()?.saturating_sub(6);
        let granule_log2 = granule_log2.max(page_size.get().ilog2());
        let granules = u32::try_from(share >> granule_log2).ok()?;
        (granules > 0).then_some(Self {
            granule_log2,
            granules,
        })
    }

    fn share(self) -> usize {
        (self.granules as usize) << self.granule_log2
    }

    /// With `reciprocal = (2²⁰ + e) / granules`, `0 < e ≤ granules`, granule `g` of all times this is
    /// `2²⁰ × (g / granules)` and at most `g × e / granules` more. As there are fewer than
    /// [`MOST_SHARDS`] × 128 = 2¹³ granules, and `e` is at most 127, `g × e` stays below 2²⁰, so
    /// that what is more never reaches the next whole number.
    fn reciprocal(self) -> u32 {
        (1 << FRACTION) / self.granules + 1
    }
}

#[inline]
fn share_of(granule: u32, reciprocal: u32) -> usize {
    (granule.wrapping_mul(reciprocal) >> FRACTION) as usize
}

/// One reservation, made at the first use.
#[derive(Debug)]
pub(super) struct Space {
    /// Bytes asked for, all shares together.
    bytes: usize,
    shards: usize,
    /// Null until there is a reservation. Written last, with release, so that whoever reads it with
    /// acquire reads the other numbers as they will stay.
    base: AtomicPtr<u8>,
    granule_log2: AtomicU32,
    /// Granules of all shares.
    granules: AtomicU32,
    reciprocal: AtomicU32,
    opening: Mutex<()>,
}

/// The reservation, or a share of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) base: NonNull<u8>,
    pub(super) bytes: usize,
}

impl Space {
    pub(super) const fn new(bytes: usize, shards: usize) -> Self {
        Self {
            bytes,
            shards,
            base: AtomicPtr::new(core::ptr::null_mut()),
            granule_log2: AtomicU32::new(0),
            granules: AtomicU32::new(0),
            reciprocal: AtomicU32::new(0),
            opening: Mutex::new(()),
        }
    }

    /// The shard in whose share an address lies; `None` if it lies in none. Constant time, no lock.
    #[inline]
    pub(super) fn shard_of(&self, address: usize) -> Option<usize> {
        let base = self.base.load(Ordering::Acquire);
        let offset = address.wrapping_sub(base.addr());
        let granule = offset >> self.granule_log2.load(Ordering::Relaxed);
        let granules = self.granules.load(Ordering::Relaxed);
        if base.is_null() || granule >= granules as usize {
            return None;
        }
        #[allow(clippy::cast_possible_truncation, reason = "less than the granules")]
        let granule = granule as u32;
        Some(share_of(granule, self.reciprocal.load(Ordering::Relaxed)))
    }

    /// The whole reservation, if there is one.
    pub(super) fn reserved(&self) -> Option<Span> {
        let base = NonNull::new(self.base.load(Ordering::Acquire))?;
        let granules = self.granules.load(Ordering::Relaxed) as usize;
        let bytes = granules << self.granule_log2.load(Ordering::Relaxed);
        Some(Span { base, bytes })
    }

    /// The share of a shard, after the reservation is made if there is none. At most one system call.
    pub(super) fn share(&self, shard: usize, source: &impl PageSource) -> Result<Span, OsError> {
        let all = self.open(source)?;
        let bytes = all.bytes / self.shards;
        let base = all.base.as_ptr().wrapping_add(shard * bytes);
        let base = NonNull::new(base).unwrap_or(all.base);
        Ok(Span { base, bytes })
    }

    fn open(&self, source: &impl PageSource) -> Result<Span, OsError> {
        let _one_at_a_time = self.opening.lock();
        if let Some(all) = self.reserved() {
            return Ok(all);
        }
        let page_size = source.facts().page_size;
        let division = Division::of(self.bytes, self.shards, page_size).ok_or(OsError {
            call: OsCall::Reserve,
            address: 0,
            len: self.bytes,
            reason: Reason::OutOfPages { longest_free: 0 },
        })?;
        let bytes = division.share() * self.shards;
        let base = source.reserve(bytes)?;
        let shards = u32::try_from(self.shards).unwrap_or(0);
        self.granule_log2
            .store(division.granule_log2, Ordering::Relaxed);
        self.granules
            .store(division.granules * shards, Ordering::Relaxed);
        self.reciprocal
            .store(division.reciprocal(), Ordering::Relaxed);
        self.base.store(base.as_ptr(), Ordering::Release);
        Ok(Span { base, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_granule_of_every_division_finds_its_share() {
        for granules in 1..128 {
            let division = Division {
                granule_log2: 12,
                granules,
            };
            for granule in 0..granules * u32::try_from(MOST_SHARDS).unwrap() {
                let expected = (granule / granules) as usize;
                assert_eq!(share_of(granule, division.reciprocal()), expected);
            }
        }
    }

    #[test]
    fn shares_are_whole_pages_and_nearly_all_of_what_was_asked_for() {
        for page in [16, 4096, 65536] {
            let page_size = PageSize::new(page).unwrap();
            for shards in [1, 2, 3, 8, MOST_SHARDS] {
                let most = [1 << 20, 12_345_678, usize::MAX >> 3, usize::MAX];
                for bytes in [0, 1, page - 1, page, 77 * page + 5]
                    .into_iter()
                    .chain(most)
                {
                    let division = Division::of(bytes, shards, page_size);
                    let Some(division) = division else {
                        assert!(bytes / shards < page, "{bytes} {shards} {page}");
                        continue;
                    };
                    assert!(division.granules < 128, "{division:?}");
                    let share = division.share();
                    assert!(share.is_multiple_of(page) && share <= bytes / shards);
                    let unused = bytes / shards - share;
                    assert!(
                        unused < page.max(bytes / shards / 64),
                        "{bytes} {division:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn addresses_beyond_the_reservation_are_in_no_share() {
        let source = os::OsPages::new();
        let page = source.facts().page_size.get();
        let space = Space::new(24 * page, 3);
        assert_eq!(space.shard_of(0), None);
        let all = space.open(&source).unwrap();
        assert_eq!(space.open(&source), Ok(all));
        let base = all.base.addr().get();
        for (offset, shard) in [(0, 0), (8 * page - 1, 0), (8 * page, 1), (24 * page - 1, 2)] {
            assert_eq!(space.shard_of(base + offset), Some(shard));
            let share = space.share(shard, &source).unwrap();
            assert_eq!(share.base.addr().get(), base + shard * share.bytes);
        }
        for stranger in [0, 1, base - 1, base + all.bytes, usize::MAX] {
            assert_eq!(space.shard_of(stranger), None, "{stranger:#x}");
        }
    }
}
