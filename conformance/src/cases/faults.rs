//! What faults: each case touches one byte that must not be touched, and the process dies of it.
//!
//! A case that comes back has failed, whatever it brings. [`Subject::about_to_fault`] is called
//! right before the access.

use os::Protection;
use wasm_arena::{GrowthPolicy, PageAllocator};

use crate::case::case;
use crate::support::{
    Memory, PAGE, build, builder, bytes_mut, fill_all, host_page, moving, signed,
};
use crate::{Case, Failure, Subject, Verdict};

pub(super) fn cases<P: Subject>() -> [Case<P>; 20] {
    [
        case!(a_read_before_the_base_faults, "by one byte").faulting(),
        case!(a_write_before_the_base_faults, "by one byte").faulting(),
        case!(
            a_read_at_the_start_of_the_guard_before_faults,
            "its first byte"
        )
        .faulting(),
        case!(a_read_behind_the_data_faults, "a full memory, by one byte").faulting(),
        case!(a_write_behind_the_data_faults, "a full memory, by one byte").faulting(),
        case!(a_read_at_the_end_of_the_guard_after_faults, "its last byte").faulting(),
        case!(a_read_of_the_room_faults, "the first byte behind the data").faulting(),
        case!(a_write_of_the_room_faults, "the first byte behind the data").faulting(),
        case!(a_write_at_the_end_of_the_room_faults, "its last byte").faulting(),
        case!(a_write_to_a_page_to_be_read_faults, "its first byte").faulting(),
        case!(a_read_of_a_page_without_access_faults, "its last byte").faulting(),
        case!(a_write_to_a_readable_guard_faults, "its first byte").faulting(),
        case!(a_write_before_a_moved_memory_faults, "by one byte").faulting(),
        case!(a_write_behind_a_moved_memory_faults, "by one byte").faulting(),
        case!(a_write_before_a_reused_memory_faults, "by one byte").faulting(),
        case!(a_write_behind_a_reused_memory_faults, "by one byte").faulting(),
        case!(
            a_write_behind_a_reset_memory_faults,
            "where data was before"
        )
        .faulting(),
        case!(a_write_before_a_reallocated_memory_faults, "by one byte").faulting(),
        case!(a_write_behind_a_reallocated_memory_faults, "by one byte").faulting(),
        case!(
            a_write_to_a_moved_read_only_page_faults,
            "its protection moved along"
        )
        .faulting(),
    ]
}

#[derive(Clone, Copy)]
enum Access {
    Read,
    Write,
}

/// Touches the byte at `offset` from the base. Comes back only with a failure.
#[track_caller]
fn touch<P: Subject>(subject: &P, memory: &Memory<P>, offset: isize, access: Access) -> Verdict {
    let Some(base) = memory.base() else {
        return Err(Failure::here("there is a memory", 0, 0));
    };
    let byte = base.as_ptr().wrapping_offset(offset);
    subject.about_to_fault(byte.addr());
    let found = match access {
        // SAFETY: none: this access must fault, which is what the runner looks for.
        Access::Read => unsafe { byte.read_volatile() },
        Access::Write => {
            // SAFETY: none: this access must fault, which is what the runner looks for.
            unsafe { byte.write_volatile(1) };
            1
        }
    };
    Err(Failure::here(
        "this access faults",
        u64::from(found),
        u64::MAX,
    ))
}

/// A memory of two pages that cannot grow, with the guard right behind the data.
fn full<P: Subject>(subject: &P) -> Result<Memory<P>, Failure> {
    let mut memory = build(subject, moving(subject))?;
    memory.allocate(2, Some(2))?;
    ends_can_be_written(&mut memory)?;
    Ok(memory)
}

/// A memory of one page with room for four.
fn roomy<P: Subject>(subject: &P) -> Result<Memory<P>, Failure> {
    let mut memory = build(subject, builder(subject))?;
    memory.allocate(1, None)?;
    ends_can_be_written(&mut memory)?;
    Ok(memory)
}

/// A memory that moved, with the guard right behind the data.
fn moved<P: Subject>(subject: &P) -> Result<Memory<P>, Failure> {
    grown(subject, GrowthPolicy::MoveWhenFull)
}

fn grown<P: Subject>(subject: &P, policy: GrowthPolicy) -> Result<Memory<P>, Failure> {
    let mut memory = build(subject, moving(subject).with_growth_policy(policy))?;
    memory.allocate(1, Some(4))?;
    memory.grow(1, 3)?;
    ends_can_be_written(&mut memory)?;
    Ok(memory)
}

/// A memory in a region that was larger before.
fn reused<P: Subject>(subject: &P) -> Result<Memory<P>, Failure> {
    let mut memory = build(subject, builder(subject))?;
    memory.allocate_with_capacity(4 * PAGE, None, 4 * PAGE)?;
    fill_all(&mut memory, 1)?;
    memory.free()?;
    memory.allocate_with_capacity(PAGE, None, 4 * PAGE)?;
    if !memory.statistics().from_cache {
        return Err(Failure::here("the region is reused", 0, 0));
    }
    ends_can_be_written(&mut memory)?;
    Ok(memory)
}

