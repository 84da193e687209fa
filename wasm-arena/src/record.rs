//! Accounts of the memories of a runtime, live and ended: what the adapters keep for reports.
//!
//! A runtime's memory is gone when its report is written. So each account is shared between the
//! memory and a list; the list stays.
#![forbid(unsafe_code)]

use alloc::sync::Arc;
use alloc::vec::Vec;

use os::Mutex;

use crate::{AllocError, MemoryId, MemoryStatistics};

/// The account of one memory of a runtime.
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

impl MemoryRecord {
    /// The account of a new memory with Wasm pages of `page_size` bytes, indexed with 32 bits and
    /// not shared.
    #[must_use]
    pub const fn new(id: MemoryId, statistics: MemoryStatistics, page_size: u64) -> Self {
        Self {
            id,
            statistics,
            page_size,
            is_64: false,
            is_shared: false,
            is_live: true,
            last_refusal: None,
        }
    }
}

/// The account of one memory, shared between the memory and the list.
#[derive(Debug, Clone)]
pub struct SharedRecord(Arc<Mutex<MemoryRecord>>);

impl SharedRecord {
    /// Changes the account. Constant time.
    pub fn update(&self, change: impl FnOnce(&mut MemoryRecord)) {
        change(&mut self.0.lock());
    }

    /// The account as it stands.
    #[must_use]
    pub fn get(&self) -> MemoryRecord {
        *self.0.lock()
    }
}

/// A list of accounts in order of creation. Clones share it. Costs about 250 bytes of the program's
/// heap per memory for as long as a clone lives.
#[derive(Debug, Clone, Default)]
pub struct MemoryRecords(Arc<Mutex<Vec<SharedRecord>>>);

/// The program's heap has no room for one more account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordsFull {
    /// Accounts kept.
    pub kept: usize,
}

impl MemoryRecords {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens an account.
    ///
    /// # Errors
    /// [`RecordsFull`]; nothing has changed then.
    pub fn open(&self, record: MemoryRecord) -> Result<SharedRecord, RecordsFull> {
        let mut records = self.0.lock();
        if records.try_reserve(1).is_err() {
            return Err(RecordsFull {
                kept: records.len(),
            });
        }
        let record = SharedRecord(Arc::new(Mutex::new(record)));
        records.push(record.clone());
        Ok(record)
    }

    /// A copy of all accounts.
    #[must_use]
    pub fn list(&self) -> Vec<MemoryRecord> {
        self.0.lock().iter().map(SharedRecord::get).collect()
    }
}
