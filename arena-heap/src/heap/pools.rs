//! Making and ending pools: the seam between bands and list heap.

use super::Working;
use super::source::ArenaSource;
use crate::HeapError;
use crate::block::Block;
use crate::layout::{Placement, place_pool, pool_search_size};
use crate::pool::Pool;
use crate::pool_layout::span;
use crate::size_class::class_of;

/// How many free blocks are looked at for one that happens to hold a pool before one that certainly
/// does is taken: keeps the search for a place constant time.
const PROBES: usize = 8;

impl<P: ArenaSource> Working<'_, P> {
    /// Adds a pool to a band. Constant time; at most one system call, as for a large block.
    pub(super) fn make_pool(&mut self, band: usize) -> Result<(), HeapError> {
        let stride = self.state.bands.stride(band);
        let window = self.state.bands.window;
        let span = span(window, usize::from(stride));
        let (free, place) = match self.find_pool_place(window, span) {
            Some((free, place)) => {
                self.unlink(free);
                (free, place)
            }
            None => {
                let length = self.pool_arena_length(window, pool_search_size(window, span));
                let free = self.block_of_new_arena(length, window)?;
                let Some(place) = place_in(free, window, span) else {
                    // Not possible, since the arena was measured for it; but then it is only free.
                    self.release(free);
                    return Err(HeapError::Damaged {
                        address: free.address(),
                    });
                };
                (free, place)
            }
        };
        let length = place.end - place.start;
        let block = self.cut(free, place.start - free.address(), length).block;
        block.set_header(block.header().with_special(true));
        #[allow(clippy::cast_possible_truncation, reason = "at most 16 bands")]
        let number = band as u8;
        // SAFETY: the block was just cut, nobody has it, and `place` ends where a pool has to.
        let pool = unsafe { Pool::create(block, length, stride, number) };
        self.state.bands.add(pool, self.state.config.free_order);
        self.state.counters.pools += 1;
        self.state.counters.pool_bytes += block.header().size();
        self.state.counters.pool_blocks += pool.count();
        self.state.counters.pool_capacity += pool.count() * pool.stride();
        Ok(())
    }

    fn find_pool_place(&self, window: usize, span: usize) -> Option<(Block, Placement)> {
        let mut class = class_of(span / 2);
        for _ in 0..PROBES {
            class = self.state.bins.first_from(class)?;
            let free = self.state.bins.head(class)?;
            if let Some(place) = place_in(free, window, span) {
                return Some((free, place));
            }
            class += 1;
        }
        let free = self.state.bins.find(pool_search_size(window, span))?;
        Some((free, place_in(free, window, span)?))
    }

    /// Makes the pools that bands want at the start. All bands are tried; the first error returns.
    pub(super) fn preallocate_pools(&mut self) -> Result<(), HeapError> {
        let bands = self.state.config.bands;
        let mut result = Ok(());
        for (number, band) in bands.bands().iter().enumerate() {
            let wanted = usize::from(band.preallocate);
            let mut made = 0;
            while made < wanted {
                let before = self.state.counters.pool_blocks;
                if let Err(error) = self.make_pool(number) {
                    self.state.counters.failed_preallocations += 1;
                    result = result.and(Err(error));
                    break;
                }
                made += self.state.counters.pool_blocks - before;
            }
        }
        result
    }

    /// Ends a pool without blocks in use.
    #[cold]
    pub(super) fn end_pool(&mut self, pool: Pool) {
        self.state.bands.remove(pool);
        self.state.counters.pools -= 1;
        self.state.counters.pool_blocks -= pool.count();
        self.state.counters.pool_capacity -= pool.count() * pool.stride();
        let block = pool.end();
        self.state.counters.pool_bytes -= block.header().size();
        self.release(block);
    }

    /// Ends every pool without blocks in use.
    pub(super) fn end_empty_pools(&mut self) {
        for band in 0..self.state.bands.strides().len() {
            let mut next = self.state.bands.available(band).first();
            while let Some(pool) = next {
                // The next pool is in use as a block, so its arena stays whatever happens to this.
                next = pool.next();
                if pool.free() == pool.count() {
                    self.end_pool(pool);
                }
            }
        }
    }
}

fn place_in(free: Block, window: usize, span: usize) -> Option<Placement> {
    let header = free.address();
    place_pool(header, header + free.header().size(), window, span)
}
