//! The table of variables, their values, and what becomes of them.
#![forbid(unsafe_code)]

use super::*;
use crate::FreeOrder;

const PAGE: usize = 4096;
const LIMIT: u64 = i32::MAX as u64;

fn read(pairs: &[(&str, &'static str)]) -> (HeapConfig, EnvironmentReport) {
    HeapConfig::DEFAULT.with_environment(PageSize::new(PAGE).unwrap(), |name| {
        pairs
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| *value)
    })
}

#[test]
fn variables_stand_in_the_order_of_evaluation() {
    for (index, variable) in Variable::ALL.into_iter().enumerate() {
        assert_eq!(variable as usize, index);
    }
    let mut asked = [""; 10];
    let mut count = 0;
    HeapConfig::DEFAULT.with_environment(PageSize::new(PAGE).unwrap(), |name| {
        asked[count] = Variable::ALL
            .iter()
            .find(|v| v.name() == name)
            .unwrap()
            .name();
        count += 1;
        None
    });
    assert_eq!(asked, Variable::ALL.map(Variable::name));
}

#[test]
fn nothing_set_changes_nothing() {
    let (config, report) = read(&[]);
    assert_eq!(config, HeapConfig::DEFAULT);
    assert!(report.is_clean() && report.iter().all(|(_, outcome)| outcome == Outcome::Unset));
}

#[test]
fn values_and_what_becomes_of_them() {
    use Outcome::{Accepted, NoChange, Refused, Unsupported};
    let range = |value, minimum, maximum| {
        Refused(Refusal::OutOfRange {
            value,
            minimum,
            maximum,
        })
    };
    let junk = |at| Refused(Refusal::NotANumber { at });
    let arena = |value| range(value, 4096, 262_144);
    for (name, text, expected) in [
        ("MALLOC_ARENA_SIZE", "4096", Accepted { value: 4096 }),
        ("MALLOC_ARENA_SIZE", "262144", Accepted { value: 262_144 }),
        ("MALLOC_ARENA_SIZE", "5000", Accepted { value: 8192 }),
        ("MALLOC_ARENA_SIZE", "262145", arena(262_145)),
        ("MALLOC_ARENA_SIZE", "4095", arena(4095)),
        ("MALLOC_ARENA_SIZE", "-1", arena(-1)),
        ("MALLOC_ARENA_SIZE", "64K", junk(2)),
        ("MALLOC_ARENA_SIZE", "", junk(0)),
        ("MALLOC_ARENA_SIZE", "-", junk(1)),
        ("MALLOC_ARENA_SIZE", " 8192", junk(0)),
        ("MALLOC_ARENA_SIZE", "99999999999999999999", arena(i64::MAX)),
        ("MALLOC_ARENA_CACHE_MAXBLK", "8", Accepted { value: 8 }),
        ("MALLOC_ARENA_CACHE_MAXBLK", "0", NoChange),
        ("MALLOC_ARENA_CACHE_MAXBLK", "-3", range(-3, 0, LIMIT)),
        (
            "MALLOC_ARENA_CACHE_MAXBLK",
            "2147483648",
            range(1 << 31, 0, LIMIT),
        ),
        (
            "MALLOC_ARENA_CACHE_MAXSZ",
            "400000",
            Accepted { value: 400_000 },
        ),
        ("MALLOC_ARENA_CACHE_MAXSZ", "0", NoChange),
        ("MALLOC_ARENA_CACHE_MAXSZ", "x", junk(0)),
        ("MALLOC_MEMORY_HOLD", "1", Accepted { value: 1 }),
        ("MALLOC_MEMORY_HOLD", "7", Accepted { value: 1 }),
        ("MALLOC_MEMORY_HOLD", "0", NoChange),
        ("MALLOC_MEMORY_HOLD", "yes", junk(0)),
        ("MALLOC_FREE_LIFO", "", Accepted { value: 1 }),
        ("MALLOC_FREE_LIFO", "0", Accepted { value: 1 }),
        (
            "MALLOC_MEMORY_PREALLOCATE",
            "100000",
            Accepted { value: 100_000 },
        ),
        ("MALLOC_MEMORY_PREALLOCATE", "0", Accepted { value: 0 }),
        (
            "MALLOC_BAND_CONFIG_STR",
            "2:32,8,0:64,8,0",
            Accepted { value: 2 },
        ),
        (
            "MALLOC_BAND_CONFIG_STR",
            "2:32,8,0",
            Refused(Refusal::Bands(BandError::SeparatorExpected {
                separator: ':',
                at: 8,
            })),
        ),
        ("MALLOC_MMAP_NOZERO", "1", Unsupported),
        ("MALLOC_MEMORY_BANDCONFIG", "1", Unsupported),
        ("MALLOC_OPTIONS", "vr", NoChange),
        ("MALLOC_OPTIONS", "vR", Unsupported),
        (
            "MALLOC_OPTIONS",
            "x",
            Refused(Refusal::UnknownOption { letter: 'x' }),
        ),
    ] {
        let (config, report) = read(&[(name, text)]);
        let variable = Variable::ALL
            .into_iter()
            .find(|v| v.name() == name)
            .unwrap();
        assert_eq!(report.outcome(variable), expected, "{name}={text}");
        let changed = matches!(expected, Accepted { value } if value != 0);
        assert_eq!(config != HeapConfig::DEFAULT, changed, "{name}={text}");
        assert_eq!(config.validate(PageSize::new(PAGE).unwrap()), Ok(()));
        assert_eq!(
            report.is_clean(),
            !matches!(expected, Refused(_) | Unsupported)
        );
    }
}

#[test]
fn every_accepted_value_reaches_the_configuration() {
    let (config, report) = read(&[
        ("MALLOC_ARENA_SIZE", "65536"),
        ("MALLOC_MEMORY_PREALLOCATE", "131072"),
        ("MALLOC_FREE_LIFO", "1"),
        ("MALLOC_ARENA_CACHE_MAXSZ", "1000000"),
        ("MALLOC_ARENA_CACHE_MAXBLK", "3"),
        ("MALLOC_BAND_CONFIG_STR", "1:48,8,4"),
    ]);
    let expected = HeapConfig {
        arena_size: 65536,
        preallocate: 131_072,
        free_order: FreeOrder::Lifo,
        cache_max_bytes: 1_000_000,
        cache_max_blocks: 3,
        bands: BandConfig::parse("1:48,8,4").unwrap(),
        ..HeapConfig::DEFAULT
    };
    assert_eq!(config, expected);
    assert!(report.is_clean());
}

#[test]
fn a_limit_evaluated_after_hold_takes_its_own_back() {
    let (config, _) = read(&[
        ("MALLOC_MEMORY_HOLD", "1"),
        ("MALLOC_ARENA_CACHE_MAXBLK", "3"),
    ]);
    assert_eq!(
        (config.hold, config.cache_max_blocks, config.cache_max_bytes),
        (false, 3, 0)
    );
    let (config, _) = read(&[
        ("MALLOC_MEMORY_HOLD", "1"),
        ("MALLOC_ARENA_CACHE_MAXSZ", "9"),
    ]);
    let unlimited = usize::MAX;
    let found = (config.hold, config.cache_max_blocks, config.cache_max_bytes);
    assert_eq!(found, (false, unlimited, 9));
    let (config, _) = read(&[("MALLOC_MEMORY_HOLD", "1")]);
    assert!(config.hold);
}

#[test]
fn the_report_names_variables_and_limits() {
    extern crate alloc;
    use alloc::string::ToString;
    let (_, report) = read(&[("MALLOC_ARENA_SIZE", "1"), ("MALLOC_MMAP_NOZERO", "1")]);
    let text = report.to_string();
    assert!(
        text.contains("MALLOC_MMAP_NOZERO: not supported\n"),
        "{text}"
    );
    let refused = "MALLOC_ARENA_SIZE: refused: 1 is not within 4096 to 262144\n";
    assert!(text.contains(refused), "{text}");
}
