//! The symbols as Wasmtime's C header has them, exported once and called by several threads.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use wasm_arena_wasmtime_platform::Platform;

static PLATFORM: Platform = Platform::of_this_system();
wasm_arena_wasmtime_platform::export!(PLATFORM);

// As Wasmtime 48 declares them.
unsafe extern "C" {
    fn wasmtime_page_size() -> usize;
    fn wasmtime_mmap_new(size: usize, prot_flags: u32, ret: &mut *mut u8) -> i32;
    fn wasmtime_munmap(ptr: *mut u8, size: usize) -> i32;
    fn wasmtime_tls_get(slot: usize) -> *mut u8;
    fn wasmtime_tls_set(slot: usize, ptr: *mut u8);
    fn wasmtime_sync_lock_acquire(lock: *mut usize);
    fn wasmtime_sync_lock_release(lock: *mut usize);
    fn wasmtime_sync_lock_free(lock: *mut usize);
    fn wasmtime_sync_rwlock_read(lock: *mut usize);
    fn wasmtime_sync_rwlock_read_release(lock: *mut usize);
    fn wasmtime_sync_rwlock_write(lock: *mut usize);
    fn wasmtime_sync_rwlock_write_release(lock: *mut usize);
    fn wasmtime_sync_rwlock_free(lock: *mut usize);
}

/// A word that threads share, as Wasmtime keeps its locks.
#[derive(Clone, Copy)]
struct Word(*mut usize);

// SAFETY: the locks' functions are for any thread.
unsafe impl Send for Word {}

#[test]
fn pages() {
    // SAFETY: no preconditions.
    let page = unsafe { wasmtime_page_size() };
    assert!(page.is_power_of_two());
    let mut run = null_mut();
    // SAFETY: a place for the answer.
    assert_eq!(unsafe { wasmtime_mmap_new(page, 3, &mut run) }, 0);
    // SAFETY: one page is mapped and writable.
    unsafe { run.write(1) };
    // SAFETY: the whole mapping, for the last time.
    assert_eq!(unsafe { wasmtime_munmap(run, page) }, 0);
}

#[test]
fn each_thread_has_two_slots() {
    PLATFORM.prepare().unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let (mut one, mut other) = (0_u8, 0_u8);
                let places = [&raw mut one, &raw mut other];
                for (slot, place) in places.into_iter().enumerate() {
                    // SAFETY: the slots are this program's alone.
                    assert!(unsafe { wasmtime_tls_get(slot) }.is_null());
                    // SAFETY: as above.
                    unsafe { wasmtime_tls_set(slot, place) };
                }
                thread::yield_now();
                for (slot, place) in places.into_iter().enumerate() {
                    // SAFETY: as above.
                    assert_eq!(unsafe { wasmtime_tls_get(slot) }, place);
                }
            });
        }
    });
}

#[test]
fn a_lock_lets_one_thread_in_at_a_time() {
    const ROUNDS: usize = 20_000;
    let inside = AtomicUsize::new(0);
    let mut total = 0_usize;
    let total_place = Word(&raw mut total);
    let mut word = 0_usize;
    let word = Word(&raw mut word);
    thread::scope(|scope| {
        for _ in 0..4 {
            let inside = &inside;
            scope.spawn(move || {
                let (word, total) = ({ word }, { total_place });
                for round in 0..ROUNDS {
                    // SAFETY: the word began as zero and is used as a lock alone.
                    unsafe { wasmtime_sync_lock_acquire(word.0) };
                    assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
                    // SAFETY: only the holder of the lock touches the total.
                    unsafe { *total.0 += 1 };
                    if round % 64 == 0 {
                        thread::yield_now();
                    }
                    inside.fetch_sub(1, Ordering::Relaxed);
                    // SAFETY: acquired above.
                    unsafe { wasmtime_sync_lock_release(word.0) };
                }
            });
        }
    });
    // SAFETY: all threads have ended.
    unsafe { wasmtime_sync_lock_free(word.0) };
    assert_eq!(total, 4 * ROUNDS);
}

#[test]
fn readers_share_a_lock_and_a_writer_does_not() {
    const ROUNDS: usize = 10_000;
    let (readers, writers) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mut word = 0_usize;
    let word = Word(&raw mut word);
    thread::scope(|scope| {
        for number in 0..4 {
            let (readers, writers) = (&readers, &writers);
            scope.spawn(move || {
                let word = { word };
                for round in 0..ROUNDS {
                    if (round + number) % 4 == 0 {
                        // SAFETY: the word began as zero and is used as this lock alone.
                        unsafe { wasmtime_sync_rwlock_write(word.0) };
                        assert_eq!(writers.fetch_add(1, Ordering::Relaxed), 0);
                        assert_eq!(readers.load(Ordering::Relaxed), 0);
                        thread::yield_now();
                        writers.fetch_sub(1, Ordering::Relaxed);
                        // SAFETY: entered above.
                        unsafe { wasmtime_sync_rwlock_write_release(word.0) };
                    } else {
                        // SAFETY: as above.
                        unsafe { wasmtime_sync_rwlock_read(word.0) };
                        readers.fetch_add(1, Ordering::Relaxed);
                        assert_eq!(writers.load(Ordering::Relaxed), 0);
                        readers.fetch_sub(1, Ordering::Relaxed);
                        // SAFETY: entered above.
                        unsafe { wasmtime_sync_rwlock_read_release(word.0) };
                    }
                }
            });
        }
    });
    // SAFETY: all threads have ended.
    unsafe { wasmtime_sync_rwlock_free(word.0) };
}
