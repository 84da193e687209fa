//! CRC-32C by the processor's own instructions, where it has them.
//!
//! | processor | asked | checksum | shift |
//! |---|---|---|---|
//! | x86-64 with AVX-512 and VPCLMULQDQ | at run time | 1 KiB and more: products of 512 bits (`wide`) | as below |
//! | x86-64 with SSE 4.2 and PCLMULQDQ | at run time | the instruction, in three lanes | the product |
//! | AArch64 compiled with `-C target-feature=+crc` | when compiled | the instruction, in three lanes | the product with `+aes`, else by steps |
//! | all others | | tables, in [`checksum`](super::checksum) | by steps |
//!
//! On AArch64 nothing asks at run time: the register that tells can be read by an operating system
//! alone, and each has a way of its own to pass it on.
//!
//! Where there is no instruction the functions here answer `None`, or give the run back.

#[cfg(any(
    all(target_arch = "x86_64", target_feature = "sse2"),
    all(
        target_arch = "aarch64",
        target_feature = "crc",
        target_feature = "aes",
        target_endian = "little"
    )
))]
mod corrected;

#[cfg(all(
    target_arch = "aarch64",
    target_feature = "crc",
    target_endian = "little"
))]
#[path = "hardware/aarch64.rs"]
mod platform;
#[cfg(not(any(
    all(target_arch = "x86_64", target_feature = "sse2"),
    all(
        target_arch = "aarch64",
        target_feature = "crc",
        target_endian = "little"
    )
)))]
#[path = "hardware/none.rs"]
mod platform;
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
#[path = "hardware/x86_64.rs"]
mod platform;

#[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
#[path = "hardware/not_wide.rs"]
pub(super) mod wide;
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
pub(super) mod wide;

pub(super) use platform::{shift, sum};

/// Goes through a run in three lanes side by side, and joins their states: the instruction takes a
/// word every cycle, but the next word of the same state has to wait for it. `step` is the
/// instruction, in numbers as wide as it takes, `shift` as in [`checksum`](super::checksum); runs
/// shorter than `least` words are not worth the joining.
#[cfg(any(
    all(target_arch = "x86_64", target_feature = "sse2"),
    all(
        target_arch = "aarch64",
        target_feature = "crc",
        target_endian = "little"
    )
))]
#[inline(always)]
fn in_lanes<State, R>(
    state: State,
    run: R,
    least: usize,
    step: impl Fn(State, usize) -> State,
    shift: impl Fn(State, usize) -> State,
) -> State
where
    State: Copy + Default + core::ops::BitXor<Output = State>,
    R: super::run::Run,
{
    let mut state = state;
    let mut rest = run;
    if rest.len() >= least {
        let lane = rest.len() / 3;
        let (first, others) = rest.split_at(lane);
        let (second, others) = others.split_at(lane);
        let (third, tail) = others.split_at(lane);
        let (mut middle, mut last) = (State::default(), State::default());
        for ((a, b), c) in first.words().zip(second.words()).zip(third.words()) {
            state = step(state, a);
            middle = step(middle, b);
            last = step(last, c);
        }
        let bytes = lane * super::checksum::WORD;
        state = shift(shift(state, bytes) ^ middle, bytes) ^ last;
        rest = tail;
    }
    rest.words().fold(state, step)
}
