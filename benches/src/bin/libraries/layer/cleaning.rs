//! What it costs to make a megabyte zero again of which one page was written: the choices there are.

use core::hint::black_box;
use core::ptr::NonNull;
use core::slice;

use benches::{Case, Contender, Report, Setting, race, timed};
use os::{OsPages, PageSource};

const LEN: usize = 1 << 20;
const PAGE: usize = 4096;
/// What a page table of such pages spans.
const SPAN: usize = 2 << 20;
/// As `docs/reuse.md` has it: these first bytes end where a page table ends.
const FIRST: usize = 128 << 10;

const FILL: &str = "fill all";

/// Adds the case, where this system can tell which pages were touched.
pub(super) fn run(setting: Setting, report: &mut Report) -> Result<(), String> {
    let pages = OsPages::new();
    let facts = pages.facts();
    if facts.page_size.get() != PAGE || !facts.can_tell_touched {
        println!("no case of cleaning: pages of other sizes, or nobody to ask");
        return Ok(());
    }
    let (touched, filled) = (laid_out(&pages)?, laid_out(&pages)?);
    // SAFETY: the megabyte of a run of our own, which nobody else knows.
    unsafe { filled.write_bytes(0, LEN) };
    let mut contenders = [
        Contender::new(FILL, |times| {
            timed(times, || {
                // Or the compiler sees that to do it often comes to the same as to do it once.
                let filled = black_box(filled);
                // SAFETY: as above.
                unsafe { write_page(filled) };
                // SAFETY: as above.
                unsafe { filled.write_bytes(0, LEN) };
                // SAFETY: as above.
                unsafe { check(filled, LEN) }
            })
        }),
        Contender::new("fill a page, ask about the rest", |times| {
            timed(times, || {
                // SAFETY: the megabyte of a run of our own, which nobody else knows.
                unsafe { write_page(touched) };
                // SAFETY: as above.
                unsafe { touched.write_bytes(0, PAGE) };
                let mut found = [const { 0..0 }; 32];
                // SAFETY: as above; the first page was just written.
                let answer = unsafe { pages.touched(touched, LEN, &mut found) };
                let answer = answer.map_err(|error| error.to_string())?;
                if answer.ranges != 1 || answer.searched < LEN || found[0] != (0..PAGE) {
                    return Err(format!("{answer:?}, {:?}", found[0]));
                }
                // SAFETY: as above.
                unsafe { check(touched, PAGE) }
            })
        }),
        Contender::new("fill a page, discard the rest", |times| {
            timed(times, || {
                // SAFETY: the megabyte of a run of our own, which nobody else knows.
                unsafe { write_page(touched) };
                // SAFETY: as above.
                unsafe { touched.write_bytes(0, PAGE) };
                // SAFETY: inside the megabyte.
                let rest = unsafe { touched.add(PAGE) };
                // SAFETY: as above.
                let discarded = unsafe { pages.discard(rest, LEN - PAGE) };
                discarded.map_err(|error| error.to_string())?;
                // SAFETY: as above.
                unsafe { check(touched, PAGE) }
            })
        }),
    ];
    let measured = race(&mut contenders, setting.effort)?;
    let case = Case::new("one page of 1 MiB made zero again", FILL, &measured)?;
    report.cases.push(case);
    Ok(())
}

/// A fresh megabyte that lies as large regions do.
fn laid_out(pages: &OsPages) -> Result<NonNull<u8>, String> {
    let run = pages.map(LEN + SPAN).map_err(|error| error.to_string())?;
    let seam = run.addr().get() + FIRST;
    // SAFETY: less than the span, by which the run is longer.
    Ok(unsafe { run.add(seam.next_multiple_of(SPAN) - seam) })
}

/// What a guest does.
///
/// # Safety
/// The first page is writable, and nobody else uses it.
unsafe fn write_page(memory: NonNull<u8>) {
    // SAFETY: the caller's promise.
    unsafe { memory.write_bytes(7, PAGE) };
}

/// A look at the first byte, and at the last.
///
/// # Safety
/// So many bytes are initialised and readable, and nobody writes them.
unsafe fn check(memory: NonNull<u8>, len: usize) -> Result<(), String> {
    // SAFETY: the caller's promise.
    let bytes = unsafe { slice::from_raw_parts(memory.as_ptr(), len) };
    match (bytes.first(), bytes.last()) {
        (Some(0), Some(0)) => Ok(()),
        ends => Err(format!("not zero: {ends:?}")),
    }
}
