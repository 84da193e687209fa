//! The bands of a heap: which one serves a size, and which pools have blocks left.
//!
//! ```text
//!  size ─▶ table ─▶ band ─▶ available: pool ⇄ pool ⇄ pool     blocks left
//!                           full:      pool ⇄ pool            none left
//! ```
//!
//! Invariants: (1) a pool is in `available` of its band exactly if it has a free block, else in
//! `full`; (2) of each list the first pool's `previous` is none and the last one's `next` is;
//! (3) a spare pool is one of its band.
#![forbid(unsafe_code)]

use crate::layout::GRANULE;
use crate::pool::Pool;
use crate::{BandConfig, FreeOrder};

/// As many entries as a byte can tell apart, so that no index needs a check.
const TABLE: usize = 1 << u8::BITS;

const _: () = assert!(BandConfig::MAX_BLOCK_SIZE as usize / GRANULE <= TABLE);

/// A list of pools with both ends known.
#[derive(Clone, Copy)]
pub(crate) struct PoolList {
    first: Option<Pool>,
    last: Option<Pool>,
}

impl PoolList {
    const EMPTY: Self = Self {
        first: None,
        last: None,
    };

    #[inline]
    pub(crate) fn first(&self) -> Option<Pool> {
        self.first
    }

    fn push(&mut self, pool: Pool, order: FreeOrder) {
        match order {
            FreeOrder::Fifo => {
                pool.set_next(None);
                pool.set_previous(self.last);
                match self.last.replace(pool) {
                    Some(last) => last.set_next(Some(pool)),
                    None => self.first = Some(pool),
                }
            }
            FreeOrder::Lifo => {
                pool.set_previous(None);
                pool.set_next(self.first);
                match self.first.replace(pool) {
                    Some(first) => first.set_previous(Some(pool)),
                    None => self.last = Some(pool),
                }
            }
        }
    }

    fn remove(&mut self, pool: Pool) {
        let (next, previous) = (pool.next(), pool.previous());
        match previous {
            Some(previous) => previous.set_next(next),
            None => self.first = next,
        }
        match next {
            Some(next) => next.set_previous(previous),
            None => self.last = previous,
        }
    }
}

pub(crate) struct Bands {
    /// Bytes of the aligned window a pool lies in.
    pub(crate) window: usize,
    /// The least size that no band serves.
    beyond: usize,
    /// The band of a size below that, by its number of granules, rounded up, less one.
    table: [u8; TABLE],
    strides: [u16; BandConfig::MAX_BANDS],
    count: usize,
    available: [PoolList; BandConfig::MAX_BANDS],
    full: [PoolList; BandConfig::MAX_BANDS],
    /// The pool of each band that was the last to stay when it became wholly free; it may have blocks
    /// in use again.
    spare: [Option<Pool>; BandConfig::MAX_BANDS],
}

impl Bands {
    pub(crate) const fn new(config: &BandConfig) -> Self {
        let mut bands = Self {
            window: config.pool_window(),
            beyond: 0,
            table: [0; TABLE],
            strides: [0; BandConfig::MAX_BANDS],
            count: config.count(),
            available: [PoolList::EMPTY; BandConfig::MAX_BANDS],
            full: [PoolList::EMPTY; BandConfig::MAX_BANDS],
            spare: [None; BandConfig::MAX_BANDS],
        };
        let mut granules = 0;
        let mut band = 0;
        while band < bands.count {
            let stride = config.band(band).block_size;
            bands.strides[band] = stride;
            bands.beyond = stride as usize + 1;
            while granules * GRANULE < stride as usize {
                #[allow(clippy::cast_possible_truncation, reason = "at most 16 bands")]
                let number = band as u8;
                bands.table[granules] = number;
                granules += 1;
            }
            band += 1;
        }
        bands
    }

    /// The band that serves requests of `size` bytes, if one does. Constant time.
    #[inline]
    pub(crate) fn band_for(&self, size: usize) -> Option<usize> {
        if size >= self.beyond {
            return None;
        }
        let granules = size.saturating_sub(1) / GRANULE % TABLE;
        Some(usize::from(self.table[granules]) % BandConfig::MAX_BANDS)
    }

    /// Usable bytes of the blocks of each band.
    pub(crate) fn strides(&self) -> &[u16] {
        self.strides.get(..self.count).unwrap_or(&[])
    }

    #[inline]
    pub(crate) fn stride(&self, band: usize) -> u16 {
        self.strides[band]
    }

    /// Pools of a band that have a free block; the first is used next.
    #[inline]
    pub(crate) fn available(&self, band: usize) -> &PoolList {
        &self.available[band]
    }

    /// Pools of a band that have none.
    pub(crate) fn full(&self, band: usize) -> &PoolList {
        &self.full[band]
    }

    /// The pool of a band that stayed last when it became wholly free, if it still is one.
    pub(crate) fn spare(&self, band: usize) -> Option<Pool> {
        self.spare[band]
    }

    /// Adds a new pool with free blocks.
    pub(crate) fn add(&mut self, pool: Pool, order: FreeOrder) {
        self.available[pool.band()].push(pool, order);
    }

    /// Notes that the last free block of a pool was taken.
    #[cold]
    pub(crate) fn became_full(&mut self, pool: Pool) {
        self.available[pool.band()].remove(pool);
        self.full[pool.band()].push(pool, FreeOrder::Lifo);
    }

    /// Notes that a pool without free blocks has one again.
    #[cold]
    pub(crate) fn became_available(&mut self, pool: Pool, order: FreeOrder) {
        self.full[pool.band()].remove(pool);
        self.available[pool.band()].push(pool, order);
    }

    /// Which pool has to go, now that `pool` became wholly free. One of each band stays, so that a
    /// program whose blocks come and go does not build a pool each time; of two it is the one at the
    /// lower address, so that what is free lies together behind it.
    pub(crate) fn superfluous(&mut self, pool: Pool) -> Option<Pool> {
        let spare = &mut self.spare[pool.band()];
        match *spare {
            Some(other) if other != pool && other.free() == other.count() => {
                let (low, high) = if pool.address() < other.address() {
                    (pool, other)
                } else {
                    (other, pool)
                };
                *spare = Some(low);
                Some(high)
            }
            _ => {
                *spare = Some(pool);
                None
            }
        }
    }

    /// Takes a pool with free blocks out of its list.
    pub(crate) fn remove(&mut self, pool: Pool) {
        let band = pool.band();
        self.available[band].remove(pool);
        if self.spare[band] == Some(pool) {
            self.spare[band] = None;
        }
    }
}
