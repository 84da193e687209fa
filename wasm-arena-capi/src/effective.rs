//! What became of the options that were asked for.
#![forbid(unsafe_code)]

use core::ffi::c_char;

use wasm_arena::{EffectiveConfiguration, EffectiveOption, OptionValue, Outcome, Scope};

use crate::failure::Failure;
use crate::numbers;
use crate::text;

/// In force as asked, or as by default.
pub const WASM_ARENA_OUTCOME_APPLIED: i32 = 0;
/// In force with another value, because the platform takes no other.
pub const WASM_ARENA_OUTCOME_CLAMPED: i32 = 1;
/// In force in part: for the regions kept here, but not in the platform's own heap, say.
pub const WASM_ARENA_OUTCOME_PARTIAL: i32 = 2;
/// It was in force, until another allocator of the same process set another value.
pub const WASM_ARENA_OUTCOME_OVERRULED: i32 = 3;
/// Not in force here.
pub const WASM_ARENA_OUTCOME_UNSUPPORTED: i32 = 4;
/// None of the others.
pub const WASM_ARENA_OUTCOME_UNKNOWN: i32 = 255;

/// The value is a number of bytes.
pub const WASM_ARENA_VALUE_BYTES: i32 = 0;
/// The value is a count.
pub const WASM_ARENA_VALUE_COUNT: i32 = 1;
/// The value is 0 or 1.
pub const WASM_ARENA_VALUE_SWITCH: i32 = 2;
/// The value is a name, and only in words.
pub const WASM_ARENA_VALUE_CHOICE: i32 = 3;

/// The value of an option.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wasm_arena_value_t {
    /// A `WASM_ARENA_VALUE_...`.
    pub kind: i32,
    /// Always 0.
    pub reserved: i32,
    /// Bytes, a count, or 0 or 1; 0 for a name.
    pub number: u64,
    /// The value in words.
    pub text: [c_char; 48],
}

/// What became of one option.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wasm_arena_effective_option_t {
    /// A `WASM_ARENA_OPTION_...`.
    pub option: i32,
    /// A `WASM_ARENA_OUTCOME_...`.
    pub outcome: i32,
    /// 1 if it holds for the whole process, 0 if for these arenas or this memory alone.
    pub process_wide: u32,
    /// 1 if `displaced` says which value of another live allocator this one replaced, else 0.
    pub has_displaced: u32,
    /// What was asked for, or the default.
    pub asked: wasm_arena_value_t,
    /// What is in force.
    pub in_force: wasm_arena_value_t,
    /// See `has_displaced`.
    pub displaced: wasm_arena_value_t,
    /// How that came about, in words: "applied", or why it is not in force as asked.
    pub outcome_text: [c_char; 160],
    /// All of it in words.
    pub text: [c_char; 256],
}

const _: () = assert!(size_of::<wasm_arena_value_t>() == 64);
const _: () = assert!(size_of::<wasm_arena_effective_option_t>() == 624);
const _: () = assert!(core::mem::offset_of!(wasm_arena_effective_option_t, asked) == 16);
const _: () = assert!(core::mem::offset_of!(wasm_arena_effective_option_t, text) == 368);

impl wasm_arena_value_t {
    const NONE: Self = Self {
        kind: WASM_ARENA_VALUE_COUNT,
        reserved: 0,
        number: 0,
        text: [0; 48],
    };
}

impl From<OptionValue> for wasm_arena_value_t {
    fn from(value: OptionValue) -> Self {
        let (kind, number) = match value {
            OptionValue::Bytes(bytes) => (WASM_ARENA_VALUE_BYTES, bytes as u64),
            OptionValue::Count(count) => (WASM_ARENA_VALUE_COUNT, count as u64),
            OptionValue::Switch(on) => (WASM_ARENA_VALUE_SWITCH, u64::from(on)),
            _ => (WASM_ARENA_VALUE_CHOICE, 0),
        };
        let mut result = Self {
            kind,
            number,
            ..Self::NONE
        };
        text::write(&mut result.text, &value);
        result
    }
}

impl From<&EffectiveOption> for wasm_arena_effective_option_t {
    fn from(known: &EffectiveOption) -> Self {
        let mut result = Self {
            option: numbers::option_number(known.option),
            outcome: match known.outcome {
                Outcome::Applied => WASM_ARENA_OUTCOME_APPLIED,
                Outcome::Clamped(_) => WASM_ARENA_OUTCOME_CLAMPED,
                Outcome::Partial(_) => WASM_ARENA_OUTCOME_PARTIAL,
                Outcome::Overruled => WASM_ARENA_OUTCOME_OVERRULED,
                Outcome::Unsupported(_) => WASM_ARENA_OUTCOME_UNSUPPORTED,
                _ => WASM_ARENA_OUTCOME_UNKNOWN,
            },
            process_wide: u32::from(known.scope == Scope::Process),
            has_displaced: u32::from(known.displaced.is_some()),
            asked: known.asked.into(),
            in_force: known.in_force.into(),
            displaced: known.displaced.map_or(wasm_arena_value_t::NONE, Into::into),
            outcome_text: [0; 160],
            text: [0; 256],
        };
        text::write(&mut result.outcome_text, &known.outcome);
        text::write(&mut result.text, known);
        result
    }
}

/// The option with a number from C.
///
/// # Errors
/// There is none, or nothing is known of it.
pub(crate) fn effective_option(
    all: &EffectiveConfiguration,
    number: i32,
) -> Result<wasm_arena_effective_option_t, Failure> {
    let option = numbers::at(&numbers::OPTIONS, number).ok_or(Failure::InvalidArgument {
        argument: "option",
        value: i64::from(number).cast_unsigned(),
    })?;
    let known = all.get(option).ok_or(Failure::NoSuchOption { option })?;
    Ok(known.into())
}
