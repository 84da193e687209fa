//! A walk over everything a heap keeps, comparing what must agree.
//!
//! The walk may meet damage, so it trusts nothing it reads: an arena's links are followed only if
//! its check word agrees, a size only if it stays inside its arena, a list link only if it leads
//! into an arena. It reads headers, links, footers and feet, never a byte of a block in use.

use core::ptr::NonNull;

use crate::arena::Arena;
use crate::block::Block;
use crate::header::Header;
use crate::heap::HeapState;
use crate::layout::{ARENA_HEADER, ARENA_OVERHEAD, GRANULE, MIN_BLOCK, WORD};
use crate::pool::Pool;
use crate::pool_layout::FOOT;
use crate::size_class::{CLASSES, class_of};
use crate::{Corruption, Damage};

/// What the walk over the arenas counted.
#[derive(Default)]
struct Counted {
    arenas: usize,
    bytes: usize,
    cached_arenas: usize,
    cached_bytes: usize,
    list_blocks: usize,
    list_allocated: usize,
    free_blocks: usize,
    pools: usize,
    pool_bytes: usize,
    pool_blocks: usize,
    pool_capacity: usize,
    band_allocated: usize,
}

impl HeapState {
    /// See [`ArenaHeap::verify`](crate::ArenaHeap::verify).
    pub(crate) fn verify(&self) -> Result<(), Corruption> {
        let mut counted = Counted::default();
        let mut next = self.arenas.newest();
        while let Some(arena) = next {
            if !arena.is_intact() {
                return damage(arena.address(), Damage::ArenaHeader);
            }
            counted.arenas += 1;
            if counted.arenas > self.arenas.count {
                return damage(arena.address(), Damage::ArenaList);
            }
            counted.bytes += arena.length();
            self.verify_arena(arena, &mut counted)?;
            next = arena.next();
        }
        self.verify_cache(&counted)?;
        self.verify_bins(&counted)?;
        self.verify_bands(&counted)?;
        self.verify_counters(&counted)
    }

    fn verify_arena(&self, arena: Arena, counted: &mut Counted) -> Result<(), Corruption> {
        let end = arena.length() - WORD;
        let mut offset = ARENA_HEADER;
        let mut before_free = false;
        let mut wholly_free = false;
        while offset < end {
            // SAFETY: `offset` is below the end word of the arena.
            let address = unsafe { arena.base().add(offset) };
            // SAFETY: inside an arena, at a multiple of a word; damage is expected, and nothing is
            // taken from it but the header.
            let block = unsafe { Block::at(address) };
            let header = block.header();
            let size = header.size();
            if size < MIN_BLOCK || size > end - offset {
                return damage(block.address(), Damage::BlockSize { size });
            }
            if header.is_first() != (offset == ARENA_HEADER) {
                return damage(block.address(), Damage::BlockMarks);
            }
            if header.before_is_free() != before_free {
                return damage(block.address(), Damage::NeighbourState);
            }
            if header.is_free() {
                if before_free {
                    return damage(block.address(), Damage::NotJoined);
                }
                // SAFETY: `size` stays inside the arena, as was just checked.
                let footer = unsafe { block.raw_footer(size) };
                if footer != size {
                    return damage(
                        block.address() + size - WORD,
                        Damage::Footer { size: footer },
                    );
                }
                counted.free_blocks += 1;
                wholly_free = size == arena.length() - ARENA_OVERHEAD;
            } else if header.is_pool() {
                self.verify_pool(block, size, counted)?;
            } else {
                counted.list_blocks += 1;
                counted.list_allocated += size - WORD;
            }
            before_free = header.is_free();
            offset += size;
        }
        // SAFETY: sizes are multiples of the granule, so the walk ends at the end word exactly.
        let last = unsafe { arena.base().add(end) };
        // SAFETY: the end word counts as a header.
        let last = unsafe { Block::at(last) };
        if last.header() != Header::END.with_before_free(before_free) {
            return damage(last.address(), Damage::NeighbourState);
        }
        if wholly_free != arena.is_cached() {
            return damage(arena.address(), Damage::ArenaState);
        }
        if wholly_free {
            counted.cached_arenas += 1;
            counted.cached_bytes += arena.length();
        }
        Ok(())
    }

