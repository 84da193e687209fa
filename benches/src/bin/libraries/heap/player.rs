//! Plays a trace on a heap, with a mark in every block that must still be there when it goes back.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::NonNull;

use super::trace::{Event, SLOTS};

/// A heap with the blocks that a trace holds of it.
///
/// Invariant: a block in `blocks` came from `heap` with the layout beside it, and is in use; its
/// first eight bytes are this value's alone.
pub(super) struct Player<'t, H: GlobalAlloc> {
    heap: &'t H,
    events: &'t [Event],
    position: usize,
    blocks: Vec<Option<(NonNull<u64>, Layout)>>,
    /// Write a byte into each host page of a block, so that it is really there.
    touches: bool,
    pub(super) live: usize,
}

impl<'t, H: GlobalAlloc> Player<'t, H> {
    pub(super) fn new(heap: &'t H, events: &'t [Event]) -> Self {
        Self {
            heap,
            events,
            position: 0,
            blocks: vec![None; SLOTS],
            touches: false,
            live: 0,
        }
    }

    /// The same, writing to every host page it gets.
    pub(super) const fn touching(mut self) -> Self {
        self.touches = true;
        self
    }

    /// The next event; after the last one the first.
    #[inline]
    pub(super) fn step(&mut self) -> Result<(), String> {
        let event = self.events[self.position];
        self.position += 1;
        if self.position == self.events.len() {
            self.position = 0;
        }
        match event {
            Event::Allocate { slot, size } => self.allocate(slot, size),
            Event::Free { slot } => self.free(slot),
        }
    }

    fn allocate(&mut self, slot: usize, size: usize) -> Result<(), String> {
        let layout = Layout::from_size_align(size.max(8), 8).map_err(|error| error.to_string())?;
        // SAFETY: the size is not zero.
        let block = unsafe { self.heap.alloc(layout) };
        let Some(block) = NonNull::new(block.cast::<u64>()) else {
            return Err(format!("no block of {size} bytes"));
        };
        // SAFETY: at least eight bytes that are ours, aligned to eight.
        unsafe { block.write(slot as u64) };
        if self.touches {
            for offset in (8..size).step_by(4096) {
                // SAFETY: within the block's `size` bytes.
                let byte = unsafe { block.cast::<u8>().add(offset) };
                // SAFETY: as above; nobody else knows of the block.
                unsafe { byte.write(1) };
            }
        }
        self.live += layout.size();
        self.blocks[slot] = Some((block, layout));
        Ok(())
    }

    fn free(&mut self, slot: usize) -> Result<(), String> {
        let Some((block, layout)) = self.blocks[slot].take() else {
            return Err(format!("the trace frees {slot}, which is no block"));
        };
        // SAFETY: the invariant; written when it was allocated.
        let mark = unsafe { block.read() };
        self.live -= layout.size();
        // SAFETY: the invariant; taken out of the list, so not used again.
        unsafe { self.heap.dealloc(block.cast().as_ptr(), layout) };
        if mark == slot as u64 {
            Ok(())
        } else {
            Err(format!("block {slot} held {mark:#x}: handed out twice"))
        }
    }
}

impl<H: GlobalAlloc> Drop for Player<'_, H> {
    fn drop(&mut self) {
        for slot in 0..self.blocks.len() {
            if self.blocks[slot].is_some() {
                self.free(slot)
                    .unwrap_or_else(|problem| eprintln!("{problem}"));
            }
        }
    }
}
