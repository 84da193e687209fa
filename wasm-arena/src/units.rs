//! Wasm pages and bytes: the one place where one becomes the other.
#![forbid(unsafe_code)]

use crate::AllocError;

/// The size of a Wasm page: 64 KiB.
///
/// Not to be confused with the *host page*, which [`os::PageSize`] describes.
pub const WASM_PAGE_SIZE: usize = 65_536;

/// The bytes of `pages` Wasm pages.
///
/// # Errors
/// [`AllocError::TooLarge`] if they do not fit an `isize`, which bounds every Rust allocation. On a
/// 32-bit processor that begins at 32 768 pages (2 GiB).
///
/// ```
/// use wasm_arena::{WASM_PAGE_SIZE, pages_to_bytes};
/// assert_eq!(pages_to_bytes(2), Ok(2 * WASM_PAGE_SIZE));
/// ```
pub const fn pages_to_bytes(pages: u32) -> Result<usize, AllocError> {
    let bytes = pages as u64 * WASM_PAGE_SIZE as u64;
    if bytes > isize::MAX as u64 {
        return Err(AllocError::TooLarge { bytes });
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked against isize::MAX above"
    )]
    Ok(bytes as usize)
}

/// The whole Wasm pages in `bytes`; a started page counts as none.
///
/// ```
/// assert_eq!(wasm_arena::bytes_to_pages(65_536 * 3 + 1), 3);
/// ```
#[must_use]
pub const fn bytes_to_pages(bytes: usize) -> u32 {
    let pages = bytes / WASM_PAGE_SIZE;
    // A memory is never larger than 2^32 pages: `pages_to_bytes` starts from a `u32`, and the byte
    // interface refuses sizes above `isize::MAX`, which is less than 2^32 pages times 2^16 bytes on
    // 32-bit processors and saturates here on 64-bit ones.
    if pages > u32::MAX as usize {
        u32::MAX
    } else {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "checked against u32::MAX above"
        )]
        {
            pages as u32
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixty_five_thousand_pages_do_not_overflow() {
        assert_eq!(
            pages_to_bytes(65_536).map(|bytes| bytes as u64),
            expected(65_536)
        );
        assert_eq!(
            pages_to_bytes(u32::MAX).map(|bytes| bytes as u64),
            expected(u32::MAX)
        );
    }

    fn expected(pages: u32) -> Result<u64, AllocError> {
        let bytes = u64::from(pages) * 65_536;
        if isize::try_from(bytes).is_ok() {
            Ok(bytes)
        } else {
            Err(AllocError::TooLarge { bytes })
        }
    }

    #[test]
    fn whole_pages_are_counted() {
        assert_eq!(bytes_to_pages(0), 0);
        assert_eq!(bytes_to_pages(65_535), 0);
        assert_eq!(bytes_to_pages(65_536), 1);
        assert_eq!(bytes_to_pages(isize::MAX as usize) as u64, {
            let pages = (isize::MAX as u64) / 65_536;
            pages.min(u64::from(u32::MAX))
        });
    }
}