    fn verify_pool(
        &self,
        block: Block,
        size: usize,
        counted: &mut Counted,
    ) -> Result<(), Corruption> {
        let window = self.bands.window;
        let payload = block.payload();
        let distance = window - WORD - FOOT - payload.addr().get() % window;
        if payload.addr().get() % window + FOOT + WORD > window || distance + FOOT + WORD > size {
            return damage(block.address(), Damage::PoolFoot);
        }
        // SAFETY: the foot of a pool in this window lies inside the block, as was just checked.
        let pool = unsafe { Pool::of_block(payload, window) };
        if !pool.is_alive() || !pool.is_consistent(block, size, self.bands.strides()) {
            return damage(pool.address(), Damage::PoolFoot);
        }
        counted.pools += 1;
        counted.pool_bytes += size;
        counted.pool_blocks += pool.count();
        counted.pool_capacity += pool.count() * pool.stride();
        counted.band_allocated += (pool.count() - pool.free()) * pool.stride();
        Ok(())
    }

    /// The list of cached arenas: each link is looked up among the arenas before it is followed.
    fn verify_cache(&self, counted: &Counted) -> Result<(), Corruption> {
        let mut length = 0;
        let mut next = self.arenas.newest_cached();
        let mut last = None;
        while let Some(arena) = next {
            length += 1;
            if length > counted.cached_arenas || !self.all_arenas().any(|known| known == arena) {
                return damage(arena.address(), Damage::ArenaList);
            }
            if !arena.is_cached() || arena.cached_previous() != last {
                return damage(arena.address(), Damage::ArenaState);
            }
            last = next;
            next = arena.cached_next();
        }
        if length != counted.cached_arenas || last != self.arenas.oldest_cached() {
            return damage(0, Damage::ArenaList);
        }
        Ok(())
    }

    fn verify_bins(&self, counted: &Counted) -> Result<(), Corruption> {
        let mut listed = 0;
        for class in 0..CLASSES {
            let (first, last) = self.bins.ends(class);
            let (column, row) = self.bins.bits(class);
            let agree = first.is_some() == column && last.is_some() == column;
            if !agree || row != self.bins.row_has_columns(class) {
                return damage(0, Damage::Bitmap { class });
            }
            let mut previous = None;
            let mut next = first;
            while let Some(block) = next {
                listed += 1;
                if listed > counted.free_blocks {
                    return damage(block.address(), Damage::List);
                }
                next = self.verify_links(block, previous, class)?;
                previous = Some(block);
            }
            if let (Some(previous), Some(last)) = (previous, last)
                && previous != last
            {
                return damage(previous.address() + WORD, Damage::Link { target: 0 });
            }
        }
        if listed != counted.free_blocks {
            return damage(0, Damage::List);
        }
        Ok(())
    }

    /// The block that follows `block` in a bin, if there is one, and it is a free block of this class.
    /// `block` has to link back to the one before it.
    fn verify_links(
        &self,
        block: Block,
        previous: Option<Block>,
        class: usize,
    ) -> Result<Option<Block>, Corruption> {
        let [next, back] = block.raw_links();
        if back.addr() != previous.map_or(0, Block::address) {
            let target = back.addr();
            return damage(block.address() + 2 * WORD, Damage::Link { target });
        }
        let target = next.addr();
        let Some(next) = NonNull::new(next) else {
            return Ok(None);
        };
        let wrong = damage(block.address() + WORD, Damage::Link { target });
        if target % GRANULE != WORD || !self.is_inside(target, MIN_BLOCK) {
            return wrong;
        }
        // SAFETY: word-aligned and with room for a block inside an arena; nothing is taken from it
        // but header and links.
        let next = unsafe { Block::at(next) };
        let header = next.header();
        if !header.is_free() || class_of_damaged(header.size()) != Some(class) {
            return wrong;
        }
        Ok(Some(next))
    }

    fn verify_bands(&self, counted: &Counted) -> Result<(), Corruption> {
        let mut listed = 0;
        for band in 0..self.bands.strides().len() {
            let mut spare = self.bands.spare(band);
            for (list, has_free) in [
                (self.bands.available(band), true),
                (self.bands.full(band), false),
            ] {
                let mut next = list.first();
                let mut previous = None;
                while let Some(pool) = next {
                    listed += 1;
                    let address = pool.address();
                    let target = Damage::Link { target: address };
                    let at = previous.map_or(0, Pool::address);
                    if !address.is_multiple_of(WORD) || !self.is_inside(address, FOOT) {
                        return damage(at, target);
                    }
                    if !pool.is_alive() || pool.band() != band || (pool.free() > 0) != has_free {
                        return damage(at, target);
                    }
                    if pool.previous() != previous || listed > counted.pools {
                        return damage(address, Damage::List);
                    }
                    spare = spare.filter(|spare| *spare != pool);
                    previous = next;
                    next = pool.next();
                }
            }
            if let Some(stranger) = spare {
                let target = stranger.address();
                return damage(0, Damage::Link { target });
            }
        }
        if listed != counted.pools {
            return damage(0, Damage::List);
        }
        Ok(())
    }

