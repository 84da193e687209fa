//! `heap`: small blocks, beside general-purpose and real-time allocators.

mod footprint;
mod heaps;
mod player;
mod trace;

use core::alloc::GlobalAlloc;
use std::alloc::System;

use arena_heap::{HeapConfig, ShardedArenaHeap, SharedArenaHeap};
use benches::{
    Aim, Case, Contender, Group, Measured, Report, Setting, Spread, on_threads, race, timed,
};
use mimalloc::MiMalloc;
use os::{OsPages, RawLock};
use rlsf::GlobalTlsf;
use talc::source::GlobalAllocSource;
use talc::{TalcCell, TalcLock};

use heaps::{OwnedArena, OwnedRlsf};
use player::Player;
use trace::{Event, Pattern};

pub(crate) use footprint::child;

pub(crate) const GROUP: Group = Group {
    name: "heap",
    notes: &[
        "an operation: one call, either of allocate or of free, from a trace that is the same for \
         all: sizes 16 B to 64 KiB, evenly over the powers of two; phases: small ones up to 512 B",
        "all but those without a lock may be shared between threads; talc takes the lock of \
         arena-heap, and its memory from glibc",
        "arena-heap has 256 MiB beforehand in one piece (preallocate), of which what was never written \
         takes no memory; so has rlsf without a lock, while the one with a lock maps more at the end of \
         the one pool it has, and keeps it; on hold, arena-heap maps arenas of 256 KiB as it needs them, \
         and keeps them; with default settings it keeps 12 arenas of 32 KiB and gives the rest back, \
         which costs a call and page faults",
        "arena-heap, in shards: eight heaps with a lock each, over 4 GiB of reserved address space, and \
         as many bytes beforehand for each of those that threads use",
        "two threads: each plays a trace of its own on the same heap; the mean of their times",
        "footprint: greatest resident size of a process of its own that writes to every host page \
         it gets, less what it had before, over the most bytes alive at once",
        "checked: a mark in every block is still there when it is freed",
    ],
    run,
};

const OURS: &str = "arena-heap";
const OURS_ALONE: &str = "arena-heap, no lock";
const OURS_IN_SHARDS: &str = "arena-heap, in shards";
const OURS_ON_HOLD: &str = "arena-heap, on hold";
const OURS_DEFAULT: &str = "arena-heap, default settings";

/// More than any trace needs at once. What is never written takes no memory.
const BEFOREHAND: usize = 256 << 20;

/// As a program would have it that values time: all its memory in one piece from the start.
const PREALLOCATED: HeapConfig = HeapConfig {
    preallocate: BEFOREHAND,
    ..HeapConfig::DEFAULT
};

/// Keeps what it once had.
const ON_HOLD: HeapConfig = HeapConfig {
    arena_size: HeapConfig::MAX_ARENA_SIZE,
    hold: true,
    ..HeapConfig::DEFAULT
};

/// Ours with a lock.
fn shared(config: HeapConfig) -> Result<SharedArenaHeap<OsPages>, String> {
    let heap = SharedArenaHeap::new(OsPages::new());
    heap.configure(config).map_err(|error| error.to_string())?;
    Ok(heap)
}

/// Ours with a lock for each of eight shards, which have room for twice what they have beforehand.
fn sharded() -> Result<ShardedArenaHeap<OsPages>, String> {
    let shards = ShardedArenaHeap::<OsPages>::SHARDS;
    let heap = ShardedArenaHeap::new(OsPages::new(), shards * 2 * BEFOREHAND);
    heap.configure(PREALLOCATED)
        .map_err(|error| error.to_string())?;
    Ok(heap)
}

fn run(setting: Setting, report: &mut Report) -> Result<(), String> {
    for pattern in Pattern::ALL {
        let events = pattern.events(1);
        let measured = alone(&events, setting)?;
        let case = Case::new(
            &format!("{}, one thread", pattern.name()),
            "rlsf",
            &measured,
        )?;
        report.cases.push(case);
        report.aims.extend(aims_alone(pattern, &measured)?);
    }
    for pattern in [Pattern::Random, Pattern::Phases] {
        let measured = together(pattern, setting)?;
        let case = Case::new(
            &format!("{}, two threads", pattern.name()),
            "rlsf",
            &measured,
        )?;
        report.cases.push(case);
        report.aims.extend(aims_together(pattern, &measured)?);
    }
    footprint::measure(report)
}

/// Plays the whole trace once, so that the heap has what it will need, and then goes on.
fn playing<'h>(name: &str, heap: &'h impl GlobalAlloc, events: &'h [Event]) -> Contender<'h> {
    let mut player = Player::new(heap, events);
    let mut left = events.len();
    Contender::new(name, move |calls| {
        (0..core::mem::take(&mut left)).try_for_each(|_| player.step())?;
        timed(calls, || player.step())
    })
}

