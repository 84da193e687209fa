//! CRC-32C by the processor's own instructions, where it has them.
//!
//! | processor | asked | checksum | shift |
//! |---|---|---|---|
//! | x86-64 with AVX-512 and VPCLMULQDQ | at run time | 512 bytes and more, and whole blocks: products of 512 bits (`wide`) | as below |
//! | x86-64 with SSE 4.2 and PCLMULQDQ | at run time | the instruction, in three lanes (`lanes`) | the product |
//! | AArch64 compiled with `-C target-feature=+crc` | when compiled | the instruction, in three lanes (`lanes`) | the product with `+aes`, else by steps |
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

#[cfg(any(
    all(target_arch = "x86_64", target_feature = "sse2"),
    all(
        target_arch = "aarch64",
        target_feature = "crc",
        target_endian = "little"
    )
))]
mod lanes;

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

pub(super) use platform::{factor, multiply, sum, sum_blocks};
