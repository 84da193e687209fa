//! Makes instructions that were written as data visible to instruction fetches.

use core::ptr::NonNull;

/// Whether this module knows how, for the processor compiled for.
pub(crate) const KNOWN: bool = cfg!(any(
    target_arch = "x86_64",
    target_arch = "x86",
    target_arch = "aarch64"
));

/// After it returns, every thread of the inner shareable domain that executes a context-synchronising
/// event (a thread that enters the code for the first time by a return from the kernel, or the caller)
/// fetches what was written.
///
/// x86 keeps instructions and data coherent by itself. On AArch64 the data cache is cleaned and the
/// instruction cache invalidated, line by line, to the point of unification (Arm Architecture
/// Reference Manual, B2.7.4 "Ordering of instruction fetches"). The instructions are allowed outside
/// the kernel only where the kernel allows them, as those of general use do: compilers' own
/// `__clear_cache` relies on it. Cost: two instructions for each cache line.
#[cfg_attr(
    not(target_arch = "aarch64"),
    allow(
        clippy::missing_const_for_fn,
        unused_variables,
        reason = "nothing to do"
    )
)]
pub(crate) fn make_visible(start: NonNull<u8>, len: usize) {
    #[cfg(target_arch = "aarch64")]
    aarch64::make_visible(start.addr().get(), len);
}

#[cfg(target_arch = "aarch64")]
mod aarch64 {
    use core::arch::asm;

    /// Bytes of the smallest data-cache and instruction-cache lines: fields `DminLine` and `IminLine`
    /// of `CTR_EL0`, as the logarithm of a number of words.
    fn line_sizes() -> (usize, usize) {
        let register: usize;
        // SAFETY: reads a register that says what the caches are.
        unsafe { asm!("mrs {}, ctr_el0", out(reg) register, options(nomem, nostack)) };
        (4 << ((register >> 16) & 15), 4 << (register & 15))
    }

    pub(super) fn make_visible(start: usize, len: usize) {
        let (data, instructions) = line_sizes();
        let end = start + len;
        for line in (start - start % data..end).step_by(data) {
            // SAFETY: cleans a line that holds memory of the caller; contents stay.
            unsafe { asm!("dc cvau, {}", in(reg) line, options(nostack)) };
        }
        // SAFETY: a barrier.
        unsafe { asm!("dsb ish", options(nostack)) };
        for line in (start - start % instructions..end).step_by(instructions) {
            // SAFETY: instructions of this line are fetched anew.
            unsafe { asm!("ic ivau, {}", in(reg) line, options(nostack)) };
        }
        // SAFETY: barriers.
        unsafe { asm!("dsb ish", "isb", options(nostack)) };
    }
}
