//! The macro that makes the symbols.

/// Defines the C symbols that Wasmtime without `std` imports, over a static
/// [`Platform`](crate::Platform). Once in a program.
///
/// The symbols are defined where the macro stands, and are part of whatever is linked with that
/// crate. Symbols that no feature of Wasmtime imports cost their few bytes of code.
///
/// ```
/// static PLATFORM: wasm_arena_wasmtime_platform::Platform =
///     wasm_arena_wasmtime_platform::Platform::of_this_system();
/// wasm_arena_wasmtime_platform::export!(PLATFORM);
/// ```
#[macro_export]
macro_rules! export {
    ($platform:path) => {
        const _: () = {
            use $crate::locks;

            #[unsafe(no_mangle)]
            extern "C" fn wasmtime_page_size() -> usize {
                $platform.page_size()
            }

            #[unsafe(no_mangle)]
            extern "C" fn wasmtime_mmap_new(len: usize, bits: u32, place: &mut *mut u8) -> i32 {
                $platform.map(len, bits, place)
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn wasmtime_mmap_remap(
                address: *mut u8,
                len: usize,
                bits: u32,
            ) -> i32 {
                // SAFETY: Wasmtime remaps pages of its own mappings whose contents it gave up.
                unsafe { $platform.remap(address, len, bits) }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn wasmtime_munmap(address: *mut u8, len: usize) -> i32 {
                // SAFETY: Wasmtime unmaps each of its mappings once, whole, when it is done with it.
                unsafe { $platform.unmap(address, len) }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn wasmtime_mprotect(address: *mut u8, len: usize, bits: u32) -> i32 {
                // SAFETY: Wasmtime protects pages of its own mappings, and keeps to what it set.
                unsafe { $platform.protect(address, len, bits) }
            }

            #[unsafe(no_mangle)]
            extern "C" fn wasmtime_memory_image_new(
                _bytes: *const u8,
                _len: usize,
                place: &mut *mut u8,
            ) -> i32 {
                $platform.no_image(place)
            }

            #[unsafe(no_mangle)]
            extern "C" fn wasmtime_memory_image_map_at(
                _image: *mut u8,
                address: *mut u8,
                len: usize,
            ) -> i32 {
                $platform.map_image(address, len)
            }

            #[unsafe(no_mangle)]
            extern "C" fn wasmtime_memory_image_free(_image: *mut u8) {}

            #[unsafe(no_mangle)]
            extern "C" fn wasmtime_tls_get(slot: usize) -> *mut u8 {
                $platform.slot(slot)
            }

            #[unsafe(no_mangle)]
            extern "C" fn wasmtime_tls_set(slot: usize, value: *mut u8) {
                $platform.set_slot(slot, value)
            }

            #[unsafe(no_mangle)]
            extern "C" fn wasmtime_sync_lock_free(_word: *mut usize) {}

            #[unsafe(no_mangle)]
            unsafe extern "C" fn wasmtime_sync_lock_acquire(word: *mut usize) {
                // SAFETY: Wasmtime's word for this lock, zero at first, and for nothing else.
                unsafe { locks::acquire(word) }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn wasmtime_sync_lock_release(word: *mut usize) {
                // SAFETY: as above, and acquired by this thread.
                unsafe { locks::release(word) }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn wasmtime_sync_rwlock_read(word: *mut usize) {
                // SAFETY: Wasmtime's word for this lock, zero at first, and for nothing else.
                unsafe { locks::read(word) }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn wasmtime_sync_rwlock_read_release(word: *mut usize) {
                // SAFETY: as above, and entered by this thread.
                unsafe { locks::read_release(word) }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn wasmtime_sync_rwlock_write(word: *mut usize) {
                // SAFETY: Wasmtime's word for this lock, zero at first, and for nothing else.
                unsafe { locks::write(word) }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn wasmtime_sync_rwlock_write_release(word: *mut usize) {
                // SAFETY: as above, and entered by this thread.
                unsafe { locks::write_release(word) }
            }

            #[unsafe(no_mangle)]
            extern "C" fn wasmtime_sync_rwlock_free(_word: *mut usize) {}
        };
    };
}
