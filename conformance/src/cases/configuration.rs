//! Settings: checked, and reported one by one.

use os::Protection;
use wasm_arena::{
    AllocError, ConfigOption, EffectiveConfiguration, GrowthPolicy, Outcome, PageAllocator,
    RoomAccess, VerificationLevel,
};

use crate::case::case;
use crate::failure::{ensure, ensure_eq, ensure_refused};
use crate::support::{Builder, PAGE, build, builder, ensure_all_zero, facts, host_page};
use crate::{Case, Failure, Subject, Verdict};

pub(super) fn cases<P: Subject>() -> [Case<P>; 6] {
    [
        case!(
            every_option_asked_for_is_reported_once,
            "asked, in force, outcome"
        ),
        case!(
            an_option_reported_as_applied_is_in_force,
            "and a clamped one is not"
        ),
        case!(
            a_partial_configuration_is_refused_on_demand,
            "PartialConfiguration"
        ),
        case!(
            a_wrong_arena_size_is_no_silent_clamp,
            "an error, or a reported deviation"
        ),
        case!(
            a_refused_configuration_changes_nothing,
            "the old settings stay in force"
        ),
        case!(preallocation_works_or_is_reported, "the outcome fits"),
    ]
}

fn unusual<P: Subject>(subject: &P) -> Builder<P> {
    let page = host_page(subject);
    builder(subject)
        .with_arena_size(64 * 1024)
        .with_arena_cache_max_blocks(5)
        .with_arena_cache_max_size(1 << 20)
        .with_lifo_free(true)
        .with_monotonic_growth(true)
        .with_preallocation(PAGE)
        .with_guard_before(wasm_arena::GuardSize::Bytes(2 * page))
        .with_guard_protection(Protection::Read)
        .with_growth_policy(GrowthPolicy::Reallocate)
        .with_room_access(RoomAccess::Open)
        .with_prefault(true)
        .with_verification_level(VerificationLevel::Critical)
}

fn reports(effective: &EffectiveConfiguration, option: ConfigOption) -> usize {
    let same = effective.iter().filter(|known| known.option == option);
    same.count()
}

fn every_option_asked_for_is_reported_once<P: Subject>(subject: &P) -> Verdict {
    let memory = build(subject, unusual(subject))?;
    let effective = memory.effective_configuration();
    for option in ConfigOption::ALL {
        let found = reports(effective, option);
        ensure_eq!(found, 1, "each option once");
    }
    Ok(())
}

fn an_option_reported_as_applied_is_in_force<P: Subject>(subject: &P) -> Verdict {
    for builder in [builder(subject), unusual(subject)] {
        let memory = build(subject, builder)?;
        for known in memory.effective_configuration().iter() {
            let as_asked = known.asked == known.in_force;
            match known.outcome {
                Outcome::Applied => ensure!(as_asked, "applied means in force as asked"),
                Outcome::Clamped(_) => ensure!(!as_asked, "clamped means another value"),
                _ => {}
            }
        }
    }
    Ok(())
}

fn a_partial_configuration_is_refused_on_demand<P: Subject>(subject: &P) -> Verdict {
    let asked = unusual(subject);
    let deviation = {
        let memory = build(subject, asked.clone())?;
        memory
            .effective_configuration()
            .first_deviation()
            .map(|known| known.option)
    };
    let strict = asked.refuse_partial_configuration(true);
    let built = strict.build_over(subject.system());
    match deviation {
        Some(_) => ensure_refused!(
            built,
            AllocError::PartialConfiguration { option }
                if reports_deviation(subject, option)?,
            "the error names an option that is not in force"
        ),
        None => drop(built?),
    }
    if !facts(subject).reallocates {
        ensure!(deviation.is_some(), "reallocation cannot be had here");
    }
    Ok(())
}

fn reports_deviation<P: Subject>(subject: &P, option: ConfigOption) -> Result<bool, Failure> {
    let memory = build(subject, unusual(subject))?;
    let known = memory.effective_configuration().get(option);
    Ok(known.is_some_and(|known| known.outcome != Outcome::Applied))
}

fn a_wrong_arena_size_is_no_silent_clamp<P: Subject>(subject: &P) -> Verdict {
    for wrong in [0, 1, wasm_arena::MAX_ARENA_SIZE * 2, host_page(subject) + 1] {
        match builder(subject)
            .with_arena_size(wrong)
            .build_over(subject.system())
        {
            Err(
                AllocError::InvalidOption {
                    option: ConfigOption::ArenaSize,
                    ..
                }
                | AllocError::Misaligned { .. },
            ) => {}
            Err(other) => return Err(other.into()),
            Ok(memory) => {
                let outcome = memory
                    .effective_configuration()
                    .get(ConfigOption::ArenaSize)
                    .map(|known| known.outcome);
                ensure!(
                    outcome.is_some_and(|outcome| outcome != Outcome::Applied),
                    "a size that is not in force is reported"
                );
            }
        }
    }
    Ok(())
}

fn a_refused_configuration_changes_nothing<P: Subject>(subject: &P) -> Verdict {
    let arenas = builder(subject).build_arenas_over(subject.system())?;
    let before = arenas.options();
    let mut wrong = before;
    wrong.arena_size = wasm_arena::MAX_ARENA_SIZE + host_page(subject);
    wrong.cache_max_blocks = before.cache_max_blocks + 1;
    if arenas.configure(wrong).is_err() {
        ensure!(arenas.options() == before, "the old settings stay in force");
    } else {
        ensure!(
            arenas.effective_configuration().first_deviation().is_some(),
            "what is not in force is reported"
        );
    }
    let mut memory = builder(subject).build_in(&arenas)?;
    memory.allocate(1, None)?;
    ensure_all_zero(&memory)
}

fn preallocation_works_or_is_reported<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject).with_preallocation(2 * PAGE))?;
    ensure_eq!(
        reports(memory.effective_configuration(), ConfigOption::Preallocate),
        1,
        "it is reported"
    );
    memory.allocate(1, None)?;
    ensure_all_zero(&memory)
}
