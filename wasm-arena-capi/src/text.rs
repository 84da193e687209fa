//! Text in arrays of a fixed size, as C structs have them: always terminated, cut where it does not
//! fit.
#![forbid(unsafe_code)]

use core::ffi::c_char;
use core::fmt::{self, Display, Write};

/// What stands at the end of a text that was cut.
const ELLIPSIS: &str = "...";

/// An array being filled. Invariant: `len` is below the array's length.
struct Text<'a> {
    array: &'a mut [c_char],
    len: usize,
}

impl Text<'_> {
    fn put(&mut self, byte: u8) {
        if let Some(place) = self.array.get_mut(self.len) {
            *place = c_char::from_ne_bytes([byte]);
            self.len += 1;
        }
    }
}

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // One byte is the terminator's.
        let room = self.array.len().saturating_sub(self.len + 1);
        if text.len() <= room {
            text.bytes().for_each(|byte| self.put(byte));
            return Ok(());
        }
        let mut cut = room.saturating_sub(ELLIPSIS.len());
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        let (kept, _) = text.split_at(cut);
        let ellipsis = ELLIPSIS.get(..room.min(ELLIPSIS.len())).unwrap_or("");
        kept.bytes()
            .chain(ellipsis.bytes())
            .for_each(|byte| self.put(byte));
        Err(fmt::Error)
    }
}

/// Fills `array` with a text; the rest of it is zero.
pub(crate) fn write(array: &mut [c_char], text: &dyn Display) {
    array.fill(0);
    let mut target = Text { array, len: 0 };
    // A text that does not fit ends in an ellipsis: that is all there is to do about it.
    let _cut = write!(target, "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    fn written<const N: usize>(text: &str) -> String {
        let mut array = [1; N];
        write(&mut array, &text);
        assert!(N == 0 || array[N - 1] == 0);
        let bytes = array.iter().map(|&byte| byte.to_ne_bytes()[0]);
        String::from_utf8(bytes.take_while(|&byte| byte != 0).collect()).unwrap()
    }

    #[test]
    fn what_fits_is_whole_and_what_does_not_says_so() {
        assert_eq!(written::<6>("arena"), "arena");
        assert_eq!(written::<6>("arenas"), "ar...");
        assert_eq!(written::<7>("aréna.."), "ar...");
        assert_eq!(written::<3>("arena"), "..");
        assert_eq!(written::<1>("arena"), "");
        assert_eq!(written::<0>("arena"), "");
        assert_eq!(written::<9>(""), "");
    }
}
