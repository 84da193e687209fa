//! Adaptive partitions: `SchedCtl`, on the versions that have it.
//!
//! Which layout of the structs is used, and whether the scheduler is asked at all, is decided when
//! the program is compiled; so a case needs both the target and the version in force to have
//! partitions, or neither.
#![forbid(unsafe_code)]

use core::ffi::CStr;

use conformance::{Failure, Verdict};
use os::QnxVersion;
use os::partition::{
    Partition, PartitionChange, PartitionError, PartitionRequest, SchedulerInformation,
};

use super::LibcCase;
use super::support::{Bench, Calls, ensure, ensure_same, failure, named, switch};
use crate::bench::{self, Switch};

pub(super) fn cases() -> impl Iterator<Item = LibcCase> {
    let partitioned = |version: Option<QnxVersion>| {
        matches!(version, Some(QnxVersion::Sdp70 | QnxVersion::Sdp71))
    };
    let target = partitioned(QnxVersion::of_this_target());
    let with = [
        named!(
            partitions_are_made_found_joined_and_asked,
            "each is one call"
        ),
        named!(partitions_divide_what_their_parent_has, "and give it back"),
        named!(a_partition_refused_says_why, "one number, several meanings"),
        named!(
            no_more_partitions_are_made_than_there_can_be,
            "32 with System"
        ),
        named!(without_the_module_there_are_none, "the boot image lacks it"),
    ];
    let without = [named!(
        a_version_without_partitions_says_so_without_a_call,
        "SDP 8.0"
    )];
    let in_force = partitioned(bench::version());
    with.into_iter()
        .filter(move |_| target && in_force)
        .chain(without.into_iter().filter(move |_| !target))
}

/// A refusal by the scheduler that was not expected; its message is lost, its kind is not.
#[track_caller]
fn unexpected(error: PartitionError) -> Failure {
    let number = match error {
        PartitionError::Refused(errno) => u64::from(errno.0.unsigned_abs()),
        _ => 0,
    };
    failure("the scheduler refuses nothing here", number, 1)
}

/// Fails unless the result is this refusal.
#[track_caller]
fn ensure_refused<T>(result: Result<T, PartitionError>, expected: PartitionError) -> Verdict {
    match result {
        Err(error) if error == expected => Ok(()),
        Err(error) => Err(unexpected(error)),
        Ok(_) => Err(failure("the scheduler refuses this", 0, 1)),
    }
}

#[track_caller]
fn made(name: &CStr, percent: u16) -> Result<Partition, Failure> {
    PartitionRequest::new(name, percent)
        .create()
        .map_err(unexpected)
}

fn partitions_are_made_found_joined_and_asked(_: &Bench) -> Verdict {
    let before = Calls::now();
    let scheduler = SchedulerInformation::read().map_err(unexpected)?;
    ensure_same!(scheduler.partitions, 1, "System is there");
    ensure_same!(scheduler.max_partitions, 32, "and 31 more can be");
    ensure_same!(scheduler.window_milliseconds, 100, "the default window");
    let guests = PartitionRequest {
        parent: Some(Partition::SYSTEM),
        max_budget_percent: 50,
        critical_budget_milliseconds: 10,
        critical_priority: 42,
        ..PartitionRequest::new(c"guests", 20)
    };
    let guests = guests.create().map_err(unexpected)?;
    ensure!(guests != Partition::SYSTEM, "it is another one");
    let found = Partition::look_up(c"guests").map_err(unexpected)?;
    ensure!(found == guests, "it is found by its name");
    let system = Partition::look_up(c"System").map_err(unexpected)?;
    ensure!(system == Partition::SYSTEM, "and so is System");
    let told = guests.information().map_err(unexpected)?;
    ensure!(told.name_text() == Some("guests"), "its name");
    ensure!(told.parent == Partition::SYSTEM, "its parent");
    ensure_same!(told.budget_percent, 20, "its share");
    ensure_same!(told.max_budget_percent, 50, "its bound");
    ensure_same!(told.critical_priority, 42, "its priority");
    ensure_same!(
        told.critical_budget_cycles,
        10 * scheduler.cycles_per_millisecond,
        "its critical time"
    );
    ensure!(told.last_bankrupt.is_none(), "nobody made it bankrupt");
    let times = guests.statistics().map_err(unexpected)?;
    ensure!(!times.is_bankrupt && !times.was_bankrupt, "nor is it");
    guests.join().map_err(unexpected)?;
    guests.join_process(0).map_err(unexpected)?;
    guests.join_thread(0, 1).map_err(unexpected)?;
    ensure_same!(before.since("SchedCtl"), 9, "each is one call");
    ensure_same!(before.total_since(), 9, "of the scheduler");
    Ok(())
}

