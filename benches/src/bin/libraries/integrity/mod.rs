//! `integrity`: checked writes and reads, beside plain copies and beside what one would write first.

mod memories;

use benches::{Aim, Case, Contender, Group, Measured, Report, Setting, Spread, race};
use wasm_arena::VerificationLevel;

use memories::{BLOCK, KIB, Parts, Plain, Sum, crc_fast, reading, texts, writing};

pub(crate) const GROUP: Group = Group {
    name: "integrity",
    notes: &[
        "an operation: one write or one read, at places in turn within the first 64 KiB, or at two \
         places if it is longer than half of that; every write changes every byte",
        "memory of 32 MiB in 4 KiB blocks, unless a name says otherwise",
        "crc32c, crc-fast: memcpy, then the crate's CRC-32C of the bytes; a read compares",
        "whole block: memcpy, then crc-fast over every block touched; a read compares",
        "checked: what was written last is read back after each batch",
    ],
    run,
};

const SIZES: [(usize, &str); 5] = [
    (8, "8 B"),
    (64, "64 B"),
    (4 * KIB, "4 KiB"),
    (64 * KIB, "64 KiB"),
    (16 << 20, "16 MiB"),
];

const MEMCPY: &str = "memcpy";
const SUMMED: [&str; 2] = ["memcpy, crc32c", "memcpy, crc-fast"];
const STANDARD: &str = "wasm-arena, standard";
/// The same level with other blocks: 256 bytes, and what the default table has for 32 MiB.
const FINE: &str = "wasm-arena, standard, 256 B blocks";
const COARSE: &str = "wasm-arena, standard, 128 KiB blocks";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Write,
    Read,
}

fn run(setting: Setting, report: &mut Report) -> Result<(), String> {
    for direction in [Direction::Write, Direction::Read] {
        for (len, size) in SIZES {
            let measured = measure(direction, len, setting)?;
            let name = match direction {
                Direction::Write => format!("write, {size}"),
                Direction::Read => format!("read, {size}"),
            };
            report.cases.push(Case::new(&name, MEMCPY, &measured)?);
            if direction == Direction::Write {
                report.aims.extend(aims(len, &name, &measured));
            }
        }
    }
    Ok(())
}

fn measure(direction: Direction, len: usize, setting: Setting) -> Result<Vec<Measured>, String> {
    let texts = texts(len);
    let mut plain = [
        (MEMCPY, Plain::new(Sum::None, len)),
        (SUMMED[0], Plain::new(Sum::Written(crc32c::crc32c), len)),
        (SUMMED[1], Plain::new(Sum::Written(crc_fast), len)),
        ("memcpy, whole block", Plain::new(Sum::Blocks, len)),
    ];
    let mut parts: Vec<(String, VerificationLevel, Parts)> = VerificationLevel::ALL
        .into_iter()
        .map(|level| (format!("wasm-arena, {level}"), level, Parts::new(BLOCK)))
        .collect();
    for (name, block) in [(FINE, 256), (COARSE, 128 * KIB)] {
        let level = VerificationLevel::Standard;
        parts.push((name.to_owned(), level, Parts::new(block)));
    }
    let mut ours = Vec::new();
    for (name, level, parts) in &mut parts {
        ours.push((name.as_str(), parts.ops(*level)?));
    }
    let mut contenders: Vec<Contender<'_>> = Vec::new();
    for (name, memory) in &mut plain {
        contenders.push(match direction {
            Direction::Write => writing(name, memory, &texts),
            Direction::Read => reading(name, memory, &texts)?,
        });
    }
    for (name, memory) in &mut ours {
        contenders.push(match direction {
            Direction::Write => writing(name, memory, &texts),
            Direction::Read => reading(name, memory, &texts)?,
        });
    }
    race(&mut contenders, setting.effort)
}

fn aims(len: usize, case: &str, measured: &[Measured]) -> Vec<Aim> {
    let find = |name: &str| measured.iter().find(|one| one.name == name);
    let fastest = SUMMED
        .into_iter()
        .filter_map(find)
        .min_by(|a, b| a.time().median.total_cmp(&b.time().median));
    let mut aims = Vec::new();
    for name in [STANDARD, FINE, COARSE] {
        let (Some(ours), Some(peer)) = (find(name), fastest) else {
            continue;
        };
        if len == 8 {
            aims.push(time(format!("{case}: {name}"), ours.time()).at_most(40.0));
        } else {
            let what = format!("{case}: {name}, to {}", peer.name);
            let aim = Aim::ratio(what, ours.ratio(peer));
            aims.push(if len >= 4 * KIB {
                aim.at_most(1.2)
            } else {
                aim
            });
        }
    }
    aims
}

fn time(name: String, time: Spread) -> Aim {
    Aim {
        quartiles: Some((time.lower, time.upper)),
        ..Aim::figure(name, time.median, "ns")
    }
}
