//! What a program has one of: the page source and the thread slots behind the symbols.
#![forbid(unsafe_code)]

use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};

use os::{Mutex, OsError, OsPages, PageSource, Reason, ThreadSlot};

use crate::ThreadSlots;
use crate::slots::SLOTS;

/// What is behind the symbols that [`export!`](crate::export!) makes: a page source, thread slots,
/// and the last refusal.
///
/// Wasmtime learns an error number of a refused call and no more;
/// [`last_refusal`](Self::last_refusal) has the rest.
pub struct Platform<P: PageSource = OsPages, S: ThreadSlots = SystemSlots> {
    pub(crate) pages: P,
    pub(crate) slots: S,
    pub(crate) refusal: Mutex<Option<OsError>>,
    pub(crate) unreturned: AtomicUsize,
}

/// The slots of [`Platform::of_this_system`].
pub(crate) type SystemSlots = [ThreadSlot; SLOTS];

impl Platform {
    /// The operating system's pages, and threads as it has them.
    ///
    /// On a target without an operating system every page symbol refuses, and there is one thread;
    /// see [`new`](Self::new).
    #[must_use]
    pub const fn of_this_system() -> Self {
        Self::new(OsPages::new(), [ThreadSlot::new(), ThreadSlot::new()])
    }
}

impl<P: PageSource, S: ThreadSlots> Platform<P, S> {
    /// Pages and slots of one's own.
    ///
    /// ```
    /// use os::{FixedMemory, FixedStorage, PageSize, ThreadSlot};
    /// use wasm_arena_wasmtime_platform::Platform;
    ///
    /// static STORAGE: FixedStorage<65536> = FixedStorage::new();
    /// static PLATFORM: Platform<FixedMemory<'static>> = Platform::new(
    ///     FixedMemory::in_storage(&STORAGE, PageSize::new(4096).unwrap()),
    ///     [ThreadSlot::new(), ThreadSlot::new()],
    /// );
    /// assert_eq!(PLATFORM.page_size(), 4096);
    /// ```
    #[must_use]
    pub const fn new(pages: P, slots: S) -> Self {
        Self {
            pages,
            slots,
            refusal: Mutex::new(None),
            unreturned: AtomicUsize::new(0),
        }
    }

    /// Makes what the thread slots need. To be called before the first engine is made: Wasmtime's
    /// symbol for setting a slot has no way to say that it failed.
    ///
    /// # Errors
    /// There is none left.
    pub fn prepare(&self) -> Result<(), Reason> {
        self.slots.prepare()
    }

    /// The page source.
    pub const fn pages(&self) -> &P {
        &self.pages
    }

    /// What the last refused page symbol was asked, and why it was refused.
    pub fn last_refusal(&self) -> Option<OsError> {
        *self.refusal.lock()
    }

    /// Bytes of mappings that the page source would not take back: see [`unmap`](Self::unmap).
    pub fn unreturned_bytes(&self) -> usize {
        self.unreturned.load(Ordering::Relaxed)
    }

    /// `wasmtime_tls_get`. Null for a slot that Wasmtime 48 does not have.
    pub fn slot(&self, index: usize) -> *mut u8 {
        if index < SLOTS {
            self.slots.get(index)
        } else {
            core::ptr::null_mut()
        }
    }

    /// `wasmtime_tls_set`.
    ///
    /// # Panics
    /// If the slots refuse, or there is no such slot: a guest's traps would go astray.
    pub fn set_slot(&self, index: usize, value: *mut u8) {
        let set = if index < SLOTS {
            self.slots.set(index, value)
        } else {
            Err(Reason::Unsupported)
        };
        if let Err(reason) = set {
            panic!("no pointer for this thread in slot {index}: {reason:?}");
        }
    }
}

impl<P: PageSource, S: ThreadSlots> fmt::Debug for Platform<P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platform")
            .field("pages", &self.pages.facts())
            .field("last_refusal", &self.last_refusal())
            .field("unreturned_bytes", &self.unreturned_bytes())
            .finish_non_exhaustive()
    }
}
