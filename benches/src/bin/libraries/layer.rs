//! `layer`: what our layer adds to the calls of the operating system when nothing kept fits, and
//! what those calls take that make memory zero again.

mod cleaning;

use core::ptr::NonNull;

use benches::{Aim, Case, Contender, Group, Report, Setting, race, timed};
use os::{Counted, OsPages, PageSource};
use wasm_arena::{
    AllocatorBuilder, ArenaSystem, GrowthRoom, MappedPages, PageAllocator, WASM_PAGE_SIZE,
};

pub(crate) const GROUP: Group = Group {
    name: "layer",
    notes: &[
        "an operation: a memory of one page with room for another and a guard page on both sides is \
         made, its first byte is written, and it is given back; nothing is kept",
        "raw: the same calls of the operating system by hand: reserve, open, unmap",
        "own: calls of the operating system, counted by `os::Counted`; as many as the kernel saw",
        "checked: the first byte is zero before",
        "one page of 1 MiB: written, then made zero in each of the ways that are certain; the memory lies \
         as large regions do, with the first 128 KiB at the end of a page table",
    ],
    run,
};

const RAW: &str = "raw calls";
const OURS: &str = "wasm-arena";

fn run(setting: Setting, report: &mut Report) -> Result<(), String> {
    let raw = Counted::new(OsPages::new());
    let page = raw.facts().page_size.get();
    let builder = AllocatorBuilder::<MappedPages<Counted<OsPages>>>::new()
        .with_growth_room(GrowthRoom::Bytes(WASM_PAGE_SIZE));
    let arenas = builder
        .build_arenas_over(MappedPages::new(Counted::new(OsPages::new())))
        .map_err(|error| error.to_string())?;
    let mut allocator = builder
        .build_in(&arenas)
        .map_err(|error| error.to_string())?;
    let calls = |source: &Counted<OsPages>| source.call_counts().unwrap_or_default().total() as u64;
    let mut contenders = [
        Contender::new(RAW, |times| timed(times, || cycle_by_hand(&raw, page)))
            .counting(|| calls(&raw)),
        Contender::new(OURS, |times| {
            timed(times, || {
                let (base, _) = allocator
                    .allocate(1, Some(2))
                    .map_err(|error| error.to_string())?;
                // SAFETY: the memory just allocated, which nobody else knows.
                unsafe { write_first(base) }?;
                allocator.free().map_err(|error| error.to_string())
            })
        })
        .counting(|| calls(arenas.system().source())),
    ];
    let measured = race(&mut contenders, setting.effort)?;
    drop(contenders);
    report
        .cases
        .push(Case::new("cold memory of one page", RAW, &measured)?);
    if let [raw, ours] = &measured[..] {
        let ratio = ours.ratio(raw);
        let aim = Aim::ratio("cold memory: wasm-arena to raw calls", ratio).at_most(1.05);
        report.aims.push(aim);
        if ours.calls != raw.calls {
            return Err(format!("{:?} calls, {:?} by hand", ours.calls, raw.calls));
        }
    }
    // The cycle calls nobody but the page source, so both must count the same.
    for one in &measured {
        let seen = one.system_calls.as_ref();
        if seen.is_some_and(|seen| Some(seen.total()) != one.calls) {
            return Err(format!(
                "{}: the kernel saw {seen:?}, `os::Counted` {:?}",
                one.name, one.calls
            ));
        }
    }
    cleaning::run(setting, report)
}

/// Writes the first byte of a memory, which must be zero.
///
/// # Safety
/// `base` is the start of at least one byte that can be read and written, and is the caller's alone.
unsafe fn write_first(base: NonNull<u8>) -> Result<(), String> {
    // SAFETY: the caller's promise.
    let before = unsafe { base.read_volatile() };
    // SAFETY: likewise.
    unsafe { base.write_volatile(1) };
    if before == 0 {
        Ok(())
    } else {
        Err(format!("a fresh memory held {before}"))
    }
}

fn cycle_by_hand(pages: &Counted<OsPages>, page: usize) -> Result<(), String> {
    let told = |error: os::OsError| error.to_string();
    let len = 2 * WASM_PAGE_SIZE + 2 * page;
    let run = pages.reserve(len).map_err(told)?;
    // SAFETY: within the run that was just reserved.
    let base = unsafe { run.add(page) };
    // SAFETY: one Wasm page inside the run, which is ours and not open yet.
    unsafe { pages.commit(base, WASM_PAGE_SIZE) }.map_err(told)?;
    // SAFETY: the page just opened, which nobody else knows.
    unsafe { write_first(base) }?;
    // SAFETY: exactly the run reserved above, not used again.
    unsafe { pages.unmap(run, len) }.map_err(told)
}
