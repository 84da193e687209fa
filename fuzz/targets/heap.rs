//! A program of heap operations against the model of `arena-heap`'s own tests.
//!
//! The first byte chooses the source of pages, and whether a call of it fails.
#![no_main]

#[path = "../../arena-heap/tests/support/mod.rs"]
mod support;

use std::mem::MaybeUninit;

use libfuzzer_sys::fuzz_target;
use os::{FailAt, FixedMemory, OsPages, PageSize, PageSource};
use support::{Model, TestHeap};

/// Operations between two looks at the whole heap.
const VERIFY_EVERY: usize = 16;

/// The array of the fixed source: small enough to run out.
const ARRAY_BYTES: usize = 2 << 20;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, program)) = input.split_first() else {
        return;
    };
    let fail_nth = usize::from(choice >> 1);
    if choice & 1 == 0 {
        run(OsPages::new(), fail_nth, program);
    } else {
        let mut array = vec![MaybeUninit::uninit(); ARRAY_BYTES];
        let page_size = PageSize::new(4096).expect("a power of two");
        let source = FixedMemory::new(&mut array, page_size).expect("room for many pages");
        run(source, fail_nth, program);
    }
});

/// Runs the program, then gives everything back: nothing may be left.
fn run<P: PageSource>(source: P, fail_nth: usize, program: &[u8]) {
    let source = FailAt::new(source);
    if fail_nth > 0 {
        source.fail_nth_of(os::OsCall::Map, fail_nth);
    }
    {
        let mut heap = TestHeap::new(&source);
        let mut model = Model::default();
        model.run(&mut heap, program, VERIFY_EVERY);
        model.check_contents();
        model.free_all(&mut heap);
        model.check(&heap);
    }
    assert_eq!((source.live_runs(), source.live_bytes()), (0, 0));
}
