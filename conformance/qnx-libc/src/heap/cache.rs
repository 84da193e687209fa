//! The cache of empty arenas (qnx-facts §1.4, §4.4): a stack.

use crate::complaints::Complaint;
use crate::heap::Cached;
use crate::qnx::prot;
use crate::state::State;

impl State {
    /// Bytes in the cache.
    pub(crate) fn cached_bytes(&self) -> usize {
        self.heap.cache.all().iter().map(|cached| cached.size).sum()
    }

    /// Takes the first entry from the top that is large enough. What is left, if it is an arena or
    /// more, goes back; if the limits refuse it, it is lost, as on QNX.
    pub(crate) fn take_cached(&mut self, need: usize) -> Option<Cached> {
        let mut index = self.heap.cache.all().len();
        let cached = loop {
            index = index.checked_sub(1)?;
            let cached = self.heap.cache.all()[index];
            if cached.size < need {
                continue;
            }
            let end = cached.base + cached.size;
            if !self.pages.allows(cached.base, end, prot::READ_WRITE) {
                self.complaints
                    .add(Complaint::FreeMemoryProtected, cached.base);
                continue;
            }
            if !self.cache_words_are_whole(cached) {
                self.complaints
                    .add(Complaint::HeaderOverwritten, cached.base);
            }
            break cached;
        };
        self.heap.cache.remove(index);
        // Pages larger than the heap's own unit are not shared between two entries.
        let taken = need.next_multiple_of(self.pages.page());
        let left = cached.size.saturating_sub(taken);
        if left < self.heap.settings.arena_size {
            return Some(cached);
        }
        let rest = Cached {
            base: cached.base + taken,
            size: left,
        };
        if self.cache_accepts(left) {
            self.push_cached(rest);
        } else {
            self.heap.counters.lost += left;
        }
        Some(Cached {
            base: cached.base,
            size: taken,
        })
    }

    /// Puts an empty arena into the cache, or gives it back to the kernel.
    pub(crate) fn cache_or_unmap(&mut self, base: usize, size: usize) {
        if self.profile.has_arenas() && self.cache_accepts(size) {
            self.push_cached(Cached { base, size });
        } else {
            self.unmap_arena(base, size);
        }
    }

    /// `MALLOC_ARENA_CACHE_FREE_NOW`: everything, or (0) what is over the limits.
    pub(crate) fn empty_cache(&mut self, everything: bool) {
        while let Some(&cached) = self.heap.cache.all().last() {
            let settings = &self.heap.settings;
            let count = self.heap.cache.all().len();
            let within = count <= settings.cache_blocks as usize
                && self.cached_bytes() <= settings.cache_bytes as usize;
            if within && !everything {
                return;
            }
            self.heap.cache.remove(count - 1);
            self.unmap_arena(cached.base, cached.size);
        }
    }

    fn push_cached(&mut self, cached: Cached) {
        self.write_cache_words(cached);
        if !self.heap.cache.push(cached) {
            self.complaints.add(Complaint::StandInLimit, cached.base);
        }
    }

    /// Whether the limits let an arena in.
    fn cache_accepts(&self, size: usize) -> bool {
        let settings = &self.heap.settings;
        let (blocks, bytes) = (
            settings.cache_blocks as usize,
            settings.cache_bytes as usize,
        );
        let any_size = self
            .switches
            .large_blocks_cached
            .unwrap_or(self.profile.caches_any_size());
        let off = blocks == 0 && bytes == 0;
        let over_bytes = bytes != 0 && self.cached_bytes() + size > bytes;
        let over_blocks = blocks != 0 && self.heap.cache.all().len() >= blocks;
        let too_large = !any_size && !settings.hold && size > settings.arena_size;
        !(off || over_bytes || over_blocks || too_large)
    }

    fn unmap_arena(&mut self, base: usize, size: usize) {
        let end = (base + size).next_multiple_of(self.pages.page());
        if self.pages.unmap(base, end).is_err() {
            self.complaints.add(Complaint::StandInLimit, base);
        }
        self.heap.counters.core_frees += 1;
        self.heap.counters.mapped -= size;
    }
}