/// The ends of the data itself must be there, or a fault would prove nothing.
fn ends_can_be_written(memory: &mut impl PageAllocator) -> Verdict {
    let last = memory.size() - 1;
    for offset in [0, last] {
        bytes_mut(memory, offset..offset + 1)?.fill(1);
    }
    Ok(())
}

fn a_read_before_the_base_faults<P: Subject>(subject: &P) -> Verdict {
    touch(subject, &full(subject)?, -1, Access::Read)
}

fn a_write_before_the_base_faults<P: Subject>(subject: &P) -> Verdict {
    touch(subject, &full(subject)?, -1, Access::Write)
}

fn a_read_at_the_start_of_the_guard_before_faults<P: Subject>(subject: &P) -> Verdict {
    touch(
        subject,
        &full(subject)?,
        -signed(host_page(subject)),
        Access::Read,
    )
}

fn a_read_behind_the_data_faults<P: Subject>(subject: &P) -> Verdict {
    touch(subject, &full(subject)?, signed(2 * PAGE), Access::Read)
}

fn a_write_behind_the_data_faults<P: Subject>(subject: &P) -> Verdict {
    touch(subject, &full(subject)?, signed(2 * PAGE), Access::Write)
}

fn a_read_at_the_end_of_the_guard_after_faults<P: Subject>(subject: &P) -> Verdict {
    let last = 2 * PAGE + host_page(subject) - 1;
    touch(subject, &full(subject)?, signed(last), Access::Read)
}

fn a_read_of_the_room_faults<P: Subject>(subject: &P) -> Verdict {
    touch(subject, &roomy(subject)?, signed(PAGE), Access::Read)
}

fn a_write_of_the_room_faults<P: Subject>(subject: &P) -> Verdict {
    touch(subject, &roomy(subject)?, signed(PAGE), Access::Write)
}

fn a_write_at_the_end_of_the_room_faults<P: Subject>(subject: &P) -> Verdict {
    let memory = roomy(subject)?;
    let last = memory.capacity() - 1;
    touch(subject, &memory, signed(last), Access::Write)
}

fn a_write_to_a_page_to_be_read_faults<P: Subject>(subject: &P) -> Verdict {
    let mut memory = full(subject)?;
    memory.protect(PAGE, PAGE, Protection::Read)?;
    touch(subject, &memory, signed(PAGE), Access::Write)
}

fn a_read_of_a_page_without_access_faults<P: Subject>(subject: &P) -> Verdict {
    let mut memory = full(subject)?;
    memory.protect(0, PAGE, Protection::None)?;
    touch(subject, &memory, signed(PAGE - 1), Access::Read)
}

fn a_write_to_a_readable_guard_faults<P: Subject>(subject: &P) -> Verdict {
    let builder = moving(subject).with_guard_protection(Protection::Read);
    let mut memory = build(subject, builder)?;
    memory.allocate(1, Some(1))?;
    ends_can_be_written(&mut memory)?;
    touch(subject, &memory, signed(PAGE), Access::Write)
}

fn a_write_before_a_moved_memory_faults<P: Subject>(subject: &P) -> Verdict {
    touch(subject, &moved(subject)?, -1, Access::Write)
}

fn a_write_behind_a_moved_memory_faults<P: Subject>(subject: &P) -> Verdict {
    touch(subject, &moved(subject)?, signed(4 * PAGE), Access::Write)
}

fn a_write_before_a_reused_memory_faults<P: Subject>(subject: &P) -> Verdict {
    touch(subject, &reused(subject)?, -1, Access::Write)
}

fn a_write_behind_a_reused_memory_faults<P: Subject>(subject: &P) -> Verdict {
    touch(subject, &reused(subject)?, signed(PAGE), Access::Write)
}

fn a_write_behind_a_reset_memory_faults<P: Subject>(subject: &P) -> Verdict {
    let mut memory = roomy(subject)?;
    memory.grow(1, 3)?;
    fill_all(&mut memory, 1)?;
    memory.reset()?;
    ends_can_be_written(&mut memory)?;
    touch(subject, &memory, signed(PAGE), Access::Write)
}

fn a_write_before_a_reallocated_memory_faults<P: Subject>(subject: &P) -> Verdict {
    touch(
        subject,
        &grown(subject, GrowthPolicy::Reallocate)?,
        -1,
        Access::Write,
    )
}

fn a_write_behind_a_reallocated_memory_faults<P: Subject>(subject: &P) -> Verdict {
    let memory = grown(subject, GrowthPolicy::Reallocate)?;
    touch(subject, &memory, signed(4 * PAGE), Access::Write)
}

fn a_write_to_a_moved_read_only_page_faults<P: Subject>(subject: &P) -> Verdict {
    let mut memory = full(subject)?;
    memory.free()?;
    memory.allocate(2, None)?;
    memory.protect(PAGE, PAGE, Protection::Read)?;
    memory.grow(2, 5)?;
    touch(subject, &memory, signed(PAGE), Access::Write)
}
