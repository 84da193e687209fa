//! A fixed memory against a plain model, and against callers that break the rules.

mod common;

use core::mem::MaybeUninit;
use core::ptr::NonNull;

use common::{at, bytes, fill};
use os::{FixedMemory, OsCall, PageSize, PageSource, Reason};

const PAGE: usize = 64;

/// A small generator of pseudo-random numbers; the same numbers on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

/// What the model knows of a run: for each page the byte it is filled with, if committed.
struct Run {
    address: NonNull<u8>,
    pages: Vec<Option<u8>>,
}

/// Everything the model knows.
struct Model {
    first: usize,
    capacity: usize,
    runs: Vec<Run>,
}

impl Model {
    /// For each page whether it belongs to a run.
    fn used_pages(&self) -> Vec<bool> {
        let mut used = vec![false; self.capacity];
        for run in &self.runs {
            let start = (run.address.addr().get() - self.first) / PAGE;
            for page in &mut used[start..start + run.pages.len()] {
                assert!(!*page, "runs overlap");
                *page = true;
            }
        }
        used
    }

    /// The first hole that is long enough, and the longest.
    fn holes(&self, count: usize) -> (Option<usize>, usize) {
        let used = self.used_pages();
        let (mut first_fit, mut longest, mut length) = (None, 0, 0);
        for (page, in_use) in used.into_iter().enumerate() {
            length = if in_use { 0 } else { length + 1 };
            if length == count && first_fit.is_none() {
                first_fit = Some(page + 1 - count);
            }
            longest = longest.max(length);
        }
        (first_fit, longest)
    }

    fn check(&self, source: &FixedMemory<'_>) {
        let used = self.used_pages().iter().filter(|page| **page).count();
        assert_eq!(source.free_bytes(), (self.capacity - used) * PAGE);
        assert_eq!(source.longest_free_run(), self.holes(1).1 * PAGE);
        for run in &self.runs {
            let committed = run.pages.iter().flatten().count();
            let len = run.pages.len() * PAGE;
            assert_eq!(source.resident(run.address, len).unwrap(), committed * PAGE);
            for (index, value) in run.pages.iter().enumerate() {
                if let Some(value) = value {
                    let found = bytes(at(run.address, index * PAGE), PAGE);
                    assert!(
                        found.iter().all(|byte| byte == value),
                        "page {index} of a run"
                    );
                }
            }
        }
    }
}

#[test]
fn random_programs_do_what_the_model_does() {
    for seed in 1..=8 {
        let mut array = vec![MaybeUninit::new(0xEE_u8); 200 * PAGE];
        let source = FixedMemory::new(&mut array, PageSize::new(PAGE).unwrap()).unwrap();
        let probe = source.reserve(PAGE).unwrap();
        // SAFETY: exactly the run reserved above, not used again.
        unsafe { source.unmap(probe, PAGE) }.unwrap();
        let first = probe.addr().get();
        let mut model = Model {
            first,
            capacity: source.capacity() / PAGE,
            runs: Vec::new(),
        };
        let mut random = Random(0x9E37_79B9_7F4A_7C15 ^ (seed << 32));
        for step in 0..4000 {
            one_step(&source, &mut model, &mut random);
            if step % 16 == 0 {
                model.check(&source);
            }
        }
        for run in model.runs.drain(..) {
            // SAFETY: exactly a live run, not used again.
            unsafe { source.unmap(run.address, run.pages.len() * PAGE) }.unwrap();
        }
        assert_eq!(source.longest_free_run(), source.capacity());
    }
}

fn one_step(source: &FixedMemory<'_>, model: &mut Model, random: &mut Random) {
    let action = random.below(9);
    if action < 3 || model.runs.is_empty() {
        let most = if random.below(10) == 0 { 150 } else { 24 };
        let count = 1 + random.below(most);
        let mapped = action == 0;
        let (call, result) = if mapped {
            (OsCall::Map, source.map(count * PAGE))
        } else {
            (OsCall::Reserve, source.reserve(count * PAGE))
        };
        match (result, model.holes(count)) {
            (Ok(address), (Some(page), _)) => {
                assert_eq!(
                    address.addr().get(),
                    model.first + page * PAGE,
                    "not the first fit"
                );
                let pages = vec![mapped.then_some(0); count];
                model.runs.push(Run { address, pages });
            }
            (Err(error), (None, longest)) => {
                assert_eq!((error.call, error.len), (call, count * PAGE));
                assert_eq!(
                    error.reason,
                    Reason::OutOfPages {
                        longest_free: longest * PAGE
                    }
                );
            }
            (result, holes) => panic!("{count} pages: {result:?}, but the model says {holes:?}"),
        }
        return;
    }
    let index = random.below(model.runs.len());
    if action == 3 {
        let run = model.runs.swap_remove(index);
        // SAFETY: exactly a live run, not used again.
        return unsafe { source.unmap(run.address, run.pages.len() * PAGE) }.unwrap();
    }
    let run = &mut model.runs[index];
    let start = random.below(run.pages.len());
    let count = 1 + random.below(run.pages.len() - start);
    let range = start..start + count;
    let address = at(run.address, start * PAGE);
    match action {
        4 | 5 => {
            // SAFETY: inside a live run.
            unsafe { source.commit(address, count * PAGE) }.unwrap();
            for page in &mut run.pages[range] {
                *page = page.or(Some(0));
            }
        }
        6 => {
            // SAFETY: inside a live run, contents given up.
            unsafe { source.decommit(address, count * PAGE) }.unwrap();
            run.pages[range].fill(None);
        }
        _ if run.pages[range.clone()].iter().all(Option::is_some) => {
            let value = if action == 7 {
                // SAFETY: inside a live run, committed, contents given up.
                unsafe { source.discard(address, count * PAGE) }.unwrap();
                0
            } else {
                let value = u8::try_from(1 + random.below(255)).unwrap();
                fill(address, count * PAGE, value);
                value
            };
            run.pages[range].fill(Some(value));
        }
        _ => {}
    }
}

