//! Looks for what should not be there: memory that must be zero and is not.

use core::ops::Range;
use core::ptr::NonNull;

use crate::AllocError;

/// Bytes that are compared at a time.
const GROUP: usize = 1024;

/// What they are compared with: by one call, which is fast even where nothing is optimised.
static ZEROS: [u8; GROUP] = [0; GROUP];

/// Fails if a byte of `range`, counted from `base`, is not zero. One pass over the range.
///
/// # Safety
/// The bytes of the range are one object, can be read, are initialised, and nobody writes them
/// meanwhile.
///
/// # Errors
/// [`AllocError::ContentsDamaged`] with the first word found.
pub(crate) unsafe fn ensure_zero(base: NonNull<u8>, range: Range<usize>) -> Result<(), AllocError> {
    if range.is_empty() {
        return Ok(());
    }
    // SAFETY: the range is inside one object, as the caller says.
    let start = unsafe { base.add(range.start) };
    // SAFETY: readable, initialised and still, as the caller says.
    let bytes = unsafe { core::slice::from_raw_parts(start.as_ptr(), range.len()) };
    let Some((inside, found)) = first_not_zero(bytes) else {
        return Ok(());
    };
    let offset = range.start + inside;
    Err(AllocError::ContentsDamaged {
        offset,
        address: base.addr().get() + offset,
        found,
    })
}

/// Where the first byte lies that is not zero, and the bytes from there on as a little-endian word.
fn first_not_zero(bytes: &[u8]) -> Option<(usize, u64)> {
    let mut groups = bytes.chunks(GROUP);
    let index = groups.position(|group| group != &ZEROS[..group.len()])?;
    let from = index * GROUP;
    let offset = from + bytes[from..].iter().position(|&byte| byte != 0)?;
    let mut word = [0; 8];
    for (place, byte) in word.iter_mut().zip(&bytes[offset..]) {
        *place = *byte;
    }
    Some((offset, u64::from_le_bytes(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_found_where_it_is() {
        for len in [0, 1, 7, 8, 63, 64, 200, 1023, 1024, 1025] {
            let mut bytes = std::vec![0_u8; len];
            assert_eq!(first_not_zero(&bytes), None);
            for at in 0..len {
                for bit in 0..8 {
                    bytes[at] = 1 << bit;
                    assert_eq!(first_not_zero(&bytes), Some((at, 1 << bit)));
                    // The first counts; what follows is shown.
                    if at + 1 < len {
                        bytes[at + 1] = 0xff;
                        let word = (0xff << 8) | (1 << bit);
                        assert_eq!(first_not_zero(&bytes), Some((at, word)));
                        bytes[at + 1] = 0;
                    }
                    bytes[at] = 0;
                }
            }
        }
    }
}
