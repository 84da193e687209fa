//! Guards that work by themselves: at every entry of a store's guests, and at every return.
//!
//! ```text
//!   host ──▶ guest ──▶ host function ──▶ guest ──▶ ... ──▶ host
//!        verify    (the guest is only suspended: nothing)      seal
//! ```
#![forbid(unsafe_code)]

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use os::Mutex;
use wasmtime::{AsContextMut, CallHook, Store, StoreContextMut};

use super::{GuardError, MemoryGuard};

/// The guards of a store that verify before every call into it, and seal after.
///
/// Needs the feature `call-hook`. Made by [`install`](Self::install); clones share the guards.
///
/// ```
/// use wasm_arena_wasmtime::{GuardedCalls, MemoryGuard};
/// use wasmtime::{Engine, Instance, Module, Store};
///
/// # fn main() -> wasmtime::Result<()> {
/// # let engine = Engine::default();
/// let module = Module::new(
///     &engine,
///     r#"(module (memory (export "memory") 1)
///         (func (export "set") (param i32) (i32.store (i32.const 0) (local.get 0))))"#,
/// )?;
/// let mut store = Store::new(&engine, ());
/// let instance = Instance::new(&mut store, &module, &[])?;
/// let set = instance.get_typed_func::<u32, ()>(&mut store, "set")?;
/// let memory = instance.get_memory(&mut store, "memory").unwrap();
///
/// let guards = GuardedCalls::install(&mut store, vec![MemoryGuard::new(memory).with_mirror()])?;
/// set.call(&mut store, 7)?;
/// // The host writes, and says so.
/// memory.write(&mut store, 100, b"input")?;
/// guards.with(|guards| guards[0].reseal(&store, 100..105))?;
/// set.call(&mut store, 8)?;
/// // Damage is repaired from the second copy before the guest sees it.
/// memory.data_mut(&mut store)[101] ^= 4;
/// set.call(&mut store, 9)?;
/// assert_eq!(&memory.data(&store)[100..105], b"input");
/// assert_eq!(guards.with(|guards| guards[0].statistics().repairs), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct GuardedCalls {
    guards: Arc<Mutex<Vec<MemoryGuard>>>,
}

/// A call that was not made, or whose memory could not be sealed after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardedCallError {
    /// Which of the guards it was, counted from 0.
    pub guard: usize,
    /// What it found.
    pub error: GuardError,
}

impl fmt::Display for GuardedCallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "guarded memory {}: {}", self.guard, self.error)
    }
}

impl core::error::Error for GuardedCallError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl GuardedCalls {
    /// Seals the memories, which must be of this store, and watches it: before a call into a guest
    /// they are verified (with a second copy: mended), after it they are sealed, also after a trap.
    /// A call whose memory is damaged fails with a [`GuardedCallError`], and no guest runs. Start
    /// functions of later instances are calls too. Takes the place of any call hook of the store.
    ///
    /// While a guest waits in a host function, or in a pending future, it may be in the middle of a
    /// change, and nothing is verified. A future that is given up ends the call, and seals.
    ///
    /// # Errors
    /// A [`GuardedCallError`] of the first seal; the store is as it was.
    ///
    /// # Panics
    /// If a memory is not of this store, as Wasmtime does.
    pub fn install<T: 'static>(
        store: &mut Store<T>,
        guards: Vec<MemoryGuard>,
    ) -> Result<Self, GuardedCallError> {
        let this = Self {
            guards: Arc::new(Mutex::new(guards)),
        };
        this.each(|guard| guard.seal(&*store))?;
        let hook = this.clone();
        let mut depth = 0_usize;
        store.call_hook(move |store, event| {
            match event {
                CallHook::CallingWasm => {
                    if depth == 0 {
                        hook.verify(store)?;
                    }
                    // Not reached after a refusal, after which there is no return either.
                    depth += 1;
                }
                CallHook::ReturningFromWasm => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        hook.each(|guard| guard.seal(&store))?;
                    }
                }
                CallHook::CallingHost | CallHook::ReturningFromHost => {}
            }
            Ok(())
        });
        Ok(this)
    }

    /// Gives access to the guards, in the order in which they were installed: to
    /// [`reseal`](MemoryGuard::reseal) what the host wrote, to [`scrub`](MemoryGuard::scrub), to read
    /// statistics. Guards can be added and taken away; a new one verifies nothing before its first
    /// seal. Waits for whoever else does the same; calls into the store from within `access` wait
    /// for it forever.
    pub fn with<R>(&self, access: impl FnOnce(&mut Vec<MemoryGuard>) -> R) -> R {
        access(&mut self.guards.lock())
    }

    fn verify<T: 'static>(
        &self,
        mut store: StoreContextMut<'_, T>,
    ) -> Result<(), GuardedCallError> {
        self.each(|guard| {
            if guard.is_sealed() {
                guard.check(store.as_context_mut())
            } else {
                Ok(())
            }
        })
    }

    fn each(
        &self,
        mut act: impl FnMut(&mut MemoryGuard) -> Result<(), GuardError>,
    ) -> Result<(), GuardedCallError> {
        // All of them, whatever the first ones say: one that is not sealed would find damage later.
        let mut result = Ok(());
        for (index, guard) in self.guards.lock().iter_mut().enumerate() {
            let acted = act(guard).map_err(|error| GuardedCallError {
                guard: index,
                error,
            });
            result = result.and(acted);
        }
        result
    }
}
