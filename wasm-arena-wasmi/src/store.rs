//! A wasmi store that owns the regions behind its memories.
//!
//! ```text
//!   ArenaStore ─┬─ Store ── memories: slices into the regions       ends first
//!               └─ regions, by the ledger                           ends second, and gives back
//! ```
//!
//! The slices wasmi holds claim to live for ever. They are sound because nothing can part the store
//! from the regions, from safe code, in either direction:
//!
//! 1. The store itself never leaves this file, neither as a value nor as `&mut Store` (which could
//!    be exchanged with another). Everything wasmi offers on a store works on the contexts that
//!    [`AsContext`] and [`AsContextMut`] lend, which cannot be exchanged, and which host functions
//!    get too.
//! 2. An `ArenaStore` moves, is exchanged, leaks and ends as a whole. When it ends, the store is
//!    dropped before the regions, because its field comes first; a panic while the store is dropped
//!    does not change the order.
//! 3. wasmi lends bytes of a memory only for as long as a context is borrowed.
//! 4. The regions go back when the ledger closes, which happens here alone.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use wasm_arena::{AllocError, MemoryRecord};
use wasmi::{
    AsContext, AsContextMut, CallHook, Engine, Error, Instance, Linker, Memory, MemoryType, Store,
    StoreContext, StoreContextMut, StoreLimits,
};

use crate::ledger::Ledger;
use crate::{ArenaModule, Guest, NAMESPACE};

/// A [`wasmi::Store`] whose linear memories come from arenas, all of them, and go back when it ends.
///
/// Use it wherever wasmi takes a context: `&mut store` is [`AsContextMut`]. Host functions see
/// [`Guest<T>`], which dereferences to the data. Made by
/// [`ArenaMemories::store`](crate::ArenaMemories::store).
///
/// The store inside cannot be taken out, and a memory cannot outlive it:
///
/// ```compile_fail,E0599
/// # fn take(store: wasm_arena_wasmi::ArenaStore<u8>) -> u8 {
/// store.into_data() // wasmi's way to end a store: there is none here
/// # }
/// ```
/// ```compile_fail,E0308
/// # use wasm_arena_wasmi::{ArenaStore, Guest};
/// # fn exchange(store: &mut ArenaStore<u8>, other: &mut wasmi::Store<Guest<u8>>) {
/// core::mem::swap(store, other);
/// # }
/// ```
/// ```compile_fail,E0616
/// # use wasm_arena_wasmi::{ArenaStore, Guest};
/// # fn replace(store: &mut ArenaStore<u8>, other: wasmi::Store<Guest<u8>>) {
/// core::mem::replace(&mut store.store, other);
/// # }
/// ```
/// ```compile_fail,E0616
/// # use wasm_arena_wasmi::{ArenaStore, Guest};
/// # fn through_a_context(store: &mut ArenaStore<u8>, mut other: wasmi::Store<Guest<u8>>) {
/// use wasmi::AsContextMut;
/// core::mem::swap(store.as_context_mut().store, &mut other);
/// # }
/// ```
/// ```compile_fail,E0505
/// # use wasm_arena_wasmi::ArenaStore;
/// # fn outlive(store: ArenaStore<u8>, memory: wasmi::Memory) {
/// let bytes = memory.data(&store);
/// drop(store);
/// println!("{}", bytes[0]);
/// # }
/// ```
/// ```compile_fail,E0277
/// # use wasm_arena_wasmi::ArenaStore;
/// # fn default(store: &mut ArenaStore<u8>) {
/// core::mem::take(store);
/// # }
/// ```
pub struct ArenaStore<T: 'static> {
    /// Dropped first.
    store: Store<Guest<T>>,
    /// Dropped second.
    regions: Regions,
    /// Of every memory of the ledger, in its order.
    handles: Vec<Memory>,
}

/// The ledger; dropping this gives its regions back.
///
/// Invariant: dropped after the store whose memories the regions are, and nowhere cloned or moved
/// out of its `ArenaStore`.
struct Regions(Arc<dyn Ledger>);

impl Drop for Regions {
    fn drop(&mut self) {
        // SAFETY: the store that had the regions is gone (invariant).
        unsafe { self.0.close() };
    }
}