    fn verify_counters(&self, counted: &Counted) -> Result<(), Corruption> {
        let (arenas, counters) = (&self.arenas, &self.counters);
        for (name, recorded, counted) in [
            ("arenas", arenas.count, counted.arenas),
            ("mapped_bytes", arenas.bytes, counted.bytes),
            ("cached_arenas", arenas.cached_count, counted.cached_arenas),
            ("cached_bytes", arenas.cached_bytes, counted.cached_bytes),
            ("list_blocks", counters.list_blocks(), counted.list_blocks),
            (
                "list_allocated_bytes",
                counters.list_allocated,
                counted.list_allocated,
            ),
            (
                "band_allocated_bytes",
                counters.band_allocated,
                counted.band_allocated,
            ),
            ("pools", counters.pools, counted.pools),
            ("pool_bytes", counters.pool_bytes, counted.pool_bytes),
            ("band_blocks", counters.pool_blocks, counted.pool_blocks),
            (
                "pool_capacity",
                counters.pool_capacity,
                counted.pool_capacity,
            ),
        ] {
            if recorded != counted {
                return damage(
                    0,
                    Damage::Counter {
                        name,
                        recorded,
                        counted,
                    },
                );
            }
        }
        Ok(())
    }

    /// All arenas; to be used once the list is known to be intact.
    fn all_arenas(&self) -> impl Iterator<Item = Arena> {
        core::iter::successors(self.arenas.newest(), |arena| arena.next())
    }

    /// Whether `length` bytes at `address` lie between header and end word of one arena.
    fn is_inside(&self, address: usize, length: usize) -> bool {
        self.all_arenas().any(|arena| {
            let start = arena.address() + ARENA_HEADER;
            let end = arena.address() + arena.length() - WORD;
            address >= start && address < end && length <= end - address
        })
    }
}

fn class_of_damaged(size: usize) -> Option<usize> {
    let class = class_of(size);
    (size >= MIN_BLOCK && class < CLASSES).then_some(class)
}

fn damage<T>(address: usize, damage: Damage) -> Result<T, Corruption> {
    Err(Corruption { address, damage })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ArenaHeap;
    use core::alloc::Layout;

    #[test]
    fn every_counter_is_compared() {
        type Field = fn(&mut HeapState) -> &mut usize;
        let mut heap = ArenaHeap::new(os::OsPages::new());
        heap.allocate(Layout::new::<[u8; 1000]>()).unwrap();
        heap.allocate(Layout::new::<u64>()).unwrap();
        let fields: [Field; 10] = [
            |heap| &mut heap.arenas.bytes,
            |heap| &mut heap.arenas.cached_count,
            |heap| &mut heap.arenas.cached_bytes,
            |heap| &mut heap.counters.list_taken,
            |heap| &mut heap.counters.list_allocated,
            |heap| &mut heap.counters.band_allocated,
            |heap| &mut heap.counters.pools,
            |heap| &mut heap.counters.pool_bytes,
            |heap| &mut heap.counters.pool_blocks,
            |heap| &mut heap.counters.pool_capacity,
        ];
        for (index, field) in fields.into_iter().enumerate() {
            *field(heap.state_mut()) += 1;
            let found = heap.verify().unwrap_err();
            assert!(
                matches!(found.damage, Damage::Counter { .. }),
                "{index}: {found}"
            );
            *field(heap.state_mut()) -= 1;
            heap.verify().unwrap();
        }
        heap.state_mut().arenas.count += 1;
        assert!(matches!(
            heap.verify().unwrap_err().damage,
            Damage::Counter { .. }
        ));
        heap.state_mut().arenas.count -= 2;
        assert_eq!(heap.verify().unwrap_err().damage, Damage::ArenaList);
        heap.state_mut().arenas.count += 1;
    }
}
