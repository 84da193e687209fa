//! The page symbols, over this system's pages and over a fixed array.

use core::mem::MaybeUninit;
use core::ptr::{NonNull, null_mut};

use os::{FailAt, FixedMemory, OsCall, OsPages, PageSize, PageSource, Reason, ThreadSlot};
use wasm_arena_wasmtime_platform::Platform;

const READ: u32 = 1;
const WRITE: u32 = 2;
const EXECUTE: u32 = 4;

fn slots() -> [ThreadSlot; 2] {
    [ThreadSlot::new(), ThreadSlot::new()]
}

fn platform() -> Platform<FailAt<OsPages>> {
    Platform::new(FailAt::new(OsPages::new()), slots())
}

/// A new mapping, or the number.
fn map<P: PageSource>(platform: &Platform<P>, len: usize, bits: u32) -> Result<*mut u8, i32> {
    let mut place = null_mut();
    match platform.map(len, bits, &mut place) {
        0 => Ok(place),
        number => Err(number),
    }
}

/// A word of the mapping, without a look at what is allowed.
fn word(address: *mut u8) -> u64 {
    // SAFETY: callers pass readable, aligned words of their own mappings.
    unsafe { address.cast::<u64>().read() }
}

fn set_word(address: *mut u8, value: u64) {
    // SAFETY: callers pass writable, aligned words of their own mappings.
    unsafe { address.cast::<u64>().write(value) };
}

#[test]
fn a_mapping_is_opened_closed_made_blank_and_given_back() {
    let platform = platform();
    let page = platform.page_size();
    let base = map(&platform, 3 * page, 0).unwrap();
    let middle = base.wrapping_add(page);
    // SAFETY: whole pages of the mapping, to which nobody holds a reference; so below.
    assert_eq!(unsafe { platform.protect(middle, page, READ | WRITE) }, 0);
    assert_eq!(word(middle), 0);
    set_word(middle, 7);
    // SAFETY: as above. A part of a page stands for the page.
    assert_eq!(unsafe { platform.protect(middle, 100, READ) }, 0);
    assert_eq!(word(middle), 7);
    // SAFETY: as above; no byte of any page.
    assert_eq!(unsafe { platform.protect(middle, 0, 0) }, 0);
    assert_eq!(word(middle), 7);
    // SAFETY: as above.
    assert_eq!(unsafe { platform.protect(middle, page, READ | WRITE) }, 0);
    assert_eq!(word(middle), 7, "contents stay");
    for bits in [READ | WRITE, READ] {
        // SAFETY: as above.
        assert_eq!(unsafe { platform.remap(middle, page, bits) }, 0);
        assert_eq!(word(middle), 0, "blank");
    }
    // SAFETY: the whole mapping, for the last time.
    assert_eq!(unsafe { platform.unmap(base, 3 * page) }, 0);
    assert_eq!(platform.pages().live_runs(), 0);
    assert_eq!(platform.last_refusal(), None);
    assert_eq!(platform.unreturned_bytes(), 0);
}

#[test]
fn code_is_written_and_then_executed() {
    #[cfg(target_arch = "x86_64")]
    const FORTY_TWO: [u8; 6] = [0xb8, 42, 0, 0, 0, 0xc3];
    #[cfg(target_arch = "aarch64")]
    const FORTY_TWO: [u8; 8] = [0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6];
    let platform = platform();
    let page = platform.page_size();
    let code = map(&platform, page, READ | WRITE).unwrap();
    // SAFETY: one page is mapped and writable.
    unsafe { code.copy_from_nonoverlapping(FORTY_TWO.as_ptr(), FORTY_TWO.len()) };
    for refused in [READ | WRITE | EXECUTE, EXECUTE, WRITE | EXECUTE] {
        // SAFETY: the page is the test's.
        let number = unsafe { platform.protect(code, page, refused) };
        assert!(number != 0, "{refused}");
        let error = platform.last_refusal().unwrap();
        assert_eq!(
            (error.call, error.address, error.len, error.reason),
            (OsCall::Protect, code.addr(), page, Reason::Unsupported)
        );
    }
    // SAFETY: as above.
    assert_eq!(unsafe { platform.protect(code, page, READ | EXECUTE) }, 0);
    // SAFETY: the bytes are a function of this type, and may be executed.
    let function: extern "C" fn() -> u32 = unsafe { core::mem::transmute(code) };
    assert_eq!(function(), 42);
    // SAFETY: the whole mapping, for the last time.
    assert_eq!(unsafe { platform.unmap(code, page) }, 0);
}

#[test]
fn a_refused_call_answers_with_a_number_and_leaves_nothing() {
    let run = |platform: &Platform<FailAt<OsPages>>| -> Result<(), i32> {
        let checked = |number| if number == 0 { Ok(()) } else { Err(number) };
        let page = platform.page_size();
        let base = map(platform, 2 * page, READ)?;
        // SAFETY: whole pages of the mapping, to which nobody holds a reference.
        let opened = checked(unsafe { platform.protect(base, page, READ | WRITE) });
        let blank = opened.and_then(|()| {
            // SAFETY: as above.
            checked(unsafe { platform.remap(base, 2 * page, READ) })
        });
        // SAFETY: the whole mapping, for the last time.
        unsafe { platform.unmap(base, 2 * page) };
        blank
    };
    let sound = platform();
    run(&sound).unwrap();
    let calls = sound.pages().calls_seen();
    assert!(calls >= 7, "{calls}");
    for n in 1..=calls {
        let platform = platform();
        platform.pages().fail_nth(n);
        let outcome = run(&platform);
        let refusal = platform.last_refusal().unwrap();
        assert_eq!(refusal.reason, Reason::Injected);
        if refusal.call == OsCall::Unmap {
            // Wasmtime could do no more than panic.
            assert_eq!(outcome, Ok(()), "call {n}");
            assert_eq!(platform.unreturned_bytes(), platform.pages().live_bytes());
            assert_eq!(platform.unreturned_bytes(), refusal.len);
        } else {
            assert!(outcome.is_err(), "call {n}");
            assert_eq!(platform.pages().live_runs(), 0, "call {n}");
            assert_eq!(platform.unreturned_bytes(), 0);
        }
    }
}

#[test]
fn pages_that_cannot_protect_are_not_said_to() {
    let mut array = vec![MaybeUninit::uninit(); 64 << 10];
    let page_size = PageSize::new(4096).unwrap();
    let platform = Platform::new(FixedMemory::new(&mut array, page_size).unwrap(), slots());
    let base = map(&platform, 8192, READ | WRITE).unwrap();
    set_word(base, 7);
    for bits in [0, READ, READ | EXECUTE] {
        // SAFETY: the pages are the test's.
        assert!(unsafe { platform.protect(base, 4096, bits) } != 0, "{bits}");
        assert_eq!(platform.last_refusal().unwrap().reason, Reason::Unsupported);
    }
    assert_eq!(word(base), 7);
    assert_eq!(map(&platform, 1 << 20, READ | WRITE), Err(-1));
    assert!(matches!(
        platform.last_refusal().unwrap().reason,
        Reason::OutOfPages { .. }
    ));
    // SAFETY: the whole mapping, for the last time.
    assert_eq!(unsafe { platform.unmap(base, 8192) }, 0);
}

#[test]
fn there_are_no_images() {
    let platform = platform();
    let mut image = NonNull::<u8>::dangling().as_ptr();
    assert_eq!(platform.no_image(&mut image), 0);
    assert!(image.is_null());
    assert!(platform.map_image(null_mut(), 4096) != 0);
}
