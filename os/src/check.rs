//! The preconditions every page source checks alike: whole pages, and not zero of them.
#![forbid(unsafe_code)]

use core::ptr::NonNull;

use crate::{OsCall, OsError, PageSize, Reason};

/// Checks the length of a new run.
pub(crate) fn check_length(call: OsCall, page_size: PageSize, len: usize) -> Result<(), OsError> {
    check(call, page_size, 0, len)
}

/// Checks the address and the length of pages that exist already.
pub(crate) fn check_range(
    call: OsCall,
    page_size: PageSize,
    address: NonNull<u8>,
    len: usize,
) -> Result<(), OsError> {
    check(call, page_size, address.addr().get(), len)
}

fn check(call: OsCall, page_size: PageSize, address: usize, len: usize) -> Result<(), OsError> {
    let reason = if len == 0 {
        Reason::ZeroLength
    } else if !page_size.divides(address) || !page_size.divides(len) {
        Reason::Misaligned {
            page_size: page_size.get(),
        }
    } else {
        return Ok(());
    };
    Err(OsError {
        call,
        address,
        len,
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason_for(address: usize, len: usize) -> Option<Reason> {
        let page = PageSize::new(4096).unwrap();
        check(OsCall::Commit, page, address, len)
            .err()
            .map(|error| error.reason)
    }

    #[test]
    fn whole_pages_pass_and_everything_else_names_its_fault() {
        assert_eq!(reason_for(0, 4096), None);
        assert_eq!(reason_for(8192, 12288), None);
        assert_eq!(reason_for(8192, 0), Some(Reason::ZeroLength));
        assert_eq!(
            reason_for(8192, 4095),
            Some(Reason::Misaligned { page_size: 4096 })
        );
        assert_eq!(
            reason_for(8191, 4096),
            Some(Reason::Misaligned { page_size: 4096 })
        );
    }

    #[test]
    fn the_error_repeats_the_question() {
        let page = PageSize::new(4096).unwrap();
        let error = check_length(OsCall::Map, page, 5).unwrap_err();
        assert_eq!((error.call, error.address, error.len), (OsCall::Map, 0, 5));
    }
}
