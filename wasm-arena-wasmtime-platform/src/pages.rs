//! Wasmtime's page symbols over a page source.
//!
//! | asked for | done |
//! |---|---|
//! | a new mapping without access | reserved |
//! | … readable and writable | mapped |
//! | a mapping made blank | decommitted, then opened as asked |
//! | pages readable and writable | committed: contents stay, pages never opened before are zero |
//! | pages readable, readable and executable, or closed | protected |
//! | pages writable and executable | refused |
//!
//! A refusal answers with the system's error number, or, where the page source has none, with one of
//! the negative numbers below; [`Platform::last_refusal`] has all of it.

use core::ptr::{NonNull, null_mut};
use core::sync::atomic::Ordering;

use os::{OsCall, OsError, PageSource, Protection, Reason};

use crate::{Platform, ThreadSlots, code};

// `wasmtime-platform.h` of Wasmtime 48.
const READ: u32 = 1;
const WRITE: u32 = 2;
const EXECUTE: u32 = 4;

/// The protection for Wasmtime's bits, if it is one that is granted.
const fn protection(bits: u32) -> Result<Protection, Reason> {
    const READ_WRITE: u32 = READ | WRITE;
    const READ_EXECUTE: u32 = READ | EXECUTE;
    match bits {
        0 => Ok(Protection::None),
        READ => Ok(Protection::Read),
        READ_WRITE => Ok(Protection::ReadWrite),
        READ_EXECUTE if code::KNOWN => Ok(Protection::ReadExecute),
        _ => Err(Reason::Unsupported),
    }
}

/// The number that Wasmtime puts into its error: "os error N".
const fn number(reason: Reason) -> i32 {
    match reason {
        Reason::Errno(errno) if errno.0 != 0 => errno.0,
        Reason::OutOfPages { .. } => -1,
        Reason::Misaligned { .. } => -2,
        Reason::ZeroLength => -3,
        Reason::Unsupported => -4,
        Reason::AlreadyClaimed => -5,
        Reason::NotARun => -6,
        _ => -7,
    }
}

impl<P: PageSource, S: ThreadSlots> Platform<P, S> {
    fn answer(&self, result: Result<(), OsError>) -> i32 {
        match result {
            Ok(()) => 0,
            Err(error) => {
                *self.refusal.lock() = Some(error);
                number(error.reason)
            }
        }
    }

    /// `wasmtime_page_size`: bytes of a host page.
    pub fn page_size(&self) -> usize {
        self.pages.facts().page_size.get()
    }

    /// `wasmtime_mmap_new`: a new mapping of `len` bytes, or an error number and nothing mapped.
    pub fn map(&self, len: usize, bits: u32, place: &mut *mut u8) -> i32 {
        self.answer(self.mapping(len, bits).map(|run| *place = run.as_ptr()))
    }

    fn mapping(&self, len: usize, bits: u32) -> Result<NonNull<u8>, OsError> {
        let protection = protection(bits).map_err(|reason| OsError {
            call: OsCall::Map,
            address: 0,
            len,
            reason,
        })?;
        if protection == Protection::None {
            return self.pages.reserve(len);
        }
        let run = self.pages.map(len)?;
        // SAFETY: the run was made just now, and nobody else knows it.
        let opened = unsafe { self.open(run, len, protection) };
        if opened.is_err() {
            // SAFETY: as above.
            let unmapped = unsafe { self.pages.unmap(run, len) };
            if unmapped.is_err() {
                // The first refusal is the one to tell.
                self.unreturned.fetch_add(len, Ordering::Relaxed);
            }
        }
        opened.map(|()| run)
    }

    /// Gives mapped pages a protection.
    ///
    /// # Safety
    /// As [`PageSource::protect`] and [`PageSource::commit`], except that pages never opened before
    /// may be opened.
    unsafe fn open(
        &self,
        address: NonNull<u8>,
        len: usize,
        protection: Protection,
    ) -> Result<(), OsError> {
        if protection == Protection::ReadWrite {
            // SAFETY: the caller's promise.
            return unsafe { self.pages.commit(address, len) };
        }
        // SAFETY: the caller's promise.
        unsafe { self.pages.protect(address, len, protection) }?;
        if protection.can_execute() {
            code::make_visible(address, len);
        }
        Ok(())
    }

    /// The range and the protection of a call about existing pages.
    fn checked(
        &self,
        call: OsCall,
        address: *mut u8,
        len: usize,
        bits: u32,
    ) -> Result<(NonNull<u8>, Protection), OsError> {
        let error = |reason| OsError {
            call,
            address: address.addr(),
            len,
            reason,
        };
        let protection = protection(bits).map_err(error)?;
        let start = NonNull::new(address).ok_or_else(|| error(Reason::NotARun))?;
        Ok((start, protection))
    }

