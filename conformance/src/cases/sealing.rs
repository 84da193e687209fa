//! Sealed arenas and memories ask nothing of the platform; locked ones stay resident.

use os::Protection;
use wasm_arena::{AllocError, ConfigOption, Outcome, PageAllocator, RoomAccess};

use crate::case::case;
use crate::failure::{ensure, ensure_eq, ensure_refused};
use crate::support::{
    PAGE, build, builder, ensure_all_zero, ensure_guarded, ensure_pattern, facts, fill_all,
    host_page,
};
use crate::{Case, Failure, Subject, Verdict};

pub(super) fn cases<P: Subject>() -> [Case<P>; 6] {
    [
        case!(
            sealed_arenas_serve_from_what_they_keep,
            "and refuse what needs a call"
        ),
        case!(a_sealed_memory_grows_in_open_room, "and no further"),
        case!(
            a_sealed_memory_changes_no_protection,
            "protect, reset, free: Sealed"
        ),
        case!(
            unsealed_arenas_return_to_their_limits,
            "what was kept beyond them goes"
        ),
        case!(
            a_locked_memory_is_locked_and_unlocked,
            "all its data, and nothing else"
        )
        .observed(),
        case!(locking_works_or_is_reported, "the outcome fits the facts"),
    ]
}

fn sealed_arenas_serve_from_what_they_keep<P: Subject>(subject: &P) -> Verdict {
    let builder = builder(subject);
    let arenas = builder.build_arenas_over(subject.system())?;
    let mut first = builder.clone().build_in(&arenas)?;
    let mut second = builder.clone().build_in(&arenas)?;
    first.allocate(1, Some(1))?;
    first.free()?;
    arenas.seal();
    ensure!(arenas.is_sealed(), "sealed");
    let calls = subject.observer().map(crate::Observer::calls);
    for _ in 0..10 {
        first.allocate(1, Some(1))?;
        ensure_all_zero(&first)?;
        fill_all(&mut first, 1)?;
        ensure_refused!(
            second.allocate(1, Some(1)),
            AllocError::Sealed { .. },
            "a fresh region needs a call"
        );
        ensure_refused!(
            arenas.trim(),
            AllocError::Sealed { .. },
            "so does giving back"
        );
        first.free()?;
    }
    ensure_eq!(
        subject.observer().map(crate::Observer::calls),
        calls,
        "nobody is asked while sealed"
    );
    arenas.unseal();
    second.allocate(1, Some(1))?;
    first.allocate(1, Some(1))?;
    Ok(())
}

fn a_sealed_memory_grows_in_open_room<P: Subject>(subject: &P) -> Verdict {
    let builder = builder(subject).with_room_access(RoomAccess::Open);
    let mut memory = build(subject, builder)?;
    let (base, _) = memory.allocate(1, None)?;
    memory.seal();
    let calls = subject.observer().map(crate::Observer::calls);
    ensure_eq!(memory.grow(1, 4)?, base, "in place");
    ensure_all_zero(&memory)?;
    fill_all(&mut memory, 2)?;
    ensure_refused!(
        memory.grow(5, 1),
        AllocError::Sealed { .. },
        "a move needs a call"
    );
    ensure_pattern(&memory, 0..5 * PAGE, 2)?;
    ensure_eq!(
        subject.observer().map(crate::Observer::calls),
        calls,
        "nobody is asked while sealed"
    );
    memory.unseal();
    memory.grow(5, 1)?;
    ensure_pattern(&memory, 0..5 * PAGE, 2)
}

fn a_sealed_memory_changes_no_protection<P: Subject>(subject: &P) -> Verdict {
    if !facts(subject).pages.can_protect {
        return Ok(());
    }
    let page = host_page(subject);
    let mut memory = build(subject, builder(subject))?;
    memory.allocate(1, None)?;
    fill_all(&mut memory, 3)?;
    memory.protect(0, page, Protection::Read)?;
    memory.seal();
    ensure_refused!(memory.grow(1, 1), AllocError::Sealed { .. }, "closed room");
    ensure_refused!(
        memory.protect(0, page, Protection::None),
        AllocError::Sealed { .. },
        "protect"
    );
    ensure_refused!(memory.reset(), AllocError::Sealed { .. }, "reset");
    ensure_refused!(memory.free(), AllocError::Sealed { .. }, "free");
    ensure_eq!(memory.size(), PAGE, "the memory is still there");
    ensure_pattern(&memory, 0..PAGE, 3)?;
    memory.unseal();
    ensure_guarded(subject, &memory)?;
    memory.free()?;
    Ok(())
}

fn unsealed_arenas_return_to_their_limits<P: Subject>(subject: &P) -> Verdict {
    let builder = builder(subject).with_arena_cache_max_blocks(1);
    let arenas = builder.build_arenas_over(subject.system())?;
    let make = || builder.clone().build_in(&arenas);
    let mut memories = [make()?, make()?, make()?];
    for memory in &mut memories {
        memory.allocate(1, Some(1))?;
    }
    arenas.seal();
    for memory in &mut memories {
        memory.free()?;
    }
    ensure_eq!(
        arenas.statistics().cached_regions,
        3,
        "giving back needs a call"
    );
    arenas.unseal();
    ensure_eq!(arenas.statistics().cached_regions, 1, "now the limit holds");
    Ok(())
}

fn a_locked_memory_is_locked_and_unlocked<P: Subject>(subject: &P) -> Verdict {
    let Some(observer) = subject.observer() else {
        return Ok(());
    };
    if !facts(subject).pages.can_lock {
        return Ok(());
    }
    let before = observer.locked_bytes();
    for room_access in [RoomAccess::Guarded, RoomAccess::Open] {
        let builder = builder(subject)
            .with_room_access(room_access)
            .with_lock_in_memory(true);
        let mut memory = build(subject, builder)?;
        for _ in 0..2 {
            memory.allocate(1, None)?;
            ensure_locked(
                observer.locked_bytes() - before,
                memory.size(),
                memory.capacity(),
            )?;
            memory.grow(1, 2)?;
            ensure_locked(
                observer.locked_bytes() - before,
                memory.size(),
                memory.capacity(),
            )?;
            ensure_all_zero(&memory)?;
            fill_all(&mut memory, 4)?;
            memory.free()?;
        }
        memory.allocate(1, None)?;
        memory.grow(1, 8)?;
        ensure_eq!(memory.statistics().moves, 1, "it moved");
        ensure_all_zero(&memory)?;
        memory.free()?;
        memory.arenas().trim()?;
        ensure_eq!(observer.locked_bytes(), before, "nothing stays locked");
    }
    Ok(())
}

/// Fails unless the data is locked, and nothing beyond the capacity.
fn ensure_locked(locked: usize, size: usize, capacity: usize) -> Verdict {
    if (size..=capacity).contains(&locked) {
        return Ok(());
    }
    Err(Failure::here(
        "the data is locked",
        locked as u64,
        size as u64,
    ))
}

fn locking_works_or_is_reported<P: Subject>(subject: &P) -> Verdict {
    let builder = builder(subject).with_lock_in_memory(true);
    let mut memory = build(subject, builder)?;
    let can_lock = facts(subject).pages.can_lock;
    let outcome = memory
        .effective_configuration()
        .get(ConfigOption::LockInMemory)
        .map(|known| known.outcome);
    ensure_eq!(
        outcome == Some(Outcome::Applied),
        can_lock,
        "as the facts say"
    );
    memory.allocate(1, None)?;
    memory.grow(1, 1)?;
    fill_all(&mut memory, 5)?;
    memory.free()?;
    Ok(())
}
