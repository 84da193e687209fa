//! Random programs on an allocator, in lockstep with a plain model of a memory.
//!
//! A program is a string of bytes, so that a test can draw it from a generator and a fuzzer can
//! search for it. Each step consumes a few bytes; missing bytes read as 0. The model knows nothing
//! of regions, rooms or caches: it is a vector of bytes, a protection per host page, and the rules
//! of the interface.

use wasm_arena::{
    AllocError, Allocator, AllocatorBuilder, ArenaSystem, Arenas, PROTECTED_RANGES_LIMIT,
    PageAllocator, Protection, RegionPart, WASM_PAGE_SIZE,
};

/// Bytes of a program, read one after the other.
struct Tape<'a>(&'a [u8]);

impl Tape<'_> {
    fn next(&mut self, bound: usize) -> usize {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        usize::from(first) % bound
    }

    fn wide(&mut self, bound: usize) -> usize {
        (self.next(256) << 8 | self.next(256)) % bound
    }
}

/// What the memory should be.
struct Model {
    bytes: Vec<u8>,
    initial: usize,
    maximum: Option<usize>,
    protections: Vec<Protection>,
    host_page: usize,
}

impl Model {
    fn new(initial: usize, maximum: Option<usize>, host_page: usize) -> Self {
        Self {
            bytes: vec![0; initial],
            initial,
            maximum,
            protections: vec![Protection::ReadWrite; initial.div_ceil(host_page)],
            host_page,
        }
    }

    fn resize(&mut self, size: usize) {
        self.bytes.resize(size, 0);
        self.protections
            .resize(size.div_ceil(self.host_page), Protection::ReadWrite);
    }

    fn protection(&self, offset: usize) -> Protection {
        self.protections[offset / self.host_page]
    }

    /// Ranges with a protection of their own: what the allocator has to remember.
    fn exceptions(&self) -> usize {
        let mut previous = Protection::ReadWrite;
        self.protections
            .iter()
            .filter(|&&protection| {
                let starts = protection != previous && protection != Protection::ReadWrite;
                previous = protection;
                starts
            })
            .count()
    }
}

/// Runs a program on a memory in `arenas`, and returns how many steps it had.
///
/// # Panics
/// When allocator and model disagree.
pub(crate) fn run<S: ArenaSystem>(
    builder: &AllocatorBuilder<S>,
    arenas: &Arenas<S>,
    program: &[u8],
) -> usize {
    let mut allocator = builder
        .clone()
        .build_in(arenas)
        .expect("the options are legal");
    let facts = arenas.system().facts().pages;
    let host_page = facts.page_size.get();
    let mut model: Option<Model> = None;
    let mut tape = Tape(program);
    let mut steps = 0_usize;
    while !tape.0.is_empty() {
        steps += 1;
        match tape.next(16) {
            0 | 1 => allocate(&mut allocator, &mut model, &mut tape, host_page),
            2..=5 => grow(&mut allocator, &mut model, &mut tape),
            6..=9 => write(&mut allocator, &mut model, &mut tape),
            10 | 11 => protect(&mut allocator, &mut model, &mut tape, facts.can_protect),
            12 => reset(&mut allocator, &mut model),
            13 => free(&mut allocator, &mut model),
            14 => wrong_calls(&mut allocator, &model),
            _ => {
                arenas.trim().expect("nothing is sealed");
            }
        }
        compare(&allocator, model.as_ref(), steps.is_multiple_of(8));
    }
    compare(&allocator, model.as_ref(), true);
    allocator.verify().expect("nothing was damaged");
    steps
}

type Under<'a, S> = Allocator<&'a Arenas<S>>;