    /// `wasmtime_mprotect`: 0, or an error number. As POSIX has it, `len` need not be a multiple of
    /// the page: every page of which a byte is in the range is protected, and none if there is none.
    /// Wasmtime relies on it for code.
    ///
    /// # Safety
    /// The pages are inside one mapping of this platform, and nobody holds references into them that
    /// the protection would contradict.
    pub unsafe fn protect(&self, address: *mut u8, len: usize, bits: u32) -> i32 {
        if len == 0 {
            return 0;
        }
        // What does not fit the address space is no range of anybody's: refused as it is.
        let whole = len
            .checked_next_multiple_of(self.page_size())
            .unwrap_or(len);
        let protected = self
            .checked(OsCall::Protect, address, whole, bits)
            // SAFETY: the caller's promise.
            .and_then(|(start, protection)| unsafe { self.open(start, whole, protection) });
        self.answer(protected)
    }

    /// `wasmtime_mmap_remap`: fresh zero pages in the place of the old, or an error number.
    ///
    /// # Safety
    /// The range is whole pages inside one mapping of this platform, and nobody uses their contents
    /// again.
    pub unsafe fn remap(&self, address: *mut u8, len: usize, bits: u32) -> i32 {
        let remapped =
            self.checked(OsCall::Decommit, address, len, bits)
                .and_then(|(start, protection)| {
                    // SAFETY: the caller's promise.
                    unsafe { self.pages.decommit(start, len) }?;
                    if protection == Protection::None {
                        return Ok(());
                    }
                    // SAFETY: the caller's promise.
                    unsafe { self.pages.commit(start, len) }?;
                    if protection == Protection::ReadWrite {
                        return Ok(());
                    }
                    // SAFETY: the caller's promise.
                    unsafe { self.open(start, len, protection) }
                });
        self.answer(remapped)
    }

    /// `wasmtime_munmap`: 0, always.
    ///
    /// Wasmtime 48 unmaps when it drops a value, and panics if it is told of a refusal. What the page
    /// source does not take back is lost to the program, counted in
    /// [`unreturned_bytes`](Self::unreturned_bytes), and told by
    /// [`last_refusal`](Self::last_refusal).
    ///
    /// # Safety
    /// The range is exactly one mapping of this platform, which nobody uses again.
    pub unsafe fn unmap(&self, address: *mut u8, len: usize) -> i32 {
        let unmapped = self
            .checked(OsCall::Unmap, address, len, 0)
            // SAFETY: the caller's promise.
            .and_then(|(start, _)| unsafe { self.pages.unmap(start, len) });
        if unmapped.is_err() {
            self.unreturned.fetch_add(len, Ordering::Relaxed);
            self.answer(unmapped);
        }
        0
    }

    /// `wasmtime_memory_image_new`: there is no image, so that Wasmtime copies data segments. An
    /// image would be a file or an object of shared memory to map privately, which not every system
    /// here has; and memories of arenas take no images.
    pub const fn no_image(&self, place: &mut *mut u8) -> i32 {
        *place = null_mut();
        0
    }

    /// `wasmtime_memory_image_map_at`: refused, as nobody can have an image.
    pub fn map_image(&self, address: *mut u8, len: usize) -> i32 {
        self.answer(Err(OsError {
            call: OsCall::Map,
            address: address.addr(),
            len,
            reason: Reason::Unsupported,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_wasmtime_may_have_is_granted() {
        assert_eq!(protection(0), Ok(Protection::None));
        assert_eq!(protection(READ), Ok(Protection::Read));
        assert_eq!(protection(READ | WRITE), Ok(Protection::ReadWrite));
        for refused in [WRITE, EXECUTE, WRITE | EXECUTE, READ | WRITE | EXECUTE, 8] {
            assert_eq!(protection(refused), Err(Reason::Unsupported));
        }
    }

    #[test]
    fn no_refusal_looks_like_success() {
        for reason in [
            Reason::Errno(os::Errno(0)),
            Reason::Errno(os::Errno(12)),
            Reason::OutOfPages { longest_free: 0 },
            Reason::Misaligned { page_size: 4096 },
            Reason::ZeroLength,
            Reason::Unsupported,
            Reason::AlreadyClaimed,
            Reason::NotARun,
            Reason::Injected,
        ] {
            assert_ne!(number(reason), 0, "{reason:?}");
        }
    }
}
