//! The checksum instruction in three lanes side by side: it takes a word every cycle, but the next word
//! of the same state has to wait for it.
//!
//! ```text
//!   one run        |  first third  | second third |  last third  |tail|   joined at the end
//!   many blocks    |    block 0    |    block 1   |    block 2   | ...    nothing to join
//! ```
//!
//! `step` is the instruction, in numbers as wide as it takes.
#![forbid(unsafe_code)]

use core::ops::BitXor;

use super::super::checksum::{START, WORD};
use super::super::run::Run;

/// Carries three states over three runs of the same length.
#[inline(always)]
fn side_by_side<State: Copy, R: Run>(
    mut states: [State; 3],
    [first, second, third]: [R; 3],
    step: &impl Fn(State, usize) -> State,
) -> [State; 3] {
    for ((a, b), c) in first.words().zip(second.words()).zip(third.words()) {
        states = [step(states[0], a), step(states[1], b), step(states[2], c)];
    }
    states
}

/// The first three times `words` words, and the rest.
#[inline(always)]
fn cut<R: Run>(run: R, words: usize) -> ([R; 3], R) {
    let (first, rest) = run.split_at(words);
    let (second, rest) = rest.split_at(words);
    let (third, rest) = rest.split_at(words);
    ([first, second, third], rest)
}

/// The state after a run. `shift` moves a state on by so many bytes; runs shorter than `least` words
/// are not worth the joining.
#[inline(always)]
pub(super) fn sum<State, R: Run>(
    mut state: State,
    mut run: R,
    least: usize,
    step: impl Fn(State, usize) -> State,
    shift: impl Fn(State, usize) -> State,
) -> State
where
    State: Copy + Default + BitXor<Output = State>,
{
    if run.len() >= least {
        let words = run.len() / 3;
        let (lanes, tail) = cut(run, words);
        let starts = [state, State::default(), State::default()];
        let [first, second, third] = side_by_side(starts, lanes, &step);
        let bytes = words * WORD;
        state = shift(shift(first, bytes) ^ second, bytes) ^ third;
        run = tail;
    }
    run.words().fold(state, step)
}

/// Tells `each` state of a run of whole blocks of so many words, in turn.
#[inline(always)]
pub(super) fn sum_blocks<State, R: Run>(
    mut run: R,
    words: usize,
    step: impl Fn(State, usize) -> State,
    mut each: impl FnMut(State),
) where
    State: Copy + From<u32>,
{
    let start = State::from(START);
    while run.len() >= 3 * words {
        let (blocks, rest) = cut(run, words);
        side_by_side([start; 3], blocks, &step)
            .into_iter()
            .for_each(&mut each);
        run = rest;
    }
    while run.len() != 0 {
        let (block, rest) = run.split_at(words);
        each(block.words().fold(start, &step));
        run = rest;
    }
}
