//! Readers and writers in the middle of each other's operations, on one thread.
//!
//! A checker asks its table for the entries after it noted the sequence and before it touches the
//! data: exactly where a writer hurts a reader most. Here the table first carries out another
//! operation on the same memory.

use core::cell::Cell;

use wasm_arena::{AtomicMemoryOps, ChecksumEntry, ChecksumTable, CustomProvider, IntegrityError};

use super::{BLOCK, Entries, checked, entries, filled};
use crate::case::case;
use crate::failure::{ensure, ensure_eq};
use crate::{Case, Subject, Verdict};

pub(super) fn cases<P: Subject>() -> [Case<P>; 3] {
    [
        case!(
            a_reader_that_a_writer_overtakes_reads_again,
            "and sees one write or the other, never half of each"
        ),
        case!(
            a_reader_waits_for_no_writer_but_ends,
            "sixteen lost tries, then an error or the lock"
        ),
        case!(
            a_reader_in_the_middle_of_a_change_is_turned_away,
            "and blocks nobody"
        ),
    ]
}

/// What is to happen when the checker asks for the entries.
#[derive(Clone, Copy)]
enum Act {
    /// Nothing.
    Answer,
    /// Records are written so many times more, once each time.
    Write(u8),
    /// A read is tried.
    Read,
}

type Ops<'t> = AtomicMemoryOps<CustomProvider, Meddling<'t>>;

/// What a table knows of the checker that uses it.
struct Meddler<'t> {
    entries: Entries,
    ops: Cell<Option<&'t Ops<'t>>>,
    act: Cell<Act>,
    outcome: Cell<Result<(), IntegrityError>>,
}

/// A table that comes in between.
struct Meddling<'t>(&'t Meddler<'t>);

impl Meddler<'_> {
    fn new() -> Self {
        Self {
            entries: entries(),
            ops: Cell::new(None),
            act: Cell::new(Act::Answer),
            outcome: Cell::new(Ok(())),
        }
    }
}

/// Bytes of a record: two blocks, no whole word at either end.
const RECORD: usize = BLOCK + 333;
const AT: usize = BLOCK - 101;

impl ChecksumTable for Meddling<'_> {
    fn entries(&self) -> &[ChecksumEntry] {
        // Taken, so that the operation itself is not meddled with.
        let act = self.0.act.replace(Act::Answer);
        if let Some(ops) = self.0.ops.get() {
            match act {
                Act::Answer | Act::Write(0) => {}
                Act::Write(count) => {
                    self.0.outcome.set(ops.atomic_fill(AT, RECORD, count));
                    self.0.act.set(Act::Write(count - 1));
                }
                Act::Read => {
                    let outcome = ops.try_atomic_read(AT, &mut [0; RECORD]);
                    self.0.outcome.set(outcome);
                }
            }
        }
        &self.0.entries
    }
}

fn a_reader_that_a_writer_overtakes_reads_again<P: Subject>(subject: &P) -> Verdict {
    let (memory, meddler) = (filled(subject)?, Meddler::new());
    let ops = checked(&memory, Meddling(&meddler))?;
    meddler.ops.set(Some(&ops));
    for writes in 1..=15_u8 {
        ops.atomic_fill(AT, RECORD, 0xee)?;
        let before = ops.statistics();
        meddler.act.set(Act::Write(writes));
        let mut record = [0; RECORD];
        ops.try_atomic_read(AT, &mut record)?;
        meddler.outcome.get()?;
        ensure!(
            record.iter().all(|byte| *byte == 1),
            "the read is of the last write, and whole"
        );
        let after = ops.statistics();
        ensure_eq!(
            after.reads_repeated - before.reads_repeated,
            usize::from(writes),
            "one try lost to each write"
        );
        ensure_eq!(after.blocks_damaged, 0, "a lost try is no damage");
    }
    ops.verify_integrity()?;
    Ok(())
}

fn a_reader_waits_for_no_writer_but_ends<P: Subject>(subject: &P) -> Verdict {
    let (memory, meddler) = (filled(subject)?, Meddler::new());
    let ops = checked(&memory, Meddling(&meddler))?;
    meddler.ops.set(Some(&ops));
    let mut record = [0xff; RECORD];
    meddler.act.set(Act::Write(200));
    ensure!(
        ops.try_atomic_read(AT, &mut record) == Err(IntegrityError::Contended { tries: 16 }),
        "it gives up"
    );
    ensure!(record == [0; RECORD], "and tells nothing of what it saw");
    // Sixteen writes, and then none: under the lock the reader would be alone.
    meddler.act.set(Act::Write(16));
    ops.atomic_read(AT, &mut record)?;
    ensure!(record == [1; RECORD], "the read is whole");
    ensure_eq!(ops.statistics().reads_under_lock, 1, "by taking the lock");
    Ok(())
}

fn a_reader_in_the_middle_of_a_change_is_turned_away<P: Subject>(subject: &P) -> Verdict {
    let (memory, meddler) = (filled(subject)?, Meddler::new());
    let ops = checked(&memory, Meddling(&meddler))?;
    meddler.ops.set(Some(&ops));
    // Taking checksums anew asks for the entries while readers are turned away.
    meddler.act.set(Act::Read);
    ops.resync(AT, RECORD)?;
    ensure!(
        meddler.outcome.get() == Err(IntegrityError::Contended { tries: 16 }),
        "it neither waits nor reads"
    );
    ops.verify_integrity()?;
    ops.try_atomic_read(AT, &mut [0; RECORD])?;
    Ok(())
}
