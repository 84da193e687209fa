//! Which pages of this process were ever written: Linux's `PAGEMAP_SCAN`, from 6.7 on.
//!
//! The answer comes from a file, `/proc/self/pagemap`, which stays bound to the process that opened
//! it. A child made by `fork` inherits the descriptor, and would be told about its parent. So the
//! descriptor is kept in a page that the kernel wipes in a child, which then opens its own.
//!
//! The layout of the request, its number and its categories are those of
//! `include/uapi/linux/fs.h` (`struct pm_scan_arg`, `struct page_region`, `PAGE_IS_*`); what they
//! mean is said in the kernel's `Documentation/admin-guide/mm/pagemap.rst`.

use core::ffi::c_int;
use core::ops::Range;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicI32, AtomicPtr, Ordering};

use super::{errno, unix};
use crate::{Errno, Protection, Reason, Touched};

/// The request: where to look, for what, and where to put the answer.
#[repr(C)]
struct ScanRequest {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    /// Written by the kernel: where it stopped.
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// Neighbouring pages of the same categories.
#[repr(C)]
#[derive(Clone, Copy)]
struct PageRegion {
    start: u64,
    end: u64,
    categories: u64,
}

const _: () = {
    assert!(size_of::<ScanRequest>() == 96);
    assert!(size_of::<PageRegion>() == 24);
};

/// `PAGEMAP_SCAN`, which is `_IOWR('f', 16, struct pm_scan_arg)`.
const PAGEMAP_SCAN: libc::Ioctl = libc::_IOWR::<ScanRequest>(b'f' as u32, 16);

const PAGE_IS_PRESENT: u64 = 1 << 3;
const PAGE_IS_SWAPPED: u64 = 1 << 4;
/// The page everybody shares that was only read so far: it holds zeros.
const PAGE_IS_PFNZERO: u64 = 1 << 5;

/// Ranges asked for at a time.
const RANGES_PER_CALL: usize = 32;

/// Not asked yet. What a child finds after `fork`.
const UNKNOWN: c_int = 0;
/// This kernel, or this process, cannot tell.
const UNAVAILABLE: c_int = -1;

/// What is kept in the page that a child finds wiped.
#[repr(C)]
struct Slot {
    /// The descriptor plus one, [`UNKNOWN`] or [`UNAVAILABLE`].
    descriptor: AtomicI32,
    /// Stored to, so that the page is one that was written.
    written: AtomicI32,
}

/// Invariant: null, or the address of a private page that is never unmapped and that the kernel
/// wipes in a child.
static SLOT: AtomicPtr<Slot> = AtomicPtr::new(null_mut());

/// The slot, mapped when it is first needed.
fn slot() -> Result<&'static Slot, Reason> {
    let known = SLOT.load(Ordering::Acquire);
    // SAFETY: null or a page that stays mapped (invariant), aligned and initialised by the kernel.
    if let Some(slot) = unsafe { known.as_ref() } {
        return Ok(slot);
    }
    let len = unix::page_size().get();
    let page = unix::map_anywhere(len, Protection::ReadWrite, 0)?;
    // SAFETY: the page was mapped above and holds nothing yet.
    let status = unsafe { libc::madvise(page.as_ptr().cast(), len, libc::MADV_WIPEONFORK) };
    let made = page.cast::<Slot>().as_ptr();
    let stored = status == 0
        && SLOT
            .compare_exchange(null_mut(), made, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
    if !stored {
        let reason = errno::last_reason();
        // SAFETY: mapped above and seen by nobody else.
        unsafe { unix::unmap(page, len) }?;
        if status != 0 {
            return Err(reason);
        }
    }
    // SAFETY: stored by this thread or by another, so not null and mapped for good (invariant).
    unsafe { SLOT.load(Ordering::Acquire).as_ref() }.ok_or(Reason::Unsupported)
}

/// The descriptor of this process's page map.
fn descriptor() -> Result<c_int, Reason> {
    let slot = slot()?;
    match slot.descriptor.load(Ordering::Relaxed) {
        UNAVAILABLE => Err(Reason::Unsupported),
        UNKNOWN => open(slot),
        held => Ok(held - 1),
    }
}

/// Opens the page map and tries it out on a page that was written for certain: the slot's own.
#[cold]
fn open(slot: &'static Slot) -> Result<c_int, Reason> {
    // SAFETY: the path is a string that ends in zero.
    let opened = unsafe {
        libc::open(
            c"/proc/self/pagemap".as_ptr(),
            libc::O_RDONLY | libc::O_CLOEXEC,
        )
    };
    if opened < 0 {
        return match errno::last() {
            // Another time there may be a descriptor left.
            number @ (libc::EMFILE | libc::ENFILE) => Err(Reason::Errno(Errno(number))),
            _ => Err(refuse_for_good(slot)),
        };
    }
    slot.written.store(1, Ordering::Relaxed);
    let own_page = NonNull::from(slot).cast::<u8>();
    let mut found = [const { 0..0 }; 1];
    let tried = scan(opened, own_page, unix::page_size().get(), &mut found);
    let usable = tried.is_ok_and(|answer| answer.ranges == 1);
    let stored = usable
        && slot
            .descriptor
            .compare_exchange(UNKNOWN, opened + 1, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok();
    if !stored {
        // SAFETY: opened above and handed to nobody.
        unsafe { libc::close(opened) };
    }
    match slot.descriptor.load(Ordering::Relaxed) {
        _ if !usable => Err(refuse_for_good(slot)),
        UNKNOWN | UNAVAILABLE => Err(Reason::Unsupported),
        held => Ok(held - 1),
    }
}

/// Somebody closed the descriptor: the next question opens another one.
#[cold]
fn forget(descriptor: c_int) {
    if let Ok(slot) = slot() {
        // Another thread may have opened one already.
        let _kept = slot.descriptor.compare_exchange(
            descriptor + 1,
            UNKNOWN,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }
}

fn refuse_for_good(slot: &Slot) -> Reason {
    slot.descriptor.store(UNAVAILABLE, Ordering::Relaxed);
    Reason::Unsupported
}

/// One call; see [`PageSource::touched`](crate::PageSource::touched).
pub(super) fn touched(
    address: NonNull<u8>,
    len: usize,
    found: &mut [Range<usize>],
) -> Result<Touched, Reason> {
    let descriptor = descriptor()?;
    let answer = scan(descriptor, address, len, found).inspect_err(|reason| {
        if let Reason::Errno(Errno(libc::EBADF | libc::ENOTTY)) = reason {
            forget(descriptor);
        }
    })?;
    // The first page was written, by the caller's word. If the answer does not know of it, it may be
    // about something else: somebody closed the descriptor, and its number names the page map of
    // another process. (Or the kernel merged the page with the shared one.)
    match found.first() {
        Some(first) if answer.ranges > 0 && first.start == 0 => Ok(answer),
        _ => Err(Reason::NotARun),
    }
}

fn scan(
    descriptor: c_int,
    address: NonNull<u8>,
    len: usize,
    found: &mut [Range<usize>],
) -> Result<Touched, Reason> {
    let mut regions = [PageRegion {
        start: 0,
        end: 0,
        categories: 0,
    }; RANGES_PER_CALL];
    let start = address.addr().get() as u64;
    let mut request = ScanRequest {
        size: size_of::<ScanRequest>() as u64,
        flags: 0,
        start,
        end: start + len as u64,
        walk_end: 0,
        vec: regions.as_mut_ptr().expose_provenance() as u64,
        vec_len: found.len().min(RANGES_PER_CALL) as u64,
        max_pages: 0,
        // Not the shared zero page, and in memory or in the swap: also what is on its way there.
        category_inverted: PAGE_IS_PFNZERO,
        category_mask: PAGE_IS_PFNZERO,
        category_anyof_mask: PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
        // One category for all that matches, so that neighbours join.
        return_mask: 0,
    };
    // SAFETY: the request has the layout the kernel expects and names a live buffer of as many
    // entries as it says; pages are only looked up. Another file than a page map refuses.
    let filled = unsafe { libc::ioctl(descriptor, PAGEMAP_SCAN, &raw mut request) };
    let Ok(filled) = usize::try_from(filled) else {
        return Err(errno::last_reason());
    };
    let offset =
        |end: u64| usize::try_from(end.saturating_sub(start)).map_or(len, |at| at.min(len));
    for (range, region) in found
        .iter_mut()
        .zip(&regions[..filled.min(RANGES_PER_CALL)])
    {
        *range = offset(region.start)..offset(region.end);
    }
    Ok(Touched {
        ranges: filled.min(found.len()),
        searched: offset(request.walk_end),
    })
}