fn partitions_divide_what_their_parent_has(_: &Bench) -> Verdict {
    let share = |partition: Partition| -> Result<u16, Failure> {
        let told = partition.information().map_err(unexpected)?;
        Ok(told.budget_percent)
    };
    let guests = made(c"guests", 40)?;
    ensure_same!(share(Partition::SYSTEM)?, 60, "System has less");
    let inner = PartitionRequest {
        parent: Some(guests),
        ..PartitionRequest::new(c"inner", 30)
    };
    let inner = inner.create().map_err(unexpected)?;
    ensure_same!(share(guests)?, 10, "a child takes from its parent");
    ensure_same!(share(Partition::SYSTEM)?, 60, "and from nobody else");
    inner.set_budget_percent(5).map_err(unexpected)?;
    ensure_same!(share(guests)?, 35, "and gives back");
    let change = PartitionChange {
        max_budget_percent: Some(70),
        critical_budget_milliseconds: Some(3),
        ..PartitionChange::default()
    };
    inner.modify(&change).map_err(unexpected)?;
    let told = inner.information().map_err(unexpected)?;
    ensure_same!(told.max_budget_percent, 70, "what is named changes");
    ensure_same!(told.budget_percent, 5, "and what is not does not");
    ensure_refused(inner.set_budget_percent(60), PartitionError::NoBudgetLeft)?;
    ensure_same!(share(inner)?, 5, "a refusal changes nothing");
    Ok(())
}

fn a_partition_refused_says_why(_: &Bench) -> Verdict {
    made(c"guests", 20)?;
    let missing = Partition::from_id(9);
    let nobody = PartitionError::NoSuchPartition { id: 9 };
    ensure_refused(
        PartitionRequest::new(c"guests", 1).create(),
        PartitionError::Exists,
    )?;
    ensure_refused(
        PartitionRequest::new(c"greedy", 81).create(),
        PartitionError::NoBudgetLeft,
    )?;
    ensure_refused(Partition::look_up(c"nobody"), PartitionError::NoSuchName)?;
    ensure_refused(missing.join(), nobody)?;
    ensure_refused(missing.information(), nobody)?;
    ensure_refused(missing.statistics(), nobody)?;
    ensure_refused(
        Partition::SYSTEM.join_thread(0, 99),
        PartitionError::NoSuchThread {
            process: 0,
            thread: 99,
        },
    )?;
    // What is found before the call is refused without one.
    let before = Calls::now();
    ensure_refused(
        PartitionRequest::new(c"a-name-too-long-", 1).create(),
        PartitionError::NameTooLong {
            bytes: 16,
            limit: 15,
        },
    )?;
    ensure_refused(
        PartitionRequest::new(c"much", 101).create(),
        PartitionError::InvalidBudget { percent: 101 },
    )?;
    ensure_same!(before.total_since(), 0, "no call is made");
    // EACCES, which is how the stand-in refuses: a scheduler that is secured.
    super::support::refuse("SchedCtl", 1)?;
    ensure_refused(missing.join(), PartitionError::NotPermitted)
}

fn no_more_partitions_are_made_than_there_can_be(_: &Bench) -> Verdict {
    let mut name = *b"guest-00\0";
    for index in 1..32_u8 {
        name[6] = b'0' + index / 10;
        name[7] = b'0' + index % 10;
        let name = CStr::from_bytes_with_nul(&name).unwrap_or(c"");
        made(name, 1)?;
    }
    ensure_refused(
        PartitionRequest::new(c"one-too-many", 1).create(),
        PartitionError::NoSpace { limit: 32 },
    )?;
    let scheduler = SchedulerInformation::read().map_err(unexpected)?;
    ensure_same!(scheduler.partitions, 32, "all exist");
    Ok(())
}

fn without_the_module_there_are_none(_: &Bench) -> Verdict {
    switch(Switch::ApsModule, 0)?;
    ensure_refused_everywhere()
}

fn a_version_without_partitions_says_so_without_a_call(_: &Bench) -> Verdict {
    let before = Calls::now();
    ensure_refused_everywhere()?;
    ensure_same!(before.total_since(), 0, "no call is made");
    Ok(())
}

fn ensure_refused_everywhere() -> Verdict {
    let none = PartitionError::Unsupported;
    ensure_refused(PartitionRequest::new(c"guests", 20).create(), none)?;
    ensure_refused(Partition::look_up(c"System"), none)?;
    ensure_refused(Partition::SYSTEM.join(), none)?;
    ensure_refused(Partition::SYSTEM.join_process(0), none)?;
    ensure_refused(Partition::SYSTEM.information(), none)?;
    ensure_refused(Partition::SYSTEM.statistics(), none)?;
    ensure_refused(Partition::SYSTEM.set_budget_percent(50), none)?;
    ensure_refused(SchedulerInformation::read(), none)
}