#[test]
fn what_is_no_run_is_found_and_nothing_changes() {
    let mut array = vec![MaybeUninit::uninit(); 64 * PAGE];
    let source = FixedMemory::new(&mut array, PageSize::new(PAGE).unwrap()).unwrap();
    let first = source.map(4 * PAGE).unwrap();
    let second = source.map(3 * PAGE).unwrap();
    assert_eq!(second, at(first, 4 * PAGE), "the runs of this test touch");
    let free = source.free_bytes();
    let capacity = source.capacity();

    let wrong = [
        (first, 3 * PAGE),            // too short
        (first, 7 * PAGE),            // two runs
        (at(first, PAGE), 3 * PAGE),  // the tail of a run
        (second, 4 * PAGE),           // beyond the run
        (at(second, 3 * PAGE), PAGE), // free pages
        (first, capacity + PAGE),     // beyond the memory
        (first, usize::MAX & !(PAGE - 1)),
    ];
    for (address, len) in wrong {
        // SAFETY: breaks the rule on purpose; this source keeps books and refuses.
        let error = unsafe { source.unmap(address, len) }.unwrap_err();
        assert_eq!((error.call, error.reason), (OsCall::Unmap, Reason::NotARun));
    }
    let outside = NonNull::from_ref(&PAGE).cast::<u8>();
    let aligned = NonNull::new(outside.as_ptr().map_addr(|at| at & !(PAGE - 1))).unwrap();
    assert_eq!(
        source.resident(aligned, PAGE).unwrap_err().reason,
        Reason::NotARun
    );
    assert_eq!(
        source.resident(first, 5 * PAGE).unwrap_err().reason,
        Reason::NotARun
    );
    // SAFETY: breaks the rule on purpose; the range crosses from one run into another.
    let crossing = unsafe { source.commit(at(first, 3 * PAGE), 2 * PAGE) };
    assert_eq!(crossing.unwrap_err().reason, Reason::NotARun);
    assert_eq!(source.free_bytes(), free);

    // SAFETY: exactly a live run, not used again.
    unsafe { source.unmap(first, 4 * PAGE) }.unwrap();
    // SAFETY: breaks the rule on purpose: unmapped twice.
    let again = unsafe { source.unmap(first, 4 * PAGE) };
    assert_eq!(again.unwrap_err().reason, Reason::NotARun);
    // SAFETY: exactly a live run, not used again.
    unsafe { source.unmap(second, 3 * PAGE) }.unwrap();
    assert_eq!(source.free_bytes(), capacity);
}

#[test]
fn threads_never_get_overlapping_runs() {
    let mut array = vec![MaybeUninit::uninit(); 300 * PAGE];
    let source = FixedMemory::new(&mut array, PageSize::new(PAGE).unwrap()).unwrap();
    std::thread::scope(|scope| {
        for tag in 1..=4_u8 {
            let source = &source;
            scope.spawn(move || {
                let mut random = Random(u64::from(tag) * 0x1234_5678_9ABC_DEF1);
                for _ in 0..2000 {
                    let len = (1 + random.below(16)) * PAGE;
                    let run = source.map(len).unwrap();
                    assert!(bytes(run, len).iter().all(|byte| *byte == 0));
                    fill(run, len, tag);
                    std::thread::yield_now();
                    assert!(bytes(run, len).iter().all(|byte| *byte == tag));
                    // SAFETY: exactly the run mapped above, not used again.
                    unsafe { source.unmap(run, len) }.unwrap();
                }
            });
        }
    });
    assert_eq!(source.free_bytes(), source.capacity());
}