fn allocate<S: ArenaSystem>(
    allocator: &mut Under<'_, S>,
    model: &mut Option<Model>,
    tape: &mut Tape<'_>,
    host_page: usize,
) {
    // Mostly Wasm pages; now and then sizes that are multiples of nothing.
    let unit = if tape.next(4) == 0 {
        1009
    } else {
        WASM_PAGE_SIZE
    };
    let initial = tape.next(5) * unit;
    let maximum = match tape.next(4) {
        0 => None,
        extra => Some(initial + (extra - 1) * 3 * unit),
    };
    let result = allocator.allocate_bytes(initial, maximum);
    if let Some(model) = model {
        assert_eq!(
            result,
            Err(AllocError::AlreadyAllocated {
                size: model.bytes.len()
            })
        );
        return;
    }
    let (base, size) = result.expect("there is memory for it");
    assert_eq!(size, initial);
    assert_eq!(base.addr().get() % host_page, 0);
    *model = Some(Model::new(initial, maximum, host_page));
}

fn grow<S: ArenaSystem>(
    allocator: &mut Under<'_, S>,
    model: &mut Option<Model>,
    tape: &mut Tape<'_>,
) {
    let unit = if tape.next(4) == 0 {
        1009
    } else {
        WASM_PAGE_SIZE
    };
    let additional = tape.next(4) * unit;
    let before = allocator.base();
    let result = allocator.grow_bytes(additional);
    let Some(model) = model else {
        assert_eq!(result, Err(AllocError::NotAllocated));
        return;
    };
    let size = model.bytes.len() + additional;
    match model.maximum {
        Some(maximum) if size > maximum && additional > 0 => {
            assert_eq!(
                result,
                Err(AllocError::BeyondMaximum {
                    requested: size as u64,
                    maximum
                })
            );
            assert_eq!(allocator.base(), before);
        }
        _ => {
            assert_eq!(
                Some(result.expect("there is memory for it")),
                allocator.base()
            );
            model.resize(size);
        }
    }
}

fn write<S: ArenaSystem>(
    allocator: &mut Under<'_, S>,
    model: &mut Option<Model>,
    tape: &mut Tape<'_>,
) {
    let Some(model) = model else { return };
    if model.bytes.is_empty() {
        return;
    }
    let offset = tape.wide(65_536) * model.bytes.len() / 65_536;
    let len = tape.wide(5000).min(model.bytes.len() - offset);
    let range = offset..offset + len;
    let expected = range
        .clone()
        .find(|&byte| !model.protection(byte).can_write());
    assert_eq!(allocator.first_refusal(range.clone(), true), expected);
    if expected.is_some() || len == 0 {
        return;
    }
    let value = u8::try_from(tape.next(255) + 1).expect("between 1 and 255");
    model.bytes[range].fill(value);
    let base = allocator.base().expect("there is a memory");
    // SAFETY: the range is inside the size, and writable throughout, as the allocator just said.
    unsafe { base.as_ptr().wrapping_add(offset).write_bytes(value, len) };
}

fn protect<S: ArenaSystem>(
    allocator: &mut Under<'_, S>,
    model: &mut Option<Model>,
    tape: &mut Tape<'_>,
    can_protect: bool,
) {
    let protection = [
        Protection::None,
        Protection::Read,
        Protection::ReadWrite,
        Protection::ReadWriteExecute,
    ][tape.next(4)];
    let pages = model.as_ref().map_or(0, |model| model.protections.len());
    let start = tape.next(256) * (pages + 1) / 256;
    let count = tape.next(16).min(pages - start.min(pages));
    let Some(model) = model else {
        assert_eq!(
            allocator.protect(0, 0, protection),
            Err(AllocError::NotAllocated)
        );
        return;
    };
    let size = model.bytes.len();
    let offset = (start * model.host_page).min(size);
    let len = (count * model.host_page).min(size - offset);
    let result = allocator.protect(offset, len, protection);
    let aligned = offset.is_multiple_of(model.host_page);
    if !aligned {
        assert!(matches!(result, Err(AllocError::Misaligned { .. })));
    } else if protection == Protection::ReadWriteExecute {
        assert_eq!(result, Err(AllocError::WriteAndExecute));
    } else if !can_protect && len > 0 && protection != Protection::ReadWrite {
        assert!(matches!(result, Err(AllocError::Os(_))));
    } else {
        let before = model.protections.clone();
        let changed = start..start + len.div_ceil(model.host_page);
        model.protections[changed].fill(protection);
        if model.exceptions() > PROTECTED_RANGES_LIMIT {
            model.protections = before;
            let limit = PROTECTED_RANGES_LIMIT;
            assert_eq!(result, Err(AllocError::TooManyProtections { limit }));
        } else {
            assert_eq!(result, Ok(()));
        }
    }
}

