//! What happened to a checked memory so far.
//!
//! Counting costs readers nothing but what went wrong; writers count under their lock.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicUsize, Ordering};

use super::IntegrityError;

/// The account of a checked memory. Counts wrap at the machine word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct IntegrityStatistics {
    /// Operations that changed data.
    pub writes: usize,
    /// Bytes they changed.
    pub bytes_written: usize,
    /// Attempts to read that were repeated because a writer came in between.
    pub reads_repeated: usize,
    /// Reads that waited for the writers' lock, after too many attempts or to repair a block.
    pub reads_under_lock: usize,
    /// Blocks looked at by [`scrub`](crate::AtomicMemoryOps::scrub).
    pub blocks_scrubbed: usize,
    /// Times that `scrub` came to the end of the memory.
    pub scrub_passes: usize,
    /// Blocks whose checksums were taken anew by [`resync`](crate::AtomicMemoryOps::resync).
    pub blocks_resynced: usize,
    /// Times that damaged data was found, repaired or not.
    pub blocks_damaged: usize,
    /// Times that a damaged checksum was found, repaired or not.
    pub checksums_damaged: usize,
    /// Times that damage of the second copy was found, repaired or not.
    pub mirrors_damaged: usize,
    /// Damages of these three kinds that were put right.
    pub repairs: usize,
    /// Writes that could not be read back.
    pub failed_read_backs: usize,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) writes: AtomicUsize,
    pub(super) bytes_written: AtomicUsize,
    pub(super) reads_repeated: AtomicUsize,
    pub(super) reads_under_lock: AtomicUsize,
    pub(super) blocks_scrubbed: AtomicUsize,
    pub(super) scrub_passes: AtomicUsize,
    pub(super) blocks_resynced: AtomicUsize,
    blocks_damaged: AtomicUsize,
    checksums_damaged: AtomicUsize,
    mirrors_damaged: AtomicUsize,
    repairs: AtomicUsize,
    failed_read_backs: AtomicUsize,
}

/// Adds to a counter that several threads may add to.
#[inline]
pub(super) fn count(counter: &AtomicUsize, amount: usize) {
    counter.fetch_add(amount, Ordering::Relaxed);
}

/// Adds to a counter that only the holder of the writers' lock adds to.
#[inline]
pub(super) fn count_alone(counter: &AtomicUsize, amount: usize) {
    let sum = counter.load(Ordering::Relaxed).wrapping_add(amount);
    counter.store(sum, Ordering::Relaxed);
}

impl Counters {
    /// Counts what was found.
    pub(super) fn count_damage(&self, damage: &IntegrityError) {
        let (counter, repaired) = match *damage {
            IntegrityError::BlockDamaged { repaired, .. } => (&self.blocks_damaged, repaired),
            IntegrityError::ChecksumDamaged { repaired, .. } => (&self.checksums_damaged, repaired),
            IntegrityError::MirrorDamaged { repaired, .. } => (&self.mirrors_damaged, repaired),
            IntegrityError::ReadBackFailed { .. } => (&self.failed_read_backs, false),
            _ => return,
        };
        count(counter, 1);
        if repaired {
            count(&self.repairs, 1);
        }
    }

    pub(super) fn report(&self) -> IntegrityStatistics {
        let get = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        IntegrityStatistics {
            writes: get(&self.writes),
            bytes_written: get(&self.bytes_written),
            reads_repeated: get(&self.reads_repeated),
            reads_under_lock: get(&self.reads_under_lock),
            blocks_scrubbed: get(&self.blocks_scrubbed),
            scrub_passes: get(&self.scrub_passes),
            blocks_resynced: get(&self.blocks_resynced),
            blocks_damaged: get(&self.blocks_damaged),
            checksums_damaged: get(&self.checksums_damaged),
            mirrors_damaged: get(&self.mirrors_damaged),
            repairs: get(&self.repairs),
            failed_read_backs: get(&self.failed_read_backs),
        }
    }
}
