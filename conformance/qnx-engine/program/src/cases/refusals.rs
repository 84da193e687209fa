//! What happens when QNX's C library says no, and what is left behind: seen by the stand-in.
#![forbid(unsafe_code)]

use alloc::format;
use alloc::string::String;

use conformance::Observer;
use qnx_guests::cases::{Verdict, ensure};
use qnx_guests::watch;
use qnx_program::bench::{self, StandIn, Switch};
use wasm_arena::WASM_PAGE_SIZE;

use super::steps::Steps;
use super::{Case, told};
use crate::PLATFORM;
use crate::code::{Code, STEPS};
use crate::embedding::Embedding;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "pages-of-code-execute-and-cannot-be-written",
        run: protections,
    },
    Case {
        name: "each-refused-call-is-an-error-and-nothing-is-lost",
        run: each_refused,
    },
    Case {
        name: "a-growth-without-memory-is-minus-one",
        run: no_memory,
    },
    Case {
        name: "a-refused-unmapping-is-counted",
        run: refused_unmapping,
    },
];

fn protections(code: Code) -> Verdict {
    // qnx-facts §6.1: read and execute, and read.
    let expected = match code {
        Code::Native => 0x500,
        Code::Pulley => 0x100,
    };
    let embedding = Embedding::new(code).map_err(told)?;
    let module = embedding.module(&STEPS, code).map_err(told)?;
    let text = module.text();
    for address in [text.as_ptr().addr(), text.as_ptr().addr() + text.len() - 1] {
        let bits = bench::protection_bits(address);
        ensure!(bits == expected, "{address:#x} has protection {bits:#x}");
    }
    Ok(())
}

/// An engine, a module, an instance that grows twice and traps once, and their end.
fn whole_life(code: Code) -> Result<(), String> {
    let embedding = Embedding::new(code).map_err(told)?;
    let mut steps = Steps::new(&embedding, code).map_err(told)?;
    steps.call::<_, ()>("fill", 1).map_err(told)?;
    for grown in [1, 8] {
        let before = steps.call::<_, i32>("grow", grown).map_err(told)?;
        let sum = steps.call::<_, i64>("sum", ()).map_err(told)?;
        // Refused or not, every byte is where it was.
        assert_eq!(sum, 65_536, "a growth by {grown} lost bytes");
        if before < 0 {
            let refusal = embedding.memories.records()[0].last_refusal;
            return Err(format!("grow: {refusal:?}"));
        }
    }
    assert!(steps.call::<_, i32>("load", i32::MAX).is_err());
    drop(steps);
    // What is kept goes back while somebody counts what does not.
    embedding
        .arenas
        .trim()
        .map_err(|error| format!("trim: {error}"))?;
    let unreturned = embedding.arenas.statistics().unreturned;
    if unreturned.regions > 0 {
        return Err(format!("{}: {unreturned:?}", watch::COUNTED));
    }
    Ok(())
}

fn each_refused(code: Code) -> Verdict {
    let kinds = ["mmap", "mprotect", "posix_memalign", "mallopt"];
    watch::each_refused(&kinds, || whole_life(code))
}

fn no_memory(code: Code) -> Verdict {
    let embedding = Embedding::new(code).map_err(told)?;
    let mut steps = Steps::new(&embedding, code).map_err(told)?;
    steps.call::<_, ()>("fill", 3).map_err(told)?;
    let limit = StandIn.held_bytes() + 4 * WASM_PAGE_SIZE;
    ensure!(
        bench::switch(Switch::MemoryLimit, isize::try_from(limit).unwrap_or(0)),
        "no limit of {limit} bytes"
    );
    let refused = steps.call::<_, i32>("grow", 30).map_err(told)?;
    ensure!(refused == -1, "30 pages of 4: {refused}");
    let refusal = embedding.memories.records()[0].last_refusal;
    ensure!(refusal.is_some(), "the host is not told why");
    let sum = steps.call::<_, i64>("sum", ()).map_err(told)?;
    ensure!(sum == 3 * 65_536, "the refused growth cost bytes: {sum}");
    ensure!(bench::switch(Switch::MemoryLimit, 0), "no end of the limit");
    let before = steps.call::<_, i32>("grow", 30).map_err(told)?;
    ensure!(before == 1, "with memory again: {before}");
    Ok(())
}

fn refused_unmapping(code: Code) -> Verdict {
    let before = PLATFORM.unreturned_bytes();
    {
        let embedding = Embedding::new(code).map_err(told)?;
        let module = embedding.module(&STEPS, code).map_err(told)?;
        ensure!(bench::refuse_nth_of("munmap", 1), "no munmap");
        drop(module);
        let lost = PLATFORM.unreturned_bytes() - before;
        ensure!(lost >= STEPS.code(code).len(), "{lost} bytes are counted");
        let refusal = PLATFORM.last_refusal();
        ensure!(
            refusal.is_some_and(|error| error.len == lost),
            "the last refusal is {refusal:?}"
        );
        ensure!(
            StandIn.held_bytes() >= lost,
            "{lost} bytes are counted that are not held"
        );
    }
    // They are held until the process ends.
    bench::start_anew();
    Ok(())
}