fn alone(events: &[Event], setting: Setting) -> Result<Vec<Measured>, String> {
    let arena = shared(PREALLOCATED)?;
    let talc = TalcLock::<RawLock, _>::new(GlobalAllocSource::new(System));
    let rlsf: GlobalTlsf = GlobalTlsf::new();
    let arena_alone = OwnedArena::new(PREALLOCATED)?;
    let talc_alone = TalcCell::new(GlobalAllocSource::new(System));
    let rlsf_alone = OwnedRlsf::new(BEFOREHAND);
    let arena_in_shards = sharded()?;
    let arena_on_hold = shared(ON_HOLD)?;
    let arena_default = shared(HeapConfig::DEFAULT)?;
    let mut contenders = [
        playing(OURS, &arena, events),
        playing("talc", &talc, events),
        playing("rlsf", &rlsf, events),
        playing("glibc", &System, events),
        playing("mimalloc", &MiMalloc, events),
        playing(OURS_ALONE, &arena_alone, events),
        playing("talc, no lock", &talc_alone, events),
        playing("rlsf, no lock", &rlsf_alone, events),
        playing(OURS_IN_SHARDS, &arena_in_shards, events),
        playing(OURS_ON_HOLD, &arena_on_hold, events),
        playing(OURS_DEFAULT, &arena_default, events),
    ];
    race(&mut contenders, setting.effort)
}

fn find<'m>(measured: &'m [Measured], name: &str) -> Result<&'m Measured, String> {
    let found = measured.iter().find(|one| one.name == name);
    found.ok_or_else(|| format!("nobody is called {name}"))
}

fn aims_alone(pattern: Pattern, measured: &[Measured]) -> Result<Vec<Aim>, String> {
    let mut aims = Vec::new();
    for (ours, peers) in [
        (OURS, ["talc", "rlsf"]),
        (OURS_ALONE, ["talc, no lock", "rlsf, no lock"]),
    ] {
        let ours = find(measured, ours)?;
        let [one, other] = [find(measured, peers[0])?, find(measured, peers[1])?];
        let better = if one.time().median < other.time().median {
            one
        } else {
            other
        };
        let what = format!("{}: {} to {}", pattern.name(), ours.name, better.name);
        aims.push(Aim::ratio(what, ours.ratio(better)).at_most(1.0));
    }
    let shards = find(measured, OURS_IN_SHARDS)?.ratio(find(measured, OURS)?);
    let what = format!("{}: {OURS_IN_SHARDS} to {OURS}", pattern.name());
    aims.push(Aim::ratio(what, shards));
    let tails = (find(measured, OURS)?.tail, find(measured, "rlsf")?.tail);
    if let (Some(ours), Some(rlsf)) = tails {
        let what = format!("{}: p99.99 of {OURS} to that of rlsf", pattern.name());
        let ratio = ours.p99_99 / rlsf.p99_99;
        aims.push(Aim::figure(what, ratio, "×").at_most(1.0));
    }
    Ok(aims)
}

fn together(pattern: Pattern, setting: Setting) -> Result<Vec<Measured>, String> {
    let arena_in_shards = sharded()?;
    let arena = shared(PREALLOCATED)?;
    let talc = TalcLock::<RawLock, _>::new(GlobalAllocSource::new(System));
    let rlsf: GlobalTlsf = GlobalTlsf::new();
    let events = pattern.events(1);
    let mut contenders = Vec::new();
    for threads in [1, 2] {
        contenders.extend([
            sharing(OURS_IN_SHARDS, &arena_in_shards, &events, threads),
            sharing(OURS, &arena, &events, threads),
            sharing("talc", &talc, &events, threads),
            sharing("rlsf", &rlsf, &events, threads),
            sharing("glibc", &System, &events, threads),
            sharing("mimalloc", &MiMalloc, &events, threads),
        ]);
    }
    let mut effort = setting.effort.without_tail();
    effort.rounds = effort.rounds.div_ceil(2);
    // Long enough for both threads to run at once nearly all the time.
    effort.batch *= 5;
    race(&mut contenders, effort)
}

fn on(name: &str, threads: usize) -> String {
    match threads {
        1 => name.to_owned(),
        _ => format!("{name}, {threads} threads"),
    }
}

/// The same events on every thread, each with blocks of its own.
fn sharing<'h, H: GlobalAlloc + Sync>(
    name: &str,
    heap: &'h H,
    events: &'h [Event],
    threads: usize,
) -> Contender<'h> {
    Contender::new(on(name, threads), move |calls| {
        on_threads(threads, calls, || {
            let mut player = Player::new(heap, events);
            Ok(move || player.step())
        })
    })
}

/// The aim is that of the heap made for threads; what one lock costs is told beside it.
fn aims_together(pattern: Pattern, measured: &[Measured]) -> Result<[Aim; 2], String> {
    let figure = |name| {
        let ratio: Spread = find(measured, &on(name, 2))?.ratio(find(measured, name)?);
        let what = format!("{}: {name}, two threads to one", pattern.name());
        Ok::<_, String>(Aim::ratio(what, ratio))
    };
    Ok([figure(OURS_IN_SHARDS)?.at_most(1.5), figure(OURS)?])
}
