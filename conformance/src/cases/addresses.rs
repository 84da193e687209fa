//! Which part of a memory an address falls in: what a handler of faults asks.

use wasm_arena::{PageAllocator, RegionPart};

use crate::case::case;
use crate::failure::{ensure, ensure_eq};
use crate::support::{PAGE, build, builder, facts};
use crate::{Case, Subject, Verdict};

pub(super) fn cases<P: Subject>() -> [Case<P>; 3] {
    [
        case!(
            every_part_of_a_region_is_described,
            "guards, data, room, outside"
        ),
        case!(
            arenas_tell_whose_address_it_is,
            "by the number of the memory"
        ),
        case!(a_memory_that_ended_has_no_addresses, "kept or given back"),
    ]
}

fn every_part_of_a_region_is_described<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    let (base, size) = memory.allocate(1, Some(3))?;
    let base = base.addr().get();
    let capacity = memory.capacity();
    let (before, after) = (
        memory.statistics().guard_before_bytes,
        memory.statistics().guard_after_bytes,
    );
    let part = |address| memory.describe_address(address);
    for offset in [0, 1, size / 2, size - 1] {
        ensure!(
            part(base + offset) == Some(RegionPart::Data { offset }),
            "data"
        );
    }
    for offset in [size, capacity - 1] {
        ensure!(
            part(base + offset) == Some(RegionPart::RoomToGrow { offset }),
            "room"
        );
    }
    if facts(subject).pages.can_protect {
        for before_base in [1, before] {
            let expected = Some(RegionPart::GuardBefore { before_base });
            ensure!(part(base - before_base) == expected, "the guard before");
        }
        for offset in [capacity, capacity + after - 1] {
            let expected = Some(RegionPart::GuardAfter { offset });
            ensure!(part(base + offset) == expected, "the guard after");
        }
    }
    ensure!(part(base - before - 1).is_none(), "before the region");
    ensure!(part(base + capacity + after).is_none(), "after the region");
    ensure!(
        part(0).is_none() && part(usize::MAX).is_none(),
        "nowhere near it"
    );
    memory.grow(1, 1)?;
    let offset = 2 * PAGE - 1;
    ensure!(
        memory.describe_address(base + offset) == Some(RegionPart::Data { offset }),
        "room becomes data"
    );
    Ok(())
}

fn arenas_tell_whose_address_it_is<P: Subject>(subject: &P) -> Verdict {
    let builder = builder(subject);
    let arenas = builder.build_arenas_over(subject.system())?;
    let make = || builder.clone().build_in(&arenas);
    let mut memories = [make()?, make()?, make()?];
    for memory in &mut memories {
        memory.allocate(1, None)?;
    }
    for round in 0..2 {
        for memory in &memories {
            let (base, size) = (memory.base(), memory.size());
            let last = base.map_or(0, |base| base.addr().get()) + size - 1;
            let found = arenas.describe_address(last)?;
            ensure_eq!(
                found.map(|found| found.memory.get()),
                memory.id().map(wasm_arena::MemoryId::get),
                "the memory it belongs to"
            );
            ensure!(
                found.map(|found| found.part) == Some(RegionPart::Data { offset: size - 1 }),
                "its last byte"
            );
        }
        if round == 0 {
            memories[1].grow(1, 9)?;
            memories[2].grow(1, 1)?;
        }
    }
    Ok(())
}

fn a_memory_that_ended_has_no_addresses<P: Subject>(subject: &P) -> Verdict {
    for blocks in [4, 0] {
        let builder = builder(subject).with_arena_cache_max_blocks(blocks);
        let mut memory = build(subject, builder)?;
        let (base, _) = memory.allocate(1, None)?;
        let address = base.addr().get();
        ensure!(
            memory.arenas().describe_address(address)?.is_some(),
            "alive"
        );
        memory.free()?;
        ensure!(memory.describe_address(address).is_none(), "ended");
        ensure!(
            memory.arenas().describe_address(address)?.is_none(),
            "ended"
        );
        ensure!(memory.id().is_none(), "without a number");
    }
    Ok(())
}
