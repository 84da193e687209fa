//! Checksummed writes, in memories of few and of many blocks.

use wasm_arena::{AtomicMemoryExt, ChecksumEntry, MIN_BLOCK_SIZE, SliceProvider};

use crate::Log;

/// Blocks of a memory.
const BLOCKS: [usize; 3] = [10, 1000, 100_000];
const CALLS: usize = 16;

pub(crate) fn run(log: &mut Log) -> Result<(), String> {
    for blocks in BLOCKS {
        for scale in [1, 16] {
            let size = MIN_BLOCK_SIZE * scale;
            // The largest memory need not be a gigabyte.
            if blocks * size <= 64 << 20 {
                write(log, blocks, size)?;
            }
        }
    }
    Ok(())
}

fn write(log: &mut Log, blocks: usize, block_size: usize) -> Result<(), String> {
    let mut memory = vec![0_usize; blocks * block_size / size_of::<usize>()];
    let table: Vec<_> = (0..blocks).map(|_| ChecksumEntry::new()).collect();
    let ops = SliceProvider::from_words(&mut memory)
        .into_atomic_ops_with(&table[..])
        .map_err(|error| error.to_string())?;
    if (ops.block_count(), ops.block_size()) != (blocks, block_size) {
        return Err(format!(
            "{} blocks of {} bytes",
            ops.block_count(),
            ops.block_size()
        ));
    }
    for len in [8, 64] {
        for (turn, byte) in (0..CALLS).zip(1_u8..) {
            // Every offset within a block, aligned and not, in blocks all over the memory.
            let block = turn * (blocks - 1) / CALLS;
            let offset = block * block_size + turn * (block_size - len) / CALLS;
            let text = [byte.wrapping_mul(0x11); 64];
            let label = format!("checked write of {len} B, {block_size} B blocks");
            log.count(&label, blocks, || {
                ops.atomic_write_with_checksum(offset, &text[..len])
            })
            .map_err(|error| error.to_string())?;
        }
    }
    ops.verify_integrity().map_err(|error| error.to_string())
}