impl<T: 'static> ArenaStore<T> {
    pub(crate) fn new(engine: &Engine, data: T, ledger: Arc<dyn Ledger>) -> Self {
        let mut store = Store::new(engine, Guest::new(data));
        let counted = Arc::clone(&ledger);
        store.limiter(move |guest| guest.gate(&counted));
        Self {
            store,
            regions: Regions(ledger),
            handles: Vec::new(),
        }
    }

    /// Makes a memory. Its bytes come from the arenas, and go back when this store ends.
    ///
    /// A memory made with [`wasmi::Memory::new`] instead is refused by this store. One to five
    /// system calls, or none if a kept region fits.
    ///
    /// # Errors
    /// A [`MemoryError`](crate::MemoryError) inside of a [`wasmi::Error`], or wasmi's own refusal;
    /// nothing is left behind.
    pub fn new_memory(&mut self, ty: MemoryType) -> Result<Memory, Error> {
        let ledger = &self.regions.0;
        let plan = ledger.plan(ty).map_err(Error::host)?;
        let wasmi_type = plan.wasmi_type(ty)?;
        if self.handles.try_reserve(1).is_err() {
            return Err(Error::new("no memory is left for one more memory"));
        }
        let region = ledger.open(&plan, ty.is_64()).map_err(Error::host)?;
        // SAFETY: the slice goes into the store, and nowhere else; the ledger closes after the
        // store is gone (`Regions`), and cancels only if the store did not take the slice.
        let bytes = unsafe { region.into_slice() };
        match Memory::new_static(&mut self.store, wasmi_type, bytes) {
            Ok(memory) => {
                self.handles.push(memory);
                Ok(memory)
            }
            Err(error) => {
                // SAFETY: without a memory, wasmi has dropped the slice.
                unsafe { ledger.cancel() };
                Err(error)
            }
        }
    }

    /// Instantiates a module, with its own memories made here. Runs its start function.
    ///
    /// What was made for an instance that fails stays until the store ends, as always in wasmi.
    ///
    /// # Errors
    /// As [`new_memory`](Self::new_memory) and [`Linker::instantiate_and_start`].
    ///
    /// # Panics
    /// As there: if linker, module and store are not of one engine.
    pub fn instantiate(
        &mut self,
        linker: &Linker<Guest<T>>,
        module: &ArenaModule,
    ) -> Result<Instance, Error> {
        if module.own_memories() == 0 {
            return linker.instantiate_and_start(&mut self.store, module.module());
        }
        let mut complete = linker.clone();
        for import in module.module().imports() {
            if import.module() != NAMESPACE {
                continue;
            }
            if let wasmi::ExternType::Memory(ty) = import.ty() {
                let memory = self.new_memory(*ty)?;
                complete.allow_shadowing(true);
                complete.define(NAMESPACE, import.name(), memory)?;
            }
        }
        complete.instantiate_and_start(&mut self.store, module.module())
    }

    /// Limits on what is not bytes of memory: numbers of instances, tables and memories, elements
    /// of tables, whether a refused growth is a trap. A limit on the size of memories holds beside
    /// those of the memories.
    pub fn set_limits(&mut self, limits: StoreLimits) {
        *self.regions.0.limits().lock() = limits;
    }

    /// The memories made here, in order of creation.
    #[must_use]
    pub fn memories(&self) -> &[Memory] {
        &self.handles
    }

    /// The accounts of these memories, in the same order, with their true sizes.
    #[must_use]
    pub fn records(&self) -> Vec<MemoryRecord> {
        self.settle();
        self.regions.0.records()
    }

    /// Checks bookkeeping and guards of every memory now, whatever the verification level.
    ///
    /// # Errors
    /// [`AllocError::BookkeepingDamaged`] or [`AllocError::GuardDamaged`].
    pub fn verify(&self) -> Result<(), AllocError> {
        self.regions.0.verify()
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        self.store.engine()
    }

    /// The data of the store.
    #[must_use]
    pub fn data(&self) -> &T {
        self.store.data()
    }

    /// The data of the store.
    pub fn data_mut(&mut self) -> &mut T {
        self.store.data_mut()
    }

    /// Fuel left.
    ///
    /// # Errors
    /// As [`Store::get_fuel`].
    pub fn get_fuel(&self) -> Result<u64, Error> {
        self.store.get_fuel()
    }

    /// Sets the fuel left. A guest that runs out of it while a memory grows keeps its size; the
    /// budget stays charged for the growth until the store ends, and the next growth uses it up.
    ///
    /// # Errors
    /// As [`Store::set_fuel`].
    pub fn set_fuel(&mut self, fuel: u64) -> Result<(), Error> {
        self.store.set_fuel(fuel)
    }

    /// As [`Store::call_hook`].
    pub fn call_hook(
        &mut self,
        hook: impl FnMut(&mut Guest<T>, CallHook) -> Result<(), Error> + Send + Sync + 'static,
    ) {
        self.store.call_hook(hook);
    }

    /// Brings the ledger in line with the store: it may have taken memories of one size for each
    /// other.
    fn settle(&self) {
        for (index, memory) in self.handles.iter().enumerate() {
            self.regions.0.correct(index, memory.data_size(&self.store));
        }
    }
}

impl<T: 'static> Drop for ArenaStore<T> {
    /// Ends the store, then gives the regions back. What cannot be given back is counted by the
    /// arenas.
    fn drop(&mut self) {
        self.settle();
    }
}

impl<T: 'static> AsContext for ArenaStore<T> {
    type Data = Guest<T>;

    fn as_context(&self) -> StoreContext<'_, Guest<T>> {
        self.store.as_context()
    }
}

impl<T: 'static> AsContextMut for ArenaStore<T> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, Guest<T>> {
        self.store.as_context_mut()
    }
}

impl<T: fmt::Debug + 'static> fmt::Debug for ArenaStore<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArenaStore")
            .field("data", self.data())
            .field("memories", &self.handles.len())
            .finish_non_exhaustive()
    }
}