fn reset<S: ArenaSystem>(allocator: &mut Under<'_, S>, model: &mut Option<Model>) {
    let base = allocator.base();
    let result = allocator.reset();
    match model {
        None => assert_eq!(result, Err(AllocError::NotAllocated)),
        Some(old) => {
            assert_eq!(result, Ok(()));
            assert_eq!(allocator.base(), base, "a reset does not move");
            *old = Model::new(old.initial, old.maximum, old.host_page);
        }
    }
}

fn free<S: ArenaSystem>(allocator: &mut Under<'_, S>, model: &mut Option<Model>) {
    let expected = if model.is_some() {
        Ok(())
    } else {
        Err(AllocError::NotAllocated)
    };
    assert_eq!(allocator.free(), expected);
    *model = None;
}

/// Calls that must be refused, and change nothing.
fn wrong_calls<S: ArenaSystem>(allocator: &mut Under<'_, S>, model: &Option<Model>) {
    let Some(model) = model else {
        assert_eq!(allocator.grow(0, 1), Err(AllocError::NotAllocated));
        assert!(matches!(
            allocator.allocate(2, Some(1)),
            Err(AllocError::MaximumBelowInitial { .. })
        ));
        return;
    };
    let size = model.bytes.len();
    let actual = wasm_arena::bytes_to_pages(size);
    assert_eq!(
        allocator.grow(actual + 1, 1),
        Err(AllocError::PageCountMismatch {
            given: actual + 1,
            actual
        })
    );
    for (offset, len) in [(size, 1), (0, size + 1), (usize::MAX, 1), (1, usize::MAX)] {
        assert_eq!(
            allocator.protect(offset, len, Protection::Read),
            Err(AllocError::OutOfRange { offset, len, size })
        );
    }
    if size > 1 {
        let result = allocator.protect(1, 1, Protection::Read);
        assert!(matches!(
            result,
            Err(AllocError::Misaligned { value: 1, .. })
        ));
    }
}

fn compare<S: ArenaSystem>(allocator: &Under<'_, S>, model: Option<&Model>, thoroughly: bool) {
    let Some(model) = model else {
        assert_eq!((allocator.base(), allocator.size()), (None, 0));
        return;
    };
    assert_eq!(allocator.size(), model.bytes.len());
    assert!(allocator.capacity() >= model.bytes.len());
    if !thoroughly {
        return;
    }
    let base = allocator.base().expect("there is a memory");
    for (index, expected) in model.bytes.chunks(model.host_page).enumerate() {
        let start = index * model.host_page;
        if model.protections[index].can_read() {
            // SAFETY: inside the size, readable as the model says; if it is not, the test faults.
            let page = unsafe {
                core::slice::from_raw_parts(base.as_ptr().wrapping_add(start), expected.len())
            };
            assert!(page == expected, "page {index} differs");
        }
        assert_eq!(
            allocator
                .first_refusal(start..start + expected.len(), false)
                .is_none(),
            model.protections[index].can_read()
        );
    }
    let address = base.addr().get();
    let size = model.bytes.len();
    if size > 0 {
        assert_eq!(
            allocator.describe_address(address),
            Some(RegionPart::Data { offset: 0 })
        );
        assert_eq!(
            allocator.describe_address(address + size - 1),
            Some(RegionPart::Data { offset: size - 1 })
        );
    }
    let guard = allocator.statistics().guard_before_bytes;
    let before = (guard > 0).then_some(RegionPart::GuardBefore { before_base: 1 });
    assert_eq!(allocator.describe_address(address - 1), before);
}

/// Bytes for a program of about `len / 4` steps.
pub(crate) fn random_program(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[4]
        })
        .collect()
}
