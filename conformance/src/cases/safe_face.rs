//! The safe face of a memory: an access that would fault is an error.
#![forbid(unsafe_code)]

use os::Protection;
use wasm_arena::{AllocError, LinearMemory, LittleEndian, PageAllocator};

use crate::case::case;
use crate::failure::{ensure, ensure_eq, ensure_refused};
use crate::support::{Memory, PAGE, build, builder, facts, moving};
use crate::{Case, Failure, Subject, Verdict};

pub(super) fn cases<P: Subject>() -> [Case<P>; 6] {
    [
        case!(reads_and_writes_are_bounded, "OutOfRange at every edge"),
        case!(
            numbers_are_little_endian_and_unaligned,
            "1 to 16 bytes, at odd places"
        ),
        case!(slices_show_the_memory, "empty ones at the end too"),
        case!(
            a_forbidden_access_is_an_error,
            "Protected, with the first byte"
        ),
        case!(
            a_grown_memory_shows_the_new_bytes,
            "and the old ones, after a move"
        ),
        case!(a_memory_gives_its_allocator_back, "to make the next"),
    ]
}

fn linear<P: Subject>(subject: &P, pages: u32) -> Result<LinearMemory<Memory<P>>, Failure> {
    Ok(LinearMemory::new(
        build(subject, builder(subject))?,
        pages,
        Some(8),
    )?)
}

fn reads_and_writes_are_bounded<P: Subject>(subject: &P) -> Verdict {
    let mut memory = linear(subject, 1)?;
    memory.write(PAGE - 4, b"edge")?;
    let mut four = [0; 4];
    memory.read(PAGE - 4, &mut four)?;
    ensure!(&four == b"edge", "the last bytes");
    for offset in [PAGE - 3, PAGE, PAGE + 1, usize::MAX, usize::MAX - 3] {
        ensure_refused!(
            memory.read(offset, &mut four),
            AllocError::OutOfRange { offset: named, len: 4, size: PAGE } if named == offset,
            "a read behind the end"
        );
        ensure_refused!(
            memory.write(offset, b"over"),
            AllocError::OutOfRange { offset: named, len: 4, size: PAGE } if named == offset,
            "a write behind the end"
        );
    }
    ensure!(&four == b"edge", "a refused read changes nothing");
    ensure!(
        memory.slice(PAGE - 4, 4)? == b"edge",
        "nor does a refused write"
    );
    Ok(())
}

fn numbers_are_little_endian_and_unaligned<P: Subject>(subject: &P) -> Verdict {
    fn there_and_back<A: PageAllocator, N: LittleEndian + PartialEq>(
        memory: &mut LinearMemory<A>,
        value: N,
    ) -> Verdict {
        for offset in [0, 1, 3, 4095, PAGE - size_of::<N>()] {
            memory.write_le(offset, value)?;
            ensure!(memory.read_le::<N>(offset)? == value, "what was written");
        }
        ensure!(
            memory.read_le::<N>(PAGE - size_of::<N>() + 1).is_err(),
            "one byte too far"
        );
        Ok(())
    }
    let mut memory = linear(subject, 1)?;
    there_and_back(&mut memory, 0xa5_u8)?;
    there_and_back(&mut memory, -2_i16)?;
    there_and_back(&mut memory, 0xdead_beef_u32)?;
    there_and_back(&mut memory, i64::MIN + 7)?;
    there_and_back(&mut memory, u128::MAX / 3)?;
    there_and_back(&mut memory, 1.5_f32)?;
    there_and_back(&mut memory, -0.25_f64)?;
    memory.write_le(8, 0x0102_0304_u32)?;
    ensure!(
        memory.slice(8, 4)? == [4, 3, 2, 1],
        "the least byte comes first"
    );
    Ok(())
}

fn slices_show_the_memory<P: Subject>(subject: &P) -> Verdict {
    let mut memory = linear(subject, 2)?;
    ensure_eq!(memory.size(), 2 * PAGE, "size");
    ensure_eq!(memory.size_in_pages(), 2, "pages");
    memory
        .slice_mut(PAGE - 2, 4)?
        .copy_from_slice(&[1, 2, 3, 4]);
    ensure!(
        memory.slice(PAGE - 3, 6)? == [0, 1, 2, 3, 4, 0],
        "across a page"
    );
    ensure_eq!(memory.slice(2 * PAGE, 0)?.len(), 0, "nothing, at the end");
    ensure!(
        memory.slice(2 * PAGE + 1, 0).is_err(),
        "nothing, beyond the end"
    );
    ensure_eq!(memory.slice(0, 2 * PAGE)?.len(), 2 * PAGE, "everything");
    Ok(())
}

fn a_forbidden_access_is_an_error<P: Subject>(subject: &P) -> Verdict {
    if !facts(subject).pages.can_protect {
        return Ok(());
    }
    let mut memory = linear(subject, 3)?;
    memory.write(PAGE, b"kept")?;
    memory.protect(PAGE, PAGE, Protection::Read)?;
    ensure!(memory.slice(PAGE, 4)? == b"kept", "it can be read");
    for (offset, len) in [(PAGE, 1), (PAGE - 1, 2), (0, 3 * PAGE)] {
        ensure_refused!(
            memory.slice_mut(offset, len).map(|_| ()),
            AllocError::Protected { offset: PAGE },
            "it cannot be written"
        );
    }
    memory.protect(2 * PAGE, PAGE, Protection::None)?;
    ensure_refused!(
        memory.read_le::<u64>(2 * PAGE - 4),
        AllocError::Protected { offset } if offset == 2 * PAGE,
        "it cannot be read"
    );
    memory.reset()?;
    memory.write(0, &[1; 4096])?;
    memory.write(2 * PAGE, &[1; 4096])?;
    Ok(())
}

fn a_grown_memory_shows_the_new_bytes<P: Subject>(subject: &P) -> Verdict {
    let mut memory = LinearMemory::new(build(subject, moving(subject))?, 1, None)?;
    memory.write(PAGE - 4, b"last")?;
    for pages in 1..6 {
        ensure_eq!(
            memory.grow(1)?,
            pages,
            "the previous size, as memory.grow has it"
        );
        let last = memory.size() - 4;
        ensure_eq!(memory.read_le::<u32>(last)?, 0, "new bytes are zero");
        ensure!(memory.slice(PAGE - 4, 4)? == b"last", "old ones are kept");
    }
    ensure_eq!(memory.grow(0)?, 6, "growing by nothing says the size");
    Ok(())
}

fn a_memory_gives_its_allocator_back<P: Subject>(subject: &P) -> Verdict {
    let mut memory = linear(subject, 1)?;
    memory.write(0, b"first")?;
    let allocator = memory.into_allocator()?;
    ensure_eq!(allocator.size(), 0, "the memory has ended");
    let memory = LinearMemory::new(allocator, 1, Some(8))?;
    ensure!(
        memory.slice(0, 5)? == [0; 5],
        "nothing of the first is left"
    );
    ensure!(
        memory.allocator().statistics().from_cache,
        "though its region is"
    );
    Ok(())
}
