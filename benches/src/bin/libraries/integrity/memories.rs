//! The memories of group `integrity`: ours at every level, and what one would write first.

use benches::{Contender, timed};
use core::hint::black_box;
use crc_fast::CrcAlgorithm;
use wasm_arena::{
    AtomicMemoryExt, AtomicMemoryOps, ChecksumEntry, SliceProvider, VerificationLevel,
};

pub(super) const KIB: usize = 1 << 10;
/// Size of every memory.
pub(super) const MEMORY: usize = 32 << 20;
/// Bytes that share a checksum, unless a case says otherwise.
pub(super) const BLOCK: usize = 4 * KIB;

/// Memory that can be written and read at places.
pub(super) trait Memory {
    fn write(&mut self, offset: usize, text: &[u8]) -> Result<(), String>;
    fn read(&self, offset: usize, target: &mut [u8]) -> Result<(), String>;
}

/// How a plain memory is summed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sum {
    None,
    /// What is written is summed, and has to be read in the same pieces.
    Written(fn(&[u8]) -> u32),
    /// Every block that is touched is summed anew.
    Blocks,
}

/// A memory without us.
pub(super) struct Plain {
    bytes: Vec<u8>,
    sum: Sum,
    /// Bytes for each of the sums.
    piece: usize,
    sums: Vec<u32>,
}

impl Plain {
    /// Zeros, to be written and read in pieces of `len` bytes.
    pub(super) fn new(sum: Sum, len: usize) -> Self {
        let piece = if matches!(sum, Sum::Blocks) {
            BLOCK
        } else {
            len
        };
        let bytes = vec![0; MEMORY];
        let zero = crc_fast(&bytes[..piece]);
        Self {
            sums: vec![zero; MEMORY / piece],
            bytes,
            sum,
            piece,
        }
    }
}

impl Memory for Plain {
    #[inline]
    fn write(&mut self, offset: usize, text: &[u8]) -> Result<(), String> {
        let range = offset..offset + text.len();
        self.bytes[range.clone()].copy_from_slice(text);
        match self.sum {
            Sum::None => {}
            Sum::Written(sum) => self.sums[offset / self.piece] = sum(&self.bytes[range]),
            Sum::Blocks => {
                for block in offset / BLOCK..range.end.div_ceil(BLOCK) {
                    let bytes = &self.bytes[block * BLOCK..(block + 1) * BLOCK];
                    self.sums[block] = crc_fast(bytes);
                }
            }
        }
        Ok(())
    }

    #[inline]
    fn read(&self, offset: usize, target: &mut [u8]) -> Result<(), String> {
        let range = offset..offset + target.len();
        target.copy_from_slice(&self.bytes[range.clone()]);
        let sound = match self.sum {
            Sum::None => true,
            Sum::Written(sum) => sum(target) == self.sums[offset / self.piece],
            Sum::Blocks => (offset / BLOCK..range.end.div_ceil(BLOCK)).all(|block| {
                let bytes = &self.bytes[block * BLOCK..(block + 1) * BLOCK];
                crc_fast(bytes) == self.sums[block]
            }),
        };
        if sound {
            Ok(())
        } else {
            Err(format!("wrong checksum at {offset}"))
        }
    }
}

/// The crate `crc-fast`.
pub(super) fn crc_fast(bytes: &[u8]) -> u32 {
    let sum = crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, bytes);
    u32::try_from(sum).expect("a CRC of 32 bits")
}

/// A memory of ours.
pub(super) type Ours<'m> = AtomicMemoryOps<SliceProvider<'m>, &'m [ChecksumEntry]>;

/// What one of ours is made of.
pub(super) struct Parts {
    memory: Vec<usize>,
    table: Vec<ChecksumEntry>,
}

impl Parts {
    /// Zeros, with a checksum for every `block` bytes.
    pub(super) fn new(block: usize) -> Self {
        let entries = MEMORY / block;
        Self {
            memory: vec![0; MEMORY / size_of::<usize>()],
            table: (0..entries).map(|_| ChecksumEntry::new()).collect(),
        }
    }

    /// The memory, at a level.
    pub(super) fn ops(&mut self, level: VerificationLevel) -> Result<Ours<'_>, String> {
        let wanted = MEMORY / self.table.len();
        let ops = SliceProvider::from_words(&mut self.memory)
            .into_atomic_ops_with(&self.table[..])
            .map_err(|error| error.to_string())?;
        ops.set_verification_level(level);
        if ops.block_size() == wanted {
            Ok(ops)
        } else {
            Err(format!(
                "blocks of {} bytes, not {wanted}",
                ops.block_size()
            ))
        }
    }
}

impl Memory for Ours<'_> {
    #[inline]
    fn write(&mut self, offset: usize, text: &[u8]) -> Result<(), String> {
        self.atomic_write_with_checksum(offset, text)
            .map_err(|error| error.to_string())
    }

    #[inline]
    fn read(&self, offset: usize, target: &mut [u8]) -> Result<(), String> {
        self.atomic_read(offset, target)
            .map_err(|error| error.to_string())
    }
}

/// Places in turn, each of which gets one of two texts and the next time the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    len: usize,
    turn: usize,
}

impl Places {
    pub(super) const fn of_length(len: usize) -> Self {
        Self { len, turn: 0 }
    }

    /// How many there are: as many as 64 KiB hold, at least two.
    const fn count(self) -> usize {
        let fitting = 64 * KIB / self.len;
        if fitting < 2 { 2 } else { fitting }
    }

    /// The place of this turn, and which text it gets.
    const fn here(self) -> (usize, usize) {
        let offset = self.turn % self.count() * self.len;
        (offset, self.turn / self.count() % 2)
    }

    const fn next(&mut self) -> (usize, usize) {
        let here = self.here();
        self.turn += 1;
        here
    }
}

/// Two texts that differ in every byte.
pub(super) fn texts(len: usize) -> [Vec<u8>; 2] {
    let first: Vec<u8> = (0..=250).cycle().take(len).collect();
    let second = first.iter().map(|byte| !byte).collect();
    [first, second]
}

/// Writes texts at places in turn; the last is read back after each batch.
pub(super) fn writing<'m>(
    name: &str,
    memory: &'m mut impl Memory,
    texts: &'m [Vec<u8>; 2],
) -> Contender<'m> {
    let mut places = Places::of_length(texts[0].len());
    let mut back = vec![0; texts[0].len()];
    Contender::new(name, move |operations| {
        let mut last = (0, 0);
        let time = timed(operations, || {
            last = places.next();
            memory.write(last.0, black_box(&texts[last.1]))
        })?;
        memory.read(last.0, &mut back)?;
        expect(&back, &texts[last.1])?;
        Ok(time)
    })
}

/// Reads the first text at places in turn.
pub(super) fn reading<'m>(
    name: &str,
    memory: &'m mut impl Memory,
    texts: &'m [Vec<u8>; 2],
) -> Result<Contender<'m>, String> {
    let mut places = Places::of_length(texts[0].len());
    for _ in 0..places.count() {
        let (offset, _) = places.next();
        memory.write(offset, &texts[0])?;
    }
    let mut target = vec![0; texts[0].len()];
    Ok(Contender::new(name, move |operations| {
        target.fill(0);
        let time = timed(operations, || {
            let (offset, _) = places.next();
            memory.read(offset, black_box(&mut target))
        })?;
        expect(&target, &texts[0])?;
        Ok(time)
    }))
}

fn expect(found: &[u8], expected: &[u8]) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err("what was read is not what was written".to_owned())
    }
}
