//! Accounts of the memories of an engine, live and ended.
#![forbid(unsafe_code)]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasm_arena::{AllocError, MemoryId, MemoryStatistics};

use crate::MemoryError;

/// The account of one memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryRecord {
    /// Its number on its arenas.
    pub id: MemoryId,
    /// Its numbers: the present ones, or the last ones before it ended.
    pub statistics: MemoryStatistics,
    /// Bytes of a Wasm page of its type: 65,536, or 1 with custom page sizes.
    pub page_size: u64,
    /// It is indexed with 64 bits.
    pub is_64: bool,
    /// It is shared between threads.
    pub is_shared: bool,
    /// It still exists.
    pub is_live: bool,
    /// Why its last refused growth was refused: the guest only ever sees -1.
    pub last_refusal: Option<AllocError>,
}

/// The account of a live memory, shared between the memory and the list.
#[derive(Debug, Clone)]
pub(crate) struct Account(Arc<Mutex<MemoryRecord>>);

impl Account {
    /// Changes the account. Constant time.
    pub(crate) fn update(&self, change: impl FnOnce(&mut MemoryRecord)) {
        change(&mut lock(&self.0));
    }
}

/// All accounts, in order of creation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Accounts(Arc<Mutex<Vec<Account>>>);

impl Accounts {
    /// Opens an account.
    pub(crate) fn open(&self, record: MemoryRecord) -> Result<Account, MemoryError> {
        let mut accounts = lock(&self.0);
        if accounts.try_reserve(1).is_err() {
            return Err(MemoryError::AccountsFull {
                kept: accounts.len(),
            });
        }
        let account = Account(Arc::new(Mutex::new(record)));
        accounts.push(account.clone());
        Ok(account)
    }

    /// A copy of all accounts.
    pub(crate) fn records(&self) -> Vec<MemoryRecord> {
        lock(&self.0)
            .iter()
            .map(|account| *lock(&account.0))
            .collect()
    }
}

/// Accounts are plain numbers: whole after every change, whatever happened to its thread since.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
