//! As much of WASI preview 1 as the commands import: arguments, output, an exit. An engine's part is
//! to find the guest's memory, and to end the guest.
#![forbid(unsafe_code)]

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use qnx_program::output::say;

/// What guests import all of it from.
pub const MODULE: &str = "wasi_snapshot_preview1";

// Error numbers of WASI preview 1.
const SUCCESS: i32 = 0;
const BAD_FILE: i32 = 8;
const NOT_SEEKABLE: i32 = 70;

/// The type of a file that is neither of the ones WASI has names for.
const CHARACTER_DEVICE: u8 = 2;
const WRITE_RIGHT: u64 = 1 << 6;

/// What a command has.
#[derive(Debug, Default)]
pub struct Command {
    /// Its words, its name first.
    words: Vec<String>,
    /// What it printed, unless that goes to the output of this program.
    pub printed: Option<Vec<u8>>,
}

impl Command {
    /// A command with these words; `printed` is where its output goes, if it is kept.
    #[must_use]
    pub fn new(name: &str, words: &[&str], printed: Option<Vec<u8>>) -> Self {
        let words = [name].into_iter().chain(words.iter().copied());
        Self {
            words: words.map(str::to_owned).collect(),
            printed,
        }
    }
}

/// A pointer of the guest's to outside of its memory: the guest's fault, and it traps.
#[derive(Debug, Clone, Copy)]
pub struct Outside {
    at: u32,
    len: u32,
    size: usize,
}

impl fmt::Display for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, len, size } = self;
        write!(
            f,
            "{len} bytes at {at:#x} are outside of the guest's {size} bytes"
        )
    }
}

impl core::error::Error for Outside {}

/// A call of a command's: what it has, and its memory.
#[derive(Debug)]
pub struct Call<'a> {
    /// The guest's memory.
    pub memory: &'a mut [u8],
    /// What the command has.
    pub command: &'a mut Command,
}

/// What the guest is answered, or why it traps.
pub type Answer = Result<i32, Outside>;

/// The bytes that a pointer and a length name.
fn bytes(memory: &mut [u8], at: u32, len: u32) -> Result<&mut [u8], Outside> {
    let size = memory.len();
    let end = (at as usize).checked_add(len as usize);
    end.and_then(|end| memory.get_mut(at as usize..end))
        .ok_or(Outside { at, len, size })
}

fn put(memory: &mut [u8], at: u32, number: u32) -> Result<(), Outside> {
    bytes(memory, at, 4)?.copy_from_slice(&number.to_le_bytes());
    Ok(())
}

fn get(memory: &mut [u8], at: u32) -> Result<u32, Outside> {
    let mut number = [0; 4];
    number.copy_from_slice(bytes(memory, at, 4)?);
    Ok(u32::from_le_bytes(number))
}

/// A length for the guest; the words of a command line are short.
fn short(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

impl Call<'_> {
    /// How many words there are, and how long they are together with their ends.
    ///
    /// # Errors
    /// A pointer to outside of the memory; so for the others.
    pub fn args_sizes_get(&mut self, count: u32, len: u32) -> Answer {
        let words = &self.command.words;
        let total: usize = words.iter().map(|word| word.len() + 1).sum();
        put(self.memory, count, short(words.len()))?;
        put(self.memory, len, short(total))?;
        Ok(SUCCESS)
    }

    /// The words, one after the other, and where each starts.
    ///
    /// # Errors
    /// As above.
    pub fn args_get(&mut self, mut places: u32, mut text: u32) -> Answer {
        for word in &self.command.words {
            let len = short(word.len());
            put(self.memory, places, text)?;
            bytes(self.memory, text, len)?.copy_from_slice(word.as_bytes());
            let end = text.wrapping_add(len);
            bytes(self.memory, end, 1)?[0] = 0;
            places = places.wrapping_add(4);
            text = end.wrapping_add(1);
        }
        Ok(SUCCESS)
    }

    /// Prints pieces of memory.
    ///
    /// # Errors
    /// As above; what came before is printed.
    pub fn fd_write(&mut self, file: u32, pieces: u32, count: u32, written: u32) -> Answer {
        if file != 1 && file != 2 {
            return Ok(BAD_FILE);
        }
        let mut total = 0_u32;
        for piece in 0..count {
            let place = pieces.wrapping_add(piece.wrapping_mul(8));
            let at = get(self.memory, place)?;
            let len = get(self.memory, place.wrapping_add(4))?;
            let text = bytes(self.memory, at, len)?;
            match &mut self.command.printed {
                Some(printed) => printed.extend_from_slice(text),
                None => say(format_args!("{}", String::from_utf8_lossy(text))),
            }
            total = total.wrapping_add(len);
        }
        put(self.memory, written, total)?;
        Ok(SUCCESS)
    }

    /// A file of the three is a device; output may be written to.
    ///
    /// # Errors
    /// As above.
    pub fn fd_fdstat_get(&mut self, file: u32, place: u32) -> Answer {
        if file > 2 {
            return Ok(BAD_FILE);
        }
        let stat = bytes(self.memory, place, 24)?;
        stat.fill(0);
        stat[0] = CHARACTER_DEVICE;
        stat[8..16].copy_from_slice(&WRITE_RIGHT.to_le_bytes());
        Ok(SUCCESS)
    }
}

/// There is nothing to close.
#[must_use]
pub const fn fd_close(_file: u32) -> i32 {
    SUCCESS
}

/// No file can be moved about in.
#[must_use]
pub const fn fd_seek(_file: u32, _offset: u64, _from: u32, _place: u32) -> i32 {
    NOT_SEEKABLE
}
